"""The confusion matrix in the room there is."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf import reference
from pytest_llmclf.metrics.confusion import Confusion
from pytest_llmclf.reporting import matrix
from pytest_llmclf.reporting.style import Style, width

Counts = tuple[tuple[int, ...], ...]


def confusion(labels: tuple[str, ...], counts: Counts | None = None) -> Confusion:
    """A confusion of which every class was answered right once, if nothing else is said."""
    size = range(len(labels))
    rights = tuple(tuple(int(row == column) for column in size) for row in size)
    return Confusion(
        labels=labels,
        counts=counts or rights,
        unparsed=tuple(row % 3 for row in size),
        error=tuple(row % 2 for row in size),
    )


def shown(found: Confusion, **style: bool | int | None) -> list[str]:
    """The lines as text."""
    made = Style(**style)  # type: ignore[arg-type]
    return [line.text for line in matrix.lines(found, made)]


def test_a_small_matrix() -> None:
    """Rows are actual, columns predicted, then unparsed and errors; none is a dot."""
    found = confusion(("cat", "cow", "dog"), ((50, 0, 0), (29, 21, 0), (10, 0, 40)))
    assert shown(found) == [
        "  confusion matrix (rows: actual, columns: predicted)",
        "      cat cow dog │ unparsed error",
        "  cat  50   ·   · │        ·     ·",
        "  cow  29  21   · │        1     1",
        "  dog  10   ·  40 │        2     ·",
    ]


def test_ascii() -> None:
    """Without Unicode the same matrix has the same columns."""
    found = reference.published("animals").confusion
    pairs = list(zip(shown(found), shown(found, unicode=False), strict=True))
    assert all(plain.isascii() and len(plain) == len(rich) for rich, plain in pairs)


def test_ten_classes_fit_eighty_columns_by_name() -> None:
    """Ten animals stand under starts of their names that tell them apart."""
    head = shown(reference.published("animals").confusion)[1]
    assert head.split() == [
        *("butt", "cat", "chic", "cow", "dog", "elep", "hors", "shee", "spid", "squi"),
        *("│", "unparsed", "error"),
    ]


def test_alike_names_get_numbers() -> None:
    """Where starts of names are alike, columns and rows bear numbers."""
    found = shown(confusion(tuple(f"class number {place}" for place in range(8))))
    assert found[1].split()[:8] == [str(place) for place in range(1, 9)]
    assert found[2].startswith("  1 class number 0 1 · ")


def test_short_names_of_the_last_columns_are_explained() -> None:
    """A column under a sign has the sign's meaning above the matrix."""
    found = shown(reference.published("mnist").confusion, width=42)
    assert "? is unparsed; ! is error" in " ".join(" ".join(found).split())


def test_too_many_classes_leave_the_worst() -> None:
    """The classes with most mistakes are kept, and a line says what is left out."""
    labels = tuple(f"c{place}" for place in range(60))
    rows = [[0] * 60 for _ in labels]
    for place in range(60):
        rows[place][place] = 5
    rows[7][30] = 9
    rows[8][9] = 4
    found = shown(confusion(labels, tuple(map(tuple, rows))), classes=3)
    text = " ".join(" ".join(found).split())
    assert [line.split()[0] for line in found[2:5]] == ["c7", "c30", "c8"]
    assert "others" in found[1]
    assert (
        "3 of 60 classes with most mistakes, beside what they are confused with; left out: 57"
        in text
    )


def test_the_left_out_are_counted() -> None:
    """The line under a part of the matrix counts the images and mistakes that it does not show."""
    found = confusion(("a", "b", "c"), ((0, 9, 0), (9, 1, 0), (1, 0, 4)))
    text = " ".join(" ".join(shown(found, classes=2)).split())
    # The third class has four right answers, a wrong one and two unparsed ones.
    assert "left out: 1 class with 7 answered images, of which 3 wrong." in text


def test_no_room_is_said() -> None:
    """Where not even one class fits, a line says so."""
    assert " ".join(shown(confusion(("cat", "dog")), width=8)).split()[:2] == ["no", "room"]


def test_colours_mark_right_and_wrong() -> None:
    """The diagonal is green, mistakes are red, none is dim, unparsed yellow."""
    found = Confusion(labels=("cat", "dog"), counts=((5, 2), (0, 3)), unparsed=(1, 0), error=(0, 4))
    lines = list(matrix.lines(found, Style(color=True)))
    rows = [
        [(part.text.strip(), part.marks) for part in line.segments if part.marks]
        for line in lines[-2:]
    ]
    assert rows == [
        [("5", ("green",)), ("2", ("red",)), ("1", ("yellow",)), ("·", ("light",))],
        [("·", ("light",)), ("3", ("green",)), ("·", ("light",)), ("4", ("red",))],
    ]


@pytest.mark.parametrize("label", ["a\x1b[2J", "a\nb", "\u202ecat", "猫\u200b"])
def test_labels_cannot_move_the_cursor(label: str) -> None:
    """Control characters and direction marks in labels are escaped."""
    assert all(line.isprintable() for line in shown(confusion((label, "dog"))))


@st.composite
def confusions(draw: st.DrawFn) -> Confusion:
    """Confusions of up to thirty classes with odd names."""
    names = st.text(st.characters(codec="utf-8"), max_size=12)
    labels = tuple(draw(st.lists(names, min_size=1, max_size=30, unique=True)))
    row = st.lists(
        st.sampled_from([0, 0, 0, 1, 7, 50, 1234]), min_size=len(labels), max_size=len(labels)
    )
    counts = tuple(tuple(draw(row)) for _ in labels)
    return confusion(labels, counts)


@given(confusions(), st.integers(20, 160), st.booleans())
def test_every_line_fits_and_no_answer_is_missing(
    found: Confusion,
    columns: int,
    unicode: bool,  # noqa: FBT001
) -> None:
    """Whatever the labels and the width: lines fit, and a row adds up to its images."""
    lines = list(matrix.lines(found, Style(width=columns, unicode=unicode)))
    assert all(width(line.text) <= columns for line in lines)
    assert all(line.text.isprintable() for line in lines)
    rows = [
        [part.text.strip() for part in line.segments[1:]]
        for line in lines
        if len(line.segments) > 1
    ]
    sums = [sum(int(cell) for cell in row if cell.isdigit()) for row in rows]
    tails = zip(found.counts, found.unparsed, found.error, strict=True)
    images = [sum(counts) + unparsed + error for counts, unparsed, error in tails]
    if len(rows) == len(images):
        assert sums == images
    assert Counter(sums) <= Counter(images)
