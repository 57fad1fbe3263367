"""Several tasks ranked on the images that all of them answered."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from pytest_llmclf.analysis.comparison.paired_comparison import AnswerCount, compare_reports
from pytest_llmclf.analysis.leaderboard.common_images import NO_ANSWER, CommonImages
from pytest_llmclf.analysis.leaderboard.difficulty import difficulty
from pytest_llmclf.analysis.leaderboard.pairs import compare_models
from pytest_llmclf.analysis.leaderboard.ranking import Leaderboard, judge, leaderboard, leaderboards
from pytest_llmclf.metrics.cost import latency, tokens_read
from pytest_llmclf.metrics.intervals import clopper_pearson, difference_interval
from pytest_llmclf.values.answer import Answer
from tests.unit.test_comparison import report, stopped

if TYPE_CHECKING:
    from pytest_llmclf.metrics.report import Report

CLEAR = {"a": "+" * 18 + "xx", "b": "+" * 4 + "x" * 16, "c": "+" * 3 + "x" * 17}


def tasks(**signs: str) -> list[Report]:
    """A task each, one image a sign."""
    return [report(said, f"ollama:{name}") for name, said in signs.items()]


def board(reports: list[Report]) -> Leaderboard:
    found = leaderboard(reports)
    assert found is not None
    return found


def standings(found: Leaderboard) -> dict[str, str]:
    return {row.report.model.removeprefix("ollama:"): row.standing for row in found.rows}


def test_all_pairs_are_one_family() -> None:
    """P-values are those of statsmodels' exact McNemar test and Holm's method over all pairs."""
    chance = np.random.default_rng(20)
    rates = (0.9, 0.85, 0.8, 0.5, 0.5)
    right = [chance.random(120) < rate for rate in rates]
    found = board([report(["x+"[int(one)] for one in row], f"m{n}") for n, row in enumerate(right)])
    pairs = list(itertools.combinations(range(5), 2))
    raw = []
    for one, other in pairs:
        table = [[0, (right[one] & ~right[other]).sum()], [(right[other] & ~right[one]).sum(), 0]]
        raw.append(min(1.0, mcnemar(table, exact=True).pvalue))
    theirs = dict(zip(pairs, multipletests(raw, method="holm")[1], strict=True))
    assert found.tests == 10
    assert found.p_values == pytest.approx(theirs)
    best = found.rows[0]
    for row in found.rows[1:]:
        pair = (min(best.place, row.place), max(best.place, row.place))
        assert row.p_value == pytest.approx(theirs[pair])
        assert (row.standing == "worse") == (theirs[pair] < 0.05)


def test_the_winner_is_named_only_when_it_is_shown() -> None:
    """It must be better than every other, and of three nearly equal ones none is."""
    found = board(tasks(**CLEAR))
    assert standings(found) == {"a": "shown to be the best", "b": "worse", "c": "worse"}
    assert found.winner is found.rows[0]
    near = {**CLEAR, "d": "x+" + "+" * 16 + "xx"}
    found = board(tasks(**near))
    assert found.winner is None
    assert standings(found) == {
        "a": "best here",
        "d": "not told apart from the best",
        "b": "worse",
        "c": "worse",
    }


def test_of_equal_tasks_none_is_the_best() -> None:
    """The first one stands in front, and nothing is said of it."""
    found = board(tasks(b="+x" * 20, a="x+" * 20))
    assert standings(found) == {"b": "best here", "a": "not told apart from the best"}
    assert [row.difference for row in found.rows] == [0, 0]


def test_a_row_has_both_intervals() -> None:
    """The accuracy's by itself, the difference's for all pairs at once."""
    found = board(tasks(**CLEAR))
    best, second, _ = found.rows
    assert best.interval == clopper_pearson(18, 20)
    assert (best.difference, best.difference_interval, best.p_value) == (0, None, None)
    assert second.difference == pytest.approx(-0.7)
    ends = second.difference_interval
    assert ends is not None
    assert ends.confidence == pytest.approx(1 - 0.05 / 3)
    assert ends == difference_interval(14, 0, 20, confidence=ends.confidence)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text("+x?", min_size=12, max_size=12), min_size=2, max_size=4))
def test_every_pair_is_judged_as_a_comparison_judges_it(signs: list[str]) -> None:
    """Counts, p-value before Holm, and interval of any pair are those of two reports alone."""
    found = board([report(said, f"m{n}") for n, said in enumerate(signs)])
    for one, other in itertools.combinations(range(len(signs)), 2):
        alone = compare_reports(found.images.reports[one], found.images.reports[other])
        assert found.images.flips(one, other) == alone.flips
    # And the pairs that are shown one by one have the leaderboard's p-values.
    for pair in compare_models(found.images.reports):
        assert pair.p_value == found.p_value(pair.before, pair.now)
        assert pair.tests == found.tests


class TestWhichImages:
    """Only what all tasks answered is in any number, and what is not is counted."""

    def test_an_image_without_an_answer_counts_for_nobody(self) -> None:
        """Nor one that a task does not have; an answer without a label is a wrong one."""
        reports = tasks(a="+++x!+", b="++x?++", c="++!+++")
        found = board([*reports[:2], replace(reports[2])])
        assert found.images.cases == ("00.png", "01.png", "03.png", "05.png")
        assert found.images.left_out == ("02.png", "04.png")
        assert found.images.lacking == (1, 0, 1)
        assert {row.report.model: row.accuracy.hits for row in found.rows} == {
            "ollama:a": 3,
            "ollama:b": 3,
            "ollama:c": 4,
        }
        pair = compare_models(reports)[0]
        assert (pair.comparison.unanswered, pair.comparison.elsewhere) == (("04.png",), ("02.png",))
        assert pair.comparison.cases == found.images.cases

    def test_samples_are_ranked_on_what_they_share(self) -> None:
        """One left the first image out on purpose, one the last."""
        whole = report("+++x", "a")
        first, last = (
            replace(
                report(said, model, whole=5),
                outcomes=report(said, model).outcomes[cut],
                ledger=replace(whole.ledger, collected=3),
            )
            for said, model, cut in (("+x++", "b", slice(1, None)), ("xx++", "c", slice(3)))
        )
        found = board([whole, first, last])
        assert found.images.cases == ("01.png", "02.png")
        assert len(found.images.left_out) == 2

    def test_what_was_not_looked_at_is_not_judged(self) -> None:
        """All tasks are ranked on what the first to stop had seen, by the test that allows it."""
        order = list(range(20))
        whole = report("+" * 20, "a")
        short = stopped("x" * 8 + "-" * 12, order, 8, model="b")
        long = stopped("x" * 14 + "-" * 6, order, 14, model="c")
        found = board([whole, short, long])
        assert len(found.images.cases) == 8
        assert len(found.images.not_asked) == 12
        assert all(row.interval is row.difference_interval is None for row in found.rows)
        # 8 of 8 flips: 9 / 2^8 holds whenever one stops, and three pairs count.
        assert found.p_value(whole, short) == pytest.approx(3 * 9 / 2**8)
        assert found.p_value(whole, long) == pytest.approx(3 * 9 / 2**8)
        assert standings(found)["c"] == "not told apart from the best"
        pair = compare_models([whole, short, long])[1]
        assert (pair.now.model, pair.comparison.common, pair.comparison.test) == (
            "c",
            8,
            "anytime",
        )
        # Two that stopped in two orders share no images that a test could be made on.
        other = stopped("+" * 9 + "-" * 11, order[::-1], 9, model="d")
        assert [report for report, _ in board([whole, short, long, other]).images.apart] == [other]

    def test_a_task_that_does_not_fit_is_left_out(self) -> None:
        """With the reason, wherever it stands, and it takes nothing from the others."""
        odd = report("+" * 20, "ollama:odd", content="other", hashed=False)
        silent = report("!" * 20, "ollama:silent")
        found = board([odd, *tasks(**CLEAR), silent])
        assert [one.model for one in found.images.reports] == ["ollama:a", "ollama:b", "ollama:c"]
        reasons = {one.model: why for one, why in found.images.apart}
        assert "different image sets" in reasons["ollama:odd"]
        assert reasons["ollama:silent"] == NO_ANSWER
        assert found.tests == 3
        refused = [pair for pair in compare_models([*tasks(**CLEAR), silent]) if not pair.tests]
        assert refused == []

    def test_repeats_are_in_no_count(self) -> None:
        """Only the first asking is judged."""
        plain, other = tasks(a="+++x", b="++xx")
        again = [replace(one, repeat=1, kind="correct", predicted="cat") for one in other.outcomes]
        found = board([plain, replace(other, repeats=tuple(again))])
        assert [row.accuracy.hits for row in found.rows] == [3, 2]

    def test_variants_are_tasks(self) -> None:
        """Of one model, told apart by their names."""
        one, other = (
            replace(
                report(signs, "m"),
                variant=name,
                outcomes=tuple(
                    replace(found, variant=name) for found in report(signs, "m").outcomes
                ),
            )
            for name, signs in (("", CLEAR["a"]), ("no example", CLEAR["b"]))
        )
        found = board([one, other])
        assert [row.report.configuration for row in found.rows] == ["m", "m · no example"]
        assert found.winner is found.rows[0]

    def test_evaluations_are_ranked_apart(self) -> None:
        """One alone is compared with nobody."""
        reports = [*tasks(a="+x", b="xx"), report("++", evaluation="other")]
        assert [one.evaluation for one in leaderboards(reports)] == ["pets"]
        assert leaderboard(reports[:1]) is None
        assert leaderboard([report("+!", "a"), report("!+", "b")]) is None


def test_images_of_a_group_are_one_draw() -> None:
    """Ten frames that flip together are one flip: nothing is shown of 3 scenes."""
    signs = {"a": "+" * 30, "b": "x" * 30, "c": "+" * 10 + "x" * 20}

    def grouped(one: Report) -> Report:
        clusters = {found.case: f"scene {place // 10}" for place, found in enumerate(one.outcomes)}
        return replace(one, group="scene", clusters=clusters)

    found = board([grouped(one) for one in tasks(**signs)])
    assert set(standings(found).values()) == {"best here", "not told apart from the best"}
    assert found.p_value(*found.images.reports[:2]) == pytest.approx(3 * 2 / 2**3)
    pair = compare_reports(*found.images.reports[:2])
    assert found.images.flips(0, 1) == pair.flips
    assert pair.test == "sign-flip"
    # The row's interval counts scenes, too: for one that is right or wrong as a whole, exactly.
    assert found.rows[2].interval is not None
    assert found.rows[0].interval is not None
    assert found.rows[0].interval.low == pytest.approx(clopper_pearson(3, 3).low, abs=1e-9)
    # By images both would be shown at once.
    assert standings(board(tasks(**signs)))["b"] == "worse"


def test_no_test_has_no_p_value() -> None:
    """Of groups in a run that stopped early nothing is known."""

    def grouped(one: Report) -> Report:
        clusters = {found.case: f"scene {place // 4}" for place, found in enumerate(one.outcomes)}
        return replace(one, group="scene", clusters=clusters)

    order = list(range(20))
    early = stopped("x" * 12 + "-" * 8, order, 12, model="b")
    found = board([grouped(report("+" * 20, "a")), grouped(early)])
    assert [row.p_value for row in found.rows] == [None, None]
    assert found.rows[1].standing == "not told apart from the best"


def test_costs_are_those_of_the_common_images() -> None:
    """What a task spent on an image that another one has no answer to is not held against it."""
    dear, other = tasks(a="+++", b="!++")
    told = [
        Answer(text="cat", prompt_tokens=tokens, answer_tokens=4, wall_s=0.5)
        for tokens in (9000, 600, 700)
    ]
    outcomes = zip(dear.outcomes, told, strict=True)
    dear = replace(dear, outcomes=tuple(replace(old, answer=new) for old, new in outcomes))
    first, second = board([dear, other]).rows
    assert tokens_read(first.judged).value == 650
    assert latency(first.judged, 0.5).value == 0.5
    assert tokens_read(second.judged).value is None


def test_answers_before_and_after_are_counted() -> None:
    """Only those whose number changed, on the images that both answered."""
    before, now = tasks(a="+++x!x", b="+xx?++")
    # All images show a cat; wrong answers name a dog. 04.png has no answer on one side.
    assert compare_reports(before, now).answers == (
        AnswerCount(said="(unparsed)", before=0, now=1),
        AnswerCount(said="cat", before=3, now=2),
    )
    assert compare_reports(before, before).answers == ()


class TestHardImages:
    """How many tasks are right on each image."""

    def test_kinds_are_counted(self) -> None:
        """Each common image is of exactly one kind, and who alone is right is known."""
        reports = tasks(a="+++x!+", b="++xx+x", c="+xxx+x")
        found = difficulty(board(reports).images)
        assert found.right_by == {
            "00.png": "all",
            "01.png": "some",
            "02.png": "one",
            "03.png": "none",
            "05.png": "one",
        }
        assert found.counts() == {"all": 1, "some": 1, "one": 2, "none": 1}
        assert {case: one.model for case, one in found.only.items()} == {
            "02.png": "ollama:a",
            "05.png": "ollama:a",
        }
        assert found.left_out == 1

    def test_images_that_all_call_the_same_come_first(self) -> None:
        """They are the likeliest to be labelled wrongly, and nothing is claimed."""
        reports = tasks(a="??x", b="?xx", c="xxx")
        found = difficulty(board(reports).images).hard
        assert [(one.case, one.answer, one.times) for one in found] == [
            ("02.png", "dog", 3),
            ("00.png", "(unparsed)", 2),
            ("01.png", "dog", 2),
        ]
        assert {one.expected for one in found} == {"cat"}

    def test_of_two_tasks_one_is_no_some(self) -> None:
        """Right by one of two is right by one only."""
        found = difficulty(board(tasks(a="+x", b="xx")).images)
        assert found.counts() == {"all": 0, "some": 0, "one": 1, "none": 1}


@pytest.mark.parametrize("worse", [0, 3])
def test_equal_tasks_are_seldom_told_apart(worse: int) -> None:
    """Six tasks of which some are truly worse: a false statement in at most 5% of runs.

    Held against the best alone, as if it had been chosen beforehand, it would be many more.
    """
    chance, runs, wrong, naive = np.random.default_rng(15), 1000, 0, 0
    for _ in range(runs):
        rates = [0.8] * (6 - worse) + [0.55] * worse
        hard = chance.random(100) < 0.5  # what is hard for one is hard for others
        right = [chance.random(100) < np.where(hard, rate - 0.15, rate + 0.15) for rate in rates]
        images = CommonImages(cases=tuple(map(str, range(100))), right=np.array(right))
        judged = judge(images)
        best, equal = judged.order[0], set(range(6 - worse))
        told = {place for place, said in judged.standings.items() if said == "worse"}
        # All the equal ones are the best, whichever is called so.
        wrong += bool(told & equal)
        naive += any(images.flips(best, place).p_value < 0.05 for place in equal - {best})
    assert wrong <= 0.064 * runs  # 5% and two standard errors
    assert worse or naive > 0.12 * runs
