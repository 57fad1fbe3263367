"""Labels that are probably wrong: found, ranked, and said why."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmclf.analysis.label_review.copies import NearCopies
from pytest_llmclf.analysis.label_review.review import LabelReview, review_labels
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.values.reviewed import ImageReview
from tests.unit.ended import ended

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.metrics.report import Report

LABELS = ("cat", "cow", "dog")
SIGNS = {"c": "cat", "w": "cow", "d": "dog"}
EACH = 12


def answered(case: str, label: str, said: str, repeat: int = 0, **more: Any) -> Any:
    """An image and its answer: a label's sign, ``?`` unparsed, ``!`` no answer, ``-`` not asked."""
    kinds: dict[str, Any] = {"?": "unparsed", "!": "error", "-": "not_needed"}
    named = SIGNS.get(said)
    right = {label, *more.get("also", ())}
    kind = kinds.get(said, "correct" if named in right else "misclassified")
    sha256 = more.pop("sha256", f"of-{case}")
    found = ended(case, kind, expected=label, predicted=named, repeat=repeat, **more)
    return replace(found, sha256=sha256)


def sure(label: str, much: float = 0.9) -> dict[str, float]:
    return {one: much if one == label else (1 - much) / 2 for one in LABELS}


def report_of(
    outcomes: Sequence[Any], model: str = "ollama:llava", evaluation: str = "pets"
) -> Report:
    facts = DatasetFacts(name="pets", content_hash="abc", labels=LABELS)
    named = [replace(one, model=model, evaluation=evaluation) for one in outcomes]
    return build(evaluation=evaluation, model=model, dataset=facts, outcomes=named)


def herd(*, probabilities: bool = True, **odd: tuple[str, str]) -> list[Any]:
    """Images of each label answered right; `odd` ones by name as (label, sign of the answer)."""
    images = {f"{label}{place:02}": (label, label[0]) for label in LABELS for place in range(EACH)}
    images = {
        case: (label, "w" if label == "cow" else sign) for case, (label, sign) in images.items()
    }
    return [
        answered(
            case,
            label,
            said,
            probabilities=sure(SIGNS[said]) if probabilities and said in SIGNS else None,
        )
        for case, (label, said) in (images | odd).items()
    ]


def reviewed(*reports: Report, **more: Any) -> LabelReview:
    (found,) = review_labels(reports, **more)
    return found


def texts(found: LabelReview, place: int = 0) -> list[str]:
    return [reason.text for reason in found.candidates[place].reasons]


def test_a_label_that_the_model_contradicts_is_proposed_with_its_reasons() -> None:
    """One cat that is labelled dog, among images that are answered as they are labelled."""
    found = reviewed(report_of(herd(odd=("dog", "c"))))
    (one,) = found.candidates
    assert (one.case, one.given, one.proposed) == ("odd", "dog", "cat")
    assert [reason.kind for reason in one.reasons] == ["named", "probability", "pooled"]
    assert texts(found)[0] == "ollama:llava names cat"
    assert texts(found)[1] == "ollama:llava gives cat a probability of 0.90, dog 0.05"
    assert texts(found)[2].startswith("the recalibrated probability of cat is 0.9")
    assert found.ranking[0] == "odd"
    assert (found.images, found.looked_at) == (37, 37)


def test_labels_that_nobody_contradicts_are_not_proposed() -> None:
    """Images answered as they are labelled give no candidate, and are ranked all the same."""
    found = reviewed(report_of(herd()))
    assert found.candidates == ()
    assert len(found.ranking) == 3 * EACH


def test_without_probabilities_the_answers_are_counted() -> None:
    """A rarely made mistake is more doubtful than one that the model makes all the time."""
    often = {f"often{place}": ("cow", "d") for place in range(8)}
    found = reviewed(report_of(herd(probabilities=False, odd=("dog", "c"), **often)))
    assert found.ranking[0] == "odd"
    assert texts(found)[0] == "ollama:llava names cat"
    assert not any("gives" in text for text in texts(found))


def test_an_image_does_not_vouch_for_its_own_label() -> None:
    """An answer that nobody else gives speaks for no label by the image's own label."""
    outcomes = [answered("a", "cat", "?"), *herd(probabilities=False)]
    (first,) = (one for one in reviewed(report_of(outcomes)).ranking if one == "a")
    swapped = [answered("a", "dog", "?"), *herd(probabilities=False)]
    ranks = [reviewed(report_of(each)).ranking.index(first) for each in (outcomes, swapped)]
    assert ranks[0] == ranks[1]


