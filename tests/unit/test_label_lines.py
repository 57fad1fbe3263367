"""What reports say of corrected labels: each sentence against the outcomes that it is about."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmclf.analysis.comparison.baseline import compare
from pytest_llmclf.analysis.comparison.paired_comparison import compare_reports
from pytest_llmclf.analysis.comparison.predictions_file import predictions_text
from pytest_llmclf.metrics.corrections import accuracy_before, followed
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.reporting.label_lines import label_texts
from pytest_llmclf.values.reviewed import DatasetReview, ImageReview
from tests.unit.ended import ended

if TYPE_CHECKING:
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.outcome import Outcome

LABELS = ("cat", "dog", "cow")
MODEL = "ollama:llava"


def outcome(case: str, expected: str, answer: str, **more: Any) -> Outcome:
    kind = "correct" if answer == expected else "misclassified"
    return ended(case, kind, expected, predicted=answer, **more)  # type: ignore[arg-type]


def corrected(case: str, before: str, now: str, answer: str, *models: str) -> Outcome:
    review = ImageReview(status="corrected", original=(before,), followed=models)
    return outcome(case, now, answer, review=review)


def report(*outcomes: Outcome, **review: Any) -> Report:
    facts = DatasetFacts(
        name="pets",
        content_hash="",
        labels=LABELS,
        cases_in_dataset=len(outcomes),
        review=DatasetReview(**review),
    )
    return build(evaluation="pets", model=MODEL, dataset=facts, outcomes=outcomes)


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(*[st.sampled_from(LABELS)] * 3, st.booleans(), st.booleans()),
        min_size=1, max_size=20,
    )
)  # fmt: skip
def test_accuracy_before_is_that_of_the_labels_before(
    images: list[tuple[str, str, str, bool, bool]],
) -> None:
    """As a report says it of the same answers with the labels as they were."""
    now, then = [], []
    for number, (before, after, answer, changed, model) in enumerate(images):
        case = f"{number}.png"
        then.append(outcome(case, before, answer))
        models = (MODEL,) if model and answer == after != before else ()
        one = corrected(case, before, after, answer, *models)
        now.append(one if changed and before != after else outcome(case, before, answer))
    found = report(*now, corrected=1)
    before_ = accuracy_before(found)
    if not any(one.review for one in now):
        assert before_ is None
        return
    assert before_ is not None
    assert before_.value == report(*then).accuracy.value
    took = sum(bool(one.review and one.review.followed) for one in now)
    texts = label_texts(found)
    assert any("biased towards this model" in text for text in texts) == bool(took)
    assert followed(found) == ({MODEL: took} if took else {})


def test_all_is_said() -> None:
    """How many, by how many, what accuracy would be without, what is open, whom it favours."""
    found = report(
        corrected("1", "cat", "dog", "dog", MODEL),
        corrected("2", "cat", "dog", "dog", MODEL, "other"),
        corrected("3", "cat", "cow", "cat"),
        outcome("4", "cat", "cat", review=ImageReview(status="confirmed", original=("cat",))),
        corrected=4, reviewers=2, left_out=("8", "9"), confirmed=1, confirmers=1,
        disputed=("5",), unsure=("6", "7"), gone=("10",), control=40, control_wrong=2,
    )  # fmt: skip
    assert label_texts(found) == (
        (
            "4 labels corrected by 2 reviewers (3 of these images), 2 images left out, 1 label "
            "confirmed by 1 reviewer; accuracy with the labels as they were: 0.500 (2/4), now "
            "0.750 (3/4)"
        ),
        "1 image has its label as it was, since reviewers disagree: 5",
        "2 images have labels that no reviewer is sure of: 6, 7",
        "1 image was decided about that the dataset does not have any more: 10",
        (
            "accuracy is biased towards this model: 2 of 3 corrections took over its own answers, "
            "from which they were proposed"
        ),
        "a comparison with other is biased towards it: 1 of 3 corrections took over its answers",
        (
            "of 40 images drawn at random for review 2 labels were wrong: 0.050, 95% interval "
            "0.006–0.169"
        ),
    )


def test_nothing_is_said_where_nobody_decided() -> None:
    """Nor of a report that was read back from a version without."""
    plain = report(outcome("1", "cat", "cat"))
    assert label_texts(replace(plain, dataset=replace(plain.dataset, review=None))) == ()
    assert label_texts(plain) == ()


def test_without_a_control_sample_that_is_said() -> None:
    """Nobody knows then how many labels are wrong where the model agrees."""
    (_, biased, unknown) = label_texts(
        report(corrected("1", "cat", "dog", "dog", MODEL), corrected=1, reviewers=1)
    )
    assert "1 of 1 correction took over its own answers, from which it was proposed" in biased
    assert unknown.startswith("no image drawn at random was reviewed")


class TestComparisons:
    """Whether labels changed, or answers."""

    BEFORE = report(outcome("1", "cat", "dog"), outcome("2", "cat", "cat"))

    def test_labels_alone(self) -> None:
        """The cause is named, and that no answer is one."""
        now = report(corrected("1", "cat", "dog", "dog"), outcome("2", "cat", "cat"), corrected=1)
        for refused in (
            compare(predictions_text(now), predictions_text(self.BEFORE)).refused,
            compare_reports(self.BEFORE, now).refused,
        ):
            assert refused is not None
            assert "1 was labelled cat and is dog; labels changed, no answer did" in refused

    def test_answers_too(self) -> None:
        """Both are told."""
        now = report(corrected("1", "cat", "dog", "cow"), outcome("2", "cat", "cat"), corrected=1)
        refused = compare(predictions_text(now), predictions_text(self.BEFORE)).refused
        assert refused is not None
        assert "labels changed, 1 answer did, too" in refused

    def test_images_left_out(self) -> None:
        """Are named by a baseline; two runs are compared on the others."""
        now = report(outcome("2", "cat", "cat"), left_out=("1",), reviewers=1)
        refused = compare(
            predictions_text(now), predictions_text(self.BEFORE), left_out=("1",)
        ).refused
        assert refused is not None
        assert re.search(r"have 1 image that people left out since.*: 1; review", refused)
        compared = compare_reports(self.BEFORE, now)
        assert (compared.refused, compared.cases) == (None, ("2",))

    def test_an_unrelated_loss_is_none_of_it(self) -> None:
        """An image that is gone for another reason is missing, as ever."""
        now = report(outcome("2", "cat", "cat"))
        found = compare(predictions_text(now), predictions_text(self.BEFORE), left_out=("3",))
        assert (found.refused, found.missing) == (None, ("1",))


@pytest.mark.parametrize("damage", [{"status": "x"}, {"original": []}, {"followed": "x"}])
def test_a_damaged_review_is_refused(damage: dict[str, Any]) -> None:
    """As any field of a run's files is."""
    data = ImageReview(status="confirmed", original=("cat",)).to_json()
    with pytest.raises(ValueError, match="is"):
        ImageReview.from_json({**data, **damage})
    with pytest.raises(ValueError, match="corrected is -1"):
        DatasetReview.from_json({"corrected": -1, "later": 1})
