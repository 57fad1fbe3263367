"""How the official Ollama client is opened: without redirects and without stray proxies."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from pytest_llmclf.backends.wire import CONNECT_TIMEOUT_S

if TYPE_CHECKING:
    from types import ModuleType

    from pytest_llmclf.backends.address import Address


_importing = threading.Lock()


def official() -> ModuleType:
    """The official client's package.

    Importing it opens a client for ``OLLAMA_HOST``, which fails where that names several servers:
    it does not see the variable.
    """
    with _importing:
        hosts = os.environ.pop("OLLAMA_HOST", None)
        try:
            import ollama
        finally:
            if hosts is not None:
                os.environ["OLLAMA_HOST"] = hosts
    return ollama


def client_settings(address: Address, timeout_s: float) -> dict[str, Any]:
    """Keyword arguments of `httpx.Client`, and so of `ollama.Client`, for one server.

    Redirects are never followed: a server on this machine could send files elsewhere.
    For loopback the environment is ignored, so that ``HTTP_PROXY`` cannot either.

    Args:
        address: The server.
        timeout_s: Longest wait for the next bytes; a pull may take as long as it goes on.
    """
    import httpx

    return {
        "follow_redirects": False,
        "trust_env": not address.is_loopback,
        "timeout": httpx.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s)),
        "auth": address.user,
        # Reading the certificates takes a noticeable moment, and plain HTTP uses none.
        "verify": address.scheme == "https",
    }
