"""Ctrl-C, kills and resuming: nothing that was answered is asked again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.plugin.colour_server import Odd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.plugin.conftest import Colours

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")

EACH = 20
ALL = 3 * EACH


@pytest.fixture
def slow(colours: Colours) -> Iterator[Colours]:
    """Sixty images that take a while each."""
    colours.images(each=EACH)
    colours.server.odd = {"*": Odd(waits_s=0.08)}
    yield colours
    colours.server.stop()


def ended(process: subprocess.Popen[str]) -> str:
    """Everything that a process said, once it is over; it is ended if it hangs."""
    try:
        return process.communicate(timeout=30)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise


@pytest.mark.parametrize("processes", [("-n0",), ("-n2",)])
def test_ctrl_c_leaves_a_report(slow: Colours, processes: tuple[str, ...]) -> None:
    """Exit code 2, what was answered is shown, the rest was not run, and no gate passes."""
    added = "--llmclf-variant=short: prompt=Which?"
    process = slow.start("--llmclf-in-flight=2", added, *processes)
    slow.server.wait_for(12)
    # To the whole group, as a terminal does.
    os.killpg(process.pid, signal.SIGINT)
    text = ended(process)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, text
    assert "KeyboardInterrupt" in text
    ledger, later = (report["ledger"] for report in slow.summary()["reports"])
    assert ledger["correct"] >= 1
    for counts in (ledger, later):
        assert counts["collected"] == ALL
        assert counts["not_run"] == ALL - counts["correct"] - counts["error"]
    assert "PASS" not in [gate["word"] for gate in slow.summary()["gates"]]
    assert "incomplete: " in text
    asked = slow.server.questions
    slow.server.odd = {}
    assert slow.run().ret == pytest.ExitCode.OK
    assert slow.server.questions <= ALL + 4  # at most what was in flight is asked again
    assert slow.server.questions - asked < ALL


@pytest.mark.parametrize(
    ("processes", "gap_s"), [(("-n0",), 0.0), (("-n0",), 0.15), (("-n2",), 0.05)]
)
def test_two_close_together_are_one(
    slow: Colours, processes: tuple[str, ...], gap_s: float
) -> None:
    """As a hasty user, or what started pytest, sends them: exit code 2 and the whole report."""
    process = slow.start("--llmclf-in-flight=2", *processes)
    slow.server.wait_for(9)
    for _ in range(3):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(gap_s)
    asked = slow.server.questions
    text = ended(process)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, text
    assert "Traceback" not in text
    assert "incomplete: " in text
    assert slow.written()["ledger"]["not_run"] >= 1
    assert slow.server.questions <= asked + 4


SLOW_END = """
import pathlib, time
from pytest_llmclf.plugin import {module}

first = {module}.{name}

def slow(*args, **options):
    pathlib.Path("ending").touch()
    time.sleep(2)
    return first(*args, **options)

{module}.{name} = slow
"""
ENDS = [
    ("run_files", "write_run"),
    ("run_files", "write_run_page"),
    ("terminal_summary", "print_reports"),
]


def wait_for_end(slow: Colours, module: str, name: str, *args: str) -> subprocess.Popen[str]:
    """Start a run, and wait until it does what comes at its end, two seconds long."""
    (slow.root / "conftest.py").write_text(SLOW_END.format(module=module, name=name))
    slow.server.odd = {}
    process = slow.start(*args)
    deadline = time.monotonic() + 30
    while not (slow.root / "ending").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


@pytest.mark.parametrize(
    ("module", "name", "processes"), [*((*end, ("-n0",)) for end in ENDS), (*ENDS[0], ("-n2",))]
)
def test_ctrl_c_at_the_end_costs_nothing(
    slow: Colours, module: str, name: str, processes: tuple[str, ...]
) -> None:
    """While files and page are written, and the report is printed: all are, and exit code 2."""
    process = wait_for_end(slow, module, name, *processes)
    os.killpg(process.pid, signal.SIGINT)
    text = ended(process)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, text
    assert "Traceback" not in text
    assert "the report is being finished" in text
    assert slow.ledger() == {"collected": ALL, "correct": ALL}
    assert (slow.root / "run" / "page.html").exists()
    assert "60 images" in text


def test_a_further_one_ends_at_once(slow: Colours) -> None:
    """The folder has no ``run.json``, so that it counts as unfinished; the answers are kept."""
    process = wait_for_end(slow, "run_files", "write_run")
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(1.2)
    os.killpg(process.pid, signal.SIGINT)
    text = ended(process)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, text
    assert "Traceback" not in text
    assert "ended at once" in text
    assert not (slow.root / "run" / "run.json").exists()
    (slow.root / "conftest.py").unlink()
    assert slow.run().ret == pytest.ExitCode.OK
    assert slow.server.questions == ALL


def test_ctrl_c_is_left_as_it_was(colours: Colours) -> None:
    """After a run in this process; a handler of somebody else is never replaced."""
    colours.images(each=1)
    before = signal.getsignal(signal.SIGINT)
    try:
        for handler in (signal.default_int_handler, lambda *_: None):
            signal.signal(signal.SIGINT, handler)
            assert colours.run().ret == pytest.ExitCode.OK
            assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_killed_pytest_loses_no_answer(slow: Colours) -> None:
    """After kill -9 the next run asks only what had not been answered."""
    process = slow.start("--llmclf-in-flight=2")
    slow.server.wait_for(20)
    process.kill()
    ended(process)
    slow.server.odd = {}
    result = slow.run()
    assert result.ret == pytest.ExitCode.OK
    assert slow.server.questions <= ALL + 2
    assert slow.ledger() == {"collected": ALL, "correct": ALL}
