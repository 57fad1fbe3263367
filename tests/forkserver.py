"""A process that has imported what runs of pytest need, and forks for each of them.

Tests start hundreds of short runs; most of their time would be imports. `fresh_or_forked` gives an
interpreter to start them with. It is a fresh one where processes cannot fork, and with
``LLMCLF_FORKS=0``. Who kills or interrupts what it started with one kills or interrupts the fork;
only tests that limit a process, or kill a whole group at once, use ``sys.executable`` itself.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import io
import marshal
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import types
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tests import forked_python
from tests.forked_python import HEADER, settings_of_start

if TYPE_CHECKING:
    from collections.abc import Iterator

FORKS = sys.platform == "linux" and os.environ.get("LLMCLF_FORKS") != "0"
"""macOS can fork, but its own libraries may not be used afterwards."""
_ENVIRONMENT = {**os.environ}
"""What tests have not changed yet."""
_ROOT = str(Path(__file__).resolve().parents[1])
_SERVE = (
    "import sys; sys.path.insert(1, {root!r}); from tests.forkserver import serve; serve({at!r})"
)
_STAND_IN = """#!{python} -IS
import sys
sys.path.insert(0, {folder!r})
from forked_python import stand_in
stand_in({address!r}, {python!r}, {settings!r})
"""


@functools.cache
def fresh_or_forked() -> str:
    """An interpreter for runs within tests, as ``sys.executable`` is one.

    The server is started at the first call, and ends with this process.
    """
    if not FORKS:
        return sys.executable
    folder = Path(tempfile.mkdtemp(prefix="forks-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    address = str(folder / "socket")
    environment = {**_ENVIRONMENT, "PYTHONUTF8": "1"}
    environment.pop("PYTHONPATH", None)
    server = subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", _SERVE.format(root=_ROOT, at=address)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder, env=environment,
    )  # fmt: skip
    assert server.stdout is not None
    if server.stdout.readline() != b"ready\n":
        raise RuntimeError("the fork server did not start")
    atexit.register(_end, server)
    program = folder / "python"
    program.write_text(
        _STAND_IN.format(
            python=sys.executable, folder=str(Path(forked_python.__file__).parent),
            address=address, settings=settings_of_start(_ENVIRONMENT),
        ),
        encoding="utf-8",
    )  # fmt: skip
    program.chmod(0o700)
    return str(program)


@contextlib.contextmanager
def workers_forked() -> Iterator[None]:
    """Have runs of pytest that are started meanwhile, and their workers, forked."""
    fresh = sys.executable
    sys.executable = fresh_or_forked()
    try:
        yield
    finally:
        sys.executable = fresh


def _end(server: subprocess.Popen[bytes]) -> None:
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.close()
    server.wait(timeout=30)
    server.stdout.close()


def _import_everything() -> None:
    """Import as a run of pytest would: with its rewriting of asserts."""
    import pytest

    from tests.imported import SPARE_PLUGINS, load_everything

    class Loader:
        @staticmethod
        def pytest_sessionstart() -> None:
            importlib.import_module("xdist.remote")
            load_everything()

    spare = [arg for name in SPARE_PLUGINS for arg in ("-p", f"no:{name}")]
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123
        ended = pytest.main([*spare, "-c", os.devnull, "--rootdir=.", "."], plugins=[Loader()])
    if ended != pytest.ExitCode.NO_TESTS_COLLECTED:
        raise RuntimeError(f"pytest did not start in the fork server: {ended!r}")


def serve(address: str) -> None:
    """Fork for whoever asks, until the standard input ends; in a fork, carry out the request."""
    found = [*sys.path]
    _import_everything()
    sys.path[:] = [path for path in found[1:] if path != _ROOT]
    for name in [name for name in sys.modules if name == "tests" or name.startswith("tests.")]:
        del sys.modules[name]
    gc.collect()
    gc.freeze()
    job = _Forks(address).wait()
    if job is not None:
        _end_like_python(job)


class _Forks:
    """The server's sockets and forks."""

    def __init__(self, address: str) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(address)
        self.listener.listen(64)
        self.running: dict[socket.socket, int] = {}
        self.woken, waker = os.pipe()
        for end in (self.woken, waker):
            os.set_blocking(end, False)
        self.waker = waker
        signal.set_wakeup_fd(waker)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        os.write(1, b"ready\n")

    def wait(self) -> _Job | None:
        """Serve; what it returns is for the fork to do, or nothing at the end of the server."""
        while True:
            watched: list[int | socket.socket] = [0, self.listener, self.woken, *self.running]
            ready = select.select(watched, [], [])[0]
            if self.woken in ready:
                os.read(self.woken, 4096)
                self._reap()
            for connection in [*self.running]:
                if connection in ready and connection in self.running:
                    # Whoever started it is gone.
                    os.kill(self.running.pop(connection), signal.SIGKILL)
                    connection.close()
            if 0 in ready:
                for pid in self.running.values():
                    os.kill(pid, signal.SIGKILL)
                return None
            if self.listener in ready and (job := self._fork()) is not None:
                return job

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                for connection, pid in [*self.running.items()]:
                    if pid == ended[0]:
                        del self.running[connection]
                        code = os.waitstatus_to_exitcode(ended[1])
                        with contextlib.suppress(OSError):
                            connection.sendall(code.to_bytes(HEADER, signed=True))
                        connection.close()

    def _fork(self) -> _Job | None:
        connection = self.listener.accept()[0]
        header, streams, _, _ = socket.recv_fds(connection, HEADER, 3)
        request = b""
        while len(request) < int.from_bytes(header):
            if not (piece := connection.recv(1 << 16)):
                break
            request += piece
        if not header or len(request) < int.from_bytes(header):  # it was killed meanwhile
            connection.close()
            for stream in streams:
                os.close(stream)
            return None
        pid = os.fork()
        if pid:
            self.running[connection] = pid
            for stream in streams:
                os.close(stream)
            with contextlib.suppress(OSError):  # it was killed meanwhile
                connection.sendall(pid.to_bytes(HEADER, signed=True))
            return None
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for opened in (self.listener, connection, *self.running):
            opened.close()
        os.close(self.woken)
        os.close(self.waker)
        for place, stream in enumerate(streams):
            os.dup2(stream, place)
            os.close(stream)
        return _Job(*marshal.loads(request))  # noqa: S302 - from this user's own tests


