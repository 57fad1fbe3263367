"""Splits and links in whole runs, in one process and in several."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.cli.main import main
from tests.plugin.layouts import DATASET, LAYOUTS, Layout

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours


@pytest.fixture
def split(colours: Colours) -> Colours:
    """The nine images in a part of a split."""
    folder = colours.root / "fixtures" / "colours"
    shutil.copytree(folder, colours.root / "whole" / "test")
    for part in ("train", "test"):
        shutil.copytree(colours.root / "whole" / "test", folder / part)
    for colour in ("red", "green", "blue"):
        shutil.rmtree(folder / colour)
    return colours


def test_a_split_is_refused_and_its_part_asked(split: Colours) -> None:
    """Before any question; with the option, the report names the part."""
    assert split.run().ret == pytest.ExitCode.INTERRUPTED
    assert split.server.questions == 0
    path = split.root / "test_colours.py"
    path.write_text(
        path.read_text().replace('dataset="colours"', 'dataset="colours", split="test"')
    )
    assert split.run("-n2").ret == pytest.ExitCode.OK
    assert split.server.questions == 9
    assert split.written()["dataset"]["name"] == "colours (test)"


def test_new_says_what_to_give(split: Colours, capsys: pytest.CaptureFixture[str]) -> None:
    """And takes it."""
    folder = str(split.root / "fixtures" / "colours")
    assert main(["new", "shades", folder]) == 2
    assert "--split PART" in capsys.readouterr().err
    assert main(["new", "shades", folder, "--split", "test"]) == 0
    assert 'split="test",' in (split.root / "evals" / "test_shades.py").read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
@pytest.mark.parametrize("by", ["option", "ini"])
def test_links_into_a_trusted_folder(colours: Colours, by: str) -> None:
    """Refused by default; asked about where the folder is trusted."""
    red = colours.root / "fixtures" / "colours" / "red"
    red.rename(colours.root / "disk")
    red.symlink_to(colours.root / "disk")
    assert colours.run().ret == pytest.ExitCode.INTERRUPTED
    assert colours.server.questions == 0
    if by == "ini":
        (colours.root / "pytest.ini").write_text("[pytest]\nllmclf_allow_links = disk\n")
        result = colours.run()
    else:
        result = colours.run("--llmclf-allow-links", "disk")
    assert result.ret == pytest.ExitCode.OK
    assert colours.ledger() == {"collected": 9, "correct": 9}


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_predict_asks_what_pytest_asks(
    colours: Colours, layout: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same images with the same labels under the same digests, however they lie."""
    layout.lay(colours.root / "fixtures" / "colours")
    path = colours.root / "test_colours.py"
    path.write_text(path.read_text("utf-8").replace(DATASET, layout.dataset), "utf-8")
    given = ("predict", "test_colours.py", "--model", colours.server.spec, *layout.args)
    assert main(given) == 0, capsys.readouterr().err
    assert colours.server.questions == 9
    assert sorted(colours.server.asked) == [
        f"{c}/{n}" for c in ("blue", "green", "red") for n in range(3)
    ]
    assert colours.run(*layout.args).ret == pytest.ExitCode.OK
    assert colours.server.questions == 9
    assert colours.ledger() == {"collected": 9, "correct": 9}
