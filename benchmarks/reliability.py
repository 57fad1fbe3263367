"""What kills, faults of the server and jumps of the clock cost a run.

    python -m benchmarks.reliability [--kills 50] [--images 120] [--seed 1] [--only kills,server]

Every row is measured with a stub server that counts questions: `asked again` are questions that
it had answered completely before. `received` are answers that pytest had read, noted in a file
before they are stored; `lost` are those of them that the next run did not find. Prints a table in
Markdown. Exits with 1 if an answer that was on disk was asked for again, or a run was incomplete.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.stub_ollama import StubOllama
from benchmarks.stub_ollama.faults import MODES
from tests.e2e.test_embedded import descendants
from tests.faults.kills import IN_FLIGHT, Cost, kill_and_resume
from tests.faults.project import LABELS, Ended, Project, ended, wait_for
from tests.faults.test_limits import limited
from tests.processes import gone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_HEALED = tuple(mode for mode in MODES if mode != "redirect")
_DEAD_BOUND_S = 40.0
_SLOW = frozenset(("stall", "drip"))
"""Faults that last as long as an answer may take, which is five minutes by default."""
_LEAST_MIB, _MOST_MIB = 80, 400
_COMPLETE = "all 12 images answered, exit code 0"
_REFUSED = "no image asked, each an error with the one cause and its remedy, exit code 1"
_JUMPS = ("-400d", "-1h", "+1h", "+400d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fault and what it came to.

    Attributes:
        fault: What was done.
        result: What it cost, in numbers.
        sound: Whether the promise was kept.
    """

    fault: str
    result: str
    sound: bool


@contextmanager
def prepared(images: int, service_ms: float = 10) -> Iterator[tuple[Project, StubOllama]]:
    """A new project and a server that has counted nothing."""
    with (
        tempfile.TemporaryDirectory(prefix="reliability-") as folder,
        StubOllama(service_ms=service_ms, slots=4, labels=LABELS) as stub,
    ):
        yield Project(Path(folder), images), stub


def kept(project: Project, run: Ended) -> bool:
    """Whether a run ended well with one answer to every image; if not, what it said is shown.

    Raises:
        SystemExit: It wrote no outcomes, so that there is nothing to measure.
    """
    if run.code != 0:
        print(run.text, file=sys.stderr)
        if not (project.root / "run" / "outcomes.jsonl").exists():
            sys.exit("the run above wrote no outcomes")
    return run.code == 0 and project.all_answered()