class _Job:
    """What a fresh interpreter would do with its arguments."""

    def __init__(
        self, given: list[str], folder: str, environment: dict[str, str], leads: object
    ) -> None:
        self.given = given
        self.folder = folder
        self.environment = environment
        self.leads = leads

    def __call__(self) -> None:
        if self.leads:
            os.setsid()  # what it starts is interrupted with it
        os.chdir(self.folder)
        os.environ.clear()
        os.environ.update(self.environment)
        time.tzset()
        sys.executable, *args = self.given
        unbuffered = "-u" in args[:1]
        _reopen_streams(unbuffered=unbuffered)
        option, *args = args[unbuffered:]
        own = self.environment.get("PYTHONPATH", "").split(os.pathsep)
        first = "" if option == "-c" else self.folder
        sys.path[:0] = [first, *(path for path in own if path)]
        if option == "-mpytest":
            option, args = "-m", ["pytest", *args]
        sys.argv = [option, *args[1:]]
        if option == "-m":
            runpy.run_module(args[0], run_name="__main__", alter_sys=True)
        else:
            main = sys.modules["__main__"] = types.ModuleType("__main__")
            exec(compile(args[0], "<string>", "exec"), main.__dict__)  # noqa: S102 - as -c does


def _end_like_python(job: _Job) -> NoReturn:
    """Carry a job out and end as an interpreter does, but for taking everything apart."""
    code: object = 0
    try:
        job()
    except SystemExit as ended:
        code = ended.code or 0
        if not isinstance(code, int):
            print(code, file=sys.stderr)  # noqa: T201 - as Python does
            code = 1
    except BaseException as ended:  # noqa: BLE001 - whatever it was
        sys.excepthook(*sys.exc_info())
        code = -signal.SIGINT if isinstance(ended, KeyboardInterrupt) else 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    assert isinstance(code, int)
    if code == -signal.SIGINT:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(code & 0xFF)


def _reopen_streams(*, unbuffered: bool) -> None:
    """Make Python's streams anew, of the descriptors that were handed over."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        former = getattr(sys, name)
        stream = open(  # noqa: SIM115 - for as long as the process lives
            number, mode, encoding=former.encoding, errors=former.errors, closefd=False
        )
        if mode == "w":
            assert isinstance(stream, io.TextIOWrapper)
            lines = name == "stderr" or os.isatty(number)
            stream.reconfigure(line_buffering=lines, write_through=unbuffered)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
