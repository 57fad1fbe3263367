"""One server over HTTP/1.1 at little cost a request: connections kept, every wait bounded.

On `http.client`, since a general client spends more on a small request than the rest of this
package together. Redirects are never followed: a server on this machine could send the picture
elsewhere. Proxies of the environment are used for other machines only.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import io
import json
import select
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pytest_llmclf import errors
from pytest_llmclf.backends.said import parse_json
from pytest_llmclf.backends.secret import hide, spellings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llmclf.backends.address import Address

CONNECT_TIMEOUT_S = 5.0
"""Longest wait for a connection; answering may take longer."""

LARGEST_ANSWER = 64 << 20
"""Bytes of an answer; the longest with log-probabilities have a few millions."""

_TIMEOUT_STEP_S = 0.02
"""A socket's time-out is set anew if it is wrong by more: each time is a system call."""

_CREDENTIALS = frozenset(("Authorization", "Proxy-Authorization"))
_LONGER = "allow more time: --llmclf-timeout"


class ConnectionBroken(errors.ServerFailed):
    """The connection ended before the answer did: the server may be gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a server sent back.

    Attributes:
        status: HTTP status.
        body: The whole body.
    """

    status: int
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status < 300  # noqa: PLR2004 - HTTP's own numbers

    @property
    def text(self) -> str:
        """The body as text, for messages."""
        return self.body.decode("utf-8", "replace")


class Wire:
    """Requests to one server. Thread-safe: each request has a connection for itself.

    Args:
        address: The server; the caller has checked that it is allowed. Its path goes in front.
        where: The server as messages call it, without secrets.
        remedy: What to do when nothing listens there.
        headers: Sent with every request.
        keep: Whether connections are kept for the next request.
        connect_timeout_s: Longest wait for a connection.
    """

    def __init__(
        self,
        address: Address,
        *,
        where: str,
        remedy: str = "check that the server runs and listens there",
        headers: Mapping[str, str] | None = None,
        keep: bool = True,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
    ) -> None:
        self._address = address
        self._where = where
        self._remedy = remedy
        self._keep = keep
        self._connect_timeout_s = connect_timeout_s
        self._proxy = None if address.is_loopback else _proxy_for(address)
        self._base = address.path
        sent = {
            "Host": address.netloc,
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "pytest-llmclf",
            **({} if keep else {"Connection": "close"}),
            **({} if address.user is None else {"Authorization": _basic(address.user)}),
            **(headers or {}),
        }
        if self._proxy is not None and address.scheme == "http":
            self._base = address.url  # a proxy is told the whole URL
            if self._proxy.user is not None:
                sent["Proxy-Authorization"] = _basic(self._proxy.user)
        for name, value in sent.items():
            if not (value.isascii() and value.isprintable()):
                raise errors.RequestRejected(
                    f"the {name} header for {where} has characters that HTTP does not allow",
                    remedy="look for a line end or a special character in the key or address",
                )
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        proxy_user = None if self._proxy is None else self._proxy.user
        self._secrets = spellings(
            [
                *(value.rpartition(" ")[2] for name, value in sent.items() if name in _CREDENTIALS),
                *(user[1] for user in (address.user, proxy_user) if user is not None),
            ]
        )
        self._lock = threading.Lock()
        self._idle: list[_Line] = []
        self._busy: set[_Line] = set()

    def __repr__(self) -> str:
        """Where it goes; never a key."""
        return f"Wire({self._where})"

    def request(
        self, method: str, path: str, body: bytes | None = None, *, timeout_s: float
    ) -> Reply:
        """Send one request and read the whole answer.

        Args:
            method: ``GET``, ``HEAD`` or ``POST``.
            path: Below the address, such as ``/api/chat``.
            body: JSON in UTF-8, or ``None``.
            timeout_s: Longest time until the answer has arrived as a whole, however its bytes
                are spread.

        Raises:
            ServerUnreachable: No connection.
            RequestTimedOut: No whole answer in time.
            ConnectionBroken: The connection ended before the answer did.
            BadAnswer: What came is not HTTP, or is too large.
        """
        deadline = time.monotonic() + timeout_s
        line = self._taken(timeout_s)
        usable = False
        try:
            head = f"{method} {self._base}{path} HTTP/1.1\r\n{self._headers}"
            if body is not None:
                head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            reply, usable = line.exchange(
                method, f"{head}\r\n".encode("latin-1") + (body or b""), deadline
            )
        except TimeoutError as error:
            raise errors.RequestTimedOut(
                f"{self._where} did not answer in time", remedy=_LONGER
            ) from error
        except http.client.IncompleteRead as error:
            raise self._broken("half of an answer") from error
        except (http.client.RemoteDisconnected, OSError) as error:
            raise self._broken(type(error).__name__) from error
        except (http.client.HTTPException, ValueError) as error:
            raise errors.BadAnswer(
                f"{self._where} answered something that is not its protocol "
                f"({type(error).__name__})",
                remedy="check that the address is that of a model server",
            ) from error
        finally:
            self._give_back(line, usable=usable)
        if len(reply.body) > LARGEST_ANSWER:
            raise errors.BadAnswer(
                f"{self._where} answered more than {LARGEST_ANSWER >> 20} MiB",
                remedy="check that the address is that of a model server",
            )
        return Reply(status=reply.status, body=hide(reply.body, self._secrets))

    def json(
        self, method: str, path: str, content: Any = None, *, timeout_s: float
    ) -> tuple[int, Any]:
        """Send JSON or nothing; the status, and the answer's JSON or else its text.

        Raises:
            BackendError: As `request`.
        """
        body = None if content is None else json.dumps(content, allow_nan=False).encode()
        reply = self.request(method, path, body, timeout_s=timeout_s)
        try:
            return reply.status, parse_json(reply.body)
        except ValueError:
            return reply.status, reply.text

    def close(self) -> None:
        """End every connection, those that wait for an answer too; may be called twice."""
        with self._lock:
            lines = [*self._idle, *self._busy]
            self._idle.clear()
            self._keep = False
        for line in lines:
            line.end()

    def _taken(self, timeout_s: float) -> _Line:
        """A connection that nothing has arrived on; the end of one arrives as something."""
        while True:
            with self._lock:
                line = self._idle.pop() if self._idle else None
                if line is not None:
                    self._busy.add(line)
            if line is None:
                break
            if line.is_silent():
                return line
            self._give_back(line, usable=False)
        line = self._opened(min(self._connect_timeout_s, timeout_s))
        with self._lock:
            self._busy.add(line)
        return line

    def _give_back(self, line: _Line, *, usable: bool) -> None:
        with self._lock:
            self._busy.discard(line)
            if usable and self._keep:
                self._idle.append(line)
                return
        line.end()

    def _opened(self, timeout_s: float) -> _Line:
        address, proxy = self._address, self._proxy
        host, port = (address.host, address.port) if proxy is None else (proxy.host, proxy.port)
        try:
            if address.scheme == "http":
                connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
            else:
                connection = http.client.HTTPSConnection(host, port, timeout=timeout_s)
                if proxy is not None:
                    secret = {} if proxy.user is None else {
                        "Proxy-Authorization": _basic(proxy.user)
                    }  # fmt: skip
                    connection.set_tunnel(address.host, address.port, secret)
            connection.connect()
        except (OSError, ValueError, http.client.HTTPException) as error:
            through = "" if proxy is None else f" through the proxy {proxy.host}:{proxy.port}"
            raise errors.ServerUnreachable(
                f"nothing answers at {self._where}{through}"
                f"{'' if isinstance(error, ConnectionError) else f' ({_reason(error)})'}",
                remedy=self._remedy,
            ) from error
        return _Line(connection)

    def _broken(self, how: str) -> ConnectionBroken:
        return ConnectionBroken(
            f"the connection to {self._where} broke ({how})", remedy="look at the server's log"
        )


