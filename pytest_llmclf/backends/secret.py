"""Keys and passwords are hidden in what a server sends back.

A server, or a gateway before it, may repeat a key in its error ("incorrect API key: ..."), and what
it says goes into outcomes, reports, recordings and onto the terminal.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable

SHORTEST: Final = 8
"""Characters of the shortest secret that is hidden: "1", "none" and "EMPTY", which people give to
servers that want no key, are words that answers may hold."""

HIDDEN: Final = b"(hidden)"


def spellings(secrets: Iterable[str]) -> tuple[bytes, ...]:
    """All ways in which each of `secrets` may come back, the longest first."""
    found: set[str] = set()
    for secret in secrets:
        if len(secret) < SHORTEST:
            continue
        encoded = secret.encode("utf-8", "surrogatepass")
        written = json.dumps(secret)[1:-1]
        found |= {
            secret, written, written.replace("/", "\\/"), json.dumps(written)[1:-1],
            quote(secret, safe="", errors="replace"), quote_plus(secret, errors="replace"),
            base64.b64encode(encoded).decode(), base64.urlsafe_b64encode(encoded).decode(),
            base64.b64encode(encoded).decode().rstrip("="),
        }  # fmt: skip
    return tuple(
        sorted((text.encode("utf-8", "surrogatepass") for text in found), key=len, reverse=True)
    )


def hide(body: bytes, known: Iterable[bytes]) -> bytes:
    """`body` with everything that is `known` replaced."""
    for secret in known:
        if secret in body:
            body = body.replace(secret, HIDDEN)
    return body
