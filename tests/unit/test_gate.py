"""Gates: what they say, how they are written, and that nothing unsure ever passes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf import report as reports
from pytest_llmclf.answer import Answer
from pytest_llmclf.errors import SettingsError
from pytest_llmclf.gate import Gate, check_labels, judge, parse_thresholds, population
from pytest_llmclf.outcome import OUTCOME_KINDS, Outcome
from pytest_llmclf.report import DatasetFacts
from pytest_llmclf.threshold import Threshold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.outcome import OutcomeKind

LABELS = ("cat", "dog")
kinds = st.lists(st.sampled_from(OUTCOME_KINDS), max_size=12)


def ended(case: str, kind: OutcomeKind, expected: str = "cat", digest: str = "abc") -> Outcome:
    """An outcome on ``pets``; what is misclassified was taken for the other animal."""
    other = "dog" if expected == "cat" else "cat"
    predicted = {"correct": expected, "misclassified": other}.get(kind)
    return Outcome(
        evaluation="pets",
        model="ollama:llava:7b",
        model_digest=digest,
        case=case,
        sha256="",
        expected=expected,
        kind=kind,
        predicted=predicted,
        answer=Answer(text="x") if kind in ("correct", "misclassified", "unparsed") else None,
    )


def built(*outcomes: Outcome, whole: int | None = None, **more: Any) -> reports.Report:
    """A report on a dataset of so many images."""
    count = len(outcomes) if whole is None else whole
    imported = more.pop("imported", False)
    return reports.build(
        evaluation="pets",
        model="ollama:llava:7b",
        dataset=DatasetFacts(
            name="pets", content_hash="", labels=LABELS, imported=imported, cases_in_dataset=count
        ),
        outcomes=outcomes,
        **more,
    )


def of(found: Sequence[str], **more: Any) -> reports.Report:
    """A report with these outcomes on cats."""
    named = [next(kind for kind in OUTCOME_KINDS if kind == one) for one in found]
    return built(*(ended(f"{place}.png", kind) for place, kind in enumerate(named)), **more)


def words(report: reports.Report, *expressions: str) -> list[str]:
    """The words of the verdicts of these gates."""
    return [verdict.word for verdict in judge(report, [Gate(text) for text in expressions])]


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("accuracy>=0.75", [("accuracy", None, ">=", 0.75)]),
        (" accuracy  >=  .75 ", [("accuracy", None, ">=", 0.75)]),
        (
            "recall[7] >= 0.6, unparsed_rate <= 0.02",
            [("recall", "7", ">=", 0.6), ("unparsed_rate", None, "<=", 0.02)],
        ),
        ("precision[ white, king ] > 0", [("precision", "white, king", ">", 0.0)]),
        ("error_rate < 1e-2", [("error_rate", None, "<", 0.01)]),
    ],
)
def test_thresholds_are_read(text: str, parsed: list[tuple[str, str | None, str, float]]) -> None:
    """Blanks do not matter, labels may hold commas, several stand behind each other."""
    assert parse_thresholds(text) == tuple(
        Threshold(metric=metric, label=label, sign=sign, number=number)
        for metric, label, sign, number in parsed
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "gate '': not of the form accuracy>=0.75 or recall[LABEL]>=0.6"),
        ("accuracy", "gate 'accuracy': not of the form accuracy>=0.75"),
        ("accuracy == 1", "gate 'accuracy == 1': not of the form"),
        ("accuracy >= 0.7,", "gate 'accuracy >= 0.7,', '': not of the form"),
        ("acuracy >= 0.7", "'acuracy' is not one of accuracy, "),
        ("acuracy >= 0.7", "; did you mean 'accuracy'?"),
        ("recall >= 0.7", "recall is of one class: write recall[LABEL], or macro_recall for all"),
        ("accuracy[7] >= 0.7", "accuracy is of all classes together: drop [7]"),
        ("accuracy >= high", "gate 'accuracy >= high': 'high' is not a number from 0 to 1"),
        ("accuracy >= 75", "75 is not from 0 to 1; for 75 per cent write 0.75"),
        ("accuracy >= -1", "-1 is not from 0 to 1"),
        ("accuracy >= 101", "101 is not from 0 to 1"),
        ("accuracy >= nan", "nan is not from 0 to 1"),
        ("accuracy >= inf", "inf is not from 0 to 1"),
        (
            "accuracy >= 0.5, f1 >= 0.5",
            "gate 'accuracy >= 0.5, f1 >= 0.5', ' f1 >= 0.5': f1 is of one class",
        ),
    ],
)
def test_a_slip_names_value_place_and_remedy(text: str, message: str) -> None:
    """A gate that does not parse is refused where it is declared."""
    with pytest.raises(SettingsError, match=re.escape(message)):
        Gate(text)


def test_a_class_that_is_none_is_refused() -> None:
    """Before any question, with the classes that there are."""
    gates = [Gate("accuracy >= 0.5"), Gate("recall[catt] >= 0.5")]
    check_labels(gates[:1], LABELS)
    message = "gate 'recall[catt] >= 0.5': 'catt' is not one of cat, dog; did you mean 'cat'?"
    with pytest.raises(SettingsError, match=re.escape(message)):
        check_labels(gates, LABELS)


@pytest.mark.parametrize(
    ("model", "images", "applies"),
    [
        ("*", "any", True),
        ("ollama:llava*", "any", True),
        ("llava:7b", "any", True),
        ("llava*", "bundled", True),
        ("llava*", "imported", False),
        ("micro-llava", "any", False),
        ("ollama:*:13b", "any", False),
    ],
)
def test_a_gate_is_for_some_models_and_images(model: str, images: Any, *, applies: bool) -> None:
    """With or without the backend's name; bundled pictures are not the full set."""
    gate = Gate("accuracy >= 0.5", model=model, images=images)
    assert gate.applies("ollama:llava:7b", imported=False) is applies


