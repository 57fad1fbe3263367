"""``llmclf cache`` shows what is kept, and forgets what it is told to and nothing else."""

from __future__ import annotations

import os
import sqlite3
import time
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.cli import cache
from pytest_llmclf.errors import SettingsError, StoreError
from pytest_llmclf.runner.answer_cache import AnswerStore
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.request import ModelIdentity
from tests.unit.cli.command import call

if TYPE_CHECKING:
    from pathlib import Path

DAY_S = 86_400


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Ten answers of two models, half of them old; two runs, a damaged store, a dataset."""
    folder = tmp_path / "home"
    with AnswerStore(folder / "answers.sqlite") as store:
        for number in range(10):
            name = "llava" if number < 6 else "moondream"
            identity = ModelIdentity(backend="ollama", name=name, digest="d")
            store.put(str(number), identity, Answer(text="cat " * 500))
    age(folder, [str(number) for number in range(0, 10, 2)], days=40)
    for number, days in ((1, 40), (2, 1)):
        run = folder / "runs" / f"2026-{number}"
        run.mkdir(parents=True)
        (run / "run.json").write_text("{}")
        os.utime(run, (time.time() - days * DAY_S,) * 2)
    aside = folder / "answers.sqlite.set-aside-1"
    aside.write_text("junk")
    os.utime(aside, (time.time() - 40 * DAY_S,) * 2)
    (folder / "datasets" / "animals").mkdir(parents=True)
    (folder / "runs" / "notes").mkdir()
    return folder


def age(home: Path, digests: list[str], days: float) -> None:
    """Make answers older than they are."""
    connection = sqlite3.connect(home / "answers.sqlite")
    for digest in digests:
        connection.execute(
            "UPDATE answers SET created = created - ? WHERE digest = ?", (days * DAY_S, digest)
        )
    connection.commit()
    connection.close()


def kept(home: Path) -> set[str]:
    """Digests of the answers that are still there."""
    connection = sqlite3.connect(home / "answers.sqlite")
    rows = connection.execute("SELECT digest FROM answers").fetchall()
    connection.close()
    return {row[0] for row in rows}


def test_what_is_there(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Answers by model, damaged stores, runs; and nothing is changed."""
    before = sorted(home.rglob("*"))
    assert call(cache, "cache", "--home", str(home)) == 0
    out = capsys.readouterr().out
    assert "  10 answers, " in out
    assert "6  ollama:llava  " in out
    assert "4  ollama:moondream  " in out
    assert "1 damaged stores set aside" in out
    assert "2 runs" in out
    assert sorted(home.rglob("*")) == before


def test_nothing_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Looking makes nothing."""
    assert call(cache, "cache", "--home", str(tmp_path / "none")) == 0
    assert "0 answers, 0.0 MB" in capsys.readouterr().out
    assert call(cache, "cache", "--clear", "--home", str(tmp_path / "none")) == 0
    assert list(tmp_path.iterdir()) == []


def test_prune(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Old answers and old damaged stores go; runs and datasets stay."""
    assert call(cache, "cache", "--prune", "30", "--home", str(home)) == 0
    out = capsys.readouterr().out
    assert "forgot 5 answers" in out
    assert "removed 1 damaged stores" in out
    assert "  5 answers, " in out
    assert kept(home) == {"1", "3", "5", "7", "9"}
    assert not list(home.glob("*.set-aside-*"))
    assert len(list((home / "runs").iterdir())) == 3
    assert (home / "datasets" / "animals").is_dir()


def test_prune_runs(home: Path) -> None:
    """Old runs go when it is said; a folder that no run wrote stays."""
    call(cache, "cache", "--prune", "30", "--runs", "--home", str(home))
    assert sorted(run.name for run in (home / "runs").iterdir()) == ["2026-2", "notes"]


def test_clear(home: Path) -> None:
    """Every answer goes, also one from the future, and the file shrinks."""
    age(home, ["9"], days=-400)
    size = (home / "answers.sqlite").stat().st_size
    call(cache, "cache", "--clear", "--runs", "--home", str(home))
    assert kept(home) == set()
    assert (home / "answers.sqlite").stat().st_size < size
    assert [run.name for run in (home / "runs").iterdir()] == ["notes"]
    assert (home / "datasets" / "animals").is_dir()


def test_a_run_that_goes_on(home: Path) -> None:
    """Keeps its answers: what it stores afterwards is there, and nothing waits for it."""
    with AnswerStore(home / "answers.sqlite") as store:
        call(cache, "cache", "--clear", "--home", str(home))
        identity = ModelIdentity(backend="ollama", name="llava", digest="d")
        store.put("new", identity, Answer(text="dog"))
        assert store.get("new") == Answer(text="dog")
    assert kept(home) == {"new"}


def test_a_damaged_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Is set aside as a run would do, and said."""
    (tmp_path / "answers.sqlite").write_bytes(b"not a database, but long enough to be one" * 50)
    assert call(cache, "cache", "--home", str(tmp_path)) == 0
    out = capsys.readouterr().out
    assert "kept as answers.sqlite.set-aside-1" in out
    assert "1 damaged stores set aside" in out


def test_a_link_is_no_run(home: Path, tmp_path: Path) -> None:
    """What it leads to is not removed."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "run.json").write_text("{}")
    try:
        (home / "runs" / "link").symlink_to(elsewhere, target_is_directory=True)
    except OSError:
        pytest.skip("no links here")
    call(cache, "cache", "--clear", "--runs", "--home", str(home))
    assert (elsewhere / "run.json").is_file()


def test_options_without_effect(home: Path) -> None:
    """Are refused."""
    with pytest.raises(SettingsError, match="--prune DAYS or --clear"):
        call(cache, "cache", "--runs", "--home", str(home))
    for wrong in (["--prune", "-1"], ["--prune", "1", "--clear"], ["--prune", "soon"]):
        with pytest.raises(SystemExit) as caught:
            call(cache, "cache", *wrong)
        assert caught.value.code == 2


def test_an_unreadable_store_is_a_store_error(home: Path) -> None:
    """Not a traceback."""
    with AnswerStore(home / "answers.sqlite") as store:
        store._connection.execute("DROP TABLE answers")
        with pytest.raises(StoreError, match="no such table"):
            store.stored()
        with pytest.raises(StoreError, match="no such table"):
            store.prune(0)
