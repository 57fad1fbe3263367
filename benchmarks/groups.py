"""How often claims are wrong where images of a scene are right or wrong together.

Every scene has a rate of its own. In the first rows it is Beta distributed around the true one,
with the given correlation within a scene, and all scenes have ten frames. In the others sizes are
unequal, or larger scenes are harder, or the two models are equally good on average and err in
unlike ways: one on a tenth of every scene, the other on every tenth scene as a whole ("skewed").

Printed with Monte-Carlo standard errors: how often a gate at the truth passes and fails wrongly;
how often two equally good models are called different, by images, by scenes (permutation test)
and so that one is called better; how often the interval of the difference misses 0; and how often
a margin passes that is exactly the loss (here none).

    python benchmarks/groups.py [RUNS] [WORD]

RUNS a row (1000); WORD chooses the rows whose text has it. The exit status is 1 if a claim that
must hold exceeds 5% by more than three standard errors.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from pytest_llmclf.gates.cluster_evidence import by_cluster, clustered_difference
from pytest_llmclf.gates.evidence import proportion
from pytest_llmclf.metrics.significance import mcnemar_exact, sign_flip

FRAMES: Final = 10
SCENES: Final = (10, 35, 100)
ERROR: Final = 0.05
CLAIMS: Final = (
    "PASS by images", "PASS", "FAIL", "McNemar by images", "by scenes", "called better",
    "interval misses", "margin",
)  # fmt: skip
PROMISED: Final = ("PASS", "FAIL", "called better", "interval misses", "margin")
"""Which must be at most 5% in every row; "by scenes" where the models err alike."""

Rates = Callable[[np.random.Generator, np.ndarray], np.ndarray]
"""A rate for each scene, whose size it is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Scenes and two models that are equally good.

    Attributes:
        name: For the table.
        scenes: How many.
        truth: Share of right images of endlessly many scenes, of both models.
        sizes: Sizes of so many scenes.
        first: Rates of the first model, whose gate is looked at.
        second: Of the other one.
    """

    name: str
    scenes: int
    truth: float
    sizes: Callable[[np.random.Generator, int], np.ndarray]
    first: Rates
    second: Rates

    @property
    def alike(self) -> bool:
        """Whether it makes no difference which model answers a scene."""
        return self.first is self.second


def equal(_: np.random.Generator, scenes: int) -> np.ndarray:
    """Ten frames each."""
    return np.full(scenes, FRAMES)


def unequal(chance: np.random.Generator, scenes: int) -> np.ndarray:
    """From one to forty frames, few of the large ones; ten on average."""
    return chance.choice([1, 4, 10, 40], p=[0.3, 0.3, 0.25, 0.15], size=scenes)


def beta(truth: float, correlation: float) -> Rates:
    """Around the truth, the same for all sizes."""
    odds = 1 / correlation - 1
    return lambda chance, sizes: chance.beta(truth * odds, (1 - truth) * odds, len(sizes))


def harder(small: float, large: float, correlation: float) -> Rates:
    """Scenes of forty frames have another rate than the smaller ones."""
    odds = 1 / correlation - 1

    def rates(chance: np.random.Generator, sizes: np.ndarray) -> np.ndarray:
        means = np.where(sizes == 40, large, small)  # noqa: PLR2004 - see `unequal`
        return chance.beta(means * odds, (1 - means) * odds)

    return rates


def evenly(truth: float) -> Rates:
    """The same rate in every scene."""
    return lambda _, sizes: np.full(len(sizes), truth)


def wholly(truth: float) -> Rates:
    """Scenes are right or wrong as a whole."""
    return lambda chance, sizes: (chance.random(len(sizes)) < truth).astype(float)


def rows() -> list[Row]:
    """All of them."""
    found = []
    for scenes in SCENES:
        for truth in (0.8, 0.95):
            for correlation in (0.2, 0.5, 0.9):
                rates = beta(truth, correlation)
                found.append(
                    Row(
                        name=f"equal, correlation {correlation}", scenes=scenes, truth=truth,
                        sizes=equal, first=rates, second=rates,
                    )
                )  # fmt: skip
    # 1, 4, 10, 40 frames: 6 of 10 are in the largest scenes.
    share = 0.15 * 40 / (0.3 * 1 + 0.3 * 4 + 0.25 * 10 + 0.15 * 40)
    for scenes in SCENES:
        alike = beta(0.8, 0.5)
        hard, easy = harder(0.9, 0.7, 0.5), harder(0.7, 0.9, 0.5)
        for name, truth, first, second, sizes in (
            ("1 to 40 frames, correlation 0.5", 0.8, alike, alike, unequal),
            ("larger ones harder", share * 0.7 + (1 - share) * 0.9, hard, hard, unequal),
            ("larger ones easier", share * 0.9 + (1 - share) * 0.7, easy, easy, unequal),
            ("skewed, the first evenly", 0.9, evenly(0.9), wholly(0.9), equal),
            ("skewed, the first wholly", 0.9, wholly(0.9), evenly(0.9), equal),
        ):
            found.append(
                Row(
                    name=name, scenes=scenes, truth=truth, sizes=sizes, first=first, second=second
                )
            )  # fmt: skip
    return found


def errors(row: Row, runs: int) -> dict[str, int]:
    """How often each claim is wrong in so many runs."""
    chance = np.random.default_rng(20)
    wrong = dict.fromkeys(CLAIMS, 0)
    for _ in range(runs):
        sizes = row.sizes(chance, row.scenes)
        scene = np.repeat(np.arange(row.scenes), sizes)
        first, second = (
            chance.random(len(scene)) < rates(chance, sizes)[scene]
            for rates in (row.first, row.second)
        )
        clusters = {str(place): str(of) for place, of in enumerate(scene.tolist())}
        plain = proportion(int(first.sum()), first.size)
        images = [(str(n), float(hit), float(not hit)) for n, hit in enumerate(first.tolist())]
        found = by_cluster(plain, images, clusters)
        wrong["PASS by images"] += plain.doubt_at_least(row.truth) <= ERROR
        wrong["PASS"] += found.doubt_at_least(row.truth) <= ERROR
        wrong["FAIL"] += found.doubt_at_most(row.truth) < ERROR
        gains = second.astype(int) - first
        broken, fixed = int((gains < 0).sum()), int((gains > 0).sum())
        wrong["McNemar by images"] += mcnemar_exact(broken, fixed) < ERROR
        nets = np.bincount(scene, weights=gains, minlength=row.scenes)
        differ = sign_flip([int(net) for net in nets]) < ERROR
        wrong["by scenes"] += differ
        # An end is beyond 0 exactly if the doubt of its side of 1/2 is below its level.
        difference = clustered_difference(
            [(int(size), int(net)) for size, net in zip(sizes, nets, strict=True)]
        )
        better, worse = difference.doubt_at_least(0.5), difference.doubt_at_most(0.5)
        misses = min(better, worse) < ERROR / 2
        wrong["interval misses"] += misses
        wrong["called better"] += differ and misses
        wrong["margin"] += better < ERROR
    return wrong


def shown(count: int, runs: int) -> str:
    """A share with its standard error."""
    share = count / runs
    return f"{share:.1%} ± {math.sqrt(share * (1 - share) / runs):.1%}"


def main(runs: int, word: str = "") -> int:
    """Print the table; 1 if what is promised does not hold."""
    started = time.process_time()
    print(f"{runs} seeded runs a row, shares of runs in which each claim is wrong")
    print(f"| scenes | images | truth | {' | '.join(CLAIMS)} |")
    print(f"|---:|---|---:|{'---:|' * len(CLAIMS)}")
    good = True
    bar = ERROR + 3 * math.sqrt(ERROR * (1 - ERROR) / runs)
    for row in rows():
        text = f"| {row.scenes} | {row.name} | {row.truth:.3g} |"
        if word not in text:
            continue
        found = errors(row, runs)
        print(text, " | ".join(shown(count, runs) for count in found.values()), "|", flush=True)
        promised = (*PROMISED, "by scenes") if row.alike else PROMISED
        above = [name for name in promised if found[name] / runs > bar]
        good = good and not above
        if above:
            print(f"above 5%: {', '.join(above)}")
    print(
        f"{'within' if good else 'OUTSIDE'} the bars; {time.process_time() - started:.0f} s of CPU"
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, *sys.argv[2:3]))
