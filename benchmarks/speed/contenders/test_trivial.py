"""Plain pytest without a question: what the same number of tests costs by itself."""

import csv
from pathlib import Path

import pytest

with Path("cases.csv").open(encoding="utf-8", newline="") as file:
    CASES = [(row["path"], row["label"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize(("path", "label"), CASES)
def test_image(path, label):
    """It has a label."""
    assert path
    assert label
