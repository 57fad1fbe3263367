"""A server that sends fixed bytes, however wrong they are."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING, Self

from pytest_llmclf.models.http.address import Address

if TYPE_CHECKING:
    from types import TracebackType

NOTHING = b""
"""End the connection without an answer."""
SILENCE = b"silence"
"""Do not answer, and do not end the connection either."""


def http(body: bytes, head: bytes = b"") -> bytes:
    """A sound answer."""
    return b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s" % (head, len(body), body)


class RawReplies:
    """Listens within a ``with`` block and answers each request with the next reply.

    Args:
        replies: Bytes for each request in turn; the last one again and again.
        ends: Whether a connection ends behind its first answer.
        drip_s: Pause before each further byte, sent without end behind the reply; 0 for none.

    Attributes:
        requests: What arrived, in order.
        connections: How many were opened.
    """

    def __init__(self, *replies: bytes, ends: bool = False, drip_s: float = 0.0) -> None:
        self._replies = list(replies)
        self._ends = ends
        self._drip_s = drip_s
        self._over = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.requests: list[bytes] = []
        self.connections = 0

    @property
    def address(self) -> Address:
        return Address(host="127.0.0.1", port=self._socket.getsockname()[1], path="/v1")

    def __enter__(self) -> Self:
        self._socket.settimeout(0.05)
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(5)
        self._socket.close()

    def wait_for(self, requests: int) -> None:
        """Wait until so many requests have arrived."""
        deadline = time.monotonic() + 5
        while len(self.requests) < requests:
            assert time.monotonic() < deadline
            time.sleep(0.002)

    def _start(self, what: object, *arguments: object) -> None:
        thread = threading.Thread(target=what, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._socket.accept()
            except TimeoutError:
                continue
            self.connections += 1
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(0.05)
        with connection:
            while not self._over.is_set():
                try:
                    request = connection.recv(65536)
                except TimeoutError:
                    continue
                except OSError:
                    return
                if not request:
                    return
                self.requests.append(request)
                reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
                if reply == SILENCE:
                    continue
                try:
                    connection.sendall(reply)
                    while self._drip_s and not self._over.wait(self._drip_s):
                        connection.sendall(b"x")
                except OSError:
                    return
                if self._ends or reply == NOTHING:
                    return
