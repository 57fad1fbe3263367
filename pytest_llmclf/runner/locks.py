"""Who is asking which question: so that no two processes ask the same one at the same time.

A claim is a lock of the operating system on one byte of a file beside the store. The system takes
it back when the process ends, however it ends, so there is no lease to renew, no clock to trust
and no process id that could be another's by now. It costs one system call and writes nothing.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import zlib
from typing import TYPE_CHECKING

from pytest_llmclf.files import LAST_PLACE, lock_byte, unlock_byte

if TYPE_CHECKING:
    from pathlib import Path

_TAKEN = frozenset({errno.EACCES, errno.EAGAIN, errno.EDEADLK})


class QuestionLocks:
    """The claims of this process on questions. Thread-safe.

    Two questions may have one place in the file; then one waits for the other in vain for a
    moment, and is asked after it.

    Args:
        path: The file, made when the first claim is taken; ``None``: there are no other processes.
            One that cannot be made or locked (a read-only folder, a file system without locks)
            leaves the claims to this process alone: questions are then asked twice rather than
            not at all.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._file: int | None = None
        self._taken: set[int] = set()

    def take(self, question: str) -> bool:
        """Claim a question; false if a thread of this process or another process has it."""
        place = _place(question)
        with self._lock:
            if place in self._taken:
                return False
            if self._path is not None and not self._locked(self._path, place):
                return False
            self._taken.add(place)
            return True

    def release(self, question: str) -> None:
        """Give a claim back; one that is not held is no matter."""
        place = _place(question)
        with self._lock:
            self._taken.discard(place)
            if self._file is not None:
                with contextlib.suppress(OSError):
                    unlock_byte(self._file, place)

    def close(self) -> None:
        """Give all claims back; may be called twice."""
        with self._lock:
            file, self._file, self._path = self._file, None, None
            if file is not None:
                with contextlib.suppress(OSError):
                    os.close(file)

    def _locked(self, path: Path, place: int) -> bool:
        try:
            if self._file is None:
                self._file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0))
            lock_byte(self._file, place)
        except OSError as error:
            if self._file is not None and error.errno in _TAKEN:
                return False
            self._path = None
        return True


def _place(question: str) -> int:
    return zlib.crc32(question.encode()) % LAST_PLACE
