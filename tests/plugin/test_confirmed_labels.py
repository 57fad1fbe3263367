"""A gate on confirmed labels, in a run with decisions of people."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.data.decisions import Decision, append_decisions
from tests.plugin.colour_server import Odd

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours

GATE = "accuracy >= 0.6 on confirmed labels"


def confirm(colours: Colours, *images: str) -> None:
    """A person found these labels right."""
    folder = colours.root / "fixtures" / "colours"
    decisions = [
        Decision(
            image=image,
            sha256=hashlib.sha256((folder / image).read_bytes()).hexdigest(),
            was=(image.partition("/")[0],),
            kind="accept",
            labels=(image.partition("/")[0],),
            by="anna",
            at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        for image in images
    ]
    append_decisions(folder / "decisions.jsonl", decisions)


@pytest.mark.parametrize("options", [(), ("--llmclf-stop-early",), ("-n2",)])
def test_confirmed_labels_alone_decide(colours: Colours, options: tuple[str, ...]) -> None:
    """Of three confirmed images two are wrong, which two thirds of all images are not."""
    colours.images(3)
    confirm(colours, "red/0.png", "red/1.png", "blue/0.png")
    colours.server.odd = {"red/0": Odd(says="blue"), "red/1": Odd(says="blue")}
    colours.evaluation(GATE)
    assert colours.run(*options).ret == pytest.ExitCode.TESTS_FAILED
    (gate,) = colours.summary()["gates"]
    assert (gate["word"], gate["text"].startswith(f"{GATE}: ")) == ("FAIL", True)


def test_without_a_confirmed_label_nothing_is_asked(colours: Colours) -> None:
    """A gate about no image at all is told before the first question."""
    colours.images(3)
    colours.evaluation(GATE)
    result = colours.run()
    text = " ".join((result.stdout.str() + result.stderr.str()).split())
    assert result.ret != pytest.ExitCode.OK
    assert "confirmed label" in text
