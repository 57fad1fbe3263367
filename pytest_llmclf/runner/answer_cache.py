"""Answers on disk: written as they arrive, found again by the next run.

One SQLite file in WAL mode, safe for several processes at once. A row is JSON, never pickle.
The key is `Request.digest`, so an answer is found only by exactly the question that it answers.
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from pytest_llmclf.data.image import MEDIA_TYPES, SentImage
from pytest_llmclf.errors import StoreError
from pytest_llmclf.runner.answer_cache_file import SQLITE_ERRORS, file_of, open_database, set_aside
from pytest_llmclf.runner.locks import QuestionLocks
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.request import ModelIdentity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# Columns by name: a later version may have more of them.
_ANSWER = "INTO answers (digest, model, created, answer) VALUES (?, ?, ?, ?)"
_INSERT = f"INSERT OR IGNORE {_ANSWER}"
_REPLACE = f"INSERT OR REPLACE {_ANSWER}"
# A row that is there already and is wrong would send every run the long way.
_INSERT_IMAGE = (
    "INSERT OR REPLACE INTO pictures (source, sent, media_type, created) VALUES (?, ?, ?, ?)"
)
_REMEMBER = "INSERT OR REPLACE INTO models (way, identity, seen) VALUES (?, ?, ?)"
_CHOOSE = "INSERT OR IGNORE INTO choices (run, subject, choice, reason) VALUES (?, ?, ?, ?)"
_ASKED = "asked: "
_ANEW = "some answers cannot be read and are asked for anew"
_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What a row raises that was damaged, or written by something else."""
_UNDECODED = "Could not decode"
"""In SQLite's message for a text that is none."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_GET = "SELECT answer FROM answers WHERE digest = ?"
_GET_FRESH = """SELECT answer FROM answers
    WHERE digest = ? AND EXISTS (SELECT 1 FROM choices WHERE run = ? AND subject = ?)"""


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
        self._lock = threading.Lock()
        self._damaged = False
        self._closed = False
        self._unreadable: set[str] = set()
        self._connection, self.notice = open_database(path)
        # Next to a store that had to be kept in memory there may be none to write to.
        self._locks = QuestionLocks(None if path is None else path.with_name(f"{path.name}.claims"))
        self._file = None if path is None else file_of(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, digest: str, *, fresh_in: str = "") -> Answer | None:
        """The stored answer to the request with this digest, or ``None``.

        One that cannot be read is asked for anew, and `notice` says so.

        Args:
            digest: Of the request.
            fresh_in: A run that asks anew: only an answer that it put there itself counts.
        """
        query, values = _GET, [digest]
        if fresh_in:
            query, values = _GET_FRESH, [digest, fresh_in, f"{_ASKED}{digest}"]
        with self._lock:
            try:
                row = self._connection.execute(query, values).fetchone()
                return None if row is None else Answer.from_json(json.loads(row[0]))
            except (*_UNREADABLE, sqlite3.Error) as error:
                if not isinstance(error, sqlite3.Error) or _UNDECODED in str(error):
                    self._unreadable.add(digest)
                    self.notice = f"{self.path}: {_ANEW} and replaced ({error})"
                else:
                    self._note(error, _ANEW)
                return None

    def put(
        self,
        digest: str,
        identity: ModelIdentity,
        answer: Answer,
        *,
        replace: bool = False,
        fresh_in: str = "",
        image: tuple[str, SentImage] | None = None,
    ) -> None:
        """Keep an answer; the first one to arrive stays unless it is to be replaced.

        A store that cannot be written (disk full, read-only) never costs the answer: the run
        goes on, and `notice` says so.

        Args:
            digest: Of the request.
            identity: Who answered.
            answer: What was answered.
            replace: Whether an older answer is replaced.
            fresh_in: A run that asks anew; an older answer is replaced.
            image: What the request's image was made from, and what was sent; see
                `sent_image`.
        """
        now = time.time()
        row = (digest, identity.spec, now, json.dumps(answer.to_json()))
        replace = replace or digest in self._unreadable
        writes: list[tuple[str, tuple[object, ...]]] = [
            (_REPLACE if replace or fresh_in else _INSERT, row)
        ]
        if image is not None:
            writes.append((_INSERT_IMAGE, _image_row(*image, now)))
        if fresh_in:
            writes.append((_CHOOSE, (fresh_in, f"{_ASKED}{digest}", "asked", "")))
        self._write(writes, "some answers are not being kept")

    def sent_image(self, source: str) -> SentImage | None:
        """What an image is sent as, so that a request's digest needs no decoding.

        Args:
            source: Digest of the file's bytes, and everything that decides what is made of them.
        """
        row = self._found("SELECT sent, media_type FROM pictures WHERE source = ?", source)
        # What is no digest is no row: it is made anew, and replaced.
        if row is None or not all(isinstance(value, str) for value in row):
            return None
        sha256, media_type = row
        known = _SHA256.fullmatch(sha256) and media_type in MEDIA_TYPES
        return SentImage(sha256=sha256, media_type=media_type) if known else None

    def keep_image(self, source: str, sent: SentImage) -> None:
        """Keep what an image is sent as; see `sent_image`."""
        row = _image_row(source, sent, time.time())
        self._write([(_INSERT_IMAGE, row)], "some answers are not being kept")

    def remember(self, endpoint_key: str, identity: ModelIdentity) -> None:
        """Keep who answered.

        Args:
            endpoint_key: Everything that determines who answers, without asking anybody.
            identity: Who that was.
        """
        row = (endpoint_key, json.dumps(identity.to_json()), time.time())
        self._write([(_REMEMBER, row)], "not all is kept")

    def remembered(self, endpoint_key: str) -> tuple[ModelIdentity, float] | None:
        """Who answered when it was last known, and when that was, in seconds since the epoch."""
        query = "SELECT identity, seen FROM models WHERE way = ?"
        # An earlier version kept what stands behind the sign alone.
        row = self._found(query, endpoint_key) or self._found(
            query, endpoint_key.rpartition("@")[2]
        )
        return None if row is None else _identified(row)

    def remembered_elsewhere(self, endpoint_key: str) -> tuple[tuple[ModelIdentity, float], ...]:
        """Who answered for the same model at other addresses, and when; the latest first.

        Args:
            endpoint_key: As for `remember`; what stands before its ``@`` is the model.
        """
        model, mark, _ = endpoint_key.partition("@")
        if not mark:
            return ()
        query = (
            "SELECT way, identity, seen FROM models WHERE way > ? AND way < ? ORDER BY seen DESC"
        )
        with self._lock:
            try:
                rows = self._connection.execute(query, (f"{model}@", f"{model}A")).fetchall()
            except sqlite3.Error as error:
                self._note(error, _ANEW)
                return ()
        found = [_identified(row[1:]) for row in rows if row[0] != endpoint_key]
        return tuple(entry for entry in found if entry is not None)

    def claim(self, digest: str) -> bool:
        """Claim a question; false if another thread or process asks it at this moment.

        The claim ends with `release`, or with the process.
        """
        return self._locks.take(digest)

    def release(self, digest: str) -> None:
        """Give a claim back, whether the question was answered or not."""
        self._locks.release(digest)

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
        with self._lock, contextlib.suppress(*SQLITE_ERRORS):
            self._connection.execute(_CHOOSE, (run, subject, choice, reason))
        return self._chosen(run, subject) or (choice, reason)

    def agreed(self, run: str, subject: str) -> str | None:
        """What the processes of a run settled on, or ``None`` if they did not yet."""
        found = self._chosen(run, subject)
        return None if found is None else found[0]

    def _chosen(self, run: str, subject: str) -> tuple[str, str] | None:
        query = "SELECT choice, reason FROM choices WHERE run = ? AND subject = ?"
        row = None
        with self._lock, contextlib.suppress(*SQLITE_ERRORS):
            row = self._connection.execute(query, (run, subject)).fetchone()
        return None if row is None else (str(row[0]), str(row[1]))

    def forget_run(self, run: str) -> None:
        """Drop the choices of a finished run."""
        with self._lock, contextlib.suppress(*SQLITE_ERRORS):
            self._connection.execute("DELETE FROM choices WHERE run = ?", (run,))

    def __len__(self) -> int:
        with self._lock:
            count: int = self._connection.execute("SELECT count(*) FROM answers").fetchone()[0]
        return count

    def close(self) -> None:
        """Close the file, and set it aside if it turned out to be damaged; may be called twice."""
        self._locks.close()
        with self._lock:
            self._closed = True
            self._connection.close()
            damaged, self._damaged = self._damaged, False
        # Another process may have set it aside already; what lies there then is a sound new one.
        if damaged and self.path is not None and self._file == file_of(self.path):
            with contextlib.suppress(StoreError):
                set_aside(self.path)

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
            # Text that is none must not hide the rest.
            self._connection.text_factory = _replaced
            try:
                rows = self._connection.execute(query).fetchall()
            finally:
                self._connection.text_factory = str
        return tuple(
            StoredModel(
                model=str(model),
                answers=count,
                size=size,
                oldest=_moment(oldest),
                newest=_moment(newest),
            )
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
            self._connection.execute("DELETE FROM pictures WHERE created < ?", (before,))
            self._connection.execute("DELETE FROM models WHERE seen < ?", (before,))
            with contextlib.suppress(sqlite3.OperationalError):  # a run is using it: no matter
                self._connection.execute("VACUUM")
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone.rowcount

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except SQLITE_ERRORS as error:
            raise StoreError(
                f"{self.path}: {error}; wait for the run that uses it, or mend its permissions"
            ) from error

    def _found(self, query: str, key: str) -> Any:
        with self._lock:
            try:
                return self._connection.execute(query, (key,)).fetchone()
            except SQLITE_ERRORS as error:
                self._note(error, _ANEW)
                return None

    def _write(self, writes: Sequence[tuple[str, tuple[object, ...]]], effect: str) -> None:
        """Write all of it, or nothing and say so."""
        with self._lock:
            if self._closed:
                return
            try:
                if len(writes) > 1:
                    self._connection.execute("BEGIN IMMEDIATE")
                for statement, row in writes:
                    self._connection.execute(statement, row)
                if len(writes) > 1:
                    self._connection.execute("COMMIT")
            except (sqlite3.Error, ValueError, OverflowError) as error:
                # A transaction that is left open keeps every other process waiting.
                self._note(error, effect)
                with contextlib.suppress(*SQLITE_ERRORS):
                    self._connection.rollback()

    def _note(self, error: Exception, effect: str) -> None:
        if self._closed:  # an answer that came when everything was over
            return
        # SQLite raises OperationalError for what the surroundings do (full disk, locks), and its
        # parent for what is wrong with the file.
        if isinstance(error, SQLITE_ERRORS) and not isinstance(error, sqlite3.OperationalError):
            self._damaged = True
            remedy = "the file is set aside at the end of this run, and the next one starts anew"
        else:
            remedy = "free disk space or choose another folder with --llmclf-home"
        self.notice = f"{self.path}: {effect} ({error}); {remedy}"


def _replaced(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _identified(row: Sequence[Any]) -> tuple[ModelIdentity, float] | None:
    """A kept identity and its moment; ``None`` where they cannot be read."""
    try:
        seen = float(row[1])
        time.gmtime(seen)  # a moment that there is
        return ModelIdentity.from_json(json.loads(row[0])), seen
    except (*_UNREADABLE, OverflowError, OSError):
        return None


def _moment(value: object) -> float:
    """Seconds since the epoch; 0 for what is no moment."""
    try:
        moment = float(value)  # type: ignore[arg-type]
        time.gmtime(moment)
    except (TypeError, ValueError, OverflowError, OSError):
        return 0.0
    return moment


def _image_row(source: str, sent: SentImage, now: float) -> tuple[object, ...]:
    return source, sent.sha256, sent.media_type, now
