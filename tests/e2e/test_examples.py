"""The example projects run as their pages say, each in a copy."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.forkserver import fresh_or_forked

EXAMPLES: Final = Path(__file__).parents[2] / "examples"
COMMAND: Final = re.compile(r"^python -m (pytest .*)$", re.MULTILINE)
ENDS: Final = {
    "own-photos": "baseline: 40 predictions as committed",
    "model-matrix": "leaderboard · matrix",
    "replay-in-ci": "baseline: 40 predictions as committed",
}
"""What a run of each says, among other things."""


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    """All of them beside each other, since two look at the images of the third."""
    ignored = shutil.ignore_patterns(".llmclf", "__pycache__", ".pytest_cache")
    shutil.copytree(EXAMPLES, tmp_path / "examples", ignore=ignored)
    return tmp_path / "examples"


def test_every_example_is_in_the_list() -> None:
    """With one line that says what it shows."""
    listed = re.findall(
        r"^\| `([\w-]+)` \| \w", (EXAMPLES / "README.md").read_text("utf-8"), re.MULTILINE
    )
    assert sorted(listed) == sorted(ENDS)
    assert sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir()) == sorted(ENDS)


@pytest.mark.parametrize("name", ENDS)
def test_an_example_runs(copies: Path, name: str) -> None:
    """The first of its commands, and of the recorded one the last: what CI calls."""
    commands = COMMAND.findall((copies / name / "README.md").read_text("utf-8"))
    words = shlex.split(commands[-1 if name == "replay-in-ci" else 0], comments=True)
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [fresh_or_forked(), "-m", *words, "-p", "no:cacheprovider", f"--rootdir={copies / name}"],
        cwd=copies / name, capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert ENDS[name] in " ".join(done.stdout.split())


def test_the_workflow_is_what_init_writes(copies: Path) -> None:
    """And its command is that of the page."""
    workflow = copies / "replay-in-ci" / ".github" / "workflows" / "llmclf.yml"
    kept = workflow.read_text("utf-8")
    workflow.unlink()
    subprocess.run(  # noqa: S603 - our own interpreter
        [fresh_or_forked(), "-m", "pytest_llmclf", "init", "github"],
        cwd=copies / "replay-in-ci", check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    assert workflow.read_text("utf-8") == kept
