"""``llmclf completion`` writes scripts that shells take."""

from __future__ import annotations

import argparse
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.cli import cache, completion, describe, doctor, import_, new
from pytest_llmclf.cli.completion import described_commands

if TYPE_CHECKING:
    from pathlib import Path

MODULES = (cache, completion, describe, doctor, import_, new)


def script(shell: str) -> str:
    """The script for a shell, of all subcommands here."""
    parser = argparse.ArgumentParser(prog="llmclf")
    commands = parser.add_subparsers()
    for module in MODULES:
        module.add_parser(commands)
    return completion._SHELLS[shell](described_commands(commands))


def completed(words: str, folder: Path) -> set[str]:
    """What bash offers after some words; the last one is being typed."""
    line = words.split(" ")
    ask = (
        f"{script('bash')}\nCOMP_WORDS=({' '.join(repr(word) for word in line)})\n"
        f'COMP_CWORD={len(line) - 1}\n_llmclf\nprintf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    result = subprocess.run(  # noqa: S603 - our own script
        ["bash", "--norc", "-c", ask],  # noqa: S607 - the shell that is tested
        capture_output=True, text=True, check=True, timeout=20, cwd=folder,
    )  # fmt: skip
    assert result.stderr == ""
    return set(result.stdout.split())


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("llmclf d", {"describe", "doctor"}),
        ("llmclf import a", {"animals10"}),
        ("llmclf import ", {"animals10", "mnist-jpg", "chessman", "parquet"}),
        ("llmclf import animals10 ", set()),
        ("llmclf import animals10 x.zip --f", {"--force"}),
        ("llmclf describe --m", {"--model"}),
        ("llmclf describe --model ", set()),
        ("llmclf completion ", {"bash", "fish", "zsh"}),
        ("llmclf cache --", {"--help", "--home", "--prune", "--clear", "--runs"}),
        ("llmclf nothing --", set()),
    ],
)
def test_what_bash_offers(words: str, offered: set[str], tmp_path: Path) -> None:
    """Commands, then their words and options; where nothing fits, files are bash's own affair."""
    assert completed(words, tmp_path) == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_take_it(shell: str, tmp_path: Path) -> None:
    """No error of syntax."""
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    (tmp_path / "script").write_text(script(shell), encoding="utf-8")
    result = subprocess.run(  # noqa: S603 - the shell that is tested
        [shell, "-n", str(tmp_path / "script")],
        capture_output=True, text=True, check=False, timeout=20,
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (0, "")


def test_fish_knows_everything() -> None:
    """Each option of each command, with its help and its values."""
    text = script("fish")
    here = "complete -c llmclf -n '__fish_seen_subcommand_from import'"
    assert f"{here} -l force -d 'replace a set of the same name that is there already'" in text
    assert f"{here} -a 'animals10 mnist-jpg chessman parquet'" in text
    assert all(line.count("'") % 2 == 0 for line in text.splitlines())
