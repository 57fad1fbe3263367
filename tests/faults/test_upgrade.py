"""A store of an earlier version is opened by this one: nothing is lost, nothing is asked again.

The tables and the rows are those that version 0.1.0 wrote before stores were mended: an endpoint
key in plain text, and no mark that anything was mended.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.prompting.modelfile import load
from tests.faults.project import Project

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.stub_ollama import StubOllama

EARLIER = """
CREATE TABLE answers (
    digest  TEXT PRIMARY KEY, model   TEXT NOT NULL, created REAL NOT NULL, answer  TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE choices (
    run     TEXT NOT NULL, subject TEXT NOT NULL, choice  TEXT NOT NULL, reason  TEXT NOT NULL,
    PRIMARY KEY (run, subject)
) WITHOUT ROWID;
CREATE TABLE pictures (
    source     TEXT PRIMARY KEY, sent       TEXT NOT NULL, media_type TEXT NOT NULL,
    created    REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE models (
    way      TEXT PRIMARY KEY, identity TEXT NOT NULL, seen     REAL NOT NULL
) WITHOUT ROWID;
PRAGMA user_version = 1;
"""
ANSWER = {
    "text": "0", "finish": "stop", "prompt_tokens": 620, "answer_tokens": 2, "server_s": 0.002,
    "load_s": 0.0001, "wall_s": 0.0158, "logprobs": None,
}  # fmt: skip
"""As that version wrote it."""
USER = "someone:hunter2hunter2"


def earlier(project: Project, netloc: str, *, odd: int = 0) -> None:
    """Put the answers of a run into a file of the earlier version; `odd` of them broke off."""
    digests = sorted(project.stored())
    with closing(sqlite3.connect(project.store)) as new:
        pictures = new.execute("SELECT * FROM pictures").fetchall()
        (identity,) = new.execute("SELECT identity FROM models").fetchone()
    modelfile = load(project.root / "modelfiles" / "signs.Modelfile")
    way = json.dumps(["ollama:llava:7b", modelfile.digest(), f"{USER}@{netloc}"])
    for path in project.store.parent.glob("answers.sqlite*"):
        path.unlink()
    with closing(sqlite3.connect(project.store)) as old:
        old.executescript(EARLIER)
        for number, digest in enumerate(digests):
            broken = {"text": "", "finish": "other", "answer_tokens": None} if number < odd else {}
            row = (digest, "ollama:llava:7b", 1.79e9, json.dumps({**ANSWER, **broken}))
            old.execute("INSERT INTO answers VALUES (?, ?, ?, ?)", row)
        old.executemany("INSERT INTO pictures VALUES (?, ?, ?, ?)", pictures)
        old.execute("INSERT INTO models VALUES (?, ?, ?)", (way, identity, 1.79e9))
        old.commit()


@pytest.mark.parametrize("processes", ["-n0", "-n2"])
def test_known_answers_stay_known(tmp_path: Path, stub: StubOllama, processes: str) -> None:
    """No question is put again but those whose answers may be errors, not even to a dead server."""
    project = Project(tmp_path, 12)
    assert project.run(stub.netloc).code == pytest.ExitCode.OK
    earlier(project, stub.netloc, odd=2)
    assert USER.encode() in project.store.read_bytes()
    before = stub.stats()["chats"]
    run = project.run(f"http://{USER}@{stub.netloc}", processes)
    assert run.code == pytest.ExitCode.OK, run.text
    assert project.all_answered()
    assert stub.stats()["chats"] == before + 2
    assert len(project.stored()) == project.images
    kept = b"".join(path.read_bytes() for path in project.store.parent.glob("answers.sqlite*"))
    assert USER.encode() not in kept
    assert list(project.store.parent.glob("*.set-aside-*")) == []
    stub.kill()
    again = project.run(f"http://{USER}@{stub.netloc}", processes)
    assert again.code == pytest.ExitCode.OK, again.text
    assert project.all_answered()
    assert "known answers" in again.text


def test_a_later_version_may_add_columns(tmp_path: Path, stub: StubOllama) -> None:
    """What they hold is left alone, answers are found, and new ones are kept."""
    project = Project(tmp_path, 12)
    assert project.run(stub.netloc).code == pytest.ExitCode.OK
    with closing(sqlite3.connect(project.store)) as later:
        for table in ("answers", "choices", "pictures", "models"):
            later.execute(f"ALTER TABLE {table} ADD COLUMN more TEXT NOT NULL DEFAULT 'x'")
        later.execute("DELETE FROM answers WHERE digest = (SELECT min(digest) FROM answers)")
        later.commit()
    before = stub.stats()["chats"]
    run = project.run(stub.netloc)
    assert run.code == pytest.ExitCode.OK, run.text
    assert stub.stats()["chats"] == before + 1
    assert len(project.stored()) == project.images
    assert "not being kept" not in run.text
