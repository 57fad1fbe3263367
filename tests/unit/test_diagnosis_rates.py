"""How often a diagnosis finds what is not there, and what is; more runs are in `benchmarks`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scipy import stats as scipy_stats

from pytest_llmclf.analysis.diagnosis.diagnose import diagnose
from pytest_llmclf.analysis.diagnosis.finding import (
    LEVEL,
    Attractor,
    ConfusedPair,
    Finding,
    NoBetter,
)
from tests.unit.simulated import Simulated, alike, blind, drawn, even, similar

if TYPE_CHECKING:
    from tests.unit.simulated import Chances

RUNS = 60


def equal(chances: Chances, images: int) -> Simulated:
    """A model on as many images of each class."""
    return Simulated(chances=chances, sizes=(images,) * len(chances))


def model(name: str) -> Simulated:
    """Models with nothing to find but what the test allows."""
    pairs = [(place, place + 1) for place in range(0, 10, 2)]
    return {
        "0.98": equal(even([0.98] * 10), 50),
        "0.8": equal(even([0.8] * 10), 50),
        "two classes": equal(even([0.8, 0.8]), 50),
        "unequal": equal(even([0.4, 0.6, 0.8, 1.0]), 50),
        "pairs": equal(alike(pairs, 0.8, 0.9), 50),
        "groups": equal(alike([(0, 1, 2, 3), (4, 5)], 0.7, 0.9), 50),
        "plane": equal(similar(10, 0.8, 1), 50),
        "guess": equal(blind([0.1] * 10), 50),
        "unequal guess": Simulated(chances=blind([0.25] * 4), sizes=(5, 20, 60, 150)),
    }[name]


def false_alarm(finding: Finding, allowed: set[str]) -> bool:
    """Whether a finding claims what is not so."""
    if isinstance(finding, ConfusedPair) and "one-way" not in allowed and finding.one_way:
        return True
    if isinstance(finding, NoBetter):
        return finding.worse or finding.kind not in allowed
    return finding.kind not in allowed


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("0.98", set()),
        ("0.8", set()),
        ("two classes", set()),
        ("unequal", set()),
        ("pairs", {"confused-pair"}),
        ("groups", {"confused-pair"}),
        ("plane", {"confused-pair", "one-way"}),
        ("guess", {"no-better"}),
        ("unequal guess", {"no-better"}),
    ],
)
def test_false_alarms_are_rare(name: str, allowed: set[str]) -> None:
    """What is not so is said in at most 5% of runs, whatever else the model is like."""
    alarms = sum(
        any(false_alarm(finding, allowed) for finding in diagnose(found))
        for found in model(name).reports(RUNS, seed=3)
    )
    # More alarms than a true rate of 5% gives once in a thousand such tests.
    assert alarms <= scipy_stats.binom.ppf(0.999, RUNS, LEVEL)


def test_guessing_is_called_so() -> None:
    """A model that guesses is said to be no better than that in about 95% of runs."""
    said = sum(
        any(finding.kind == "no-better" for finding in diagnose(found))
        for found in model("guess").reports(RUNS, seed=4)
    )
    assert said >= scipy_stats.binom.ppf(0.001, RUNS, 1 - LEVEL)


@pytest.mark.parametrize(
    ("chances", "kind"),
    [
        (blind([0.6] + [0.4 / 9] * 9), Attractor),
        (drawn(even([0.9] * 10), 0, 0.4, range(1, 6)), Attractor),
        (drawn(even([0.9] * 10), 0, 0.5, [1]), ConfusedPair),
        (alike([(place, place + 1) for place in range(0, 10, 2)], 0.7, 1.0), ConfusedPair),
    ],
)
def test_defects_are_found(chances: Chances, kind: type[Finding]) -> None:
    """A plain defect is found in nearly every run of 500 images."""
    reports = equal(chances, 50).reports(20, seed=5)
    found = sum(any(isinstance(one, kind) for one in diagnose(run)) for run in reports)
    assert found >= 18
