"""A small HTTP server that a test talks to."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

from pytest_llmclf.models.http.address import Address

if TYPE_CHECKING:
    from collections.abc import Callable


class RoomyServer(ThreadingHTTPServer):
    """One that a burst of connections finds room at, also on a busy machine."""

    request_queue_size = 128  # Python's are 5; what finds no room is tried again after 1 s


class Served:
    """Listens on a free port of 127.0.0.1; use in a ``with`` block.

    Args:
        handler: Answers one connection.
        path: Prefix of its API.
    """

    def __init__(self, handler: Callable[..., BaseHTTPRequestHandler], path: str = "") -> None:
        self._server = RoomyServer(("127.0.0.1", 0), handler)
        self._path = path
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    @property
    def address(self) -> Address:
        return Address(host="127.0.0.1", port=self._server.server_address[1], path=self._path)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()
