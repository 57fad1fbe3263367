"""Keys and passwords are taken out of everything that a server sends back.

A server, or a gateway before it, may repeat a key in its error ("incorrect API key: ...") or in an
answer, and what it says goes into outcomes, reports, recordings, the store and onto the terminal.
What is searched is the text as it is read, after JSON is parsed, so that no way of writing it down
hides a key; escapes of JSON, HTML and URLs that are still in the text are read, too.
"""

from __future__ import annotations

import base64
import html
import json
import os
import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_llmclf.answer import Answer

SHORTEST: Final = 8
"""Characters of the shortest secret that is hidden: "1", "none" and "EMPTY", which people give to
servers that want no key, are words that answers may hold."""

HIDDEN: Final = "(hidden)"

KEY_VARIABLES: Final = ("OLLAMA_API_KEY", "LLMCLF_OPENAI_API_KEY", "OPENAI_API_KEY")
"""Environment variables that may hold a key. All are hidden whatever server is asked."""

LONGEST: Final = 1 << 18
"""Characters of a text that are read; what stands in the middle of a longer one is left out."""
_LAYERS: Final = 10
"""Escapes within escapes that are read: an error inside the error string of a proxy has two."""
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
_DEEPEST: Final = 200


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
            text = f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"
        text = self._replaced(text)
        layer = text
        for _ in range(_LAYERS):
            read = _UNSEEN.sub("", _ESCAPE.sub(_meant, layer))
            if read == layer:
                break
            layer = self._replaced(read)
            if layer != read:
                text = layer
        return text

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
                return [self._value(item, depth + 1) for item in value]
            case _:
                shown = repr(value)
                return value if self._replaced(shown) == shown else HIDDEN

    def answer(self, answer: Answer) -> Answer:
        """An answer without secrets; without its tokens where they would spell one."""
        hidden, thought = self.text(answer.text), self.text(answer.thinking)
        tokens = answer.logprobs
        if tokens is not None:
            spelt = "".join(token.token for token in tokens)
            changed = (hidden, thought) != (answer.text, answer.thinking)
            if changed or self.text(spelt) != spelt:
                tokens = None
        same = (hidden, thought) == (answer.text, answer.thinking)
        if same and tokens is answer.logprobs:
            return answer
        return replace(answer, text=hidden, thinking=thought, logprobs=tokens)

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
            encoded.hex(), *_within_base64(encoded),
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


def _meant(found: re.Match[str]) -> str:
    *hexadecimal, octal, plain, entity = found.groups()
    code = next((digits for digits in hexadecimal if digits), "")
    if code or octal:
        number = int(code, 16) if code else int(octal, 8)
        return chr(number) if number <= sys.maxunicode else ""
    return plain or (html.unescape(entity) if entity else "")
