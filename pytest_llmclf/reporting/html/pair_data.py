"""What a page knows of two reports held against each other, in full or in counts alone."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.analysis.comparison.paired_comparison import answer_counts
from pytest_llmclf.analysis.comparison.runs import word_of
from pytest_llmclf.analysis.comparison.score_differences import score_differences
from pytest_llmclf.metrics.measure import Ratio
from pytest_llmclf.reporting import numbers
from pytest_llmclf.reporting.comparison import answers_text, score_text
from pytest_llmclf.reporting.html.cases import LONGEST, LONGEST_TOLD, NONE, cut
from pytest_llmclf.values.provenance import compare_provenance

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from pytest_llmclf.analysis.comparison.flips import Direction
    from pytest_llmclf.analysis.comparison.paired_comparison import Comparison
    from pytest_llmclf.analysis.leaderboard.ranking import Leaderboard
    from pytest_llmclf.reporting.html.page import Pair
    from pytest_llmclf.values.provenance import ProvenanceChange

MOST_DIFFS: Final = 200
"""Most pairs of which the page has what else differs: all of twenty tasks."""
_MOST_LEFT_OUT: Final = 400
"""Most images of a kind that are named among those left out."""
_WORDS: Final[dict[Direction, str]] = {
    "worse": "worse",
    "better": "better",
    "open": "undecided",
    "not shown": "difference not shown",
}


def pair_json(pair: Pair, order: Mapping[int, int]) -> dict[str, Any]:
    """A comparison; sides that are on the page by their place."""
    comparison = pair.comparison
    ends = comparison.interval
    compared = set(comparison.cases)
    sides = [side for side in (pair.before, pair.now) if side is not None]
    p_value = comparison.p_value if pair.p_value is None else pair.p_value
    return {
        "names": list(pair.names),
        "what": pair.what,
        "before": NONE if pair.before is None else order[id(pair.before)],
        "now": order[id(pair.now)],
        "refused": comparison.refused,
        "notes": list(comparison.notes),
        "else": _else(comparison.provenance),
        "common": comparison.common,
        "accuracies": [numbers.counted(comparison.before), numbers.counted(comparison.now)],
        "difference": None if comparison.difference is None else f"{comparison.difference:+.3f}",
        "interval": "" if ends is None else numbers.stated_interval(ends, signed=True),
        "p": _p(comparison, p_value),
        "tests": pair.tests,
        "word": "not compared" if comparison.refused else word_of(comparison, p_value, pair.margin),
        "margin": "" if pair.margin is None else f"{pair.margin.word} {pair.margin.text}",
        "answers": cut(answers_text(comparison.answers), LONGEST),
        "apart": sorted(
            {one.case for side in sides for one in side.outcomes if one.case not in compared}
        ),
        "scores": []
        if pair.before is None
        else [
            cut(score_text(one), LONGEST)
            for one in score_differences(pair.before, pair.now, comparison)
        ],
        "changes": [[one.case, one.kind, one.was, one.now] for one in comparison.changes],
        "left_out": [
            [name, list(cases[:_MOST_LEFT_OUT]), len(cases)]
            for name, cases in (
                ("new", comparison.new),
                ("missing", comparison.missing),
                ("without an answer on one side", comparison.unanswered),
                ("without an answer of another task", comparison.elsewhere),
                ("not asked by a task that stopped early", comparison.not_asked),
            )
            if cases
        ],
    }


def _p(comparison: Comparison, p_value: float) -> str:
    """The p-value and of which test it is, as far as there is one."""
    match comparison.test:
        case "none":
            return f"no test holds for {comparison.drawn} when a run stopped early"
        case "mcnemar-exact":
            return f"McNemar {numbers.p_value(p_value)}"
        case "anytime":
            return f"{numbers.p_value(p_value)} by a test that holds however the run was stopped"
        case "sign-flip":
            return f"{numbers.p_value(p_value)} by a permutation test of {comparison.drawn}"


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
            "else": _else(compare_provenance(known[first], known[second], images=True))
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


def _else(change: ProvenanceChange | None) -> list[list[str]]:
    """What else differs: sentences, each with its diff."""
    if change is None:
        return []
    return [
        [cut(sentence, LONGEST), cut("\n".join(diff), LONGEST_TOLD)]
        for sentence, diff in change.sentences()
    ]
