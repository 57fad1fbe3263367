"""Running a whole process and what it took; POSIX only."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

LIMIT_S = 1800.0
"""No process may take longer."""
_KIB = 1024
_TAIL = 3000
_OURS = ("LLMCLF_", "OLLAMA_", "PYTEST_", "PYTHONPATH", "GITHUB_", "CI", "XDIST_", "PROMPTFOO_")
"""Beginnings of environment variables that would change what is measured."""


class RunFailed(Exception):
    """A process did not do what is to be measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What one process took, with the children that it waited for.

    Attributes:
        wall_s: From start to end.
        cpu_s: User and system.
        peak_bytes: Largest resident set of one process.
        code: Exit code.
        output: Its last output.
    """

    wall_s: float
    cpu_s: float
    peak_bytes: int
    code: int
    output: str

    def plus(self, other: Spent) -> Spent:
        """This and then the other."""
        return Spent(
            wall_s=self.wall_s + other.wall_s,
            cpu_s=self.cpu_s + other.cpu_s,
            peak_bytes=max(self.peak_bytes, other.peak_bytes),
            code=other.code,
            output=other.output,
        )


def run(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    codes: tuple[int, ...] = (0,),
    limit_s: float = LIMIT_S,
) -> Spent:
    """Run a command to its end and measure it.

    Args:
        command: What to run.
        cwd: Where.
        env: Variables on top of this process's, without those that change what is measured.
        codes: Exit codes that mean that it went well.
        limit_s: It is killed after so many seconds.

    Raises:
        RunFailed: It ended with another exit code, or was killed.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_OURS)}
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - commands are this package's own
            command,
            cwd=cwd,
            env={**kept, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        late = threading.Timer(limit_s, _kill_group, (process.pid,))
        late.start()
        try:
            _, status, used = os.wait4(process.pid, 0)
        except BaseException:
            _kill_group(process.pid)
            raise
        finally:
            late.cancel()
        wall_s = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(max(0, output.seek(0, os.SEEK_END) - _TAIL))
        said = output.read().decode("utf-8", "replace")
    if process.returncode not in codes:
        words = " ".join((os.path.basename(command[0]), *command[1:4]))  # noqa: PTH119 - a word
        raise RunFailed(f"{words} ended with {process.returncode}:\n{said}")
    return Spent(
        wall_s=wall_s,
        cpu_s=used.ru_utime + used.ru_stime,
        peak_bytes=used.ru_maxrss * _KIB,
        code=process.returncode,
        output=said,
    )


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
