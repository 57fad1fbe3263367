"""Rows of a store that are damaged, or were written by another version.

One rule: a row that cannot be used is as good as none. It costs its own question and nothing else,
it is replaced by the answer, and nobody waits for it.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.runner.answer_cache import AnswerStore
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.request import ModelIdentity
from tests.unit.scripted import Scripted, engine, jobs, kinds, task

if TYPE_CHECKING:
    from pathlib import Path

IDENTITY = ModelIdentity(backend="openai", name="scripted", digest="abc")
NO_TEXT = "CAST(x'ff00fe' AS TEXT)"
HEX = "'" + "0" * 64 + "'"
ANSWERS = ("'{'", "'[]'", "'null'", "'{}'", "NULL", "17", "x'00ff'", NO_TEXT, "'[[[['")
IMAGES = ("NULL", "''", "'none'", "x'00ff'", "3.5", NO_TEXT, HEX)
MODELS = ("'{'", "'[]'", "'{}'", "17", "x'00ff'", NO_TEXT)
MOMENTS = ("'soon'", "1e300", "-1e300", "x'00'", "9e18")


def spoil(path: Path, table: str, column: str, value: str) -> None:
    """Put another value into every row; rows that may not hold it are rebuilt so that they may."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '')")
        connection.commit()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"UPDATE {table} SET {column} = {value}")  # noqa: S608 - our own words
        connection.commit()


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        *(("answers", "answer", value) for value in ANSWERS),
        *(("pictures", "sent", value) for value in IMAGES),
        ("pictures", "media_type", "'text/html'"),
        *(("models", "identity", value) for value in MODELS),
        *(("models", "seen", value) for value in MOMENTS),
        *(("answers", "created", value) for value in MOMENTS),
    ],
)
def test_a_damaged_row_is_replaced(tmp_path: Path, table: str, column: str, value: str) -> None:
    """The run after the damage asks at most once an image, and the run after that nothing."""
    path = tmp_path / "answers.sqlite"
    wanted = jobs(task(tmp_path, 3))
    for number, damaged in enumerate((False, True, False)):
        backend = Scripted()
        if damaged:
            spoil(path, table, column, value)
        with AnswerStore(path) as store:
            running = engine(backend, store=store)
            assert kinds(running, wanted) == ["correct"] * 3
            running.close()
            store.remembered("way")
            store.stored()
            assert all(store.claim(job.case.sha256) for job in wanted)
        if number == 2:
            assert backend.asked == []
        assert len(backend.asked) <= 3


