"""The server: which path is answered how."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.stub_ollama import answers, faults
from benchmarks.stub_ollama.counts import Counts
from benchmarks.stub_ollama.http import Connection
from benchmarks.stub_ollama.models import VERSION, Models, full_name
from benchmarks.stub_ollama.slots import Slots, Ticket

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHATS = ("/api/chat", "/v1/chat/completions")
BACKLOG = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the server behaves.

    Attributes:
        port: Where it listens on 127.0.0.1; 0 takes a free one.
        service_ms: Milliseconds that a question takes.
        slots: Questions that are served side by side.
        queue: Questions that may wait; one more is answered by 503.
        labels: What it may say.
        model: The model that it has.
        version: Which Ollama it says it is.
        faults: What goes wrong from the start.
        state: File that keeps derived models when it is killed.
    """

    port: int = 0
    service_ms: float = 20.0
    slots: int = 4
    queue: int = 512
    labels: tuple[str, ...] = tuple("0123456789")
    model: str = "llava:7b"
    version: str = VERSION
    faults: tuple[faults.Fault, ...] = ()
    state: Path | None = None


@dataclass(frozen=True, slots=True)
class _Question:
    connection: Connection
    body: dict[str, Any]
    key: int
    fault: str = field(default="")


class Server:
    """Answers requests; lives in the loop that it was made in."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._counts = Counts(options.slots)
        self._slots = Slots(options.slots, options.service_ms / 1000.0, options.queue, self._counts)
        self._models = Models(options.model, options.state)
        self._faults = list(options.faults)
        self._blobs: set[str] = set()
        self._elsewhere = ""

    async def listen(self) -> tuple[asyncio.Server, asyncio.Server]:
        """Open the port, and another one that redirects lead to."""
        server = await self._loop.create_server(
            lambda: Connection(self), "127.0.0.1", self._options.port, backlog=BACKLOG
        )
        other = await self._loop.create_server(
            lambda: Connection(_Elsewhere(self._counts)), "127.0.0.1", 0
        )
        self._elsewhere = f"http://127.0.0.1:{other.sockets[0].getsockname()[1]}"
        return server, other

    def opened(self) -> None:
        """Count a connection."""
        self._counts.connections += 1

    def gone(self, connection: Connection) -> None:
        """Stop working for a client that went."""
        ticket, connection.ticket = connection.ticket, None
        if ticket is not None:
            self._slots.leave(ticket)

    def request(self, connection: Connection, body: bytes) -> None:
        """Answer one request."""
        if connection.path in CHATS and connection.method == "POST":
            self._chat(connection, body)
            return
        control = _CONTROLS.get((connection.method, connection.path))
        if control is not None:
            control(self, connection, body)
            return
        self._counts.other_requests[connection.path.partition("?")[0]] += 1
        self._other(connection, body)

    def _chat(self, connection: Connection, raw: bytes) -> None:
        key = self._counts.asked(raw)
        fault = next((fault.mode for fault in self._faults if fault.meets()), "")
        if fault in faults.REFUSALS:
            self._refuse(connection, fault)
            return
        try:
            body = json.loads(raw)
        except ValueError as error:
            self._counts.failed += 1
            connection.json(400, {"error": str(error)})
            return
        question = _Question(connection, body, key, fault)
        if body.get("model") not in self._models:
            self._counts.failed += 1
            connection.json(404, {"error": f"model '{body.get('model')}' not found"})
            return
        # Without service time the answer is sent before `enter` returns.
        ticket = self._slots.enter(partial(self._served, question))
        if ticket is None:
            self._refuse(connection, "503")
        elif ticket.timer is not None or ticket.began is None or ticket.holds:
            connection.ticket = ticket

    def _refuse(self, connection: Connection, mode: str) -> None:
        self._counts.refused += 1
        status, text = faults.REFUSALS[mode]
        connection.json(status, {"error": text}, "Retry-After: 1\r\n" if status == 429 else "")  # noqa: PLR2004 - Ollama's 503 has none

    def _served(self, question: _Question, ticket: Ticket) -> None:
        connection = question.connection
        if question.fault == "stall":
            self._counts.failed += 1
            self._slots.hold(ticket)
            return
        connection.ticket = None
        try:
            answer, content = self._answer(connection.path, question.body)
        except answers.NoImage as error:
            self._counts.failed += 1
            connection.json(400, {"error": f"Failed to load image or audio file: {error}"})
            return
        if question.fault:
            self._counts.failed += 1
            stream = _streamed(connection.path, question.body)
            faults.send(question.fault, connection, answer, stream=stream, other=self._elsewhere)
            return
        connection.answer(200, answer, content)
        self._counts.done(question.key)

    def _answer(self, path: str, body: dict[str, Any]) -> tuple[bytes, str]:
        text, labels = answers.said(body, self._options.labels)
        top = int(body.get("top_logprobs") or 0) if body.get("logprobs") else None
        stream = _streamed(path, body)
        if path == "/api/chat":
            service_ns = round(self._options.service_ms * 1_000_000)
            made = answers.ollama(body["model"], text, labels, top, service_ns)
            return made[stream], "application/x-ndjson" if stream else "application/json"
        made = answers.openai(body["model"], text, labels, top)
        return made[stream], "text/event-stream" if stream else "application/json"

    def _other(self, connection: Connection, raw: bytes) -> None:
        match connection.method, connection.path.strip("/").split("/"):
            case "GET" | "HEAD", [""]:
                connection.answer(200, b"Ollama is running", "text/plain")
            case "GET", ["api", "version"]:
                connection.json(200, {"version": self._options.version})
            case "GET", ["api", "tags"]:
                connection.json(200, {"models": self._models.tags()})
            case "GET", ["api", "ps"]:
                connection.json(200, {"models": []})
            case "GET", ["v1", "models"]:
                models = [{"id": name, "object": "model"} for name in self._models]
                connection.json(200, {"object": "list", "data": models})
            case "POST", ["api", "show"]:
                self._show(connection, json.loads(raw))
            case "DELETE", ["api", "delete"]:
                self._delete(connection, json.loads(raw))
            case "POST", ["api", "create" | "pull" as what]:
                self._derive(connection, json.loads(raw), what)
            case "HEAD" | "POST", ["api", "blobs", digest]:
                self._blob(connection, digest)
            case _:
                connection.answer(404, b"404 page not found", "text/plain")

    def _show(self, connection: Connection, body: dict[str, Any]) -> None:
        name = str(body.get("model") or body.get("name"))
        if name in self._models:
            connection.json(200, self._models.show(name))
        else:
            connection.json(404, {"error": f"model '{full_name(name)}' not found"})

    def _delete(self, connection: Connection, body: dict[str, Any]) -> None:
        name = str(body.get("model") or body.get("name"))
        if name in self._models:
            self._models.delete(name)
            connection.answer(200, b"")
        else:
            connection.json(404, {"error": f"model '{name}' not found"})

    def _derive(self, connection: Connection, body: dict[str, Any], what: str) -> None:
        if what == "create":
            lines = self._models.create(body)
        elif body["model"] in self._models:
            lines = [{"status": "success"}]
        else:
            lines = [{"error": "pull model manifest: file does not exist"}]
        if body.get("stream") is False:
            connection.json(200, lines[-1])
            return
        text = "".join(f"{json.dumps(line)}\n" for line in lines)
        connection.answer(200, text.encode(), "application/x-ndjson")

    def _blob(self, connection: Connection, digest: str) -> None:
        if connection.method == "HEAD":
            connection.answer(200 if digest in self._blobs else 404, b"")
            return
        self._blobs.add(digest)
        connection.answer(201, b"")

    def _stats(self, connection: Connection, _: bytes) -> None:
        connection.json(200, self._counts.told(self._loop.time()))

    def _reset(self, connection: Connection, _: bytes) -> None:
        self._counts.reset()
        connection.json(200, {})

    def _fault(self, connection: Connection, raw: bytes) -> None:
        body = json.loads(raw)
        if body["mode"] is None:
            self._faults.clear()
        else:
            try:
                self._faults.append(faults.made(body["mode"], body["count"], body["every"]))
            except ValueError as error:
                connection.json(400, {"error": str(error)})
                return
        connection.json(200, {})


_CONTROLS: dict[tuple[str, str], Callable[[Server, Connection, bytes], None]] = {
    ("GET", "/stats"): Server._stats,  # noqa: SLF001 - the table of its own paths
    ("POST", "/stats/reset"): Server._reset,  # noqa: SLF001
    ("POST", "/fault"): Server._fault,  # noqa: SLF001
}


class _Elsewhere:
    """Where redirects lead: counts who follows them."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def opened(self) -> None:
        """Nothing to do."""

    def gone(self, connection: Connection) -> None:
        """Nothing to do."""

    def request(self, connection: Connection, _: bytes) -> None:
        """Count a client that followed."""
        self._counts.redirected += 1
        connection.json(404, {"error": "this is another server"})


def _streamed(path: str, body: dict[str, Any]) -> bool:
    return bool(body.get("stream", path == "/api/chat"))
