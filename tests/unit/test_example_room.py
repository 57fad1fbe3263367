"""Room for example images: counted by the server itself, before the first image is asked."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from pytest_llmclf.data.image import ImageLimits
from pytest_llmclf.errors import ContextTooSmall
from pytest_llmclf.models.spec import parse_spec
from pytest_llmclf.prompting.modelfile import parse
from pytest_llmclf.runner.answer_cache import AnswerStore
from pytest_llmclf.runner.examples import as_shown
from tests.unit.scripted import Scripted, engine, jobs, kinds, number_of, task

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_llmclf.runner.task import Task
    from pytest_llmclf.values.answer import Answer
    from pytest_llmclf.values.request import Request

TEXT = 50
"""Tokens of a question's text; an image is one a pixel of its width."""


class Server(Scripted):
    """Counts tokens, and has a context.

    Attributes:
        requests: All that it was asked.
    """

    def __init__(
        self, context: int, *, drops: bool = False, counts: bool = True, tells: bool = False
    ) -> None:
        super().__init__(in_flight=4)
        self._context = context
        self._drops = drops
        self._counts = counts
        self._tells = tells
        self.requests: list[Request] = []

    def ask(self, request: Request) -> Answer:
        """Refuse what does not fit, or drop the earliest turns without a word."""
        self.requests.append(request)
        widths = [_width(example.image) for example in request.example_images]
        widths.append(number_of(request))
        while self._drops and len(widths) > 1 and _tokens(widths) > self._context:
            del widths[0]
        if _tokens(widths) > self._context:
            error = ContextTooSmall("too long")
            error.context = self._context if self._tells else None
            raise error
        found = super().ask(request)
        return replace(found, prompt_tokens=_tokens(widths) if self._counts else None)


def _tokens(widths: list[int]) -> int:
    # A label is a token or three.
    return 20 + sum(TEXT + width for width in widths) + 3 * (len(widths) - 1)


def _width(data: bytes) -> int:
    with Image.open(io.BytesIO(data)) as image:
        return image.width


def showing(folder: Path, *numbers: int, context: int | None = None, spec: str = "") -> Task:
    """Eight images, of which the last ones are asked about and these are shown."""
    whole = task(folder, 8)
    cases = whole.dataset.cases
    shown = as_shown([cases[number - 1] for number in numbers], "text", ImageLimits())
    asked = replace(whole.dataset, cases=cases[5:])
    option = f"PARAMETER num_ctx {context}\nPARAMETER num_predict 24\n" if context else ""
    return replace(
        whole,
        dataset=asked,
        examples=shown,
        modelfile=parse(f"FROM llava\n{option}", "m"),
        spec=parse_spec(spec or "micro-llava"),
    )


def run(assigned: Task, server: Server, store: AnswerStore | None = None) -> dict[str, Any]:
    """What became of the images, what was said, and what was asked of them."""
    running = engine(server, store=store)
    try:
        outcomes = [running.outcome(job) for job in jobs(assigned)]
        return {
            "kinds": [one.kind for one in outcomes],
            "messages": {one.message for one in outcomes},
            "notices": running.notices(assigned),
        }
    finally:
        running.close()


def test_what_fits_is_told_with_what_it_takes(tmp_path: Path) -> None:
    """Three questions of one token first, then the images; all of them the server's own counts."""
    server = Server(1000)
    found = run(showing(tmp_path, 3, 3), server)
    assert found["kinds"] == ["correct"] * 3
    assert found["notices"] == (
        "openai:a: by its own count a question takes 185 tokens with 2 example images, 73 without",
    )
    first = server.requests[:3]
    assert [len(request.example_images) for request in first] == [2, 0, 1]
    assert {request.options["num_predict"] for request in first} == {1}
    assert {number_of(request) for request in first} == {3}
    assert {number_of(request) for request in server.requests[3:]} == {6, 7, 8}


