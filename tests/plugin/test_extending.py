"""The examples of docs/extending.md run as they stand there."""

from __future__ import annotations

import re
import tomllib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from pytest_llmclf.models.registry import GROUP
from tests.plugin.colour_server import Odd, png
from tests.plugin.packages import install

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours

PAGE: Final = (Path(__file__).parents[2] / "docs" / "extending.md").read_text("utf-8")
EXAMPLES: Final = dict(re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))
(DECLARED,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
ENTRIES: Final = tomllib.loads(DECLARED)["project"]["entry-points"][GROUP]


def write(colours: Colours, *names: str) -> None:
    """Put examples into a project in place of its evaluation."""
    (colours.root / "test_colours.py").unlink()
    for name in names:
        (colours.root / name).write_text(EXAMPLES[name], "utf-8")


def test_each_example_is_short() -> None:
    """Under forty lines, and there are as many as things that can be plugged in."""
    assert len(EXAMPLES) == len(re.findall("^## A ", PAGE, re.MULTILINE))
    assert all(text.count("\n") < 40 for text in EXAMPLES.values())


def test_the_metric(colours: Colours) -> None:
    """Both are gated: one on these images, one on images like these."""
    write(colours, "test_costs.py")
    colours.server.odd = {"green/1": Odd(says="red"), "red/2": Odd(says="hm")}
    result = colours.run()
    found = colours.written()["metrics"]
    assert found["cost"]["value"] == pytest.approx(1.5 / 9)
    assert found["total_cost"]["value"] == 30
    words = {one["text"].partition(":")[0]: one["word"] for one in colours.summary()["gates"]}
    assert words == {"cost <= 0.5 with 95% confidence": "PASS", "total_cost <= 100": "PASS"}
    assert result.ret == pytest.ExitCode.OK


@pytest.mark.parametrize("processes", [(), ("-n2",)])
def test_the_backend(colours: Colours, processes: tuple[str, ...]) -> None:
    """An installed one is found by its name, asks nobody else, and its answers are kept."""
    (colours.root / "nearest_colour.py").write_text(EXAMPLES["nearest_colour.py"], "utf-8")
    install(colours.pytester, *(f"{name} = {value}" for name, value in ENTRIES.items()))
    for _ in range(2):
        result = colours.run(*processes, model="nearest:v1")
        assert result.ret == pytest.ExitCode.OK
        assert colours.ledger() == {"collected": 9, "correct": 9}
        assert colours.written()["model"] == "nearest:v1"
    assert colours.server.questions == 0
    text = (colours.root / "run" / "outcomes.jsonl").read_text("utf-8")
    assert text.count('"cached": true') == 9


def test_the_reader(colours: Colours) -> None:
    """The strict reader would refuse to choose; a refusal is one."""
    write(colours, "test_last_line.py")
    talk = "It is not {}, I think.\n**{}**."
    colours.server.odd = {
        "red": Odd(says=talk.format("blue", "Red")),
        "green": Odd(says=talk.format("red", "green")),
        "blue/0": Odd(says="I cannot help with that"),
    }
    colours.run()
    assert colours.ledger() == {"collected": 9, "correct": 8, "unparsed": 1}
    reason = '"reason": "refusal"'
    assert (colours.root / "run" / "outcomes.jsonl").read_text("utf-8").count(reason) == 1


@pytest.mark.parametrize("processes", [(), ("-n2",)])
def test_the_source(colours: Colours, processes: tuple[str, ...]) -> None:
    """Bytes are asked about, kept, and shown on the page; tags can be gated."""
    write(colours, "test_zipped.py")
    with zipfile.ZipFile(colours.root / "colours.zip", "w") as archive:
        lines = ["file,colour,camera"]
        for colour in ("red", "green", "blue"):
            for number, camera in enumerate(("phone", "slr")):
                archive.writestr(f"{colour}{number}", png(colour, number))
                lines.append(f"{colour}{number},{colour},{camera}")
        archive.writestr("labels.csv", "\n".join(lines))
    for _ in range(2):
        result = colours.run(*processes)
        assert result.ret == pytest.ExitCode.OK
        assert colours.ledger() == {"collected": 6, "correct": 6}
        assert [one["word"] for one in colours.summary()["gates"]] == ["PASS", "PASS"]
    assert colours.server.questions == 6
    assert len(list((colours.root / ".llmclf" / "images" / "colours").glob("*.png"))) == 6
    assert "data:image/" in (colours.root / "run" / "page.html").read_text("utf-8")
