"""A store of an earlier version is mended when opened: no password, no error for an answer."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.models.endpoint_key import way_to
from pytest_llmclf.models.spec import parse_spec
from pytest_llmclf.prompting.modelfile import parse
from pytest_llmclf.runner.answer_cache import AnswerStore
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.request import ModelIdentity

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "pass-word-7Q"  # noqa: S105 - made up
HOSTS = f"http://me:{PASSWORD}@gpu1:11434,http://gpu2"
MODELFILE = parse("FROM llava\n", "m")
WHO = ModelIdentity(backend="ollama", name="llava", digest="abc")


def unmended(path: Path) -> None:
    """Make a store look as one that this version never opened."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA application_id = 0")
    connection.close()


@pytest.mark.parametrize("hosts", ["environment", "given"])
def test_no_password_is_in_a_new_one(
    tmp_path: Path, hosts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does a changed password make another endpoint."""
    monkeypatch.setenv("OLLAMA_HOST", HOSTS if hosts == "environment" else "")
    given = tuple(HOSTS.split(",")) if hosts == "given" else ()
    endpoint_key = way_to(parse_spec("ollama:llava"), MODELFILE, given)
    assert endpoint_key is not None
    with AnswerStore(tmp_path / "a.sqlite") as store:
        store.remember(endpoint_key, WHO)
    assert PASSWORD.encode() not in b"".join(p.read_bytes() for p in tmp_path.iterdir())
    other = tuple(HOSTS.replace(PASSWORD, "another").split(","))
    assert way_to(parse_spec("ollama:llava"), MODELFILE, other) == endpoint_key


def test_old_rows_are_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The password is in no byte of the file or its journal, and who answered is still known."""
    path = tmp_path / "a.sqlite"
    old = json.dumps(["ollama:llava", MODELFILE.digest(), HOSTS])
    with AnswerStore(path) as store:
        for number in range(200):
            store.remember(json.dumps(["ollama:x", str(number), HOSTS]), WHO)
        store.remember(old, WHO)
    unmended(path)
    assert PASSWORD.encode() in path.read_bytes()
    monkeypatch.setenv("OLLAMA_HOST", HOSTS)
    endpoint_key = way_to(parse_spec("ollama:llava"), MODELFILE)
    with AnswerStore(path) as store:
        found = store.remembered(endpoint_key or "")
        assert found is not None
        assert found[0] == WHO
        assert PASSWORD.encode() not in b"".join(p.read_bytes() for p in tmp_path.iterdir())


def test_what_may_be_an_error_is_forgotten(tmp_path: Path) -> None:
    """Sound answers stay: those with a count of tokens and a reason, or of other backends."""
    path = tmp_path / "a.sqlite"
    gateway = ModelIdentity(backend="openai", name="m", digest="d")
    kept = {
        "counted": (gateway, Answer(text="green", answer_tokens=2)),
        "cut": (gateway, Answer(text="green", finish="length", answer_tokens=2)),
        "ollama": (WHO, Answer(text="7")),
        "replaced": (WHO, Answer(text="7", finish="other", answer_tokens=3)),
    }
    gone = {
        "beside the choices": (gateway, Answer(text="green")),
        "within the choice": (gateway, Answer(text="green", finish="other", answer_tokens=1)),
        "empty": (gateway, Answer(text="", finish="other")),
        "broken off": (WHO, Answer(text="7", finish="other")),
    }
    with AnswerStore(path) as store:
        for digest, (who, answer) in {**kept, **gone}.items():
            store.put(digest, who, answer)
    unmended(path)
    with AnswerStore(path) as store:
        assert {digest for digest in kept if store.get(digest)} == set(kept)
        assert {digest for digest in gone if store.get(digest)} == set()
        store.put("empty", *gone["empty"])
    with AnswerStore(path) as store:  # what this version wrote is sound, and it is done once
        assert store.get("empty") is not None
