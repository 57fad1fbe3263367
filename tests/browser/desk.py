"""The page for reviewing labels, made and used in a browser by tests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pytest_llmclf.analysis.label_review.review import review_labels
from pytest_llmclf.analysis.label_review.review_queue import review_queue
from pytest_llmclf.data.decisions import decisions_in
from pytest_llmclf.reporting.html.review_page import ReviewPage, write_review_page
from tests.pages import answers, built, images

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from playwright.sync_api import Page as Tab

    from pytest_llmclf.data.decisions import Decision
    from pytest_llmclf.metrics.report import Report

    Open = Callable[..., Tab]


def desk(
    folder: Path, reports: list[Report], applied: Sequence[Decision] = (), **more: Any
) -> Path:
    """The page of everything that a run has."""
    (review,) = review_labels(reports)
    given: dict[str, Any] = {"control": 5, "seed": 1, "everything": True, **more}
    queue = review_queue(review, reports, **given)
    files = {path.name: path for path in folder.glob("*.png")}
    page = ReviewPage(
        run="20260101-000000-abcdef", review=review, queue=queue, reports=reports, target="pets",
        applied=applied, images=lambda _, case: files.get(case.rpartition("/")[2]),
    )  # fmt: skip
    return write_review_page(folder / "review.html", page)


def pets(folder: Path, count: int = 9) -> Path:
    files = images(folder, count)
    return desk(folder, [built(answers(files, 1)), built(answers(files, 2, model="ollama:other"))])


def begun(opened: Open, path: Path, name: str = "anna") -> Tab:
    """The page, whose first question is answered."""
    tab = opened(path)
    tab.keyboard.type(name)
    tab.keyboard.press("Enter")
    return tab


def press(tab: Tab, *keys: str) -> None:
    for key in keys:
        tab.keyboard.press(key)


def decided(tab: Tab) -> int:
    """How many images are decided, as the page tells it."""
    return int(tab.inner_text("#progress").rpartition(", ")[2].removesuffix(" decided"))


def downloaded(tab: Tab) -> tuple[str, list[Decision]]:
    """The file, and its decisions as a dataset reads them."""
    with tab.expect_download() as found:
        press(tab, "d")
    text = found.value.path().read_text("utf-8")
    problems: list[str] = []
    decisions = decisions_in(text, found.value.suggested_filename, problems)
    assert problems == []
    own = "".join(f"{one.line}\n" for one in decisions)
    assert text.encode() == own.encode("utf-8", "backslashreplace")
    return found.value.suggested_filename, decisions


def queued(tab: Tab) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(tab.text_content("#data") or "")["images"]
    return found
