"""A headless Chromium for tests of the page; without one they are skipped, saying why."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.reporting.html.document import write_page
from tests.pages import demo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser
    from playwright.sync_api import Page as Tab

CHROMIUM_VARIABLE = "LLMCLF_CHROMIUM"
"""Environment variable: the browser to use, instead of the first one found."""
_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")


def chromium() -> str | None:
    """Where a Chromium is, if there is one."""
    named = os.environ.get(CHROMIUM_VARIABLE)
    return named or next((found for name in _NAMES if (found := shutil.which(name))), None)


@pytest.fixture(scope="package")  # one that waits to the end of the session keeps working
def browser() -> Iterator[Browser]:
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install playwright"
    )
    executable = chromium()
    with sync_api.sync_playwright() as playwright:
        if executable is None and not Path(playwright.chromium.executable_path).exists():
            pytest.skip(f"no Chromium found: install one, or name it in {CHROMIUM_VARIABLE}")
        # Chromium has no sandbox for root, as in most containers.
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        started = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox"] if root else []
        )
        yield started
        started.close()


@pytest.fixture(scope="package")
def demo_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with everything in it."""
    folder = tmp_path_factory.mktemp("demo")
    return write_page(folder / "page.html", demo(folder))


@pytest.fixture
def trouble() -> list[str]:
    """What pages complained of, asked for or ran; has to be empty at the end of a test."""
    return []


@pytest.fixture(scope="package")
def spare_tabs() -> list[Tab]:
    """Tabs that no test has at the moment: starting one takes three times as long as a page."""
    return []


@pytest.fixture
def opened(
    browser: Browser, spare_tabs: list[Tab], trouble: list[str]
) -> Iterator[Callable[..., Tab]]:
    """Opens a page, each in a tab whose store is its own and empty."""
    used = []

    def open_(path: Path, state: str = "", width: int = 1280, height: int = 900,
              scheme: str = "light") -> Tab:  # fmt: skip
        tab = spare_tabs.pop() if spare_tabs else browser.new_context().new_page()
        watched: dict[str, Callable[..., object]] = {
            "console": lambda message: trouble.append(f"console: {message.text}"),
            "pageerror": lambda error: trouble.append(f"error: {error}"),
            "dialog": lambda dialog: trouble.append(f"dialog: {dialog.message}"),
            "request": lambda request: (
                None
                if request.url.startswith(("data:", path.as_uri()))
                else trouble.append(f"request: {request.url}")
            ),
        }
        for event, note in watched.items():
            tab.on(event, note)  # type: ignore[call-overload]
        used.append((tab, watched))
        tab.set_viewport_size({"width": width, "height": height})
        tab.emulate_media(
            media="null",
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",
        )
        tab.goto(path.as_uri() + state)
        tab.wait_for_selector("html[data-images=ready]", state="attached")
        return tab

    yield open_
    for tab, watched in used:
        for event, note in watched.items():
            tab.remove_listener(event, note)
        tab.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
        tab.goto("about:blank")
        spare_tabs.append(tab)
    assert trouble == []
