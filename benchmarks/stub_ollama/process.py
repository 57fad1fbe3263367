"""The server as a process of its own, and what a test or a benchmark does with it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from benchmarks.stub_ollama.models import VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

_ROOT = Path(__file__).resolve().parents[2]
_START_S = 20.0
_ANSWER_S = 10.0


class StubOllama:
    """A server on 127.0.0.1, for use in a ``with`` block.

    Args:
        service_ms: Milliseconds that a question takes.
        slots: Questions that are served side by side.
        queue: Questions that may wait; one more is answered by 503.
        port: Where it listens; 0 takes a free port, which a restart keeps.
        labels: What it may say.
        model: The model that it has.
        faults: ``MODE`` or ``MODE:COUNT``, from the start.
    """

    def __init__(
        self,
        *,
        service_ms: float = 20.0,
        slots: int = 4,
        queue: int = 512,
        port: int = 0,
        labels: Sequence[str] = tuple("0123456789"),
        model: str = "llava:7b",
        faults: Sequence[str] = (),
    ) -> None:
        self._arguments = [
            f"--service-ms={service_ms}", f"--slots={slots}", f"--queue={queue}",
            f"--labels={','.join(labels)}", f"--model={model}",
            *(f"--fault={fault}" for fault in faults),
        ]  # fmt: skip
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._state: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it."""
        self.stop()

    @property
    def port(self) -> int:
        """Where it listens, or listened."""
        return self._port

    @property
    def netloc(self) -> str:
        """As ``OLLAMA_HOST`` takes it."""
        return f"127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.netloc}"

    @property
    def pid(self) -> int:
        """Its process; an error if it does not run."""
        return self._running().pid

    def start(self, version: str = VERSION) -> None:
        """Start it, or start it again at the same port with the models that it had.

        Args:
            version: Which Ollama it says it is.

        Raises:
            RuntimeError: It does not begin to listen.
        """
        if self._process is not None:
            raise RuntimeError("the stub runs already")
        if self._state is None:
            self._state = tempfile.TemporaryDirectory(prefix="stub-ollama-")
        state = Path(self._state.name) / "models.json"
        command = [
            sys.executable, "-m", "benchmarks.stub_ollama", "--with-stdin",
            f"--port={self._port}", f"--state={state}", f"--version={version}", *self._arguments,
        ]  # fmt: skip
        process = subprocess.Popen(  # noqa: S603 - this file's own command
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
        )
        # Reading the line has no time-out of its own; the end of the process ends it.
        late = threading.Timer(_START_S, process.kill)
        late.start()
        assert process.stdout is not None  # noqa: S101 - narrows the type
        line = process.stdout.readline().decode()
        late.cancel()
        self._process = process
        if not line.startswith("listening on "):
            self.stop()
            raise RuntimeError(f"the stub did not start: {' '.join(command)}")
        self._port = int(line.rsplit(":", 1)[1])

    def stats(self) -> dict[str, Any]:
        """What it counted since it started or since `reset`."""
        return self._control("GET", "/stats")

    def reset(self) -> None:
        """Count from nothing again."""
        self._control("POST", "/stats/reset", {})

    def fault(self, mode: str | None, count: int | None = None, every: int = 1) -> None:
        """Make something go wrong with the next questions.

        Args:
            mode: What; ``None`` takes back everything that was asked for.
            count: How many questions it meets; ``None``: without end.
            every: It meets every so many-th question.
        """
        self._control("POST", "/fault", {"mode": mode, "count": count, "every": every})

    def models(self) -> tuple[str, ...]:
        """Full names of its models."""
        return tuple(model["name"] for model in self._control("GET", "/api/tags")["models"])

    def delete(self, *names: str) -> None:
        """Take models away, as ``ollama rm`` does."""
        for name in names:
            self._control("DELETE", "/api/delete", {"model": name})

    def replace(self, name: str) -> None:
        """Put another model in the place of one, as ``ollama create`` over its name does."""
        self._control("POST", "/api/create", {"model": name, "system": "x", "stream": False})

    def kill(self) -> None:
        """End it at once, as a crash does; `start` starts it again."""
        self._end(self._running(), kindly=False)

    def stop(self) -> None:
        """End it and forget its models; may be called twice."""
        if self._process is not None:
            self._end(self._process, kindly=True)
        if self._state is not None:
            self._state.cleanup()
            self._state = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the stub does not run")
        return self._process

    def _end(self, process: subprocess.Popen[bytes], *, kindly: bool) -> None:
        self._process = None
        if kindly:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5.0)
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def _control(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_ANSWER_S)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data)
            response = connection.getresponse()
            told: dict[str, Any] = json.loads(response.read() or b"{}")
        finally:
            connection.close()
        if response.status >= 400:  # noqa: PLR2004 - HTTP's errors
            raise ValueError(told.get("error"))
        return told