@pytest.mark.parametrize("drops", [True, False])
def test_what_does_not_fit_is_refused_before_any_image(tmp_path: Path, drops: bool) -> None:  # noqa: FBT001
    """Whether the server says so or drops turns without a word; with a number that fits."""
    server = Server(200, drops=drops)
    found = run(showing(tmp_path, 3, 3, 3, 3, context=200), server)
    assert found["kinds"] == ["error"] * 3
    (message,) = found["messages"]
    what = "were dropped in part, not fitting" if drops else "do not fit"
    assert message == (
        f"4 example images {what} into the context of 200 tokens: by the server's own count a "
        "question takes 73 tokens, and they 224 (PARAMETER num_ctx 1024 in the Modelfile, if the "
        "model can, or show at most 2)"
    )
    assert {number_of(request) for request in server.requests} == {3}, "no image was asked about"
    # What the remedy says does work.
    assert (
        run(showing(tmp_path, 3, 3, context=200), Server(200, drops=drops))["kinds"]
        == ["correct"] * 3
    )


@pytest.mark.parametrize("asked", [4096, None])
def test_the_context_is_the_one_that_the_server_tells(tmp_path: Path, asked: int | None) -> None:
    """A model has no more than it was made with, whatever was asked for: more is no remedy then."""
    server = Server(200, tells=True)
    (message,) = run(showing(tmp_path, 3, 3, 3, 3, context=asked), server)["messages"]
    assert "do not fit into the context of 200 tokens" in message
    remedy = "take a model with a larger context" if asked else "PARAMETER num_ctx 1024"
    assert f"({remedy}" in message
    assert message.endswith("or show at most 2)")


@pytest.mark.parametrize("context", range(180, 420, 13))
def test_no_turn_is_dropped_unseen(tmp_path: Path, context: int) -> None:
    """Of images of several sizes too: whatever the context, a run is of all examples or of none."""
    server = Server(context, drops=True)
    found = run(showing(tmp_path, 1, 5, 3, 5), server)
    whole = _tokens([1, 5, 3, 5, 8])
    assert ("correct" in found["kinds"]) == (context >= _tokens([1, 5, 3, 5, 5]))
    assert context < whole or found["kinds"] == ["correct"] * 3
    assert "notices" in found


def test_a_server_that_does_not_count_is_told(tmp_path: Path) -> None:
    """Then nobody knows, and that is what is said."""
    found = run(showing(tmp_path, 3), Server(1000, counts=False))
    assert found["kinds"] == ["correct"] * 3
    (said,) = found["notices"]
    assert said == (
        "openai:a tells no number of tokens: whether its context has room for 1 example image is "
        "not known"
    )


def test_what_was_counted_is_not_asked_again(tmp_path: Path) -> None:
    """Neither in this run, nor in another one whose answers are known, which says the same."""
    server, assigned = Server(1000), showing(tmp_path, 3, 4)
    store = AnswerStore(tmp_path / "answers.sqlite")
    first = run(assigned, server, store)
    asked = len(server.requests)
    assert asked == 3 + 1 + 3, "a question more for the second size of image"
    again = AnswerStore(tmp_path / "answers.sqlite")
    assert run(assigned, server, again)["notices"] == first["notices"]
    assert len(server.requests) == asked
    store.close()
    again.close()


def test_a_server_that_was_started_is_not_told_of_a_modelfile(tmp_path: Path) -> None:
    """The remedy for a server of OpenAI's protocol is its own start."""
    assigned = showing(tmp_path, 3, 3, 3, context=200, spec="openai:a@http://127.0.0.1:1/v1")
    (message,) = run(assigned, Server(200))["messages"]
    assert "start the server with a context of 1024 tokens, or show fewer" in message
    assert "of 200 tokens" not in message


def test_without_examples_nothing_is_counted(tmp_path: Path) -> None:
    """A question more than there are images would be one too many."""
    server = Server(1000)
    running = engine(server)
    assert kinds(running, jobs(showing(tmp_path))) == ["correct"] * 3
    running.close()
    assert len(server.requests) == 3
