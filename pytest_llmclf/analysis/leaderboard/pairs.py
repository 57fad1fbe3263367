"""The models of one run, compared in pairs: the rows of a leaderboard, image by image."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

from pytest_llmclf.analysis.comparison.paired_comparison import compare_reports
from pytest_llmclf.analysis.comparison.runs import Compared
from pytest_llmclf.analysis.leaderboard.ranking import leaderboard, leaderboards
from pytest_llmclf.models.yardstick.kinds import yardstick_title

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.analysis.leaderboard.ranking import Leaderboard
    from pytest_llmclf.metrics.report import Report

MOST_PAIRS = 3
"""Most pairs of one evaluation told one by one: all of three models."""


def pairs(reports: Sequence[Report], most: int = MOST_PAIRS) -> list[tuple[Report, Report]]:
    """For each evaluation with two or more models: all pairs, in the order asked.

    Where these are more than `most`, so many of those that the best one makes with the others, the
    next best ones first; yardsticks come last, since each is held against all others anyway.
    """
    found: list[tuple[Report, Report]] = []
    for evaluation in dict.fromkeys(report.evaluation for report in reports):
        models = [report for report in reports if report.evaluation == evaluation]
        every = list(combinations(models, 2))
        if len(every) > most:
            first, *others = sorted(
                _ranked(models), key=lambda one: yardstick_title(one.model) is not None
            )
            every = [(first, other) for other in others][:most]
        found += every
    return found


def _ranked(reports: Sequence[Report]) -> Sequence[Report]:
    """Those of one evaluation, the best one first."""
    board = leaderboard(reports)
    return reports if board is None else [row.report for row in board.rows]


def beside_yardsticks(
    reports: Sequence[Report], most: int = MOST_PAIRS
) -> tuple[list[Report], dict[str, tuple[int, int]]]:
    """The reports whose models are told beside yardsticks one by one.

    Args:
        reports: All of a run.
        most: Most pairs of a model and a yardstick of one evaluation; where there are more, the
            best of either is chosen, by its leaderboard.

    Returns:
        Those reports, in their order; and of how many models and yardsticks the best ones were
        chosen, by evaluation.
    """
    told: set[int] = set()
    chosen = {}
    for evaluation in dict.fromkeys(report.evaluation for report in reports):
        ours = [report for report in reports if report.evaluation == evaluation]
        sides: tuple[list[Report], ...] = ([], [])
        for report in _ranked(ours) if len(ours) > most else ours:
            sides[yardstick_title(report.model) is not None].append(report)
        models, yardsticks = sides
        if len(models) * len(yardsticks) > most:
            chosen[evaluation] = (len(models), len(yardsticks))
            ours = [models[0], yardsticks[0]]
        told.update(map(id, ours))
    return [report for report in reports if id(report) in told], chosen


def compare_models(reports: Sequence[Report], most: int = MOST_PAIRS) -> tuple[Compared, ...]:
    """Every pair of `pairs`, as the leaderboard of its evaluation has it.

    All are compared on the images that all models of the evaluation answered, with p-values for all
    pairs of it, those among them that are not in `pairs`.
    """
    boards = {board.evaluation: board for board in leaderboards(reports)}
    chosen = pairs(reports, most)
    return tuple(_paired(*pair, boards.get(pair[0].evaluation)) for pair in chosen)


def _paired(first: Report, second: Report, board: Leaderboard | None) -> Compared:
    p_value = None if board is None else board.p_value(first, second)
    if board is None or p_value is None:
        # One of them has no place among the others.
        apart = {} if board is None else {id(report): why for report, why in board.images.apart}
        found = compare_reports(first, second)
        why = found.refused or apart.get(id(first)) or apart.get(id(second))
        found, p_value = replace(found, refused=why), 1.0
    else:
        images = board.images
        found = compare_reports(
            first, second, among=frozenset(images.cases), not_needed=images.not_asked
        )
    return Compared(
        before=first,
        now=second,
        names=(first.configuration, second.configuration)
        if board is None
        else (board.called(first), board.called(second)),
        comparison=found,
        p_value=p_value,
        tests=0 if board is None else board.tests,
    )
