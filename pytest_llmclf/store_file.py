"""The file of a store as a file: recognised, kept from others, set aside."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from typing import TYPE_CHECKING

from pytest_llmclf.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def alone(path: Path, patience_s: float = 2.0) -> Iterator[None]:
    """Keep other processes from setting the same file aside; a lock left by a crash is ignored."""
    lock = path.with_name(f"{path.name}.lock")
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        try:
            lock.touch(exist_ok=False)
            break
        except FileExistsError:
            time.sleep(0.01)
        except OSError:  # the folder cannot be written: the renaming will say so
            break
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            lock.unlink()


def for_reading(path: Path) -> sqlite3.Connection:
    """Open a database that cannot be written.

    Raises:
        sqlite3.Error: It cannot be read either.
    """
    place = path.absolute().as_uri()
    # What is still in the journal beside it can be read only where the journal's index is or may
    # be made; a file that nobody can change is read without.
    for how in ("mode=ro", "mode=ro&immutable=1"):
        connection = sqlite3.connect(
            f"{place}?{how}", uri=True, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("SELECT count(*) FROM sqlite_master")
        except sqlite3.Error as error:
            connection.close()
            refused = error
        else:
            return connection
    raise refused


def file_of(path: Path) -> tuple[int, int] | None:
    """What tells a file from another one of the same name; ``None`` if there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def set_aside(path: Path) -> Path:
    """Rename an unusable store and what belongs to it, and say what it is called now.

    Raises:
        StoreError: It cannot be renamed.
    """
    for number in range(1, 1000):
        aside = path.with_name(f"{path.name}.set-aside-{number}")
        if not aside.exists():
            break
    try:
        path.rename(aside)
        for suffix in ("-wal", "-shm"):
            companion = path.with_name(path.name + suffix)
            if companion.exists():
                companion.rename(aside.with_name(aside.name + suffix))
    except OSError as error:
        raise StoreError(
            f"{path}: unusable, and cannot be set aside ({error}); move it away by hand"
        ) from error
    return aside
