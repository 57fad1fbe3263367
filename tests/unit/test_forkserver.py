"""The forked interpreter that tests start runs with does what a fresh one does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.forkserver import FORKS, fresh_or_forked
from tests.processes import gone

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.skipif(not FORKS, reason="every interpreter is a fresh one here")
ECHO = "import sys; sys.stdout.write(sys.stdin.read().upper()); sys.stderr.write('beside')"
LAST = """
import atexit, threading
atexit.register(print, 'last')
threading.Thread(target=lambda: print('before')).start()
"""
PLACE = "import os, sys; print(sys.argv[1:], os.getcwd(), os.environ['LLMCLF_MARK'], sys.path[:2])"


def told(
    program: str, code: str, *arguments: str, given: str = "", cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> tuple[int, str, str]:  # fmt: skip
    """Exit code and output of a few lines of Python."""
    ended = subprocess.run(  # noqa: S603 - our own interpreter
        [program, "-u", "-c", code, *arguments],
        input=given, cwd=cwd, env={**os.environ, **(environment or {})},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.parametrize(
    "code", [ECHO, "import sys; sys.exit(3)", "import sys; sys.exit('no')", "import os; os.abort()",
             "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
             LAST],
)  # fmt: skip
def test_it_ends_and_writes_like_a_fresh_one(code: str) -> None:
    """Streams, exit codes, signals, threads and what is registered for the end."""
    assert told(fresh_or_forked(), code, given="in") == told(sys.executable, code, given="in")


def test_it_has_the_folder_arguments_and_variables_of_its_caller(tmp_path: Path) -> None:
    """Also when they change between two starts; modules are found where a fresh one finds them."""
    for place in (tmp_path / "one", tmp_path / "two"):
        place.mkdir()
        marked = {"LLMCLF_MARK": place.name, "PYTHONPATH": str(place)}
        found = [
            told(program, PLACE, "a b", cwd=place, environment=marked)
            for program in (fresh_or_forked(), sys.executable)
        ]
        assert found[0] == found[1]
        assert str(place) in found[0][1]


def test_what_one_does_is_not_seen_by_the_next(tmp_path: Path) -> None:
    """Modules, variables and folders of a fork are its own; of these tests it has none."""
    change = "import os, sys, pytest; pytest.mark = None; sys.modules['x'] = sys; os.chdir('/')"
    assert told(fresh_or_forked(), change)[0] == 0
    look = "import sys, pytest; print(pytest.mark is None, *({'x', 'tests'} & {*sys.modules}))"
    assert told(fresh_or_forked(), look, cwd=tmp_path)[1] == "False\n"


@pytest.mark.parametrize("more", [{"PYTHONHASHSEED": "7"}, {"PYTHONIOENCODING": "ascii"}])
def test_what_only_a_fresh_one_can_is_done_by_a_fresh_one(more: dict[str, str]) -> None:
    """Variables that an interpreter reads when it starts, and options that a fork cannot take."""
    code = "import sys; print(sys.stdout.encoding, hash('a'), 'pytest' in sys.modules)"
    fork, fresh = (told(one, code, environment=more) for one in (fresh_or_forked(), sys.executable))
    if "PYTHONHASHSEED" in more:
        assert fork == fresh
    assert fork[1].split()[0::2] == fresh[1].split()[0::2]
    isolated = [fresh_or_forked(), "-I", "-S", "-c", "import sys; print(sys.flags.isolated)"]
    assert subprocess.run(isolated, capture_output=True, text=True, check=True).stdout == "1\n"  # noqa: S603


def test_its_fork_ends_with_it() -> None:
    """Whoever kills what was started leaves nothing running."""
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        [fresh_or_forked(), "-c", code], stdout=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None
        pid = int(started.stdout.readline())
        assert pid != started.pid
        started.kill()
        started.wait(timeout=10)
        assert gone(pid)


BOSS = """
import subprocess, sys
worker = "import time; print('ready', flush=True); time.sleep(60)"
with subprocess.Popen([sys.executable, "-c", worker]) as started:
    try:
        started.wait()
    except KeyboardInterrupt:
        print(started.wait(), flush=True)
        raise
"""


def test_an_interrupt_reaches_it_and_what_it_started() -> None:
    """As from a terminal, to the whole group."""
    ends = []
    for program in (fresh_or_forked(), sys.executable):
        with subprocess.Popen(  # noqa: S603 - our own interpreter
            [program, "-c", BOSS], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, start_new_session=True,
        ) as started:  # fmt: skip
            assert started.stdout is not None
            assert started.stdout.readline() == "ready\n"
            os.killpg(started.pid, signal.SIGINT)
            said, beside = started.communicate(timeout=60)
            ends.append((said, beside.count("KeyboardInterrupt"), started.returncode))
    assert ends[0] == ends[1] == (f"{-signal.SIGINT}\n", 2, -signal.SIGINT)


def test_the_server_ends_with_who_started_it() -> None:
    """Also when that is killed, with all that it forked."""
    code = (
        "import subprocess, sys; sys.path.insert(0, sys.argv[1])\n"
        "from tests.forkserver import fresh_or_forked\n"
        "subprocess.Popen([fresh_or_forked(), '-c', "
        "'import os, time; print(os.getppid(), os.getpid(), flush=True); time.sleep(60)']).wait()"
    )
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code, root], stdout=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None
        pids = [int(pid) for pid in started.stdout.readline().split()]
        started.send_signal(signal.SIGKILL)
        started.wait(timeout=10)
        assert all(gone(pid) for pid in pids)
