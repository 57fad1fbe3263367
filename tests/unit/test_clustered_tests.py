"""Two answers to images that are not independent: the test, the interval, and what is said."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from pytest_llmclf.analysis.comparison import baseline
from pytest_llmclf.analysis.comparison.paired_comparison import compare_reports
from pytest_llmclf.analysis.comparison.predictions_file import predictions_text
from pytest_llmclf.analysis.comparison.runs import compare_all
from pytest_llmclf.cli.compare_command import exit_code
from pytest_llmclf.gates.cluster_evidence import clustered_interval
from pytest_llmclf.metrics.intervals import exact_low
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.metrics.significance import mcnemar_exact, sign_flip
from pytest_llmclf.reporting.artifacts import write_run
from pytest_llmclf.reporting.comparison import comparison_lines
from pytest_llmclf.reporting.comparison_json import comparison_json
from pytest_llmclf.reporting.run_folder import read_run
from pytest_llmclf.reporting.style import Style
from tests.unit.ended import ended

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_llmclf.metrics.report import Report


def report(rights: Sequence[int], group: str = "scene", size: int = 10) -> Report:
    """One scene of ten cats for each number of right ones."""
    outcomes = [
        ended(
            f"{scene:03}-{frame}",
            "correct" if frame < right else "misclassified",
            tags={"scene": str(scene)},
        )
        for scene, right in enumerate(rights)
        for frame in range(size)
    ]
    facts = DatasetFacts(
        name="pets", content_hash="", labels=("cat", "dog"), cases_in_dataset=len(outcomes)
    )
    return build(
        evaluation="pets", model="ollama:llava", dataset=facts, outcomes=outcomes, group=group
    )


def text(before: Report, now: Report) -> str:
    """What is printed of their comparison, on one line."""
    (both,) = compare_all([(before, now)])
    lines = comparison_lines(both, Style(width=300))
    return " ".join(" ".join(line.text for line in lines).split())


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 9))
def test_equal_net_gains_are_mcnemar(gains: int, losses: int, size: int) -> None:
    """Whole scenes are to be counted as images are."""
    nets = [size] * gains + [-size] * losses + [0] * 3
    assert sign_flip(nets) == pytest.approx(mcnemar_exact(losses, gains))


@given(st.lists(st.integers(-6, 6), min_size=1, max_size=9))
def test_the_p_value_is_that_of_turning_round_every_way(nets: list[int]) -> None:
    """All 2^n ways, one by one; and scipy's permutation test."""
    ways = [
        abs(sum(sign * net for sign, net in zip(signs, nets, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(nets))
    ]
    share = sum(endpoint_key >= abs(sum(nets)) for endpoint_key in ways) / len(ways)
    assert sign_flip(nets) == pytest.approx(share)
    assert sign_flip([-net for net in nets]) == pytest.approx(share)


def test_the_p_value_equals_scipy() -> None:
    """An independent implementation, exact for ten clusters."""
    nets = [5, -1, 3, 0, 2, 2, -4, 7, 1, 1]
    theirs = scipy_stats.permutation_test(
        (nets,), np.sum, permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip(nets) == pytest.approx(theirs.pvalue)


def test_many_clusters_are_no_trouble() -> None:
    """Two thousand of unequal size: a number, and a small one for a clear loss."""
    nets = [1, -1, 2, -2] * 500
    assert sign_flip(nets) == 1.0
    assert sign_flip([-1, -2] * 200) < 1e-50
    assert 0 < sign_flip([*nets, *[3] * 30]) < 1


def test_no_flip_says_what_that_many_clusters_can() -> None:
    """As a whole scene that nobody saw might: Clopper and Pearson of 35 scenes."""
    ends = clustered_interval([(10, 0)] * 35)
    assert ends is not None
    assert ends.low == pytest.approx(exact_low(35, 35, alpha=0.025) - 1, abs=1e-9)
    assert ends.high == -ends.low


@settings(max_examples=15)
@given(st.lists(st.integers(-4, 4), min_size=2, max_size=12))
def test_turned_round_the_interval_is_its_mirror_image(nets: list[int]) -> None:
    """Which side comes first does not matter."""
    there = clustered_interval([(4, net) for net in nets])
    back = clustered_interval([(4, -net) for net in nets])
    assert there is not None
    assert back is not None
    assert there.low == pytest.approx(-back.high, abs=1e-9)
    assert there.low <= sum(nets) / (4 * len(nets)) <= there.high


@pytest.mark.parametrize("correlation", [0.3, 0.8])
def test_equal_models_differ_as_seldom_as_they_say(correlation: float) -> None:
    """35 scenes of ten frames: at most 5% by scenes, many by images; the interval covers."""
    chance, runs, rate = np.random.default_rng(20), 300, 0.8
    odds = 1 / correlation - 1
    wrong = {"sign flips": 0, "McNemar": 0, "interval": 0}
    for run in range(runs):
        first, second = (
            chance.random((35, 10)) < chance.beta(rate * odds, (1 - rate) * odds, 35)[:, None]
            for _ in range(2)
        )
        gains = second.astype(int) - first
        nets = [int(net) for net in gains.sum(axis=1)]
        wrong["sign flips"] += sign_flip(nets) < 0.05
        wrong["McNemar"] += mcnemar_exact(int((gains < 0).sum()), int((gains > 0).sum())) < 0.05
        if run < 60:
            ends = clustered_interval([(10, net) for net in nets])
            assert ends is not None
            wrong["interval"] += not ends.low <= 0 <= ends.high
    assert wrong["sign flips"] <= 0.075 * runs  # 5% and two standard errors
    assert wrong["McNemar"] > 0.15 * runs
    assert wrong["interval"] <= 6


class TestReports:
    """What is said of two reports."""

    def test_one_scene_is_no_proof(self) -> None:
        """Ten images of one scene broken: by images a loss, by scenes one draw."""
        before, after = report([10] * 35), report([10] * 34 + [0])
        found = compare_reports(before, after)
        assert (found.net_loss, found.p_value, found.loss_shown) == (10, 1.0, False)
        alone = compare_reports(*(replace(side, clusters={}) for side in (before, after)))
        assert alone.loss_shown
        said = text(before, after)
        assert "on the 350 images that both answered (350 in 35 scenes)" in said
        assert "a permutation test of 350 in 35 scenes" in said
        assert "that one is better is not shown" in said
        assert "350 in 35 scenes" in found.summary()

    def test_significant_and_open(self) -> None:
        """Twelve images of twelve scenes: something changed; how further scenes go is open."""
        before, after = report([10] * 35), report([10] * 23 + [9] * 12)
        found = compare_reports(before, after)
        assert found.loss_shown
        assert found.p_value == pytest.approx(2 * 0.5**12)
        assert not found.settled
        assert "which is better on further images is open" in text(before, after)
        assert "significantly better" not in text(before, after)

    def test_no_word_says_more_than_the_sentence(self) -> None:
        """Where which is better is open, B is not called worse or better; a loss is not green."""
        before, after = report([10] * 35), report([10] * 23 + [9] * 12)
        lost, won = compare_all([(before, after)]), compare_all([(after, before)])
        assert [(each.word, each.worse) for each in (*lost, *won)] == [("undecided", False)] * 2
        assert (exit_code(lost), exit_code(won)) == (2, 0)
        settled = compare_all([(report([10] * 35), report([10] * 15 + [0] * 20))])
        assert (settled[0].word, exit_code(settled)) == ("worse", 1)

    def test_significant_and_settled(self) -> None:
        """Many scenes that flip as a whole settle it."""
        before, after = report([10] * 35), report([10] * 15 + [0] * 20)
        assert compare_reports(before, after).settled
        assert "A is significantly better" in text(before, after)

    def test_a_single_scene_has_no_interval(self) -> None:
        """Nor is anything shown."""
        found = compare_reports(report([10]), report([0]))
        assert found.interval is None
        assert found.p_value == 1
        assert "when the run stopped" not in text(report([10]), report([0]))

    def test_a_group_named_later_counts_for_both(self) -> None:
        """The images are the same, whichever run knew of their scenes."""
        before, after = report([10] * 35), report([10] * 34 + [0])
        for sides in ((report([10] * 35, ""), after), (before, report([10] * 34 + [0], ""))):
            assert compare_reports(*sides).p_value == 1.0

    def test_scenes_of_one_image_are_images(self) -> None:
        """The test is McNemar's and the interval its own."""
        found = compare_reports(report([1] * 20, size=1), report([1] * 10 + [0] * 10, size=1))
        assert (found.test, found.clusters) == ("mcnemar-exact", ())

    def test_a_stopped_run_in_scenes_has_no_test(self) -> None:
        """The test that holds however a run stopped is one of images."""
        before, after = report([10] * 35), report([0] * 35)
        left = [
            replace(found, kind="not_needed", predicted=None) if place > 100 else found
            for place, found in enumerate(after.outcomes)
        ]
        after = build(
            evaluation="pets", model=after.model, dataset=after.dataset, outcomes=left,
            group="scene",
        )  # fmt: skip
        found = compare_reports(before, after)
        assert (found.test, found.p_value, found.loss_shown) == ("none", 1.0, False)
        assert "no test holds for 101 in 11 scenes" in text(before, after)
        assert "(" not in found.summary().replace("101 in 11 scenes", "")

    def test_a_baseline_counts_scenes(self) -> None:
        """Committed predictions know no scenes; the run does."""
        texts = [predictions_text(report(rights)) for rights in ([10] * 34 + [0], [10] * 35)]
        now = report([10] * 34 + [0])
        found = baseline.compare(*texts, clusters=now.clusters, group="scene")
        assert baseline.JudgedBaseline(comparison=found).why_failed is None
        assert baseline.JudgedBaseline(comparison=baseline.compare(*texts)).why_failed is not None
        assert "350 in 35 scenes" in baseline.JudgedBaseline(comparison=found).summary()

    def test_a_gain_that_is_open_is_no_reason_to_commit(self) -> None:
        """The baseline says of a gain what `llmclf compare` and the page say: which is open."""
        before, after = report([10] * 23 + [9] * 12), report([10] * 35)
        texts = (predictions_text(after), predictions_text(before))
        found = baseline.compare(*texts, clusters=after.clusters, group="scene")
        assert (found.net_loss, found.direction()) == (-12, "open")
        said = baseline.JudgedBaseline(comparison=found).summary()
        assert "significantly better" not in said
        assert "no net loss" in said

    def test_a_run_folder_keeps_the_clusters(self, tmp_path: Path) -> None:
        """Of a baseline, so that it says the same when it is read back."""
        before, after = report([10] * 35), report([10] * 34 + [0])
        found = compare_reports(before, after)
        write_run(tmp_path, [after], settings={}, environment={}, baselines={after.task: found})
        assert read_run(tmp_path).baselines[after.task] == found
        data = json.loads((tmp_path / "run.json").read_text("utf-8"))
        data["baselines"][0]["clusters"].pop()
        (tmp_path / "run.json").write_text(json.dumps(data))
        with pytest.raises(Exception, match="does not fit its outcomes"):
            read_run(tmp_path)

    def test_as_json(self) -> None:
        """Which test, of how many clusters."""
        found = comparison_json(compare_reports(report([10] * 35), report([10] * 34 + [0])))
        assert (found["test"], found["group"], found["clusters"]) == ("sign-flip", "scene", 35)
