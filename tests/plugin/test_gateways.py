"""A whole run against servers that refuse, break off, or call themselves what they should not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.runner.answer_cache import AnswerStore
from tests.fuzz.raw_server import RawServer, http

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.plugin.conftest import Colours

LIST = http(b'{"data": [{"id": "colours"}]}')
RED = {"message": {"role": "assistant", "content": "red"}, "finish_reason": "stop"}
BROKEN = {"choices": [{**RED, "error": {"message": "upstream idle", "code": 502}}]}
SOUND = {"choices": [RED], "usage": {"completion_tokens": 1}}
HOSTILE = "m\n::error title=x::y\n\x1b[31m\u202e"


@pytest.fixture
def gateway() -> Iterator[RawServer]:
    """A server that knows one model."""
    with RawServer() as running:
        running.otherwise = LIST
        yield running


def answers(body: object, status: int = 200) -> bytes:
    """A chat's answer."""
    return http(json.dumps(body).encode(), status)


def test_an_error_beside_an_answer_is_asked_again_and_never_stored(
    colours: Colours, gateway: RawServer
) -> None:
    """The first attempt of a question breaks, the second is the answer."""
    colours.images(each=1)
    replies = [answers(BROKEN), answers(SOUND)]
    gateway.replies = {"/chat/completions": [*replies * 9, answers(SOUND)]}
    spec = f"openai:colours@http://127.0.0.1:{gateway.port}/v1"
    colours.run("--llmclf-in-flight", "1", model=spec)
    assert colours.ledger()["collected"] == 9
    assert "error" not in colours.ledger()
    with AnswerStore(colours.root / ".llmclf" / "answers.sqlite") as store:
        assert len(store) == 9


def test_one_that_stays_broken_leaves_nothing(colours: Colours, gateway: RawServer) -> None:
    """No answer, INCONCLUSIVE, an empty store: a sound server is asked about everything."""
    gateway.replies = {"/chat/completions": answers(BROKEN)}
    spec = f"openai:colours@http://127.0.0.1:{gateway.port}/v1"
    result = colours.run("--llmclf-attempts", "1", model=spec)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert colours.ledger() == {"collected": 9, "error": 9}
    assert {gate["word"] for gate in colours.summary()["gates"]} == {"INCONCLUSIVE"}
    with AnswerStore(colours.root / ".llmclf" / "answers.sqlite") as store:
        assert len(store) == 0


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (400, {"error": {"message": "m does not support image input"}}, "choose a model with"),
        (401, {"error": {"message": "who?"}}, "needs a key"),
    ],
)
def test_what_no_image_can_change_is_asked_once(
    colours: Colours, gateway: RawServer, status: int, body: object, says: str
) -> None:
    """A model without sight, and a door that is shut: no thousand requests come to the same."""
    colours.images(each=40)
    gateway.replies = {"/chat/completions": answers(body, status)}
    spec = f"openai:colours@http://127.0.0.1:{gateway.port}/v1"
    result = colours.run("--llmclf-in-flight", "4", model=spec)
    asked = [line for line in gateway.arrived if b"/chat/completions" in line]
    assert len(asked) <= 4
    assert colours.ledger() == {"collected": 120, "error": 120}
    assert says in result.stdout.str()


@pytest.mark.parametrize("model", ["auto", "ollama:llava"])
def test_an_ollama_behind_a_shut_door_is_told_as_such(
    colours: Colours, gateway: RawServer, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    """It is there, and wants a password or key: no other model is judged in its place."""
    page = b"<html><head><title>401 Authorization Required</title></head></html>"
    gateway.otherwise = http(page, 401)
    monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{gateway.port}")
    result = colours.run(model=model)
    said = " ".join(result.stdout.str().split()) + result.stderr.str()
    assert result.ret != pytest.ExitCode.OK
    assert "needs a user and password or key" in said
    assert "ollama serve" not in said
    assert "micro-llava" not in said


def test_a_recording_cannot_speak_to_the_runner(
    colours: Colours, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its model's name is shown on one line, in the header, the report and the annotations."""
    colours.run("--llmclf-record", "r.jsonl")
    path = colours.root / "r.jsonl"
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    for line in lines:
        if line["type"] == "model":
            line["identity"]["name"] = HOSTILE
            line["identity"]["server"] = HOSTILE
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    colours.evaluation("accuracy >= 0.999999 with 99% confidence")
    for name in ("", "#another"):
        result = colours.run("--color=no", model=f"replay:{path}{name}")
        text = result.stdout.str() + result.stderr.str()
        assert "\x1b" not in text
        assert "\u202e" not in text
        starts = [line.lstrip() for line in text.splitlines()]
        assert not [line for line in starts if line.startswith("::error title=x")]
