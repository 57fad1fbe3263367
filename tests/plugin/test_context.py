"""A context that is too small is told before the rest is asked, on every kind of server."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf.errors import BackendError
from pytest_llmclf.models.llamacpp.llama_binary import find_llama_server
from tests.ollama_replay import OllamaReplay
from tests.plugin.colour_server import Odd

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours

FEW = 3
"""So many images show that none will be answered."""


def modelfile(colours: Colours, context: int) -> None:
    """A Modelfile with this context."""
    path = colours.root / "modelfiles" / "colours.Modelfile"
    path.write_text(f"FROM micro-llava\nPARAMETER num_ctx {context}\nPARAMETER num_predict 8\n")


def refused(colours: Colours, model: str | None = None) -> str:
    """What a run prints whose questions do not fit; no image is judged, and no gate is green."""
    result = colours.run("--llmclf-in-flight=1", model=model)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert colours.ledger() == {"collected": 9, "error": 9}
    assert {gate["word"] for gate in colours.summary()["gates"]} == {"INCONCLUSIVE"}
    said = " ".join(result.stdout.str().split())
    assert "context-too-small" in said
    return said


def test_ollama_that_cuts_without_a_word(colours: Colours, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts of the first answers tell; with room for it the same digests are asked as ever."""
    read = 4096

    def talk(_: dict[str, Any]) -> tuple[int, Any]:
        message = {"role": "assistant", "content": "red"}
        counts = {"prompt_eval_count": read, "eval_count": 1}
        return 200, {"model": "m", "message": message, "done": True, "done_reason": "stop"} | counts

    with OllamaReplay(models=("micro-llava",)) as server:
        server.talk = talk
        monkeypatch.setenv("OLLAMA_HOST", server.address.netloc)
        modelfile(colours, read)
        said = refused(colours, model="ollama:micro-llava")
        assert "PARAMETER num_ctx 8192" in said
        assert len(server.sent("/api/chat")) == FEW
        modelfile(colours, 8192)
        colours.run(model="ollama:micro-llava")
        assert colours.ledger() == {"collected": 9, "correct": 3, "misclassified": 6}
        assert len(server.sent("/api/chat")) == FEW + 9
        # What fits is the same request, however much room there was for it.
        digests = {one["request_digest"] for one in outcomes(colours)}
        colours.run(model="ollama:micro-llava")
        assert {one["request_digest"] for one in outcomes(colours)} == digests


def outcomes(colours: Colours) -> list[dict[str, Any]]:
    """Those of the last run."""
    lines = (colours.root / "run" / "outcomes.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_a_server_of_openais_protocol_that_refuses(colours: Colours) -> None:
    """The remedy is the server's own, since no request carries a context."""
    modelfile(colours, 8192)
    words = "This model's maximum context length is 64 tokens. However, you requested 92 tokens"
    colours.server.odd = {"*": Odd(status=400, says=words)}
    said = refused(colours)
    assert "--max-model-len" in said
    assert "PARAMETER num_ctx" not in said
    assert colours.server.questions == FEW


def test_a_server_of_openais_protocol_with_more_than_the_modelfile_says(colours: Colours) -> None:
    """It was started with a context of its own, and nothing is refused or said."""
    modelfile(colours, 16)
    result = colours.run()
    assert result.ret == pytest.ExitCode.OK
    assert colours.ledger() == {"collected": 9, "correct": 9}
    assert "num_ctx" not in result.stdout.str()


def test_llama_server_with_a_small_context(colours: Colours) -> None:
    """The real one, with the embedded model: it refuses, and the remedy has room."""
    try:
        find_llama_server()
    except BackendError as missing:
        pytest.skip(str(missing))
    folder = colours.root / "fixtures" / "colours"
    for old, new in (("red", "0"), ("green", "1"), ("blue", "7")):
        (folder / old).rename(folder / new)
    path = colours.root / "test_colours.py"
    long = "Look at it well. " * 100
    path.write_text(path.read_text("utf-8").replace("Which colour is this?", f"{long}Which?"))
    modelfile(colours, 32)
    said = refused(colours, model="micro-llava")
    remedy = re.search(r"PARAMETER num_ctx (\d+)", said)
    assert remedy is not None
    modelfile(colours, int(remedy[1]))
    colours.run(model="micro-llava")
    assert "error" not in colours.ledger()
