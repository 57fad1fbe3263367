"""Gates: what they say, how they are written, and that nothing unsure ever passes."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf.api import PublicReport, public
from pytest_llmclf.errors import SettingsError
from pytest_llmclf.gates.gate import Gate, GateInconclusive, check_gates
from pytest_llmclf.gates.judging import judge
from pytest_llmclf.metrics import report as reports
from pytest_llmclf.metrics import report_build
from pytest_llmclf.metrics.population import population
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.outcome import OUTCOME_KINDS, Outcome

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from pytest_llmclf.values.outcome import OutcomeKind

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


def built(*outcomes: Outcome, whole: int | None = None, **more: Any) -> PublicReport:
    """A report on a dataset of so many images."""
    count = len(outcomes) if whole is None else whole
    imported = more.pop("imported", False)
    return public(
        report_build.build(
            evaluation="pets",
            model="ollama:llava:7b",
            dataset=DatasetFacts(
                name="pets",
                content_hash="",
                labels=LABELS,
                imported=imported,
                cases_in_dataset=count,
            ),
            outcomes=outcomes,
            **more,
        )
    )


def of(found: Sequence[str], **more: Any) -> PublicReport:
    """A report with these outcomes on cats."""
    named = [next(kind for kind in OUTCOME_KINDS if kind == one) for one in found]
    return built(*(ended(f"{place}.png", kind) for place, kind in enumerate(named)), **more)


def words(report: reports.Report, *expressions: str) -> list[str]:
    """The words of the verdicts of these gates."""
    return [verdict.word for verdict in judge(report, [Gate(text) for text in expressions])]


def test_a_class_that_is_none_is_refused() -> None:
    """Before any question, with the classes that there are."""
    gates = [Gate("accuracy >= 0.5"), Gate("recall[catt] >= 0.5")]
    check_gates([gates[0], Gate("recall[*] >= 0.5")], LABELS)
    message = "gate 'recall[catt] >= 0.5': class 'catt' is not one of cat, dog; did you mean 'cat'?"
    with pytest.raises(SettingsError, match=re.escape(message)):
        check_gates(gates, LABELS)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("accuracy{stile=photo} >= 0.5", "tag 'stile' is not one of source, style; did you mean"),
        ("accuracy{style=foto} >= 0.5", "value of tag style 'foto' is not one of drawing, photo;"),
        ("recall[cat]{source=web, style=x} >= 0.5", "value of tag style 'x' is not one of"),
    ],
)
def test_a_slice_that_is_none_is_refused(expression: str, message: str) -> None:
    """Tags and values are known before any question, too."""
    tags = {"style": {"photo", "drawing"}, "source": {"web"}}
    check_gates([Gate("accuracy{style=photo, source=web} >= 0.5")], LABELS, tags)
    check_gates([Gate(expression)], LABELS)
    with pytest.raises(SettingsError, match=re.escape(message)):
        check_gates([Gate(expression)], LABELS, tags)


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
    """With or without the backend's name; bundled images are not the full set."""
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
def test_one_image_without_an_answer_decides_nothing(
    found: list[OutcomeKind], trouble: OutcomeKind
) -> None:
    """With an error or a lost image every gate is INCONCLUSIVE, whatever the rest."""
    assert words(of([*found, trouble]), "accuracy >= 0", "accuracy >= 1") == ["INCONCLUSIVE"]


def test_no_image_decides_nothing() -> None:
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
    """The published number of a full data set says nothing about a few images."""
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


def test_a_gate_is_parsed_once_and_equal_by_what_was_written() -> None:
    """What is parsed is part of the gate, and not of its repr."""
    gate = Gate("recall[*] >= 0.5, accuracy >= 0.7 with 95% confidence")
    assert gate.parsed.confidence == 0.95
    assert [each.label for each in gate.thresholds_for(LABELS)] == ["cat", "dog", None]
    assert gate == Gate(gate.expression)
    assert "parsed" not in repr(gate)


