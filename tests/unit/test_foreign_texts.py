"""Texts of others are searched in steps that grow with their length and no faster."""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pytest_llmclf
from pytest_llmclf import errors
from pytest_llmclf.models.http import http_errors
from pytest_llmclf.models.ollama import ollama_errors
from pytest_llmclf.prompting import label_text
from tests.regex_steps import Steps, pieces

MODULES = (
    "values.answer", "prompting.label_probabilities", "errors", "prompting.label_text",
    "prompting.modelfile", "prompting.modelfile_lexer", "models.http.redact",
    "models.llamacpp.llama_binary", "models.llamacpp.llama_server", "models.http.http_errors",
    "models.ollama.ollama_errors", "models.ollama.derive", "models.spec", "reporting.markdown_text",
    "analysis.comparison.predictions_file", "data.validation", "data.image_header",
    "cli.command", "reporting.diagnosis", "data.sources", "prompting.spellings",
    "runner.answer_cache", "runner.answer_cache_mend", "data.archives.member", "data.folders",
    "data.file_names", "data.entry", "data.exports", "values.thinking",
    "models.openai.openai_errors", "models.openai.refused_fields", "models.endpoint_key",
    "gates.expression", "models.http.tls", "models.query", "runner.variant_option",
    "reporting.style", "api",
)  # fmt: skip
"""Those whose patterns are put to what servers, models, recordings, manifests or archives say."""
BOUNDED = (
    "prompting.readers.strict", "prompting.readers.markup", "prompting.readers.other_languages",
)  # fmt: skip
"""Those whose own patterns repeat nothing without a bound."""
SHORT = {"data.file_names._NUMBERED"}
"""Put to names of files, which end after 255 signs."""
ROOT = Path(pytest_llmclf.__file__).parent
INLINE = {
    f"re.{name}" for name in ("search", "match", "fullmatch", "sub", "split", "findall", "finditer")
}
SMALL = 400
"""Signs of the shorter text; what is quadratic takes thousands of steps more for twice as many."""
SLACK = 1500


@cache
def patterns() -> dict[str, re.Pattern[str]]:
    """Every compiled pattern of those modules, and those of the tables of wordings."""
    found = {}
    for name in MODULES:
        module = import_module(f"pytest_llmclf.{name}")
        for attribute, value in vars(module).items():
            if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
                found[f"{name}.{attribute}"] = value
    for rule in (*ollama_errors.OLLAMA_RULES, *http_errors.RULES):
        found[f"rule {rule.pattern[:40]}"] = re.compile(rule.pattern, re.IGNORECASE)
    return found


@cache
def inline() -> dict[str, re.Pattern[str]]:
    """Every pattern that the package writes where it is used, whoever's text it is put to."""
    found = {}
    for path in ROOT.rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        text = path.read_text("utf-8")
        if not any(f"{call}(" in text for call in INLINE):  # each worker needs all of them
            continue
        for node in ast.walk(ast.parse(text)):
            if not (isinstance(node, ast.Call) and ast.unparse(node.func) in INLINE):
                continue
            written = node.args[0]
            if isinstance(written, ast.Constant) and isinstance(written.value, str):
                begins = r"\A" if ast.unparse(node.func).endswith("match") else ""
                flags = re.IGNORECASE if "IGNORECASE" in ast.unparse(node) else re.NOFLAG
                compiled = re.compile(f"{begins}(?:{written.value})", flags)
                found[f"{module}:{written.value[:30]}"] = compiled
    return found


def steps(pattern: re.Pattern[str], text: str) -> int:
    """Of one search; what would never end is as much as anything."""
    try:
        return Steps(pattern, text).count
    except OverflowError:
        return sys.maxsize


def grows_faster(pattern: re.Pattern[str], piece: str) -> bool:
    """Whether twice as many pieces take clearly more than twice the steps."""
    times = max(4, SMALL // len(piece))
    few = steps(pattern, piece * times)
    return steps(pattern, piece * 2 * times) > 2.6 * few + SLACK


@pytest.mark.parametrize("name", sorted(patterns().keys() - SHORT))
def test_twice_the_text_takes_twice_the_steps(name: str) -> None:
    """For texts that a pattern keeps beginning to match on; quadratic ones take four times."""
    pattern = patterns()[name]
    for piece in pieces(pattern)[:12]:
        assert not grows_faster(pattern, piece), piece


@pytest.mark.parametrize("name", sorted(inline()))
def test_patterns_without_a_name_do_so_too(name: str) -> None:
    """Those that stand in the call that searches."""
    pattern = inline()[name]
    for piece in pieces(pattern)[:12]:
        assert not grows_faster(pattern, piece), piece


@pytest.mark.parametrize("quadratic", [r"model .* (not found|gone)", r"//.*@", r"-+\.x"])
def test_the_measure_sees_what_it_should(quadratic: str) -> None:
    """Patterns that are known to be slow are told from those that are not."""
    pattern = re.compile(quadratic)
    assert any(grows_faster(pattern, piece) for piece in (*pieces(pattern), "a ", "a" * 3))


@settings(max_examples=8, deadline=None)
@given(st.text(alphabet="model not found:x01_\n\"'-. ", max_size=30))
def test_the_measure_finds_what_re_finds(text: str) -> None:
    """It is the same search, step by step."""
    for name, pattern in patterns().items():
        assert Steps(pattern, text).found is (pattern.search(text) is not None), name


def test_an_error_text_of_a_megabyte_is_cut_before_it_is_searched() -> None:
    """What tells stands at its beginning or end, and is found there."""
    for text in ("model x " * 150_000, "model '" * 150_000, '"' * 1_000_000, "{" * 1_000_000):
        assert len(http_errors.cut(http_errors.unwrap(text))) <= http_errors.MOST_SEARCHED + 3
        found = http_errors.from_status(500, {"error": text}, where="it", model="m")
        assert isinstance(found, errors.ServerFailed)
        assert len(found.message) < 400
    for text in (f"out of memory {'x' * 1_000_000}", f"{'x' * 1_000_000} out of memory"):
        assert isinstance(
            http_errors.from_status(500, text, where="it", model="m"), errors.RequestRejected
        )


def test_nearest_is_bounded() -> None:
    """Likeness is looked for in the beginning of a word and of a list: both may be anybody's."""
    asked: list[int] = []

    def many() -> object:
        for number in range(10_000):
            asked.append(number)
            yield f"{'x' * 500}{number}"

    assert errors.nearest("y" * 1_000_000, many()) == ""  # type: ignore[arg-type]
    assert len(asked) <= 1001


def test_no_pattern_is_left_out() -> None:
    """A module with a pattern is in the list, or reads only what the user wrote or we did."""
    own = {
        "analysis.comparison.tolerance", "analysis.comparison.margin",
        "data.archives.member", "data.archives.choosing", "analysis.diagnosis.instructions",
        "cli.evaluation_names", "cli.import_",
    }  # fmt: skip
    having = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in ROOT.rglob("*.py")
        if re.search(r"= re\.compile\(", path.read_text("utf-8"))
    }
    assert having - own <= {*MODULES, *BOUNDED}, having - own


@pytest.mark.parametrize("name", BOUNDED)
def test_readers_repeat_within_bounds(name: str) -> None:
    """An answer may be as long as a server likes."""
    module = import_module(f"pytest_llmclf.{name}")
    checked = 0
    for pattern in vars(module).values():
        if isinstance(pattern, re.Pattern) and pattern is not label_text.REFUSAL:
            assert not re.search(r"(?<!\\)[*+](?![^\[]*\])", pattern.pattern), pattern.pattern
            checked += 1
    assert checked
