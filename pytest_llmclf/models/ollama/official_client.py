"""How the official Ollama client is opened: as our own connections are, for the same server.

It follows no redirects and no stray proxies, looks at what a name leads to before it sends
anything, and sends a key or password only where `client` does.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from pytest_llmclf.errors import BackendError
from pytest_llmclf.models.http.client import CONNECT_TIMEOUT_S

if TYPE_CHECKING:
    from types import ModuleType

    import httpx

    from pytest_llmclf.models.http.address import Address
    from pytest_llmclf.models.http.client import HttpClient


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


def client_settings(client: HttpClient, address: Address, timeout_s: float) -> dict[str, Any]:
    """Keyword arguments of `httpx.Client`, and so of `ollama.Client`, for one server.

    Args:
        client: Our own connections to it, which have been used at least once.
        address: The server.
        timeout_s: Longest wait for the next bytes; a pull may take as long as it goes on.
    """
    import ssl

    import httpx

    def authorize(request: httpx.Request) -> httpx.Request:
        # The client puts OLLAMA_API_KEY there by itself, whatever server it talks to.
        request.headers.pop("Authorization", None)
        if client.authorization:
            request.headers["Authorization"] = client.authorization
        return request

    def look(event: str, info: dict[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            stream = info["return_value"]
            ip = str(stream.get_extra_info("server_addr")[0])
            try:
                client.require_peer(ip)
                client.require_key_may_go(ip)
            except BackendError:
                stream.close()
                raise

    def watch(request: httpx.Request) -> None:
        request.extensions["trace"] = look

    return {
        "follow_redirects": False,
        "trust_env": False,
        "proxy": None if client.proxy is None else client.proxy.url,
        "timeout": httpx.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s)),
        "auth": authorize,
        "event_hooks": {"request": [watch]},
        # Reading the certificates takes a noticeable moment, and plain HTTP uses none.
        "verify": ssl.create_default_context() if address.scheme == "https" else False,
    }