def test_models_that_agree_against_a_label_outrank_a_majority() -> None:
    """Three of three say more than two of three."""
    found = reviewed(
        *(
            report_of(herd(all=("dog", "c"), most=("dog", sign)), f"ollama:{name}")
            for name, sign in (("a", "c"), ("b", "c"), ("c", "d"))
        )
    )
    assert found.ranking[:2] == ("all", "most")
    assert texts(found)[0] == "3 of 3 models name cat: ollama:a, ollama:b, ollama:c"
    assert texts(found, 1)[0] == "2 of 3 models name cat, 1 the given label: ollama:a, ollama:b"


def test_one_model_in_two_evaluations_is_two_sources() -> None:
    """The same images under two prompts are looked at together, each named apart."""
    reports = [report_of(herd(), evaluation=name) for name in ("plain", "careful")]
    assert [one.source for one in reviewed(*reports).sources] == [
        "ollama:llava in plain",
        "ollama:llava in careful",
    ]


def test_a_source_that_guesses_is_not_heard() -> None:
    """What has nothing to do with the labels gets hardly any weight."""
    chance = np.random.RandomState(1)
    guesses = [
        replace(one, probabilities=dict(zip(LABELS, chance.dirichlet([0.3] * 3), strict=True)))
        for one in herd()
    ]
    good, bad = reviewed(report_of(herd()), report_of(guesses, "ollama:guess")).sources
    assert bad.weight < 0.3 < good.weight


def test_repeats_that_agree_are_told() -> None:
    """Every asking counts, and the sentence says how many of them."""
    again = [answered("odd", "dog", sign, repeat) for repeat, sign in enumerate("ccdc")]
    found = reviewed(report_of([*herd(probabilities=False), *again]))
    assert found.candidates[0].case == "odd"
    assert "3 of 4 answers of ollama:llava name cat" in texts(found)


def test_copies_under_two_labels_come_first_and_need_no_model() -> None:
    """Both are proposed, each with the other's label; copies of one label are not."""
    outcomes = [
        *herd(),
        answered("a", "cat", "!", sha256="same"),
        answered("b", "dog", "!", sha256="same"),
        answered("c", "cow", "!", sha256="fine"),
        answered("d", "cow", "!", sha256="fine"),
    ]
    found = reviewed(report_of(outcomes))
    assert [(one.case, one.given, one.proposed) for one in found.candidates] == [
        ("a", "cat", "dog"),
        ("b", "dog", "cat"),
    ]
    assert texts(found) == ["the same bytes are labelled dog as b"]
    assert found.ranking[:2] == ("a", "b")


def test_the_majority_of_copies_decides_which_of_them_is_doubtful() -> None:
    """Of three copies the one that is labelled differently comes first."""
    outcomes = [
        answered(case, label, "!", sha256="same")
        for case, label in zip("abc", ("cat", "dog", "dog"), strict=True)
    ]
    found = reviewed(report_of([*herd(), *outcomes]))
    assert found.candidates[0].case == "a"
    assert found.candidates[0].score > 0.9


def test_near_copies_count_as_far_as_they_mostly_agree() -> None:
    """Where near-copies have other labels as often as not, they say little."""

    def score(agreeing: int) -> float:
        pairs = [NearCopies(first="odd", second="cat00", bits=4, of=255)]
        pairs += [
            NearCopies(
                first=f"cat{place:02}",
                second=f"{'cat' if place <= agreeing else 'cow'}{place + 1:02}",
                bits=4,
                of=255,
            )
            for place in range(1, 9)
        ]
        found = reviewed(report_of(herd(odd=("dog", "d"))), near_copies={"abc": pairs})
        (one,) = (one for one in found.candidates if one.case == "odd")
        assert one.reasons[0].text == (
            "almost the same image is labelled cat as cat00 (4 of 255 bits of a perceptual hash "
            "differ)"
        )
        assert found.near_copies == 9
        return one.score

    assert score(8) > score(1)


def test_what_was_not_asked_has_no_proposal() -> None:
    """Of a run that stopped early only what was asked is looked at."""
    found = reviewed(report_of(herd(odd=("dog", "c"), later=("dog", "-"), failed=("dog", "!"))))
    assert {"later", "failed"}.isdisjoint(found.ranking)
    assert (found.images, found.looked_at) == (39, 37)


def test_nothing_asked_gives_no_review() -> None:
    """No image was asked, or there is one label alone: nothing can be said."""
    assert review_labels([report_of([answered("a", "cat", "-")])]) == ()
    assert review_labels([]) == ()
    facts = DatasetFacts(name="pets", content_hash="abc", labels=("cat",))
    alone = build(
        evaluation="pets", model="ollama:llava", dataset=facts, outcomes=[answered("a", "cat", "c")]
    )
    assert review_labels([alone]) == ()


