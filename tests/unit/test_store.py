"""Answers on disk: kept, found again, shared by processes, and never worth losing a run for."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf.runner.answer_cache import AnswerStore
from pytest_llmclf.runner.answer_cache_file import SCHEMA_VERSION
from pytest_llmclf.values.answer import Answer, TokenLogprob
from pytest_llmclf.values.request import ModelIdentity
from tests.forkserver import fresh_or_forked

if TYPE_CHECKING:
    from pathlib import Path

WHO = ModelIdentity(backend="ollama", name="llava", digest="abc")
FULL = Answer(
    text='{"label": "Katze \N{CAT FACE}"}\n\x00',
    finish="length",
    prompt_tokens=600,
    answer_tokens=7,
    server_s=1.25,
    load_s=0.5,
    wall_s=1.5,
    logprobs=(
        TokenLogprob(token="Ka", logprob=-0.25, top=(("Ka", -0.25), ("Hu", -1.5))),  # noqa: S106
    ),
)

WRITER = """
import pathlib, sys
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.request import ModelIdentity
from pytest_llmclf.runner.answer_cache import AnswerStore

who = ModelIdentity(backend="ollama", name="llava", digest="abc")
sys.stdin.readline()  # all start together
with AnswerStore(pathlib.Path(sys.argv[1])) as store:
    for number in range(100):
        store.put(f"{sys.argv[2]} {number}", who, Answer(text=sys.argv[2]))
        store.put(f"shared {number}", who, Answer(text=sys.argv[2]))
    print(store.agree("run", "model", f"choice {sys.argv[2]}", "reason")[0])
    print(store.notice or "")
"""


def write_together(path: Path, processes: int = 4) -> list[tuple[str, str]]:
    """Let several processes write at once; the choice and the notice of each."""
    running = [
        subprocess.Popen(  # noqa: S603 - our own interpreter
            [fresh_or_forked(), "-c", WRITER, str(path), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(processes)
    ]
    for process in running:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60)[0].splitlines() for process in running]
    assert {process.returncode for process in running} == {0}
    return [(lines[0], lines[1]) for lines in said]


@pytest.mark.parametrize("answer", [FULL, Answer(text="")])
def test_an_answer_is_found_again(tmp_path: Path, answer: Answer) -> None:
    """Every field survives the disk and another process's eyes."""
    path = tmp_path / "deep" / "answers.sqlite"
    with AnswerStore(path) as store:
        store.put("d", WHO, answer)
        assert store.notice is None
    with AnswerStore(path) as store:
        assert store.get("d") == answer
        assert store.get("other") is None
        assert len(store) == 1


@given(st.text())
def test_any_text_is_found_again(text: str) -> None:
    """Whatever a model says, surrogates and control characters included."""
    with AnswerStore(None) as store:
        store.put("d", WHO, Answer(text=text))
        found = store.get("d")
        assert found is not None
        assert found.text == text


def test_the_first_answer_stays(tmp_path: Path) -> None:
    """Two processes that asked the same agree on one answer; only a replacement changes it."""
    with AnswerStore(tmp_path / "a") as store:
        for text, replace in (("first", False), ("second", False)):
            store.put("d", WHO, Answer(text=text), replace=replace)
        assert store.get("d") == Answer(text="first")
        store.put("d", WHO, Answer(text="third"), replace=True)
        assert store.get("d") == Answer(text="third")


def test_rows_are_json(tmp_path: Path) -> None:
    """Any SQLite and JSON reader can read the file: nothing in it is run."""
    path = tmp_path / "a"
    with AnswerStore(path) as store:
        store.put("d", WHO, FULL)
    connection = sqlite3.connect(path)
    ((text,),) = connection.execute("SELECT json_extract(answer, '$.text') FROM answers")
    ((model,),) = connection.execute("SELECT model FROM answers")
    connection.close()
    assert text.startswith('{"label"')
    assert model == "ollama:llava"


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    """Nothing is lost, nothing is locked, and all agree on one choice."""
    path = tmp_path / "answers.sqlite"
    said = write_together(path)
    assert len({choice for choice, _ in said}) == 1
    assert {notice for _, notice in said} == {""}
    with AnswerStore(path) as store:
        assert len(store) == 500
        assert store.get("3 99") == Answer(text="3")


def test_several_processes_find_a_damaged_file(tmp_path: Path) -> None:
    """One of them sets it aside; all of them write to the new one."""
    path = tmp_path / "answers.sqlite"
    path.write_bytes(b"damaged" * 1000)
    said = write_together(path)
    assert sum(bool(notice) for _, notice in said) == 1
    with AnswerStore(path) as store:
        assert len(store) == 500
    left = sorted(found.name for found in tmp_path.iterdir())
    assert left == ["answers.sqlite", "answers.sqlite.set-aside-1"]


def test_several_threads_write_at_once(tmp_path: Path) -> None:
    """One store serves all threads of the engine."""
    with AnswerStore(tmp_path / "a") as store:

        def write(name: int) -> None:
            for number in range(50):
                store.put(f"{name} {number}", WHO, Answer(text="x"))
                assert store.get(f"{name} {number}") is not None

        threads = [threading.Thread(target=write, args=(name,)) for name in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert len(store) == 400


def test_a_killed_process_loses_nothing_it_stored(tmp_path: Path) -> None:
    """Each answer is on disk when `put` returns, without closing."""
    path = tmp_path / "a"
    choose = "    print(store.agree"
    code = WRITER.replace(choose, f"    import os; os._exit(9)\n{choose}")
    process = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code, str(path), "0"], input="\n", text=True, check=False, timeout=60
    )
    assert process.returncode == 9
    with AnswerStore(path) as store:
        assert len(store) == 200
        assert store.notice is None


