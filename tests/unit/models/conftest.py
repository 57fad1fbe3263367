"""What the tests of the backends share."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf.models.ollama.ollama_backend import OllamaBackend
from tests.ollama_replay import OllamaReplay, exchange
from tests.unit.models.ollama_models import MICRO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmclf.prompting.modelfile import Modelfile
    from tests.unit.models.ollama_models import Connect


@pytest.fixture
def server() -> Iterator[OllamaReplay]:
    """A running server with the recorded answers."""
    with OllamaReplay() as replay:
        yield replay
        assert replay.unmatched == [], "no recording of these requests"


@pytest.fixture
def connect_ollama(server: OllamaReplay) -> Iterator[Connect]:
    """Make backends of the server that are closed at the end."""
    made: list[OllamaBackend] = []

    def make(modelfile: Modelfile = MICRO, **settings: Any) -> OllamaBackend:
        settings = {"address": server.address, "timeout_s": 2.0, **settings}
        made.append(OllamaBackend(modelfile=modelfile, **settings))
        return made[-1]

    yield make
    for backend in made:
        backend.close()


@pytest.fixture
def image() -> bytes:
    """The image of the recorded chats."""
    data: str = exchange("105").sent["messages"][0]["images"][0]
    return base64.b64decode(data)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own servers and keys out of the tests."""
    for name in (
        "OLLAMA_HOST", "OLLAMA_API_KEY", "OLLAMA_NUM_PARALLEL", "OPENAI_API_KEY",
        "LLMCLF_OPENAI_API_KEY", "LLMCLF_LLAMA_SERVER",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
