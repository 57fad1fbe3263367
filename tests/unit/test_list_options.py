"""Options that name one thing or several: what names nothing is refused, with value and remedy."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.cli.main import main
from pytest_llmclf.runner.shared_options import SHARED_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

NOTHING = ("", "  ", ",", " , ")
LISTS = sorted(name for name, more in SHARED_OPTIONS.items() if more.get("action") == "append")


@pytest.mark.parametrize("text", NOTHING)
@pytest.mark.parametrize("option", LISTS)
def test_an_option_of_runs_and_commands_names_something(option: str, text: str) -> None:
    """An empty variable of CI in its place allows nothing, and is told rather than ignored."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument(f"--{option}", **SHARED_OPTIONS[option])
    with pytest.raises(argparse.ArgumentError, match=f"{option}: '{text}' names no .*leave it out"):
        parser.parse_args([f"--{option}={text}"])


@pytest.mark.parametrize("text", NOTHING)
@pytest.mark.parametrize(
    "arguments", [("judge", "answers.csv", "--labels"), ("predict", "evals.py", "--servers")]
)
def test_an_option_of_a_command_names_something(
    arguments: Sequence[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before a file is read."""
    *others, option = arguments
    with pytest.raises(SystemExit) as ended:
        main([*others, f"{option}={text}"])
    assert ended.value.code == 2
    assert f"argument {option}: '{text}' names no " in capsys.readouterr().err
