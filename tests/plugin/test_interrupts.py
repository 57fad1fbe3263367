"""Ctrl-C, kills and resuming: nothing that was answered is asked again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
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
    process = slow.start("--llmclf-in-flight=2", *processes)
    slow.server.wait_for(12)
    # To the whole group, as a terminal does.
    os.killpg(process.pid, signal.SIGINT)
    text = ended(process)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, text
    assert "KeyboardInterrupt" in text
    ledger = slow.written()["ledger"]
    assert ledger["collected"] == ALL
    assert ledger["correct"] >= 1
    assert ledger["not_run"] == ALL - ledger["correct"] - ledger["error"]
    assert "PASS" not in [gate["word"] for gate in slow.summary()["gates"]]
    assert "incomplete: " in text
    asked = slow.server.questions
    slow.server.odd = {}
    assert slow.run().ret == pytest.ExitCode.OK
    assert slow.server.questions <= ALL + 4  # at most what was in flight is asked again
    assert slow.server.questions - asked < ALL


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
