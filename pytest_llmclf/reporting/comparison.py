"""Paired comparisons as lines for a terminal and for a failure message."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, get_args

from pytest_llmclf.analysis.comparison.paired_comparison import CHANGE_KINDS
from pytest_llmclf.analysis.comparison.runs import ComparedWord
from pytest_llmclf.analysis.comparison.score_differences import score_differences
from pytest_llmclf.analysis.leaderboard.pairs import compare_models
from pytest_llmclf.metrics.wording import WHEN_STOPPED
from pytest_llmclf.reporting import numbers
from pytest_llmclf.reporting.changes import change_lines, change_text
from pytest_llmclf.reporting.style import INDENT, Line, Mark, Style, left, width

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_llmclf.analysis.comparison.paired_comparison import (
        AnswerCount,
        Comparison,
    )
    from pytest_llmclf.analysis.comparison.runs import Compared
    from pytest_llmclf.analysis.comparison.score_differences import ScoreDifference
    from pytest_llmclf.metrics.intervals import Interval
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.outcome import TaskName

MOST = 10
"""Most images named in one list."""
FEW = 3
"""The same where models of one run are compared in passing."""

_NAME = 40
_VERDICT_MARKS: Final[dict[str, Mark]] = {
    "PASS": "green",
    "FAIL": "red",
    "INCONCLUSIVE": "yellow",
}


def model_lines(reports: Sequence[Report], style: Style) -> Iterator[Line]:
    """Every pair of models that answered the same evaluation; nothing where each has one."""
    compared = compare_models(reports)
    if not compared:
        return
    yield style.line(("compared in pairs", "bold"))
    for evaluation in dict.fromkeys(pair.now.evaluation for pair in compared):
        found = [pair for pair in compared if pair.now.evaluation == evaluation]
        models = sum(report.evaluation == evaluation for report in reports)
        for pair in found:
            yield from _pair_lines(pair, style)
        left_out = models * (models - 1) // 2 - len(found)
        if left_out:
            text = (
                f"{numbers.plural(left_out, 'more pair')} of {models} tasks are not shown one by "
                "one; all of them are in the leaderboard"
            )
            yield from style.paragraph(text, "light", indent=INDENT * 2)


def _pair_lines(pair: Compared, style: Style) -> Iterator[Line]:
    title = style.name(pair.now.evaluation, max(8, style.width // 3 - 4))
    first, second = (style.name(name, style.width // 2) for name in pair.names)
    if width(f"{INDENT}{title} · {first} and {second}") <= style.width:
        yield style.line(INDENT, (title, "bold"), " · ", (first, "cyan"), " and ", (second, "cyan"))
    else:  # cut names could be those of any variant
        yield style.line(INDENT, (title, "bold"))
        yield style.line(INDENT * 2, (first, "cyan"), " and")
        yield style.line(INDENT * 2, (second, "cyan"))
    yield from comparison_lines(pair, style, FEW)
    yield from score_lines(pair, style, FEW)


def broken_lines(baselines: Mapping[TaskName, Comparison], style: Style) -> Iterator[Line]:
    """The images that got worse since the committed predictions, whatever the verdict is."""
    found = {key: each for key, each in baselines.items() if each.broken}
    if not found:
        return
    yield style.line(("broken since the committed predictions", "bold"))
    room = max(8, style.width // 3 - 4)
    for task, comparison in found.items():
        yield style.line(
            INDENT,
            (style.name(task.evaluation, room), "bold"),
            " · ",
            (style.name(task.configuration, room), "cyan"),
            f"  {numbers.plural(len(comparison.broken), 'image')}",
        )
        most = len(comparison.broken) if style.every else MOST
        for change in comparison.of_kind("broken")[:most]:
            case = style.name(change.case, style.width // 2)
            yield from style.paragraph(
                f"{case}  was {change.was}, now {change.now}", indent=INDENT * 2
            )
        if len(comparison.broken) > most:
            more = numbers.count(len(comparison.broken) - most)
            yield style.line((f"{INDENT * 2}and {more} more", "light"))


def comparison_lines(each: Compared, style: Style, most: int = MOST) -> Iterator[Line]:
    """What else differs, accuracies, what chance says of them, and the images that differ.

    Args:
        each: Both sides.
        style: What the place can show.
        most: Most images named in one list.
    """
    yield from change_lines(each.comparison.provenance, style, INDENT * 2)
    yield from summary_lines(each, style)
    if each.comparison.refused is None:
        yield from _lists(each.comparison, _shown(each.names, style), style, most)


def summary_lines(each: Compared, style: Style) -> Iterator[Line]:
    """Accuracies, what chance says of them, and what is left out."""
    comparison = each.comparison
    if comparison.refused is not None:
        yield from style.paragraph(
            f"not compared: {comparison.refused}", "yellow", indent=INDENT * 2
        )
        return
    shown = _shown(each.names, style)
    columns = max(map(width, shown))
    for name, ratio in zip(shown, (comparison.before, comparison.now), strict=True):
        accuracy = numbers.counted(ratio, style.digits)
        yield style.line(f"{INDENT}  {left(name, columns)}  accuracy {accuracy}")
    if comparison.common:
        drawn = f" ({comparison.drawn})" if comparison.drawn else ""
        text = f"on the {numbers.plural(comparison.common, 'image')} that both answered{drawn}: "
        stopped = bool(comparison.not_asked)
        ends = comparison.interval
        text += _difference(comparison.difference, ends, style.digits, stopped=stopped)
        yield from style.paragraph(text, indent=INDENT * 2)
        yield from style.paragraph(_sentence(each), indent=INDENT * 2)
    answers = answers_text(comparison.answers)
    if answers:
        yield from style.paragraph(answers, indent=INDENT * 2)
    for text in (*_left_out(comparison), *comparison.notes):
        yield from style.paragraph(text, "yellow", indent=INDENT * 2)


def answers_text(answers: Sequence[AnswerCount], most: int = FEW) -> str:
    """How often labels were the answer before and now; empty where that is the same of all.

    Args:
        answers: Those whose number changed (`Comparison.answers`).
        most: Most answers listed.
    """
    shown = [
        f'"{one.said}" {numbers.count(one.before)} → {numbers.count(one.now)}'
        for one in answers[:most]
    ]
    more = len(answers) - len(shown)
    rest = f" and {numbers.plural(more, 'other')}" if more > 0 else ""
    return f"answers: {', '.join(shown)}{rest}" if shown else ""


def _shown(names: tuple[str, str], style: Style) -> list[str]:
    return [style.name(name, min(_NAME, style.width // 2)) for name in names]


def _difference(
    difference: float | None, ends: Interval | None, digits: int, *, stopped: bool
) -> str:
    text = f"difference {difference:+.{digits}f}"
    if ends is None:
        return f"{text} {WHEN_STOPPED}" if stopped else text
    return f"{text}, {numbers.stated_interval(ends, digits, signed=True)}"


def _sentence(each: Compared) -> str:
    """What the flips say, for somebody who knows no statistics."""
    comparison, names, p_value, tests = each.comparison, each.names, each.p_value, each.tests
    lost, won = len(comparison.broken), len(comparison.fixed)
    if not lost and not won:
        same = comparison.correct
        return "both are right on the same images" if same else "neither is right on any of them"
    better, worse = names if lost > won else names[::-1]
    counts = f"{better} is better on {numbers.plural(max(lost, won), 'image')}, {worse} on "
    counts += numbers.count(min(lost, won))
    # Adjusted, or valid at any time, a p-value is an upper bound of that share.
    bound = "at most " if tests > 1 or comparison.test == "anytime" else ""
    if comparison.test == "none" and lost != won:
        return f"{counts}: no test holds for {comparison.drawn} when a run stopped early"
    if lost == won or (bound and p_value >= 1):  # "in at most 100% of cases" would say nothing
        return f"{counts}: that one is better is not shown"
    test = {
        "mcnemar-exact": "McNemar",
        "anytime": "a test that holds however the run was stopped",
        "sign-flip": f"a permutation test of {comparison.drawn}",
    }[comparison.test]
    premise = "both were equally good"
    if comparison.test == "sign-flip":
        # Equally good on average is not enough: one may lose a little everywhere, the other much
        # in few groups.
        premise = "it made no difference which of them answers a group"
    family = f", counted for {tests} comparisons at once" if tests > 1 else ""
    result = {
        "not shown": "that one is better is not shown",
        "open": "they differ significantly; which is better on further images is open, "
        "since one unseen group may turn it round",
    }.get(comparison.direction(p_value), f"{better} is significantly better")
    return (
        f"{counts}: if {premise}, chance alone would give a difference like this in {bound}"
        f"{numbers.p_percent(p_value)} of cases ({test}{family}): {result}"
    )


def _left_out(comparison: Comparison) -> Iterator[str]:
    for cases, why in (
        (comparison.unanswered, "without an answer on one side: not compared"),
        (comparison.elsewhere, "without an answer of another task: not compared"),
        (comparison.not_asked, "not asked by a task that stopped early: not compared"),
        (comparison.missing, "of the first side only"),
        (comparison.new, "of the second side only"),
    ):
        if cases:
            yield f"{numbers.plural(len(cases), 'image')} {why}"


def _lists(comparison: Comparison, shown: Sequence[str], style: Style, most: int) -> Iterator[Line]:
    first, second = shown
    heads = {
        "broken": f"only {first} is right",
        "fixed": f"only {second} is right",
        "changed": "wrong in different ways",
    }
    for kind in CHANGE_KINDS:
        changes = comparison.of_kind(kind)
        if not changes:
            continue
        yield style.line(f"{INDENT}  {heads[kind]}: {len(changes)}")
        for change in changes[:most]:
            text = (
                f"{change.case}: expected {change.expected}, "
                f"{first}: {change.was}, {second}: {change.now}"
            )
            yield from style.paragraph(text, "light", indent=INDENT * 3)
        if len(changes) > most:
            yield style.line((f"{INDENT * 3}and {len(changes) - most} more", "light"))


def score_lines(each: Compared, style: Style, most: int = MOST) -> Iterator[Line]:
    """Averages, then the classes that differ most; nothing where there are no scores.

    Args:
        each: Both sides.
        style: What the place can show.
        most: Most scores of classes shown.
    """
    scores = score_differences(each.before, each.now, each.comparison)
    averages = [one for one in scores if "[" not in one.name]
    classes = sorted(
        (one for one in scores if "[" in one.name and one.difference),
        key=lambda one: -abs(one.difference),
    )
    for one in (*averages, *classes[:most]):
        yield from style.paragraph(score_text(one, style.digits), indent=INDENT * 2)
    if len(classes) > most:
        more = numbers.plural(len(classes) - most, "more score")
        text = f"and {more} of classes that differ less"
        yield from style.paragraph(text, "light", indent=INDENT * 2)


def score_text(one: ScoreDifference, digits: int = 3) -> str:
    """One score of both sides, the difference, and its interval."""
    both = f"{one.name} {one.before:.{digits}f} and {one.now:.{digits}f}"
    return f"{both}: {_difference(one.difference, one.interval, digits, stopped=one.stopped)}"


def outcome_lines(each: Compared, style: Style) -> Iterator[Line]:
    """What two runs come to in one evaluation: a margin's verdict, last the word as a sentence."""
    if each.margin is not None:
        mark = _VERDICT_MARKS[each.margin.word]
        yield from style.paragraph(f"{each.margin.word} {each.margin.text}", mark, indent=INDENT)
    text, mark = _outcome(each)
    yield from style.paragraph(text, mark, "bold", indent=INDENT)


