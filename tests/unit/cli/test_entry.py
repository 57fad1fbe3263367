"""The command itself, in a process of its own: help, exit codes, one line for an error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli.archives import chessmen, small_animals, zipped
from tests.unit.cli.command import llmclf

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


FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
STREAMS = [">&-", "2>&-", ">&- 2>&-", *(pytest.param(each, marks=FULL) for each in (
    ">/dev/full", "2>/dev/full", ">/dev/full 2>/dev/full"
))]  # fmt: skip
# Unbuffered, argparse itself goes on where help cannot be written.
CALLS = ["plan", "cache", "--help", "plan --help", "report nope", "frob", "compare a b"]


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of Unix")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("streams", STREAMS)
def test_streams_that_are_closed_or_full(streams: str, unbuffered: str, tmp_path: Path) -> None:
    """Exit code 2 where what was asked for cannot be written, and one line where that can be."""
    for arguments in CALLS if not unbuffered else ("plan", "report nope"):
        command = f'exec "$0" -m pytest_llmclf {arguments} {streams}'
        done = subprocess.run(  # noqa: S603 - our own interpreter
            ["/bin/sh", "-c", command, sys.executable],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )
        fails = arguments.startswith(("report", "frob", "compare")) or not streams.startswith("2")
        assert done.returncode == (2 if fails else 0), (arguments, done.stderr)
        assert "Traceback" not in done.stderr
        assert "Exception ignored" not in done.stderr
        assert bool(done.stderr) == (fails and "2>" not in streams)
        if streams == ">/dev/full" and arguments in CALLS[:4]:
            assert done.stderr.startswith("llmclf: the output could not be written")
            assert done.stderr.count("\n") == 1


def test_a_reader_that_has_enough(tmp_path: Path) -> None:
    """As ``| head`` has: exit code 141, and nothing said."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "pytest_llmclf", "plan"],
        cwd=tmp_path,
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")