def test_a_verdict_says_what_was_asked_and_found() -> None:
    """Value, counts, number of images and the reason of the gate."""
    (verdict,) = judge(
        of(["correct"] * 3 + ["unparsed"]), [Gate("accuracy >= 0.8", because="published: 0.82")]
    )
    assert (verdict.word, verdict.evaluation, verdict.model) == ("FAIL", "pets", "ollama:llava:7b")
    assert verdict.text == ("accuracy >= 0.8: 0.7500 (3/4) on these 4 images (published: 0.82)")


@pytest.mark.parametrize(
    ("expression", "word"),
    [
        ("accuracy >= 0.6", "PASS"),
        ("accuracy > 0.6", "FAIL"),
        ("accuracy <= 0.6", "PASS"),
        ("accuracy < 0.6", "FAIL"),
    ],
)
def test_comparing_is_exact(expression: str, word: str) -> None:
    """Three of five is 0.6, no more and no less."""
    assert words(of(["correct"] * 3 + ["misclassified"] * 2), expression) == [word]


@pytest.mark.parametrize(
    "metric",
    [
        "accuracy", "balanced_accuracy", "macro_precision", "macro_recall", "macro_f1",
        "weighted_precision", "weighted_recall", "weighted_f1", "precision[cat]", "recall[cat]",
        "f1[cat]",
    ],
)  # fmt: skip
def test_every_metric_can_be_gated(metric: str) -> None:
    """All right is 1 on each, so that nothing less passes a bound of 1."""
    right = [ended("a", "correct"), ended("b", "correct", "dog")]
    wrong = [*right, ended("c", "misclassified"), ended("d", "misclassified", "dog")]
    assert words(built(*right), f"{metric} >= 1") == ["PASS"]
    assert words(built(*wrong), f"{metric} >= 1") == ["FAIL"]


def test_rates_are_gated_from_above() -> None:
    """One unparsed answer in four is a rate of 0.25."""
    found = of(["correct"] * 3 + ["unparsed"])
    assert words(found, "unparsed_rate <= 0.25", "unparsed_rate < 0.25") == ["PASS", "FAIL"]
    assert words(found, "error_rate <= 0") == ["PASS"]


