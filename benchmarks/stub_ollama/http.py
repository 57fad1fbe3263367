"""HTTP/1.1 with keep-alive on bare asyncio: little work a request, one request at a time."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Protocol

_STATUS = {
    200: "OK", 201: "Created", 307: "Temporary Redirect", 400: "Bad Request", 404: "Not Found",
    429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable",
}  # fmt: skip
JSON = "application/json; charset=utf-8"


class Application(Protocol):
    """What answers the requests."""

    def opened(self) -> None:
        """A connection was opened."""

    def request(self, connection: Connection, body: bytes) -> None:
        """Answer a request, now or later."""

    def gone(self, connection: Connection) -> None:
        """The client went."""


class Connection(asyncio.Protocol):
    """One connection.

    Attributes:
        transport: Where to write.
        method: Of the request that is being answered.
        path: Of the same request.
        ticket: Whatever the application has under way for it.
    """

    def __init__(self, application: Application) -> None:
        self._application = application
        self._buffer = bytearray()
        self._answering = False
        self._keep = True
        self.transport: asyncio.Transport
        self.method = ""
        self.path = ""
        self.ticket: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where to write."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - narrows the type
        self.transport = transport
        self._application.opened()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - its signature
        """Tell the application."""
        self._application.gone(self)

    def data_received(self, data: bytes) -> None:
        """Collect a request."""
        self._buffer += data
        if not self._answering:
            self._next()

    def answer(self, status: int, body: bytes, content: str = JSON, headers: str = "") -> None:
        """Send a whole answer; the next request may come."""
        if self.transport.is_closing():
            return
        self.transport.write(self.framed(status, body, content, headers))
        self._answering = False
        if not self._keep:
            self.transport.close()
        elif self._buffer:
            asyncio.get_running_loop().call_soon(self._next)

    def json(self, status: int, body: Any, headers: str = "") -> None:
        """Send an answer in JSON."""
        self.answer(status, json.dumps(body).encode(), headers=headers)

    def framed(self, status: int, body: bytes, content: str = JSON, headers: str = "") -> bytes:
        """An answer's bytes; none of the body after HEAD."""
        head = (
            f"HTTP/1.1 {status} {_STATUS[status]}\r\nContent-Type: {content}\r\n{headers}"
            f"{'' if self._keep else 'Connection: close' + chr(13) + chr(10)}"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode("latin-1") + (b"" if self.method == "HEAD" else body)

    def _next(self) -> None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 or self._answering or self.transport.is_closing():
            return
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("transfer-encoding", "").lower() == "chunked":
            found = _chunked(self._buffer, end + 4)
            if found is None:
                return
            body, end = found
        else:
            start = end + 4
            end = start + int(headers.get("content-length") or 0)
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[start:end])
        del self._buffer[:end]
        self.method, self.path, version = first.split(" ", 2)
        asked = headers.get("connection", "").lower()
        self._keep = asked != "close" and (version != "HTTP/1.0" or asked == "keep-alive")
        self._answering = True
        self._application.request(self, body)


def _chunked(buffer: bytearray, start: int) -> tuple[bytes, int] | None:
    """A body sent in chunks and where it ends; ``None`` while it is not all there."""
    parts: list[bytes] = []
    while (line_end := buffer.find(b"\r\n", start)) >= 0:
        size = int(buffer[start:line_end].split(b";")[0], 16)
        start = line_end + 2
        if len(buffer) < start + size + 2:
            return None
        if not size:
            return b"".join(parts), start + 2
        parts.append(bytes(buffer[start : start + size]))
        start += size + 2
    return None
