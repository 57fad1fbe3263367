"""Keys and passwords are taken out of everything that a server sends back.

A server, or a gateway before it, may repeat a key in its error ("incorrect API key: ...") or in an
answer, and what it says goes into outcomes, reports, recordings, the store and onto the terminal.
What is searched is the text as it is read, after JSON is parsed, so that no way of writing it down
hides a key; escapes that are still in the text are read, too, and what is encoded in it is decoded.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import os
import re
import string
import sys
import unicodedata
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_llmclf.values.answer import Answer

    _Meanings = Callable[[str], Iterator[str]]

SHORTEST: Final = 8
"""Characters of the shortest secret that is hidden: "1", "none" and "EMPTY", which people give to
servers that want no key, are words that answers may hold."""

HIDDEN: Final = "(hidden)"

KEY_VARIABLES: Final = ("OLLAMA_API_KEY", "LLMCLF_OPENAI_API_KEY", "OPENAI_API_KEY")
"""Environment variables that may hold a key. All are hidden whatever server is asked."""

LONGEST: Final = 1 << 18
"""Characters of a text that are read; what stands in the middle of a longer one is left out."""
_NESTED: Final = 3
"""Codings within codings that are decoded, such as base64 of JSON that holds base64."""
_MOST_READ: Final = 4 * LONGEST
"""Characters that are read of one text in all its readings; what is left then is left out."""
_ESCAPE: Final = re.compile(
    # Of JSON, JavaScript, Python, C and old URLs; octal; of URLs and mail; of HTML, also cut short.
    r"[\\%]u([0-9A-Fa-f]{4})|\\[ux]\{([0-9A-Fa-f]{1,6})\}|\\U([0-9A-Fa-f]{8})"
    r"|\\x([0-9A-Fa-f]{2})|[%=]([0-9A-Fa-f]{2})|\\([0-3][0-7]{2})|\\([!-/:-@\[-`{-~])"
    r"|(&\#[0-9]{1,7};?|&\#[xX][0-9A-Fa-f]{1,6};?|&[0-9A-Za-z]{1,31};|&(?:amp|quot|lt|gt))"
    r"|\\[abfnrtv0]|=\r?\n"
)
_UNSEEN: Final = re.compile(
    # What a terminal or a page does not show: colours, line ends, joiners, soft hyphens, marks.
    r"\x1b\[[0-9;]{0,20}m|[\x00-\x1f\x7f-\x9f\xad\u034f\u180e\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
_CSS: Final = re.compile(r"\\([0-9A-Fa-f]{1,6})(?:\r\n|[ \t\r\n\f])?")
_UTF_7: Final = re.compile(r"\+([A-Za-z0-9+/]*)-?")
_WIDE: Final = re.compile(r"[^\x00-\x7f]")
_NUMBERS: Final = re.compile(r"[0-9A-Fa-fxX\s,;:-]{15,}")
_NUMBER: Final = re.compile(r"(?<![0-9A-Za-z])(?:0[xX])?([0-9A-Fa-f]{1,3})(?![0-9A-Za-z])")
_CODED: Final = re.compile(r"[A-Za-z0-9+/_-]{11,}")
_READABLE: Final = re.compile(rb"[\x00\t\n\r\x20-\x7e]{%d,}" % SHORTEST)
_BASE_32: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_TO_DIGITS: Final = str.maketrans(_BASE_32, "0123456789ABCDEFGHIJKLMNOPQRSTUV")
_DEEPEST: Final = 200


@dataclass(slots=True)
class _Budget:
    """How many characters may still be read of one text, so that none takes long."""

    left: int = _MOST_READ

    def takes(self, text: str) -> bool:
        """Whether there is enough left for this one, too."""
        self.left -= len(text)
        return self.left >= 0


class Redactor:
    """Takes known secrets out of texts.

    Args:
        secrets: Keys and passwords as they are sent; those of the environment are added.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {*secrets, *(os.environ.get(name, "") for name in KEY_VARIABLES)}
        self._spellings = tuple(spelling.lower() for spelling in _spellings(known))
        self._pattern = re.compile("|".join(map(re.escape, self._spellings)), re.IGNORECASE)

    def text(self, text: str) -> str:
        """`text` without secrets.

        Where a secret is written with escapes the text comes back with those escapes read, since
        what is left of it is for people.
        """
        if not self._spellings or len(text) < SHORTEST:
            return text
        if len(text) > LONGEST:
            text = _cut(text)
        return self._cleaned(text, _NESTED, _Budget())

    def value(self, value: Any) -> Any:
        """A parsed JSON value without secrets: in texts, names of fields and numbers."""
        return self._value(value, 0) if self._spellings else value

    def _value(self, value: Any, depth: int) -> Any:
        if depth > _DEEPEST:  # whatever is that deep is no answer, and no message shows it whole
            return HIDDEN
        match value:
            case str():
                return self.text(value)
            case dict():
                deeper = ((name, self._value(item, depth + 1)) for name, item in value.items())
                return {self.text(name): item for name, item in deeper}
            case list():
                return HIDDEN if self._spelt(value) else [self._value(i, depth + 1) for i in value]
            case _:
                shown = repr(value)
                return value if self._replaced(shown) == shown else HIDDEN

    def answer(self, answer: Answer) -> Answer:
        """An answer without secrets; without its tokens where they would spell one."""
        hidden, thought = self.text(answer.text), self.text(answer.thinking)
        spelt = "".join(token.token for token in answer.logprobs or ())
        if (hidden, thought, self.text(spelt)) == (answer.text, answer.thinking, spelt):
            return answer
        return replace(answer, text=hidden, thinking=thought, logprobs=None)

    def _spelt(self, values: list[Any]) -> bool:
        """Whether the items of a list are the bytes or pieces of a secret."""
        words = all(type(value) is str for value in values)
        # Tokens come with lists of their few bytes, thousands an answer.
        if len(values) < (2 if words else SHORTEST):
            return False
        if not words and not all(type(value) in (int, str) for value in values):
            return False
        told = ("" if words else ",").join(map(str, values))
        # Each item is looked at by itself later; here only what they are together counts.
        return self._is_changed(told) and not any(self._is_changed(str(item)) for item in values)

    def _is_changed(self, text: str) -> bool:
        return self.text(text) != (text if len(text) <= LONGEST else _cut(text))

    def _cleaned(self, text: str, depth: int, budget: _Budget) -> str:
        """A text without secrets, in all ways to read it and in what is encoded in it."""
        text = self._decoded(self._replaced(text), depth, budget)
        seen, ahead = {text}, [text]
        while ahead:
            layer = ahead.pop()
            for reading in (_without_css, _without_utf_7, _without_escapes):
                read = reading(layer)
                if read in seen:
                    continue
                if not budget.takes(read):
                    return HIDDEN
                seen.add(read)
                found = self._decoded(self._replaced(read), depth, budget)
                if found != read:  # what is left of it may hold others
                    return self._cleaned(found, depth, budget)
                if reading is _without_escapes:
                    ahead.append(read)
        return text

    def _decoded(self, text: str, depth: int, budget: _Budget) -> str:
        """A text without those pieces that hold a secret once they are decoded."""
        for pattern, meanings in ((_NUMBERS, _of_numbers), (_CODED, _of_code)) if depth else ():

            def looked_at(found: re.Match[str], meanings: _Meanings = meanings) -> str:
                for piece in meanings(found[0]):
                    if not budget.takes(piece) or self._cleaned(piece, depth - 1, budget) != piece:
                        return HIDDEN
                return found[0]

            text = pattern.sub(looked_at, text)
        return text

    def _replaced(self, text: str) -> str:
        lower = text.lower()
        if any(secret in lower for secret in self._spellings):
            return self._pattern.sub(HIDDEN, text)
        return text


