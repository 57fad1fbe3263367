"""Leaderboards and hard images as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_llmclf.analysis.leaderboard.difficulty import difficulty
from pytest_llmclf.analysis.leaderboard.ranking import leaderboards
from pytest_llmclf.reporting import numbers
from pytest_llmclf.reporting.cost_text import cost_text
from pytest_llmclf.reporting.leaderboard import (
    RIGHT_BY,
    STANDINGS,
    about,
    accuracy_text,
    difference_text,
    difficulty_text,
    doubt,
    legend,
    remarks,
    verdict,
)
from pytest_llmclf.reporting.markdown_text import cell, code, escaped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmclf.analysis.leaderboard.ranking import Leaderboard
    from pytest_llmclf.metrics.report import Report

MOST_HARD: Final = 5
"""Most images listed that no task has right."""


def leaderboard_sections(reports: Sequence[Report]) -> Iterator[Iterator[str]]:
    """The leaderboard of each evaluation that has several tasks, and its hard images."""
    return map(_section, leaderboards(reports))


def _section(board: Leaderboard) -> Iterator[str]:
    yield from (f"### Leaderboard: {code(board.evaluation)}", "")
    yield from (f"**{escaped(verdict(board))}**, {escaped(about(board))}.", "")
    yield "| task | accuracy | to the best | | p | cost |"
    yield "|---|--:|--:|---|--:|---|"
    for row in board.rows:
        cells = (
            cell(board.called(row.report)),
            accuracy_text(row),
            "" if row.best else difference_text(row),
            STANDINGS[row.standing],
            "" if row.p_value is None else numbers.p_cell(row.p_value),
            cost_text(row.judged),
        )
        yield f"| {' | '.join(cells)} |"
    yield ""
    for text in remarks(board):
        yield f"- {escaped(text)}"
    yield from ("", f"<sub>{escaped(legend(board))}</sub>", "")
    yield from _hard(board)


def _hard(board: Leaderboard) -> Iterator[str]:
    found = difficulty(board.images)
    yield from (f"Hard images: {escaped(difficulty_text(found))}.", "")
    if not found.hard:
        return
    yield f"| {RIGHT_BY['none']} ({doubt(board)}) | expected | most say | tasks |"
    yield "|---|---|---|--:|"
    for one in found.hard[:MOST_HARD]:
        cells = map(cell, (one.case, one.expected, one.answer))
        yield f"| {' | '.join(cells)} | {one.times} of {found.tasks} |"
    if len(found.hard) > MOST_HARD:
        yield from ("", f"and {numbers.count(len(found.hard) - MOST_HARD)} more")
    yield ""
