"""Answers on disk: written as they arrive, found again by the next run.

One SQLite file in WAL mode, safe for several processes at once. A row is JSON, never pickle.
The key is `Request.digest`, so an answer is found only by exactly the question that it answers.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from pytest_llmclf.answer import Answer
from pytest_llmclf.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_llmclf.request import ModelIdentity

SCHEMA_VERSION = 1
_BUSY_TIMEOUT_S = 30.0
_INSERT = "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?)"
_REPLACE = "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)"
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
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredModel:
    """The answers of one model that a store keeps.

    Attributes:
        model: As written on the command line.
        answers: How many.
        size: Bytes of their text.
        oldest: When the first one was stored, in seconds since the epoch.
        newest: When the last one was.
    """

    model: str
    answers: int
    size: int
    oldest: float
    newest: float


class AnswerStore:
    """The answers that models gave, by request digest.

    Thread-safe: one connection behind a lock, since SQLite writes one at a time anyway.

    Attributes:
        path: The database file, or ``None`` for a store that lives in memory only.
        notice: What people should know about the store (set aside, read-only), or ``None``.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.notice: str | None = None
        self._lock = threading.Lock()
        self._damaged = False
        self._connection = self._open()
        self._file = None if path is None else _file_of(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, digest: str) -> Answer | None:
        """The stored answer to the request with this digest, or ``None``.

        One that cannot be read is asked for anew, and `notice` says so.
        """
        with self._lock:
            try:
                row = self._connection.execute(
                    "SELECT answer FROM answers WHERE digest = ?", (digest,)
                ).fetchone()
                return None if row is None else Answer.from_json(json.loads(row[0]))
            except (sqlite3.Error, ValueError, LookupError, TypeError, AttributeError) as error:
                self._note(error, "some answers cannot be read and are asked for anew")
                return None

    def put(
        self, digest: str, identity: ModelIdentity, answer: Answer, *, replace: bool = False
    ) -> None:
        """Keep an answer; the first one to arrive stays unless `replace` is set.

        A store that cannot be written (disk full, read-only) never costs the answer: the run
        goes on, and `notice` says so.
        """
        row = (digest, identity.spec, time.time(), json.dumps(answer.to_json()))
        with self._lock:
            try:
                self._connection.execute(_REPLACE if replace else _INSERT, row)
            except sqlite3.Error as error:
                self._note(error, "some answers are not being kept")

    def agree(self, run: str, subject: str, choice: str, reason: str) -> tuple[str, str]:
        """Settle a choice once for all processes of a run.

        Args:
            run: Identifier that the processes of one run share.
            subject: What is chosen, such as the model of an evaluation.
            choice: What this process would choose.
            reason: Why.

        Returns:
            The choice and reason of whichever process asked first.
        """
        with self._lock:
            try:
                self._connection.execute(
                    "INSERT OR IGNORE INTO choices VALUES (?, ?, ?, ?)",
                    (run, subject, choice, reason),
                )
                row = self._connection.execute(
                    "SELECT choice, reason FROM choices WHERE run = ? AND subject = ?",
                    (run, subject),
                ).fetchone()
            except sqlite3.Error:
                row = None
        return (choice, reason) if row is None else (str(row[0]), str(row[1]))

    def agreed(self, run: str, subject: str) -> str | None:
        """What the processes of a run settled on, or ``None`` if they did not yet."""
        with self._lock:
            try:
                row = self._connection.execute(
                    "SELECT choice FROM choices WHERE run = ? AND subject = ?", (run, subject)
                ).fetchone()
            except sqlite3.Error:
                row = None
        return None if row is None else str(row[0])

    def forget_run(self, run: str) -> None:
        """Drop the choices of a finished run."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            self._connection.execute("DELETE FROM choices WHERE run = ?", (run,))

    def __len__(self) -> int:
        with self._lock:
            count: int = self._connection.execute("SELECT count(*) FROM answers").fetchone()[0]
        return count

    def close(self) -> None:
        """Close the file, and set it aside if it turned out to be damaged; may be called twice."""
        with self._lock:
            self._connection.close()
            damaged, self._damaged = self._damaged, False
        # Another process may have set it aside already; what lies there then is a sound new one.
        if damaged and self.path is not None and self._file == _file_of(self.path):
            with contextlib.suppress(StoreError):
                _set_aside(self.path)

    def stored(self) -> tuple[StoredModel, ...]:
        """What is kept, by model, in the order of their names.

        Raises:
            StoreError: The file cannot be read.
        """
        query = (
            "SELECT model, count(*), sum(length(CAST(answer AS BLOB))), min(created), max(created) "
            "FROM answers GROUP BY model ORDER BY model"
        )
        with self._lock, self._reported():
            rows = self._connection.execute(query).fetchall()
        return tuple(
            StoredModel(model=model, answers=count, size=size, oldest=oldest, newest=newest)
            for model, count, size, oldest, newest in rows
        )

    def prune(self, before: float) -> int:
        """Forget the answers that were stored before a moment, and give their room back.

        Args:
            before: Seconds since the epoch.

        Returns:
            How many were forgotten.

        Raises:
            StoreError: The file cannot be written.
        """
        with self._lock, self._reported():
            gone = self._connection.execute("DELETE FROM answers WHERE created < ?", (before,))
            with contextlib.suppress(sqlite3.OperationalError):  # a run is using it: no matter
                self._connection.execute("VACUUM")
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone.rowcount

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(
                f"{self.path}: {error}; wait for the run that uses it, or mend its permissions"
            ) from error

    def _note(self, error: Exception, effect: str) -> None:
        # SQLite raises OperationalError for what the surroundings do (full disk, locks), and its
        # parent for what is wrong with the file.
        if isinstance(error, sqlite3.Error) and not isinstance(error, sqlite3.OperationalError):
            self._damaged = True
            remedy = "the file is set aside at the end of this run, and the next one starts anew"
        else:
            remedy = "free disk space or choose another folder with --llmclf-home"
        self.notice = f"{self.path}: {effect} ({error}); {remedy}"

    def _open(self) -> sqlite3.Connection:
        if self.path is None:
            return self._connect(":memory:")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return self._connect_patiently(str(self.path))
        except _Unusable:
            return self._start_anew(self.path)
        except (OSError, sqlite3.OperationalError) as error:
            self.notice = (
                f"{self.path}: cannot be opened ({error}); answers of this run are kept in memory "
                "only; choose another folder with --llmclf-home"
            )
            return self._connect(":memory:")

    def _start_anew(self, path: Path) -> sqlite3.Connection:
        with _alone(path):
            try:  # another process may have done it meanwhile
                return self._connect_patiently(str(path))
            except _Unusable as error:
                aside = _set_aside(path)
                self.notice = f"{path}: {error}; kept as {aside.name}, started a new store"
                return self._connect_patiently(str(path))

    def _connect_patiently(self, target: str) -> sqlite3.Connection:
        # Several workers open a new file at once; switching it to WAL takes an exclusive lock
        # for which SQLite does not wait, so a locked file is tried again for about two seconds.
        for _ in range(40):
            try:
                return self._connect(target)
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    raise
                time.sleep(0.05)
        return self._connect(target)

    def _connect(self, target: str) -> sqlite3.Connection:
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
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        except sqlite3.OperationalError:
            connection.close()
            raise
        except sqlite3.DatabaseError as error:
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


@contextlib.contextmanager
def _alone(path: Path, patience_s: float = 2.0) -> Iterator[None]:
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


def _file_of(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _set_aside(path: Path) -> Path:
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


class _Unusable(Exception):
    """The file is there but is not a store of this version."""
