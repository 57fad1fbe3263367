"""A full disk, a read-only cache, a damaged store: the run goes on and says so."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.runner.answer_cache import AnswerStore
from pytest_llmclf.runner.answer_cache_file import SCHEMA_VERSION
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.request import ModelIdentity
from tests.faults.disks import enlarge, mounting, read_only, small_disk
from tests.faults.project import Project, ended, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.stub_ollama import StubOllama


@mounting
@pytest.mark.parametrize("processes", [("-n0",), ("-n2",)], ids=["alone", "n2"])
def test_a_full_disk_costs_only_the_cache(
    project: Project, stub: StubOllama, processes: tuple[str, ...]
) -> None:
    """All images are judged, people are told, and the next run asks only what was not kept."""
    home = project.store.parent
    with small_disk(home, 160):
        run = project.run(stub.netloc, *processes)
        assert run.code == pytest.ExitCode.OK, run.text
        assert project.all_answered()
        assert project.gates() == ["PASS"]
        assert "some answers are not being kept" in run.text
        assert "free disk space or choose another folder with --llmclf-home" in run.text
        enlarge(home, 10_000)
        known = len(project.stored())
        assert 0 < known < project.images
        before = stub.stats()["chats"]
        assert project.run(stub.netloc, *processes).code == pytest.ExitCode.OK
        assert stub.stats()["chats"] == before + project.images - known
        assert project.all_answered()
        assert len(project.stored()) == project.images


@mounting
def test_a_full_disk_under_the_report_costs_only_the_files(
    project: Project, stub: StubOllama
) -> None:
    """The terminal has the report, says what could not be written, and the exit code stays."""
    with small_disk(project.root / "run", 16):
        run = project.run(stub.netloc)
    assert run.code == pytest.ExitCode.OK, run.text
    assert "could not be written" in run.text
    assert "choose another folder with --llmclf-run" in run.text
    assert f"{project.images} images" in run.text
    assert "PASS" in run.text
    assert len(project.stored()) == project.images


@mounting
@pytest.mark.parametrize("processes", ["-n0", "-n2"])
def test_a_full_disk_under_the_recording_costs_only_the_recording(
    project: Project, stub: StubOllama, processes: str
) -> None:
    """Every image is judged, what is missing is said, and what was written plays back."""
    folder = project.root / "recordings"
    with small_disk(folder, 16):
        run = project.run(stub.netloc, processes, "--llmclf-record=recordings/r.jsonl")
        assert run.code == pytest.ExitCode.OK, run.text
        assert project.all_answered()
        assert "the recording is incomplete" in run.text
        lines = (folder / "r.jsonl").read_bytes().splitlines()
        assert all(json.loads(line) for line in lines)
        assert 1 < sum(json.loads(line)["type"] == "answer" for line in lines) < project.images
        enlarge(folder, 10_000)
        run = project.run(stub.netloc, "--llmclf-record=recordings/r.jsonl")
        assert "incomplete" not in run.text
    assert len(project.stored()) == project.images


@mounting
def test_a_read_only_cache_is_read(project: Project, stub: StubOllama) -> None:
    """What it knows is not asked again; the run is complete and says that it keeps nothing new."""
    assert project.run(stub.netloc, "-k", "[0/ or test_gate").code == pytest.ExitCode.OK
    before = stub.stats()["chats"]
    with read_only(project.store.parent):
        run = project.run(stub.netloc)
    assert run.code == pytest.ExitCode.OK, run.text
    assert project.all_answered()
    assert f"{project.store}: " in run.text
    assert "--llmclf-home" in run.text
    assert stub.stats()["chats"] == project.images
    assert stub.stats()["repeated"] == 0
    assert before == project.images // 3


def _half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _junk(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(20_000))  # noqa: S311 - any bytes


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")


@pytest.mark.parametrize("damage", [_half, _junk, _newer], ids=["half", "junk", "newer"])
def test_a_store_of_no_use_is_set_aside(
    project: Project, stub: StubOllama, damage: Callable[[Path], None]
) -> None:
    """It is kept under another name and named; the run is complete, and the next one begins anew.

    Where sound parts were found, it is set aside at the end of the run, else at its beginning.
    """
    who = ModelIdentity(backend="ollama", name="llava:7b", digest="abc")
    with AnswerStore(project.store) as store:
        for number in range(400):
            store.put(f"{number:064}", who, Answer(text="an earlier answer"))
    damage(project.store)
    content = project.store.read_bytes()
    run = project.run(stub.netloc)
    assert run.code == pytest.ExitCode.OK, run.text
    assert project.all_answered()
    (aside,) = project.store.parent.glob("*.set-aside-1")
    if damage is not _half:  # that one may have been written to before the damage was met
        assert aside.read_bytes() == content
    assert f"{project.store}: " in run.text
    assert "is set aside at the end" in run.text or aside.name in run.text
    assert project.run(stub.netloc).code == pytest.ExitCode.OK
    assert len(project.stored()) == project.images


def test_what_an_earlier_store_left_behind_is_no_harm(project: Project, stub: StubOllama) -> None:
    """An empty file, a journal that belongs to none, and a lock of a process that was killed."""
    project.store.parent.mkdir()
    project.store.touch()
    project.store.with_name("answers.sqlite-wal").write_bytes(b"\x37\x7f\x06\x82" + bytes(9000))
    project.store.with_name("answers.sqlite.lock").touch()
    run = project.run(stub.netloc)
    assert run.code == pytest.ExitCode.OK, run.text
    assert project.all_answered()
    assert len(project.stored()) == project.images
    assert not list(project.store.parent.glob("*set-aside*"))


def test_a_folder_in_its_place_means_memory(project: Project, stub: StubOllama) -> None:
    """The run is complete, says so, and the folder stays."""
    project.store.mkdir(parents=True)
    run = project.run(stub.netloc)
    assert run.code == pytest.ExitCode.OK, run.text
    assert project.all_answered()
    assert "in memory only" in run.text
    assert project.store.is_dir()


def test_two_runs_share_one_store(project: Project, stub: StubOllama) -> None:
    """Started together, both are complete, and each question was asked by one of them."""
    other = project.start(stub.netloc, "--llmclf-run=other")
    run = project.run(stub.netloc)
    beside = ended(other)
    assert (run.code, beside.code) == (0, 0), run.text + beside.text
    assert project.all_answered()
    assert len(project.stored()) == project.images
    assert stub.stats()["chats"] == project.images


JUMPY = """
import os, time

