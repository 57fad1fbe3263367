"""``llmclf leaderboard``: tasks of finished runs, ranked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.cli.main import main
from tests.unit.test_compare_command import RIGHT, WORSE, report, write

if TYPE_CHECKING:
    from pathlib import Path


def test_runs_are_ranked_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A model that is in several runs is told apart by the run; another one is not."""
    first = write(tmp_path / "first", report(WORSE), report(WORSE, model="ollama:other"))
    second = write(tmp_path / "second", report(RIGHT))
    page = tmp_path / "page.html"
    assert main(["leaderboard", str(first), str(second), "--html", str(page)]) == 0
    shown = capsys.readouterr().out
    rows = [line.split("  ")[2] for line in shown.splitlines() if " (0." in line[:60]]
    assert rows == ["ollama:llava in second", "ollama:llava in first", "ollama:other"]
    assert "Leaderboard" in page.read_text("utf-8")
    assert main(["leaderboard", str(first), str(second), "--json", "--model", "llava"]) == 0
    (board,) = json.loads(capsys.readouterr().out)["leaderboards"]
    assert board["winner"] == {"model": "ollama:llava in second", "variant": ""}
    assert board["pairs"] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["first"], "there are no two tasks of one evaluation"),
        (["first", "second", "--evaluation", "cars"], "chosen: nothing"),
        (["first", "first"], "is named twice"),
    ],
)
def test_what_cannot_be_ranked_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    """With what was chosen and what to do."""
    for name in ("first", "second"):
        write(tmp_path / "runs" / name, report(RIGHT))
    assert main(["leaderboard", *arguments, "--home", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err
