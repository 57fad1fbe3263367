"""How often claims are wrong where frames of a scene are right or wrong together.

Scenes of ten frames have a rate of their own, Beta distributed around the true one with the given
correlation within a scene. Printed with Monte-Carlo standard errors: how often a gate at the truth
passes and fails wrongly, and how often two equally good models are called different, by images
and by scenes; and how often the interval of the difference misses.

    python benchmarks/groups.py [RUNS]
"""

from __future__ import annotations

import math
import sys

import numpy as np

from pytest_llmclf.comparison.clustered import clustered_interval, sign_flip
from pytest_llmclf.comparison.paired import mcnemar_exact
from pytest_llmclf.gate.clustered import by_cluster
from pytest_llmclf.gate.evidence import proportion

FRAMES = 10
SCENES = (10, 35, 100)
TRUTHS = (0.8, 0.95)
CORRELATIONS = (0.2, 0.5, 0.9)
ERROR = 0.05


def _scenes(chance: np.random.Generator, truth: float, correlation: float, n: int) -> np.ndarray:
    """Which frames are right, by scene."""
    odds = 1 / correlation - 1
    rates = chance.beta(truth * odds, (1 - truth) * odds, n)
    return chance.random((n, FRAMES)) < rates[:, None]


def _shares(counts: dict[str, int], runs: int) -> str:
    def shown(count: int) -> str:
        share = count / runs
        return f"{share:.1%} ± {math.sqrt(share * (1 - share) / runs):.1%}"

    return " | ".join(map(shown, counts.values()))


def row(scenes: int, truth: float, correlation: float, runs: int) -> dict[str, int]:
    """How often each claim is wrong in so many runs."""
    chance = np.random.default_rng(20)
    clusters = {str(place): str(place // FRAMES) for place in range(scenes * FRAMES)}
    wrong = dict.fromkeys(
        ("PASS by images", "PASS", "FAIL", "McNemar by images", "by scenes", "interval"), 0
    )
    for _ in range(runs):
        first, second = (_scenes(chance, truth, correlation, scenes) for _ in range(2))
        plain = proportion(int(first.sum()), first.size)
        images = [(str(n), float(hit), float(not hit)) for n, hit in enumerate(first.flat)]
        found = by_cluster(plain, images, clusters)
        wrong["PASS by images"] += plain.doubt_at_least(truth) <= ERROR
        wrong["PASS"] += found.doubt_at_least(truth) <= ERROR
        wrong["FAIL"] += found.doubt_at_most(truth) < ERROR
        gains = second.astype(int) - first
        broken, fixed = int((gains < 0).sum()), int((gains > 0).sum())
        wrong["McNemar by images"] += mcnemar_exact(broken, fixed) < ERROR
        wrong["by scenes"] += sign_flip([int(net) for net in gains.sum(axis=1)]) < ERROR
        by_case = {str(n): int(gain) for n, gain in enumerate(gains.flat) if gain}
        ends = clustered_interval(by_case, clusters)
        wrong["interval"] += ends is None or not ends.low <= 0 <= ends.high
    return wrong


def main(runs: int) -> None:
    """Print the table."""
    head = "PASS by images | PASS | FAIL | McNemar by images | by scenes | interval misses"
    print(f"{runs} seeded runs a row, {FRAMES} frames a scene")
    print(f"| scenes | truth | correlation | {head} |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for scenes in SCENES:
        for truth in TRUTHS:
            for correlation in CORRELATIONS:
                found = row(scenes, truth, correlation, runs)
                cells = _shares(found, runs)
                print(f"| {scenes} | {truth} | {correlation} | {cells} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
