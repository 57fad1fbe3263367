"""What backends of one server have in common: how it is reached, and when it is asked no more."""

from __future__ import annotations

import threading
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from pytest_llmclf import errors
from pytest_llmclf.models.ollama.derive import remote_host
from pytest_llmclf.models.ollama.status import require_here

if TYPE_CHECKING:
    from pytest_llmclf.models.http.address import Access, Address
    from pytest_llmclf.models.http.client import HttpClient


class ServerBackend:
    """A model on one server, whose connections are opened when they are first needed.

    Args:
        model: The model as people write it.
        address: The server.
        access: Where images and keys may go besides this machine.
        timeout_s: Longest wait for one answer.

    Raises:
        RemoteRefused: The server is not on this machine and not allowed.
    """

    def __init__(self, model: str, address: Address, access: Access, timeout_s: float) -> None:
        address.require_allowed(access.remote)
        self._model = model
        self._address = address
        self._access = access
        self._timeout_s = timeout_s
        self._lock = threading.RLock()
        self._client: HttpClient | None = None
        self._passed_on: errors.RemoteRefused | None = None

    @abstractmethod
    def _open(self) -> HttpClient:
        """New connections to the server."""

    def _opened(self) -> HttpClient:
        with self._lock:
            self._client = self._client or self._open()
            return self._client

    def close(self) -> None:
        """Close the connections; what the server has stays there."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _require_asked_here(self) -> None:
        """Send no question where another machine answered the one before."""
        if self._passed_on is not None:
            raise self._passed_on

    def _look_where_it_ran(self, told: Any) -> None:
        """Refuse an answer that another machine gave, as an Ollama says, and every further one."""
        if not isinstance(told, dict):
            return
        try:
            require_here(self._model, remote_host(told), self._address, self._access.remote)
        except errors.RemoteRefused as error:
            self._passed_on = error
            raise