def overall_line(compared: Sequence[Compared], style: Style) -> Iterator[Line]:
    """What several evaluations come to, counted by word; nothing for one of them."""
    if len(compared) > 1:
        words = Counter(each.word for each in compared)
        counts = ", ".join(
            f"{word} in {words[word]}" for word in get_args(ComparedWord) if words[word]
        )
        text = f"B against A in {len(compared)} evaluations: {counts}"
        yield from style.paragraph(text, "bold")


def _outcome(each: Compared) -> tuple[str, Mark]:
    """The word of a comparison as a sentence that claims no more than it."""
    images = f"on {numbers.plural(each.comparison.common, 'image')} that both answered"
    # In groups the test says that something changed, and these images that it got worse.
    of = "" if each.comparison.settled or each.margin is not None else " on these images"
    by = "" if each.margin is None else " by the margin"
    sentences: dict[ComparedWord, tuple[str, Mark]] = {
        "worse": (f"B is worse{by}{of}", "red"),
        "undecided": ("undecided", "yellow"),
        "better": ("B is better", "green"),
        "within the margin": ("B is within the margin", "green"),
        "same answers": (f"A and B name the same labels {images}", "green"),
        "difference not shown": (
            f"not told apart {images}: that A or B is better is not shown",
            "light",
        ),
    }
    return sentences[each.word]


