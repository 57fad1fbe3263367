"""Thinking before an answer: how it is asked for, and how it is told apart from the answer.

Servers that know a model's template send its thinking in a field of its own. Others leave it in
the text, between tags that differ from model to model, and some send the closing tag alone, since
the opening one stands in the prompt.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from pytest_llmclf.errors import SettingsError, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

ThinkLevel = Literal["low", "medium", "high"]
"""How much a model that has levels is to think."""

Think: TypeAlias = bool | ThinkLevel
"""Whether a model is to think before it answers, and how much."""

LEVELS: Final[tuple[ThinkLevel, ...]] = get_args(ThinkLevel)
_WORDS: Final[dict[str, Think]] = {
    "off": False, "on": True, "false": False, "true": True, **{level: level for level in LEVELS}
}  # fmt: skip

_NAMES: Final = r"(?:think(?:ing)?|reason(?:ing)?|thought|scratchpad|reflection)"
_OPENING: Final = re.compile(rf"(?:<{_NAMES}>|◁{_NAMES}▷|\[THINK\])", re.IGNORECASE)
_CLOSING: Final = re.compile(rf"(?:</{_NAMES}>|◁/{_NAMES}▷|\[/THINK\])", re.IGNORECASE)
# Harmony: the answer follows the last "final" channel, everything before it is thinking.
_CHANNEL: Final = re.compile(r"<\|channel\|>\s{0,9}(\w{1,20})[^<]{0,99}<\|message\|>")
_CONTROL: Final = re.compile(r"<\|start\|>\w{0,20}|<\|\w{1,20}\|>")
_FINAL: Final = "final"


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A model's text in its two parts.

    Attributes:
        thinking: What stands between the tags, or before a closing one; empty where there is none.
        answer: The rest.
        start: Place of the answer's first character in the text.
        closed: Whether the thinking was ended. If not, `answer` is empty: all that follows an
            opening tag is thinking.
    """

    thinking: str
    answer: str
    start: int
    closed: bool


def check_think(think: object) -> None:
    """Refuse what cannot be said about thinking.

    Raises:
        SettingsError: It is none of ``False``, ``True``, a level, and ``None``.
    """
    if think is None or isinstance(think, bool) or (isinstance(think, str) and think in LEVELS):
        return
    known = ", ".join(map(repr, (False, True, *LEVELS, None)))
    near = nearest(think, LEVELS) if isinstance(think, str) else ""
    raise SettingsError(f"think={think!r} is not one of {known}{near}")


def parse_think(text: str) -> Think:
    """What a word on the command line says about thinking.

    Raises:
        SettingsError: It is none of ``off``, ``on`` and the levels.
    """
    found = _WORDS.get(text.strip().casefold())
    if found is None:
        known = ", ".join(("off", "on", *LEVELS))
        raise SettingsError(f"{text!r} is not one of {known}{nearest(text, _WORDS)}")
    return found


def think_word(think: Think) -> str:
    """The word for it on the command line and in reports."""
    if isinstance(think, bool):
        return "on" if think else "off"
    return think


def least(values: Sequence[Think]) -> Think | None:
    """The least thinking among what a model can be told; ``None`` where nothing is known."""
    if not values or False in values:
        return False
    return next((level for level in LEVELS if level in values), None)


def split_thinking(text: str) -> Split:
    """Tell the thinking in a model's text from its answer.

    Takes any text and never raises; time grows with the text's length.

    Args:
        text: What the model wrote.
    """
    harmony = _split_harmony(text)
    if harmony is not None:
        return harmony
    ends = list(_CLOSING.finditer(text))
    if ends:
        # Everything before the last closing tag is thinking, opened or not, unless the text
        # itself opens another block behind it.
        end = ends[-1]
        rest = text[end.end() :]
        reopened = _OPENING.search(rest)
        start = _OPENING.search(text)
        if not rest.strip() and start is not None and text[: start.start()].strip():
            # The answer first, and reasons for it afterwards.
            thinking = _without_tags(text[start.end() : end.start()])
            return _split(thinking, text, 0, start.start(), closed=True)
        before = _without_tags(text[: end.start()])
        if reopened is None:
            return _split(before, text, end.end(), len(text), closed=True)
        thinking = f"{before}\n{rest[reopened.end() :].strip()}".strip()
        return _split(thinking, text, end.end(), end.end() + reopened.start(), closed=False)
    start = _OPENING.search(text)
    if start is None or text[: start.start()].strip():
        # A tag in the middle of a sentence is something that the model talks about.
        return Split(thinking="", answer=text, start=0, closed=True)
    thinking = text[start.end() :].strip()
    return Split(thinking=thinking, answer="", start=len(text), closed=False)


def _split_harmony(text: str) -> Split | None:
    channels = list(_CHANNEL.finditer(text))
    if not channels:
        return None
    last = channels[-1]
    if last[1].casefold() != _FINAL:
        thinking = _without_tags(text[channels[0].end() :])
        return Split(thinking=thinking, answer="", start=len(text), closed=False)
    thinking = _without_tags(_CHANNEL.sub("\n", text[: last.start()]))
    return _split(thinking, text, last.end(), len(text), closed=True)


def _split(thinking: str, text: str, begin: int, end: int, *, closed: bool) -> Split:
    part = text[begin:end]
    start = begin + len(part) - len(part.lstrip())
    return Split(thinking=thinking, answer=part.strip(), start=start, closed=closed)


def _without_tags(text: str) -> str:
    bare = _CLOSING.sub("\n", _OPENING.sub("\n", text))
    return _CONTROL.sub("", bare).strip()
