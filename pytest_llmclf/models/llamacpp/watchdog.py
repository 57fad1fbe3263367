"""Runs one program and ends it when whoever started this ends, however that happens.

Started as ``python -I -S watchdog.py PROGRAM ARGUMENT...`` with a pipe as standard input. Nothing
is ever written to the pipe: its other end is held by the starter alone, so the operating system
closes it when the starter exits, crashes or is killed, and reading it then ends. Only the
standard library is used, and nothing of this package.

Exits with the program's own exit status, so that the starter sees the program's death as its own
child's. Written for Linux, macOS and Windows.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

GRACE_S = 2.0
"""Seconds between asking the program to end and killing it."""


def end(program: subprocess.Popen[bytes]) -> None:
    """Ask the program to end, and kill it if it does not."""
    try:
        program.terminate()
        program.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        program.kill()
    except OSError:
        pass  # it ended by itself meanwhile


def end_beside(program: subprocess.Popen[bytes]) -> None:
    """End it in a thread: a signal's handler interrupts `main`, which must go on to wait."""
    try:
        threading.Thread(target=end, args=(program,)).start()
    except (RuntimeError, MemoryError):
        program.kill()


def watch(program: subprocess.Popen[bytes]) -> None:
    """Wait until the starter is gone, then end the program."""
    try:
        while os.read(0, 1):
            pass
    except OSError:
        pass  # a broken pipe means the same as a closed one
    end(program)


def die_with_parent() -> None:
    """Linux only: have the kernel kill the program should this keeper itself be killed."""
    if sys.platform != "win32":
        try:
            import ctypes

            parent_death_signal = 1  # PR_SET_PDEATHSIG
            ctypes.CDLL(None).prctl(parent_death_signal, signal.SIGKILL, 0, 0, 0)
        except Exception:  # noqa: BLE001, S110 - a second net; the pipe is the first
            pass


def main(command: list[str]) -> int:
    """Run the command until it ends or the starter does; its exit status."""
    linux = sys.platform.startswith("linux")
    program = subprocess.Popen(  # noqa: S603 - the command is the starter's own
        command,
        stdin=subprocess.DEVNULL,
        preexec_fn=die_with_parent if linux else None,  # noqa: PLW1509 - no threads run yet
    )
    if sys.platform != "win32":
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, lambda *_: end_beside(program))
    try:
        threading.Thread(target=watch, args=(program,), daemon=True).start()
    except (RuntimeError, MemoryError) as error:  # nobody would see the starter end
        end(program)
        sys.stderr.write(f"no thread can be started to watch it: {error}\n")
        return 126
    return program.wait()


if __name__ == "__main__":
    try:
        status = main(sys.argv[1:])
    except OSError as error:
        sys.stderr.write(f"{sys.argv[1]} could not be started: {error}\n")
        status = 127
    sys.stderr.flush()
    # The watching thread blocks in a read, which an orderly shutdown might wait for.
    os._exit(status & 0xFF if status >= 0 else 128 - status)
