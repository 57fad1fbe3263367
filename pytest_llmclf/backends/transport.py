"""HTTP clients as this package wants them: bounded, without redirects, without stray proxies."""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx

    from pytest_llmclf.backends.address import Address

CONNECT_TIMEOUT_S = 5.0
"""Longest wait for a connection; answering may take longer."""

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Bound everything that this thread reads meanwhile, on clients of `client_settings`.

    The timeout of httpx bounds each wait for bytes only: a server that sends one now and then
    would be listened to for ever. Past the end, reading raises `httpx.ReadTimeout`.
    """
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def client_settings(address: Address, timeout_s: float) -> dict[str, Any]:
    """Keyword arguments of `httpx.Client` for one server.

    Redirects are never followed: a server on this machine could send the picture elsewhere.
    For loopback the environment is ignored, so that ``HTTP_PROXY`` cannot either.
    """
    import httpx

    return {
        "follow_redirects": False,
        "trust_env": not address.is_loopback,
        "timeout": httpx.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s)),
        "auth": address.user,
        # Reading the certificates takes a noticeable moment, and plain HTTP uses none.
        "verify": address.scheme == "https",
        # A llama-server thread stays with an idle connection for five seconds, and it has few:
        # with more connections than threads the others starve. Opening one here costs nothing.
        "event_hooks": {"request": [_watch]},
        "limits": httpx.Limits(max_keepalive_connections=0 if address.is_loopback else 20),
    }


def open_client(
    address: Address, timeout_s: float, *, headers: dict[str, str] | None = None
) -> httpx.Client:
    """Open a client whose paths are relative to the address; the caller closes it."""
    import httpx

    return httpx.Client(
        base_url=address.url, headers=headers, **client_settings(address, timeout_s)
    )


def _watch(request: httpx.Request) -> None:
    """Have httpcore tell of each connection that the request opens."""
    request.extensions["trace"] = _bound_reads


def _bound_reads(event: str, info: Mapping[str, Any]) -> None:
    """Make a new connection keep to the deadline of whoever reads from it.

    Here and not around the response, since the headers may trickle in as well; and not as a
    transport of our own, since httpx then ignores the proxies of the environment.
    """
    if not event.endswith(("connect_tcp.complete", "start_tls.complete")):
        return
    stream = info["return_value"]
    read = stream.read

    def bounded(max_bytes: int, timeout: float | None = None) -> bytes:
        data: bytes = read(max_bytes, _remaining(timeout))
        return data

    stream.read = bounded


def _remaining(timeout: float | None) -> float | None:
    import httpx

    deadline = _deadline.get()
    if deadline is None:
        return timeout
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpx.ReadTimeout("the whole answer took too long")
    return left if timeout is None else min(left, timeout)
