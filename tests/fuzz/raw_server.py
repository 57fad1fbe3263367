"""A server that answers with whatever bytes it was given."""

from __future__ import annotations

import socket
import threading
from typing import Self

from pytest_llmclf.models.http.address import Address


class RawServer:
    """Listens on a free port of 127.0.0.1 within a ``with`` block.

    Attributes:
        replies: Whole answers, head included, by the end of the request's path; of a list each
            one is given once, the last one for good.
        otherwise: Answer to every other request.
        arrived: First lines of the requests, in order.
    """

    def __init__(self) -> None:
        self.replies: dict[str, bytes | list[bytes]] = {}
        self.otherwise = http(b"{}")
        self.arrived: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def port(self) -> int:
        port: int = self._socket.getsockname()[1]
        return port

    @property
    def address(self) -> Address:
        return Address(host="127.0.0.1", port=self.port)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # A listening socket that is closed does not wake who waits on it everywhere.
        self._ended = True
        with socket.create_connection(("127.0.0.1", self.port), 5):
            pass
        self._thread.join(5)
        self._socket.close()

    _ended = False

    def _serve(self) -> None:
        while not self._ended:
            connection, _ = self._socket.accept()
            with connection:
                connection.settimeout(5)
                try:
                    self._answer(connection)
                except (OSError, ValueError, IndexError):
                    # The client has had enough, or is a stranger who looks for a server that had
                    # this port before.
                    continue

    def _answer(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as file:
            first = file.readline()
            if not first:
                return
            length = 0
            while line := file.readline().strip():
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            file.read(length)
        self.arrived.append(first)
        path = first.split()[1].decode()
        known = (reply for end, reply in self.replies.items() if path.endswith(end))
        reply = next(known, self.otherwise)
        if isinstance(reply, list):
            reply = reply.pop(0) if len(reply) > 1 else reply[0]
        connection.sendall(reply)
        connection.shutdown(socket.SHUT_WR)


def http(body: bytes, status: int = 200, *headers: str) -> bytes:
    """An answer with an honest length that ends its connection."""
    lines = (f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close", *headers)
    return "\r\n".join((*lines, "", "")).encode() + body
