"""--llmclf-fresh where images are the same: a run asks each question anew, and once."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours

IMAGES = 12


@pytest.fixture
def twins(colours: Colours) -> Colours:
    """Twelve images, each one there twice under another name, and asked about in a first run."""
    colours.images(each=IMAGES // 3)
    for path in sorted((colours.root / "fixtures/colours").glob("*/*.png")):
        shutil.copy(path, path.with_name(f"again-{path.name}"))
    colours.run()
    assert colours.ledger() == {"collected": 2 * IMAGES, "correct": 2 * IMAGES}
    assert colours.server.questions == IMAGES
    return colours


@pytest.mark.parametrize("options", [(), ("-n2",)], ids=["alone", "n2"])
def test_twins_are_asked_about_once_a_run(twins: Colours, options: tuple[str, ...]) -> None:
    """Whichever processes they are spread over; the run after it asks nothing."""
    twins.run(*options, "--llmclf-fresh")
    assert twins.ledger() == {"collected": 2 * IMAGES, "correct": 2 * IMAGES}
    assert twins.server.questions == 2 * IMAGES
    twins.run(*options)
    assert twins.server.questions == 2 * IMAGES
