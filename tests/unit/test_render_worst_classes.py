"""Which classes stand in a matrix that has no room for all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf.metrics.confusion import Confusion
from pytest_llmclf.reporting.worst_classes import left_out, worst_first


def confusion(size: int, cells: dict[tuple[int, int], int], unparsed: dict[int, int]) -> Confusion:
    """A confusion of so many classes with these counts."""
    return Confusion(
        labels=tuple(f"c{place}" for place in range(size)),
        counts=tuple(
            tuple(cells.get((row, column), 0) for column in range(size)) for row in range(size)
        ),
        unparsed=tuple(unparsed.get(place, 0) for place in range(size)),
        error=(0,) * size,
    )


def test_clusters_stand_together() -> None:
    """Four that are confused among themselves, a pair, a class that nobody reads, then the rest."""
    found = confusion(
        30,
        {(20, 3): 9, (3, 11): 6, (11, 27): 5, (5, 6): 7, (6, 5): 1, (14, 15): 1, (1, 1): 40},
        {9: 4},
    )
    assert worst_first(found)[:7] == (3, 20, 5, 6, 11, 27, 9)


def test_sources_of_an_attractor_come_by_how_much_it_takes() -> None:
    """The label that draws, then those that it draws from, most first."""
    takes = {4: 2, 17: 8, 2: 5, 9: 3}
    found = confusion(20, {(place, 12): count for place, count in takes.items()}, {})
    assert worst_first(found)[:5] == (12, 17, 2, 9, 4)


def test_what_is_left_out_is_counted() -> None:
    """Classes, answered images and wrong ones beyond those that are shown."""
    found = confusion(4, {(0, 1): 3, (2, 2): 5, (3, 2): 1}, {3: 2})
    assert left_out(found, worst_first(found)[:2]) == (
        "The 2 of 4 classes with most mistakes, beside what they are confused with; left out: "
        "2 classes with 8 answered images, of which 3 wrong."
    )


@given(st.data())
def test_every_class_once_and_mistakes_first(data: st.DataObject) -> None:
    """An order of all classes; one without any mistake never stands before one with several."""
    size = data.draw(st.integers(1, 12))
    place = st.integers(0, size - 1)
    cells = data.draw(st.dictionaries(st.tuples(place, place), st.integers(1, 9), max_size=30))
    unparsed = data.draw(st.dictionaries(place, st.integers(0, 5), max_size=4))
    order = worst_first(confusion(size, cells, unparsed))
    assert sorted(order) == list(range(size))
    wrong = [unparsed.get(each, 0) for each in range(size)]
    for (actual, predicted), count in cells.items():
        if actual != predicted:
            wrong[actual] += count
            wrong[predicted] += count
    flawless = [number for number, each in enumerate(order) if not wrong[each]]
    assert flawless == list(range(size - len(flawless), size))
