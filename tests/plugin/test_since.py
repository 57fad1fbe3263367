"""What a run says of the run before."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.plugin.colour_server import Odd

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours


def in_home(colours: Colours, *args: str) -> str:
    args = tuple(arg for arg in colours.command(*args) if arg != str(colours.root / "run"))
    args = tuple(arg for arg in args if arg != "--llmclf-run")
    text = colours.pytester.runpytest_inprocess(*args).stdout.str()
    said: list[str] = re.findall(
        r"^llmclf: since the earlier run [\w-]+, (.*)$", text, re.MULTILINE
    )
    assert len(said) <= 1
    return "".join(said)


def test_a_run_ends_with_what_changed(colours: Colours) -> None:
    """Nothing the first time; then how many images are right and wrong anew, and no more."""
    colours.images(3)
    colours.evaluation("accuracy >= 0.5")
    assert in_home(colours) == ""
    same = "asked the same: nothing changed of 9 images that both runs answered"
    assert in_home(colours) == same
    colours.server.odd["red/1"] = Odd(says="blue")
    said = in_home(colours, "--llmclf-fresh")
    assert said == (
        "asked the same: 1 newly wrong of 9 images that both runs answered: "
        "that it is better or worse is not shown"
    )
    assert in_home(colours, "-q") == ""
    colours.server.odd["red/1"] = Odd(says="no idea")
    assert in_home(colours, "--llmclf-fresh").startswith(
        "asked the same: 1 wrong in another way of 9"
    )


def test_a_loss_is_said_as_the_comparison_says_it(colours: Colours) -> None:
    """With the word of the one judge, and past a damaged run and one of other images."""
    colours.images(4)
    colours.evaluation("accuracy >= 0")
    in_home(colours)
    (run,) = (colours.root / ".llmclf" / "runs").iterdir()
    colours.server.odd |= {f"red/{n}": Odd(says="blue") for n in range(4)}
    colours.server.odd |= {f"green/{n}": Odd(says="blue") for n in range(4)}
    damaged = run.parent / "99990101-000000-aaaaaa"
    damaged.mkdir()
    (damaged / "run.json").write_text("{")
    (damaged / "outcomes.jsonl").write_text("")
    assert in_home(colours, "--llmclf-fresh") == (
        "asked the same: 8 newly wrong of 12 images that both runs answered: significantly worse"
    )


def test_what_was_asked_otherwise_is_named(colours: Colours) -> None:
    """All that differs and nothing else; what was asked before and is asked again is the same."""
    colours.evaluation("accuracy >= 0")
    in_home(colours)
    path, modelfile = (
        colours.root / "test_colours.py",
        colours.root / "modelfiles/colours.Modelfile",
    )
    text = path.read_text("utf-8")
    path.write_text(
        text.replace("Which colour is", "What is").replace("gates", "think=True, gates")
    )
    modelfile.write_text("FROM llava\nPARAMETER stop a\nPARAMETER stop b\n")
    said = in_home(colours).partition(":")[0]
    assert said == "with another prompt, other options, other thinking"
    path.write_text(path.read_text("utf-8").replace("gates", "reader='first', gates"))
    assert in_home(colours).startswith("with another reader: nothing changed of 9 images")
    assert in_home(colours).startswith("asked the same: nothing changed of 9 images")
