"""A store of an earlier version is opened by this one: nothing is lost, nothing is asked again.

The tables and the rows are those that version 0.1.0 wrote before stores were mended: an endpoint
key in plain text, and no mark that anything was mended.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing

import pytest

from benchmarks.stub_ollama import StubOllama
from pytest_llmclf.prompting.modelfile import load
from tests.faults.project import LABELS, Project, ended, png, wait_for

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
        images = new.execute("SELECT * FROM pictures").fetchall()
        (identity,) = new.execute("SELECT identity FROM models").fetchone()
    modelfile = load(project.root / "modelfiles" / "signs.Modelfile")
    endpoint_key = json.dumps(["ollama:llava:7b", modelfile.digest(), f"{USER}@{netloc}"])
    for path in project.store.parent.glob("answers.sqlite*"):
        path.unlink()
    with closing(sqlite3.connect(project.store)) as old:
        old.executescript(EARLIER)
        for number, digest in enumerate(digests):
            broken = {"text": "", "finish": "other", "answer_tokens": None} if number < odd else {}
            row = (digest, "ollama:llava:7b", 1.79e9, json.dumps({**ANSWER, **broken}))
            old.execute("INSERT INTO answers VALUES (?, ?, ?, ?)", row)
        old.executemany("INSERT INTO pictures VALUES (?, ?, ?, ?)", images)
        old.execute("INSERT INTO models VALUES (?, ?, ?)", (endpoint_key, identity, 1.79e9))
        old.commit()


@pytest.mark.parametrize("processes", ["-n0", "-n2"])
def test_known_answers_stay_known(
    pytester: pytest.Pytester, stub: StubOllama, processes: str
) -> None:
    """No question is put again but those whose answers may be errors, not even to a dead server."""
    project = Project(pytester.path, 12, pytester=pytester)
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


def test_a_later_version_may_add_columns(pytester: pytest.Pytester, stub: StubOllama) -> None:
    """What they hold is left alone, answers are found, and new ones are kept."""
    project = Project(pytester.path, 12, pytester=pytester)
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


def copied(project: Project, *, without: tuple[str, ...] = ()) -> Project:
    """The same evaluation in another folder, with a copy of its cache."""
    other = Project(project.root / "elsewhere", project.images, pytester=project.pytester)
    shutil.copytree(
        project.store.parent, other.store.parent, ignore=shutil.ignore_patterns(*without)
    )
    return other


def test_a_copy_is_known_on_another_machine(pytester: pytest.Pytester, stub: StubOllama) -> None:
    """Where the same model answers at another address; nothing of the first one is written to."""
    project = Project(pytester.path, 12, pytester=pytester)
    assert project.run(stub.netloc).code == pytest.ExitCode.OK
    other = copied(project)
    known = project.store.read_bytes()
    with StubOllama(service_ms=1, slots=4, labels=LABELS) as there:
        run = other.run(there.netloc)
        assert run.code == pytest.ExitCode.OK, run.text
        assert other.all_answered()
        assert there.stats()["chats"] == 0
    assert project.store.read_bytes() == known
    dead = other.run("127.0.0.1:9")
    assert dead.code == pytest.ExitCode.OK, dead.text
    assert "known answers" in dead.text


def test_a_copy_that_was_made_while_it_was_written_to(
    pytester: pytest.Pytester, stub: StubOllama
) -> None:
    """Of the file alone, as some tools copy, and of a run that is going on: what it has is used."""
    project = Project(pytester.path, 60, pytester=pytester)
    process = project.start(stub.netloc, "-n0")
    wait_for(lambda: stub.stats()["answered"] >= 20, "answers")
    other = copied(project, without=("*-wal", "*-shm"))
    assert ended(process).code == pytest.ExitCode.OK
    before = stub.stats()["chats"]
    run = other.run(stub.netloc)
    assert run.code == pytest.ExitCode.OK, run.text
    assert other.all_answered()
    known = sum(outcome["cached"] for outcome in other.outcomes())
    assert stub.stats()["chats"] == before + other.images - known
    assert len(other.stored()) == other.images


def test_images_of_two_versions_share_a_cache(pytester: pytest.Pytester, stub: StubOllama) -> None:
    """What changed is asked, what did not is known, and going back asks nothing."""
    project = Project(pytester.path, 12, pytester=pytester)
    assert project.run(stub.netloc).code == pytest.ExitCode.OK
    images = sorted((project.root / "fixtures").rglob("*.png"))[:2]
    first = [image.read_bytes() for image in images]
    for number, image in enumerate(images):
        image.write_bytes(png(1000 + number))
    before = stub.stats()["chats"]
    assert project.run(stub.netloc).code == pytest.ExitCode.OK
    assert stub.stats()["chats"] == before + 2
    for image, content in zip(images, first, strict=True):
        image.write_bytes(content)
    assert project.run(stub.netloc).code == pytest.ExitCode.OK
    assert stub.stats()["chats"] == before + 2
    assert project.all_answered()


def test_a_cache_of_a_later_version_is_set_aside_once(
    pytester: pytest.Pytester, stub: StubOllama
) -> None:
    """Said, kept as it was, never touched again; what is asked then is known to the next run."""
    project = Project(pytester.path, 12, pytester=pytester)
    assert project.run(stub.netloc).code == pytest.ExitCode.OK
    with closing(sqlite3.connect(project.store)) as later:
        later.execute("PRAGMA user_version = 7")
        later.commit()
    run = project.run(stub.netloc)
    assert run.code == pytest.ExitCode.OK, run.text
    assert "written by another version (schema 7)" in run.text
    (aside,) = project.store.parent.glob("*.set-aside-1")
    kept = aside.read_bytes()
    before = stub.stats()["chats"]
    again = project.run(stub.netloc)
    assert again.code == pytest.ExitCode.OK, again.text
    assert stub.stats()["chats"] == before
    assert aside.read_bytes() == kept
    assert len(list(project.store.parent.glob("*.set-aside-*"))) == 1
