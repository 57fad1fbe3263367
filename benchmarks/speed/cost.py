"""Cases that cost CPU: a question, the start of pytest, the embedded model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.speed.bench import Measured, in_turn, measure, median, paired, say
from benchmarks.speed.child import RunFailed, run
from benchmarks.speed.peers import THIS, contenders
from benchmarks.speed.results import Row
from benchmarks.speed.workload import ROOT, generated
from benchmarks.stub_ollama import StubOllama

if TYPE_CHECKING:
    from benchmarks.speed.bench import Bench

MOST_CPU = 1.5
MOST_START_MS = 10.0
LEAST_IMAGES_S = 100.0
LEAST_PAIRS = 15
PLAIN = "plain pytest"


def cpu(bench: Bench) -> list[Row]:
    """5,000 images without service time: CPU of the whole process an image."""
    count = 1000 if bench.quick else 5000
    work = generated(bench.folder() / "project", count)
    them = {one.name: one for one in contenders(bench.python) if one.name in (THIS, PLAIN)}
    with StubOllama(service_ms=0) as stub:
        runs, failed = in_turn(
            (PLAIN, THIS), bench.rounds(5), lambda name: measure(bench, them[name], work, stub)
        )
    value, note = None, "; ".join(failed.values())
    if not failed:
        value = paired(runs[THIS], runs[PLAIN], lambda spent: spent.cpu_s)
        each = {name: 1e3 * median(r.spent.cpu_s for r in runs[name]) / count for name in runs}
        note = f"{each[THIS]:.2f} ms, plain {each[PLAIN]:.2f} ms"
    details = {name: [one.spent.cpu_s for one in some] for name, some in runs.items()}
    return [
        Row(
            case="cpu", what=f"{count:,} images, 0 ms: CPU an image", value=value,
            unit="x plain pytest's", side="at most", bar=MOST_CPU, note=note, details=details,
        )
    ]  # fmt: skip


def startup(bench: Bench) -> list[Row]:
    """One empty test: what the plugin adds to the start of pytest."""
    folder = bench.folder()
    (folder / "test_nothing.py").write_text("def test_nothing():\n    pass\n", "utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", "utf-8")
    command = (bench.python, "-m", "pytest", "-q", "test_nothing.py")
    commands = {"with": command, "without": (*command, "-p", "no:pytest_llmclf.plugin")}
    for words in commands.values():  # compiles what is not compiled yet
        run(words, cwd=folder)
    pairs = max(LEAST_PAIRS, 2 * bench.runs)
    runs, _ = in_turn(
        tuple(commands),
        pairs,
        lambda name: Measured(spent=run(commands[name], cwd=folder), stats={}),
    )
    rows = []
    for what, key in (("wall", "wall_s"), ("CPU", "cpu_s")):
        on, off = ([getattr(one.spent, key) for one in runs[name]] for name in commands)
        extra = 1e3 * median(a - b for a, b in zip(on, off, strict=True))
        rows.append(
            Row(
                case="startup", what=f"pytest without an evaluation: {what} that the plugin adds",
                value=extra, unit="ms", side="at most", bar=MOST_START_MS,
                note=f"{1e3 * median(on):.0f} ms with, {1e3 * median(off):.0f} ms without, "
                f"{pairs} pairs",
                details={"with": on, "without": off},
            )
        )  # fmt: skip
    return rows


def embedded(bench: Bench) -> list[Row]:
    """The repository's own three evaluations on the embedded model, from an empty store."""
    rates: list[float] = []
    note = ""
    for _ in range(bench.rounds(3)):
        folder = bench.folder()
        command = (
            bench.python, "-m", "pytest", "evals", "-q", "--llmclf-model", "llamacpp:micro-llava",
            f"--llmclf-home={folder / 'home'}", f"--llmclf-run={folder / 'run'}",
        )  # fmt: skip
        try:
            spent = run(command, cwd=ROOT)
        except RunFailed as error:
            note = str(error).splitlines()[0]
            say(str(error))
            break
        with (folder / "run" / "outcomes.jsonl").open(encoding="utf-8") as file:
            images = sum(1 for _ in file)
        rates.append(images / spent.wall_s)
        note = f"{images} images in {spent.wall_s:.1f} s, llama-server's start included"
        say(f"embedded: {rates[-1]:.0f} images/s, {note}")
    return [
        Row(
            case="embedded", what="embedded model, all three datasets",
            value=median(rates) if rates else None, unit="images/s", side="at least",
            bar=LEAST_IMAGES_S, note=note, details={"rates": rates},
        )
    ]  # fmt: skip
