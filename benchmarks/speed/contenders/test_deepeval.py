"""deepeval under pytest, as its documentation shows it: a test case an image, a metric."""

import csv
import os
from pathlib import Path

import ollama
import pytest
from deepeval import assert_test
from deepeval.metrics import ExactMatchMetric
from deepeval.test_case import LLMTestCase

PROMPT = Path("prompt.txt").read_text("utf-8")
with Path("cases.csv").open(encoding="utf-8", newline="") as file:
    CASES = [(row["path"], row["label"]) for row in csv.DictReader(file)]


@pytest.fixture(scope="session")
def client():
    """One client for all tests."""
    return ollama.Client(host=os.environ["OLLAMA_HOST"])


@pytest.mark.parametrize(("path", "label"), CASES)
def test_image(client, path, label):
    """The metric is kept; a wrong answer fails nothing, as with the others.

    The test case names the image: its metrics without a judge refuse `MLLMImage`.
    """
    message = {"role": "user", "content": PROMPT, "images": [Path(path).read_bytes()]}
    answer = client.chat("llava:7b", [message], options={"temperature": 0})
    case = LLMTestCase(
        input=f"{PROMPT}\n{path}",
        actual_output=answer.message.content,
        expected_output=label,
    )
    assert_test(case, [ExactMatchMetric(threshold=0)], run_async=False)
