"""How large the page for reviewing gets, how long it takes to make, and how fast a key is.

    python benchmarks/review_page.py            1,000 and 5,000 images of 640 x 480

All images are on the page. Keys accept one image after the other; a key's time is until the next
image is decoded and drawn. Then the page is read again with all that the browser kept. Memory is
the heap of the page's script, after a collection. Needs Playwright and a Chromium.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.page import answered, photos
from pytest_llmclf.analysis.label_review.review import review_labels
from pytest_llmclf.analysis.label_review.review_queue import review_queue
from pytest_llmclf.reporting.html.review_page import ReviewPage, write_review_page

if TYPE_CHECKING:
    from playwright.sync_api import Page as Tab

ACCEPT = """async () => {
  const begun = performance.now();
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "a", bubbles: true }));
  await document.querySelector("#image img")?.decode();
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - begun;
}"""
READY = "html[data-images=ready]"


def made(folder: Path, count: int) -> Path:
    """Make the page of so many images, and say what that took."""
    files = photos(folder, 40, count, (640, 480))
    found = answered(files)
    begun = time.perf_counter()
    (review,) = review_labels([found])
    queue = review_queue(review, [found], control=40, seed=1, everything=True)
    page = ReviewPage(
        run="run",
        review=review,
        queue=queue,
        reports=[found],
        target="photos",
        images=lambda _, case: files.get(case),
    )
    path = write_review_page(folder / "review.html", page)
    size, spent = path.stat().st_size / 1e6, time.perf_counter() - begun
    print(f"{count} images: {size:.1f} MB, made in {spent:.1f} s on {os.cpu_count()} cores")
    return path


def used(path: Path, keys: int) -> None:
    """Decide about images by keys, and open the page again."""
    from playwright.sync_api import sync_playwright

    executable = os.environ.get("LLMCLF_CHROMIUM") or shutil.which("chromium")
    args = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=args)
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        begun = time.perf_counter()
        tab.goto(path.as_uri(), wait_until="commit")
        tab.wait_for_selector("#image img")
        first = time.perf_counter() - begun
        tab.wait_for_selector(READY, state="attached")
        print(f"  first image after {first:.2f} s, all after {time.perf_counter() - begun:.2f} s")
        tab.keyboard.type("anna")
        tab.keyboard.press("Enter")
        spent = sorted(tab.evaluate(ACCEPT) for _ in range(keys))
        worst = spent[int(0.95 * len(spent))]
        print(f"  a key: median {statistics.median(spent):.0f} ms, 95% under {worst:.0f} ms")
        print(f"  heap of the script: {heap(tab):.0f} MB; {tab.inner_text('#progress')}")
        begun = time.perf_counter()
        tab.reload()
        tab.wait_for_selector(READY, state="attached")
        spent_again = time.perf_counter() - begun
        print(f"  opened again after {spent_again:.2f} s: {tab.inner_text('#progress')}")
        browser.close()


def heap(tab: Tab) -> float:
    """Megabytes that the script of a page holds."""
    session = tab.context.new_cdp_session(tab)
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    metrics = session.send("Performance.getMetrics")["metrics"]
    return next(one["value"] for one in metrics if one["name"] == "JSHeapUsedSize") / 1e6


def main() -> int:
    """Measure each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[1000, 5000])
    parser.add_argument("--keys", type=int, default=300, help="images that are decided about")
    options = parser.parse_args()
    for count in options.images:
        with tempfile.TemporaryDirectory() as name:
            used(made(Path(name), count), min(count, options.keys))
    return 0


if __name__ == "__main__":
    sys.exit(main())
