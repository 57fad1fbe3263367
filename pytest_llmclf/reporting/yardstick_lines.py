"""What a classical classifier gets on the same images, a sentence a pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmclf.analysis.comparison.yardsticks import held_against
from pytest_llmclf.analysis.leaderboard.pairs import beside_yardsticks
from pytest_llmclf.reporting import numbers
from pytest_llmclf.reporting.style import INDENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmclf.analysis.comparison.yardsticks import HeldAgainst
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.reporting.style import Line, Style

_AS_LONG = 1.5


def yardstick_lines(reports: Sequence[Report], style: Style) -> Iterator[Line]:
    """For a terminal: models beside yardsticks; nothing where there is none."""
    found = list(yardstick_texts(reports))
    if not found:
        return
    yield style.line(("beside classical classifiers", "bold"))
    for evaluation, text in found:
        sentence = style.safe(f"{evaluation} · {text}")
        yield from style.paragraph(sentence, indent=INDENT)


def yardstick_texts(reports: Sequence[Report]) -> Iterator[tuple[str, str]]:
    """Evaluation and sentence: every model beside every yardstick, or of many the best ones."""
    told, chosen = beside_yardsticks(reports)
    for one in held_against(told):
        yield one.evaluation, yardstick_sentence(one)
    for evaluation, (models, yardsticks) in chosen.items():
        best = f"{numbers.plural(models, 'task')} and {numbers.plural(yardsticks, 'classifier')}"
        others = numbers.plural(models * yardsticks - 1, "other pair")
        yield (
            evaluation,
            f"these are the best of {best} on these very images; the page compares the {others}",
        )


def yardstick_sentence(one: HeldAgainst) -> str:
    """How many more or fewer a yardstick is right on, how long it takes, and what it has learnt."""
    found = one.comparison
    start = f"{one.yardstick}, {one.title},"
    if found.refused is not None:
        return f"{start} is not compared with {one.model}: {found.refused}"
    if not found.common:
        return f"{start} and {one.model} have answered no image in common"
    more = -found.net_loss
    what = f"{numbers.count(abs(more))} {'more' if more > 0 else 'fewer'}" if more else "as many"
    images = numbers.plural(found.common, "image")
    text = f"{start} is right on {what} of {images} than {one.model}"
    if not more:
        text = f"{start} is right on as many of {images} as {one.model}"
    ends = found.interval
    if ends is not None:
        low, high = (round(end * found.common) for end in (ends.low, ends.high))
        level = numbers.confidence(ends.confidence)
        text += f" ({level} interval {low:+,} to {high:+,} of so many like these)"
    return f"{text}{_time(one.time_ratio)}; it {learnt_text(one.train)}, {_other(one)}"


def _other(one: HeldAgainst) -> str:
    """What the model knows of labels, as far as that is known here."""
    if not one.known:
        return f"of {one.model} that is not known"
    if one.shown:
        images = numbers.plural(one.shown, "labelled image")
        return f"{one.model} was shown {images} with every question"
    return f"{one.model} has not"


def learnt_text(train: str) -> str:
    """What a yardstick knows of labels, after a name for it; of `learnt_elsewhere`."""
    learnt = f"labelled images of {train}" if train else "the labels of this very set"
    return f"has learnt from {learnt}"


def _time(ratio: float | None) -> str:
    """What an answer takes beside the model's, training included; empty where nobody knows."""
    if ratio is None:
        return ""
    if ratio >= _AS_LONG:
        return f", at 1/{_two_digits(ratio)} of the time an answer"
    if ratio > 1 / _AS_LONG:
        return ", at about the same time an answer"
    return f", at {_two_digits(1 / ratio)} times the time an answer"


def _two_digits(number: float) -> str:
    return f"{float(f'{number:.2g}'):,.10g}"