def test_a_damaged_file_is_set_aside(tmp_path: Path) -> None:
    """The new store works, the old file is kept, and the notice says where."""
    path = tmp_path / "answers.sqlite"
    path.write_bytes(b"this is no database" * 100)
    (tmp_path / "answers.sqlite.set-aside-1").write_text("an earlier one")
    with AnswerStore(path) as store:
        assert store.notice is not None
        assert "damaged" in store.notice
        assert "kept as answers.sqlite.set-aside-2" in store.notice
        store.put("d", WHO, FULL)
        assert store.get("d") == FULL
    assert (tmp_path / "answers.sqlite.set-aside-2").read_bytes().startswith(b"this is no")
    assert (tmp_path / "answers.sqlite.set-aside-1").read_text() == "an earlier one"


def test_a_newer_file_is_set_aside(tmp_path: Path) -> None:
    """A store of a later version is neither misread nor overwritten."""
    path = tmp_path / "answers.sqlite"
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.execute("CREATE TABLE answers (something, else_entirely)")
    connection.close()
    with AnswerStore(path) as store:
        assert store.notice is not None
        assert f"schema {SCHEMA_VERSION + 1}" in store.notice
        assert len(store) == 0
    assert (tmp_path / "answers.sqlite.set-aside-1").exists()


def test_damage_within_is_no_crash(tmp_path: Path) -> None:
    """A page overwritten in the middle costs answers, not the run, and is said."""
    path = tmp_path / "answers.sqlite"
    with AnswerStore(path) as store:
        for number in range(2000):
            store.put(f"{number:064}", WHO, FULL)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 8)
        file.write(b"\xff" * (size * 3 // 4))
    with AnswerStore(path) as store:
        found = [store.get(f"{number:064}") for number in range(2000)]
        assert None in found
        assert store.notice is not None


@pytest.mark.parametrize("row", ["not json", "{}", "[]", '{"text": 1}'])
def test_a_row_that_is_no_answer_is_asked_anew(tmp_path: Path, row: str) -> None:
    """It counts as unknown, and the notice says so."""
    path = tmp_path / "a"
    with AnswerStore(path) as store:
        store._connection.execute("INSERT INTO answers VALUES ('d', 'm', 0, ?)", (row,))
        assert store.get("d") is None
        assert store.notice is not None


@pytest.mark.parametrize("blocked", ["parent is a file", "path is a folder"])
def test_a_place_that_cannot_be_used_means_memory(tmp_path: Path, blocked: str) -> None:
    """The store works for this run, and the notice names the remedy."""
    path = tmp_path / "x" / "answers.sqlite"
    if blocked == "parent is a file":
        (tmp_path / "x").write_text("a file")
    else:
        path.mkdir(parents=True)
    with AnswerStore(path) as store:
        assert store.notice is not None
        assert "in memory only" in store.notice
        assert "--llmclf-home" in store.notice
        store.put("d", WHO, FULL)
        assert store.get("d") == FULL


def test_a_store_that_cannot_be_written_costs_no_answer(tmp_path: Path) -> None:
    """`put` and `agree` go on without it, and the notice says that answers are not kept."""
    with AnswerStore(tmp_path / "a") as store:
        store.put("old", WHO, FULL)
        store._connection.execute("PRAGMA query_only = ON")
        store.put("new", WHO, FULL)
        assert store.notice is not None
        assert "not being kept" in store.notice
        assert store.get("old") == FULL
        assert store.agree("run", "model", "mine", "because") == ("mine", "because")
        store.forget_run("run")


def test_a_choice_is_settled_once_a_run(tmp_path: Path) -> None:
    """Whoever asks first decides for its run, until the run is forgotten."""
    with AnswerStore(tmp_path / "a") as store:
        assert store.agree("run 1", "mnist", "ollama", "it is there") == ("ollama", "it is there")
        assert store.agree("run 1", "mnist", "micro", "gone") == ("ollama", "it is there")
        assert store.agree("run 1", "chess", "micro", "gone") == ("micro", "gone")
        assert store.agree("run 2", "mnist", "micro", "gone") == ("micro", "gone")
        store.forget_run("run 1")
        assert store.agree("run 1", "mnist", "micro", "gone") == ("micro", "gone")


def test_closing_twice_is_fine(tmp_path: Path) -> None:
    """A run may break off anywhere and still close what it has."""
    store = AnswerStore(tmp_path / "a")
    store.close()
    store.close()


def test_a_damaged_page_starts_a_new_file_for_the_next_run(tmp_path: Path) -> None:
    """The file is kept aside for people, and the store works again."""
    path = tmp_path / "answers.sqlite"
    with AnswerStore(path) as store:
        for number in range(400):
            store.put(f"{number:064}", WHO, FULL)
    data = bytearray(path.read_bytes())
    data[4096:-4096] = b"\x5a" * (len(data) - 8192)
    path.write_bytes(bytes(data))
    with AnswerStore(path) as store:
        assert [store.get(f"{number:064}") for number in range(400)].count(None) > 0
        assert store.notice is not None
        assert "is set aside at the end of this run" in store.notice
    assert [found.name for found in tmp_path.glob("*.set-aside-*")]
    with AnswerStore(path) as store:
        assert (len(store), store.notice) == (0, None)