real = time.time

def jumping():
    return real() + (float(os.environ["JUMP_S"]) if os.path.exists("jump") else 0.0)

time.time = jumping
"""


@pytest.mark.parametrize("jump_s", [-86400.0 * 400, 86400.0 * 400], ids=["back", "ahead"])
def test_a_jump_of_the_clock_costs_nothing(
    project: Project, stub: StubOllama, jump_s: float
) -> None:
    """In the middle of a run: no wait is longer, no duration negative, nothing asked twice."""
    (project.root / "conftest.py").write_text(JUMPY)
    process = project.start(stub.netloc, environment={"JUMP_S": str(jump_s)})
    wait_for(lambda: stub.stats()["answered"] >= 10, "answers")
    (project.root / "jump").touch()
    run = ended(process)
    assert run.code == pytest.ExitCode.OK, run.text
    assert project.all_answered()
    assert all(outcome["answer"]["wall_s"] >= 0 for outcome in project.outcomes())
    with closing(sqlite3.connect(project.store)) as connection:
        created = [row[0] for row in connection.execute("SELECT created FROM answers")]
    assert max(created) - min(created) > abs(jump_s) / 2  # it did jump
    assert stub.stats()["chats"] == project.images


@pytest.mark.skipif(sys.platform == "win32", reason="limits of Unix")
def test_a_limit_on_files_costs_only_the_cache(project: Project, stub: StubOllama) -> None:
    """Where no file may grow, images are judged all the same and the exit code stays."""
    import resource

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (64_000, 64_000))

    run = project.run(stub.netloc, before=limit)
    assert run.code == pytest.ExitCode.OK, run.text
    assert "some answers are not being kept" in run.text
    assert f"{project.images} images" in run.text
    assert 0 < len(project.stored()) < project.images


def test_a_store_that_was_copied_is_known(project: Project, stub: StubOllama) -> None:
    """To another folder, as to another machine: nothing is asked again."""
    project.run(stub.netloc)
    other = Project(project.root / "elsewhere", project.images, pytester=project.pytester)
    shutil.copytree(project.store.parent, other.store.parent)
    before = stub.stats()["chats"]
    run = other.run(stub.netloc)
    assert run.code == pytest.ExitCode.OK, run.text
    assert other.all_answered()
    assert stub.stats()["chats"] == before
