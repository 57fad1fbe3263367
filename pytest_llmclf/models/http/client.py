"""One server over HTTP/1.1 at little cost a request: connections kept, every wait bounded.

On `http.client`, since a general client spends more on a small request than the rest of this
package together. Redirects are never followed: a server on this machine could send the image
elsewhere. Proxies of the environment are used for other machines only. What a connection leads to
is looked at before anything is sent on it.
"""

from __future__ import annotations

import http.client
import json
import re
import ssl
import threading
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from pytest_llmclf import errors
from pytest_llmclf.models.http import tls
from pytest_llmclf.models.http.address import NOWHERE, is_loopback_ip
from pytest_llmclf.models.http.connection import Connection, Reply
from pytest_llmclf.models.http.payload import parse_json
from pytest_llmclf.models.http.proxy import basic, proxy_for
from pytest_llmclf.models.http.redact import Redactor

if TYPE_CHECKING:
    from pytest_llmclf.models.http.address import Access, Address

LARGEST_ANSWER = 64 << 20
"""Bytes of an answer; the longest with log-probabilities have a few millions."""

CONNECT_TIMEOUT_S = 5.0
"""Longest wait for a connection; answering may take longer."""

CLEAR_KEY_REMEDY = "use https://, or say --llmclf-allow-clear-key {host} if that is wanted"
"""How a key that is left out may be sent."""

_BAD_REQUEST, _MOST_PAGE = 400, 2000
_LONGER = "allow more time: --llmclf-timeout"


