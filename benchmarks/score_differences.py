"""How often intervals of score differences miss the truth, score by score.

Two models answer the same images; how far their answers go together is set by ``together``: so
often the second one says what the first one said where both could. The true difference is that of
endlessly many images in the same mix of classes. Printed by truth and score, with Monte-Carlo
standard errors: how often the paired 95% interval of ``llmclf compare`` misses it, and on which
side. Nominal are 5%, of which half a side. Where images come in scenes, all of one scene show one
class and are answered alike.

    python benchmarks/score_differences.py [--runs 300] [--only WORD]

The exit status is 1 if any score misses in more than 5% by three standard errors.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from pytest_llmclf.analysis.comparison.paired_comparison import compare_reports
from pytest_llmclf.analysis.comparison.score_differences import score_differences
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.values.outcome import Outcome

if TYPE_CHECKING:
    from pytest_llmclf.metrics.report import Report

ERROR: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Two models and the images.

    Attributes:
        name: For the table.
        images: How many show each class.
        first: Recall of each class, of the first model.
        second: Of the second one.
        together: How often the second says what the first said, of what both would say.
        scene: Images a scene.
        attractor: Whether wrong answers of the second model name the first class.
    """

    name: str
    images: tuple[int, ...]
    first: tuple[float, ...]
    second: tuple[float, ...]
    together: float = 0.5
    scene: int = 1
    attractor: bool = False


TRUTHS: Final = (
    Truth(name="3 x 10, equally good", images=(10,) * 3, first=(0.7,) * 3, second=(0.7,) * 3),
    Truth(name="3 x 10, nearly perfect", images=(10,) * 3, first=(0.97,) * 3, second=(0.97,) * 3),
    Truth(name="2 x 50, 0.9 and 0.8", images=(50,) * 2, first=(0.9,) * 2, second=(0.8,) * 2),
    Truth(
        name="2 x 50, nearly the same answers", images=(50,) * 2, first=(0.9,) * 2,
        second=(0.9,) * 2, together=0.95,
    ),
    Truth(name="10 x 20, 0.7 and 0.8", images=(20,) * 10, first=(0.7,) * 10, second=(0.8,) * 10),
    Truth(
        name="10 x 5, attractor", images=(5,) * 10, first=(0.8,) * 10, second=(0.7,) * 10,
        attractor=True,
    ),
    Truth(
        name="90, 6 and 4", images=(90, 6, 4), first=(0.95, 0.7, 0.5), second=(0.95, 0.5, 0.7),
    ),
    Truth(
        name="90, 6 and 4, equally good", images=(90, 6, 4), first=(0.95, 0.6, 0.6),
        second=(0.95, 0.6, 0.6),
    ),
    Truth(name="40 x 2, 0.9 and 0.6", images=(2,) * 40, first=(0.9,) * 40, second=(0.6,) * 40),
    Truth(name="30 x 1, 0.9 and 0.7", images=(1,) * 30, first=(0.9,) * 30, second=(0.7,) * 30),
    Truth(
        name="3 x 100 in scenes of 10", images=(100,) * 3, first=(0.7,) * 3, second=(0.8,) * 3,
        scene=10,
    ),
)  # fmt: skip
SHOWN: Final = ("macro_recall", "macro_precision", "macro_f1")


def chances(truth: Truth) -> list[np.ndarray]:
    """By class, probabilities of what each model says."""
    size = len(truth.images)
    sides = []
    for recalls, attractor in ((truth.first, False), (truth.second, truth.attractor)):
        rows = np.zeros((size, size))
        for shown, recall in enumerate(recalls):
            others = [place for place in range(size) if place != shown]
            if attractor and shown:
                others = [0]
            rows[shown, others] = (1 - recall) / len(others)
            rows[shown, shown] = recall
        sides.append(rows)
    return sides


def true_scores(truth: Truth, rows: np.ndarray) -> dict[str, float]:
    """What endlessly many images in the same mix would give."""
    images = np.array(truth.images, dtype=float)
    shares = images[:, None] * rows
    right, named = np.diag(shares), shares.sum(axis=0)
    recall, precision, f1 = right / images, right / named, 2 * right / (named + images)
    found = {
        "macro_recall": float(recall.mean()),
        "macro_precision": float(precision.mean()),
        "macro_f1": float(f1.mean()),
    }
    for place, (one, other) in enumerate(zip(recall, f1, strict=True)):
        found |= {f"recall[{place}]": float(one), f"f1[{place}]": float(other)}
    return found


