"""A `llama-server` child on this machine: started, watched, restarted, ended."""

from __future__ import annotations

import collections
import contextlib
import os
import re
import secrets
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

from pytest_llmclf.errors import BackendError, RuntimeBroken, ServerFailed
from pytest_llmclf.models.http.address import Address
from pytest_llmclf.models.http.client import HttpClient
from pytest_llmclf.models.llamacpp.llama_binary import library_environment
from pytest_llmclf.values.text import shorten

MAX_STARTS = 4
"""One start and three restarts; a server that dies more often is given up."""

STABLE_S = 60.0
"""A server that lived this long had no trouble of its own making: its deaths start anew."""

TAIL_LINES = 12
"""Lines of the server's output that go with an error as its note."""

_TELLING_LINES = 3
_TELLING_WIDTH = 400
_ERROR_LINE = re.compile(r"^[0-9.]+ E |\berror\b", re.IGNORECASE)
ServerErrorT = TypeVar("ServerErrorT", ServerFailed, RuntimeBroken)

_KEPT_LINES = 200
_POLL_S = 0.02
_HEALTH_S = 5.0
_OK = 200
_STOP_S = 5.0
_DEATH_S = 0.5  # a connection breaks a little before the exit is seen
_PORT_TRIES = 3
# Ctrl-C goes to everything in the terminal's foreground group. The server must outlive it until
# the report is written; then it is closed.
if sys.platform == "win32":
    _APART_FLAGS = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
else:
    _APART_FLAGS = 0
_KEEPER = Path(__file__).with_name("watchdog.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPlan:
    """How one server is started; equal plans can share one.

    Attributes:
        program: The `llama-server` to run.
        text: GGUF file of the language model.
        mmproj: GGUF file of the projector.
        alias: Name that the server gives the model.
        parallel: Requests that it works on side by side.
        context: Context of each of them in tokens.
        threads: CPU threads, or ``None`` for llama.cpp's choice.
        tiny: The model is so small that graphics cards and caches cost more than they save;
            without a cache no answer depends on what was asked before.
        copy: Tells apart those of several alike that are not to be shared.
    """

    program: Path
    text: Path
    mmproj: Path
    alias: str
    parallel: int = 4
    context: int = 4096
    threads: int | None = None
    tiny: bool = False
    copy: int = 0

    def arguments(self, port: int) -> list[str]:
        """The command line. What older servers may not know goes into `environment`."""
        command = [
            str(self.program),
            *("--model", str(self.text), "--mmproj", str(self.mmproj), "--alias", self.alias),
            *("--host", "127.0.0.1", "--port", str(port)),
            # The server divides its context among its slots.
            *("--ctx-size", str(self.context * self.parallel), "--parallel", str(self.parallel)),
        ]
        if self.threads is not None:
            command += ["--threads", str(self.threads)]
        if self.tiny:
            command += ["--n-gpu-layers", "0", "--no-mmproj-offload"]
        return command

    def environment(self, key: str) -> dict[str, str]:
        """The child's environment: ours without settings meant for other llama.cpp programs.

        Settings as variables rather than arguments: a server that does not know one ignores it.
        """
        ours = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("LLAMA_", "OPENAI_", "LLMCLF_"))
        }
        return {
            **ours,
            **library_environment(self.program),
            "LLAMA_API_KEY": key,
            "LLAMA_ARG_CACHE_RAM": "0",
            "LLAMA_ARG_UI": "0",
            "LLAMA_ARG_OFFLINE": "1",
            **({"LLAMA_ARG_DEVICE": "none", "LLAMA_ARG_CACHE_PROMPT": "0"} if self.tiny else {}),
        }


