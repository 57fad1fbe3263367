"""Probabilities of labels from the embedded model behind a real `llama-server`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf import errors
from pytest_llmclf.models.connect import Connections
from pytest_llmclf.models.llamacpp.llama_binary import find_llama_server
from pytest_llmclf.models.llamacpp.llamacpp import embedded_pair
from pytest_llmclf.models.reach import ConnectSettings
from pytest_llmclf.models.spec import parse_spec
from pytest_llmclf.prompting.label_probabilities import class_probabilities
from pytest_llmclf.prompting.labels import LabelSet
from pytest_llmclf.prompting.modelfile import parse
from pytest_llmclf.prompting.prompt import answer_schema, compose
from pytest_llmclf.values.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmclf.models.base import Backend
    from pytest_llmclf.prompting.label_probabilities import ClassProbabilities
    from pytest_llmclf.prompting.prompt import AnswerMode

try:
    PROGRAM = find_llama_server()
    embedded_pair()
except errors.BackendError as missing:
    pytest.skip(str(missing), allow_module_level=True)

FIXTURES = Path(__file__).parents[2] / "fixtures"
MODELFILE = parse("FROM llava\nPARAMETER temperature 0\nPARAMETER num_predict 24\n", "e2e")


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    """The embedded model, one server for the module."""
    connections = Connections(ConnectSettings(timeout_s=60, llama_server=str(PROGRAM)))
    yield connections.connect(parse_spec("micro-llava"), MODELFILE)
    connections.close()


def asked(
    backend: Backend, dataset: str, question: str, mode: AnswerMode
) -> list[tuple[str, ClassProbabilities]]:
    """What was expected and how sure the answer was, for one image a class."""
    folders = sorted(path for path in (FIXTURES / dataset).iterdir() if path.is_dir())
    labels = LabelSet.of(folder.name for folder in folders)
    found = []
    for folder in folders:
        request = Request(
            system=None,
            prompt=compose(question, labels, mode),
            image=min(folder.glob("*.png")).read_bytes(),
            media_type="image/png",
            options=MODELFILE.options(),
            answer_schema=answer_schema(labels, mode),
            top_logprobs=20,
        )
        sure = class_probabilities(backend.ask(request), labels)
        assert sure is not None, folder.name
        found.append((folder.name, sure))
    return found


@pytest.mark.parametrize("mode", ["text", "enum"])
@pytest.mark.parametrize(
    ("dataset", "question"),
    [
        ("mnist", "Which digit is in this picture?"),
        ("chess", "Which chess piece is in this picture?"),
    ],
)
def test_answers_have_probabilities(
    backend: Backend, dataset: str, question: str, mode: AnswerMode
) -> None:
    """They add up to 1; at temperature 0 the label named is the most probable one."""
    for _, sure in asked(backend, dataset, question, mode):
        assert math.isclose(sum(sure.probabilities.values()), 1)
        assert sure.confidence == max(sure.probabilities.values())
        assert sure.label_mass > 0.5
        assert sure.unseen_mass < 0.01


def test_a_good_model_is_sure_where_it_is_right(backend: Backend) -> None:
    """Digits: nearly all right, and more belief in what they are than in all other labels."""
    found = asked(backend, "mnist", "Which digit is in this picture?", "text")
    assert sum(expected == sure.label for expected, sure in found) >= 9
    assert sum(sure.probabilities[expected] for expected, sure in found) > 8
