"""Images that are no independent evidence: copies, and frames of one scene."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats as scipy_stats

from pytest_llmclf.analysis.diagnosis.diagnose import diagnose
from pytest_llmclf.gates.cluster_evidence import by_cluster
from pytest_llmclf.gates.evidence import evidence_of, interval_of, proportion
from pytest_llmclf.gates.expression import parse
from pytest_llmclf.gates.feasible import undecidable
from pytest_llmclf.gates.gate import Gate
from pytest_llmclf.gates.judging import judge
from pytest_llmclf.gates.sequential.question import questions, why_not_early
from pytest_llmclf.metrics.clusters import clusters_of, counted, mean_size, one_each
from pytest_llmclf.metrics.intervals import clopper_pearson, exact_low
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.reporting.artifacts import write_run
from pytest_llmclf.reporting.diagnosis import finding_text
from pytest_llmclf.reporting.run_folder import read_run
from pytest_llmclf.reporting.style import Style
from pytest_llmclf.reporting.terminal import report_lines, with_interval
from pytest_llmclf.values.case import Case
from pytest_llmclf.values.outcome import Outcome
from tests.unit.ended import ended

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmclf.gates.bounds import Evidence
    from pytest_llmclf.metrics.report import Report

METRICS = (
    "accuracy", "balanced_accuracy", "macro_precision", "macro_recall", "macro_f1",
    "weighted_precision", "weighted_recall", "weighted_f1", "unparsed_rate", "recall[cat]",
    "precision[dog]", "f1[dog]",
)  # fmt: skip


def built(outcomes: Sequence[Outcome], group: str = "scene") -> Report:
    """Their report."""
    facts = DatasetFacts(
        name="pets", content_hash="", labels=("cat", "dog"), cases_in_dataset=len(outcomes)
    )
    return build(
        evaluation="pets", model="ollama:llava", dataset=facts, outcomes=outcomes, group=group
    )


def scenes(rights: Sequence[int], size: int = 10, group: str = "scene") -> Report:
    """One scene of so many images for each number of right ones, cats and dogs by turns."""
    outcomes = []
    for scene, right in enumerate(rights):
        for frame in range(size):
            expected = ("cat", "dog")[frame % 2]
            found = ended(
                f"{scene:03}-{frame}",
                "correct" if frame < right else "misclassified",
                expected,
                tags={"scene": str(scene), "light": ("day", "night")[scene % 2]},
            )
            if found.kind == "misclassified":
                found = replace(found, predicted=("dog", "cat")[frame % 2])
            outcomes.append(found)
    return built(outcomes, group)


def said(metric: str, report: Report) -> Evidence:
    """The evidence of a report about a metric."""
    ((threshold),) = parse(f"{metric} >= 0.5").thresholds
    return evidence_of(threshold, report, threshold.measure(report))


class TestClusters:
    """What belongs together."""

    def test_every_image_by_itself_is_no_cluster(self) -> None:
        """Nothing is said where nothing is together."""
        images = [("a", "1", {"scene": "x"}), ("b", "2", {"scene": "y"})]
        assert clusters_of(images) == clusters_of(images, "scene") == {}

    def test_images_of_unknown_bytes_are_no_copies(self) -> None:
        """An empty digest is not a digest in common."""
        assert clusters_of([("a", "", {}), ("b", "", {})]) == {}

    def test_copies_are_together(self) -> None:
        """Whatever they are called and whatever order they come in."""
        images: list[tuple[str, str, dict[str, str]]]
        images = [("b", "1", {}), ("a", "1", {}), ("c", "2", {})]
        found = clusters_of(images)
        assert found["a"] == found["b"] != found["c"]
        assert clusters_of(images[::-1]) == found

    def test_a_copy_is_in_the_group_of_its_original(self) -> None:
        """Not in that of its own tag, and the others of that group stay."""
        images = [
            ("a", "1", {"scene": "x"}), ("b", "1", {"scene": "y"}), ("c", "2", {"scene": "y"}),
        ]  # fmt: skip
        found = clusters_of(images, "scene")
        assert found["a"] == found["b"] != found["c"]

    def test_an_image_is_never_taken_for_a_group_of_its_name(self) -> None:
        """A value of the tag may be what another image is called."""
        images = [("x", "", {}), ("a", "", {"scene": "x"}), ("b", "", {"scene": "x"})]
        found = clusters_of(images, "scene")
        assert found["x"] != found["a"] == found["b"]

    def test_one_of_each(self) -> None:
        """One a cluster, the same every time."""
        clusters = {"a": "1", "b": "1", "c": "2"}
        chosen = one_each(clusters)
        assert len(chosen) == 2
        assert "c" in chosen
        assert one_each(dict(reversed(clusters.items()))) == chosen

    def test_the_mean_size_is_that_of_an_image_drawn_at_random(self) -> None:
        """Kish's: a large cluster is met more often."""
        assert mean_size([10, 10, 10]) == 10
        assert mean_size([1] * 98 + [2]) == pytest.approx(1.02)
        assert mean_size([]) == 1

    @pytest.mark.parametrize(
        ("group", "text"),
        [
            ("scene", "348 in 35 scenes"),
            ("body", "348 in 35 bodies"),
            ("batch", "348 in 35 batches"),
            ("day", "348 in 35 days"),
            ("patient_id", "348 in 35 groups by patient_id"),
            ("", "348, of which 35 are no copies"),
        ],
    )
    def test_how_it_is_said(self, group: str, text: str) -> None:
        """As a person would."""
        assert counted(348, 35, group) == text


