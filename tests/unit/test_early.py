"""Deciding early: right as often as promised, whatever comes when, and never on a gap."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from math import factorial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from pytest_llmclf.gates.gate import Gate
from pytest_llmclf.gates.judging import judge
from pytest_llmclf.gates.sequential.question import Question, questions
from pytest_llmclf.gates.sequential.threshold_progress import start
from pytest_llmclf.gates.sequential.watch import SequentialMonitor
from pytest_llmclf.metrics import report_build as reports
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.values.case import Case
from pytest_llmclf.values.seeded import seeded_order
from tests.unit.ended import ended

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from pytest_llmclf.gates.sequential.threshold_progress import Progress
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.outcome import Outcome, OutcomeKind

LABELS = ("cat", "dog")
NEVER = 1e-30
"""An error so small that only certainty decides."""
ANSWERS: tuple[OutcomeKind, ...] = ("correct", "misclassified", "unparsed")
GATES = (
    "accuracy >= 0.75",
    "accuracy < 0.5",
    "unparsed_rate <= 0.1",
    "recall[cat] > 0.5, recall[dog] >= 0.6",
    "balanced_accuracy >= 0.6",
    "macro_recall <= 0.3",
    "accuracy{style=photo} >= 0.5",
    "recall[*] >= 0.5 with 90% confidence",
    "accuracy >= 0.5 with 95% confidence",
)


def outcome(number: int, kind: OutcomeKind) -> Outcome:
    """Image `number` of a fixed mix of classes and styles."""
    expected = "dog" if number % 3 == 1 else "cat"
    predicted = {"correct": expected, "misclassified": "cat" if expected == "dog" else "dog"}
    style = "photo" if number % 2 == 0 else "drawing"
    return replace(
        ended(f"{number:03}.png", "unparsed", expected, tags={"style": style}),
        kind=kind,
        predicted=predicted.get(kind),
    )


def drawn(right: int, images: int, seed: int = 0) -> list[Outcome]:
    """So many right images in random order."""
    found = [outcome(n, "correct" if n < right else "misclassified") for n in range(images)]
    by_id = {one.case: one for one in found}
    return [by_id[id_] for id_ in seeded_order(list(by_id), seed)]


def case(one: Outcome) -> Case:
    """The case that an outcome is of."""
    return Case(id=one.case, root=Path(), sha256="", label=one.expected, tags=one.tags)


def watch(
    gates: Sequence[str], outcomes: Sequence[Outcome], error: float = 0.05
) -> SequentialMonitor:
    """One that has seen nothing of these yet."""
    asked = [Gate(gate) for gate in gates]
    cases = [case(one) for one in outcomes]
    return SequentialMonitor(asked, LABELS, cases, "ollama:llava", imported=False, error=error)


def watched(
    gates: Sequence[str], outcomes: Sequence[Outcome], error: float = 0.05
) -> SequentialMonitor:
    """One that has seen these, in their order."""
    found = watch(gates, outcomes, error)
    for one in outcomes:
        found.see(one)
    return found


def built(outcomes: Sequence[Outcome], order: Sequence[str] | None = None) -> Report:
    """A report on these, asked in their order."""
    return reports.build(
        evaluation="pets",
        model="ollama:llava",
        dataset=DatasetFacts(name="pets", content_hash="", labels=LABELS),
        outcomes=outcomes,
        order=[one.case for one in outcomes] if order is None else order,
    )


def stopped(gates: Sequence[str], outcomes: Sequence[Outcome]) -> Report:
    """The report of a run that stopped when all was decided."""
    found = watched(gates, outcomes)
    rest = [replace(one, kind="not_needed", predicted=None) for one in outcomes[found.asked :]]
    return built([*outcomes[: found.asked], *rest])


def wrong_shares(gate: str, images: int) -> list[float]:
    """For each number of images that count: how often the verdict is wrong, exactly.

    Adds up the chances of all ways through the real thing; those of as many hits are one.
    """
    kind: OutcomeKind = "unparsed" if gate.startswith("unparsed") else "correct"
    one = ended("0.png", kind)
    other = ended("0.png", "misclassified")
    cases = [Case(id=f"{n}.png", root=Path(), sha256="", label="cat") for n in range(images)]
    (asked,) = questions([Gate(gate)], LABELS, cases, "m", imported=False)
    assert isinstance(asked, Question)
    wrong = [0.0] * (images + 1)
    for total in range(images + 1):
        ways: dict[object, tuple[Progress, float]] = {None: (start(asked, 0.05), 1.0)}
        for number in range(images):
            chances: defaultdict[object, float] = defaultdict(float)
            ahead: dict[object, Progress] = {}
            for progress, chance in ways.values():
                hit = (total - progress.hits) / (images - number)
                for found, part in ((one, hit), (other, 1 - hit)):
                    if part <= 0:
                        continue
                    following = progress.after(found, number + 1)
                    endpoint_key = (following.hits, *(doubt.refuted for doubt in following.doubts))
                    ahead[endpoint_key] = following
                    chances[endpoint_key] += chance * part
            ways = {
                endpoint_key: (ahead[endpoint_key], chances[endpoint_key])
                for endpoint_key in ahead
                if ahead[endpoint_key].word is None
            }
            wrong[total] += sum(
                chances[endpoint_key]
                for endpoint_key, progress in ahead.items()
                if progress.word not in (None, asked.regions.at(total))
            )
        assert not ways
    return wrong


@pytest.mark.parametrize(
    "gate",
    [
        "accuracy >= 0.75",
        "accuracy < 0.4",
        "unparsed_rate <= 0.05",
        "accuracy >= 0.5 with 95% confidence",
        "accuracy >= 0.5 with 51% confidence",
    ],
)
def test_wrong_at_most_as_often_as_promised(gate: str) -> None:
    """Whatever number of images is right, at most 5% of all orders end with a wrong verdict."""
    # At 51% hardly anything lies between PASS and FAIL: both err there, and share the 5%.
    shares = wrong_shares(gate, 50 if "51%" in gate else 30)
    assert 0 < max(shares) <= 0.05


@given(st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=24), st.sampled_from(GATES))
def test_certainty_is_never_wrong(kinds: list[OutcomeKind], gate: str) -> None:
    """What the rest cannot change is what all images give, and all images decide everything."""
    outcomes = [outcome(number, kind) for number, kind in enumerate(kinds)]
    found = watched([gate], outcomes, NEVER)
    if found.obstacles:
        assert not found.decided
        return
    assert found.decided
    said = [verdict.word for verdict in found.verdicts]
    assert said == [verdict.word for verdict in judge(built(outcomes), [Gate(gate)])]


@given(
    st.lists(st.sampled_from([*ANSWERS, "error"]), min_size=1, max_size=40),
    st.sampled_from(GATES),
    st.randoms(use_true_random=False),
)
def test_the_order_of_arrival_never_matters(
    kinds: list[OutcomeKind], gate: str, chance: random.Random
) -> None:
    """Quick and slow answers come to the same verdicts from the same images."""
    outcomes = [outcome(number, kind) for number, kind in enumerate(kinds)]
    found = watched([gate, "accuracy > 0.3"], outcomes)
    other = watch([gate, "accuracy > 0.3"], outcomes)
    for one in chance.sample(outcomes, len(outcomes)):
        other.see(one)
    assert (found.decided, found.asked) == (other.decided, other.asked)
    assert found.verdicts == other.verdicts


@given(st.integers(0, 120), st.integers(0, 99), st.integers(0, 119))
def test_one_more_right_answer_is_never_worse(right: int, seed: int, place: int) -> None:
    """A PASS does not become a FAIL because another answer is right."""
    outcomes = drawn(right, 120, seed)
    better = list(outcomes)
    better[place] = outcome(int(outcomes[place].case[:3]), "correct")
    ranks = {"FAIL": 0, "INCONCLUSIVE": 1, "PASS": 2}
    for gate in ("accuracy >= 0.7", "recall[cat] > 0.6", "accuracy >= 0.6 with 90% confidence"):
        before, after = watched([gate], outcomes), watched([gate], better)
        assert ranks[after.verdicts[0].word] >= ranks[before.verdicts[0].word]


def test_a_clear_case_needs_few_images() -> None:
    """Far from the bound a tenth of the images is enough, on either side; at it, nearly all are."""
    used = {
        right: sum(
            watched(["accuracy >= 0.75"], drawn(right, 400, seed)).asked for seed in range(5)
        )
        for right in (380, 300, 200)
    }
    assert used[380] / 5 < 40
    assert used[200] / 5 < 40
    assert used[300] / 5 > 200


def test_every_threshold_has_to_be_decided() -> None:
    """The run goes on until the last threshold is decided; the first one keeps its verdict."""
    outcomes = drawn(190, 200)
    alone = watched(["accuracy >= 0.75"], outcomes).asked
    both = watched(["accuracy >= 0.75", "recall[dog] >= 0.9"], outcomes)
    assert both.decided
    assert both.asked > alone
    accuracy, recall = both.verdicts
    assert accuracy.word == "PASS"
    assert f"after {both.asked} of 200 images in random order, decided after " in accuracy.text
    assert "counted for all 2 decisions together" in accuracy.text
    assert "decided after" not in recall.text


def test_certainty_replaces_a_verdict_by_the_test() -> None:
    """A misleading start is put right if the images are asked anyhow."""
    outcomes = [outcome(n, "correct" if n < 30 else "misclassified") for n in range(60)]
    misled = watched(["accuracy >= 0.6"], outcomes)
    assert [verdict.word for verdict in misled.verdicts] == ["PASS"]
    # That none is unparsed is known only at the end.
    more = watched(["accuracy >= 0.6", "unparsed_rate <= 0"], outcomes)
    assert more.asked > 2 * misled.asked
    assert more.verdicts[0].word == "FAIL"
    assert more.verdicts[0].text == (
        "accuracy >= 0.6: 0.5085 (30/59) after 59 of 60 images in random order, decided after 55; "
        "all 60 images would give FAIL, too, whatever the other images give"
    )


def test_what_a_verdict_says() -> None:
    """Asked, found, after how many of which images, how it was decided and how sure that is."""
    asked = [Gate("accuracy>=0.75", because="as published")]
    outcomes = drawn(475, 500)
    found = SequentialMonitor(
        asked, LABELS, [case(one) for one in outcomes], "ollama:llava", imported=False
    )
    for one in outcomes:
        found.see(one)
    (verdict,) = found.verdicts
    assert (verdict.word, verdict.evaluation, verdict.model) == ("PASS", "pets", "ollama:llava")
    assert verdict.text == (
        "accuracy >= 0.75: 0.9600 (24/25) after 25 of 500 images in random order; all 500 "
        "images would give PASS, too; this is wrong in at most 5% of random orders (as published)"
    )


def test_what_a_verdict_with_confidence_says() -> None:
    """It foretells what all images will say of images like these."""
    sure = "accuracy >= 0.75 with 95% confidence"
    (passed,) = watched([sure], drawn(285, 300)).verdicts
    assert passed.word == "PASS"
    assert "all 300 images would give PASS, too, for images like these; this is" in passed.text
    (unclear,) = watched([sure], drawn(226, 300)).verdicts
    assert (unclear.word, unclear.undecided) == ("INCONCLUSIVE", "sample")
    assert "all 300 images would give INCONCLUSIVE, too, for images like these" in unclear.text


def test_what_verdicts_on_every_class_say() -> None:
    """Classes that fail have a line each; those that pass, and those undecided, share one."""
    outcomes = []
    for label, right in (("ant", 0), ("bee", 60), ("cat", 54), ("dog", 39)):
        outcomes += [
            ended(f"{label}{n}", "correct" if n < right else "misclassified", label, predicted="x")
            for n in range(60)
        ]
    order = seeded_order([one.case for one in outcomes], 1)
    by_id = {one.case: one for one in outcomes}
    cases = [case(by_id[id_]) for id_ in order]
    labels = ("ant", "bee", "cat", "dog")
    found = SequentialMonitor(
        [Gate("recall[*] >= 0.6")], labels, cases, "ollama:llava", imported=False
    )
    for id_ in order[:200]:
        found.see(by_id[id_])
    assert [(verdict.word, verdict.text.partition(" after ")[0]) for verdict in found.verdicts] == [
        ("FAIL", "recall[ant] >= 0.6: 0.0000 (0/54)"),
        ("INCONCLUSIVE", "recall[dog] >= 0.6: 0.6531 (32/49)"),
        ("PASS", "recall[*] >= 0.6: 2 of 4 classes, lowest recall[cat] 0.8750 (42/48)"),
    ]
    assert found.verdicts[-1].text.endswith(
        "all 240 images would give PASS, too, whatever the other images give"
    )


def test_a_gap_blocks_for_ever() -> None:
    """After an image without an answer nothing is decided, even if an answer comes later."""
    outcomes = drawn(100, 100)
    found = watch(["accuracy >= 0.5"], outcomes)
    found.see(replace(outcomes[2], kind="error", predicted=None))
    for one in outcomes:
        found.see(one)
    assert (found.decided, found.asked) == (False, 2)
    (verdict,) = found.verdicts
    assert (verdict.word, verdict.undecided) == ("INCONCLUSIVE", "sample")
    assert verdict.text == (
        "accuracy >= 0.5: 1.0000 (2/2) after 2 of 100 images in random order; too few to tell what "
        "all 100 images would give"
    )


def test_repeats_and_strangers() -> None:
    """A second asking of the same image is no further image; an unknown one is refused."""
    outcomes = drawn(10, 10)
    found = watch(["accuracy >= 0.5"], outcomes)
    found.see(replace(outcomes[0], repeat=1))
    assert found.asked == 0
    with pytest.raises(ValueError, match=r"x\.png is none of the 10 images watched"):
        found.see(ended("x.png", "correct"))


def test_without_a_gate_nothing_is_decided() -> None:
    """Neither without gates nor with gates for other models is there a reason to stop."""
    outcomes = drawn(50, 50)
    assert not watched([], outcomes).decided
    elsewhere = Gate("accuracy >= 0.1", model="ollama:other")
    cases = [case(one) for one in outcomes]
    found = SequentialMonitor([elsewhere], LABELS, cases, "ollama:llava", imported=False)
    for one in outcomes:
        found.see(one)
    assert (found.decided, found.verdicts) == (False, ())


def test_one_threshold_that_needs_every_image_is_enough() -> None:
    """The evaluation asks everything then, and says why."""
    found = watched(["accuracy >= 0.1", "macro_f1 >= 0.1"], drawn(50, 50))
    assert not found.decided
    assert [verdict.word for verdict in found.verdicts] == ["INCONCLUSIVE"]
    assert found.verdicts[0].text == found.obstacles[0]
    assert found.obstacles[0].startswith("macro_f1 >= 0.1 needs every image: it divides by")


def test_nothing_is_decided_before_an_answer() -> None:
    """Even a gate that everything passes waits for one image."""
    outcomes = drawn(0, 10)
    found = watch(["accuracy >= 0"], outcomes)
    assert not found.decided
    found.see(outcomes[0])
    assert found.decided


@pytest.mark.parametrize("error", [0.0, 1.0, -0.1])
def test_an_error_rate_is_a_share(error: float) -> None:
    """An error that never or always happens is refused."""
    with pytest.raises(ValueError, match="is not between 0 and 1"):
        watch([], [], error)


@pytest.mark.parametrize("right", [0, 90, 150, 200])
def test_a_report_is_judged_as_the_session_was(right: int) -> None:
    """Replaying a report that stopped early gives the verdicts of the session."""
    gates = ["accuracy >= 0.6, unparsed_rate <= 0.2", "recall[cat] >= 0.3 with 90% confidence"]
    outcomes = drawn(right, 200)
    found = watched(gates, outcomes)
    report = stopped(gates, outcomes)
    assert report.ledger.not_needed > 0
    assert judge(report, [Gate(gate) for gate in gates]) == found.verdicts
    assert judge(report, [Gate(gate) for gate in gates]) == found.verdicts


def test_a_report_with_all_images_is_judged_as_ever() -> None:
    """With nothing left out there is nothing to foretell."""
    report, gates = built(drawn(90, 100)), [Gate("accuracy >= 0.5")]
    assert judge(report, gates) == judge(report, gates)


def test_a_gate_that_did_not_stop_the_run() -> None:
    """What the answers that there are do not decide is INCONCLUSIVE, never judged by the rest."""
    report = stopped(["accuracy >= 0.6"], drawn(190, 200))
    (verdict,) = judge(report, [Gate("accuracy >= 0.94")])
    assert (verdict.word, verdict.undecided) == ("INCONCLUSIVE", "sample")
    assert "too few to tell" in verdict.text
    (verdict,) = judge(report, [Gate("f1[cat] >= 0.1")])
    assert verdict.text.startswith("f1[cat] >= 0.1 needs every image")
    (verdict,) = judge(report, [])
    assert verdict.word == "UNGATED"


def test_errors_and_unknown_orders_are_not_judged() -> None:
    """An image without an answer, anywhere, or an order that is not known leaves all open."""
    gates = [Gate("accuracy >= 0.6")]
    report = stopped(["accuracy >= 0.6"], drawn(190, 200))
    one = replace(report.of_kind("not_needed")[-1], kind="error")
    rest = [found for found in report.outcomes if found.case != one.case]
    for broken in (
        built([*rest, one], report.order),
        built(report.outcomes, ()),
        built(report.outcomes, report.order[1:]),
        built(report.outcomes, [*report.order[1:], "x.png"]),
    ):
        (verdict,) = judge(broken, gates)
        assert (verdict.word, verdict.undecided) == ("INCONCLUSIVE", "incomplete")


def test_orders_are_equally_likely() -> None:
    """Over seeds every order of four images comes up as often as any other."""
    ids = ["a", "b", "c", "d"]
    counts = Counter(seeded_order(ids, seed) for seed in range(2400))
    assert len(counts) == factorial(4)
    assert chisquare(list(counts.values())).pvalue > 0.01


def test_an_order_is_the_same_everywhere() -> None:
    """It depends on ids and seed alone; even an id that is no valid Unicode has its place."""
    ids = ("cat/1.png", "cat/2.png", "dog/1.png", "dog/ü.png", "dog/\udcff.png")
    assert seeded_order(ids, 7) == seeded_order(ids[::-1], 7)
    assert seeded_order(ids, 7) != seeded_order(ids, 8)
    assert seeded_order(ids, 7) == (
        "dog/ü.png",
        "dog/\udcff.png",
        "cat/1.png",
        "dog/1.png",
        "cat/2.png",
    )
