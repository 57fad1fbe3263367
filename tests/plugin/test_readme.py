"""The README's own evaluation, written down as it stands there, runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_evaluation_of_the_readme(colours: Colours) -> None:
    """Its files, of colours in place of pets: a baseline is written, and the next run passes."""
    (modelfile,) = re.findall(r"^```\n(FROM .*?)^```$", README, re.MULTILINE | re.DOTALL)
    (evaluation,) = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert len([line for line in evaluation.splitlines() if line.strip()]) <= 14
    colours.images(each=8)
    (colours.root / "fixtures" / "colours").rename(colours.root / "fixtures" / "pets")
    (colours.root / "modelfiles" / "pets.Modelfile").write_text(modelfile, encoding="utf-8")
    (colours.root / "test_colours.py").unlink()
    evals = colours.root / "evals"
    evals.mkdir()
    (evals / "test_pets.py").write_text(evaluation.replace("cat", "red"), encoding="utf-8")
    first = colours.run("evals/test_pets.py", "--snapshot-update")
    assert first.ret == 0
    assert [*(evals / "__predictions__").rglob("*.txt")]
    again = colours.run("evals/test_pets.py")
    again.assert_outcomes(passed=25)
    again.stdout.fnmatch_lines(
        ["*PASS  pets · *: recall[[]red[]] >= 0.6 with 95% confidence: *",
         "*PASS  pets · *: baseline: 24 predictions as committed*"]
    )  # fmt: skip
