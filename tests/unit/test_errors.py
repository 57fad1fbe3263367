"""The tree of errors, as its own docstring draws it."""

from __future__ import annotations

import ast
import inspect
import re
from itertools import pairwise
from pathlib import Path

import pytest

from pytest_llmclf import errors
from pytest_llmclf.errors import BackendError, LlmclfError, ModelfileError, nearest

CLASSES = {
    name: found
    for name, found in inspect.getmembers(errors, inspect.isclass)
    if issubclass(found, Exception)
}
BACKEND = sorted(
    (found for found in CLASSES.values() if issubclass(found, BackendError)),
    key=lambda found: found.__name__,
)


def drawn() -> dict[str, str]:
    """Name and remark of every line of the tree."""
    lines = re.findall(r"[├└]── (\w+) +(.*)", errors.__doc__ or "")
    return dict(lines)


def test_the_tree_is_complete() -> None:
    """Every error is drawn, and nothing that is not there."""
    assert set(drawn()) | {"LlmclfError"} == set(CLASSES)


def test_everything_has_one_base() -> None:
    """One ``except`` catches whatever this package raises on purpose."""
    assert all(issubclass(found, LlmclfError) for found in CLASSES.values())


def test_retried_means_retryable() -> None:
    """The drawing says of exactly the retryable ones that they are retried."""
    retried = {name for name, remark in drawn().items() if remark.endswith("(retried)")}
    assert retried == {found.__name__ for found in BACKEND if found.retryable}


def test_every_kind_is_its_own() -> None:
    """Reports group by it, so no two share one."""
    kinds = [found.kind for found in BACKEND]
    assert len(set(kinds)) == len(kinds)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", kind) for kind in kinds)


@pytest.mark.parametrize("kind", BACKEND)
def test_a_message_has_its_remedy(kind: type[BackendError]) -> None:
    """Both can be had apart; without a remedy there are no empty brackets."""
    error = kind("nothing at 127.0.0.1", remedy="start it")
    assert str(error) == "nothing at 127.0.0.1 (start it)"
    assert (error.message, error.remedy) == ("nothing at 127.0.0.1", "start it")
    assert str(kind("nothing")) == "nothing"


def test_the_nearest_word_is_proposed() -> None:
    """As the end of a message; nothing where none is like it."""
    assert nearest("dgo", ("cat", "dog")) == "; did you mean 'dog'?"
    assert nearest("horse", ("cat", "dog")) == nearest("dog", ()) == ""


def test_a_modelfile_error_has_its_place() -> None:
    """In the form that editors jump to."""
    error = ModelfileError("m.Modelfile", 3, 7, "no such instruction")
    assert str(error) == "m.Modelfile:3:7: no such instruction"
    assert (error.line, error.column) == (3, 7)


def test_nothing_but_a_blank_follows_a_question() -> None:
    """``did you mean 'x'?`` ends its clause: no other sign stands behind that one."""
    behind = []
    for path in Path(errors.__file__).parent.rglob("*.py"):
        text = path.read_text("utf-8")
        if "nearest(" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            parts = node.values if isinstance(node, ast.JoinedStr) else []
            behind += [
                f"{path}:{part.lineno}: {after.value!r}"
                for part, after in pairwise(parts)
                if "nearest(" in ast.unparse(part) and isinstance(after, ast.Constant)
                if not str(after.value).startswith((" ", "\n"))
            ]
    assert behind == []
