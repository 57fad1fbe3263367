"""What a page knows of several tasks on the same images: leaderboards, and any two of the tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.analysis.leaderboard.difficulty import difficulty
from pytest_llmclf.reporting import numbers
from pytest_llmclf.reporting.cost_text import cost_text
from pytest_llmclf.reporting.html.cases import LONGEST, cut, rounded
from pytest_llmclf.reporting.leaderboard import (
    RIGHT_BY,
    STANDINGS,
    about,
    accuracy_text,
    difference_text,
    difficulty_text,
    doubt,
    hard_text,
    legend,
    remarks,
    verdict,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llmclf.analysis.leaderboard.ranking import Leaderboard, Ranked

MOST_HARD: Final = 10
"""Most images listed that no task has right; the filter shows all."""


def board_json(board: Leaderboard, order: Mapping[int, int]) -> dict[str, Any]:
    """A leaderboard and its hard images.

    Args:
        board: The leaderboard.
        order: By `id` of a report its place among the page's sections.
    """
    found = difficulty(board.images)
    counts = found.counts()
    return {
        "name": board.evaluation,
        "about": about(board),
        "verdict": cut(verdict(board), LONGEST),
        "legend": legend(board),
        "remarks": [cut(text, LONGEST) for text in remarks(board)],
        "sections": [order[id(row.report)] for row in board.rows],
        "rows": [_row(board, row) for row in board.rows],
        "out": list(board.images.left_out),
        "hard": cut(difficulty_text(found), LONGEST),
        "right_by": [[kind, said, counts[kind]] for kind, said in RIGHT_BY.items()],
        "doubt": f"{RIGHT_BY['none']}: {doubt(board)}",
        "doubted": [
            [one.case, cut(hard_text(one, found.tasks), LONGEST)] for one in found.hard[:MOST_HARD]
        ],
    }


def _row(board: Leaderboard, row: Ranked) -> dict[str, Any]:
    ends = row.interval
    return {
        "name": board.called(row.report),
        "value": rounded(row.accuracy.value),
        "low": None if ends is None else rounded(ends.low),
        "high": None if ends is None else rounded(ends.high),
        "accuracy": accuracy_text(row),
        "difference": "" if row.best else difference_text(row),
        "standing": row.standing,
        "said": STANDINGS[row.standing],
        "p": "" if row.p_value is None else numbers.p_value(row.p_value),
        "cost": cost_text(row.judged).removeprefix("an answer: "),
    }
