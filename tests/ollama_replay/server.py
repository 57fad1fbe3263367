"""The server: recorded answers over real HTTP, and just enough state to derive models.

A chat with a derived model is matched against the recordings of its base: the derived model's
system text, examples and parameters are put where a real server would put them. A request that no
recording knows is answered by an error that says so, and never by a made-up answer.
"""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from tests.ollama_replay.recordings import Exchange, all_exchanges, exchange
from tests.served import Served

if TYPE_CHECKING:
    from collections.abc import Callable

BASES = {"micro-llava": "104", "smol": "023"}
"""Models that the recorded server had, and the recording of their `show`."""


@dataclass
class Model:
    """A model of the server.

    Attributes:
        name: Full name.
        digest: Its digest.
        base: The recorded model that it comes from.
        system: Its system text.
        template: Its template.
        parameters: Its parameters.
        messages: Its examples.
        remote: ``remote_host`` and ``remote_model`` of one that another machine runs.
    """

    name: str
    digest: str
    base: str
    system: str | None = None
    template: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    messages: list[dict[str, str]] = field(default_factory=list)
    remote: dict[str, str] = field(default_factory=dict)

    def shown(self) -> dict[str, Any]:
        """The body of `show`: the recorded one with what was derived over it."""
        body = dict(exchange(BASES[self.base]).body)
        lines = [f"FROM {self.base}", f'TEMPLATE """{self.template}"""']
        if self.system is not None:
            lines.append(f'SYSTEM """{self.system}"""')
        pairs = [
            (name, value)
            for name, values in sorted(self.parameters.items())
            for value in (values if isinstance(values, list) else [values])
        ]
        lines += [f"PARAMETER {name} {_plain(value)}" for name, value in pairs]
        lines += [f'MESSAGE {m["role"]} """{m["content"]}"""' for m in self.messages]
        body["modelfile"] = "\n".join(lines) + "\n"
        body["parameters"] = "\n".join(f"{name:<30} {_quoted(value)}" for name, value in pairs)
        body["template"] = self.template
        body["system"] = self.system or ""
        return {**body, **self.remote}


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that arrived."""

    method: str
    path: str
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


class OllamaReplay(Served):
    """A server on a free port of 127.0.0.1, for use in a ``with`` block.

    Args:
        models: Which of `BASES` it has at first.
        pullable: Which of them it can pull.

    Attributes:
        seen: Every request, in order of arrival.
        unmatched: Requests that no recording knows; a test should find it empty.
        cut_create: Whether the stream of `create` ends before its last line.
        break_create: A change to make to a model while creating it, as a faulty server would.
        version: What it says its version is.
        thinks: Values for ``think`` that it lists for its models; empty: it says only that they
            can think; ``None``: they cannot.
        talk: Gives status and body of the answer to a chat, instead of a recording.
    """

    def __init__(
        self, models: tuple[str, ...] = ("micro-llava", "smol"), pullable: tuple[str, ...] = ()
    ) -> None:
        self.seen: list[Seen] = []
        self.unmatched: list[Seen] = []
        self.break_create: dict[str, Any] = {}
        self.cut_create = False
        self.thinks: list[Any] | None = None
        self.talk: Callable[[dict[str, Any]], tuple[int, Any]] | None = None
        self.version: str = exchange("001").body["version"]
        self._pullable = pullable
        self._forced: list[Exchange | str] = []
        self._lock = threading.Lock()
        self._models = {f"{name}:latest": _base_model(name) for name in models}
        self._blobs: set[str] = set()
        super().__init__(_handler(self))

    @property
    def models(self) -> list[str]:
        """Full names of its models."""
        return sorted(self._models)

    def force(self, what: Exchange | str) -> None:
        """Answer the next chat so: a recording, ``drop`` (cut the line) or ``silence``."""
        self._forced.append(what)

    def sent(self, path: str) -> list[Any]:
        """Bodies of the requests to a path."""
        return [seen.body for seen in self.seen if seen.path == path]

    def run_elsewhere(self, name: str, host: str = "https://ollama.com:443") -> None:
        """Pass questions to a model on to another machine from here on, as cloud models are."""
        self._models[_full(name)].remote = {"remote_host": host, "remote_model": name}

    def give_system(self, name: str, text: str) -> None:
        """Give a model a SYSTEM text of its own."""
        self._models[_full(name)].system = text

    def change_base(self, name: str) -> None:
        """Give a model another digest, as pulling a newer version does."""
        self._models[f"{name}:latest"].digest = hashlib.sha256(b"newer").hexdigest()

    def answer(self, seen: Seen) -> Exchange | str:  # noqa: PLR0911 - one return a path
        """The answer to a request; a word for what is no answer."""
        with self._lock:
            self.seen.append(seen)
            match seen.method, seen.path.split("/")[1:]:
                case "GET", ["api", "version"]:
                    return _json({"version": self.version})
                case "GET", ["api", "tags"]:
                    return _json({"models": [self._tag(m) for m in self._models.values()]})
                case "HEAD", ["api", "blobs", digest]:
                    return exchange("009" if digest in self._blobs else "005")
                case "POST", ["api", "blobs", digest]:
                    return self._store(digest, seen.body)
                case "POST", ["api", "show"]:
                    return self._show(seen.body["model"])
                case "POST", ["api", "create"]:
                    return self._create(seen.body)
                case "POST", ["api", "pull"]:
                    return self._pull(seen.body["model"])
                case "POST", ["api", "chat"] if self.talk is not None:
                    status, body = self.talk(seen.body)
                    return _json(body, status)
                case "POST", ["api", "chat"]:
                    return self._forced.pop(0) if self._forced else self._chat(seen)
                case _:
                    return self._recorded(seen)

    def _tag(self, model: Model) -> dict[str, Any]:
        tag = dict(exchange("022").body["models"][0])
        named = {"name": model.name, "model": model.name, "digest": model.digest}
        return {**tag, **named, **model.remote}

    def _store(self, digest: str, data: bytes) -> Exchange:
        if digest in self._blobs:
            return exchange("011")
        if digest != f"sha256:{hashlib.sha256(data).hexdigest()}":
            return exchange("006")
        self._blobs.add(digest)
        return exchange("010")

    def _show(self, name: str) -> Exchange:
        model = self._models.get(_full(name))
        if model is None:
            return _json({"error": f"model '{_full(name)}' not found"}, 404)
        shown = model.shown()
        if self.thinks is not None:
            shown["capabilities"] = [*shown["capabilities"], "thinking"]
            if self.thinks:
                shown["thinking"] = {"values": self.thinks, "default": self.thinks[-1]}
        return _json(shown)

    def _create(self, body: dict[str, Any]) -> Exchange:
        files = body.get("files") or {}
        if any(digest not in self._blobs for digest in files.values()):
            return exchange("014")
        base = self._models.get(_full(body.get("from") or "micro-llava"))
        if base is None:
            return _stream([{"error": "pull model manifest: file does not exist"}])
        name = _full(body["model"])
        content = json.dumps({**body, "base": base.digest}, sort_keys=True)
        self._models[name] = Model(
            name=name,
            digest=hashlib.sha256(content.encode()).hexdigest(),
            base=base.base,
            system=body.get("system", base.system),
            template=body.get("template", base.template),
            parameters={**base.parameters, **(body.get("parameters") or {})},
            messages=body.get("messages") or base.messages,
            remote=base.remote,
        )
        for attribute, value in self.break_create.items():
            setattr(self._models[name], attribute, value)
        whole = exchange("012")
        return _stream(whole.body[:-1]) if self.cut_create else whole

    def _pull(self, name: str) -> Exchange:
        plain = _full(name).removesuffix(":latest")
        if plain not in self._pullable:
            return _stream([{"status": "pulling manifest"}, {"error": "file does not exist"}])
        self._models[_full(name)] = _base_model(plain)
        return _stream([{"status": "pulling manifest"}, {"status": "success"}])

    def _chat(self, seen: Seen) -> Exchange:
        model = self._models.get(_full(seen.body["model"]))
        if model is None:
            return _json({"error": f"model '{seen.body['model']}' not found"}, 404)
        wanted = _canonical(seen.body, model)
        for item in all_exchanges():
            if item.path != seen.path or not isinstance(item.sent, dict) or item.streamed:
                continue
            base = self._models.get(_full(item.sent.get("model", "")))
            if base and base.base == model.base and _canonical(item.sent, base) == wanted:
                return item
        return self._unknown(seen)

    def _recorded(self, seen: Seen) -> Exchange:
        for item in all_exchanges():
            if (item.method, item.path) == (seen.method, seen.path) and item.sent == seen.body:
                return item
        return self._unknown(seen)

    def _unknown(self, seen: Seen) -> Exchange:
        self.unmatched.append(seen)
        return _json({"error": f"no recording of {seen.method} {seen.path} with this body"}, 501)


def _handler(  # noqa: C901 - a class made around the server that it serves
    replay: OllamaReplay,
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            data = self._body()
            json_body = self.headers.get("Content-Type", "").startswith("application/json")
            is_blob = self.path.startswith("/api/blobs/")
            body = json.loads(data) if data and json_body and not is_blob else data or None
            answer = replay.answer(
                Seen(self.command, self.path, body, {k.lower(): v for k, v in self.headers.items()})
            )
            if answer == "silence":
                threading.Event().wait(3)  # longer than any test waits
            if isinstance(answer, str):
                self.close_connection = True
                return
            self._write(answer)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") == "chunked":
                parts = []
                while size := int(self.rfile.readline(), 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(parts)
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def _write(self, answer: Exchange) -> None:
            if answer.streamed:
                data = b"".join(json.dumps(line).encode() + b"\n" for line in answer.body)
            elif isinstance(answer.body, str):
                data = answer.body.encode()
            else:
                data = json.dumps(answer.body).encode()
            self.send_response(answer.status)
            if answer.content_type:
                self.send_header("Content-Type", answer.content_type)
            if 300 <= answer.status < 400:
                self.send_header("Location", "http://example.invalid/")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_GET = do_POST = do_HEAD = do_DELETE = _any  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited name
            pass

    return Handler


def _canonical(body: dict[str, Any], model: Model) -> str:
    """What reaches the model, whoever said it: the request or the model itself."""
    messages = [*model.messages, *body.get("messages", [])]
    if model.system is not None and not any(m["role"] == "system" for m in messages):
        messages.insert(0, {"role": "system", "content": model.system})
    return json.dumps(
        {
            "messages": messages,
            "options": {**model.parameters, **(body.get("options") or {})},
            "template": model.template,
            **{key: body.get(key) for key in ("format", "logprobs", "top_logprobs", "keep_alive")},
        },
        sort_keys=True,
    )


def _base_model(name: str) -> Model:
    shown = exchange(BASES[name]).body
    parameters: dict[str, Any] = {}
    for line in shown["parameters"].splitlines():
        key, _, value = line.partition(" ")
        value = json.loads(value.strip())
        if key == "stop":
            parameters.setdefault("stop", []).append(value)
        else:
            parameters[key] = value
    return Model(
        name=f"{name}:latest",
        digest=hashlib.sha256(name.encode()).hexdigest(),
        base=name,
        system=shown.get("system"),
        template=shown["template"],
        parameters=parameters,
    )


def _full(name: str) -> str:
    return name if ":" in name else f"{name}:latest"


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _quoted(value: object) -> str:
    return json.dumps(value) if isinstance(value, str) else _plain(value)


def _json(body: Any, status: int = 200) -> Exchange:
    return _made(body, status, "application/json; charset=utf-8", streamed=False)


def _stream(lines: list[dict[str, Any]]) -> Exchange:
    return _made(lines, 200, "application/x-ndjson", streamed=True)


def _made(body: Any, status: int, content_type: str, *, streamed: bool) -> Exchange:
    return Exchange(
        file="made",
        method="",
        path="",
        sent=None,
        status=status,
        content_type=content_type,
        body=body,
        streamed=streamed,
    )
