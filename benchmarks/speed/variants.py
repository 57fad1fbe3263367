"""A grid of variants beside as many single runs, and how busy it keeps the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.speed.bench import median, run_plugin, say
from benchmarks.speed.child import RunFailed
from benchmarks.speed.results import Row
from benchmarks.speed.workload import generated
from benchmarks.stub_ollama import StubOllama

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from benchmarks.speed.bench import Bench
    from benchmarks.speed.workload import Workload

SERVICE_MS = 20.0
SLOTS = 4
VARIANTS = 8
IMAGES = 500
MOST_TIME = 1.1
LEAST_BUSY = 0.96

_EVALUATION = '''"""Digits, asked in several ways."""

import os

from pytest_llmclf import Evaluation, product

prompts = {{f"prompt {{number}}": f"Which digit is it, {{number}}?" for number in range({count})}}
one = os.environ.get("ONE_PROMPT")
digits = Evaluation(
    dataset="digits",
    modelfile="digits",
    prompt=prompts[one] if one else "Which digit is it?",
    variants={{}} if one else product(prompt=prompts),
    gates=["accuracy >= 0.7"],
)


@digits.images
def test_image(outcome):
    """Each image gets its digit."""
    outcome.check()
'''


def grid(bench: Bench) -> list[Row]:
    """8 variants of 500 images in one run, against eight runs of one: time of asking, and slots."""
    work = generated(bench.folder() / "project", IMAGES)
    for old in (work.folder / "evals").glob("test_*.py"):
        old.unlink()
    text = _EVALUATION.format(count=VARIANTS)
    (work.folder / "evals" / "test_grid.py").write_text(text, "utf-8")
    ratios: list[float] = []
    walls: list[float] = []
    busy: list[float] = []
    note = ""
    with StubOllama(service_ms=SERVICE_MS, slots=SLOTS) as stub:
        for _ in range(bench.rounds(3)):
            try:
                alone = sum(
                    _asked(bench, work, stub, f"prompt {number}")[0] for number in range(VARIANTS)
                )
                together, stats, wall_s = _asked(bench, work, stub, "")
            except RunFailed as error:
                note = str(error).splitlines()[0]
                break
            ratios.append(together / alone)
            walls.append(wall_s / alone)
            busy.append(float(stats["utilisation"]))
            say(
                f"variants: {together:.2f} s of {alone:.2f} s, {wall_s:.2f} s whole, {busy[-1]:.1%}"
            )
    what = f"{VARIANTS} variants of {IMAGES} images"
    details = {"ratios": ratios, "walls": walls, "busy": busy}
    spread = f"whole process {median(walls):.3f} of it" if walls else note
    return [
        Row(
            case="variants", what=f"{what}: asking, of that of {VARIANTS} single runs",
            value=median(ratios) if ratios else None, unit="x their time of asking",
            side="at most", bar=MOST_TIME, note=spread, details=details,
        ),
        Row(
            case="variants", what=f"{what}: slots busy while asking",
            value=median(busy) if busy else None, unit="of slot time",
            side="at least", bar=LEAST_BUSY, note=note, details=details,
        ),
    ]  # fmt: skip


def _asked(
    bench: Bench, work: Workload, stub: StubOllama, prompt: str
) -> tuple[float, Mapping[str, Any], float]:
    """Seconds from the first question to the last answer, what the server saw, and the whole time.

    Raises:
        RunFailed: It ended badly, or the server was not asked every question once.
    """
    stub.reset()
    spent = run_plugin(bench, work, stub.netloc, bench.folder(), env={"ONE_PROMPT": prompt})
    stats = stub.stats()
    questions = IMAGES if prompt else IMAGES * VARIANTS
    if stats["answered"] != questions:
        raise RunFailed(f"{stats['answered']} answers, not {questions}:\n{spent.output}")
    return stats["last_s"] - stats["first_s"], stats, spent.wall_s
