"""Every sentence that claims something is in the table, with a rule and a test that exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.unit.sentences import SENTENCES, Sentence

ROOT = Path(__file__).parents[2]
MODULES = (
    "analysis/comparison/baseline.py", "analysis/comparison/paired_comparison.py",
    "analysis/comparison/margin.py", "gates/sequential/verdict_lines.py", "gates/reading.py",
    "metrics/population.py", "reporting/calibration.py", "reporting/comparison.py",
    "reporting/diagnosis.py", "reporting/leaderboard.py", "reporting/probe_lines.py",
    "reporting/stability_lines.py",
    "reporting/html/page_data.py", "reporting/html/pair_data.py",
    "analysis/consistency.py", "metrics/wording.py",
)  # fmt: skip
"""What says how a comparison, a gate or a diagnosis came out."""
CLAIM = re.compile(
    r"\b(better|worse|significant\w*|excluded|shown to|is shown|is not shown|nothing stands out|"
    r"never the|would \w+|no net loss)\b",
    re.IGNORECASE,
)
UNSHOWN = re.compile(r"\bno (clear |significant )?(difference|effect|proof|evidence|sign|loss)\b")
"""How a thing that was not shown might be written as a "no"."""


@cache
def texts(module: str) -> tuple[str, ...]:
    """The texts in a module's code that are more than a word, without docstrings."""
    tree = ast.parse((ROOT / "pytest_llmclf" / module).read_text(encoding="utf-8"))
    joined = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    parts = {part for whole in joined for part in ast.walk(whole) if part is not whole}
    docs = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found = [
        "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)  # type: ignore[misc]
        for node in joined
    ]
    found += [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node not in docs
        and node not in parts
    ]
    return tuple(text for text in found if " " in text.strip())


@pytest.mark.parametrize("module", MODULES)
def test_a_claim_is_in_the_table(module: str) -> None:
    """With words of comparison, evidence or prediction, a text has a rule."""
    known = [one.words for one in SENTENCES if one.where == module]
    claims = [text for text in texts(module) if CLAIM.search(text)]
    unknown = [text for text in claims if not any(words in text for words in known)]
    assert unknown == []


@pytest.mark.parametrize("one", SENTENCES, ids=lambda one: one.words[:40])
def test_a_sentence_of_the_table_is_printed_and_tested(one: Sentence) -> None:
    """It stands where the table says, and so does its test."""
    assert any(one.words in text for text in texts(one.where))
    file, _, function = one.test.partition("::")
    source = (ROOT / "tests" / "unit" / file).read_text(encoding="utf-8")
    assert not function or f"def {function}(" in source


@pytest.mark.parametrize("module", MODULES)
def test_what_was_not_shown_is_not_called_no(module: str) -> None:
    """Of a count it may be said that there is no net loss; of chance never."""
    # What is assumed, and what copies are, is no finding.
    granted = ("it made no difference which", "are no independent evidence")
    found = [text for text in texts(module) if UNSHOWN.search(text.lower())]
    assert [text for text in found if not any(words in text for words in granted)] == []
