"""Images that were not answered right, on a terminal: which, and what was said instead."""

from __future__ import annotations

from collections import defaultdict
from itertools import chain
from typing import TYPE_CHECKING, Final

from pytest_llmclf.prompting.readers.unread import unread_answers
from pytest_llmclf.reporting import numbers
from pytest_llmclf.reporting.style import INDENT, cut, left, width

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.metrics.report_facts import Confused
    from pytest_llmclf.reporting.style import Line, Mark, Style
    from pytest_llmclf.values.outcome import Outcome, OutcomeKind

TOP_CONFUSIONS: Final = 5
"""Kinds of mistake listed."""
EXAMPLES: Final = 3
"""Most images named for one kind of mistake."""
_NAME = 24


def mistake_paragraphs(report: Report, style: Style) -> Iterator[Iterator[Line]]:
    """Mistakes, answers without a label, images without an answer, and those never heard of."""
    yield confused_lines(report, style)
    yield _grouped(report, "unparsed", "answers without a label", "yellow", style)
    yield error_lines(report, style)
    yield chain(
        _unheard_lines(report, "not_run", "images not run", style),
        _unheard_lines(report, "lost", "lost images", style),
    )


def error_lines(report: Report, style: Style) -> Iterator[Line]:
    """Images without an answer, by kind of error, each with its remedy."""
    return _grouped(report, "error", "images without an answer", "red", style)


def confused_lines(report: Report, style: Style) -> Iterator[Line]:
    """The most frequent mistakes with a few of their images, or all of both."""
    found = report.among_classes()
    if not found:
        return
    yield style.line(f"{INDENT}{'all' if style.every else 'most frequent'} confusions")
    shown = found if style.every else found[:TOP_CONFUSIONS]
    pairs = [_pair(mistake, style) for mistake in shown]
    count_width = max(len(str(mistake.count)) for mistake in shown)
    pair_width = max(map(width, pairs))
    taken = len(INDENT) + 2 + count_width + 2 + pair_width + 2
    # All alike: beside the pairs where at least two find room there, else below them.
    below = style.every or any(not _two_fit(mistake.cases, taken, style) for mistake in shown)
    for mistake, pair in zip(shown, pairs, strict=True):
        start = f"{INDENT}  {mistake.count:>{count_width}}  "
        if below:
            yield style.line(f"{start}{pair}")
            yield from _case_lines(mistake.cases, style)
        else:
            examples = _examples(mistake.cases, taken, style)
            yield style.line(f"{start}{left(pair, pair_width)}  ", (examples, "light"))
    if len(found) > len(shown):
        rest = found[TOP_CONFUSIONS:]
        images = sum(mistake.count for mistake in rest)
        kinds = numbers.plural(len(rest), "more kind")
        text = f"and {kinds} of mistake, {numbers.plural(images, 'image')}"
        yield style.line((f"{INDENT}  {text}", "light"))


def _unheard_lines(report: Report, kind: OutcomeKind, title: str, style: Style) -> Iterator[Line]:
    cases = [outcome.case for outcome in report.of_kind(kind)]
    if cases:
        yield style.line(INDENT, (title, "red"))
        start = f"{INDENT}  {len(cases)}"
        if style.every:
            yield style.line(start)
            yield from _case_lines(cases, style)
        else:
            yield style.line(f"{start}  ", (_examples(cases, width(start) + 2, style), "light"))


def _pair(mistake: Confused, style: Style) -> str:
    room = min(_NAME, style.width // 4)
    return f"{style.name(mistake.expected, room)} → {style.name(mistake.predicted, room)}"


def _two_fit(cases: Sequence[str], taken: int, style: Style) -> bool:
    """Whether the first two ids, or the only one, can stand beside what takes so many columns."""
    more = ", …" if len(cases) > 2 else ""  # noqa: PLR2004 - two, as the name says
    return taken + width(", ".join(map(style.safe, cases[:2])) + more) <= style.width


def _case_lines(cases: Sequence[str], style: Style) -> Iterator[Line]:
    """Ids, each on a line of its own: a few, or all."""
    indent = INDENT + " " * 6
    shown = cases if style.every else cases[:EXAMPLES]
    room = style.width - len(indent) - 3
    for place, case in enumerate(shown, start=1):
        more = ", …" if place == len(shown) < len(cases) else ""
        yield style.line(indent, (f"{style.name(case, room)}{more}", "light"))


def _examples(cases: Sequence[str], taken: int, style: Style) -> str:
    """As many ids as the line holds, the first one cut if it must be."""
    room = max(8, style.width - taken)
    text = ""
    for place, case in enumerate(cases[:EXAMPLES]):
        more = ", …" if place + 1 < len(cases) else ""
        joined = f"{text}, {style.safe(case)}" if text else style.safe(case)
        if text and width(joined + more) > room:
            return f"{text}, …"
        text = joined if text else cut(joined, room - len(more))
    return f"{text}, …" if len(cases) > EXAMPLES else text


def _answer_lines(found: Sequence[Outcome], indent: str, style: Style) -> Iterator[Line]:
    """Unread answers with the image that each was given to first, the most frequent ones first.

    With `Style.every`, each image and its answer.
    """
    if style.every:
        answers = tuple(chain.from_iterable(unread_answers([outcome]) for outcome in found))
    else:
        answers = unread_answers(found)
    for answer in answers if style.every else answers[:EXAMPLES]:
        times = len(answer.cases)
        case = style.name(answer.cases[0], style.width // 2)
        more = f" and {times - 1} more" if times > 1 else ""
        room = style.width - len(indent) - width(case) - len(more) - 2
        yield style.line(indent, (case + more, "light"), f"  {style.quote(answer.text, room)}")
    left_out = len(answers) - EXAMPLES
    if left_out > 0 and not style.every:
        yield style.line(f"{indent}and {numbers.plural(left_out, 'other answer')}")


def _messages(found: Sequence[Outcome], indent: str, style: Style) -> Iterator[Line]:
    """A few messages of one kind of error, and the images that none of these names."""
    messages = list(dict.fromkeys(outcome.message for outcome in found))[:EXAMPLES]
    for message in messages:
        yield from style.paragraph(message, indent=indent)
    cases = [one.case for one in found if not (one.message in messages and _names_its_image(one))]
    if style.every:
        yield from _case_lines(cases, style)
    elif cases:
        more = f"and {len(cases)} more: " if len(cases) < len(found) else ""
        names = _examples(cases, len(indent + more), style)
        yield style.line(indent, (f"{more}{names}", "light"))


def _names_its_image(outcome: Outcome) -> bool:
    place = outcome.message.partition(": ")[0].replace("\\", "/")
    return place == outcome.case or place.endswith(f"/{outcome.case}")


def _grouped(
    report: Report, kind: OutcomeKind, title: str, mark: Mark, style: Style
) -> Iterator[Line]:
    groups: defaultdict[str, list[Outcome]] = defaultdict(list)
    for outcome in report.of_kind(kind):
        groups[outcome.reason or "unknown"].append(outcome)
    if not groups:
        return
    yield style.line(INDENT, (title, mark))
    for reason in sorted(groups, key=lambda reason: (-len(groups[reason]), reason)):
        found = groups[reason]
        yield style.line(f"{INDENT}  {len(found)}  {style.name(reason, style.width // 2)}")
        indent = INDENT + " " * 6
        if kind == "error":
            yield from _messages(found, indent, style)
            continue
        yield from _answer_lines(found, indent, style)
