"""Modelfile text as a list of instructions with their places; what they mean is `modelfile`'s.

The grammar is Ollama's. Its one surprising rule: a quoted value ends at the first *line end*
before which the text ends with the closing quotes, so ``SYSTEM "He said "hi" to me"`` is one
value with quotes in it, and nothing is ever escaped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pytest_llmclf.errors import ModelfileError, nearest

KEYWORDS = (
    "FROM",
    "PARAMETER",
    "TEMPLATE",
    "SYSTEM",
    "ADAPTER",
    "LICENSE",
    "MESSAGE",
    "REQUIRES",
    "DRAFT",
    "RENDERER",
    "PARSER",
)
"""Every instruction."""

ROLES = ("system", "user", "assistant")
"""The roles of MESSAGE; Ollama wants them in lower case."""

_KEYED = {"PARAMETER": "parameter's name", "MESSAGE": "role"}
_BLANK = " \t"
_WORD = re.compile(r"[^ \t\n]*")
_SPACES = re.compile(r"[ \t]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction.

    Attributes:
        keyword: One of `KEYWORDS`.
        line: 1-based line of the keyword.
        key: Name of the parameter or role of the message; empty for the others.
        key_column: 1-based column of `key`; 0 where there is none.
        value: The value without its quotes.
        value_column: 1-based column at which the value, or its quotes, begin.
    """

    keyword: str
    line: int
    key: str
    key_column: int
    value: str
    value_column: int


def lex(text: str, source: str) -> list[Instruction]:
    r"""All instructions of `text`, in file order.

    Line ends may be ``\n``, ``\r\n`` or ``\r``; values hold ``\n``, so that a file asks the same
    question however an editor or a checkout wrote it.

    Raises:
        ModelfileError: With line and column: unknown instruction, empty value, open quotes,
            bad role.
    """
    return _Lexer(_one_line_end(text), source).instructions()


def _one_line_end(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


class _Lexer:
    """Walks over the text once; `at` is the next character, `line_start` where its line begins."""

    def __init__(self, text: str, source: str) -> None:
        self.text = text
        self.source = source
        self.at = 0
        self.line = 1
        self.line_start = 0

    def instructions(self) -> list[Instruction]:
        found = []
        while self._skip_to_instruction():
            found.append(self._instruction())
        return found

    def _skip_to_instruction(self) -> bool:
        """Step over blank lines and comments; false at the end of the text."""
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == "#":
                self.at = self._line_end()
            elif char == "\n":
                self._next_line(self.at + 1)
            elif char in _BLANK:
                self.at += 1
            else:
                return True
        return False

    def _instruction(self) -> Instruction:
        line = self.line
        keyword, column = self._take_word()
        if keyword.upper() not in KEYWORDS:
            hint = nearest(keyword.upper(), KEYWORDS)
            known = ", ".join(KEYWORDS)
            raise self._error(
                line, column, f"unknown instruction {keyword[:40]!r}{hint} (known: {known})"
            )
        keyword = keyword.upper()
        key, key_column = self._take_key(keyword) if keyword in _KEYED else ("", 0)
        self._skip_spaces()
        value_column = self._column()
        what = f"{keyword} {key[:40]}" if key else keyword
        value = self._take_value(what)
        if not value:
            problem = f"{what} has an empty value: write one on its line, or leave the line out"
            raise self._error(line, value_column, problem)
        return Instruction(
            keyword=keyword,
            line=line,
            key=key,
            key_column=key_column,
            value=value,
            value_column=value_column,
        )

    def _take_key(self, keyword: str) -> tuple[str, int]:
        self._skip_spaces()
        key, column = self._take_word()
        if not key:
            raise self._error(
                self.line, column, f"{keyword} needs a {_KEYED[keyword]} and a value on its line"
            )
        if keyword == "MESSAGE" and key not in ROLES:
            hint = nearest(key.lower(), ROLES)
            raise self._error(
                self.line,
                column,
                f"bad role {key[:40]!r}: MESSAGE takes system, user or assistant{hint}",
            )
        return key, column

    def _take_value(self, what: str) -> str:
        if self.text.startswith('"', self.at):
            value = self._quoted(what)
        else:
            end = self._line_end()
            value = self.text[self.at : end].strip()
            self.at = end
        return value

    def _quoted(self, what: str) -> str:
        """Take the value in the quotes that begin here; `at` is afterwards at a line end."""
        quotes = '"""' if self.text.startswith('"""', self.at) else '"'
        line, column, start = self.line, self._column(), self.at + len(quotes)
        first_end = self._line_end()
        while True:
            end = self._line_end()
            stop = end
            while stop > start and self.text[stop - 1].isspace():
                if self.text[stop - 1] == "\n":
                    break
                stop -= 1
            if stop - len(quotes) >= start and self.text.startswith(quotes, stop - len(quotes)):
                self.at = end
                return self.text[start : stop - len(quotes)]
            if end == first_end:
                self._forbid_text_behind(quotes, start, end, what)
            if end == len(self.text):
                raise self._error(
                    line,
                    column,
                    f"the {quotes} that open {what} here are never closed at a line end",
                )
            self._next_line(end + 1)

    def _forbid_text_behind(self, quotes: str, start: int, end: int, what: str) -> None:
        """Refuse ``"text" # note``.

        Ollama would read on until some later line ends in quotes, and swallow the instructions
        between without a word.
        """
        closing = re.search(re.escape(quotes) + r"\s+\S", self.text[start:end])
        if closing:
            column = start + closing.end() - self.line_start
            raise self._error(
                self.line,
                column,
                f"text behind the closing {quotes} of {what}: end the line there (a comment needs "
                f"a line of its own; text with quotes over several lines begins on the line after "
                f'""")',
            )

    def _take_word(self) -> tuple[str, int]:
        column = self._column()
        match = _WORD.match(self.text, self.at)
        word = match.group() if match else ""
        self.at += len(word)
        return word, column

    def _skip_spaces(self) -> None:
        match = _SPACES.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def _line_end(self) -> int:
        end = self.text.find("\n", self.at)
        return len(self.text) if end < 0 else end

    def _next_line(self, start: int) -> None:
        self.at = self.line_start = start
        self.line += 1

    def _column(self) -> int:
        return self.at - self.line_start + 1

    def _error(self, line: int, column: int, problem: str) -> ModelfileError:
        return ModelfileError(self.source, line, column, problem)