def test_a_wrong_digest_leaves_no_claim_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks next from another process would wait for it as long as a question may take."""
    path = tmp_path / "answers.sqlite"
    (job,) = jobs(task(tmp_path, 1))
    backend = Scripted()
    with AnswerStore(path) as store:
        running = engine(backend, store=store)
        kinds(running, [job])
        running.close()
    spoil(path, "pictures", "sent", HEX)
    claimed: list[str] = []
    released: list[str] = []
    with AnswerStore(path) as store:
        take, give = store.claim, store.release

        def claim(digest: str) -> bool:
            claimed.append(digest)
            return take(digest)

        def release(digest: str) -> None:
            released.append(digest)
            give(digest)

        monkeypatch.setattr(store, "claim", claim)
        monkeypatch.setattr(store, "release", release)
        running = engine(backend, store=store)
        assert kinds(running, [job]) == ["correct"]
        running.close()
    assert claimed == released
    assert backend.times() == {1: 1}, "the answer was there all the time"


def test_what_cannot_be_written_keeps_no_lock(tmp_path: Path) -> None:
    """A transaction that is not ended keeps every other process waiting."""
    path = tmp_path / "answers.sqlite"
    with AnswerStore(path) as store, AnswerStore(path) as other:
        odd = ModelIdentity(backend="openai", name="\udcff", digest="x")
        store.put("one", odd, Answer(text="cat"), fresh_in="run")
        other.put("two", IDENTITY, Answer(text="cat"), fresh_in="run")
        assert other.get("two") == Answer(text="cat")
        assert other.notice is None


def test_fields_of_a_later_version_are_left_out(tmp_path: Path) -> None:
    """Two versions that share a store share its answers."""
    path = tmp_path / "answers.sqlite"
    with AnswerStore(path) as store:
        store.put("one", IDENTITY, Answer(text="cat"))
        store.remember("way", IDENTITY)
    later = json.dumps({**Answer(text="cat").to_json(), "thought": "hm", "cost": {"eur": 1}})
    spoil(path, "answers", "answer", f"'{later}'")
    with AnswerStore(path) as store:
        assert store.get("one") == Answer(text="cat")
        assert store.notice is None


COLUMNS = [
    ("answers", "digest"), ("answers", "answer"), ("choices", "run"), ("pictures", "sent"),
    ("models", "way"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=str)
def test_another_table_of_that_name_is_set_aside(tmp_path: Path, table: str, column: str) -> None:
    """It would fail at every question of every run; with the answers in it nothing is lost."""
    path = tmp_path / "answers.sqlite"
    with AnswerStore(path) as store:
        store.put("one", IDENTITY, Answer(text="cat"))
    for change in (
        f"ALTER TABLE {table} RENAME COLUMN {column} TO other",
        f"ALTER TABLE {table} RENAME TO x; CREATE VIEW {table} AS SELECT * FROM x",  # noqa: S608
    ):
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(change)
        with AnswerStore(path) as store:
            assert "kept as answers.sqlite.set-aside-" in (store.notice or "")
            store.put("two", IDENTITY, Answer(text="cat"))
            assert store.get("two") is not None
        with AnswerStore(path) as store:
            assert store.notice is None


def test_a_damaged_schema_is_set_aside(tmp_path: Path) -> None:
    """Also where SQLite's own message about it is no text, which Python then cannot read."""
    path = tmp_path / "answers.sqlite"
    with AnswerStore(path) as store:
        store.put("one", IDENTITY, Answer(text="cat"))
    sound = path.read_bytes()
    where = [at for at in range(len(sound)) if sound.startswith(b"CREATE TABLE", at)]
    assert where
    aside = 0
    for start in where:
        for at in range(start, start + 40, 3):
            path.write_bytes(sound[:at] + b"\xf2\x81" + sound[at + 2 :])
            with AnswerStore(path) as store:
                aside += "set-aside" in (store.notice or "")
                store.put("two", IDENTITY, Answer(text="cat"))
                assert store.get("two") is not None
    assert aside


@pytest.mark.parametrize("column", ["way", "identity", "seen"])
@pytest.mark.parametrize("value", ["'[]'", "'{'", NO_TEXT, "x'00ff'", "17", "NULL"])
def test_what_cannot_be_mended_keeps_nothing_as_it_is(
    tmp_path: Path, column: str, value: str
) -> None:
    """One row that is damaged must not leave the passwords in the others, run after run."""
    path = tmp_path / "answers.sqlite"
    with AnswerStore(path) as store:
        store.remember("one", IDENTITY)
    if column != "way" or value != "NULL":  # the key of a row cannot be
        spoil(path, "models", column, value)
    old = json.dumps(["ollama:llava", "digest", "user:hunter2hunter2@host"])
    with closing(sqlite3.connect(path)) as connection:
        row = (old, json.dumps(IDENTITY.to_json()), 1.0)
        connection.execute("INSERT INTO models VALUES (?, ?, ?)", row)
        connection.execute("PRAGMA application_id = 0")
        connection.commit()
    with AnswerStore(path) as store:
        assert store.notice is None
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"hunter2" not in kept


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes of POSIX")
@pytest.mark.parametrize(
    "name",
    ["", "-wal", "-shm", "-journal", ".claims", ".lock"],
)
@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_what_is_no_file_keeps_nobody_waiting(tmp_path: Path, name: str, kind: str) -> None:
    """A pipe in the place of a store or of what belongs to it: answers are kept in memory."""
    place = tmp_path / f"answers.sqlite{name}"
    if kind == "pipe":
        os.mkfifo(place)
    else:
        place.mkdir()
    done: list[object] = []

    def use() -> None:
        with AnswerStore(tmp_path / "answers.sqlite") as store:
            store.put("one", IDENTITY, Answer(text="cat"))
            assert store.claim("one")
            store.release("one")
            done.append(store.get("one"))

    using = threading.Thread(target=use, daemon=True)
    using.start()
    using.join(10)
    assert done == [Answer(text="cat")]
