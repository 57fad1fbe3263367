"""One connection to a server: a request, and its whole answer before a deadline."""

from __future__ import annotations

import contextlib
import http.client
import io
import select
import socket
import time
from dataclasses import dataclass
from typing import Any

from pytest_llmclf.models.http.address import is_loopback_ip
from pytest_llmclf.models.http.redact import as_text

_TIMEOUT_STEP_S = 0.02
"""A socket's time-out is set anew if it is wrong by more: each time is a system call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a server sent back.

    Attributes:
        status: HTTP status.
        body: The whole body, as it came: what is kept or shown of it is redacted first.
        retry_after: What the server says of when to ask again, as it came; empty where it does not.
    """

    status: int
    body: bytes
    retry_after: str = ""

    @property
    def ok(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status < 300  # noqa: PLR2004 - HTTP's own numbers

    @property
    def text(self) -> str:
        """The body as text."""
        return as_text(self.body)


class Connection:
    """One connection; used by one thread at a time."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection
        self._socket: socket.socket = connection.sock
        self.peer = str(self._socket.getpeername()[0])

    @property
    def is_local(self) -> bool:
        """Whether the other end is on this machine."""
        return is_loopback_ip(self.peer)

    def exchange(
        self, method: str, request: bytes, deadline: float, largest: int
    ) -> tuple[Reply, bool]:
        """Send a request and read its answer; also whether another one may follow.

        Args:
            method: Of the request.
            request: Head and body.
            deadline: On the clock that never goes back; `TimeoutError` beyond it.
            largest: Bytes of an answer; of a larger one that many and one more are read.
        """
        _wait_until(self._socket, deadline)
        broken: ConnectionError | None = None
        try:
            self._socket.sendall(request)
        except ConnectionError as error:
            broken = error  # a server may refuse a body that it has not read, and say why
        source = _Source(self._socket, deadline)
        response = http.client.HTTPResponse(source, method=method)  # type: ignore[arg-type]
        try:
            response.begin()
            if source.ended:  # within the headers, which are then taken for whole
                raise ConnectionResetError
            body = response.read(largest + 1)
            if response.length and len(body) <= largest:
                raise http.client.IncompleteRead(body, response.length)
            usable = broken is None and not response.will_close and response.isclosed()
        except OSError as error:
            raise broken or error from None
        finally:
            response.close()  # one that is left to be collected may complain, from Python 3.13 on
        after = response.getheader("Retry-After", "")
        return Reply(status=response.status, body=body, retry_after=after), usable

    def is_silent(self) -> bool:
        """Whether nothing has arrived on the idle connection."""
        try:
            # Not `select` where there is `poll`: it takes small file numbers only.
            if hasattr(select, "poll"):
                poll = select.poll()
                poll.register(self._socket, select.POLLIN)
                return not poll.poll(0)
            return not select.select([self._socket], [], [], 0)[0]
        except (OSError, ValueError):
            return False

    def end(self) -> None:
        """End it, also under a thread that waits for its answer."""
        with contextlib.suppress(OSError):  # it may have ended already
            self._socket.shutdown(socket.SHUT_RDWR)
        self._connection.close()


class _Source(io.RawIOBase):
    """Reads a socket until a deadline; in place of the socket of an `HTTPResponse`."""

    def __init__(self, source: socket.socket, deadline: float) -> None:
        super().__init__()
        self._socket = source
        self._deadline = deadline
        self.ended = False

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Itself with a buffer."""
        return io.BufferedReader(self, 65536)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """The next bytes that arrive."""
        _wait_until(self._socket, self._deadline)
        received = self._socket.recv_into(buffer)
        self.ended = not received
        return received


def _wait_until(waiting: socket.socket, deadline: float) -> None:
    """Let the next call on a socket wait until a deadline, at most a moment longer."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    now = waiting.gettimeout()
    if now is None or abs(left - now) > _TIMEOUT_STEP_S:
        waiting.settimeout(left)
