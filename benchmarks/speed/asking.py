"""Cases that ask: against the floor and the peers, the server's slots, several servers, workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.speed.bench import in_turn, measure, median, paired, run_plugin, say
from benchmarks.speed.child import RunFailed, run
from benchmarks.speed.peers import FLOOR, THIS, contenders, peers
from benchmarks.speed.results import Row
from benchmarks.speed.workload import bundled, generated
from benchmarks.stub_ollama import StubOllama

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.speed.bench import Bench, Measured
    from benchmarks.speed.peers import Contender

SERVICE_MS = 20.0
SLOTS = 4
MOST_WALL = 1.25
LEAST_BUSY = 0.96
LEAST_OF_POOL = 0.93
SECOND_SERVICE_MS = 40.0
LEAST_PER_SECOND = 2 * 1000.0


def against_peers(bench: Bench) -> list[Row]:
    """500 digits, 20 ms, 4 slots: whole processes, as ratios to the floor of the same round."""
    work = bundled(bench.folder() / "project")
    all_of_them = list(contenders(bench.python))
    if bench.with_peers:
        all_of_them += peers(bench.peers_folder)
    missing = {one.name: one.missing for one in all_of_them if one.missing}
    there = {one.name: one for one in all_of_them if not one.missing}
    for one in there.values():
        if one.before:
            run(one.before, cwd=work.folder)
    with StubOllama(service_ms=SERVICE_MS, slots=SLOTS) as stub:
        measured, failed = in_turn(
            tuple(there), bench.runs, lambda name: measure(bench, there[name], work, stub)
        )
    reasons = {**missing, **{name: text.splitlines()[0] for name, text in failed.items()}}
    return [
        _ratio(one, measured.get(one.name, []), measured[FLOOR], reasons) for one in all_of_them
    ]


def _ratio(
    one: Contender, runs: Sequence[Measured], floor: Sequence[Measured], reasons: dict[str, str]
) -> Row:
    ours = one.name == THIS
    if one.name in reasons or not runs or not floor:
        value, note, details = None, reasons.get(one.name, "no floor to compare with"), {}
    else:
        value = paired(runs, floor, lambda spent: spent.wall_s)
        wall_s, cpu_s = (
            median(getattr(run.spent, key) for run in runs) for key in ("wall_s", "cpu_s")
        )
        note = f"{wall_s:.2f} s, CPU {cpu_s:.2f} s; {one.how}"
        details = {
            "wall_s": wall_s,
            "cpu_s": cpu_s,
            "walls_s": [run.spent.wall_s for run in runs],
            "busy": median(run.stats["utilisation"] for run in runs),
            "peak_mb": median(run.spent.peak_bytes / 1e6 for run in runs),
            "version": one.version,
            "how": one.how,
        }
    return Row(
        case="peers", what=f"500 images: {one.name} {one.version}".rstrip(),
        value=value, unit="x the floor's wall",
        side="at most" if ours else "", bar=MOST_WALL if ours else None,
        note=note, details={"name": one.name, **details},
    )  # fmt: skip


def busy(bench: Bench) -> list[Row]:
    """5,000 images: how busy the plugin keeps the server while it asks."""
    count = 1000 if bench.quick else 5000
    work = generated(bench.folder() / "project", count)
    ours = next(one for one in contenders(bench.python) if one.name == THIS)
    with StubOllama(service_ms=SERVICE_MS, slots=SLOTS) as stub:
        runs, failed = in_turn((THIS,), bench.rounds(3), lambda _: measure(bench, ours, work, stub))
    found = runs[THIS]
    value = median(one.stats["utilisation"] for one in found) if found else None
    note = f"{median(one.spent.wall_s for one in found):.1f} s whole run" if found else failed[THIS]
    return [
        Row(
            case="busy", what=f"{count:,} images: slots busy while asking", value=value,
            unit="of slot time", side="at least", bar=LEAST_BUSY, note=note,
            details={"runs": [dict(one.stats) for one in found]},
        )
    ]  # fmt: skip


def pool(bench: Bench) -> list[Row]:
    """1,000 images on two servers, one half as fast: share of what both together can do."""
    work = generated(bench.folder() / "project", 1000)
    capacity = SLOTS / SERVICE_MS * 1000 + SLOTS / SECOND_SERVICE_MS * 1000
    shares: list[float] = []
    split: list[list[int]] = []
    note = ""
    with (
        StubOllama(service_ms=SERVICE_MS, slots=SLOTS) as fast,
        StubOllama(service_ms=SECOND_SERVICE_MS, slots=SLOTS) as slow,
    ):
        for _ in range(bench.rounds(5)):
            for stub in (fast, slow):
                stub.reset()
            try:
                run_plugin(bench, work, f"{fast.netloc},{slow.netloc}", bench.folder())
            except RunFailed as error:
                note = str(error)
                break
            stats = [fast.stats(), slow.stats()]
            if any(one["first_s"] is None for one in stats):
                note = "one of the servers was never asked"
                break
            first, last = min(s["first_s"] for s in stats), max(s["last_s"] for s in stats)
            split.append([one["answered"] for one in stats])
            shares.append(sum(split[-1]) / (last - first) / capacity)
            say(f"pool: {shares[-1]:.1%} of the capacity, {split[-1]}")
    return [
        Row(
            case="pool", what="1,000 images on two servers: of their capacity together",
            value=median(shares) if shares else None, unit="of the capacity",
            side="at least", bar=LEAST_OF_POOL, note=note.splitlines()[0] if note else "",
            details={"shares": shares, "split": split},
        )
    ]  # fmt: skip


def workers(bench: Bench) -> list[Row]:
    """500 digits, four xdist workers: nothing is asked twice."""
    work = bundled(bench.folder() / "project")
    chats: list[int] = []
    walls: list[float] = []
    note = ""
    with StubOllama(service_ms=SERVICE_MS, slots=SLOTS) as stub:
        for _ in range(bench.rounds(3)):
            stub.reset()
            try:
                spent = run_plugin(bench, work, stub.netloc, bench.folder(), "-n", "4")
            except RunFailed as error:
                note = str(error).splitlines()[0]
                break
            chats.append(stub.stats()["chats"])
            walls.append(spent.wall_s)
            say(f"workers: {chats[-1]} questions, {spent.wall_s:.2f} s")
    worst = max(chats, key=lambda count: abs(count - work.count)) if chats else None
    return [
        Row(
            case="workers", what="500 images, -n 4: questions that the server got", value=worst,
            unit="questions", side="exactly", bar=work.count,
            note=note or f"{median(walls):.2f} s", details={"chats": chats, "walls_s": walls},
        )
    ]  # fmt: skip
