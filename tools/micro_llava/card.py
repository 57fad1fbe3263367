"""Write MODEL_CARD.md from what was measured and from the manifests."""

from __future__ import annotations

import csv
from collections import Counter
from typing import TYPE_CHECKING

from config import DECODER, HERE, ROOT, TASKS, VISION, Schedule
from export import MMPROJ_FILE, TEXT_FILE
from facts import Findings, Row, Tally, tally

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEMPLATE = HERE / "card.md.in"
AGREEMENT = "442 pictures: 442 answers agree, log-probabilities within 0.01."
"""What agree.py printed for the committed files; run it again after retraining."""


def percent(part: Tally) -> str:
    """A share with its counts and its interval."""
    low, high = part.interval()
    share = 100 * part.correct / max(1, part.total)
    return f"{part.correct} of {part.total} | {share:.1f}% | {100 * low:.1f} to {100 * high:.1f}%"


def accuracy_lines(rows: tuple[Row, ...]) -> Iterator[str]:
    """The accuracy table, by task and by style or view."""
    yield "| task | correct | accuracy | 95% interval (Wilson) | under a JSON schema |"
    yield "|---|---|---|---|---|"
    for task in TASKS:
        mine = [row for row in rows if row.case.task == task]
        yield f"| {task} | {percent(tally(mine))} | {tally(mine, forced=True).correct} |"
        for tag in sorted({row.case.tag for row in mine if row.case.tag}):
            part = [row for row in mine if row.case.tag == tag]
            yield f"| {task}, {tag} | {percent(tally(part))} | {tally(part, forced=True).correct} |"


def confusion_lines(rows: tuple[Row, ...], task: str) -> Iterator[str]:
    """Expected labels down, answers across."""
    labels = TASKS[task]
    counts = Counter(
        (row.case.label, row.text if row.text in labels else "other")
        for row in rows
        if row.case.task == task
    )
    columns = [*labels, "other"]
    yield f"| {task} | " + " | ".join(columns) + " |"
    yield "|---" * (len(columns) + 1) + "|"
    for label in labels:
        cells = (str(counts[label, column] or "") for column in columns)
        yield f"| **{label}** | " + " | ".join(cells) + " |"


def unknown_lines(found: Findings) -> Iterator[str]:
    """How often it says `unknown` where it should."""
    yield "| asked | `unknown` | share | 95% interval (Wilson) |"
    yield "|---|---|---|---|"
    for name, part in found.unknown.items():
        yield f"| {name} | {percent(part)} |"


def training_lines() -> Iterator[str]:
    """What the committed training pictures are, by task and by licence."""
    yield "| pictures | licence | sets | pictures trained on | held out for tuning |"
    yield "|---|---|---|---|---|"
    for task in ("chess", "animals", "unknown"):
        with (HERE / "pictures" / task / "manifest.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        for licence in sorted({row["licence"] for row in rows}):
            mine = [row for row in rows if row["licence"] == licence]
            sides = Counter(row["side"] for row in mine)
            sets = len({row["set"] for row in mine})
            held = sides["validation"] or ""
            yield f"| {task} | {licence} | {sets} | {sides['training']} | {held} |"


def size_line(folder: Path) -> str:
    """Bytes of the two files."""
    sizes = [(folder / name).stat().st_size for name in (TEXT_FILE, MMPROJ_FILE)]
    return f"{sum(sizes):,} bytes ({sizes[0]:,} text, {sizes[1]:,} vision)"


def render(found: Findings, folder: Path, version: str) -> str:
    """The whole card."""
    schedule = Schedule()
    conversations = sum(run.steps * run.batch for run in schedule.decoder_runs)
    parts = {
        "version": version,
        "size": size_line(folder),
        "accuracy": "\n".join(accuracy_lines(found.rows)),
        "confusion": "\n\n".join("\n".join(confusion_lines(found.rows, task)) for task in TASKS),
        "unknown": "\n".join(unknown_lines(found)),
        "training": "\n".join(training_lines()),
        "per_second": f"{found.per_second:.0f}",
        "vision": f"{VISION.image_size}x{VISION.image_size} pixels, patches of {VISION.patch_size} "
        f"({VISION.tokens} image tokens), {VISION.layers} layers, width {VISION.width}",
        "decoder": f"{DECODER.layers} layers, width {DECODER.width}, {DECODER.vocabulary} tokens",
        "vision_views": f"{schedule.vision_steps * schedule.vision_batch:,}",
        "decoder_talks": f"{conversations:,}",
        "agreement": AGREEMENT,
        "fixtures": str(sum(1 for _ in (ROOT / "fixtures").glob("*/*/*"))),
    }
    text = TEMPLATE.read_text(encoding="utf-8")
    for name, value in parts.items():
        text = text.replace("{{" + name + "}}", value)
    return text
