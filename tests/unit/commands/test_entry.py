"""The command itself, in a process of its own: help, exit codes, one line for an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.commands.archives import chessmen, small_animals, zipped
from tests.unit.commands.command import llmclf

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = ("doctor", "import", "new", "describe", "cache")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples_and_exit_codes(command: str, tmp_path: Path) -> None:
    """Nobody has to guess either."""
    result = llmclf(command, "--help", cwd=tmp_path)
    assert result.returncode == 0
    assert f"examples:\n  llmclf {command}" in result.stdout
    assert "exit code:\n  0  " in result.stdout


def test_all_commands_are_listed(tmp_path: Path) -> None:
    """With what they are for."""
    result = llmclf("--help", cwd=tmp_path)
    assert all(f"\n    {command}" in result.stdout for command in (*COMMANDS, "compare"))


def test_import_and_its_refusals(tmp_path: Path) -> None:
    """Exit code 0 with the import done, 2 with one line that says why not, and no traceback."""
    source = str(zipped(tmp_path / "c.zip", chessmen()))
    first = llmclf("import", "chessman", source, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert (tmp_path / ".llmclf" / "datasets" / "chess" / "manifest.csv").is_file()
    again = llmclf("import", "chessman", source, cwd=tmp_path)
    assert again.returncode == 2
    assert again.stderr.startswith("llmclf: ")
    assert again.stderr.count("\n") == 1
    assert "--force" in again.stderr
    hostile = zipped(tmp_path / "h.zip", {**small_animals(1), "../../out.png": b""})
    refused = llmclf("import", "animals10", str(hostile), cwd=tmp_path)
    assert refused.returncode == 2
    assert "is refused" in refused.stderr
    assert not list(tmp_path.rglob("out.png"))
    assert [item.name for item in (tmp_path / ".llmclf" / "datasets").iterdir()] == ["chess"]


def test_the_help_is_quick(tmp_path: Path) -> None:
    """No image library, client or numbers are loaded for it."""
    result = llmclf("import", "--help", cwd=tmp_path, PYTHONPROFILEIMPORTTIME="1")
    loaded = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
    assert "pytest_llmclf.cli.import_" in loaded
    assert not loaded & {"PIL", "httpx", "ollama", "numpy", "pandas", "sklearn", "pytest"}