def test_passing_says_what_it_is_about() -> None:
    """These images, or images like these, with how sure either end is."""
    found = of(["correct"] * 41 + ["misclassified"] * 9)
    point, sure = judge(
        found, [Gate("accuracy >= 0.6"), Gate("accuracy >= 0.6 with 95% confidence")]
    )
    assert point.text == "accuracy >= 0.6: 0.8200 (41/50) on these 50 images"
    assert sure.text == (
        "accuracy >= 0.6 with 95% confidence: 0.8200 (41/50), plausibly 0.7069 to 0.9028 "
        "(one-sided, each end 95% sure), of images like these"
    )
    assert (point.word, sure.word) == ("PASS", "PASS")


def test_too_few_images_say_how_many_it_takes() -> None:
    """0.82 on 50 images shows neither 0.8 nor its opposite; a look at 2,476 would, mostly."""
    found = of(["correct"] * 41 + ["misclassified"] * 9)
    (verdict,) = judge(found, [Gate("accuracy >= 0.8 with 95% confidence")])
    assert (verdict.word, verdict.undecided) == ("INCONCLUSIVE", "sample")
    assert verdict.text.endswith(
        ", of images like these: too few to tell; one look at about 2,500 images would decide it "
        "with a probability of 80% if the rate stays"
    )
    (equal,) = judge(
        of(["correct"] * 4 + ["unparsed"]), [Gate("accuracy >= 0.8 with 95% confidence")]
    )
    assert equal.text.endswith("if the rate stays, no number of images would decide it")
    (close,) = judge(
        of(["correct", "unparsed"] * 49), [Gate("accuracy >= 0.5000001 with 95% confidence")]
    )
    assert close.text.endswith("if the rate stays, it takes more than 100,000,000 images")


def test_failing_is_as_sure_as_passing() -> None:
    """20 of 50 is below 0.6 with 95% confidence, and unparsed answers are more than a few."""
    found = of(["correct"] * 20 + ["unparsed"] * 30)
    assert words(found, "accuracy >= 0.6 with 95% confidence") == ["FAIL"]
    assert words(found, "unparsed_rate <= 0.4 with 95% confidence") == ["FAIL"]
    assert words(found, "unparsed_rate <= 0.8 with 95% confidence") == ["PASS"]


def test_many_thresholds_make_failing_harder_and_passing_not() -> None:
    """Any of many thresholds may fail by chance; all of them do not pass by chance."""
    found = of(["correct"] * 32 + ["misclassified"] * 18)
    alone = "accuracy >= 0.76 with 95% confidence"
    assert words(found, alone) == ["FAIL"]
    others = ", unparsed_rate <= 0.5, f1[cat] >= 0.1, recall[cat] >= 0.1"
    assert words(found, f"accuracy >= 0.76{others} with 95% confidence")[0] == "INCONCLUSIVE"
    passing = "accuracy >= 0.5 with 95% confidence"
    assert words(found, passing) == ["PASS"]
    assert words(found, f"accuracy >= 0.5{others} with 95% confidence")[0] == "PASS"


def test_a_family_of_classes_lists_its_failures_and_sums_up_the_rest() -> None:
    """One line for all that pass, with the worst of them; one for each that fails."""
    cats = [ended(f"c{n}", "correct") for n in range(9)] + [ended("c9", "misclassified")]
    dogs = [ended(f"d{n}", "correct", "dog") for n in range(4)] + [ended("d", "unparsed", "dog")]
    found = built(*cats, *dogs)
    (both,) = judge(found, [Gate("recall[*] >= 0.6")])
    assert both.word == "PASS"
    assert both.text == (
        "recall[*] >= 0.6: all 2 classes, lowest recall[dog] 0.8000 (4/5) on these 15 images"
    )
    fails, passes = judge(found, [Gate("recall[*] >= 0.85", because="agreed")])
    assert (fails.word, passes.word) == ("FAIL", "PASS")
    assert fails.text == "recall[dog] >= 0.85: 0.8000 (4/5) on these 15 images (agreed)"
    assert passes.text == "recall[cat] >= 0.85: 0.9000 (9/10) on these 15 images (agreed)"
    (undecided,) = judge(found, [Gate("recall[*] >= 0.7 with 95% confidence")])
    assert undecided.word == "INCONCLUSIVE"
    assert undecided.text.startswith(
        "recall[*] >= 0.7 with 95% confidence: all 2 classes (cat, dog), lowest recall[dog] 0.8000 "
        "(4/5), plausibly 0.2835 to 0.9950 (one-sided, each end 97.5% sure, for 2 "
        "thresholds), of images like these: too few to tell; one look at about "
    )
    assert undecided.text.endswith(
        "images of dog would decide it with a probability of 80% if the rate stays"
    )


