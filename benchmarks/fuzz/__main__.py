"""A great many inputs to everything that reads what others wrote, each within a second.

    python -m benchmarks.fuzz --count 1000000 --seed 1 [--only answers,gates] [--write]
    python -m benchmarks.fuzz --list
    python -m benchmarks.fuzz --guided tests/fuzz/test_images.py::test_damaged --seconds 120

An input is a sound one with a few random changes (bits, cuts, repeated and foreign pieces, now and
then a piece repeated to 64 KB), or made at random as its target says. Each must be read, or refused
by the kind of error that its reader documents, in a second of this thread's time (of the processor,
so that a busy machine does not count). The first one that is neither is printed as Python writes it
and ends the run with 1. The same seed and count make the same inputs. ``--write`` puts the table
into ``docs/reliability.md``.

Guided runs are those of `benchmarks.fuzz.guided`.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.fuzz import guided
from benchmarks.fuzz.targets import Target, targets

if TYPE_CHECKING:
    from collections.abc import Iterator

BOUND_S = 1.0
"""Most time of the processor that one input may take."""
DOCUMENT = Path("docs") / "reliability.md"
_TABLE = re.compile(r"(<!-- inputs -->\n).*?(<!-- end of inputs -->\n)", re.DOTALL)


def tried(target: Target, rng: random.Random) -> tuple[bool, float]:
    """Whether one input was read, and the seconds that it took.

    Raises:
        SystemExit: It was neither read nor refused, or took too long.
    """
    data = target.one(rng)
    began = time.thread_time()
    try:
        target.read(data)
    except target.refuses:
        read = False
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the finding
        sys.exit(f"{target.name}: {type(error).__name__}: {error}\n{data[:2000]!r}")
    else:
        read = True
    spent = time.thread_time() - began
    if spent > BOUND_S:
        sys.exit(f"{target.name}: {spent:.1f} s for {len(data)} bytes\n{data[:2000]!r}")
    return read, spent


def lines(options: argparse.Namespace) -> Iterator[str]:
    """Try them all; a table in Markdown and a sentence, line by line."""
    wanted = {name for name in options.only.split(",") if name}
    yield "| what is read | inputs | read | refused | slowest |\n|---|---|---|---|---|"
    total, worst = 0, 0.0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        chosen = [one for one in targets(Path(folder)) if not wanted or one.name in wanted]
        shares = sum(target.share for target in chosen)
        for target in chosen:
            rng = random.Random(f"{options.seed} {target.name}")  # noqa: S311 - no secrets
            count = -(-options.count * target.share // shares)
            good, slowest = 0, 0.0
            for _ in range(count):
                read, spent = tried(target, rng)
                good += read
                slowest = max(slowest, spent)
            total += count
            worst = max(worst, slowest)
            shown = f"{slowest * 1000:.0f} ms"
            yield f"| {target.name} | {count} | {good} | {count - good} | {shown} |"
    yield f"\n{total} inputs, seed {options.seed}: 0 failures, slowest {worst * 1000:.0f} ms."


def write(table: list[str]) -> None:
    """Put a table into the document."""
    text, changes = _TABLE.subn(
        lambda found: f"{found[1]}{chr(10).join(table)}\n{found[2]}", DOCUMENT.read_text("utf-8")
    )
    if changes != 1:
        sys.exit(f"{DOCUMENT} has no place for the table")
    DOCUMENT.write_text(text, "utf-8")


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=100_000, help="inputs (%(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="targets, separated by commas")
    parser.add_argument("--write", action="store_true", help=f"put the table into {DOCUMENT}")
    parser.add_argument("--list", action="store_true", help="list targets and guided tests")
    parser.add_argument("--guided", metavar="FILE::TEST", help="one test under atheris")
    parser.add_argument("--seconds", type=int, default=60, help="of a guided run (%(default)s)")
    options = parser.parse_args()
    if options.list:
        names = [target.name for target in targets(Path())]
        sys.stdout.writelines(f"{name}\n" for name in (*names, *guided.names()))
    elif options.guided:
        guided.fuzz(options.guided, options.seconds)
    else:
        table = []
        for line in lines(options):
            print(line, flush=True)
            table.append(line)
        if options.write:
            write(table)


if __name__ == "__main__":
    main()
