"""HTTP clients as this package wants them: bounded, without redirects, without stray proxies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

    from pytest_llmclf.backends.address import Address

CONNECT_TIMEOUT_S = 5.0
"""Longest wait for a connection; answering may take longer."""


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
