"""How large a page gets, how long it takes to make, and how fast it answers in a browser.

    python benchmarks/page.py            1,000 photos of 12 megapixels, then 10,000 images

Prints sizes and times. The photos are drawn, not taken: smooth shapes, gradients and grain, as
large as those of a telephone. Needs Playwright and a Chromium; without them only the making is
measured.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import random
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pytest_llmclf.metrics import report, report_build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.reporting.html.document import write_page
from pytest_llmclf.reporting.html.page import page_of
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.outcome import Outcome

LABELS = tuple(f"class {place}" for place in range(10))
RIGHT = 0.8
"""How often the model names the class, beside the times it hits it by chance."""
LIMITS = {"bytes": 15_000_000, "open_s": 2.0, "filter_s": 0.2}


def photo(seed: int, size: tuple[int, int]) -> bytes:
    """Something that compresses like a photo."""
    chance = np.random.default_rng(seed)
    width, height = size
    layers = np.zeros((height // 4, width // 4, 3))
    for scale in (4, 8, 16, 32, 64, 128):
        grain = chance.normal(size=(height // 4 // scale + 2, width // 4 // scale + 2, 3))
        for channel in range(3):
            small = Image.fromarray(grain[:, :, channel].astype("f"))
            smooth = small.resize((width // 4, height // 4), Image.Resampling.BICUBIC)
            layers[:, :, channel] += np.asarray(smooth) * scale**0.5
    layers = 255 * (layers - layers.min()) / (layers.max() - layers.min())
    grainy = layers + chance.normal(scale=3, size=layers.shape)
    image = Image.fromarray(grainy.clip(0, 255).astype("u1"))
    buffer = io.BytesIO()
    image.resize(size, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def photos(folder: Path, kinds: int, count: int, size: tuple[int, int]) -> dict[str, Path]:
    """So many files, all different, from a few images."""
    drawn = [photo(seed, size) for seed in range(kinds)]
    found = {}
    for place in range(count):
        path = folder / f"{place:05}.jpg"
        # A comment at the end makes each file one of its own without drawing it anew.
        path.write_bytes(drawn[place % kinds] + place.to_bytes(4, "big"))
        found[path.name] = path
    return found


def answered(files: dict[str, Path], seed: int = 1) -> report.Report:
    """A model that is right four times out of five."""
    chance = random.Random(seed)  # noqa: S311 - made-up answers, nothing secret
    outcomes = []
    for case, path in files.items():
        expected = chance.choice(LABELS)
        said = expected if chance.random() < RIGHT else chance.choice(LABELS)
        weights = [chance.random() ** 3 for _ in LABELS]
        outcomes.append(
            Outcome(
                evaluation="photos",
                model="ollama:llava:7b",
                model_digest="sha256:0",
                case=case,
                sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
                expected=expected,
                kind="correct" if said == expected else "misclassified",
                predicted=said,
                answer=Answer(
                    text=f"The image shows a {said}.", wall_s=chance.random(), server_s=0.3
                ),
                tags={"style": chance.choice(("photo", "drawing"))},
                request_digest=hashlib.sha256(case.encode()).hexdigest(),
                attempts=1,
                probabilities={
                    label: weight / sum(weights)
                    for label, weight in zip(LABELS, weights, strict=True)
                },
            )
        )
    facts = DatasetFacts(name="photos", content_hash="", labels=LABELS)
    return report_build.build(
        evaluation="photos", model="ollama:llava:7b", dataset=facts, outcomes=outcomes
    )


def made(name: str, files: dict[str, Path], path: Path) -> None:
    """Make the page, and say what that took."""
    found = answered(files)
    begun = time.perf_counter()
    page = page_of([found], images=lambda _, case: files.get(case))
    write_page(path, page)
    spent = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = path.stat().st_size
    print(f"{name}: {size / 1e6:.2f} MB, made in {spent:.1f} s on {os.cpu_count()} cores, "
          f"peak memory {peak:.0f} MB")  # fmt: skip
    if size > LIMITS["bytes"]:
        print(f"  TOO LARGE: more than {LIMITS['bytes'] / 1e6:.0f} MB")


def opened(path: Path) -> None:
    """Open the page thrice, and use it once."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        print("  not opened: playwright is not installed")
        return
    executable = os.environ.get("LLMCLF_CHROMIUM") or shutil.which("chromium")
    args = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=args)
        for _ in range(3):
            tab = browser.new_page(viewport={"width": 1280, "height": 900})
            begun = time.perf_counter()
            tab.goto(path.as_uri(), wait_until="commit")
            tab.wait_for_selector("html[data-page=ready]", state="attached")
            ready = time.perf_counter() - begun
            tab.wait_for_selector("html[data-images=ready]", state="attached")
            everything = time.perf_counter() - begun
            slow = " TOO SLOW" if everything > LIMITS["open_s"] else ""
            print(
                f"  open: can be used after {ready:.2f} s, "
                f"all images read after {everything:.2f} s{slow}"
            )
        used(tab)
        browser.close()


def _typed(selector: str, value: str, event: str) -> str:
    return (
        f"() => {{ const box = document.querySelector('{selector}'); "
        f"box.value = '{value}'; box.dispatchEvent(new Event('{event}')) }}"
    )


def used(tab: Any) -> None:
    """Times of what a reader does, until the next frame is drawn."""
    actions = {
        "cell of the matrix": "() => document.querySelector('.matrix td[data-row=\"3\"]').click()",
        "outcome": "() => document.querySelector('.chip[data-kind=misclassified]').click()",
        "search": _typed("#search", "class 7", "input"),
        "clear": "() => document.querySelector('#clear').click()",
        "order": _typed("#filter-sort", "slow", "change"),
        "scroll to the end": "() => window.scrollTo(0, document.documentElement.scrollHeight)",
        "open an image": "() => document.querySelector('.card button').click()",
    }
    for name, action in actions.items():
        spent = tab.evaluate(
            f"""async () => {{
              const begun = performance.now();
              ({action})();
              await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
              return (performance.now() - begun) / 1000;
            }}"""
        )
        bounded = not name.startswith(("scroll", "open"))
        slow = " TOO SLOW" if bounded and spent > LIMITS["filter_s"] else ""
        print(f"  {name}: {1000 * spent:.0f} ms{slow}")


def main() -> int:
    """Measure both sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=1000, help="photos of 4000 x 3000")
    parser.add_argument("--cases", type=int, default=10_000, help="thumbnails")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for title, kinds, count, size in (
            (f"{options.photos} photos of 4000 x 3000", 12, options.photos, (4000, 3000)),
            (f"{options.cases} images of 640 x 480", 40, options.cases, (640, 480)),
        ):
            below = folder / str(count)
            below.mkdir()
            path = below / "page.html"
            made(title, photos(below, kinds, count, size), path)
            opened(path)
            shutil.rmtree(below)
    return 0


if __name__ == "__main__":
    sys.exit(main())
