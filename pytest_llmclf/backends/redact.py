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
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llmclf.answer import Answer

SHORTEST: Final = 8
"""Characters of the shortest secret that is hidden: "1", "none" and "EMPTY", which people give to
servers that want no key, are words that answers may hold."""

HIDDEN: Final = "(hidden)"

KEY_VARIABLES: Final = ("OLLAMA_API_KEY", "LLMCLF_OPENAI_API_KEY", "OPENAI_API_KEY")
"""Environment variables that may hold a key. All are hidden whatever server is asked."""

_LAYERS: Final = 6
"""Escapes within escapes that are read: an error inside the error string of a proxy has two."""
_MARKS: Final = ("\\", "%", "&", "=", "\0")
_ESCAPE: Final = re.compile(
    r"\\u([0-9A-Fa-f]{4})|\\x([0-9A-Fa-f]{2})|\\([/\"'\\])|%([0-9A-Fa-f]{2})|=([0-9A-F]{2})"
    r"|(&#?[0-9A-Za-z]{1,31};)|\0"
)
_DEEPEST: Final = 200


class Redactor:
    """Takes known secrets out of texts.

    Args:
        secrets: Keys and passwords as they are sent; those of the environment are added.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {*secrets, *(os.environ.get(name, "") for name in KEY_VARIABLES)}
        self._spellings = _spellings(known)

    def text(self, text: str) -> str:
        """`text` without secrets.

        Where a secret is written with escapes the text comes back with those escapes read, since
        what is left of it is for people.
        """
        if not self._spellings:
            return text
        text = self._replaced(text)
        layer = text
        for _ in range(_LAYERS):
            if not any(mark in layer for mark in _MARKS):
                break
            read = _ESCAPE.sub(_meant, layer)
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
        for secret in self._spellings:
            if secret in text:
                text = text.replace(secret, HIDDEN)
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
            base64.b64encode(encoded).decode(), base64.urlsafe_b64encode(encoded).decode(),
            base64.b64encode(encoded).decode().rstrip("="),
        }  # fmt: skip
    return tuple(sorted(found, key=lambda text: (-len(text), text)))


def _meant(found: re.Match[str]) -> str:
    unicode, hexed, plain, percent, quoted, entity = found.groups()
    code = unicode or hexed or percent or quoted
    if code:
        return chr(int(code, 16))
    return plain or (html.unescape(entity) if entity else "")
