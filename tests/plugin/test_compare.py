"""Two runs of pytest, compared by the command in a process of its own."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from tests.forkserver import fresh_or_forked
from tests.plugin.colour_server import Odd

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours


def test_two_runs_are_compared(colours: Colours) -> None:
    """A run leaves all that the comparison needs: eight images got worse, and it says which."""
    colours.images(each=4)
    colours.run("--llmclf-fresh", "--llmclf-run=.llmclf/runs/1-first")
    colours.server.odd = {"red": Odd(says="blue"), "green": Odd(says="blue")}
    colours.run("--llmclf-fresh", "--llmclf-run=.llmclf/runs/2-second")
    found = subprocess.run(  # noqa: S603 - our own interpreter
        [fresh_or_forked(), "-m", "pytest_llmclf", "compare", "previous", "latest", "--json"],
        cwd=colours.root,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (found.returncode, found.stderr) == (1, "")
    (evaluation,) = json.loads(found.stdout)["evaluations"]
    assert evaluation["correct"] == [12, 4]
    assert evaluation["broken"][0] == {
        "case": "green/0.png",
        "expected": "green",
        "was": "green",
        "now": "blue",
    }
