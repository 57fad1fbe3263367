"""Images of no class: where they come from, and how often they are taken for one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmclf import Evaluation, Gate
from pytest_llmclf.data.dataset import load
from pytest_llmclf.data.entry import SourceOptions
from pytest_llmclf.errors import SettingsError
from pytest_llmclf.gates.evidence import evidence_of
from pytest_llmclf.gates.feasible import undecidable
from pytest_llmclf.gates.judging import judge
from pytest_llmclf.gates.sequential.question import Question, questions
from pytest_llmclf.metrics.intervals import clopper_pearson
from pytest_llmclf.metrics.own_metrics import rows
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.prompting.labels import NONE_LABEL, Label, LabelSet
from pytest_llmclf.prompting.readers import read_answer
from pytest_llmclf.reporting.label_lines import label_texts
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.case import Case
from tests.unit.ended import ended
from tests.unit.test_dataset import image, pets, problems, put

if TYPE_CHECKING:
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.outcome import OutcomeKind

LABELS = ("cat", "dog", NONE_LABEL)
SURE = "false_accept <= 0.05 with 95% confidence"


def options(folder: Path | None, label: str = NONE_LABEL) -> SourceOptions:
    return SourceOptions(strangers=folder, none_label=label)


def report(strangers: list[str], cats: list[str] | None = None) -> Report:
    """What each stranger, and each cat, was called; ``?`` is an answer without a label."""
    outcomes = []
    for expected, answers in ((NONE_LABEL, strangers), ("cat", cats or [])):
        for number, answer in enumerate(answers):
            kind: OutcomeKind = "correct" if answer == expected else "misclassified"
            named = None if answer == "?" else answer
            outcomes.append(
                ended(
                    f"{expected}/{number}",
                    "unparsed" if named is None else kind,
                    expected,
                    predicted=named,
                    stranger=expected == NONE_LABEL,
                )
            )
    facts = DatasetFacts(
        name="pets", content_hash="", labels=LABELS, cases_in_dataset=len(outcomes)
    )
    return build(evaluation="pets", model="ollama:llava", dataset=facts, outcomes=outcomes)


def cases(strangers: int, others: int = 5) -> list[Case]:
    root = Path()
    found = [Case(id=f"s{n}", root=root, sha256=f"s{n}", label=NONE_LABEL, stranger=True)
             for n in range(strangers)]  # fmt: skip
    return found + [Case(id=f"c{n}", root=root, sha256=f"c{n}", label="cat") for n in range(others)]


class TestLoading:
    """Where they come from."""

    def test_from_a_folder_of_their_own(self, tmp_path: Path) -> None:
        """Under its name, with the label last, in whatever folders they lie."""
        root = pets(tmp_path / "pets")
        street = put(tmp_path / "street", {"1.bmp": image(20), "b/2.bmp": image(21)})
        found = load(root, options=options(street))
        assert found.labels == ("cat", "dog", NONE_LABEL)
        strangers = [case for case in found.cases if case.stranger]
        assert [case.id for case in strangers] == ["street/1.bmp", "street/b/2.bmp"]
        assert all(case.path.is_file() and case.label == NONE_LABEL for case in strangers)
        assert found.content_hash() != load(root).content_hash()

    def test_by_their_label(self, tmp_path: Path) -> None:
        """A folder, or a cell of a table, and whatever it is called."""
        root = put(pets(tmp_path / "pets"), {"none of these/1.bmp": image(20)})
        assert [case.id for case in load(root, options=options(None)).cases if case.stranger] == [
            "none of these/1.bmp"
        ]
        found = load(root, options=options(None, "dog"))
        assert {case.label for case in found.cases if case.stranger} == {"dog"}

    def test_declared_labels_need_not_name_theirs(self, tmp_path: Path) -> None:
        """Not in the evaluation, not in dataset.toml; where one does, its place stays."""
        root = put(pets(tmp_path / "pets"), {"dataset.toml": 'labels = ["dog", "cat"]\n'})
        street = put(tmp_path / "street", {"1.bmp": image(20)})
        own = options(street, "other")
        assert load(root, options=own).labels == ("dog", "cat", "other")
        assert load(root, options=own, labels=["cat", "dog", "other"]).labels[-1] == "other"
        (root / "dataset.toml").unlink()
        assert load(root, options=own, labels=["other", "dog", "cat"]).labels[0] == "other"

    def test_what_is_wrong_is_told(self, tmp_path: Path) -> None:
        """An empty folder, and an image that is of a class after all."""
        root = pets(tmp_path / "pets")
        (tmp_path / "empty").mkdir()
        (said,) = problems(root, options=options(tmp_path / "empty"))
        assert "no image of no class in it: put some in, or drop strangers=" in said
        street = put(tmp_path / "street", {"1.bmp": image(0)})
        assert "is the same image as" in problems(root, options=options(street))[0]


class TestEvaluation:
    """How an evaluation names them."""

    def test_the_label_is_offered(self) -> None:
        """Once, and as it is described where it is."""
        plain = Evaluation(dataset="p", modelfile="m", prompt="?", labels=["a", "b"])
        assert plain.label_names == ("a", "b")
        both = Evaluation(dataset="p", modelfile="m", prompt="?", labels=["a"], strangers="s")
        assert both.label_names == ("a", NONE_LABEL)
        own = Label("other", description="anything else")
        told = Evaluation(
            dataset="p", modelfile="m", prompt="?", labels=[own, "a"], strangers="s",
            none_label="other",
        )  # fmt: skip
        assert told.given_labels == (own, Label("a"))

    def test_a_slip_is_told(self) -> None:
        """An empty label could not be answered."""
        with pytest.raises(SettingsError, match="none_label=' ' is no label"):
            Evaluation(dataset="p", modelfile="m", prompt="?", none_label=" ")

    @pytest.mark.parametrize(
        "text",
        ["none of these", "None of these.", "It is none of these.",
         "It is not a cat or a dog. None of these.", '{"label": "none of these"}'],
    )  # fmt: skip
    def test_the_strict_reader_reads_it(self, text: str) -> None:
        """Though it denies every other label."""
        assert read_answer(Answer(text=text), LabelSet.of(LABELS)).label == NONE_LABEL


class TestMetric:
    """The false-accept rate."""

    @settings(max_examples=20)
    @given(
        st.lists(st.sampled_from((*LABELS, "?")), min_size=1, max_size=40),
        st.lists(st.sampled_from((*LABELS, "?")), max_size=10),
    )
    def test_counts_and_bounds(self, strangers: list[str], cats: list[str]) -> None:
        """Answers that name a class, of all answers about such images; bounds are exact."""
        found = report(strangers, cats)
        hits = sum(answer in ("cat", "dog") for answer in strangers)
        assert (found.false_accept.hits, found.false_accept.total) == (hits, len(strangers))
        threshold = Gate(SURE).parsed.thresholds[0]
        evidence = evidence_of(threshold, found, threshold.measure(found))
        ends = clopper_pearson(hits, len(strangers), confidence=0.9)
        assert evidence.low(0.05) == pytest.approx(ends.low, abs=1e-9)
        assert evidence.high(0.05) == pytest.approx(ends.high, abs=1e-9)
        alone = {one.case: one.case for one in found.outcomes}
        grouped = evidence_of(threshold, replace(found, clusters=alone), threshold.measure(found))
        assert (grouped.estimate, grouped.members) == (evidence.estimate, len(strangers))

    def test_is_judged(self) -> None:
        """With and without confidence, and undefined where no such image was answered."""
        found = report(["cat", *[NONE_LABEL] * 99], ["cat"] * 3)
        sure, plain = judge(found, [Gate(SURE), Gate("false_accept <= 0.005")])
        assert (sure.word, plain.word) == ("PASS", "FAIL")
        assert "0.0100 (1/100)" in plain.text
        (none,) = judge(report([], ["cat"]), [Gate("false_accept <= 0.05")])
        assert none.word == "INCONCLUSIVE"
        assert none.text.endswith("no answered image is of no class")

    def test_can_be_decided_early(self) -> None:
        """Of these images alone, whatever else is asked about."""
        (found,) = questions([Gate("false_accept <= 0.1")], LABELS, cases(20), "m", imported=False)
        assert isinstance(found, Question)
        assert set(found.weights) == {f"s{n}" for n in range(20)}
        assert found.counts(ended("s1", "misclassified", NONE_LABEL, predicted="cat"))
        assert not found.counts(ended("s1", "unparsed", NONE_LABEL))

    def test_what_cannot_be_shown(self) -> None:
        """Is told with the number that can show it."""
        assert undecidable(Gate(SURE), LABELS, cases(59)) == ()
        (few,) = undecidable(Gate(SURE), LABELS, cases(58))
        assert few.endswith(
            "58 images of no class cannot show it even if none is taken for a class; it needs 59"
        )
        (none,) = undecidable(Gate(SURE), LABELS, cases(0))
        assert none.endswith("no image is of no class")

    def test_is_shown_where_there_are_such_images(self) -> None:
        """And apart from what classes are taken for each other."""
        found = report(["cat", "dog", "cat", NONE_LABEL, "?"], ["dog", NONE_LABEL, "cat"])
        assert rows(found)["false_accept"].value == 0.6
        assert "false_accept" not in rows(report([], ["cat"]))
        assert [(one.expected, one.predicted) for one in found.among_classes()] == [("cat", "dog")]
        assert len(found.confusions()) == 4
        assert label_texts(found) == (
            (
                "3 of 5 images of no class were taken for one (false accepts): cat 2, dog 1; "
                "1 image of a class called none of these: cat 1"
            ),
        )
