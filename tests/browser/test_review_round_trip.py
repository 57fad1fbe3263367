"""From a run with a wrong label over the page for reviewing to a run with the right one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.cli.main import main
from tests.plugin.colour_server import png
from tests.plugin.conftest import colours, server  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page as Tab

    from tests.plugin.conftest import Colours


@pytest.mark.parametrize("options", [("--llmclf-repeats=2",)], ids=str)
def test_a_wrong_label_is_found_decided_about_and_mended(
    opened: Callable[..., Tab],
    colours: Colours,  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
) -> None:
    """One reviewer, by keys; the second run says who, how many, and what accuracy is without."""
    colours.images(4)
    (colours.root / "pyproject.toml").touch()
    (colours.root / "fixtures" / "colours" / "green" / "0.png").write_bytes(png("red", 7))
    colours.evaluation("accuracy >= 0.5")
    assert colours.run(*options).ret == 0
    monkeypatch.chdir(colours.root)
    assert main(["review", "run", "--no-open", "--control", "3", "--no-near-copies"]) == 0
    tab = opened(colours.root / "run" / "review.html")
    tab.keyboard.type("anna")
    tab.keyboard.press("Enter")
    assert tab.inner_text("#image figcaption") == "green/0.png"
    for key in ("r", "r", "e", "d", "Enter", "a", "a", "a"):
        tab.keyboard.press(key)
    command = tab.inner_text("#finished pre").split()
    assert command[:3] == ["llmclf", "labels", "apply"]
    with tab.expect_download() as download:
        tab.keyboard.press("d")
    download.value.save_as(colours.root / download.value.suggested_filename)
    assert main(command[1:]) == 0
    result = colours.run(*options)
    assert result.ret == 0
    shown = " ".join(result.stdout.str().split())
    assert (
        "1 label corrected by 1 reviewer, 3 labels confirmed by 1 reviewer; accuracy with the "
        "labels as they were: 0.917 (11/12), now 1.000 (12/12)"
    ) in shown
    assert "1 of 1 correction took over its own answers" in shown
    assert "of 3 images drawn at random for review 0 labels were wrong" in shown
    assert main(["review", "run", "--no-open", "--control", "3", "--no-near-copies"]) == 2
    assert "nothing is left to decide about" in capsys.readouterr().err