def kills(options: argparse.Namespace) -> Iterator[Row]:
    """Pytest is killed, alone and with workers."""
    ways: tuple[tuple[str, int, tuple[str, ...], bool], ...] = (
        ("kill -9 of pytest", options.kills, (), False),
        ("kill -9 of the controller of `-n 2`", options.kills // 5, ("-n2",), False),
        ("kill -9 of the controller and workers of `-n 2`", options.kills // 5, ("-n2",), True),
    )
    for fault, count, args, group in ways:
        rng = random.Random(options.seed)  # noqa: S311 - moments, no secrets
        costs: list[Cost] = []
        for number in range(count):
            with prepared(options.images) as (project, stub):
                costs.append(kill_and_resume(project, stub, rng, *args, group=group))
                if not costs[-1].complete:
                    print(costs[-1].text, file=sys.stderr)
            print(f"{fault}: {number + 1} of {count}", end="\r", file=sys.stderr)
        if costs:
            yield _killed(fault, costs, processes=2 if args else 1)


def _killed(fault: str, costs: list[Cost], *, processes: int) -> Row:
    received, stored, lost, again, repeated = (
        sum(getattr(cost, name) for cost in costs)
        for name in ("received", "stored", "lost", "again", "repeated")
    )
    worst = max(cost.repeated for cost in costs)
    incomplete = sum(not cost.complete for cost in costs)
    return Row(
        fault=f"{fault}, {len(costs)} times",
        result=f"{received} answers received, {stored} on disk at the kill, {lost} lost; "
        f"{again} of those on disk asked again; {repeated} that were still on their way asked "
        f"again, at most {worst} a kill of {IN_FLIGHT * processes} that may be in flight; "
        f"{incomplete} next runs incomplete",
        sound=again == 0 and incomplete == 0 and worst <= IN_FLIGHT * processes,
    )


def server(options: argparse.Namespace) -> Iterator[Row]:
    """Every fault of the stub, on every tenth question, and a server that is started again."""
    for mode in _HEALED:
        with prepared(options.images) as (project, stub):
            stub.fault(mode, count=options.images // 10, every=10)
            run = project.run(stub.netloc, *(["--llmclf-timeout=1"] if mode in _SLOW else []))
            told = stub.stats()
            sound = kept(project, run) and told["repeated"] == 0
            most = max(outcome["attempts"] for outcome in project.outcomes())
            yield Row(
                fault=f"`{mode}` on every 10th question",
                result=f"{len(project.stored())} of {options.images} answered, "
                f"{told['chats']} questions, {told['repeated']} asked again, "
                f"at most {most} attempts",
                sound=sound,
            )
    with prepared(options.images) as (project, stub):
        process = project.start(stub.netloc)
        wait_for(lambda: stub.stats()["answered"] >= options.images // 3, "answers")
        stub.kill()
        known = len(project.stored())
        stub.start()
        run = ended(process)
        asked = stub.stats()["chats"]
        yield Row(
            fault="server killed at a third of the run and started again",
            result=f"{known} on disk at the kill, {asked} questions to the new server, "
            f"{len(project.stored())} of {options.images} answered",
            sound=kept(project, run) and asked <= options.images - known,
        )


_PAUSES: tuple[tuple[float, int, tuple[str, ...]], ...] = (
    (1, 5, ()), (3, 5, ()), (10, 3, ()), (60, 2, ()), (3, 3, ("-n2",)), (60, 1, ("-n2",)),
)  # fmt: skip
"""Seconds that the server is away, how often that is tried, and how pytest is called."""


def outages(options: argparse.Namespace) -> Iterator[Row]:
    """The server is killed and started again after a while; every option has its default."""
    for away_s, tries, args in _PAUSES:
        lost, spent = [], []
        for number in range(tries):
            with prepared(options.images) as (project, stub):
                process = project.start(stub.netloc, *args)
                share = options.images * (number + 1) // (tries + 2)
                wait_for(lambda: stub.stats()["answered"] >= share, "answers")  # noqa: B023
                stub.kill()
                time.sleep(away_s)
                stub.start()
                back = time.monotonic()
                run = ended(process, within_s=240)
                spent.append(time.monotonic() - back)
                kept(project, run)
                lost.append(project.ledger().get("error", 0) + project.ledger().get("lost", 0))
        yield Row(
            fault=f"server away for {away_s:g} s{' under `-n 2`' if args else ''}, {tries} times",
            result=f"{sum(lost)} of {tries * options.images} images without an answer; the run "
            f"ended at most {max(spent):.0f} s after the server was back",
            sound=not any(lost),
        )
    with prepared(options.images) as (project, stub):
        process = project.start(stub.netloc, "--llmclf-server-wait=0.2")
        wait_for(lambda: stub.stats()["answered"] >= options.images // 3, "answers")
        stub.kill()
        gone_at = time.monotonic()
        run = ended(process, within_s=240)
        spent_s = time.monotonic() - gone_at
        causes = {one["message"] for one in project.outcomes() if one["kind"] == "error"}
        yield Row(
            fault="server dead for good, `--llmclf-server-wait 0.2` (12 s)",
            result=f"over {spent_s:.0f} s after it died, exit code {run.code}, "
            f"{project.ledger().get('error', 0)} errors of {len(causes)} cause",
            sound=run.code == 1 and len(causes) == 1 and spent_s < _DEAD_BOUND_S,
        )


def clocks(options: argparse.Namespace) -> Iterator[Row]:
    """The whole process sees another time from one moment on (libfaketime)."""
    if shutil.which("faketime") is None:
        yield Row(fault="clock jumps", result="not measured: no faketime here", sound=True)
        return
    for jump in _JUMPS:
        with prepared(options.images) as (project, stub):
            clock = project.root / "clock"
            clock.write_text("+0")
            environment = {
                "FAKETIME_TIMESTAMP_FILE": str(clock),
                "FAKETIME_NO_CACHE": "1",
                # Systems promise that this clock does not jump.
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
            process = project.start(
                stub.netloc, environment=environment, prefix=("faketime", "-f", "+0")
            )
            wait_for(lambda: stub.stats()["answered"] >= options.images // 3, "answers")
            clock.write_text(jump)
            run = ended(process)
            told = stub.stats()
            sound = kept(project, run) and told["repeated"] == 0
            least = min(outcome["answer"]["wall_s"] for outcome in project.outcomes())
            yield Row(
                fault=f"clock jumps by {jump} at a third of the run",
                result=f"{len(project.stored())} of {options.images} answered, "
                f"{told['repeated']} asked again, shortest duration {least * 1000:.0f} ms",
                sound=sound and least >= 0,
            )


def together(options: argparse.Namespace) -> Iterator[Row]:
    """Two runs at once on one store."""
    with prepared(options.images) as (project, stub):
        beside = project.start(stub.netloc, "--llmclf-run=beside")
        run = project.run(stub.netloc)
        other = ended(beside)
        told = stub.stats()
        yield Row(
            fault="two runs at once on one store",
            result=f"both complete, {told['chats']} questions for {options.images} images, "
            f"{told['repeated']} asked again",
            sound=kept(project, run) and kept(project, other) and told["chats"] == options.images,
        )


def embedded(options: argparse.Namespace) -> Iterator[Row]:
    """The embedded model behind a real llama-server, which must end with pytest."""
    rng = random.Random(options.seed)  # noqa: S311 - moments, no secrets
    count = options.kills // 5
    stored = again = left = incomplete = 0
    for _ in range(count):
        with tempfile.TemporaryDirectory(prefix="reliability-") as folder:
            project = Project(Path(folder), options.images, model="micro-llava")
            process = project.start("127.0.0.1:9")
            answers = rng.randrange(1, options.images * 9 // 10)
            wait_for(partial(_has_stored, project, answers), "answers")
            family = descendants(process.pid)
            process.kill()
            ended(process)
            left += sum(not gone(pid) for pid in family)
            known = len(project.stored())
            incomplete += not kept(project, project.run("127.0.0.1:9"))
            stored += known
            again += known - sum(outcome["cached"] for outcome in project.outcomes())
    yield Row(
        fault=f"kill -9 of pytest with the embedded model, {count} times",
        result=f"{stored} answers on disk at the kill, {again} of them asked again; {left} "
        f"processes left behind; {incomplete} next runs incomplete",
        sound=again == left == incomplete == 0,
    )


def _has_stored(project: Project, answers: int) -> bool:
    return len(project.stored()) >= answers


def limits(_: argparse.Namespace) -> Iterator[Row]:
    """Less and less memory and fewer and fewer processes, each tried twice."""
    if sys.platform != "linux":
        yield Row(fault="limits", result="not measured: limits as Linux has them", sound=True)
        return
    steps = [round(_LEAST_MIB * (_MOST_MIB / _LEAST_MIB) ** (n / 24)) for n in range(25)]
    memory = {f"{mib} MiB": (limited(AS=mib << 20), ()) for mib in steps}
    yield from _limited("address space (`ulimit -v`)", memory)
    # Root may have as many processes as it likes.
    user = (
        "setpriv", "--reuid=61234", "--clear-groups", "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
    )  # fmt: skip
    if shutil.which("setpriv") is None or os.getuid():
        yield Row(fault="processes", result="not measured: needs root and setpriv", sound=True)
        return
    processes = {f"{most}": (limited(NPROC=most), user) for most in range(1, 9)}
    yield from _limited("threads and processes (`ulimit -u`)", processes)


def _limited(
    what: str, tries: Mapping[str, tuple[Callable[[], None], tuple[str, ...]]]
) -> Iterator[Row]:
    """A row for limits beside each other under which runs ended alike."""
    ends: dict[str, str] = {}
    for name, (before, prefix) in tries.items():
        found = {_end_of(before, prefix) for _ in range(2)}
        ends[name] = ", or ".join(sorted(found))
    for end, group in groupby(ends, key=lambda name: ends[name]):
        names = list(group)
        shown = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
        yield Row(
            fault=f"{what}: {shown}, {2 * len(names)} runs",
            result=end,
            sound=set(end.split(", or ")) <= {_COMPLETE, _REFUSED},
        )


def _end_of(before: Callable[[], None], prefix: tuple[str, ...]) -> str:
    """In words, how a run under a limit ended."""
    with prepared(12) as (project, stub):
        try:
            run = project.run(stub.netloc, "-n0", before=before, prefix=prefix)
        except AssertionError as error:
            print(error, file=sys.stderr)
            return "hung"
        for sign in ("INTERNALERROR", "Traceback (most recent call last)", "Fatal Python error"):
            if sign in run.text:
                print(run.text, file=sys.stderr)
                return f"exit code {run.code}, {sign}"
        if run.code == 0 and project.all_answered():
            return _COMPLETE
        causes = {one["message"] for one in project.outcomes() if one["kind"] == "error"}
        told = len(causes) == 1 and project.ledger() == {"collected": 12, "error": 12}
        return _REFUSED if run.code == 1 and told else f"exit code {run.code}"


PARTS: dict[str, Callable[[argparse.Namespace], Iterator[Row]]] = {
    "kills": kills,
    "server": server,
    "outages": outages,
    "clocks": clocks,
    "together": together,
    "limits": limits,
    "embedded": embedded,
}


def main() -> int:
    """Measure and print; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--images", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default=",".join(PARTS), help="parts, separated by commas")
    options = parser.parse_args()
    print("| fault | result | kept |\n|---|---|---|", flush=True)
    sound = True
    for part in options.only.split(","):
        for row in PARTS[part](options):
            print(f"| {row.fault} | {row.result} | {'yes' if row.sound else 'NO'} |", flush=True)
            sound = sound and row.sound
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