class _Line:
    """One connection; used by one thread at a time."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection
        self._socket: socket.socket = connection.sock

    def exchange(self, method: str, request: bytes, deadline: float) -> tuple[Reply, bool]:
        """Send a request and read its answer; also whether another one may follow."""
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
            body = response.read(LARGEST_ANSWER + 1)
            if response.length and len(body) <= LARGEST_ANSWER:
                raise http.client.IncompleteRead(body, response.length)
            usable = broken is None and not response.will_close and response.isclosed()
        except OSError as error:
            raise broken or error from None
        finally:
            response.close()  # one that is left to be collected may complain, from Python 3.13 on
        return Reply(status=response.status, body=body), usable

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proxy:
    host: str
    port: int
    user: tuple[str, str] | None


def _proxy_for(address: Address) -> _Proxy | None:
    """The proxy that the environment or the system names for another machine."""
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    url = proxies.get(address.scheme) or proxies.get("all")
    if not url or proxy_bypass(address.host):
        return None
    split = urlsplit(url if "://" in url else f"http://{url}")
    try:
        port = split.port or 80
    except ValueError:
        port = 0
    if split.scheme != "http" or not split.hostname or not port:
        raise errors.SettingsError(
            f"the proxy for {address.netloc} ({split.scheme}://{split.hostname}) is none that can "
            f"be used: write http://HOST:PORT, or put {address.host} into NO_PROXY"
        )
    user = None
    if split.username is not None:
        user = (unquote(split.username), unquote(split.password or ""))
    return _Proxy(host=split.hostname, port=port, user=user)


def _basic(user: tuple[str, str]) -> str:
    return "Basic " + base64.b64encode(":".join(user).encode()).decode()


def _reason(error: Exception) -> str:
    return "no connection in time" if isinstance(error, TimeoutError) else type(error).__name__
