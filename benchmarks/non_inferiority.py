"""How often a loss as large as the margin passes as tolerable, exactly, whatever else is true.

``--llmclf-margin 2%`` passes where the lower end of the one-sided 95% interval of the difference
is above -0.02. Here the true loss *is* the margin, and for each number of images every table of
broken and fixed images is weighed with its trinomial probability, for every share of fixed images
on a grid: nothing is drawn, so there is no Monte-Carlo error. The largest share that passes wrongly
must be at most 5%; likewise for FAIL.

    python benchmarks/non_inferiority.py
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from pytest_llmclf.analysis.comparison.margin import ERROR
from pytest_llmclf.metrics.intervals import difference_interval

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = (20, 50, 100)
MARGINS = (0.02, 0.05, 0.1)
GRID = 40


def _excludes_loss(broken: int, fixed: int, images: int, margin: float) -> bool:
    return difference_interval(broken, fixed, images, confidence=1 - 2 * ERROR).low > -margin


def _shows_loss(broken: int, fixed: int, images: int, margin: float) -> bool:
    return difference_interval(broken, fixed, images, confidence=1 - 2 * ERROR).high < -margin


def _first(
    broken: int, images: int, holds: Callable[[int, int, int, float], bool], margin: float
) -> int:
    """The fewest fixed images with which it holds; one more than there can be if never."""
    low, high = 0, images - broken + 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(broken, middle, images, margin) else (middle + 1, high)
    return low


def worst(images: int, margin: float) -> tuple[float, float]:
    """The largest error of PASS and of FAIL over the shares of fixed images."""
    tables = [(b, f) for b in range(images + 1) for f in range(images + 1 - b)]
    # More fixed images never make a loss likelier, so the first that passes tells the others.
    passes = [_first(b, images, _excludes_loss, margin) for b in range(images + 1)]
    fails = [_first(b, images, lambda *t: not _shows_loss(*t), margin) for b in range(images + 1)]
    passing = np.array([f >= passes[b] for b, f in tables])
    failing = np.array([f < fails[b] for b, f in tables])
    counts = np.array([(b, f, images - b - f) for b, f in tables])
    found = []
    for fixed in np.linspace(0, (1 - margin) / 2 - 1e-9, GRID):
        chances = [fixed + margin, fixed, 1 - 2 * fixed - margin]
        weights = stats.multinomial.pmf(counts, images, chances)
        found.append((weights[passing].sum(), weights[failing].sum()))
    errors = np.array(found).max(axis=0)
    return float(errors[0]), float(errors[1])


def main() -> int:
    """Print the table; 1 if any error is above what is promised."""
    print("| images | margin | PASS wrong, at most | FAIL wrong, at most |")
    print("|---:|---:|---:|---:|")
    largest = 0.0
    for images in SIZES:
        for margin in MARGINS:
            errors = worst(images, margin)
            largest = max(largest, *errors)
            print(f"| {images} | {margin:.0%} | {errors[0]:.2%} | {errors[1]:.2%} |", flush=True)
    print(f"largest: {largest:.4f}, promised: {ERROR}")
    return int(largest > ERROR)


if __name__ == "__main__":
    sys.exit(main())