def test_a_slice_is_judged_by_its_own_images() -> None:
    """The photos alone may pass where all images fail."""
    photos = [
        dataclasses.replace(ended(f"p{n}", "correct"), tags={"style": "photo"}) for n in range(3)
    ]
    found = built(*photos, ended("x", "misclassified"), ended("y", "misclassified"))
    assert words(found, "accuracy >= 0.8", "accuracy{style=photo} >= 0.8") == ["FAIL", "PASS"]
    (nothing,) = judge(found, [Gate("accuracy{style=drawing} >= 0.8")])
    assert (nothing.word, nothing.undecided) == ("INCONCLUSIVE", "undefined")
    assert nothing.text.endswith(": no answered image has these tags")


def test_undefined_says_why() -> None:
    """Nothing to divide by, or no probabilities: it is said which."""
    found = of(["correct"] * 3)
    for expression, why in [
        ("recall[dog] >= 0.5", "no answered image shows dog"),
        ("precision[dog] >= 0.5 with 95% confidence", "no answer names dog"),
        ("f1[dog] >= 0.5", "no answered image shows dog and no answer names it"),
        ("ece <= 0.1", "log-probabilities"),
        ("accuracy@coverage0.8 >= 0.5 with 95% confidence", "log-probabilities"),
    ]:
        (verdict,) = judge(found, [Gate(expression)])
        assert (verdict.word, verdict.undecided) == ("INCONCLUSIVE", "undefined")
        assert why in verdict.text


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["correct", "misclassified", "unparsed"]), st.sampled_from(LABELS)
        ),
        min_size=1,
        max_size=25,
    ),
    st.sampled_from(
        ["accuracy", "recall[cat]", "recall[*]", "precision[cat]", "f1[dog]", "f1[*]", "macro_f1",
         "macro_recall", "balanced_accuracy", "macro_precision"]
    ),
    st.sampled_from([0.3, 0.6, 0.9]),
    st.sampled_from(["", " with 95% confidence"]),
    st.randoms(use_true_random=False),
)  # fmt: skip
def test_neither_a_right_answer_nor_another_order_nor_an_easier_bound_hurts(
    kinds_and_labels: list[tuple[OutcomeKind, str]],
    metric: str,
    bound: float,
    sure: str,
    chance: random.Random,
) -> None:
    """None turns a PASS into a FAIL; the order changes nothing at all."""
    outcomes = [
        ended(f"{n}", kind, label) for n, (kind, label) in enumerate(kinds_and_labels)
    ]  # fmt: skip
    gate = Gate(f"{metric} >= {bound}{sure}")
    verdicts = judge(built(*outcomes), [gate])
    assert judge(built(*chance.sample(outcomes, len(outcomes))), [gate]) == verdicts
    easier = judge(built(*outcomes), [Gate(f"{metric} >= {bound - 0.2}{sure}")])
    right = built(*outcomes, ended("new", "correct", chance.choice(LABELS)))
    for better in (easier, judge(right, [gate])):
        if {verdict.word for verdict in verdicts} == {"PASS"}:
            assert "FAIL" not in {verdict.word for verdict in better}
        if "FAIL" not in {verdict.word for verdict in verdicts}:
            assert better is not easier or "FAIL" not in {verdict.word for verdict in better}


@given(kinds, st.integers(1, 99))
def test_confidence_never_contradicts_these_images(found: list[OutcomeKind], bound: int) -> None:
    """With confidence a gate says the same as about these images, or that it cannot tell."""
    expression = f"accuracy >= {bound / 100}"
    (point,) = words(of(found), expression)
    (sure,) = words(of(found), f"{expression} with 95% confidence")
    assert sure in (point, "INCONCLUSIVE")


