"""Every wait of the package has a bound, or a reason in the list below."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pytest_llmclf

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(pytest_llmclf.__file__).parent

FIRST = frozenset({"join", "wait", "get", "acquire", "result", "select", "poll"})
"""Methods that wait for ever unless their first argument, or ``timeout``, says for how long."""
NAMED = frozenset({"run", "call", "check_call", "check_output", "communicate", "urlopen", "Client"})
"""Functions that wait for ever unless ``timeout`` is given."""
LOCKS = frozenset({"LOCK_EX", "LOCK_SH", "LK_LOCK", "LK_RLCK", "F_LOCK"})
"""Locks of files that are waited for; together with ``LOCK_NB`` they are not."""
READS = frozenset({"recv", "recv_into", "accept", "read", "input"})

REASONS: dict[tuple[str, str], str] = {
    ("files.py", "msvcrt.LK_LOCK"): "Windows tries ten times, a second apart",
    ("models/http/connection.py", "self._socket.recv_into(buffer)"):
        "`_wait_until` has given the socket a time-out just before",
    ("models/http/connection.py", "select.poll()"): "makes a poll object",
    ("models/llamacpp/llama_server.py", "self._child.poll()"): "a process's `poll` does not wait",
    ("models/llamacpp/watchdog.py", "os.read(0, 1)"):
        "to wait for the end of whoever started it is what the watchdog is for",
    ("models/llamacpp/watchdog.py", "program.wait()"):
        "it lives as long as its program, which `watch` ends",
    ("models/yardstick/learner_process.py", "self._process.poll()"):
        "a process's `poll` does not wait",
    ("models/yardstick/learner_process.py", "process.wait()"): "it has just been killed",
    ("models/recording.py", "os.read(file, length)"): "a plain file, as `check_header` requires",
}  # fmt: skip
"""By module and call as Python writes it: why it cannot wait for ever."""


def waits(source: str) -> Iterator[str]:
    """The calls of a module that may wait for ever."""
    tree = ast.parse(source)
    not_blocking = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.BinOp) and "LOCK_NB" in ast.unparse(node)
        for part in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in LOCKS and id(node) not in not_blocking:
            yield ast.unparse(node)
        if isinstance(node, ast.Call) and _is_unbounded(node):
            yield ast.unparse(node)


def _is_unbounded(call: ast.Call) -> bool:
    name, owner = "", ""
    if isinstance(call.func, ast.Attribute):
        name, owner = call.func.attr, ast.unparse(call.func.value)
    elif isinstance(call.func, ast.Name):
        name = call.func.id
    given = [word.value for word in call.keywords if word.arg in ("timeout", "timeout_s")]
    settings = any(word.arg is None for word in call.keywords)
    if name == "settimeout" and call.args:
        return ast.unparse(call.args[0]) == "None"
    if given or settings:
        return any(map(_may_be_none, given))
    if name in FIRST and owner:
        return not call.args or _may_be_none(call.args[0]) or (owner, name) == ("ray", "get")
    if name in NAMED:
        return owner in ("subprocess", "urllib.request", "ollama", "httpx") or name in (
            "communicate",
            "urlopen",
        )
    if name in READS:
        return (
            name == "input"
            or owner in ("os", "sys.stdin", "sys.stdin.buffer")
            or (name.startswith(("recv", "accept")))
        )
    return False


def _may_be_none(value: ast.expr) -> bool:
    if isinstance(value, ast.IfExp):
        return _may_be_none(value.body) or _may_be_none(value.orelse)
    return isinstance(value, ast.Constant) and value.value is None


@cache
def found() -> set[tuple[str, str]]:
    """All of the package, by module."""
    return {
        (path.relative_to(ROOT).as_posix(), call)
        for path in ROOT.rglob("*.py")
        for call in waits(path.read_text("utf-8"))
    }


def test_every_wait_has_a_bound_or_a_reason() -> None:
    """Give a time-out, or say in `REASONS` why the wait ends."""
    assert found() - REASONS.keys() == set()


def test_no_reason_is_left_over() -> None:
    """A wait that is gone needs none."""
    assert REASONS.keys() - found() == set()


def starts(source: str) -> Iterator[str]:
    """Starts of threads by a module that does not go on, or say so, where there are none left."""
    tree = ast.parse(source)
    guarded = {
        id(part)
        for node in ast.walk(tree)
        if (isinstance(node, ast.Try) and any(_is_lack(one.type) for one in node.handlers))
        or (isinstance(node, ast.With) and any(_is_lack(one.context_expr) for one in node.items))
        for part in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = ast.unparse(node.func.value)
            begins = node.func.attr == "start" and ("thread" in owner.lower() or "_reader" in owner)
            if (begins or node.func.attr == "submit") and id(node) not in guarded:
                yield ast.unparse(node)


def _is_lack(caught: ast.expr | None) -> bool:
    names = "" if caught is None else ast.unparse(caught)
    return "RuntimeError" in names and "MemoryError" in names


def test_every_start_of_a_thread_may_fail() -> None:
    """The system may have none left: what is not needed is left out, the rest says so."""
    assert [call for path in ROOT.rglob("*.py") for call in starts(path.read_text("utf-8"))] == []
    assert list(starts("threading.Thread(target=x).start()\npool.submit(x)"))


@pytest.mark.parametrize(
    "call",
    [
        "thread.join()", "event.wait()", "changed.wait(None)", "wait.wait(timeout=None)",
        "changed.wait(None if x else y)", "queue.get()", "lock.acquire()", "future.result()",
        "process.communicate()", "subprocess.run(command)", "subprocess.check_output(command)",
        "fcntl.flock(file, fcntl.LOCK_EX)", "msvcrt.locking(file, msvcrt.LK_LOCK, 1)",
        "ray.get(one)", "sock.settimeout(None)", "os.read(0, 1)", "sock.recv(1)", "input()",
        "urllib.request.urlopen(place)", "ollama.Client(host)", "poll.poll()",
    ],
)  # fmt: skip
def test_the_scan_sees(call: str) -> None:
    """Waits without a bound."""
    assert list(waits(call))


@pytest.mark.parametrize(
    "call",
    [
        "thread.join(2)", "', '.join(words)", "event.wait(pause)", "data.get('x')", "poll.poll(0)",
        "event.wait(timeout=1)", "subprocess.run(command, timeout=3)", "future.result(timeout=1)",
        "process.communicate(timeout=within_s)", "fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "ray.get(one, timeout=9)", "sock.settimeout(left)", "file.read(9)",
        "httpx.Client(**client_settings(wire))",
    ],
)  # fmt: skip
def test_the_scan_lets_pass(call: str) -> None:
    """Waits with one, and what is none."""
    assert not list(waits(call))
