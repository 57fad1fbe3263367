"""Room for tokens: what was cut is not judged, and limits that are too low are told early."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf import errors
from pytest_llmclf.models.http import http_errors
from pytest_llmclf.models.spec import parse_spec
from pytest_llmclf.prompting.modelfile import parse
from pytest_llmclf.runner.answer_cache import AnswerStore
from pytest_llmclf.runner.headroom import FIRST, doubtful_room, enough, question_tokens
from pytest_llmclf.values.answer import Answer
from tests.unit.scripted import QUICK, Scripted, engine, jobs, kinds, task

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_llmclf.runner.task import Task
    from pytest_llmclf.values.request import Request

PLAIN = Answer(text="cat", prompt_tokens=600, answer_tokens=2)
CUT = replace(PLAIN, text="The image shows", finish="length", answer_tokens=24)
THINKS = replace(CUT, text="", thinking="Is it a cat?")


class Counting(Scripted):
    """Gives prepared answers, the last one again and again."""

    def __init__(self, *answers: Answer) -> None:
        super().__init__()
        self._answers = list(answers)

    def ask(self, request: Request) -> Answer:
        """As prepared."""
        super().ask(request)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def told(folder: Path, *options: str) -> Task:
    """Eight images and a Modelfile with these options."""
    text = "".join(f"PARAMETER {option}\n" for option in options)
    spec = parse_spec("micro-llava")
    return replace(task(folder, 8), modelfile=parse(f"FROM llava\n{text}", "m"), spec=spec)


def noticed(assigned: Task, *answers: Answer, known: Any = None) -> tuple[str, ...]:
    """What a run says of its model in the end."""
    running = engine(Counting(*answers), store=known)
    kinds(running, jobs(assigned))
    try:
        return running.notices(assigned)
    finally:
        running.close()


@pytest.mark.parametrize(
    ("options", "answers", "words"),
    [
        (["num_predict 24"], [CUT], ["first 5 answers all ended at num_predict 24: raise"]),
        ([], [CUT], ["first 5 answers all ended at the token limit"]),
        (["num_predict 24"], [THINKS], ["while it still thought: turn thinking off", "unasked"]),
        (["num_predict 24"], [*[CUT] * (FIRST - 1), PLAIN], []),
        (["num_predict 24"], [PLAIN, CUT], []),
        (
            ["num_ctx 610", "num_predict 24"],
            [PLAIN],
            ["takes 600 tokens", "leaves 10 for an answer", "num_ctx 1024 has room"],
        ),
        (["num_ctx 1024", "num_predict 24"], [PLAIN], []),
        (["num_ctx 610", "num_predict -1"], [PLAIN], []),
        (["num_ctx 610", "num_predict 24"], [replace(PLAIN, prompt_tokens=None)], []),
    ],
)
def test_what_the_first_answers_show_is_told(
    tmp_path: Path, options: list[str], answers: list[Answer], words: list[str]
) -> None:
    """Once, with numbers and the remedy; and nothing where all is well."""
    sentences = noticed(told(tmp_path, *options), *answers)
    text = " ".join(sentences).replace("though no thinking was wished", "unasked")
    assert all(word in text for word in words)
    assert bool(sentences) == bool(words)


def test_ollama_gives_no_less_than_it_always_gives(tmp_path: Path) -> None:
    """Asked for 610 or 600 tokens it has 2048: nothing is short, and nothing was cut."""
    for asked, read in ((610, 600), (600, 600)):
        assigned = replace(told(tmp_path, f"num_ctx {asked}"), spec=parse_spec("ollama:a"))
        answer = replace(PLAIN, prompt_tokens=read)
        running = engine(Counting(answer))
        assert set(kinds(running, jobs(assigned))) == {"correct"}
        assert running.notices(assigned) == ()
        running.close()
    whole = replace(PLAIN, prompt_tokens=2048)
    running = engine(Counting(whole))
    assert set(kinds(running, jobs(assigned))) == {"error"}
    running.close()


def test_it_is_told_of_known_answers_too(tmp_path: Path) -> None:
    """A run that asks nobody says the same."""
    assigned = told(tmp_path, "num_predict 24")
    with AnswerStore(tmp_path / "answers.sqlite") as store:
        first = noticed(assigned, CUT, known=store)
        assert first == noticed(assigned, PLAIN, known=store) != ()


def test_a_question_that_was_cut_is_not_judged(tmp_path: Path) -> None:
    """Its answer is to another question; it is not kept, and asking on is no use."""
    assigned = told(tmp_path, "num_ctx 600", "num_predict 24")
    backend = Counting(PLAIN)
    with AnswerStore(tmp_path / "answers.sqlite") as store:
        running = engine(backend, store=store)
        outcomes = [running.outcome(job) for job in jobs(assigned)]
        running.close()
        assert {(one.kind, one.reason) for one in outcomes} == {("error", "context-too-small")}
        assert all("PARAMETER num_ctx 2048" in one.message for one in outcomes)
        assert len(backend.asked) == QUICK.give_up_after
        # With room for it, the same images are asked about anew.
        wider = told(tmp_path, "num_ctx 2048", "num_predict 24")
        running = engine(backend, store=store)
        assert set(kinds(running, jobs(wider))) == {"correct"}
        running.close()


def test_a_context_that_no_request_carries_cuts_nothing(tmp_path: Path) -> None:
    """A server of OpenAI's protocol has the context that it was started with."""
    spec = parse_spec("openai:a@http://127.0.0.1:1/v1")
    for size in (600, 100):
        assigned = replace(told(tmp_path, f"num_ctx {size}", "num_predict 24"), spec=spec)
        running = engine(Counting(PLAIN))
        assert set(kinds(running, jobs(assigned))) == {"correct"}
        assert running.notices(assigned) == ()
        running.close()