def baseline_lines(
    comparison: Comparison, reason: str | None, advice: str, most: int = MOST
) -> list[str]:
    """What changed against committed predictions, one line an image, with the remedy.

    Args:
        comparison: This run against what is committed.
        reason: Why it fails.
        advice: What to do where the change is meant.
        most: Most images named in one list.
    """
    safe = Style().safe
    lines = change_text(comparison.provenance)
    lines += [reason] if reason else []
    if comparison.refused is None:
        # The remedy stands in front: pytest shows eight lines of an explanation unless -vv.
        lines.append(comparison.summary())
        lines.append(advice)
        for kind in CHANGE_KINDS:
            changes = comparison.of_kind(kind)
            lines += [f"{kind}: {len(changes)}"] if changes else []
            lines += [
                safe(
                    f"  {change.case}: expected {change.expected}, was {change.was}, "
                    f"now {change.now}"
                )
                for change in changes[:most]
            ]
            lines += [f"  and {len(changes) - most} more"] if len(changes) > most else []
    for what, cases in (
        ("new", comparison.new),
        ("missing", comparison.missing),
        ("without an answer", comparison.unanswered),
    ):
        lines += [f"{what}: {len(cases)}"] if cases else []
        lines += [f"  {safe(case)}" for case in cases[:most]]
        lines += [f"  and {len(cases) - most} more"] if len(cases) > most else []
    lines += comparison.notes
    return lines
