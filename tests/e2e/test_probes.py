"""The embedded model probed: as it is, and with a bias that was put in by hand."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.swayed import SwayedServer
from pytest_llmclf.errors import RuntimeMissing
from pytest_llmclf.models.connect import MICRO, Connections
from pytest_llmclf.models.llamacpp.llama_binary import find_llama_server
from pytest_llmclf.models.reach import ConnectSettings
from pytest_llmclf.prompting.modelfile import parse
from tests.imported import load_everything

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
EVALUATION = f"""
from pytest_llmclf import Evaluation

animals = Evaluation(
    name="animals", dataset={str(ROOT / "fixtures" / "animals")!r},
    system="Answer with one word, for example: cat.", prompt="Which animal is this?",
)

@animals.images
def test_image(outcome):
    outcome.check()
"""


def _why_not() -> str | None:
    try:
        find_llama_server()
    except RuntimeMissing as error:
        return str(error)
    return None


load_everything()
_REASON = _why_not()
pytestmark = pytest.mark.skipif(_REASON is not None, reason=_REASON or "")


@pytest.fixture
def swayed() -> Iterator[SwayedServer]:
    """Half of all images get the example of the instructions."""
    connections = Connections(ConnectSettings())
    backend = connections.connect(MICRO, parse("FROM llava\n", "swayed"))
    server = SwayedServer(0, backend, 0.5)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
    connections.close()


def test_a_bias_is_found_where_there_is_one_and_not_elsewhere(
    pytester: pytest.Pytester, swayed: SwayedServer
) -> None:
    """The same question to both, on 20 images: one command each."""
    pytester.makepyfile(EVALUATION)
    found: dict[str, Any] = {}
    for model in (swayed.spec, "micro-llava"):
        pytester.runpytest_inprocess(
            "--llmclf-probe=example", "--llmclf-sample=2", "--llmclf-run=run", "--llmclf-no-images",
            f"--llmclf-model={model}", "-q",
        )  # fmt: skip
        told = json.loads((pytester.path / "run" / "run.json").read_text("utf-8"))
        (report,) = told["reports"]
        (found[model],) = (one for one in report["diagnosis"] if one["kind"] == "example-probe")
    assert found[swayed.spec]["p_value"] < 0.01
    assert found[swayed.spec]["before"] > found[swayed.spec]["after"] + 3
    assert found["micro-llava"]["p_value"] > 0.05
