"""--llmclf-fresh where pictures are the same: a run asks each question anew, and once."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours

PICTURES = 12


@pytest.fixture
def twins(colours: Colours) -> Colours:
    """Twelve pictures, each one there twice under another name, and asked about in a first run."""
    colours.pictures(each=PICTURES // 3)
    for path in sorted((colours.root / "fixtures/colours").glob("*/*.png")):
        shutil.copy(path, path.with_name(f"again-{path.name}"))
    colours.run()
    assert colours.ledger() == {"collected": 2 * PICTURES, "correct": 2 * PICTURES}
    assert colours.server.questions == PICTURES
    return colours


@pytest.mark.parametrize("way", [(), ("-n2",)], ids=["alone", "n2"])
def test_twins_are_asked_about_once_a_run(twins: Colours, way: tuple[str, ...]) -> None:
    """Whichever processes they are spread over; the run after it asks nothing."""
    twins.run(*way, "--llmclf-fresh")
    assert twins.ledger() == {"collected": 2 * PICTURES, "correct": 2 * PICTURES}
    assert twins.server.questions == 2 * PICTURES
    twins.run(*way)
    assert twins.server.questions == 2 * PICTURES
