"""Several tasks on the same images: a table, what it shows, and which images are hard."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.analysis.leaderboard.difficulty import TAG, difficulty
from pytest_llmclf.analysis.leaderboard.ranking import leaderboards
from pytest_llmclf.metrics.clusters import counted
from pytest_llmclf.metrics.cost import cost_per_1000, latency, tokens_read, tokens_written
from pytest_llmclf.metrics.wording import WHEN_STOPPED
from pytest_llmclf.models.yardstick.kinds import learnt_elsewhere, yardstick_title
from pytest_llmclf.reporting import numbers
from pytest_llmclf.reporting.cost_text import cost_text
from pytest_llmclf.reporting.style import INDENT, Line, left, width
from pytest_llmclf.reporting.yardstick_lines import learnt_text
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_llmclf.analysis.leaderboard.difficulty import Difficulty, HardImage, RightBy
    from pytest_llmclf.analysis.leaderboard.ranking import Leaderboard, Ranked, Standing
    from pytest_llmclf.metrics.intervals import Interval
    from pytest_llmclf.metrics.measure import Computed
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.reporting.style import Mark, Style

MOST_ROWS: Final = 12
"""Most tasks listed in a terminal."""
MOST_HARD: Final = 3
"""Most images listed of each kind."""
STANDINGS: Final[dict[Standing, str]] = {
    "shown to be the best": "shown to be the best",
    "best here": "none has more right; not shown to be the best",
    "not told apart from the best": "not told apart from the best",
    "worse": "shown to be worse",
}
"""What is said of a task."""
RIGHT_BY: Final[dict[RightBy, str]] = {
    "all": "right by all",
    "some": "right by several",
    "one": "right by one only",
    "none": "right by none",
}
DOUBT: Final = "is the label right?"
"""Asked, never claimed, of images that no task has right."""

_COSTS: Final[dict[str, Callable[[Report], Computed]]] = {
    "seconds_p50": partial(latency, share=0.5),
    "tokens_read": tokens_read,
    "tokens_written": tokens_written,
    "cost_per_1000": cost_per_1000,
}
_MARKS: Final[dict[Standing, Mark]] = {"shown to be the best": "green", "worse": "red"}
_NAME = 48
_FEW: Final = 3
_PAIR: Final = 2


def leaderboard_lines(reports: Sequence[Report], style: Style) -> Iterator[Line]:
    """The leaderboard of each evaluation that has several tasks, and its hard images."""
    for board in leaderboards(reports):
        title = style.name(board.evaluation, style.width // 2)
        yield style.line(("leaderboard", "bold"), " · ", (title, "bold"))
        yield from style.paragraph(about(board), indent=INDENT * 2)
        yield from _rows(board, style)
        yield from style.paragraph(verdict(board), "bold", indent=INDENT * 2)
        for text in remarks(board):
            yield from style.paragraph(text, "yellow", indent=INDENT * 2)
        yield from style.paragraph(legend(board), "light", indent=INDENT * 2)
        yield from _hard_lines(board, style)


def _rows(board: Leaderboard, style: Style) -> Iterator[Line]:
    shown = board.rows if style.classes is None else board.rows[:MOST_ROWS]
    accuracies = [accuracy_text(row, style.digits) for row in shown]
    differences = ["", *(difference_text(row, style.digits) for row in shown[1:])]
    columns = [max(map(width, texts)) for texts in (accuracies, differences)]
    room = max(8, min(_NAME, style.width - sum(columns) - 8))
    names = [style.safe(board.called(row.report)) for row in shown]
    fit = [width(name) <= room for name in names]  # a cut name could be that of any variant
    room = max(4, *(width(name) for name, fits in zip(names, fit, strict=True) if fits), 0)
    cut = style.width - len(INDENT * 2)
    heads = f"{left('accuracy', columns[0])}  to the best"
    yield style.line((f"{INDENT * 2}{left('task', room)}  {heads}", "light"))
    start = " " * (len(INDENT * 2) + room + 2)
    for place, (row, name) in enumerate(zip(shown, names, strict=True)):
        figures = f"{left(accuracies[place], columns[0])}  {differences[place]}"
        if fit[place]:
            yield style.line(INDENT * 2, (left(name, room), "cyan"), f"  {figures}")
        else:
            yield style.line(INDENT * 2, (style.name(name, cut), "cyan"))
            yield style.line(f"{start}{figures}")
        mark = _MARKS.get(row.standing)
        for text in style.wrapped(standing(row), start):
            yield style.line((text, mark) if mark else text)
        costs = cost_text(row.judged)
        if costs:
            yield from style.paragraph(costs, "light", indent=INDENT * 3)
    rest = Counter(STANDINGS[row.standing] for row in board.rows[len(shown) :])
    if rest:
        each = ", ".join(f"{numbers.count(number)} {said}" for said, number in rest.items())
        text = f"and {numbers.plural(rest.total(), 'more task')}: {each}"
        yield from style.paragraph(text, "light", indent=INDENT * 2)


def about(board: Leaderboard) -> str:
    """How many tasks, and on which images."""
    images = board.images
    drawn = f" ({counted(len(images.cases), len(images.sizes), images.group)})" * bool(images.sizes)
    tasks = numbers.plural(len(board.rows), "task")
    if board.one_model:
        tasks = f"{numbers.plural(len(board.rows), 'variant')} of {board.one_model}"
    return (
        f"{tasks} on the "
        f"{numbers.plural(len(images.cases), 'image')} that all of them answered{drawn}"
        f"{f', {WHEN_STOPPED}' if images.not_asked else ''}"
    )


def standing(row: Ranked) -> str:
    """What is shown of a task, with the p-value of a test that it rests on."""
    said = STANDINGS[row.standing]
    return said if row.p_value is None else f"{said} ({numbers.p_value(row.p_value)})"


def verdict(board: Leaderboard) -> str:
    """Which task is shown to be the best, if any is."""
    first, *others = board.rows
    name = _quoted(board, first.report)
    if board.winner is not None:
        many = (
            f"each of the {len(others)} others"
            if len(others) > 1
            else _quoted(board, others[0].report)
        )
        return f"{name} is shown to be better than {many}"
    open_ones = [row for row in others if row.standing != "worse"]
    apart = ", ".join(_quoted(board, row.report) for row in open_ones[:_FEW])
    more = f" and {len(open_ones) - _FEW} more" if len(open_ones) > _FEW else ""
    if all(row.accuracy.hits == first.accuracy.hits for row in open_ones):
        return f"which is best is not shown: {name} has as many right answers as {apart}{more}"
    return (
        f"which is best is not shown: none has more right answers than {name}, but {apart}{more} "
        f"{noun(len(open_ones), 'is', 'are')} not shown to be worse"
    )


def _quoted(board: Leaderboard, report: Report) -> str:
    """What a task is called in a sentence: the names of variants are words of any kind."""
    name = board.called(report)
    return f'"{name}"' if board.one_model else name


def remarks(board: Leaderboard) -> Iterator[str]:
    """What is in no number of the table, and why; and who has learnt from labels."""
    images = board.images
    silent = len(images.left_out) - len(images.not_asked)
    if silent:
        each = ", ".join(
            f"{board.called(report)} lacks {numbers.count(number)}"
            for report, number in sorted(
                zip(images.reports, images.lacking, strict=True), key=lambda one: -one[1]
            )[:_FEW]
            if number
        )
        yield f"{numbers.plural(silent, 'image')} left out, since not all have an answer: {each}"
    if images.not_asked:
        yield (
            f"{numbers.plural(len(images.not_asked), 'image')} left out that a task had not "
            "looked at when it stopped early; what was not looked at is not judged"
        )
    for report, why in images.apart:
        yield f"{board.called(report)} is not among them: {why}"
    learnt: defaultdict[str, list[str]] = defaultdict(list)
    for report in images.reports:
        if yardstick_title(report.model) is not None:
            learnt[learnt_text(learnt_elsewhere(report.model))].append(board.called(report))
    for text, names in learnt.items():
        yield f"{'each of ' * (len(names) > 1)}{', '.join(names)} {text}"


def legend(board: Leaderboard) -> str:
    """What the numbers of the table are."""
    images, pairs = board.images, numbers.plural(board.tests, "pair")
    tests = {
        (False, False): "McNemar's exact test",
        (False, True): "a permutation test of groups",
        (True, False): "a test that holds however a run was stopped",
        (True, True): "no test holds for groups when a run stopped early",
    }[bool(images.not_asked), bool(images.sizes)]
    family = f"p: {tests}, adjusted for all {pairs} (Holm)" if board.tests > 1 else f"p: {tests}"
    if images.not_asked:
        return f"{family}; no intervals, since a run stopped early"
    return (
        f"{family}; intervals: 95%, of each accuracy by itself, of the differences "
        f"{f'for all {pairs} at once' if board.tests > 1 else 'between both'}"
    )


def accuracy_text(row: Ranked, digits: int = 3) -> str:
    """Such as ``0.862 (0.828–0.892)``."""
    text = numbers.score(row.accuracy, digits)
    return text if row.interval is None else f"{text} ({numbers.interval(row.interval, digits)})"


def difference_text(row: Ranked, digits: int = 3) -> str:
    """Such as ``-0.038 (-0.085 to +0.009)``."""
    ends = row.difference_interval
    text = f"{row.difference:+.{digits}f}"
    return text if ends is None else f"{text} ({numbers.signed_interval(ends, digits)})"


def difficulty_text(found: Difficulty) -> str:
    """How many images are of each kind."""
    counts = {kind: numbers.count(number) for kind, number in found.counts().items()}
    images = numbers.plural(len(found.right_by), "image")
    several = f"several on {counts['some']}, " if found.tasks > _PAIR else ""
    out = f" ({numbers.count(found.left_out)} left out)" if found.left_out else ""
    return (
        f"all tasks are right on {counts['all']} of {images}{out}, {several}one alone on "
        f"{counts['one']}, none on {counts['none']}"
    )


def hard_text(image: HardImage, tasks: int) -> str:
    """What tasks say to an image that none has right."""
    many = f"all {tasks} say" if image.times == tasks else f"{image.times} of {tasks} say"
    return f"{image.case}: expected {image.expected}, {many} {image.answer}"


def doubt(board: Leaderboard) -> str:
    """What is asked of images that no task has right."""
    return DOUBT if not board.one_model else f"{DOUBT[:-1]}, or are they hard for this model?"


def _hard_lines(board: Leaderboard, style: Style) -> Iterator[Line]:
    found = difficulty(board.images)
    yield style.line(INDENT, "hard images")
    yield from style.paragraph(difficulty_text(found), indent=INDENT * 2)
    lists = (
        (
            f"{RIGHT_BY['none']} ({doubt(board)})",
            [hard_text(one, found.tasks) for one in found.hard],
        ),
        (RIGHT_BY["one"], [f"{case}: {board.called(one)}" for case, one in found.only.items()]),
    )
    for title, texts in lists:
        if not texts:
            continue
        yield style.line(f"{INDENT}  {title}")
        for text in texts[:MOST_HARD]:
            yield from style.paragraph(text, "light", indent=INDENT * 3)
        if len(texts) > MOST_HARD:
            yield style.line((f"{INDENT * 3}and {len(texts) - MOST_HARD} more", "light"))


def leaderboard_json(board: Leaderboard) -> dict[str, Any]:
    """A leaderboard with its hard images as JSON built-ins; undefined numbers are null."""
    images, found = board.images, difficulty(board.images)
    return {
        "evaluation": board.evaluation,
        "images": len(images.cases),
        "left_out": list(images.left_out),
        "not_asked": list(images.not_asked),
        "apart": [{**_task(report), "why": why} for report, why in images.apart],
        "group": images.group,
        "clusters": len(images.sizes) or None,
        "pairs": board.tests,
        "winner": None if board.winner is None else _task(board.winner.report),
        "rows": [
            {
                **_task(row.report),
                "correct": row.accuracy.hits,
                "accuracy": row.accuracy.value,
                "interval": _both(row.interval),
                "difference": row.difference,
                "difference_interval": _both(row.difference_interval),
                "p_value": row.p_value,
                "standing": row.standing,
                "cost": {name: cost(row.judged).value for name, cost in _COSTS.items()},
            }
            for row in board.rows
        ],
        TAG: {
            kind: [case for case, one in found.right_by.items() if one == kind] for kind in RIGHT_BY
        },
        "only": {case: _task(report) for case, report in found.only.items()},
        "hard": [asdict(one) for one in found.hard],
    }


def _task(report: Report) -> dict[str, str]:
    return {"model": report.model, "variant": report.variant}


def _both(ends: Interval | None) -> list[float] | None:
    return None if ends is None else [ends.low, ends.high]
