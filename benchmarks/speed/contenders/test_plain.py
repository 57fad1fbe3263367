"""Plain pytest: a test an image, the official client, one question at a time."""

import csv
import os
from pathlib import Path

import ollama
import pytest

PROMPT = Path("prompt.txt").read_text("utf-8")
with Path("cases.csv").open(encoding="utf-8", newline="") as file:
    CASES = [(row["path"], row["label"]) for row in csv.DictReader(file)]
RIGHT = []


@pytest.fixture(scope="session")
def client():
    """One client for all tests."""
    return ollama.Client(host=os.environ["OLLAMA_HOST"])


@pytest.mark.parametrize(("path", "label"), CASES)
def test_image(client, path, label):
    """The model says one of the labels."""
    message = {"role": "user", "content": PROMPT, "images": [Path(path).read_bytes()]}
    answer = client.chat("llava:7b", [message], options={"temperature": 0})
    RIGHT.append(answer.message.content == label)
    assert answer.message.content in "0123456789"
