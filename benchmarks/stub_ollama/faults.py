"""What can go wrong with an answer, on request."""

from __future__ import annotations

import asyncio
import json
import math
import socket
import struct
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.stub_ollama.http import Connection

DRIP_S = 0.2
"""Seconds between two bytes of an answer that drips."""

REFUSALS: dict[str, tuple[int, str]] = {
    "503": (503, "server busy, please try again.  maximum pending requests exceeded"),
    "429": (429, "too many requests"),
}
"""Faults that come at once, before a slot is taken."""

MODES = (
    *REFUSALS, "500", "reset", "close", "half", "drip", "stall", "bad-json", "stream-error",
    "wrong-type", "redirect", "empty",
)  # fmt: skip


@dataclass(slots=True)
class Fault:
    """One fault and how often it still comes.

    Attributes:
        mode: One of `MODES`.
        left: How many more questions it meets.
        every: It meets every so many-th question.
        passed: Questions since it last came.
    """

    mode: str
    left: float = math.inf
    every: int = 1
    passed: int = 0

    def meets(self) -> bool:
        """Whether it meets this question."""
        self.passed += 1
        if self.left <= 0 or self.passed < self.every:
            return False
        self.passed = 0
        self.left -= 1
        return True


def parse(text: str) -> Fault:
    """Read ``MODE[:COUNT]``.

    Raises:
        ValueError: There is no such mode, or the count is no whole number.
    """
    mode, _, count = text.partition(":")
    return made(mode, int(count) if count else None, 1)


def made(mode: str, count: int | None, every: int) -> Fault:
    """A fault that meets `count` questions (``None``: without end).

    Raises:
        ValueError: There is no such mode.
    """
    if mode not in MODES:
        raise ValueError(f"{mode!r} is not one of {', '.join(MODES)}")
    return Fault(mode, math.inf if count is None else count, max(1, every))


def send(  # noqa: C901 - one short branch a mode
    mode: str, connection: Connection, answer: bytes, *, stream: bool, other: str
) -> None:
    """Send something other than the answer.

    Args:
        mode: One of `MODES`, but neither a refusal nor ``stall``.
        connection: Where to.
        answer: The body that a good answer would have.
        stream: Whether lines were asked for.
        other: Address of another server, for ``redirect``.
    """
    match mode:
        case "500":
            connection.json(500, {"error": "an error was encountered while running the model"})
        case "reset":
            reset(connection)
        case "close":
            connection.transport.close()
        case "half":
            whole = connection.framed(200, answer)
            connection.transport.write(whole[: len(whole) - len(answer) // 2])
            connection.transport.close()
        case "drip":
            drip(connection, connection.framed(200, answer), 0)
        case "bad-json":
            connection.answer(200, answer[:-1] + b",]")
        case "stream-error":
            connection.answer(200, _ends_in_error(answer, stream=stream), "application/x-ndjson")
        case "wrong-type":
            page = b"<!doctype html><title>Sign in</title><h1>Sign in to this network</h1>"
            connection.answer(200, page, "text/html")
        case "redirect":
            connection.answer(307, b"", headers=f"Location: {other}{connection.path}\r\n")
        case "empty":
            connection.answer(200, b"")
        case _:
            raise ValueError(mode)


def reset(connection: Connection) -> None:
    """Cut the connection with RST, as a crashed server's machine does."""
    sock: Any = connection.transport.get_extra_info("socket")
    linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    connection.transport.abort()


def drip(connection: Connection, data: bytes, place: int) -> None:
    """Send a byte and plan the next one, until all are sent or the client is gone."""
    if place < len(data) and not connection.transport.is_closing():
        connection.transport.write(data[place : place + 1])
        asyncio.get_running_loop().call_later(DRIP_S, drip, connection, data, place + 1)


def _ends_in_error(answer: bytes, *, stream: bool) -> bytes:
    error = json.dumps({"error": "llama runner process has terminated"}).encode() + b"\n"
    return answer.splitlines(keepends=True)[0] + error if stream else error
