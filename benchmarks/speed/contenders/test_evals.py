"""pytest-evals, as its README shows it: cases with a bag, then an analysis."""

import csv
import os
from pathlib import Path

import ollama
import pytest

PROMPT = Path("prompt.txt").read_text("utf-8")
with Path("cases.csv").open(encoding="utf-8", newline="") as file:
    CASES = list(csv.DictReader(file))


@pytest.fixture(scope="session")
def client():
    """One client for all tests."""
    return ollama.Client(host=os.environ["OLLAMA_HOST"])


@pytest.mark.eval(name="digits")
@pytest.mark.parametrize("case", CASES)
def test_image(case, eval_bag, client):
    """Keep what the model says."""
    images = [Path(case["path"]).read_bytes()]
    message = {"role": "user", "content": PROMPT, "images": images}
    answer = client.chat("llava:7b", [message], options={"temperature": 0})
    eval_bag.prediction = answer.message.content
    eval_bag.expected = case["label"]
    eval_bag.accuracy = eval_bag.prediction == eval_bag.expected


@pytest.mark.eval_analysis(name="digits")
def test_analysis(eval_results):
    """Good enough."""
    accuracy = sum(result.result.accuracy for result in eval_results) / len(eval_results)
    print(f"accuracy {accuracy:.3f} of {len(eval_results)}")
    assert accuracy >= 0.7