@pytest.mark.parametrize(
    ("status", "proposed"),
    [("confirmed", False), ("corrected", False), ("unsure", True), ("disputed", True)],
)
def test_what_people_decided_is_not_proposed_again(status: Any, proposed: bool) -> None:  # noqa: FBT001
    """An image whose label they confirmed or corrected is ranked, and no candidate."""
    outcomes = herd(odd=("dog", "c"))
    review = ImageReview(status=status, original=("dog",))
    outcomes[-1] = replace(outcomes[-1], review=review)
    found = reviewed(report_of(outcomes))
    assert found.ranking[0] == "odd"
    assert [one.case for one in found.candidates] == ["odd"] * proposed
    assert found.confirmed == (not proposed)


def test_a_further_right_label_is_never_proposed() -> None:
    """Neither by what models say nor by copies; where all labels are right, none is in doubt."""
    also = {"a": ("dog", "cat"), "b": ("cat", "dog"), "c": ("cow", "cat", "dog")}
    copies = [
        answered(case, label, "c", sha256="same", also=tuple(more))
        for case, (label, *more) in also.items()
    ]
    outcomes = [*herd(), *copies]
    found = reviewed(report_of(outcomes))
    assert [(one.case, one.proposed) for one in found.candidates] == [("a", "cow"), ("b", "cow")]
    assert "c" not in found.ranking


def test_different_datasets_are_looked_at_apart() -> None:
    """One review each, in the order of the reports."""
    other = report_of(herd(odd=("dog", "c")))
    other = replace(other, dataset=replace(other.dataset, content_hash="other"))
    assert [len(one.candidates) for one in review_labels([report_of(herd()), other])] == [0, 1]


image = st.tuples(st.sampled_from(LABELS), st.sampled_from(["", "x", "y"]))
said = st.tuples(st.sampled_from("cwd?!-"), st.booleans(), st.floats(0.34, 1))


@settings(max_examples=30)
@given(
    st.lists(image, min_size=1, max_size=10).flatmap(
        lambda images: st.tuples(
            st.just(images),
            st.lists(
                st.lists(said, min_size=len(images), max_size=len(images)), min_size=1, max_size=3
            ),
            st.integers(1, 2),
        )
    )
)
def test_every_candidate_is_true_of_the_answers(drawn: Any) -> None:
    """Whatever was answered: no crash, scores in order, a reason each, and no false sentence."""
    images, models, times = drawn
    reports = [
        report_of(
            [
                answered(
                    f"{place:02}",
                    label,
                    sign,
                    repeat,
                    sha256=same,
                    probabilities=sure(SIGNS[sign], much) if told and sign in SIGNS else None,
                )
                for place, ((label, same), (sign, told, much)) in enumerate(
                    zip(images, answers, strict=True)
                )
                for repeat in range(times)
            ],
            f"model{number}",
        )
        for number, answers in enumerate(models)
    ]
    by_case = {one.case: one for report in reports for one in report.outcomes}
    for found in review_labels(reports):
        scores = [one.score for one in found.candidates]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)
        json.dumps(asdict(found), allow_nan=False)
        for one in found.candidates:
            assert one.given == by_case[one.case].expected != one.proposed
            assert one.reasons
            for reason in one.reasons:
                _check(reason.kind, reason.text, one, reports, by_case)


def _check(kind: str, text: str, one: Any, reports: list[Report], by_case: dict[str, Any]) -> None:
    """A sentence against the outcomes that it speaks of."""
    own = [found for report in reports for found in report.outcomes if found.case == one.case]
    named = [found for found in own if found.predicted == one.proposed]
    if kind == "copy":
        other = by_case[text.rsplit(" ", 1)[1]]
        assert other.sha256 == by_case[one.case].sha256 != ""
        assert f" are labelled {other.expected} as " in text
        assert other.expected != one.given
    elif kind == "named":
        assert all(found.model in text for found in named)
        assert named
    elif kind == "probability":
        assert any(
            found.model in text
            and found.probabilities[one.proposed] > found.probabilities[one.given]
            for found in own
            if found.probabilities
        )
    elif kind == "asked-again":
        assert text.startswith("2 of 2 answers of ")
        assert any(found.model in text for found in named)
    else:
        assert kind == "pooled"
        assert f"of {one.given} is" not in text


@pytest.mark.parametrize("odd", ["c", "?"])
def test_the_order_of_images_and_reports_changes_nothing(odd: str) -> None:
    """The same answers in another order give the same candidates and scores."""
    first, second = herd(odd=("dog", "c")), herd(odd=("dog", odd))
    one = reviewed(report_of(first, "a"), report_of(second, "b"))
    two = reviewed(report_of(second[::-1], "b"), report_of(first[::-1], "a"))
    assert one.ranking == two.ranking
    assert [each.score for each in one.candidates] == pytest.approx(
        [each.score for each in two.candidates]
    )
