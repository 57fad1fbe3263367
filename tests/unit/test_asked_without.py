"""What a model was asked without is said of every run that uses such answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.runner.answer_cache import AnswerStore
from pytest_llmclf.runner.asked_without import without_sentence
from pytest_llmclf.values.answer import Answer
from tests.unit.scripted import Scripted, engine, jobs, kinds, task

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_llmclf.values.request import Request


class Particular(Scripted):
    """Answers without what its server refuses."""

    def ask(self, request: Request) -> Answer:
        """As scripted."""
        super().ask(request)
        return Answer(text="cat", asked_without=("seed", "top_k"))


def test_it_is_said_of_answers_and_of_known_answers(tmp_path: Path) -> None:
    """The second run asks nobody: the same questions have the same digests."""
    assigned, backend = task(tmp_path, 3), Particular()
    with AnswerStore(tmp_path / "answers.sqlite") as store:
        for _ in range(2):
            running = engine(backend, store=store)
            assert running.notices(assigned) == ()
            assert kinds(running, jobs(assigned)) == ["correct"] * 3
            told = running.notices(assigned)
            assert [sentence.partition(",")[0] for sentence in told] == [
                "openai:a was asked without seed",
                "openai:a was asked without top_k",
            ]
            assert running.notices() == told
            running.close()
    assert len(backend.asked) == 3


@pytest.mark.parametrize("word", ["temperature", "seed", "top_logprobs", "num_predict", "top_k"])
def test_a_sentence_says_what_comes_of_it(word: str) -> None:
    """In the word that the user wrote."""
    sentence = without_sentence("openai:m", word)
    assert sentence.startswith(f"openai:m was asked without {word}, which its server refuses: ")
    assert len(sentence) > 80