def test_images_that_are_all_too_large_are_not_all_asked_about(tmp_path: Path) -> None:
    """After the first three; one answer before shows that smaller ones fit."""
    too_long: Any = [errors.ContextTooSmall("too long", remedy="raise num_ctx")]
    for first, asked in (("cat", 8), (None, 3)):
        backend = Scripted()
        backend.script = {number: list(too_long) for number in range(1, 9)}
        if first:
            backend.script[1] = [first]
        running = engine(backend)
        ended = kinds(running, jobs(task(tmp_path, 8)))
        running.close()
        assert len(backend.asked) == asked
        assert ended.count("error") == (7 if first else 8)


_LIMIT = "This model's maximum context length is 4096 tokens. However, "


@pytest.mark.parametrize(
    ("said", "context"),
    [
        ("request (3026 tokens) exceeds the available context size (2048 tokens)", 4096),
        (f"{_LIMIT}your messages resulted in 12000 tokens.", 12288),
        (f"{_LIMIT}you requested 9999 tokens (9000 in the messages).", 11264),
        ("input length exceeds context", 8192),
    ],
)
def test_the_remedy_names_a_context_that_fits(said: str, context: int) -> None:
    """From the server's own count, where it tells one."""
    error = http_errors.from_status(400, {"error": {"message": said}}, where="it", model="m")
    assert isinstance(error, errors.ContextTooSmall)
    assert f"num_ctx {context} " in error.remedy


def test_a_long_label_list_is_told_before_the_first_question() -> None:
    """Only where num_ctx is set, with the estimate and a context that is large enough."""
    labels = [f"- label number {number}\n" for number in range(1000)]
    assert doubtful_room(labels, None) is None
    assert doubtful_room(labels, 32_768) is None
    told = doubtful_room(labels, 4096)
    assert told is not None
    assert "does not fit into num_ctx 4096" in told
    least, most = question_tokens(labels)
    assert f"{least} to {most} tokens" in told
    assert doubtful_room(labels, enough(most)) is None
    told = doubtful_room(labels, 4096, examples=1)
    assert told is not None
    assert told.startswith("the question with 1 example, without images, is ")
    told = doubtful_room(labels[:500], 4096)
    assert told is not None
    assert "may not fit" in told
