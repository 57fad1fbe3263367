"""How long ``llmclf judge`` takes for a table of many answers.

    python -m benchmarks.judge                       100,000 rows, labels and texts, three runs each
    python -m benchmarks.judge --beside OTHER_TREE   the same with another checkout, by turns

Ten classes, 80% right. ``label`` rows predict a label, ``text`` rows answer in one of ten
sentences, ``free`` rows in a sentence each. Processor seconds of the whole command, which say
nearly the same on a busy machine, and seconds on the clock.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CLASSES = [f"class {number}" for number in range(10)]
KINDS = {
    "label": ("predicted", "{named}"),
    "text": ("answer", "It is {named}."),
    "free": ("answer", "In image {place} I see {named}."),
}


def write_table(path: Path, kind: str, rows: int) -> None:
    """A table with so many answers."""
    chance = random.Random(1)  # noqa: S311 - no secret
    column, form = KINDS[kind]
    with path.open("w", encoding="utf-8") as file:
        file.write(f"path,label,{column}\n")
        for place in range(rows):
            label = chance.choice(CLASSES)
            named = label if chance.random() < 0.8 else chance.choice(CLASSES)  # noqa: PLR2004
            file.write(f"{label}/{place}.png,{label},{form.format(place=place, named=named)}\n")


def judged(tree: Path, table: Path) -> tuple[float, float]:
    """Processor seconds and seconds of one command, of the package in a tree."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "pytest_llmclf", "judge", str(table), "--home", "home"],
        cwd=table.parent,
        env={**os.environ, "PYTHONPATH": str(tree)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    spent, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, spent


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=["label", "text"])
    parser.add_argument("--beside", type=Path, help="another checkout")
    given = parser.parse_args()
    trees = [Path(__file__).parents[1], *([given.beside.absolute()] if given.beside else [])]
    with tempfile.TemporaryDirectory() as folder:
        for kind in given.kinds:
            table = Path(folder) / f"{kind}.csv"
            write_table(table, kind, given.rows)
            found: dict[Path, list[tuple[float, float]]] = {tree: [] for tree in trees}
            for _ in range(given.runs):
                for tree in trees:
                    found[tree].append(judged(tree, table))
            for tree, times in found.items():
                for name, each in zip(
                    ("processor", "clock"), zip(*times, strict=True), strict=True
                ):
                    spread = f"{min(each):.1f} to {max(each):.1f}"
                    print(
                        f"{kind:6} {given.rows:,} rows, {name} seconds: "
                        f"{statistics.median(each):.1f} ({spread})  {tree}"
                    )


if __name__ == "__main__":
    main()
