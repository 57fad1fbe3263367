"""What a page knows of several tasks on the same images: leaderboards, and any two of the tasks."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.analysis.comparison.paired_comparison import answer_counts
from pytest_llmclf.analysis.leaderboard.difficulty import difficulty
from pytest_llmclf.metrics.measure import Ratio
from pytest_llmclf.reporting import numbers
from pytest_llmclf.reporting.comparison import answers_text
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
from pytest_llmclf.values.provenance import compare_provenance

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from pytest_llmclf.analysis.comparison.flips import Direction
    from pytest_llmclf.analysis.leaderboard.ranking import Leaderboard, Ranked
    from pytest_llmclf.values.provenance import ProvenanceChange

MOST_HARD: Final = 10
"""Most images listed that no task has right; the filter shows all."""
MOST_DIFFS: Final = 200
"""Most pairs of which the page has what else differs: all of twenty tasks."""
LONGEST_TOLD: Final = 200_000
"""Most characters of what a model was told: a thousand labels with a description each."""
_WORDS: Final[dict[Direction, str]] = {
    "worse": "worse",
    "better": "better",
    "open": "undecided",
    "not shown": "difference not shown",
}


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


def else_json(change: ProvenanceChange | None) -> list[list[str]]:
    """What else differs: sentences, each with its diff."""
    if change is None:
        return []
    return [
        [cut(sentence, LONGEST), cut("\n".join(diff), LONGEST_TOLD)]
        for sentence, diff in change.sentences()
    ]


def other_pairs(
    board: Leaderboard, key: int, order: Mapping[int, int], shown: Collection[tuple[int, int]]
) -> Iterator[dict[str, Any]]:
    """Every pair of tasks of a leaderboard that is not shown in full.

    Which images differ the page finds out itself, from the answers that it has.

    Args:
        board: The leaderboard.
        key: Its place among the page's.
        order: By `id` of a report its place among the page's sections.
        shown: Places of the pairs that are shown in full, the first side before the second.
    """
    images = board.images
    known = [report.provenance for report in images.reports]
    said = [Counter(side[case].said for case in images.cases) for side in images.sides]
    for (first, second), p_value in board.p_values.items():
        before, now = (images.reports[place] for place in (first, second))
        places = order[id(before)], order[id(now)]
        if places in shown or places[::-1] in shown:
            continue
        flips = images.flips(first, second)
        right = [int(images.right[place].sum()) for place in (first, second)]
        yield {
            "names": [board.called(before), board.called(now)],
            "what": "models",
            "before": places[0],
            "now": places[1],
            "board": key,
            "refused": None,
            "notes": ["Its interval and its scores: llmclf compare."],
            "else": else_json(compare_provenance(known[first], known[second], images=True))
            if board.tests <= MOST_DIFFS
            else [],
            "common": flips.common,
            "accuracies": [numbers.counted(Ratio(hits=hits, total=flips.common)) for hits in right],
            "difference": f"{flips.difference or 0.0:+.3f}",
            "interval": "",
            "p": "no test holds" if flips.test == "none" else numbers.p_value(p_value),
            "tests": board.tests,
            "word": _WORDS[flips.direction(p_value)],
            "margin": "",
            "answers": cut(answers_text(answer_counts(said[first], said[second])), LONGEST),
            "apart": [],
            "scores": [],
            "changes": None,
            "left_out": [],
        }
