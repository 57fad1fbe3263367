"""Text for a terminal: safe, measured in columns, cut and coloured.

Text from outside (labels, ids, answers) passes `Style.safe` or `Style.quote` before it is
measured; signs of our own pass `Style.line`, which replaces each by one ASCII sign where the
terminal has no better.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pytest_llmclf.values.text import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

Mark = Literal["bold", "light", "red", "green", "yellow", "cyan"]
"""Names of pytest's terminal markup; ``light`` is dim."""

ELLIPSIS = "…"
INDENT = "  "
"""Of a paragraph below its head; of one below that twice."""

_ASCII = str.maketrans(
    {
        "–": "-",
        "×": "x",
        "│": "|",
        "─": "-",
        "█": "#",
        "·": ".",
        "→": ">",
        "≥": ">",
        ELLIPSIS: "~",
    }
)
"""One sign for one sign, so that columns stay where they are."""

_PROGRAMS = ("pytest", "llmclf", "ollama", "python -m pip")
"""Whose commands are printed to be copied."""
_COMMAND = re.compile(rf"(?<=: )(?:{'|'.join(_PROGRAMS)}) ")
_QUOTED = re.compile(r"""(?<= )(?:"[^"]*"|'[^']*')+""")
"""An argument as `command_line` quotes it: what stands in it ends no command."""
_WHOLE = re.compile(rf"`(?:{'|'.join(_PROGRAMS)}) [^`]*`|--llmclf-model [^\s,;]+")
"""What is to be copied from within a sentence, and so is one word of it."""
_MOST_SIGNS = 3
"""Signs kept a column, so that stacked accents cannot make a short text endless."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Part of a line.

    Attributes:
        text: Printable text.
        marks: Its markup; empty for plain.
    """

    text: str
    marks: tuple[Mark, ...] = ()

    @property
    def markup(self) -> dict[str, bool]:
        """As keyword arguments of pytest's ``TerminalReporter.write``."""
        return dict.fromkeys(self.marks, True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a report.

    Attributes:
        segments: Its parts from left to right.
    """

    segments: tuple[Segment, ...] = ()

    @property
    def text(self) -> str:
        """Without markup and without blanks at the end."""
        return "".join(segment.text for segment in self.segments).rstrip()


Part = str | tuple[str, Mark] | tuple[str, tuple[Mark, ...]]
"""Text, or text with one or several marks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """What the place can show.

    Attributes:
        color: Whether markup is wanted.
        unicode: Whether signs outside ASCII can be shown.
        width: Columns.
        digits: Decimals of scores; 6 for published tables.
        classes: Most classes to list one by one; ``None`` lists all.
        every: Whether to name every image that was not answered right, rather than a few of each
            kind.
    """

    color: bool = False
    unicode: bool = True
    width: int = 80
    digits: int = 3
    classes: int | None = 40
    every: bool = False

    @staticmethod
    def can_unicode(encoding: str | None) -> bool:
        """Whether a stream of `encoding` can show every sign; unknown ones count as ASCII."""
        return (encoding or "").lower().replace("_", "-").startswith("utf")

    def line(self, *parts: Part) -> Line:
        """A line of `parts`, their markup dropped where no colour is wanted."""
        segments = []
        for part in parts:
            text, marks = (part, ()) if isinstance(part, str) else part
            if not self.unicode:
                text = text.translate(_ASCII)
            named: tuple[Mark, ...] = (marks,) if isinstance(marks, str) else marks
            segments.append(Segment(text=text, marks=named if self.color else ()))
        return Line(segments=tuple(segments))

    def safe(self, text: str) -> str:
        """`text` on one line, with everything that is not plainly printable escaped."""
        printable = "".join(
            char if char.isprintable() else repr(char)[1:-1] for char in text[:10_000]
        )
        if self.unicode:
            return printable
        return printable.translate(_ASCII).encode("ascii", "backslashreplace").decode()

    def quote(self, text: str, columns: int) -> str:
        """`text` in quotes, cut to at most `columns` columns in all."""
        inner = self.safe(shorten(text, max(1, columns)))[1:-1]
        return f'"{cut(inner, columns - 2)}"'

    def name(self, text: str, columns: int) -> str:
        """`text` made safe and cut to at most `columns` columns."""
        return cut(self.safe(text), columns)

    def wrapped(self, text: str, indent: str = "") -> Iterator[str]:
        """`text` made safe and broken into lines of `width` columns, between words where it can.

        A command at its end, behind a colon, is to be copied: where it does not fit on the line of
        what is said of it, it is a line of its own, and never broken. One within a sentence stays
        on one line, too, where a line has room for it. Blanks that the text begins with stay: they
        mean something in a diff and in a list.
        """
        room = max(10, self.width - len(indent))
        safe = self.safe(text)
        command = command_in(safe) if width(safe) > room else ""
        safe = safe.removesuffix(f" {command}") if command else safe
        # No printable text has a NUL: it stands for the blanks that no line may end with.
        safe = _WHOLE.sub(
            lambda one: one[0].replace(" ", "\0") if width(one[0]) < room else one[0], safe
        )
        words = safe.lstrip(" ")
        current = safe[: len(safe) - len(words)][: room // 2]
        for place, word in enumerate(words.split(" ")):
            joined = f"{current}{word}" if not place else f"{current} {word}" if current else word
            if place and current and width(joined) > room:
                yield indent + current.replace("\0", " ")
                joined = word
            while width(joined) > room:
                head = start(joined, room)
                yield indent + head
                joined = joined[len(head) :]
            current = joined
        yield indent + current.replace("\0", " ")
        if command:
            yield indent + command

    def paragraph(self, text: str, *marks: Mark, indent: str = "") -> Iterator[Line]:
        """`wrapped` as lines, each of them with the same marks."""
        return (self.line((found, marks)) for found in self.wrapped(text, indent))


def command_in(text: str) -> str:
    """The command at the end of a text, behind a colon; empty where there is none."""
    for found in _COMMAND.finditer(text):
        bare = _QUOTED.sub("", text[found.start() :])
        if "; " not in bare and ": " not in bare:
            return text[found.start() :]
    return ""


PLAIN = Style()
"""Without colour, as in files."""


def width(text: str) -> int:
    """Columns that `text` takes: two for wide signs (UAX #11), none for combining marks."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def cut(text: str, columns: int) -> str:
    """`text` in at most `columns` columns, with an ellipsis where something is missing."""
    if start(text, columns) == text:
        return text
    return start(text, columns - 1) + ELLIPSIS if columns > 0 else ""


def start(text: str, columns: int) -> str:
    """As much of the start of `text` as `columns` columns hold."""
    taken = 0
    for place, char in enumerate(text):
        taken += _columns(char)
        if taken > columns or place >= _MOST_SIGNS * columns:
            return text[:place]
    return text


def left(text: str, columns: int) -> str:
    """`text` at the left of `columns` columns."""
    return text + " " * (columns - width(text))


def right(text: str, columns: int) -> str:
    """`text` at the right of `columns` columns."""
    return " " * (columns - width(text)) + text


def _columns(char: str) -> int:
    if unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1