class ConnectionBroken(errors.ServerFailed):
    """The connection ended before the answer did: the server may be gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonReply:
    """What a server answered, without secrets.

    Attributes:
        status: HTTP status.
        value: The answer's JSON, or else its text.
        retry_after_s: Seconds for which it wants to be left alone; ``None``: it does not say.
    """

    status: int
    value: Any
    retry_after_s: float | None = None

    def mark(self, error: errors.BackendError) -> errors.BackendError:
        """The error of this answer, with how long to wait before asking again."""
        error.retry_after_s = self.retry_after_s
        return error


def wait_of(text: str) -> float | None:
    """Seconds that a ``Retry-After`` asks for: a number, or a moment; ``None`` for what is neither.

    A moment is held against the clock of this machine.
    """
    text = text.strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, LookupError, OverflowError):
        return None
    return max(0.0, moment - time.time())


class HttpClient:
    """Requests to one server. Thread-safe: each request has a connection for itself.

    Args:
        address: The server; the caller has checked that it is allowed. Its path goes in front.
        where: The server as messages call it, without secrets.
        remedy: What to do when nothing listens there.
        key: Sent as a bearer token, unless the address has user and password. Both go over TLS or
            to this machine only; elsewhere they are left out unless that was allowed.
        access: Hosts other than this machine that may be connected to, and told the key in clear.
        keep: Whether connections are kept for the next request.
        connect_timeout_s: Longest wait for a connection.
    """

    def __init__(
        self,
        address: Address,
        *,
        where: str,
        remedy: str = "check that the server runs and listens there",
        key: str = "",
        access: Access = NOWHERE,
        keep: bool = True,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
    ) -> None:
        self._address = address
        self._where = where
        self._remedy = remedy
        self._keep = keep
        self._access = access
        self._connect_timeout_s = connect_timeout_s
        self.proxy = None if address.is_loopback else proxy_for(address)
        self._base, self._query = address.path, address.query
        sent = {
            "Host": address.netloc,
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "pytest-llmclf",
            **({} if keep else {"Connection": "close"}),
        }
        if self.proxy is not None and address.scheme == "http":
            self._base = address.base_url  # a proxy is told the whole URL
            if self.proxy.user is not None:
                sent["Proxy-Authorization"] = basic(self.proxy.user)
        self._authorization = ""
        if address.user is not None or key:
            self._authorization = f"Bearer {key}" if address.user is None else basic(address.user)
        self._headers = self._lines(sent)
        self._credentials = self._lines(self._secrets(key))
        self._keys_everywhere = address.scheme == "https" or address.is_named(access.clear_key)
        users = (address.user, None if self.proxy is None else self.proxy.user)
        self.redactor = Redactor(
            [
                key,
                self._authorization.rpartition(" ")[2],
                sent.get("Proxy-Authorization", "").rpartition(" ")[2],
                *(user[1] for user in users if user is not None),
            ]
        )
        self._local = self._answered = False
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()

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
        connect_s = min(self._connect_timeout_s, timeout_s)
        line = self._taken(timeout_s)
        usable = False
        try:
            keys = self._credentials if self._may_send_keys(local=line.is_local) else ""
            head = f"{method} {self._base}{path}{self._query} HTTP/1.1\r\n{self._headers}{keys}"
            if body is not None:
                head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            request = f"{head}\r\n".encode("latin-1") + (body or b"")
            reply, usable = line.exchange(method, request, deadline, LARGEST_ANSWER)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._failed(error, connect_s) from error
        finally:
            self._give_back(line, usable=usable)
        if len(reply.body) > LARGEST_ANSWER:
            raise self._no_protocol(f"more than {LARGEST_ANSWER >> 20} MiB")
        if reply.status == _BAD_REQUEST and tls.WANTED.search(reply.text[:_MOST_PAGE]):
            self._require_plain(connect_s)
        self._answered = True
        return reply

    def json(self, method: str, path: str, content: Any = None, *, timeout_s: float) -> JsonReply:
        """Send JSON or nothing; what the server answers, without secrets.

        Raises:
            BackendError: As `request`.
        """
        body = None if content is None else json.dumps(content, allow_nan=False).encode()
        reply = self.request(method, path, body, timeout_s=timeout_s)
        try:
            value = self.redactor.value(parse_json(reply.body))
        except ValueError:
            value = self.redactor.text(reply.text)
        return JsonReply(status=reply.status, value=value, retry_after_s=wait_of(reply.retry_after))

    @property
    def authorization(self) -> str:
        """What the server is told of who asks, empty where nothing is or it may not be sent."""
        return self._authorization if self._may_send_keys(local=self._local) else ""

    @property
    def withholds_key(self) -> bool:
        """Whether there is a key or password that is not sent, since anybody could read it."""
        return bool(self._authorization) and not self.authorization

    def explained(self, error: errors.BackendError) -> errors.BackendError:
        """An error, with what we did ourselves where that is why the server did not let us in."""
        if not (isinstance(error, errors.AccessRefused) and self.withholds_key):
            return error
        return errors.AccessRefused(
            f"{error.message}; the one given was not sent: it would not be encrypted",
            remedy=CLEAR_KEY_REMEDY.format(host=self._address.host),
        )

    def require_peer(self, ip: str) -> None:
        """Refuse a connection to an address, unless it is the proxy's.

        Raises:
            RemoteRefused: The name that was asked for leads somewhere that was not allowed.
        """
        if self.proxy is None:
            self._address.require_peer(ip, self._access.remote)

    def close(self) -> None:
        """End every connection, those that wait for an answer too; may be called twice."""
        with self._lock:
            lines = [*self._idle, *self._busy]
            self._idle.clear()
            self._keep = False
        for line in lines:
            line.end()

    def _taken(self, timeout_s: float) -> Connection:
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

    def _give_back(self, line: Connection, *, usable: bool) -> None:
        with self._lock:
            self._busy.discard(line)
            if usable and self._keep:
                self._idle.append(line)
                return
        line.end()

    def _opened(self, timeout_s: float) -> Connection:
        address, proxy = self._address, self.proxy
        host, port = (address.host, address.port) if proxy is None else (proxy.host, proxy.port)
        try:
            if address.scheme == "http":
                connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
            else:
                connection = http.client.HTTPSConnection(host, port, timeout=timeout_s)
                if proxy is not None:
                    secret = {} if proxy.user is None else {
                        "Proxy-Authorization": basic(proxy.user)
                    }  # fmt: skip
                    connection.set_tunnel(address.host, address.port, secret)
            connection.connect()
        except (OSError, ValueError, http.client.HTTPException) as error:
            if isinstance(error, ssl.SSLError) and error.reason in tls.LASTING:
                raise tls.explained(error, self._where, address) from error
            through = "" if proxy is None else f" through the proxy {proxy.host}:{proxy.port}"
            raise errors.ServerUnreachable(
                f"nothing answers at {self._where}{through}"
                f"{'' if isinstance(error, ConnectionError) else f' ({_reason(error)})'}",
                remedy=self._remedy,
            ) from error
        opened = Connection(connection)
        try:
            self.require_peer(opened.peer)
        except errors.RemoteRefused:
            opened.end()
            raise
        self._local = proxy is None and opened.is_local
        return opened

    def require_key_may_go(self, ip: str) -> None:
        """Refuse a connection on which a key that is meant to be sent would be read by others.

        Raises:
            RemoteRefused: The name led to this machine before and leads to another one now.
        """
        if self.authorization and not self._may_send_keys(local=is_loopback_ip(ip)):
            raise errors.RemoteRefused(
                f"{self._where} is at {ip} now, and the key would go there unencrypted",
                remedy=CLEAR_KEY_REMEDY.format(host=self._address.host),
            )

    def _may_send_keys(self, *, local: bool) -> bool:
        return self._keys_everywhere or (local and self.proxy is None)

    def _secrets(self, key: str) -> dict[str, str]:
        """The headers that say who asks."""
        secrets = {"Authorization": self._authorization} if self._authorization else {}
        if key and self._address.api_version and self._address.user is None:
            secrets["api-key"] = key  # where such servers look for one that is no token
        return secrets

    def _lines(self, headers: dict[str, str]) -> str:
        for name, value in headers.items():
            if not (value.isascii() and value.isprintable()):
                raise errors.RequestRejected(
                    f"the {name} header for {self._where} has characters that HTTP does not allow",
                    remedy="look for a line end or a special character in the key or address",
                )
        return "".join(f"{name}: {value}\r\n" for name, value in headers.items())

    def _require_plain(self, timeout_s: float) -> None:
        """Refuse a server that never answered and speaks TLS, which is looked at once.

        Raises:
            RequestRejected: It does.
        """
        address = self._address
        if address.scheme != "http" or self.proxy is not None or self._answered:
            return
        if tls.is_spoken(address.host, address.port, timeout_s, self.require_peer):
            raise errors.RequestRejected(
                f"{self._where} speaks TLS, and http:// asks without",
                remedy=f"write https://{address.netloc}{address.path}",
            )

    def _failed(self, error: Exception, connect_s: float) -> errors.BackendError:
        """What an exception in the middle of a request means."""
        if isinstance(error, TimeoutError):
            return errors.RequestTimedOut(f"{self._where} did not answer in time", remedy=_LONGER)
        how = type(error).__name__
        if isinstance(error, http.client.IncompleteRead):
            how = "half of an answer"
        else:
            self._require_plain(connect_s)
            if not isinstance(error, OSError):  # the end of a connection is one
                return self._no_protocol(f"something that is not its protocol ({how})")
        return ConnectionBroken(
            f"the connection to {self._where} broke ({how})", remedy="look at the server's log"
        )

    def _no_protocol(self, what: str) -> errors.BadAnswer:
        remedy = "check that the address is that of a model server"
        return errors.BadAnswer(f"{self._where} answered {what}", remedy=remedy)


def _reason(error: Exception) -> str:
    return "no connection in time" if isinstance(error, TimeoutError) else type(error).__name__
