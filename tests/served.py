"""A small HTTP server that a test talks to."""

from __future__ import annotations

import json
import ssl
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pytest_llmclf.models.http.address import Address

if TYPE_CHECKING:
    from collections.abc import Callable


TLS = Path(__file__).parent / "tls"


class RoomyServer(ThreadingHTTPServer):
    """One that a burst of connections finds room at, also on a busy machine."""

    request_queue_size = 128  # Python's are 5; what finds no room is tried again after 1 s

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that end a handshake."""
        if not isinstance(request, ssl.SSLSocket):
            super().handle_error(request, client_address)


class JsonHandler(BaseHTTPRequestHandler):
    """Answers in JSON on connections that are kept, and says nothing of it."""

    protocol_version = "HTTP/1.1"

    def body(self) -> Any:
        """What was sent, read as JSON."""
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, status: int, body: dict[str, Any]) -> None:
        """Answer with a status and a body."""
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


class Served:
    """Listens on a free port of 127.0.0.1; use in a ``with`` block.

    Args:
        handler: Answers one connection.
        path: Prefix of its API.
    """

    def __init__(self, handler: Callable[..., BaseHTTPRequestHandler], path: str = "") -> None:
        self._server = RoomyServer(("127.0.0.1", 0), handler)
        self._path = path
        self._scheme: Literal["http", "https"] = "http"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    @property
    def address(self) -> Address:
        port = self._server.server_address[1]
        return replace(Address(host="127.0.0.1", port=port, path=self._path), scheme=self._scheme)

    def encrypt(self, name: str) -> Self:
        """Speak TLS with one of the certificates in ``tests/tls``; to be called at first."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(TLS / f"{name}.pem")
        # Not at once: who accepts connections must not wait for what a client says first.
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._scheme = "https"
        return self

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()