def drawn(truth: Truth, sides: list[np.ndarray], chance: np.random.Generator) -> list[np.ndarray]:
    """Classes shown, scene by scene, and what both models say.

    What both would say is the less of both probabilities, label by label; with chance `together`
    one draw decides for both (a mixture of the maximal coupling and independence).
    """
    scenes = [count // truth.scene for count in truth.images]
    shown = np.repeat(np.arange(len(scenes)), scenes)
    said = np.zeros((2, len(shown)), dtype=int)
    for place, actual in enumerate(shown):
        first, second = (rows[actual] for rows in sides)
        one = chance.choice(len(first), p=first)
        said[:, place] = one, chance.choice(len(second), p=second)
        if chance.random() < truth.together:
            both = np.minimum(first, second)
            said[1, place] = one
            if chance.random() >= both[one] / first[one]:
                rest = second - both
                said[1, place] = chance.choice(len(rest), p=rest / rest.sum())
    return [np.repeat(each, truth.scene) for each in (shown, said[0], said[1])]


def report(truth: Truth, shown: np.ndarray, said: np.ndarray) -> Report:
    """A report of these answers."""
    outcomes = [
        Outcome(
            evaluation="simulated", model="simulated", model_digest="", case=f"{place:05}",
            sha256="", expected=str(one), predicted=str(other),
            kind="correct" if one == other else "misclassified",
            tags={"scene": str(place // truth.scene)},
        )
        for place, (one, other) in enumerate(zip(shown.tolist(), said.tolist(), strict=True))
    ]  # fmt: skip
    facts = DatasetFacts(
        name="simulated", content_hash="", labels=tuple(map(str, range(len(truth.images)))),
        cases_in_dataset=len(outcomes),
    )  # fmt: skip
    return build(
        evaluation="simulated", model="simulated", dataset=facts, outcomes=outcomes,
        group="scene" if truth.scene > 1 else "",
    )  # fmt: skip


def missed(truth: Truth, runs: int) -> dict[str, np.ndarray]:
    """By score, how often the interval is above the truth, and below it."""
    chance = np.random.default_rng(20)
    sides = chances(truth)
    before, now = (true_scores(truth, rows) for rows in sides)
    found = {name: np.zeros(2, dtype=int) for name in before}
    for _ in range(runs):
        shown, *said = drawn(truth, sides, chance)
        reports = [report(truth, shown, each) for each in said]
        for one in score_differences(*reports, compare_reports(*reports)):
            ends, difference = one.interval, now[one.name] - before[one.name]
            assert ends is not None  # noqa: S101 - there are images and scenes
            # Equal sides differ by a rounding.
            found[one.name] += [ends.low > difference + 1e-12, ends.high < difference - 1e-12]
    return found


def shown_share(counts: np.ndarray, runs: int) -> str:
    """Both sides together with their standard error, and each."""
    share = counts.sum() / runs
    spread = math.sqrt(share * (1 - share) / runs)
    return f"{share:.1%} ± {spread:.1%} ({counts[0] / runs:.1%}, {counts[1] / runs:.1%})"


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--only", default="")
    chosen = parser.parse_args()
    started, runs, good = time.process_time(), chosen.runs, True
    print(f"{runs} seeded runs a row; missed in all (interval above the truth, below it)")
    print("| images | macro recall | macro precision | macro F1 | worst recall | worst F1 |")
    print("|---|---:|---:|---:|---:|---:|")
    for truth in TRUTHS:
        if chosen.only not in truth.name:
            continue
        found = missed(truth, runs)
        worst = [
            max((counts for name, counts in found.items() if name.startswith(kind)), key=np.sum)
            for kind in ("recall[", "f1[")
        ]
        cells = [shown_share(counts, runs) for counts in (*map(found.get, SHOWN), *worst)]
        print(f"| {truth.name} | {' | '.join(cells)} |", flush=True)
        # The worst of many classes is the worst of many draws: its bar is wider.
        for counts, bar in ((found[name], 3.0) for name in SHOWN):
            good = good and counts.sum() / runs <= ERROR + bar * math.sqrt(ERROR * 0.95 / runs)
        good = good and all(
            counts.sum() / runs <= ERROR + 4 * math.sqrt(ERROR * 0.95 / runs) for counts in worst
        )
    print(
        f"{'within' if good else 'OUTSIDE'} the bars; {time.process_time() - started:.0f} s of CPU"
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
