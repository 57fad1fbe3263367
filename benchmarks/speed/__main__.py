"""`python -m benchmarks.speed`: measure, print the table, exit with 1 where a bar is missed."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.speed import asking, cached, cost, variants
from benchmarks.speed.bench import Bench, say
from benchmarks.speed.peers import python_of
from benchmarks.speed.results import Row, save, table

if TYPE_CHECKING:
    from collections.abc import Callable

CASES: dict[str, Callable[[Bench], list[Row]]] = {
    "peers": asking.against_peers,
    "busy": asking.busy,
    "cached": cached.cached,
    "cpu": cost.cpu,
    "many": cached.many,
    "startup": cost.startup,
    "embedded": cost.embedded,
    "pool": asking.pool,
    "workers": asking.workers,
    "variants": variants.grid,
}


def main() -> int:
    """Measure what was asked for."""
    said = _arguments()
    # As Ctrl-C does: what is being measured is ended, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="llmclf-speed-", dir=said.scratch) as scratch:
        bench = Bench(
            scratch=Path(scratch),
            python=python_of(said.peers_folder),
            runs=said.runs or (3 if said.quick else 7),
            quick=said.quick,
            peers_folder=said.peers_folder,
            with_peers=said.peers,
        )
        for name in said.only or CASES:
            say(f"case {name}")
            try:
                rows += CASES[name](bench)
            except Exception as error:  # noqa: BLE001 - the other cases still count
                rows.append(
                    Row(case=name, what=name, value=None, unit="", side="exactly", bar=0,
                        note=f"not measured: {type(error).__name__}: {error}".splitlines()[0])
                )  # fmt: skip
                say(f"{name}: {error}")
            if said.json is not None:  # after each case: a run that is stopped is not lost
                save(said.json, rows, {"runs": bench.runs, "quick": bench.quick})
    print(table(rows))
    return 1 if any(row.met is False for row in rows) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="fewer images and runs")
    add("--only", action="append", choices=list(CASES), help="this case; may be repeated")
    add("--runs", type=int, help="times that each thing is measured (default: 7, quick: 3)")
    add("--peers", action="store_true", help="measure the peers, too; needs --peers-folder")
    add("--peers-folder", type=lambda text: Path(text).absolute(), metavar="FOLDER",
        help="where `python -m benchmarks.speed.peers FOLDER` installed them")  # fmt: skip
    add("--scratch", type=Path, help="where temporary folders are made")
    add("--json", type=Path, metavar="FILE", help="write everything measured there")
    said = parser.parse_args()
    if said.peers and said.peers_folder is None:
        parser.error("--peers needs --peers-folder")
    return said


if __name__ == "__main__":
    sys.exit(main())
