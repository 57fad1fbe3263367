"""How often a diagnosis finds what is not there, and how often what is.

    python -m benchmarks.diagnosis_false_alarms [--runs 2000] [--only WORD]

Every row is a model with known chances, asked in `--runs` independent, seeded runs. The first table
counts runs with a finding that is false for that model; the bound is 5% in the column ``any``.
"No better than guessing" is in a column of its own: wanted for models that guess, not for others.
The second table counts runs with the finding that the model deserves.
"""

from __future__ import annotations

import argparse
import math
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmclf import reference
from pytest_llmclf.analysis.diagnosis.diagnose import diagnose
from pytest_llmclf.analysis.diagnosis.finding import ConfusedPair, NoBetter
from tests.unit.simulated import Simulated, alike, blind, drawn, even, similar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_llmclf.analysis.diagnosis.finding import Finding
    from tests.unit.simulated import Chances

CLAIMS = ("worse", "attractor", "never-answered", "confused-pair", "one-way", "weak-slice")
"""Each has a sixth of the 5%."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A model in a table.

    Attributes:
        name: What it is like.
        model: Its chances.
        true: Claims that are true of it, so no false alarms.
    """

    name: str
    model: Simulated
    true: tuple[str, ...] = ()


def claims(findings: Iterable[Finding]) -> set[str]:
    """What the findings claim, in the words of `CLAIMS`, and ``no-better``."""
    said: set[str] = set()
    for finding in findings:
        said.add(finding.kind)
        if isinstance(finding, ConfusedPair) and finding.one_way:
            said.add("one-way")
        if isinstance(finding, NoBetter) and finding.worse:
            said.add("worse")
    return said


def harmless() -> Iterator[Row]:
    """Models without a defect, but for what `true` says."""
    for accuracy in (0.98, 0.9, 0.8):
        for size, images in ((2, 50), (3, 50), (4, 25), (10, 50), (10, 500), (100, 5)):
            name = f"even mistakes, {accuracy}, {size} x {images}"
            yield Row(name=name, model=equal(even([accuracy] * size), images))
    pairs = [(place, place + 1) for place in range(0, 10, 2)]
    for accuracy in (0.95, 0.9, 0.8, 0.6):
        for within in (0.5, 0.8, 1.0):
            name = f"look-alike pairs, {accuracy}, {within:.0%} within, 10 x 50"
            chances = alike(pairs, accuracy, within)
            yield Row(name=name, model=equal(chances, 50), true=("confused-pair",))
    for groups in (
        [(0, 1, 2), (3, 4, 5), (6, 7, 8, 9)],
        [(0, 1, 2, 3), (4, 5)],
        [(0, 1, 2), (3, 4)],
    ):
        size = sum(map(len, groups))
        name = f"look-alike groups of {'+'.join(str(len(group)) for group in groups)}, 0.7, x 100"
        chances = alike(groups, 0.7, 0.9)
        yield Row(name=name, model=equal(chances, 100), true=("confused-pair",))
    for size, low in ((4, 0.4), (10, 0.4), (10, 0.7)):
        hard = [low + (1 - low) * place / (size - 1) for place in range(size)]
        name = f"even mistakes, classes from {low} to 1.0, {size} x 50"
        yield Row(name=name, model=equal(even(hard), 50))
    for seed, images in ((0, 50), (1, 50), (2, 50), (3, 50), (0, 500), (1, 500), (2, 500)):
        # Unequal crowding makes some confusions one-way: no claim but the attractor is false.
        name = f"likenesses in a plane, 0.8, 10 x {images}, no. {seed}"
        true = ("confused-pair", "one-way")
        yield Row(name=name, model=equal(similar(10, 0.8, seed), images), true=true)


def guessing() -> Iterator[Row]:
    """Models that do not look at the image and favour no answer."""
    for size, images in ((2, 50), (3, 30), (6, 78), (10, 2), (10, 50), (10, 500), (100, 5)):
        name = f"guessing, {size} x {images}"
        yield Row(name=name, model=equal(blind([1 / size] * size), images))
    sizes = (5, 5, 10, 10, 20, 40, 60, 80, 120, 150)
    yield Row(
        name="guessing, 5 to 150 images", model=Simulated(chances=blind([0.1] * 10), sizes=sizes)
    )
    model = Simulated(chances=blind([1 / 3] * 3), sizes=(10, 90, 200))
    yield Row(name="guessing, 10, 90 and 200 images", model=model)


