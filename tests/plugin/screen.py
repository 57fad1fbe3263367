"""What a terminal shows of the bytes that a program writes: as much of one as the tests need."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"\x1b\[([0-9;]*)([A-Za-z])|\x1b([78D])|([\r\n\b])|([^\x1b])", re.DOTALL)


class Screen:
    """A terminal that scrolls and forgets nothing.

    Attributes:
        lines: Every line from the first one on.
        width: Columns.
    """

    def __init__(self, width: int = 80, height: int = 24) -> None:
        self.lines = [""]
        self.width = width
        self._height = height
        self._row = self._column = 0
        self._saved = (0, 0)

    def feed(self, text: str) -> None:
        """Show `text`."""
        for match in _TOKEN.finditer(text):
            _, final, single, move, char = match.groups()
            if final:
                self._sequence(final)
            elif single:
                self._single(single)
            elif move:
                self._row += move == "\n"
                self._column = 0 if move == "\r" else max(0, self._column - (move == "\b"))
            else:
                self._put(char)
            while len(self.lines) <= self._row:
                self.lines.append("")

    def _sequence(self, final: str) -> None:
        line = self.lines[self._row]
        if final == "A":
            self._row = max(len(self.lines) - self._height, self._row - 1, 0)
        elif final == "K":
            self.lines[self._row] = line[: self._column]
        elif final == "J":
            self.lines[self._row :] = [line[: self._column]]
        elif final != "m":
            raise AssertionError(f"ESC[{final} is not known here")

    def _single(self, which: str) -> None:
        if which == "D":
            self._row += 1
        elif which == "7":
            self._saved = (self._row, self._column)
        else:
            self._row, self._column = self._saved

    def _put(self, char: str) -> None:
        if self._column == self.width:
            self._row, self._column = self._row + 1, 0
            if len(self.lines) <= self._row:
                self.lines.append("")
        line = self.lines[self._row].ljust(self._column)
        self.lines[self._row] = line[: self._column] + char + line[self._column + 1 :]
        self._column += 1
