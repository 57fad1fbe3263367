"""What the outcomes of one evaluation and model add up to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf.api import PublicReport, public
from pytest_llmclf.metrics import report_build as report
from pytest_llmclf.metrics.case_counts import Ledger
from pytest_llmclf.metrics.measure import Ratio
from pytest_llmclf.metrics.report_facts import Confused, DatasetFacts
from pytest_llmclf.values.case import Case
from pytest_llmclf.values.outcome import OUTCOME_KINDS, Outcome, TaskName
from tests.unit.ended import ended

if TYPE_CHECKING:
    import random

    from pytest_llmclf.values.outcome import OutcomeKind

LABELS = ("cat", "cow", "dog")


def built(*outcomes: Outcome, **more: Any) -> PublicReport:
    """A report on the dataset ``pets``."""
    facts = DatasetFacts(name="pets", content_hash="abc", labels=LABELS)
    return public(
        report.build(
            evaluation="pets", model="ollama:llava", dataset=facts, outcomes=outcomes, **more
        )
    )


def test_outcomes_are_sorted_by_case_and_repeats_kept_apart() -> None:
    """Outcomes come in any order and leave in one."""
    found = built(ended("b", "correct", repeat=1), ended("c", "error"), ended("b", "correct"))
    assert [(one.case, one.repeat) for one in found.outcomes] == [("b", 0), ("c", 0)]
    assert [(one.case, one.repeat) for one in found.repeats] == [("b", 1)]
    assert found.ledger.collected == 2


@given(st.lists(st.sampled_from(OUTCOME_KINDS), max_size=20), st.randoms(use_true_random=False))
def test_order_never_matters(kinds: list[OutcomeKind], chance: random.Random) -> None:
    """Any order of the same outcomes gives an equal report, whose ledger is balanced."""
    outcomes = [ended(f"{place}.png", kind) for place, kind in enumerate(kinds)]
    found = built(*outcomes)
    assert found == built(*chance.sample(outcomes, len(outcomes)))
    assert found.ledger.balanced


def test_what_never_came_is_lost() -> None:
    """Fewer outcomes than collected are lost, whether handed in as lost or not at all."""
    found = built(ended("a", "correct"), ended("b", "lost"), collected=5)
    assert found.ledger.lost == 4
    assert found.ledger.balanced
    assert found.ledger.why_incomplete() == ("4 of 5 images were lost: collected, never reported")


def test_more_outcomes_than_collected_is_no_balance() -> None:
    """Outcomes that nobody collected make the report incomplete."""
    found = built(ended("a", "correct"), ended("b", "correct"), collected=1)
    assert not found.ledger.balanced
    assert found.ledger.why_incomplete() == "1 image was collected, but 2 are accounted for"


def test_a_case_ends_once() -> None:
    """The same case and repeat twice is refused; another repeat is not."""
    built(ended("a", "correct"), ended("a", "correct", repeat=1))
    with pytest.raises(ValueError, match=r"a \(repeat 0\) ended 2 times"):
        built(ended("a", "correct"), ended("a", "error"))


def test_strangers_are_refused() -> None:
    """An outcome of another evaluation or model is not added up."""
    facts = DatasetFacts(name="pets", content_hash="", labels=LABELS)
    for evaluation, model in (("other", "ollama:llava"), ("pets", "other")):
        with pytest.raises(ValueError, match=f"not of {evaluation} on {model}"):
            report.build(
                evaluation=evaluation,
                model=model,
                dataset=facts,
                outcomes=[ended("a", "correct")],
            )


@pytest.mark.parametrize(
    ("kinds", "why"),
    [
        ([], "no image was collected"),
        (["not_needed"], "no image was answered"),
        (["correct", "error"], "1 of 2 images got no answer"),
        (["correct", "lost"], "1 of 2 images was lost: collected, never reported"),
        (["correct", "not_needed"], None),
        (["misclassified", "unparsed"], None),
    ],
)
def test_a_ledger_says_why_it_is_incomplete(kinds: list[OutcomeKind], why: str | None) -> None:
    """Zero cases, errors and losses are incomplete; wrong answers and unneeded images are not."""
    ledger = built(*(ended(str(place), kind) for place, kind in enumerate(kinds))).ledger
    assert ledger.why_incomplete() == why
    assert ledger.complete is (why is None)


@given(st.lists(st.integers(0, 3), min_size=7, max_size=7))
def test_a_complete_ledger_has_lost_nothing(numbers: list[int]) -> None:
    """Complete implies balanced, answered, without error and loss."""
    collected, correct, misclassified, unparsed, error, not_needed, lost = numbers
    ledger = Ledger(
        collected=collected,
        correct=correct,
        misclassified=misclassified,
        unparsed=unparsed,
        error=error,
        not_needed=not_needed,
        lost=lost,
    )
    answered = correct + misclassified + unparsed
    sound = answered > 0 and error == lost == 0 and collected == answered + not_needed
    assert ledger.complete is sound


def test_numbers_by_label() -> None:
    """Precision, recall, F1 and support are found under the label."""
    found = built(
        ended("1", "correct"),
        ended("2", "misclassified"),
        ended("3", "correct", "dog"),
        ended("4", "unparsed", "dog", reason="refusal"),
    )
    assert found.accuracy == Ratio(hits=2, total=4)
    assert found.precision["dog"] == Ratio(hits=1, total=2)
    assert found.recall["cat"] == Ratio(hits=1, total=2)
    assert found.f1["cat"] == Ratio(hits=2, total=3)
    assert found.recall["cow"].value is None
    assert found.support == {"cat": 2, "cow": 0, "dog": 2}
    assert found.unparsed_rate >= 0.25
    assert found.macro.recall == found.balanced_accuracy == 0.5
    assert found.weighted.recall == 0.5
    assert found.micro.recall == found.accuracy


def test_confusions_are_ranked() -> None:
    """Mistakes come most frequent first, ties in the order of labels, with their cases."""
    found = built(
        ended("3", "misclassified", "cow"),
        ended("1", "misclassified"),
        ended("2", "misclassified", "cow"),
        ended("4", "misclassified", "dog", predicted="cat"),
        ended("5", "unparsed"),
    )
    assert found.confusions() == (
        Confused(expected="cow", predicted="dog", count=2, cases=("2", "3")),
        Confused(expected="cat", predicted="dog", count=1, cases=("1",)),
        Confused(expected="dog", predicted="cat", count=1, cases=("4",)),
    )
    assert found.confusions(1) == found.confusions()[:1]


def test_slices_hold_every_case() -> None:
    """Cases without the tag are a slice of their own."""
    found = built(
        ended("1", "correct", tags={"style": "photo"}),
        ended("2", "misclassified", tags={"style": "photo"}),
        ended("3", "correct"),
    )
    assert found.tags == ("style",)
    slices = found.by_tag("style")
    assert {value: repr(part.accuracy) for value, part in slices.items()} == {
        "": "1.0 (1/1)",
        "photo": "0.5 (1/2)",
    }


def test_images_a_second() -> None:
    """Only answered images count, and without a duration there is no rate."""
    outcomes = (ended("1", "correct"), ended("2", "unparsed"), ended("3", "error"))
    assert built(*outcomes, duration_s=4.0).images_per_s == 0.5
    assert built(*outcomes).images_per_s is None
    assert built(*outcomes, duration_s=0.0).images_per_s is None


def test_a_lost_case_keeps_what_is_known() -> None:
    """The outcome of a case that was lost names its case, label and tags."""
    case = Case(id="a.png", root=Path(), sha256="5", label="cat", tags={"style": "photo"})
    found = Outcome.of(TaskName("pets", "ollama:llava"), case, "lost", repeat=2)
    assert (found.case, found.expected, found.kind, found.repeat) == ("a.png", "cat", "lost", 2)
    assert found.tags == {"style": "photo"}


def test_reports_cost_no_heavy_import() -> None:
    """A report loads SciPy's special functions when it is computed, and nothing that is heavier."""
    code = (
        "import sys\n"
        "from pytest_llmclf import reference\n"
        "from pytest_llmclf.analysis.comparison import predictions_file\n"
        "from pytest_llmclf.gates import judging\n"
        "from pytest_llmclf.reporting import artifacts\n"
        "assert not {'numpy', 'scipy'} & set(sys.modules)\n"
        "artifacts.report_text([reference.published('mnist')], ())\n"
        "heavy = {'pytest', 'sklearn', 'pandas', 'PIL', 'scipy.stats', 'scipy.optimize'}\n"
        "heavy &= set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)\n"
    )
    found = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
