"""Committed predictions on a run that stops early: never another verdict than all images give."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf.analysis.comparison.baseline import (
    JudgedBaseline,
    compare,
    fails,
    foretell_baseline,
    paired_question,
)
from pytest_llmclf.analysis.comparison.predictions_file import predictions_text
from pytest_llmclf.analysis.comparison.tolerance import parse_tolerance
from pytest_llmclf.gates.gate import Gate
from pytest_llmclf.gates.judging import judge
from pytest_llmclf.gates.sequential.paired import PairedQuestion, start_paired
from pytest_llmclf.gates.sequential.watch import SequentialMonitor
from pytest_llmclf.metrics import report_build as reports
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.values.seeded import seeded_order
from tests.unit.ended import ended
from tests.unit.test_early import case

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.gates.sequential.paired import PairedProgress
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.outcome import Outcome

RIGHT, WRONG = ended("right", "correct"), ended("right", "misclassified")
"""What may come of an image that was right."""
LABELS = ("cat", "dog")


def question(right: int, wrong: int, tolerance: str | None = None) -> PairedQuestion:
    """Of so many images that were right, and so many that were wrong."""
    allowed = None if tolerance is None else parse_tolerance(tolerance)
    known = {f"right{n}": True for n in range(right)} | {f"wrong{n}": False for n in range(wrong)}
    return PairedQuestion(
        name="",
        right=known,
        fails=lambda broken, fixed: fails(broken, fixed, right + wrong, allowed),
    )


def wrong_shares(asked: PairedQuestion, error: float) -> dict[tuple[int, int], float]:
    """For each number of broken and fixed images: how often the verdict is wrong, exactly.

    Adds up the chances of all ways through the real thing; those that saw the same are one.
    """
    right = sum(asked.right.values())
    wrong = len(asked.right) - right
    steps = [
        (was, replace(ended("", "correct" if now else "misclassified"), case=name))
        for was, name in ((True, "right0"), (False, "wrong0"))
        for now in (True, False)
    ]
    found = {}
    for broken in range(right + 1):
        for fixed in range(wrong + 1):
            word = "FAIL" if asked.fails(broken, fixed) else "PASS"
            ways: dict[object, tuple[PairedProgress, float]] = {
                None: (start_paired(asked, error), 1.0)
            }
            share = 0.0
            for number in range(right + wrong):
                ahead: dict[object, PairedProgress] = {}
                chances: defaultdict[object, float] = defaultdict(float)
                for progress, chance in ways.values():
                    for was, outcome in steps:
                        kind, flips = (
                            (progress.was_right, broken) if was else (progress.was_wrong, fixed)
                        )
                        flipped = (outcome.kind == "correct") != was
                        left = flips - kind.flips
                        left = left if flipped else kind.images - kind.asked - left
                        if left <= 0:
                            continue
                        following = progress.after(outcome, number + 1)
                        endpoint_key = (following.was_right, following.was_wrong)
                        ahead[endpoint_key] = following
                        chances[endpoint_key] += chance * left / (right + wrong - number)
                share += sum(
                    chances[endpoint_key]
                    for endpoint_key, one in ahead.items()
                    if one.word not in (None, word)
                )
                ways = {
                    endpoint_key: (ahead[endpoint_key], chances[endpoint_key])
                    for endpoint_key in ahead
                    if not ahead[endpoint_key].word
                }
            assert not ways
            found[broken, fixed] = share
    return found


@pytest.mark.parametrize(
    ("right", "wrong", "tolerance"),
    [(11, 2, None), (9, 4, "1"), (7, 6, "20%"), (12, 0, "0"), (2, 9, "0")],
)
def test_wrong_at_most_as_often_as_promised(right: int, wrong: int, tolerance: str | None) -> None:
    """Whatever breaks and is fixed, at most the promised share of orders ends wrongly."""
    shares = wrong_shares(question(right, wrong, tolerance), 0.2)
    assert 0 < max(shares.values()) <= 0.2


@given(
    st.integers(0, 400),
    st.integers(0, 400),
    st.sampled_from([None, "0", "3", "2%", "100%"]),
    st.integers(0, 100),
)
def test_the_rule_is_that_of_the_comparison(
    broken: int, fixed: int, tolerance: str | None, others: int
) -> None:
    """One rule says what fails, of numbers and of a comparison."""
    allowed = None if tolerance is None else parse_tolerance(tolerance)
    total = broken + fixed + others + 1
    found = compare(*(_text(kinds) for kinds in _sides(broken, fixed, others + 1)))
    assert found.common == total
    judged = JudgedBaseline(comparison=found, tolerance=allowed)
    assert fails(broken, fixed, total, allowed) == (judged.why_failed is not None)
    if fails(broken, fixed, total, allowed):
        assert fails(broken + 1, fixed, total, allowed)
    elif broken:
        assert not fails(broken - 1, fixed, total, allowed)


def _sides(broken: int, fixed: int, others: int) -> tuple[list[bool], list[bool]]:
    now = [False] * broken + [True] * fixed + [True] * others
    before = [True] * broken + [False] * fixed + [True] * others
    return now, before


def _outcomes(right: Sequence[bool]) -> list[Outcome]:
    return [
        ended(f"{place:03}.png", "correct" if hit else "misclassified")
        for place, hit in enumerate(right)
    ]


def _report(outcomes: Sequence[Outcome], order: Sequence[str] = (), **more: object) -> Report:
    return reports.build(
        evaluation="pets",
        model="ollama:llava",
        dataset=DatasetFacts(name="pets", content_hash="", labels=LABELS),
        outcomes=outcomes,
        order=order,
        **more,  # type: ignore[arg-type]
    )


def _text(right: Sequence[bool]) -> str:
    return predictions_text(_report(_outcomes(right)))


@given(
    st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40),
    st.sampled_from([None, "0", "2", "10%"]),
)
def test_certainty_is_never_wrong(sides: list[tuple[bool, bool]], tolerance: str | None) -> None:
    """What the rest cannot change is what all images give, and all images decide everything."""
    right = sum(was for was, _ in sides)
    asked = question(right, len(sides) - right, tolerance)
    progress = start_paired(asked, 0.0)
    names = {
        was: iter([name for name in asked.right if asked.right[name] == was])
        for was in (True, False)
    }
    for number, (was, now) in enumerate(sides, start=1):
        outcome = ended(next(names[was]), "correct" if now else "misclassified")
        progress = progress.after(outcome, number)
    broken = sum(was and not now for was, now in sides)
    fixed = sum(now and not was for was, now in sides)
    assert progress.certain
    assert progress.word == ("FAIL" if asked.fails(broken, fixed) else "PASS")


def _chess(broken: int, fixed: int) -> tuple[list[bool], list[bool]]:
    """All images now and before: 283 of 348 were right, as with the bundled chess pieces."""
    was = [True] * 283 + [False] * 65
    now = [place >= broken for place in range(283)] + [place < fixed for place in range(65)]
    return now, was


def _stopped(
    now: Sequence[bool], was: Sequence[bool], seed: int, *, tolerance: str | None = None
) -> tuple[Report, SequentialMonitor]:
    """A run that stops as soon as its gate and its comparison are decided."""
    outcomes = {outcome.case: outcome for outcome in _outcomes(now)}
    order = seeded_order(list(outcomes), seed)
    allowed = None if tolerance is None else parse_tolerance(tolerance)
    asked = paired_question(
        _report(list(outcomes.values())), _text(was), subset=False, tolerance=allowed
    )
    assert isinstance(asked, PairedQuestion)
    watch = SequentialMonitor(
        [Gate("accuracy >= 0.5")],
        LABELS,
        [case(outcomes[id_]) for id_ in order],
        "ollama:llava",
        imported=False,
        paired=[asked],
    )
    for id_ in order:
        watch.see(outcomes[id_])
        if watch.decided:
            break
    left = {
        id_: replace(outcomes[id_], kind="not_needed", predicted=None)
        for id_ in order[watch.asked :]
    }
    report = _report(
        list({**outcomes, **left}.values()), order, stop_error=0.05, stop_rule=watch.rule
    )
    return report, watch


def _word(report: Report, was: Sequence[bool], tolerance: str | None = None) -> str:
    allowed = None if tolerance is None else parse_tolerance(tolerance)
    found = foretell_baseline(report, _text(was), subset=False, tolerance=allowed)
    assert found is not None
    return found.word


def test_forty_broken_never_pass() -> None:
    """All 348 images say FAIL, and so does every run that stopped, after fewer images."""
    now, was = _chess(40, 0)
    runs = [_stopped(now, was, seed) for seed in range(6)]
    assert {_word(report, was) for report, _ in runs} == {"FAIL"}
    assert max(watch.asked for _, watch in runs) < 250


def test_a_tolerance_takes_part() -> None:
    """More than it allows fails, none passes, and both are decided on a part."""
    for broken, fixed, word in ((20, 5, "FAIL"), (0, 0, "PASS")):
        now, was = _chess(broken, fixed)
        report, watch = _stopped(now, was, 3, tolerance="5")
        assert watch.asked < 348
        assert _word(report, was, "5") == word


def test_an_unchanged_model_stops() -> None:
    """That nothing broke is shown by a part of the images, and the line says how sure it is."""
    now, was = _chess(0, 0)
    report, watch = _stopped(now, was, 1)
    assert watch.asked < 250
    found = foretell_baseline(report, _text(was), subset=False, tolerance=None)
    assert found is not None
    assert found.word == "PASS"
    assert found.text == (
        f"after {watch.asked} of 348 images in random order; all 348 images would pass the "
        "comparison, too; this is wrong in at most 5% of random orders, counted for all 2 "
        "decisions together"
    )


@pytest.mark.parametrize(("broken", "fixed"), [(6, 0), (5, 0), (13, 4), (12, 4)])
def test_borderline_runs_err_seldom(broken: int, fixed: int) -> None:
    """At the edge of what fails, where an error is likeliest, it stays below the promise."""
    was = [True] * 50 + [False] * 10
    now = [place >= broken for place in range(50)] + [place < fixed for place in range(10)]
    word = "FAIL" if fails(broken, fixed, 60, None) else "PASS"
    assert word == ("FAIL" if (broken, fixed) in {(6, 0), (13, 4)} else "PASS")
    wrong = 0
    for seed in range(30):
        report, _ = _stopped(now, was, seed)
        wrong += bool(report.ledger.not_needed) and _word(report, was) != word
    # Each run is wrong in at most 2.5%: of 30, six or more are once in 15,000 times.
    assert wrong < 6


def test_the_session_and_its_report_agree() -> None:
    """Gates and comparison are read from the report alone as the session decided them."""
    for broken in (0, 3, 40):
        now, was = _chess(broken, 0)
        report, watch = _stopped(now, was, broken)
        assert judge(report, [Gate("accuracy >= 0.5")]) == watch.verdicts
        assert watch.rule.tests == 2


def test_what_did_not_decide_when_to_stop_is_not_judged() -> None:
    """Another baseline, gate or slice spends no error: only what is certain is said."""
    now, was = _chess(40, 0)
    report, _ = _stopped(now, was, 2)
    other = [*was[:-1], True]
    found = foretell_baseline(report, _text(other), subset=False, tolerance=None)
    assert found is not None
    assert found.word == "INCONCLUSIVE"
    assert "the run did not wait for this to be decided" in found.text
    # With an error of their own both would be decided by far.
    for expression in (
        "accuracy >= 0.55",
        "recall[cat] >= 0.5",
        "accuracy >= 0.5 with 95% confidence",
    ):
        (verdict,) = judge(report, [Gate(expression)])
        assert verdict.word == "INCONCLUSIVE"
        assert "run without --llmclf-stop-early" in verdict.text
    (verdict,) = judge(report, [Gate("accuracy >= 0.01")])
    assert verdict.word == "PASS"
    assert "whatever the other images give" in verdict.text


def test_what_no_image_can_change_holds_up_no_run() -> None:
    """A missing image or another set fails whatever is answered; one without an answer holds."""
    report = _report(_outcomes([True] * 3))
    more = _text([True] * 4)
    assert paired_question(report, more, subset=False, tolerance=None) is None
    assert isinstance(paired_question(report, more, subset=True, tolerance=None), PairedQuestion)
    odd = predictions_text(_report([*_outcomes([True] * 2), ended("002.png", "error")]))
    obstacle = paired_question(report, odd, subset=False, tolerance=None)
    assert obstacle == "the committed predictions have 1 image without an answer"


def test_the_order_of_arrival_never_matters() -> None:
    """Answers that come out of turn wait: the same images decide."""
    now, was = _chess(20, 5)
    report, watch = _stopped(now, was, 7)
    asked = paired_question(report, _text(was), subset=False, tolerance=None)
    assert isinstance(asked, PairedQuestion)
    outcomes = {outcome.case: outcome for outcome in _outcomes(now)}
    cases = [case(outcomes[id_]) for id_ in report.order]
    other = SequentialMonitor(
        [Gate("accuracy >= 0.5")], LABELS, cases, "ollama:llava", imported=False, paired=[asked]
    )
    for id_ in seeded_order(list(outcomes), 5):
        other.see(outcomes[id_])
    assert other.rule == watch.rule
    assert other.verdicts == watch.verdicts


def test_many_flips_of_many_images_are_decided() -> None:
    """Thousands of images, hundreds of flips either way: a clear loss needs a small part."""
    was = [True] * 3000 + [False] * 1000
    now = [place % 5 > 0 for place in range(3000)] + [place % 5 == 0 for place in range(1000)]
    report, watch = _stopped(now, was, 0)
    assert watch.asked < 600
    assert _word(report, was) == "FAIL"
