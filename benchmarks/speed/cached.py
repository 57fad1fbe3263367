"""Cases that ask nothing: all answers are known already."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from benchmarks.speed.bench import median, run_plugin, say
from benchmarks.speed.child import RunFailed, run
from benchmarks.speed.results import Row
from benchmarks.speed.workload import bundled, generated, part
from benchmarks.stub_ollama import StubOllama

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.speed.bench import Bench
    from benchmarks.speed.child import Spent
    from benchmarks.speed.workload import Workload

SIZES = (25_000, 50_000, 100_000)
QUICK_SIZES = (2500, 5000, 10_000)
MOST_WALL_S = 2.5
MOST_MEMORY = 1.3
MOST_BEND = 1.15
"""How much dearer a case may be in the second half than in the first: 1 is a straight line."""


def cached(bench: Bench) -> list[Row]:
    """500 digits, every answer known: with the server there, and without it."""
    work = bundled(bench.folder() / "project")
    home = bench.folder()
    with StubOllama(service_ms=0) as stub:
        run_plugin(bench, work, stub.netloc, home)
        stub.reset()
        there = _again(bench, work, home, stub.netloc, "500 images, all known, server on")
        asked = stub.stats()["chats"]
        stub.kill()
        gone = _again(bench, work, home, stub.netloc, "500 images, all known, server off")
    questions = Row(
        case="cached", what="500 images, all known: questions asked",
        value=asked, unit="questions", side="exactly", bar=0,
    )  # fmt: skip
    return [there, gone, questions]


def _again(bench: Bench, work: Workload, home: Path, server: str, what: str) -> Row:
    walls: list[float] = []
    note = ""
    for _ in range(bench.runs):
        folder = bench.folder() / "run"
        try:
            spent = run_plugin(bench, work, server, home, f"--llmclf-run={folder}")
        except RunFailed as error:
            say(str(error))
            note = f"ended badly: {str(error).splitlines()[0]}"
            break
        walls.append(spent.wall_s)
        say(f"{what}: {spent.wall_s:.2f} s, cpu {spent.cpu_s:.2f} s")
        if (known := _known(folder)) != work.count:
            note = f"only {known} of {work.count} came from the store"
            break
    return Row(
        case="cached", what=what, value=None if note else median(walls), unit="s whole process",
        side="at most", bar=MOST_WALL_S, note=note, details={"walls_s": walls},
    )  # fmt: skip


def _known(folder: Path) -> int:
    """How many outcomes of a run came from the store."""
    with (folder / "outcomes.jsonl").open(encoding="utf-8") as file:
        return sum(bool(json.loads(line).get("cached")) for line in file)


def many(bench: Bench) -> list[Row]:
    """100,000 cases from the store: memory and time a case, and whether both grow straight.

    The store is filled by a run of the plugin against a server without service time.
    """
    sizes = QUICK_SIZES if bench.quick else SIZES
    whole = generated(bench.folder() / "project", sizes[-1])
    works = [part(whole, bench.folder() / "project", size) for size in sizes[:-1]] + [whole]
    home = bench.folder()
    say(f"filling the store with {sizes[-1]:,} answers")
    ours: list[Spent] = []
    theirs: list[Spent] = []
    with StubOllama(service_ms=0) as stub:
        filled = run_plugin(bench, whole, stub.netloc, home, quiet=True)
        say(f"filled in {filled.wall_s:.0f} s, cpu {filled.cpu_s:.0f} s")
        stub.reset()
        for work in works:
            ours.append(run_plugin(bench, work, stub.netloc, home, quiet=True))
            plain = ("-m", "pytest", "-q", "-p", "no:pytest_llmclf.plugin", "test_trivial.py")
            theirs.append(run((bench.python, *plain), cwd=work.folder))
            for name, spent in (("plugin", ours[-1]), ("plain", theirs[-1])):
                say(f"{work.count:,} {name}: {spent.wall_s:.1f} s, {spent.peak_bytes / 1e6:.0f} MB")
        asked = stub.stats()["chats"]
    memory = [_slope([one.peak_bytes for one in spent], sizes) for spent in (ours, theirs)]
    cpu = [_slope([one.cpu_s for one in spent], sizes) for spent in (ours, theirs)]
    details = {
        "sizes": sizes,
        "fill_wall_s": filled.wall_s,
        **{
            f"{key} of {name}": [getattr(one, key) for one in spent]
            for name, spent in (("plugin", ours), ("plain", theirs))
            for key in ("wall_s", "cpu_s", "peak_bytes")
        },
    }
    most = f"{sizes[-1]:,}"
    return [
        Row(
            case="many", what=f"{most} known cases: memory a case", value=memory[0] / memory[1],
            unit="x plain pytest's", side="at most", bar=MOST_MEMORY, details=details,
            note=f"{memory[0] / 1e3:.1f} kB, plain {memory[1] / 1e3:.1f} kB; "
            f"peak {ours[-1].peak_bytes / 1e6:.0f} MB, plain {theirs[-1].peak_bytes / 1e6:.0f} MB",
        ),
        Row(
            case="many", what=f"{most} known cases: CPU a case", value=cpu[0] * 1e3, unit="ms",
            note=f"plain {cpu[1] * 1e3:.2f} ms; whole run {ours[-1].wall_s:.0f} s, "
            f"plain {theirs[-1].wall_s:.0f} s",
        ),
        Row(
            case="many", what=f"{most} known cases: bend of CPU time",
            value=_bend([one.cpu_s for one in ours], sizes), unit="x a straight line",
            side="at most", bar=MOST_BEND,
        ),
        Row(
            case="many", what=f"{most} known cases: bend of memory",
            value=_bend([one.peak_bytes for one in ours], sizes), unit="x a straight line",
            side="at most", bar=MOST_BEND,
        ),
        Row(
            case="many", what=f"{most} known cases: questions asked", value=asked,
            unit="questions", side="exactly", bar=0,
        ),
    ]  # fmt: skip


def _slope(values: list[float], sizes: tuple[int, ...]) -> float:
    return (values[-1] - values[0]) / (sizes[-1] - sizes[0])


def _bend(values: list[float], sizes: tuple[int, ...]) -> float:
    """What a case adds between the last two sizes against what it adds between the first two."""
    first = (values[1] - values[0]) / (sizes[1] - sizes[0])
    return (values[2] - values[1]) / (sizes[2] - sizes[1]) / first
