"""Safe, measured, cut and coloured text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmclf.reporting.style import Line, Segment, Style, cut, left, right, start, width
from pytest_llmclf.values.text import command_line

if TYPE_CHECKING:
    from pytest_llmclf.reporting.style import Part


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("", 0),
        ("cat", 3),
        ("猫", 2),
        ("\N{FULLWIDTH LATIN SMALL LETTER C}at", 4),
        ("e\u0301", 1),
        ("é", 1),
        ("🐈", 2),
    ],
)
def test_width_is_in_columns(text: str, columns: int) -> None:
    """Wide signs take two columns, combining marks none."""
    assert width(text) == columns


@given(st.text(), st.integers(0, 20))
def test_cut_text_fits(text: str, columns: int) -> None:
    """Cut text is never wider than its room, and what fits stays whole."""
    assert width(cut(text, columns)) <= columns
    assert width(start(text, columns)) <= columns
    assert text.startswith(start(text, columns))
    if text.isascii() and len(text) <= columns:
        assert cut(text, columns) == text


def test_cut_text_says_so() -> None:
    """An ellipsis stands for what is missing, and a wide sign is never halved."""
    assert cut("butterfly", 5) == "butt…"
    assert cut("猫猫猫", 4) == "猫…"


def test_stacked_marks_end() -> None:
    """A letter with a thousand accents does not fill the screen."""
    assert len(cut("a" + "\u0301" * 1000, 5)) <= 16


@given(st.text(), st.booleans())
def test_safe_text_is_one_printable_line(text: str, unicode: bool) -> None:  # noqa: FBT001
    """Whatever comes in, no control character, line break or direction mark comes out."""
    found = Style(unicode=unicode).safe(text)
    assert found.isprintable()
    assert unicode or found.isascii()


def test_safe_text_shows_what_it_was() -> None:
    """What is not printable is escaped; signs of our own have an ASCII form."""
    assert Style().safe("a\x1b[31m\u202e\n") == r"a\x1b[31m\u202e\n"
    assert Style(unicode=False).safe("é–…") == r"\xe9-~"


@given(st.text(max_size=80), st.integers(3, 40), st.booleans())
def test_quotes_fit(text: str, columns: int, unicode: bool) -> None:  # noqa: FBT001
    """A quoted answer takes no more than its room, quotes included."""
    found = Style(unicode=unicode).quote(text, columns)
    assert width(found) <= columns
    assert found[0] == found[-1] == '"'


@given(st.lists(st.text(st.characters(codec="ascii"), max_size=8), max_size=12))
def test_wrapping_loses_no_word(words: list[str]) -> None:
    """Wrapped lines fit and hold everything in order."""
    style = Style(width=30)
    text = style.safe(" ".join(words))
    lines = list(style.wrapped(text, "  "))
    assert all(line.startswith("  ") for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert max(map(width, lines)) <= 30


def test_wrapped_lines_fit() -> None:
    """Words move to the next line before they pass the width; longer ones are broken."""
    assert list(Style(width=10).wrapped("a 猫猫猫猫猫猫")) == ["a", "猫猫猫猫猫", "猫"]
    assert list(Style(width=12).wrapped("one two three", "  ")) == ["  one two", "  three"]


@pytest.mark.parametrize("program", ["pytest", "llmclf", "ollama", "python -m pip"])
def test_a_command_to_copy_is_never_broken(program: str) -> None:
    """It is a line of its own, whatever the width, unless all fits on one line."""
    command = f"{program} evals/test_pets.py --llmclf-model ollama:llava:13b --snapshot-update"
    text = f"baseline: none is committed; to write it: {command}"
    for columns in (20, 40, 80):
        *said, last = Style(width=columns).wrapped(text, "  ")
        assert last == f"  {command}"
        assert all(len(line) <= columns for line in said)
        assert " ".join(map(str.strip, [*said, last])) == text
    assert list(Style(width=200).wrapped(text)) == [text]
    varied = f'{command} --llmclf-variant "brief: prompt=Animal; or: which?" -k "a or b"'
    *_, last = Style(width=40).wrapped(f"none of this: to write them: {varied}")
    assert last == varied
    within = f"no Ollama here; for it: `{program} pull llava`, --llmclf-model ollama:a"
    for columns in range(40, 100):
        lines = list(Style(width=columns).wrapped(within))
        assert " ".join(lines) == within
        assert max(map(len, lines)) <= columns
        for whole in (f"`{program} pull llava`", "--llmclf-model ollama:a"):
            assert sum(whole in line for line in lines) == 1
    asked = f"which: {program} is asked; then: nothing " + "more " * 30
    assert all(len(line) <= 40 for line in Style(width=40).wrapped(asked))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)))
def test_a_command_is_whole_whatever_its_words(words: list[str]) -> None:
    """As `command_line` quotes them: what is quoted ends no command."""
    command = command_line("pytest", *(word.rstrip(":") for word in words))
    *_, last = Style(width=20).wrapped(f"to write it: {command}")
    assert last in (command, f"to write it: {command}")


def test_blanks_at_the_start_stay() -> None:
    """They are the sign of a diff's line that stayed; a line that is broken has them once."""
    assert list(Style(width=20).wrapped("  - cat", "  ")) == ["    - cat"]
    assert list(Style(width=12).wrapped(" one two three")) == [" one two", "three"]
    assert list(Style(width=10).wrapped("  abcdefghijkl")) == ["  abcdefgh", "ijkl"]
    assert list(Style(width=10).wrapped(" " * 30 + "a")) == [" " * 5 + "a"]
    assert list(Style(width=10).wrapped("   ")) == ["   "]


def test_colour_is_dropped_where_unwanted() -> None:
    """Markup is for pytest's writer, and plain lines have none."""
    parts: tuple[Part, ...] = ("plain ", ("red", "red"), ("both", ("green", "bold")))
    assert [one.markup for one in Style(color=True).line(*parts).segments] == [
        {},
        {"red": True},
        {"green": True, "bold": True},
    ]
    plain = Style().line(*parts)
    assert plain.text == "plain redboth"
    assert not any(one.markup for one in plain.segments)


def test_ascii_signs_keep_their_columns() -> None:
    """Every sign of our own becomes one ASCII sign."""
    own = "–×│─█·→≥…"
    found = Style(unicode=False).line(own).text
    assert found.isascii()
    assert len(found) == len(own)


def test_lines_end_without_blanks() -> None:
    """Blanks at the end of a line are not shown."""
    assert Line(segments=(Segment(text="a "), Segment(text="  "))).text == "a"


def test_padding_counts_columns() -> None:
    """Wide names line up with narrow ones."""
    assert left("猫", 4) == "猫  "
    assert right("猫", 4) == "  猫"
    assert left("cat", 2) == "cat"


@pytest.mark.parametrize(
    ("encoding", "can"),
    [
        ("utf-8", True),
        ("UTF8", True),
        ("utf_16", True),
        ("ascii", False),
        ("cp1252", False),
        (None, False),
    ],
)
def test_only_unicode_encodings_get_unicode(encoding: str | None, can: bool) -> None:  # noqa: FBT001
    """An encoding that may lack a sign gets ASCII."""
    assert Style.can_unicode(encoding) is can
