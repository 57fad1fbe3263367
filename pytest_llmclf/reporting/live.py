"""One line that says how a running evaluation does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_llmclf.metrics import intervals
from pytest_llmclf.metrics.wording import WHEN_STOPPED
from pytest_llmclf.reporting import numbers
from pytest_llmclf.reporting.style import cut, width

if TYPE_CHECKING:
    from pytest_llmclf.metrics.measure import Ratio
    from pytest_llmclf.reporting.style import Style

CONFIDENCE: Final = 0.95
"""Of the interval: for the images answered so far, not for a decision to stop."""

_NAME: Final = 24
_MINUTE: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """How far an evaluation is.

    Attributes:
        name: What runs.
        done: Images that ended in any way.
        total: Images that are to be judged.
        correct: Correct ones among those answered so far.
        stopped: Whether the run of it stopped early: what was so far is then of that moment, and no
            interval is shown.
        at_random: Whether the images come in a random order; else those answered so far say
            nothing about the others, and no interval is shown.
        per_s: Images a second of late; ``None`` while there is no telling.
        left_s: Seconds that everything still to come takes at that rate; ``None`` likewise.
        waited_s: Seconds for which a server that is away has been waited for; ``None``: none is.
        silent_s: Seconds since an image was done, where that is long; ``None``: it is not.
    """

    name: str
    done: int
    total: int
    correct: Ratio
    per_s: float | None
    left_s: float | None
    waited_s: float | None = None
    silent_s: float | None = None
    at_random: bool = True
    stopped: bool = False


def live_text(live: Live, style: Style) -> str:
    """The line, one column narrower than the place; what finds no room is left out."""
    parts = [
        style.name(live.name, _NAME),
        f"{numbers.count(live.done)}/{numbers.count(live.total)}",
    ]
    if live.waited_s is not None:
        parts.append(f"waiting for the server ({_left(live.waited_s)})")
    elif live.silent_s is not None and live.done:
        parts.append(f"no image done for {_left(live.silent_s)}")
    if live.correct.total:
        fair = live.at_random and not live.stopped
        interval = f" ({_interval(live.correct)})" if fair else ""
        when = WHEN_STOPPED if live.stopped else "so far"
        parts.append(f"{numbers.percent(live.correct)} correct {when}{interval}")
    elif live.waited_s is None:
        parts.append("waiting for the first answer")
    # Nothing comes while the server is away, and no rate holds while nothing comes.
    comes = live.waited_s is None and live.silent_s is None
    if live.per_s is not None and comes:
        parts.append(numbers.rate(live.per_s))
    if live.left_s is not None and comes:
        parts.append(f"{_left(live.left_s)} left")
    room = style.width - 1
    text = parts[0]
    for part in parts[1:]:
        joined = f"{text} · {part}"
        if width(joined) > room:
            break
        text = joined
    return "".join(segment.text for segment in style.line(cut(text, room)).segments)


def _interval(correct: Ratio) -> str:
    ends = intervals.clopper_pearson(correct.hits, correct.total, confidence=CONFIDENCE)
    low, high = numbers.percent(ends.low, 0), numbers.percent(ends.high, 0)
    # A dash before ">99%" would read as an arrow.
    joint = " to " if high.startswith(">") else "–"
    return f"{low}{joint}{high}"


def _left(seconds: float) -> str:
    # Tenths of a second that change all the time tell nobody anything.
    return f"{seconds:.0f} s" if round(seconds) < _MINUTE else numbers.duration(seconds)