def test_an_assert_reads_like_the_gate() -> None:
    """True, false with the verdict as its repr, or an AssertionError that is neither."""
    found = of(["correct"] * 41 + ["misclassified"] * 9)
    assert found.meets("accuracy >= 0.8, recall[cat] >= 0.8")
    failed = found.meets("accuracy >= 0.9")
    assert not failed
    assert repr(failed) == "FAIL accuracy >= 0.9: 0.8200 (41/50) on these 50 images"
    with pytest.raises(GateInconclusive, match=r"INCONCLUSIVE accuracy >= 0.8 with 95% confidence"):
        assert found.meets("accuracy >= 0.8 with 95% confidence")
    with pytest.raises(GateInconclusive):
        assert not found.meets("accuracy >= 0.8 with 95% confidence")
    with pytest.raises(SettingsError, match="did you mean 'cat'"):
        found.meets("recall[catt] >= 0.8")


def test_an_assert_on_a_slice_knows_the_slices_unless_images_were_left_out() -> None:
    """A value that no image has is a slip; in a part of the images it may be chance."""
    photo = dataclasses.replace(ended("p", "correct"), tags={"style": "photo"})
    assert built(photo, ended("q", "unparsed")).meets("accuracy{style=photo} >= 1")
    message = re.escape("value of tag style 'foto' is not one of photo; did you mean 'photo'?")
    with pytest.raises(SettingsError, match=message):
        built(photo, ended("q", "unparsed")).meets("accuracy{style=foto} >= 1")
    with pytest.raises(GateInconclusive, match="no answered image has these tags"):
        assert built(photo, whole=2).meets("accuracy{style=foto} >= 1")


def test_a_run_that_stopped_early_is_judged_from_its_order() -> None:
    """With 60 of 100 right for certain, 0.5 is reached whatever the others would have been."""
    asked = [ended(f"{n:03}", "correct") for n in range(60)]
    others = [ended(f"{n:03}", "not_needed") for n in range(60, 100)]
    order = [outcome.case for outcome in (*asked, *others)]
    found = built(*asked, *others, order=order, stop_error=0.01)
    assert words(found, "accuracy >= 0.5") == ["PASS"]
    assert found.meets("accuracy >= 0.5")
    assert words(built(*asked, *others), "accuracy >= 0.5") == ["INCONCLUSIVE"]


def many(*right: int) -> reports.Report:
    """Ten images of each of many classes, so many of them right."""
    labels = tuple(f"c{place}" for place in range(len(right)))
    outcomes = [
        dataclasses.replace(
            ended(f"{label}-{n}", "correct" if n < hits else "unparsed"),
            expected=label,
            predicted=label if n < hits else None,
        )
        for label, hits in zip(labels, right, strict=True)
        for n in range(10)
    ]
    return report_build.build(
        evaluation="pets",
        model="ollama:llava:7b",
        dataset=DatasetFacts(name="pets", content_hash="", labels=(*labels, "never")),
        outcomes=outcomes,
    )


def test_many_undecided_classes_fit_in_a_line() -> None:
    """Eight are named and the rest counted; the doubt of each end has two digits."""
    found = many(*[8] * 11, 10)
    verdicts = judge(found, [Gate("recall[*] >= 0.5 with 95% confidence")])
    assert [verdict.undecided for verdict in verdicts] == ["sample", "undefined", None]
    unsure, undefined, passes = verdicts
    assert unsure.text.startswith(
        "recall[*] >= 0.5 with 95% confidence: 11 of 13 classes (c0, c1, c2, c3, c4, c5, c6, c7 "
        "and 3 more), lowest recall[c0] 0.8000 (8/10), plausibly "
    )
    assert "(one-sided, the ends 99.58% and 99.62% sure, for 13 thresholds)" in unsure.text
    assert undefined.text.startswith("recall[never] >= 0.5 with 95% confidence: undefined")
    assert passes.text.startswith("recall[c11] >= 0.5 with 95% confidence: 1.0000 (10/10)")


def test_a_thousand_thresholds_do_not_round_their_doubt_away() -> None:
    """5% over a thousand classes is 99.995% each, not 100%."""
    found = many(*[9] * 1000)
    verdicts = judge(found, [Gate("recall[*] >= 0.5 with 95% confidence")])
    text = " ".join(verdict.text for verdict in verdicts)
    assert "for 1001 thresholds" in text
    assert "each end 99.995% sure" in text


def test_one_failing_threshold_fails_an_assert_even_beside_an_undecided_one() -> None:
    """A FAIL is a FAIL, whatever else cannot be told."""
    found = of(["correct"] * 41 + ["misclassified"] * 9)
    assert not found.meets("accuracy >= 0.99, recall[dog] >= 0.5")
