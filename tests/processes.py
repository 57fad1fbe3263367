"""Looking at processes from outside; POSIX only."""

from __future__ import annotations

import subprocess
import time


def gone(pid: int, within_s: float = 10.0) -> bool:
    """Whether a process ends within a time; one that nobody waits for counts as ended."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        status = subprocess.run(  # noqa: S603
            ["ps", "-o", "stat=", "-p", str(pid)],  # noqa: S607
            capture_output=True, text=True, check=False, timeout=10,
        ).stdout.strip()  # fmt: skip
        if not status or status.startswith("Z"):
            return True
        time.sleep(0.05)
    return False