def as_text(body: bytes) -> str:
    """The text of a body, also of one in UTF-16 or UTF-32."""
    return body.decode(json.detect_encoding(body), "replace")


def _spellings(secrets: Iterable[str]) -> tuple[str, ...]:
    """All ways in which secrets may come back beside escapes, the longest first."""
    found: set[str] = set()
    for secret in secrets:
        if len(secret) < SHORTEST:
            continue
        encoded = secret.encode("utf-8", "surrogatepass")
        found |= {
            secret,
            quote(secret, safe="", errors="replace"), quote_plus(secret, errors="replace"),
            encoded.hex(), *_within_base64(encoded), *_within_base32(encoded), secret[::-1],
        }  # fmt: skip
    return tuple(sorted(found, key=lambda text: (-len(text), text)))


def _within_base64(secret: bytes) -> Iterator[str]:
    """What of base64 is the secret's alone, wherever it stands in what was encoded."""
    for before in range(3):
        coded = base64.b64encode(bytes(before) + secret)
        # Six bits a sign: the first and last ones may hold bits of what is around it.
        first, end = -(-before * 8 // 6), (before + len(secret)) * 8 // 6
        own = coded[first:end].decode()
        yield own
        yield own.replace("+", "-").replace("/", "_")


def _within_base32(secret: bytes) -> Iterator[str]:
    """The same of base32."""
    for before in range(5):
        coded = base64.b32encode(bytes(before) + secret)
        first, end = -(-before * 8 // 5), (before + len(secret)) * 8 // 5
        yield coded[first:end].decode()


def _of_numbers(run: str) -> Iterator[str]:
    """Texts whose characters or bytes a list of numbers may be."""
    numbers = _NUMBER.findall(run)
    for base, written in ((10, [one for one in numbers if one.isdecimal()]), (16, numbers)):
        if len(written) >= SHORTEST:
            codes = [int(one, base) for one in written]
            yield "".join(map(chr, codes))
            if max(codes) < 256:  # noqa: PLR2004 - bytes
                yield bytes(codes).decode("utf-8", "replace")


def _of_code(run: str) -> Iterator[str]:
    """Texts that base64, base32 or hexadecimal may stand for, wherever in a run they begin."""
    run = run.replace("-", "+").replace("_", "/")
    for start in range(4):
        yield from _readable(_from_base64(run[start:]))
    if not run.strip(string.hexdigits):
        for start in range(2):
            yield from _readable(bytes.fromhex(run[start : len(run) - (len(run) - start) % 2]))
    upper = run.upper()
    if not upper.strip(_BASE_32):
        number = int(upper.translate(_TO_DIGITS), 32)
        size = len(run) * 5 // 8 + 1
        for shift in range(8):
            yield from _readable((number >> shift).to_bytes(size, "big"))


def _from_base64(text: str) -> bytes:
    whole = len(text) - (len(text) % 4 == 1)  # six bits alone are no byte
    return binascii.a2b_base64(text[:whole] + "=" * (-whole % 4))


def _readable(data: bytes) -> Iterator[str]:
    """What may hold a secret of bytes, if anything: most of what is decoded is noise."""
    if found := _READABLE.findall(data):
        yield "\ufffd".join(piece.decode("ascii") for piece in found)


def _cut(text: str) -> str:
    """Beginning and end of a text that is too long to be read."""
    return f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"


def _without_escapes(text: str) -> str:
    return _UNSEEN.sub("", _WIDE.sub(lambda found: _narrow(found[0]), _ESCAPE.sub(_meant, text)))


def _without_css(text: str) -> str:
    """Escapes of style sheets, which are octal ones to others."""
    return _CSS.sub(lambda found: _character(int(found[1], 16)), text)


def _without_utf_7(text: str) -> str:
    def read(found: re.Match[str]) -> str:
        units = _from_base64(found[1])
        return units[: len(units) // 2 * 2].decode("utf-16-be", "replace") if found[1] else "+"

    return _UTF_7.sub(read, text)


@lru_cache(maxsize=4096)
def _narrow(char: str) -> str:
    """The plain letter of a wide, bold or circled one; normalised alone, which takes no time."""
    plain = unicodedata.normalize("NFKC", char)
    return plain if len(plain) <= 2 else char  # noqa: PLR2004 - no text grows much by this


def _character(number: int) -> str:
    return chr(number) if number <= sys.maxunicode else ""


def _meant(found: re.Match[str]) -> str:
    *hexadecimal, octal, plain, entity = found.groups()
    code = next((digits for digits in hexadecimal if digits), "")
    if code or octal:
        return _character(int(code, 16) if code else int(octal, 8))
    return plain or (html.unescape(entity) if entity else "")