def test_what_is_undefined_is_inconclusive() -> None:
    """A class that was never shown has no recall: neither PASS nor FAIL."""
    found = of(["correct"] * 3)
    assert words(found, "recall[dog] >= 0", "recall[dog] <= 1") == ["INCONCLUSIVE"] * 2
    assert "undefined" in judge(found, [Gate("recall[dog] >= 0")])[0].text


@given(kinds, st.sampled_from(["error", "lost"]))
def test_one_picture_without_an_answer_decides_nothing(
    found: list[OutcomeKind], trouble: OutcomeKind
) -> None:
    """With an error or a lost picture every gate is INCONCLUSIVE, whatever the rest."""
    assert words(of([*found, trouble]), "accuracy >= 0", "accuracy >= 1") == ["INCONCLUSIVE"]


def test_no_picture_decides_nothing() -> None:
    """Zero images, or only such as were not needed, never pass."""
    assert words(of([]), "accuracy >= 0") == ["INCONCLUSIVE"]
    assert words(of(["not_needed"]), "accuracy >= 0") == ["INCONCLUSIVE"]
    assert words(of([])) == ["INCONCLUSIVE"]


def test_a_ledger_that_does_not_add_up_decides_nothing() -> None:
    """More outcomes than were collected cannot be judged."""
    assert words(of(["correct"] * 2, collected=1), "accuracy >= 0") == ["INCONCLUSIVE"]


def test_two_models_under_one_name_decide_nothing() -> None:
    """If the model changed in the middle, the numbers are of nobody."""
    found = built(ended("a", "correct", digest="1"), ended("b", "correct", digest="2"))
    (verdict,) = judge(found, [Gate("accuracy >= 0")])
    assert verdict.word == "INCONCLUSIVE"
    assert verdict.text == "2 different models answered under the name ollama:llava:7b"


@given(kinds, st.floats(0, 1))
def test_another_correct_answer_never_hurts(found: list[OutcomeKind], bound: float) -> None:
    """Adding one turns no PASS of ``accuracy >=`` into anything else."""
    expression = f"accuracy >= {bound!r}"
    if words(of(found), expression) == ["PASS"]:
        assert words(of([*found, "correct"]), expression) == ["PASS"]


@given(kinds, st.floats(0, 1))
def test_another_wrong_answer_never_helps(found: list[OutcomeKind], bound: float) -> None:
    """Adding one turns no FAIL of ``accuracy >=`` into anything else."""
    expression = f"accuracy >= {bound!r}"
    if words(of(found), expression) == ["FAIL"]:
        for wrong in ("misclassified", "unparsed"):
            assert words(of([*found, wrong]), expression) == ["FAIL"]


@given(kinds, st.integers(0, 5))
def test_a_subset_says_so(found: list[OutcomeKind], missing: int) -> None:
    """Fewer images than the dataset has are never called all of them."""
    report = of(found, whole=len(found) + missing)
    assert ("subset" in population(report)) is (missing > 0)
    assert str(len(found)) in population(report)


def test_nobody_has_set_a_gate() -> None:
    """Without one, or with ones for others only, the verdict is UNGATED and says so."""
    found = of(["correct"])
    assert words(found) == ["UNGATED"]
    (verdict,) = judge(found, [Gate("accuracy >= 1", model="micro-llava")])
    assert verdict.word == "UNGATED"
    assert verdict.text.endswith("the gates of this evaluation are for others")


def test_a_gate_for_imported_images_leaves_bundled_ones_alone() -> None:
    """The published number of a full data set says nothing about a few pictures."""
    gates = [Gate("accuracy >= 0.9", images="imported")]
    wrong = ["misclassified"]
    assert [verdict.word for verdict in judge(of(wrong), gates)] == ["UNGATED"]
    assert [verdict.word for verdict in judge(of(wrong, imported=True), gates)] == ["FAIL"]


def test_a_value_just_below_is_not_shown_as_reached() -> None:
    """0.9996 is not rounded up to the bound that it missed."""
    found = of(["correct"] * 2499 + ["misclassified"])
    (verdict,) = judge(found, [Gate("accuracy >= 1")])
    assert (verdict.word, verdict.text) == (
        "FAIL",
        "accuracy >= 1: 0.9996 (2499/2500) on these 2500 images",
    )