class LlamaServer:
    """One child process, started when its address is first needed. Thread-safe.

    The child answers only to a random key, so that no other program on this machine uses it and
    no other server is taken for it.

    Args:
        plan: What to start.
        start_timeout_s: Longest wait until it has loaded the model.

    Attributes:
        plan: What is started.
        key: The random key.
        build: The server's build, such as ``b1-86a2835``, once it has been started.
    """

    def __init__(self, plan: ServerPlan, *, start_timeout_s: float = 180.0) -> None:
        self.plan = plan
        self.key = secrets.token_urlsafe(24)
        self.build = ""
        self._start_timeout_s = start_timeout_s
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._lines: collections.deque[str] = collections.deque(maxlen=_KEPT_LINES)
        self._failure: RuntimeBroken | None = None
        self._address: Address | None = None
        self._starts = 0
        self._ready_at = time.monotonic()
        self._closed = threading.Event()

    def address(self) -> Address:
        """Where the server listens now; starts it, or starts it again after it died.

        Raises:
            RuntimeBroken: It does not start, or died too often.
        """
        with self._lock:
            if self._closed.is_set():
                raise RuntimeBroken(
                    f"the llama-server for {self.plan.alias} is closed",
                    remedy="ask before the connections are closed",
                )
            if self._address is not None and self._is_alive():
                return self._address
            if self._failure is not None:
                raise self._failure  # starting in vain may take minutes; once is enough
            try:
                self._address = self._start()
            except RuntimeBroken as error:
                self._failure = error
                raise
            return self._address

    def explain(self, error: ServerFailed) -> ServerFailed:
        """A failed connection as what it is: the death of the child, where it died.

        Args:
            error: What the connection said.
        """
        deadline = time.monotonic() + _DEATH_S
        while time.monotonic() < deadline:
            with self._lock:
                if self._child is not None and self._child.poll() is not None:
                    self._drain()
                    return self._noted(
                        ServerFailed(
                            f"llama-server for {self.plan.alias} died, {self._last_words()}",
                            remedy="it is started again for the next request",
                        )
                    )
            time.sleep(_POLL_S)
        return error

    def tail(self) -> str:
        """The last lines of the server's output."""
        with self._lock:
            return self._tail()

    def close(self) -> None:
        """End the server; may be called twice."""
        self._closed.set()  # before the lock: it ends a start that is under way
        with self._lock:
            self._stop()

    def _start(self) -> Address:
        """Start on a free port; another try if someone was faster to take it."""
        self._drain()
        if time.monotonic() - self._ready_at > STABLE_S:
            self._starts = 0
        if self._starts >= MAX_STARTS:
            raise self._noted(
                RuntimeBroken(
                    f"llama-server for {self.plan.alias} died {self._starts} times, "
                    f"{self._last_words()}",
                    remedy=self._try_another(),
                )
            )
        for attempt in range(_PORT_TRIES):
            self._stop()
            port = _free_port()
            self._launch(port)
            address = Address(host="127.0.0.1", port=port)
            problem = self._wait_until_ready(address)
            if problem is None:
                self._starts += 1
                self._ready_at = time.monotonic()
                return Address(host="127.0.0.1", port=port, path="/v1")
            self._drain()
            port_taken = "bind" in self._tail()
            if not port_taken or attempt == _PORT_TRIES - 1:
                error = RuntimeBroken(
                    f"llama-server for {self.plan.alias} {problem}, {self._last_words()}",
                    remedy=self._try_another(),
                )
                self._stop()
                raise self._noted(error)
        raise AssertionError("unreachable")

    def _launch(self, port: int) -> None:
        self._lines.clear()
        command = [sys.executable, "-I", "-S", str(_KEEPER), *self.plan.arguments(port)]
        try:
            self._child = subprocess.Popen(  # noqa: S603 - our own program and plan
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=self.plan.environment(self.key),
                creationflags=_APART_FLAGS,
                start_new_session=True,  # Windows ignores it
            )
        except OSError as error:
            raise RuntimeBroken(
                f"{sys.executable} could not be started to watch llama-server ({error.strerror})",
                remedy="check the Python installation",
            ) from error
        self._reader = threading.Thread(
            target=_keep,
            args=(self._child.stdout, self._lines),
            daemon=True,
            name="llmclf-llama-server-output",
        )
        try:
            self._reader.start()
        except (RuntimeError, MemoryError) as error:
            self._reader = None
            self._stop()
            raise RuntimeBroken(
                f"no thread can be started to read what llama-server says ({error})",
                remedy="raise the limit of processes (ulimit -u) or of memory (ulimit -v)",
            ) from error

    def _wait_until_ready(self, address: Address) -> str | None:
        """Wait for the model to be loaded; what went wrong, or ``None``."""
        deadline = time.monotonic() + self._start_timeout_s
        client = HttpClient(address, where=address.netloc, key=self.key, keep=False)
        with contextlib.closing(client):
            while time.monotonic() < deadline:
                if not self._is_alive():
                    return "ended while starting"
                if self._closed.is_set():
                    return "was closed while starting"
                with contextlib.suppress(BackendError):  # not listening yet
                    # Health tells anybody that the model is loaded; properties want the key,
                    # which only our own child knows.
                    if client.request("GET", "/health", timeout_s=_HEALTH_S).ok:
                        reply = client.json("GET", "/props", timeout_s=_HEALTH_S)
                        if reply.status == _OK and isinstance(reply.value, dict):
                            self.build = str(reply.value.get("build_info", ""))
                            return None
                time.sleep(_POLL_S)
        return f"was not ready after {self._start_timeout_s:g} s"

    def _is_alive(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def _stop(self) -> None:
        child, self._child, self._address = self._child, None, None
        if child is not None:
            if child.stdin is not None:
                with contextlib.suppress(OSError):
                    child.stdin.close()  # the keeper takes this as the end
            try:
                child.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(_STOP_S)
        if self._reader is not None:
            self._reader.join(_STOP_S)  # it closes the pipe
            self._reader = None

    def _drain(self) -> None:
        """Wait for the last lines of a child that has ended."""
        if self._reader is not None and not self._is_alive():
            self._reader.join(_DEATH_S)

    def _last_words(self) -> str:
        """Exit status and what the server said last, in one line; errors before chatter."""
        status = None if self._child is None else self._child.poll()
        lines = [line for line in list(self._lines) if line.strip()]
        telling = [line for line in lines if _ERROR_LINE.search(line)] or lines
        said = " / ".join(telling[-_TELLING_LINES:])
        how = "" if status is None else f"exit status {status}, "
        return f"{how}last output: {shorten(said, _TELLING_WIDTH) if said else 'none'}"

    def _tail(self) -> str:
        lines = [line for line in list(self._lines) if line.strip()]
        return "\n".join(f"    {line}" for line in lines[-TAIL_LINES:])

    def _noted(self, error: ServerErrorT) -> ServerErrorT:
        """The error with the server's last lines as a note: a message is one line."""
        error.add_note(f"Last output of llama-server:\n{self._tail() or '    (none)'}")
        return error

    def _try_another(self) -> str:
        return (
            f"check {self.plan.text.name} and {self.plan.mmproj.name}, or try another "
            f"llama-server than {self.plan.program} (LLMCLF_LLAMA_SERVER)"
        )


class LlamaServers:
    """The servers of one run, each shared by everyone who needs the same."""

    def __init__(self, *, start_timeout_s: float = 180.0) -> None:
        self._start_timeout_s = start_timeout_s
        self._lock = threading.Lock()
        self._shared: dict[ServerPlan, tuple[LlamaServer, int]] = {}

    def acquire(self, plan: ServerPlan) -> LlamaServer:
        """The server for a plan, not yet started perhaps; each call needs a `release`."""
        with self._lock:
            server, users = self._shared.get(plan, (None, 0))
            server = server or LlamaServer(plan, start_timeout_s=self._start_timeout_s)
            self._shared[plan] = server, users + 1
            return server

    def release(self, server: LlamaServer) -> None:
        """Give a server back; the last one to do so ends it."""
        with self._lock:
            kept, users = self._shared.get(server.plan, (None, 0))
            if kept is not server:
                return
            if users > 1:
                self._shared[server.plan] = server, users - 1
                return
            del self._shared[server.plan]
        server.close()

    def close(self) -> None:
        """End all servers."""
        with self._lock:
            servers = [server for server, _ in self._shared.values()]
            self._shared.clear()
        for server in servers:
            server.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _keep(output: IO[bytes], lines: collections.deque[str]) -> None:
    """Read the child's output to its end; a full pipe would stop it."""
    with output:
        for line in output:
            lines.append(line.decode("utf-8", "replace").rstrip())
