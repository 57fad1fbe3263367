"""What comes from servers, files and recordings drives neither a terminal nor a CI runner."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf.errors import BackendError, LlmclfError
from pytest_llmclf.plugin.github import annotation_lines
from pytest_llmclf.reporting.markdown_text import code, escaped
from pytest_llmclf.reporting.style import Style
from pytest_llmclf.values.verdict import Verdict

NASTY = st.text(
    alphabet=st.one_of(
        st.sampled_from("\x1b\x9b\r\n\t\u202e\u2028:#@.|`*_[]()<>&!-+=~^$%,; 0123xmpw/"),
        st.characters(),
    ),
    max_size=60,
)


@given(NASTY)
def test_a_line_of_the_terminal(text: str) -> None:
    """Is one line, and holds nothing but signs that print."""
    assert Style().safe(text).isprintable()
    assert Style(unicode=False).safe(text).isascii()


@given(NASTY)
def test_an_error(text: str) -> None:
    """May have lines, none of which is a command of a runner."""
    for error in (LlmclfError(text), BackendError(text, remedy=text)):
        lines = str(error).split("\n")
        assert all(line.isprintable() for line in lines)
        assert not any(line.lstrip().startswith("::") for line in lines)


@given(NASTY, NASTY, NASTY)
def test_an_annotation(evaluation: str, model: str, text: str) -> None:
    """Is one command with one title, whatever its parts are."""
    verdict = Verdict(word="FAIL", text=text, evaluation=evaluation, model=model)
    (line,) = annotation_lines([verdict], lambda _: True)
    assert line.isprintable()
    head, message = re.fullmatch(r"::error title=([^:,]*)::(.*)", line).groups()  # type: ignore[union-attr]
    assert not re.search(r"%(?!25|0D|0A|3A|2C)", head + message)


def shown(markdown: str) -> str:
    """What a person reads of an escaped text: escapes, comments and entities read."""
    text = markdown.replace("<!-- -->", "")
    text = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


@given(NASTY)
def test_a_text_in_markdown(text: str) -> None:
    """Is read as it is: no mention, address, reference, list, heading or element comes of it."""
    found = escaped(text)
    assert "\n" not in found
    rest = found.replace("<!-- -->", "\0")
    assert not re.search(r"[@#]\w", rest)
    assert not re.match(r"\s|\d{1,9}[.)]|[-+=>#]", rest)
    assert not re.search(r"(?<!\\):/|(?<!\\)www\.", rest)
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_\[\]|~]", rest.replace("\\\\", "")) or "\\" in text
    assert "<" not in rest
    assert shown(found) == Style().safe(text).strip()


def test_what_became_links_and_lists() -> None:
    """The instances that were seen."""
    assert escaped("mail me@example.org") == "mail me@<!-- -->example.org"
    assert escaped("xmpp:a@b.c") == "xmpp:a@<!-- -->b.c"
    assert escaped("@name #12") == "@<!-- -->name \\#<!-- -->12"
    assert escaped("12. x") == "12\\. x"
    assert escaped("3) y") == "3\\) y"


@given(NASTY)
def test_a_name_in_markdown(text: str) -> None:
    """Stands in a span of code that nothing in it ends."""
    found = code(text)
    fence = re.match(r"`+", found)[0]  # type: ignore[index]
    assert found.endswith(fence)
    inside = found[len(fence) : -len(fence)]
    assert fence not in re.findall(r"`+", inside)
