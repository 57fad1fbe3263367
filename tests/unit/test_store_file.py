"""The file of a store: read where it cannot be written."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.runner.answer_cache import AnswerStore
from pytest_llmclf.runner.answer_cache_file import for_reading
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.request import ModelIdentity

if TYPE_CHECKING:
    from pathlib import Path


def test_a_store_is_read_and_not_written(tmp_path: Path) -> None:
    """Every answer is there, and SQLite refuses a new one; odd characters in the path are fine."""
    path = tmp_path / "100% sure?" / "answers.sqlite"
    who = ModelIdentity(backend="ollama", name="llava", digest="abc")
    with AnswerStore(path) as store:
        store.put("d", who, Answer(text="cat"))
    with closing(for_reading(path)) as connection:
        assert connection.execute("SELECT digest FROM answers").fetchall() == [("d",)]
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("DELETE FROM answers")


@pytest.mark.parametrize("content", [None, b"this is no database" * 100])
def test_what_is_no_store_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    """A missing file is not made, and a strange one is left as it is."""
    path = tmp_path / "answers.sqlite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(sqlite3.Error):
        for_reading(path)
    assert (path.read_bytes() if path.exists() else None) == content
