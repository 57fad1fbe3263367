"""Thinking that a model writes into its answer, told apart from the answer.

Servers that know a model's template send its thinking in a field of its own. Others leave it in
the text, between tags that differ from model to model, and some send the closing tag alone, since
the opening one stands in the prompt.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

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
        closed: Whether the thinking was ended. If not, `answer` is empty: all that follows an
            opening tag is thinking.
    """

    thinking: str
    answer: str
    closed: bool


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
            return Split(thinking=thinking, answer=text[: start.start()].strip(), closed=True)
        before = _without_tags(text[: end.start()])
        if reopened is None:
            return Split(thinking=before, answer=rest.strip(), closed=True)
        thinking = f"{before}\n{rest[reopened.end() :].strip()}".strip()
        return Split(thinking=thinking, answer=rest[: reopened.start()].strip(), closed=False)
    start = _OPENING.search(text)
    if start is None or text[: start.start()].strip():
        # A tag in the middle of a sentence is something that the model talks about.
        return Split(thinking="", answer=text, closed=True)
    return Split(thinking=text[start.end() :].strip(), answer="", closed=False)


def _split_harmony(text: str) -> Split | None:
    channels = list(_CHANNEL.finditer(text))
    if not channels:
        return None
    last = channels[-1]
    if last[1].casefold() != _FINAL:
        return Split(thinking=_without_tags(text[channels[0].end() :]), answer="", closed=False)
    thinking = _CHANNEL.sub("\n", text[: last.start()])
    return Split(thinking=_without_tags(thinking), answer=text[last.end() :].strip(), closed=True)


def _without_tags(text: str) -> str:
    bare = _CLOSING.sub("\n", _OPENING.sub("\n", text))
    return _CONTROL.sub("", bare).strip()
