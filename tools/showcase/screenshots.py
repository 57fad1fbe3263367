"""Take images of a run's page."""

from __future__ import annotations

import io
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page, Playwright

WIDTH = 1280
SCALE = 1.5
MOST_BYTES = 250_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """An image to take.

    Attributes:
        name: Of its file.
        report: The evaluation to choose.
        scheme: Light or dark.
        height: Of the window, in CSS pixels.
        cell: Row and column of the matrix to choose, as labels; none: the page as it opens.
    """

    name: str
    report: str
    scheme: str
    height: int
    cell: tuple[str, str] | None = None


SHOTS = (
    Shot(name="overview", report="animals", scheme="light", height=1340),
    Shot(name="gallery", report="chess", scheme="dark", height=905, cell=("king", "bishop")),
)


def take(page: Path) -> tuple[str, dict[str, bytes]]:
    """All images as PNG by name, and the text that the page shows.

    Raises:
        SystemExit: An image is too large to be committed.
    """
    told = ""
    images = {}
    with sync_playwright() as playwright:
        browser = start(playwright)
        for shot in SHOTS:
            tab = opened(browser, page, shot)
            told += tab.inner_text("body") + str(tab.text_content("#data"))
            images[shot.name] = compressed(tab.screenshot())
            tab.context.close()
        browser.close()
    for name, content in images.items():
        if len(content) > MOST_BYTES:
            raise SystemExit(f"{name}.png has {len(content):,} bytes, over {MOST_BYTES:,}")
    return told, images


def start(playwright: Playwright) -> Browser:
    """The Chromium that LLMCLF_CHROMIUM names, that of the system, or Playwright's own."""
    found = os.environ.get("LLMCLF_CHROMIUM") or shutil.which("chromium")
    # Chromium has no sandbox for root, as in most containers.
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    return playwright.chromium.launch(executable_path=found, args=["--no-sandbox"] if root else [])


def opened(browser: Browser, page: Path, shot: Shot) -> Page:
    """The page as `shot` wants it."""
    context = browser.new_context(
        viewport={"width": WIDTH, "height": shot.height},
        device_scale_factor=SCALE,
        color_scheme="dark" if shot.scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    tab = context.new_page()
    tab.goto(page.as_uri())
    tab.wait_for_selector("html[data-images=ready]", state="attached")
    sections = tab.locator("#section-select option").all_inner_texts()
    (label,) = (text for text in sections if text.startswith(f"{shot.report} · "))
    tab.select_option("#section-select", label=label)
    if shot.cell is not None:
        rows, columns = heads(tab)
        row, column = rows.index(shot.cell[0]), columns.index(shot.cell[1])
        tab.click(f".matrix td[data-row='{row}'][data-column='{column}']")
    # Neither a tooltip nor a ring around what was clicked.
    tab.mouse.move(0, 0)
    tab.evaluate("document.activeElement.blur()")
    tab.evaluate("Promise.all([...document.images].map((image) => image.decode().catch(() => 0)))")
    return tab


def heads(tab: Page) -> tuple[list[str], list[str]]:
    """Labels of the matrix's rows and columns."""

    def texts(what: str) -> Iterator[str]:
        for node in tab.locator(f".matrix th[data-{what}]").all():
            yield str(node.text_content()).strip()

    return list(texts("row")), list(texts("column"))


def compressed(png: bytes) -> bytes:
    """`png` with a palette: a third of the size, and hardly another look."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    few = image.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    few.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
