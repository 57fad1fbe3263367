"""The file of a store as a file: opened, recognised, kept from others, set aside."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
import time
from typing import TYPE_CHECKING, Final

from pytest_llmclf.errors import StoreError
from pytest_llmclf.files import require_plain
from pytest_llmclf.runner.answer_cache_mend import mend

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCHEMA_VERSION = 1
SQLITE_ERRORS: Final = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite raises; Python cannot always read SQLite's own message about a damaged schema."""
_BUSY_TIMEOUT_S = 30.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    digest  TEXT PRIMARY KEY,
    model   TEXT NOT NULL,
    created REAL NOT NULL,
    answer  TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS choices (
    run     TEXT NOT NULL,
    subject TEXT NOT NULL,
    choice  TEXT NOT NULL,
    reason  TEXT NOT NULL,
    PRIMARY KEY (run, subject)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pictures (
    source     TEXT PRIMARY KEY,
    sent       TEXT NOT NULL,
    media_type TEXT NOT NULL,
    created    REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS models (
    way      TEXT PRIMARY KEY,
    identity TEXT NOT NULL,
    seen     REAL NOT NULL
) WITHOUT ROWID;
"""
_COLUMNS: Final = {
    "answers": {"digest", "model", "created", "answer"},
    "choices": {"run", "subject", "choice", "reason"},
    "pictures": {"source", "sent", "media_type", "created"},
    "models": {"way", "identity", "seen"},
}


def open_database(path: Path | None) -> tuple[sqlite3.Connection, str | None]:
    """Open the database of a store, made where there is none.

    A file that is damaged or of another version is set aside, never deleted. One that cannot be
    written is only read, and where that cannot be either, answers live as long as the process.

    Args:
        path: The file; ``None``: in memory.

    Returns:
        The connection, and what people should know, or ``None``.

    Raises:
        StoreError: An unusable file cannot be set aside.
    """
    if path is None:
        return _connect(":memory:"), None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # SQLite would wait at a pipe, and so it does at one in the place of its journal.
        for name in (path.name, f"{path.name}-wal", f"{path.name}-shm", f"{path.name}-journal"):
            if (place := path.with_name(name)).exists():
                require_plain(place)
        return _connect_patiently(str(path)), None
    except _Unusable:
        return _start_anew(path)
    except (OSError, sqlite3.OperationalError) as error:
        return _open_without_writing(path, error)


def _open_without_writing(path: Path, error: Exception) -> tuple[sqlite3.Connection, str]:
    remedy = "choose another folder with --llmclf-home"
    if isinstance(error, OSError) and error.errno == errno.EINVAL:
        where = error.filename or path
        return _connect(":memory:"), (
            f"{where}: {error.strerror}; answers of this run are kept in memory only; remove it, "
            f"or {remedy}"
        )
    with contextlib.suppress(*SQLITE_ERRORS, _Unusable):
        connection = for_reading(path)
        try:
            _check_version(connection)
            _check_tables(connection)
        except (*SQLITE_ERRORS, _Unusable):
            connection.close()
            raise
        return connection, f"{path}: is only read, new answers are not kept ({error}); {remedy}"
    return _connect(":memory:"), (
        f"{path}: cannot be opened ({error}); answers of this run are kept in memory only; {remedy}"
    )


def _start_anew(path: Path) -> tuple[sqlite3.Connection, str | None]:
    with alone(path):
        try:  # another process may have done it meanwhile
            return _connect_patiently(str(path)), None
        except _Unusable as error:
            aside = set_aside(path)
            notice = f"{path}: {error}; kept as {aside.name}, started a new store"
            return _connect_patiently(str(path)), notice


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
        sqlite3.Error: It cannot be read either; or another one of `SQLITE_ERRORS`.
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
        except SQLITE_ERRORS as error:
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


def _connect_patiently(target: str) -> sqlite3.Connection:
    # Several workers open a new file at once; switching it to WAL takes an exclusive lock
    # for which SQLite does not wait, so a locked file is tried again for about two seconds.
    for _ in range(40):
        try:
            return _connect(target)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            time.sleep(0.05)
    return _connect(target)


def _connect(target: str) -> sqlite3.Connection:
    # Autocommit: every answer is its own transaction, so that none waits for another.
    connection = sqlite3.connect(
        target, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    try:
        _check_version(connection)
        # WAL lets workers read while one writes; NORMAL survives a killed process and may
        # lose the last answers only when the machine itself loses power.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_SCHEMA)
        _check_tables(connection)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        mend(connection)
    except sqlite3.OperationalError:
        connection.close()
        raise
    except SQLITE_ERRORS as error:
        connection.close()
        raise _Unusable(f"damaged ({error})") from error
    except _Unusable:
        connection.close()
        raise
    return connection


def _check_version(connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version not in (0, SCHEMA_VERSION):
        raise _Unusable(f"written by another version (schema {version})")


def _check_tables(connection: sqlite3.Connection) -> None:
    """Refuse a file whose tables are others of the same names: it would fail at every question.

    Columns that a later version added are left alone.
    """
    for table, columns in _COLUMNS.items():
        found = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        if missing := sorted(columns - found):
            raise _Unusable(f"its table {table} has no {missing[0]}")
    views = "SELECT count(*) FROM sqlite_master WHERE type <> 'table' AND name IN (?, ?, ?, ?)"
    if connection.execute(views, tuple(_COLUMNS)).fetchone()[0]:
        raise _Unusable("it has a view in the place of a table")


class _Unusable(Exception):
    """The file is there but is not a store of this version."""
