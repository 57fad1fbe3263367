"""Every ``llmclf`` command that is printed or shown is one that the command itself understands."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pytest_llmclf
from pytest_llmclf.cli.main import parser
from pytest_llmclf.values.text import command_line

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(pytest_llmclf.__file__).parent
MENTION = re.compile(r"(?<![\w-])llmclf [a-z][^\n`<,;:.)]*")
THREADS = {"llmclf keeper"}
"""Names of threads, which nobody types."""
PROSE = re.compile(r" (in the project|shows them|writes one|, too).*")
"""What may follow a command in a sentence."""


def texts() -> Iterator[tuple[str, str]]:
    """The texts of the package with their files; what is put into them is called X."""
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        pieces = {id(one) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)
                  for one in node.values}  # fmt: skip
        said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if id(node) in pieces | said:
                continue
            if isinstance(node, ast.JoinedStr):
                parts = (one.value if isinstance(one, ast.Constant) else "X" for one in node.values)
                yield path.name, "".join(map(str, parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield path.name, node.value
    for path in sorted((PACKAGE / "reporting" / "html" / "templates").iterdir()):
        yield path.name, re.sub(r"\$\{[^}]*\}", "X", path.read_text("utf-8")).replace('"', "`")


def test_every_command_in_a_text_is_one() -> None:
    """It is read by the real parser, with its arguments, or its name is one."""
    found = {(file, one) for file, text in texts() for one in MENTION.findall(text)}
    assert len(found) > 8
    for file, command in sorted(found):
        if command.strip() in THREADS:
            continue
        words = shlex.split(PROSE.sub("", command).replace("import X", "import --help"))[1:]
        # In a sentence a command may be named without its arguments; a page shows it whole.
        named = not file.endswith((".html", ".js")) and understood([*words, "--help"])
        assert named or understood(words), (file, command)


def understood(words: list[str]) -> bool:
    """Whether the command takes such arguments, or shows its help."""
    try:
        parser().parse_args(words)
    except SystemExit as end:
        return not end.code
    return True


@pytest.mark.parametrize(
    "word", ["pets", "two pets", "a'b", 'a"b', "$HOME", "C:\\a b", "x;y", "", "a|b", "(1)", "ü"]
)
def test_a_word_is_one_word_again(word: str) -> None:
    """Whatever it holds; what needs no quotes has none."""
    assert shlex.split(command_line("llmclf", "try", word, "b")) == ["llmclf", "try", word, "b"]
    assert command_line("a", "b:c/d.png") == "a b:c/d.png"
