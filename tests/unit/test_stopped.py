"""Numbers of a run that stopped early: printed and calculated with, and never compared."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pytest_llmclf.api import public
from pytest_llmclf.gates.gate import GateInconclusive
from pytest_llmclf.gates.stopped.number import StoppedNumber, StoppedTuple
from pytest_llmclf.metrics import report_build as reports
from pytest_llmclf.metrics.measure import Measure
from pytest_llmclf.metrics.report import Report
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.plugin.stopped_report import StoppedReport, guarded
from tests.unit.ended import ended

if TYPE_CHECKING:
    from collections.abc import Callable

FACTS = {
    # What the images came to by themselves, where they come from, and how the run was set up.
    "clusters", "dataset", "duration_s", "error_rate", "evaluation", "full_instructions", "group",
    "identity", "images_per_s", "instructions", "model", "modelfile_digest", "notes", "order",
    "outcomes", "plain", "predictions", "provenance", "repeats", "stop_error", "stop_rule",
    "tags", "tool", "worked_out",
}  # fmt: skip
COUNTED = {
    "balanced", "collected", "complete", "deselected", "error", "lost", "not_needed", "not_run",
    "skipped", "unread",
}  # fmt: skip
"""Counts of a ledger that are facts."""
COMPARISONS: tuple[Callable[[Any, Any], Any], ...] = (
    operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne,
)  # fmt: skip


def stopped(not_needed: int = 4) -> Report:
    """Ten images of two classes and two styles, some of them not asked."""
    kinds = ["correct"] * 5 + ["misclassified"] + ["unparsed"]
    outcomes = [
        ended(
            f"{place}.png",
            kind,  # type: ignore[arg-type]
            "cat" if place % 2 else "dog",
            predicted={
                "correct": "cat" if place % 2 else "dog",
                "misclassified": "cat" if not place % 2 else "dog",
            }.get(kind),
            tags={"style": "photo" if place < 3 else "drawing"},
        )
        for place, kind in enumerate([*kinds, *["not_needed"] * not_needed])
    ]
    return reports.build(
        evaluation="pets",
        model="ollama:llava",
        dataset=DatasetFacts(
            name="pets", content_hash="", labels=("cat", "dog"), cases_in_dataset=30
        ),
        outcomes=outcomes,
        order=[one.case for one in outcomes],
        duration_s=2.0,
    )


def numbers(value: object, path: str) -> Iterator[tuple[str, object]]:
    """Everything below `value` that can be compared, with where it is."""
    comparable = isinstance(value, int | float | Fraction | StoppedNumber | Measure)
    if comparable and not isinstance(value, bool):
        yield path, value
    if isinstance(value, Mapping):
        parts = {f"[{key!r}]": one for key, one in value.items()}
    elif isinstance(value, tuple):
        parts = {f"[{place}]": one for place, one in enumerate(iter(value))}
    else:
        parts = {f".{name}": getattr(value, name) for name in _parts(value, path)}
    for name, one in parts.items():
        yield from numbers(one, f"{path}{name}")


def _parts(value: object, path: str) -> set[str]:
    """Names of what a value gives, but for facts."""
    if isinstance(value, Measure):
        return {
            name for name in ("hits", "total", "classes", "value", "exact") if hasattr(value, name)
        }
    if not is_dataclass(value):
        return set()
    kind: Any = type(value)
    names = {one.name for one in fields(kind)} | {
        name
        for each in kind.__mro__
        for name, one in vars(each).items()
        if isinstance(one, property | cached_property)
    }
    facts = {"plain", "source", "cases", "occurs"}
    if path.endswith(".ledger"):
        facts |= COUNTED
    if ".confusion" in path or ".by_tag" in path:
        facts |= {"error", "lost", "not_needed", "not_run", "skipped"}
    return {name for name in names - facts if not name.startswith("_")}


def refuses(compare: Callable[[Any, Any], Any], first: object, second: object) -> bool:
    """Whether a comparison is INCONCLUSIVE."""
    try:
        compare(first, second)
    except GateInconclusive:
        return True
    return False


def everything(report: Report) -> list[tuple[str, object]]:
    """All numbers that a report gives, but for facts."""
    names = {name for name in dir(Report) if not name.startswith("_")} - FACTS
    found: list[tuple[str, object]] = []
    for name in sorted(names):
        value = getattr(report, name)
        if name == "by_tag":
            value = {"drawing": value("style")["drawing"]}
        elif name == "where":
            # A slice is a report of its own.
            value = {"accuracy": value({"style": "drawing"}).accuracy}
        elif name == "of_kind":
            value = None
        elif name == "confusions":
            value = value()
        elif callable(value):
            continue
        found += numbers(value, f"report.{name}")
    return found


def test_no_number_of_a_report_is_compared() -> None:
    """Whatever attribute, whatever comparison, on either side: INCONCLUSIVE with the reason."""
    found = everything(guarded(stopped()))
    places = {place for place, _ in found}
    for expected in (
        "report.accuracy", "report.recall['cat']", "report.macro.f1", "report.accuracy.value",
        "report.accuracy.exact", "report.accuracy.hits", "report.support['dog']",
        "report.confusion.counts[0][1]", "report.confusion.correct", "report.ledger.unparsed",
        "report.ledger.answered", "report.confusions[0].count", "report.unparsed_rate",
        "report.by_tag['drawing'].balanced_accuracy", "report.where['accuracy']",
    ):  # fmt: skip
        assert expected in places
    for place, number in found:
        for other in (0.5, 1, Fraction(1, 2), np.float64(0.5), number):
            for compare in COMPARISONS:
                assert refuses(compare, number, other), place
                assert refuses(compare, other, number), place


def test_the_same_walk_finds_numbers_that_are_compared_elsewhere() -> None:
    """On a run that did not stop the report is the report, and the same numbers compare."""
    whole = stopped(0)
    assert guarded(whole) == public(whole)
    places = {place for place, _ in everything(whole)}
    assert places == {place for place, _ in everything(guarded(stopped()))}
    assert whole.accuracy >= 0.5


def test_a_refusal_says_what_was_compared_and_what_to_do() -> None:
    """The number, after how many images, of how many, and the two ways out."""
    report = guarded(stopped())
    with pytest.raises(GateInconclusive) as raised:
        assert report.recall["dog"] >= 0.95
    assert str(raised.value) == (
        "report.recall['dog'] >= 0.95: 0.75 (3/4) after 7 of 11 images, in random order; what all "
        "11 of 30 images, a subset, would give is not known: declare it as a gate of the "
        "evaluation, which then decides when to stop, or run without --llmclf-stop-early"
    )
    (verdict,) = raised.value.verdicts
    assert (verdict.word, verdict.undecided) == ("INCONCLUSIVE", "sample")
    assert (verdict.evaluation, verdict.model) == ("pets", "ollama:llava")


def test_what_is_calculated_is_not_compared_either() -> None:
    """Shares by hand, rounded, of two classes, of two reports: none of them leaks."""
    report, whole = guarded(stopped()), stopped(0)
    counts, value = report.ledger, report.accuracy.value
    assert value is not None
    calculated: list[Any] = [
        counts.correct / counts.answered,
        1.0 * counts.correct,
        100 * value,
        round(value, 2),
        1 - value,
        value - 0.01,
        -value,
        abs(value),
        sum(report.support.values()),
        value**2,
        2**value,
        value // 1,
        value % 1,
        np.float64(2) * value,
        Fraction(1, 3) + report.accuracy.exact,  # type: ignore[operator]
        report.recall["cat"].value - whole.recall["cat"].value,  # type: ignore[operator]
        whole.recall["cat"].value - report.recall["cat"].value,  # type: ignore[operator]
    ]
    for one in calculated:
        with pytest.raises(GateInconclusive):
            assert one >= 0
        with pytest.raises(GateInconclusive):
            assert one
    refusing: tuple[Callable[[], object], ...] = (
        lambda: max(report.recall.values()),
        lambda: sorted(report.support.values()),
        lambda: value == pytest.approx(0.7),
        lambda: pytest.approx(0.7) == value,
        lambda: whole.accuracy <= report.accuracy,
        lambda: report.accuracy > whole.balanced_accuracy,
        lambda: report.confusion == whole.confusion,
        lambda: counts.unparsed in (0, 1),
    )
    for refused in refusing:
        with pytest.raises(GateInconclusive):
            refused()


def test_numbers_are_shown_as_ever() -> None:
    """Printing, formatting and taking a number out decide nothing."""
    report, plain = guarded(stopped()), public(stopped())
    value, bare = report.accuracy.value, plain.accuracy.value
    assert value is not None
    assert bare is not None
    assert f"{value:.3f} {value:.1%} {value}" == f"{bare:.3f} {bare:.1%} {bare}"
    assert "%.3f %d" % (value, report.ledger.correct) == f"{bare:.3f} 5"  # noqa: UP031
    assert f"{report.ledger.correct:>4}" == "   5"
    assert repr(report.accuracy) == repr(plain.accuracy)
    assert repr(report.macro.f1) == repr(plain.macro.f1)
    assert float(value) == bare
    assert int(report.support["cat"]) == plain.support["cat"]
    assert hash(report.accuracy) == hash(plain.accuracy)
    assert report._repr_html_() == plain._repr_html_()
    assert report.to_frame().equals(plain.to_frame())
    assert report.images_per_s == plain.images_per_s
    assert report.ledger.complete
    assert report.ledger.not_needed == 4
    assert report.ledger.error == 0


def test_lists_say_which_and_not_how_many() -> None:
    """Mistakes can be listed; that there are none, or few, is not known."""
    report = guarded(stopped())
    listed = report.of_kind("misclassified")
    assert isinstance(listed, StoppedTuple)
    assert [one.case for one in listed] == ["5.png"]
    assert list(listed) == sorted(listed, key=lambda one: one.case) == [*listed]
    assert listed[0].case == "5.png"
    (mistake,) = report.confusions()
    assert (mistake.expected, mistake.predicted) == ("dog", "dog") or mistake.cases == ("5.png",)
    refusing: tuple[Callable[[], object], ...] = (
        lambda: len(listed),
        lambda: bool(listed),
        lambda: listed == (),
        lambda: not report.confusions(),
        lambda: mistake.count <= 3,
    )
    for refused in refusing:
        with pytest.raises(GateInconclusive):
            refused()
    assert len(report.of_kind("not_needed")) == 4


def test_a_slice_that_was_asked_wholly_is_judged() -> None:
    """All photographs were asked before the run stopped: their numbers are facts."""
    report = guarded(stopped())
    assert isinstance(report, StoppedReport)
    assert report.where({"style": "photo"}).accuracy == 1.0
    assert report.by_tag("style")["photo"].correct == 3
    with pytest.raises(GateInconclusive):
        assert report.where({"style": "drawing"}).accuracy >= 0.1


def test_sums_of_ratios_are_not_compared_either() -> None:
    """What is calculated with ratios of a stopped run is one more number of it."""
    report = guarded(stopped())
    total = sum(report.recall.values())
    for made in (total, report.accuracy - 0.5, 1 - report.accuracy, 2 * report.accuracy):
        with pytest.raises(GateInconclusive):
            assert made >= 0
    with pytest.raises(GateInconclusive):
        assert report.accuracy