def defective() -> Iterator[Row]:
    """Models with a defect; `true` is what should be found."""
    for name in reference.names():
        counts = reference.published(name).confusion.counts
        chances = tuple(tuple(count / sum(row) for count in row) for row in counts)
        for share in (1.0, 0.5, 0.2):
            sizes = tuple(round(share * sum(row)) for row in counts)
            model = Simulated(chances=chances, sizes=sizes)
            yield Row(
                name=f"as published, {name}, {sum(sizes)} images", model=model, true=("attractor",)
            )
    for size, images in ((3, 50), (6, 50), (10, 10), (10, 50)):
        chances = blind([0.6] + [0.4 / (size - 1)] * (size - 1))
        name = f"blind, one answer in 60%, {size} x {images}"
        yield Row(name=name, model=equal(chances, images), true=("attractor",))
    good = even([0.9] * 10)
    for share in (0.1, 0.2, 0.4):
        chances = drawn(good, 0, share, range(1, 6))
        name = f"0.9, five classes lose {share:.0%} to one, 10 x 50"
        yield Row(name=name, model=equal(chances, 50), true=("attractor",))
    for share in (0.1, 0.2, 0.4):
        name = f"0.9, one class loses {share:.0%} to another, 10 x 50"
        model = equal(drawn(good, 0, share, [1]), 50)
        yield Row(name=name, model=model, true=("confused-pair",))
        yield Row(name=name, model=model, true=("one-way",))
    for images in (10, 20, 50):
        name = f"0.9, one class always answered as the next, 10 x {images}"
        model = equal(drawn(good, 1, 1.0, [0]), images)
        lost = tuple(
            tuple(0.0 if place == 0 else chance / (1 - row[0]) for place, chance in enumerate(row))
            for row in model.chances
        )
        yield Row(name=name, model=equal(lost, images), true=("never-answered",))


def equal(chances: Chances, images: int) -> Simulated:
    """The model on as many images of each class."""
    return Simulated(chances=chances, sizes=(images,) * len(chances))


def table(title: str, rows: Iterable[Row], runs: int, only: str) -> None:
    """Print the shares of runs with a false claim."""
    print(
        f"\n{title}\n{'':52}{'any':>8}", *(f"{claim:>15}" for claim in CLAIMS), f"{'no-better':>11}"
    )
    for row in rows:
        if only not in row.name:
            continue
        found: Counter[str] = Counter()
        for report in row.model.reports(runs, seed=len(row.name)):
            said = claims(diagnose(report))
            false = said.intersection(CLAIMS).difference(row.true)
            found.update([*false, *(["any"] if false else []), *said.intersection(["no-better"])])
        shares = (f"{found[claim] / runs:>15.2%}" for claim in CLAIMS)
        print(
            f"{row.name:52}{found['any'] / runs:>8.2%}",
            *shares,
            f"{found['no-better'] / runs:>11.2%}",
        )


def power(rows: Iterable[Row], runs: int, only: str) -> None:
    """Print the shares of runs with the claim that is deserved."""
    print("\nfound where it is")
    for row in rows:
        if only in row.name:
            found = sum(
                set(row.true) <= claims(diagnose(report))
                for report in row.model.reports(runs, seed=len(row.name))
            )
            print(f"{row.name:60}{' '.join(row.true):16}{found / runs:>8.1%}")


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--only", default="", help="rows whose name contains this")
    options = parser.parse_args()
    began = time.perf_counter()
    table("false claims of models that see", harmless(), options.runs, options.only)
    table("false claims of models that guess", guessing(), options.runs, options.only)
    power(defective(), max(1, options.runs // 4), options.only)
    error = math.sqrt(0.05 * 0.95 / options.runs)
    print(
        f"\n{options.runs} runs a row (a quarter of them in the last table), "
        f"{time.perf_counter() - began:.0f} s; the standard error of a share of 5% is {error:.2%}"
    )


if __name__ == "__main__":
    main()