class TestBounds:
    """How sure clusters make one."""

    @pytest.mark.parametrize("metric", METRICS)
    def test_the_estimate_stays_the_metric(self, metric: str) -> None:
        """Clusters change how sure one is and not what was measured."""
        report = scenes([10, 3, 7, 0, 9, 8])
        ((threshold),) = parse(f"{metric} >= 0.5").thresholds
        measured = threshold.measure(report).value
        assert said(metric, report).estimate == pytest.approx(measured, abs=1e-9)

    @pytest.mark.parametrize("metric", METRICS)
    def test_clusters_of_one_image_change_nothing(self, metric: str) -> None:
        """A group tag with a value an image, and no group at all."""
        report = scenes([1, 0, 1, 1, 0, 1, 1], size=1)
        assert said(metric, report) == said(metric, scenes([1, 0, 1, 1, 0, 1, 1], 1, group=""))

    def test_whole_scenes_are_clopper_and_pearson_of_scenes(self) -> None:
        """Ten frames that are always right or wrong together are one draw."""
        found = said("accuracy", scenes([10] * 29 + [0] * 6))
        assert found.low(0.05) == pytest.approx(exact_low(29, 35, alpha=0.05), abs=1e-9)
        assert found.doubt_at_least(0.7) == pytest.approx(scipy_stats.binom.sf(28, 35, 0.7))
        assert found.doubt_at_most(0.9) == pytest.approx(scipy_stats.binom.cdf(29, 35, 0.9))

    def test_mixed_scenes_are_what_drawing_at_random_gives(self) -> None:
        """A hundred thousand draws of the cluster bootstrap with its worst case."""
        rights = np.array([10, 9, 9, 7, 4, 10, 8, 10, 0, 6])
        found = said("accuracy", scenes(list(rights)))
        draws = np.random.default_rng(20).exponential(size=(100_000, len(rights) + 1))
        for unseen, tail in ((0, found.doubt_at_least), (10, found.doubt_at_most)):
            shares = draws @ np.append(rights, unseen) / (10 * draws.sum(axis=1))
            for bound in (0.5, 0.7, 0.8):
                below = (shares < bound).mean()
                drawn = below if unseen == 0 else 1 - below
                assert tail(bound) == pytest.approx(drawn, abs=5e-3)

    def test_the_ends_agree_with_the_doubts(self) -> None:
        """An end is where the doubt is the error allowed."""
        for metric in METRICS:
            found = said(metric, scenes([10, 9, 9, 7, 4, 10, 8, 10, 0, 6]))
            if found.estimate:
                assert found.doubt_at_least(found.low(0.05)) == pytest.approx(0.05, abs=1e-6)
                assert found.doubt_at_most(found.high(0.05)) == pytest.approx(0.05, abs=1e-6)

    def test_a_copy_costs_little(self) -> None:
        """One pair of copies among a hundred right images is not half of the evidence."""
        images = [(str(place), 1.0, 0.0) for place in range(100)]
        clusters = {str(place): str(max(place, 1)) for place in range(100)}
        found = by_cluster(proportion(100, 100), images, clusters)
        assert exact_low(97, 97, alpha=0.05) < found.low(0.05) < exact_low(100, 100, alpha=0.05)

    @pytest.mark.parametrize("correlation", [0.2, 0.5, 1.0])
    def test_verdicts_are_wrong_as_seldom_as_they_say(self, correlation: float) -> None:
        """Ten frames a scene, 35 scenes, the truth at the bound; independent ones err often."""
        chance, truth, runs = np.random.default_rng(20), 0.8, 300
        clusters = {str(place): str(place // 10) for place in range(350)}
        wrong = {"as scenes": 0, "as images": 0}
        for _ in range(runs):
            if correlation == 1:
                rates = (chance.random(35) < truth).astype(float)
            else:
                odds = 1 / correlation - 1
                rates = chance.beta(truth * odds, (1 - truth) * odds, 35)
            hits = chance.random((35, 10)) < rates[:, None]
            images = [
                (str(place), float(hit), float(not hit)) for place, hit in enumerate(hits.flat)
            ]
            plain = proportion(int(hits.sum()), 350)
            wrong["as images"] += plain.doubt_at_least(truth) <= 0.05
            wrong["as scenes"] += by_cluster(plain, images, clusters).doubt_at_least(truth) <= 0.05
        assert wrong["as scenes"] <= 0.05 * runs
        assert wrong["as images"] > 0.1 * runs


class TestReports:
    """What a report says."""

    def test_a_gate_counts_scenes(self) -> None:
        """The same counts pass as images and are too few as scenes; the line says which."""
        rights = [10] * 32 + [0] * 3
        gate = Gate("accuracy >= 0.85 with 95% confidence")
        (alone,) = judge(scenes(rights, group=""), [gate])
        (together,) = judge(scenes(rights), [gate])
        assert (alone.word, together.word) == ("PASS", "INCONCLUSIVE")
        assert "of images like these (350 in 35 scenes)" in together.text
        assert "0.9143 (320/350)" in together.text
        assert "scenes" not in alone.text

    def test_the_documented_example(self) -> None:
        """The figures of docs/statistics.md."""
        docs = Path(__file__).parents[2] / "docs" / "statistics.md"
        text = " ".join(docs.read_text("utf-8").split())
        gate = Gate("accuracy >= 0.85 with 95% confidence")
        for group in ("scene", ""):
            (verdict,) = judge(scenes([10] * 32 + [0] * 3, group=group), [gate])
            ends = verdict.text.partition("plausibly ")[2].partition(" (")[0]
            assert ends in text

    def test_a_gate_about_these_images_counts_images(self) -> None:
        """On these very images nothing is together."""
        for group in ("scene", ""):
            (verdict,) = judge(scenes([10] * 32 + [0] * 3, group=group), [Gate("accuracy >= 0.91")])
            assert verdict.text == "accuracy >= 0.91: 0.9143 (320/350) on these 350 images"

    @pytest.mark.parametrize("rights", [[10], [3]])
    def test_one_scene_decides_nothing(self, rights: list[int]) -> None:
        """However low or high the bound is."""
        report = scenes(rights)
        for text in ("accuracy >= 0.02", "accuracy >= 0.98", "recall[*] >= 0.02"):
            (verdict, *_) = judge(report, [Gate(f"{text} with 95% confidence")])
            assert verdict.word == "INCONCLUSIVE"
        assert interval_of(report.accuracy, report) is None
        assert "interval" not in with_interval(report.accuracy, Style(), report)

    def test_a_slice_counts_its_own_scenes(self) -> None:
        """A slice is judged on the scenes that are in it."""
        report = scenes([10] * 40)
        (verdict,) = judge(report, [Gate("accuracy{light=day} >= 0.8 with 95% confidence")])
        assert "(200 in 20 scenes)" in verdict.text
        night = [found for found in report.outcomes if found.tags["light"] == "night"]
        ends = interval_of(report.where({"light": "night"}).accuracy, report, night)
        assert ends is not None
        assert ends.low == pytest.approx(clopper_pearson(20, 20).low, abs=1e-9)

    def test_copies_are_one_piece_of_evidence(self) -> None:
        """Fifty copies of one right image show less than fifty right images."""
        copies = [ended(f"a{place}", "correct", tags={}) for place in range(50)]
        copies = [replace(found, sha256="ab") for found in copies]
        others = [ended(f"b{place}", "correct") for place in range(10)]
        report = built([*copies, *others], group="")
        (verdict,) = judge(report, [Gate("accuracy >= 0.9 with 95% confidence")])
        assert verdict.word == "INCONCLUSIVE"
        assert "1.0000 (60/60)" in verdict.text
        assert "(60, of which 11 are no copies)" in verdict.text
        shown = "\n".join(line.text for line in report_lines(report, Style(width=200)))
        assert "60, of which 11 are no copies" in shown

    @pytest.mark.parametrize("metric", ["recall[*]", "precision[*]", "f1[*]", "recall[*]{half=0}"])
    def test_many_classes_walk_the_images_no_more_often(self, metric: str) -> None:
        """Neither all of them nor those of a slice, whichever verdicts come out."""
        walks = {
            classes: _walks(f"{metric} >= 0.9 with 95% confidence", classes) for classes in (3, 60)
        }
        assert walks[3] == walks[60]

    def test_the_table_has_the_interval_of_scenes(self) -> None:
        """Wider than of images, and the head says why."""
        report = scenes([10] * 29 + [0] * 6)
        text = with_interval(report.accuracy, Style(), report)
        ends = clopper_pearson(29, 35)
        assert text == f"0.829 (290/350), 95% interval {ends.low:.3f}–{ends.high:.3f}"
        shown = "\n".join(line.text for line in report_lines(report, Style(width=200)))
        assert "350 in 35 scenes" in shown
        assert text in shown

    def test_what_scenes_cannot_show_is_told_beforehand(self) -> None:
        """Fifty images in five scenes cannot show what fifty images can."""
        report = scenes([10] * 5)
        cases = [_case(found) for found in report.outcomes]
        gate = Gate("accuracy >= 0.9 with 95% confidence")
        assert undecidable(gate, ("cat", "dog"), cases) == ()
        (told,) = undecidable(gate, ("cat", "dog"), cases, "scene")
        assert "50 images (50 in 5 scenes) cannot show it even if all are right" in told
        assert "it needs 290 in groups of such sizes" in told

    def test_confidence_needs_every_image_where_images_are_together(self) -> None:
        """One count does not tell how it is spread over scenes; these images are no matter."""
        report = scenes([10] * 5)
        cases = [_case(found) for found in report.outcomes]
        sure, plain = Gate("accuracy >= 0.8 with 95% confidence"), Gate("accuracy >= 0.8")
        for group, known in (("scene", False), ("", True)):
            asked = questions(
                [sure, plain], ("cat", "dog"), cases, "m", imported=False, group=group
            )
            assert isinstance(asked[0], str) is not known
            assert not isinstance(asked[1], str)
        assert why_not_early(sure.parsed.thresholds[0], sure.certainty(("cat", "dog"))) is None

    def test_a_stopped_run_with_groups_is_judged_as_it_was(self) -> None:
        """Read back, a gate with confidence stays an obstacle."""
        report = scenes([10] * 5)
        outcomes = [
            replace(found, kind="not_needed", predicted=None) if place > 20 else found
            for place, found in enumerate(report.outcomes)
        ]
        order = tuple(found.case for found in outcomes)
        stopped = replace(built(outcomes), order=order, stop_error=0.05)
        (verdict,) = judge(stopped, [Gate("accuracy >= 0.3 with 95% confidence")])
        assert verdict.word == "INCONCLUSIVE"
        assert "spread over groups or copies" in verdict.text

    def test_a_run_folder_keeps_the_group(self, tmp_path: Path) -> None:
        """So that it can be judged again."""
        report = scenes([10] * 32 + [0] * 3)
        write_run(tmp_path, [report], settings={}, environment={})
        (back,) = read_run(tmp_path).reports
        assert (back.group, back.clusters) == ("scene", report.clusters)
        gate = Gate("accuracy >= 0.85 with 95% confidence")
        assert judge(back, [gate]) == judge(report, [gate])
        written = json.loads((tmp_path / "run.json").read_text("utf-8"))["reports"][0]
        assert (written["group"], written["clusters"]) == ("scene", 35)


class _Counted(tuple[Outcome, ...]):
    """Outcomes that count how often they are walked."""

    __slots__ = ()
    walks = 0

    def __iter__(self) -> Iterator[Outcome]:
        """As ever, and counted."""
        _Counted.walks += 1
        return super().__iter__()


def _walks(gate: str, classes: int) -> int:
    """How often a gate walks all images, two of each of so many classes and one copy."""
    outcomes = _Counted(
        replace(
            ended(f"{label:03}-{n}", "correct", f"c{label:03}", tags={"half": str(label % 2 * n)}),
            sha256="0" if label == 0 else f"{label}-{n}",
        )
        for label in range(classes)
        for n in range(2)
    )
    facts = DatasetFacts(
        name="pets",
        content_hash="",
        labels=tuple(f"c{label:03}" for label in range(classes)),
        cases_in_dataset=len(outcomes),
    )
    whole = build(evaluation="pets", model="ollama:llava", dataset=facts, outcomes=outcomes)
    report = replace(whole, outcomes=outcomes)
    assert report.clusters
    before = _Counted.walks
    verdicts = judge(report, [Gate(gate)])
    assert verdicts[0].word == "INCONCLUSIVE"
    return _Counted.walks - before


def _case(outcome: Outcome) -> Case:
    return Case(id=outcome.case, root=Path(), sha256="", label=outcome.expected, tags=outcome.tags)


class TestDiagnosis:
    """Findings rest on independent images."""

    def test_one_bad_scene_is_no_weak_slice(self) -> None:
        """Twenty frames by night, of two scenes, are no proof against nights."""
        rights = [10] * 40
        outcomes = [
            replace(found, tags={**found.tags, "light": "night"})
            if found.tags["scene"] in ("1", "3")
            else replace(found, tags={**found.tags, "light": "day"})
            for found in scenes(rights).outcomes
        ]
        outcomes = [
            replace(found, kind="unparsed", predicted=None)
            if found.tags["light"] == "night"
            else found
            for found in outcomes
        ]
        kinds = {found.kind for found in diagnose(built(outcomes, group=""))}
        assert "weak-slice" in kinds
        assert "weak-slice" not in {found.kind for found in diagnose(built(outcomes))}

    def test_what_was_tested_is_said(self) -> None:
        """Before findings of one image a scene, and of copies."""
        found = diagnose(scenes([0] * 40))
        assert found[0].kind == "one-each"
        assert finding_text(found[0]).startswith(
            "Tested on one image of each scene, 40 of 400 answers chosen by name"
        )
        copies = [replace(found, sha256=found.case[:-1]) for found in scenes([0] * 40, 2).outcomes]
        (first, *_) = diagnose(built(copies, group=""))
        assert finding_text(first) == (
            "Tested without copies, on 40 of 80 answers: a copy is no further evidence."
        )

    def test_nothing_is_said_where_nothing_is_found(self) -> None:
        """A good model in scenes has no findings at all."""
        assert diagnose(scenes([10] * 40)) == ()

    def test_answers_without_a_label_are_counted_on_all_images(self) -> None:
        """They are no claim about other images."""
        outcomes = [
            replace(found, kind="unparsed", predicted=None, reason="refusal")
            if found.case.endswith("3")
            else found
            for found in scenes([10] * 40).outcomes
        ]
        (found,) = (one for one in diagnose(built(outcomes)) if one.kind == "unparsed")
        assert (found.count, found.answered) == (40, 400)

    def test_scenes_that_fail_as_a_whole_give_few_false_alarms(self) -> None:
        """No slice is worse than others, but whole scenes fail: 40 scenes, 60 seeded runs."""
        chance, runs = random.Random(20), 60  # noqa: S311 - a seeded simulation
        wrong = {"scene": 0, "": 0}
        for _ in range(runs):
            rights = [10 if chance.random() < 0.7 else 0 for _ in range(40)]
            report = scenes(rights)
            for group in wrong:
                kinds = {found.kind for found in diagnose(built(report.outcomes, group))}
                wrong[group] += "weak-slice" in kinds
        assert wrong["scene"] <= 0.05 * runs
        assert wrong[""] > 0.2 * runs
