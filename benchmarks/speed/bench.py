"""What every measurement needs: settings, folders, and runs in turn."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.speed.child import RunFailed, Spent, run
from benchmarks.speed.workload import MODEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from benchmarks.speed.peers import Contender
    from benchmarks.speed.workload import Workload
    from benchmarks.stub_ollama import StubOllama


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Settings of one run of the benchmarks.

    Attributes:
        scratch: A folder for everything that is written.
        python: Interpreter that runs the plugin and plain pytest.
        runs: Times that each thing is measured.
        quick: Whether to measure less of everything.
        peers_folder: Where the peers are installed.
        with_peers: Whether to measure them.
    """

    scratch: Path
    python: str
    runs: int
    quick: bool
    peers_folder: Path | None
    with_peers: bool

    def folder(self) -> Path:
        """A new empty folder."""
        return Path(tempfile.mkdtemp(dir=self.scratch))

    def rounds(self, wanted: int | None = None) -> int:
        """How often something is measured, if it has no reason to be measured more often."""
        return self.runs if wanted is None else min(self.runs, wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run and what the server saw of it."""

    spent: Spent
    stats: Mapping[str, Any]


def say(text: str) -> None:
    """Tell what is going on, on standard error."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def run_plugin(
    bench: Bench,
    work: Workload,
    server: str,
    home: Path,
    *more: str,
    quiet: bool = False,
    env: Mapping[str, str] | None = None,
) -> Spent:
    """The plugin on a workload, with every report that it makes by default.

    Raises:
        RunFailed: It did not end well.
    """
    # With "=": pytest takes a word that is an existing path for one of its arguments when it looks
    # for its root folder, and all runs would share a cache of node ids.
    command = (
        bench.python, "-m", "pytest", "evals", f"--llmclf-home={home}",
        "--llmclf-model", f"ollama:{MODEL}", *(("-q",) if quiet else ()), *more,
    )  # fmt: skip
    return run(command, cwd=work.folder, env={"OLLAMA_HOST": server, **(env or {})})


def measure(bench: Bench, contender: Contender, work: Workload, stub: StubOllama) -> Measured:
    """Run a contender's commands, one after the other, on a server that counts from nothing.

    Raises:
        RunFailed: It ended badly, or the server did not answer exactly one question an image.
    """
    new = str(bench.folder())
    env = {key: value.format(server=stub.netloc, new=new) for key, value in contender.env.items()}
    stub.reset()
    spent: Spent | None = None
    for command in contender.commands:
        words = [word.replace("{new}", new) for word in command]
        step = run(words, cwd=work.folder, env=env, codes=contender.codes)
        spent = step if spent is None else spent.plus(step)
    assert spent is not None  # noqa: S101 - every contender has a command
    stats = stub.stats()
    if stats["answered"] != work.count or stats["distinct"] != work.count:
        raise RunFailed(
            f"{contender.name}: {stats['answered']} answers to {stats['distinct']} questions, "
            f"not {work.count}:\n{spent.output}"
        )
    return Measured(spent=spent, stats=stats)


def in_turn(
    names: Sequence[str], rounds: int, once: Callable[[str], Measured]
) -> tuple[dict[str, list[Measured]], dict[str, str]]:
    """Measure A B C, A B C, ...; what fails is left out from then on.

    Returns:
        The measurements by name, and by name why something failed.
    """
    measured: dict[str, list[Measured]] = {name: [] for name in names}
    failed: dict[str, str] = {}
    for turn in range(rounds):
        for name in names:
            if name in failed:
                continue
            try:
                one = once(name)
            except RunFailed as error:
                failed[name] = str(error)
                say(f"{name} failed: {error}")
                continue
            measured[name].append(one)
            busy = f", busy {one.stats['utilisation']:.1%}" if one.stats else ""
            say(
                f"{turn + 1}/{rounds} {name}: {one.spent.wall_s:.2f} s, "
                f"cpu {one.spent.cpu_s:.2f} s{busy}"
            )
    return measured, failed


def median(values: Iterable[float]) -> float:
    """The median."""
    return statistics.median(values)


def paired(
    measured: Sequence[Measured], floor: Sequence[Measured], what: Callable[[Spent], float]
) -> float:
    """Median of the ratios to the floor of the same round."""
    pairs = zip(measured, floor, strict=False)
    return median(what(one.spent) / what(other.spent) for one, other in pairs)
