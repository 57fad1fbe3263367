"""A tiny OpenAI-compatible server that says what a test wants."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from tests.served import Served

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Arrived:
    """A request as it arrived."""

    path: str
    headers: dict[str, str]
    body: Any


def completion(**choice: Any) -> dict[str, Any]:
    """The body of an ordinary answer."""
    message = {"role": "assistant", "content": "7"}
    return {
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", **choice}],
        "usage": {"prompt_tokens": 31, "completion_tokens": 2},
    }


class ChatServer(Served):
    """Says the same of every image, unless a test changes it.

    Attributes:
        answers: (status, body) by path; a body that is text or bytes is sent as it is. A
            function makes both of the request's body.
        headers: Sent with every answer.
        arrived: Requests in order.
    """

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.answers: dict[str, tuple[int, Any] | Callable[[Any], tuple[int, Any]]] = {
            "/v1/models": (200, {"data": [{"id": "llava", "owned_by": "someone"}]}),
            "/v1/chat/completions": (200, completion()),
        }
        self.arrived: list[Arrived] = []
        super().__init__(_handler(self), "/v1")


def _handler(server: ChatServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = json.loads(data) if data else None
            server.arrived.append(Arrived(self.path, dict(self.headers), body))
            made = server.answers.get(self.path, (404, {"error": "no such path"}))
            status, answer = made(body) if callable(made) else made
            text = answer if isinstance(answer, str | bytes) else json.dumps(answer)
            sent = text.encode() if isinstance(text, str) else text
            self.send_response(status)
            for name, value in server.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = _any  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited name
            pass

    return Handler
