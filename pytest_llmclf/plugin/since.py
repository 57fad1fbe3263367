"""What changed since the run before, in a line an evaluation and model."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.errors import LlmclfError
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytest_llmclf.analysis.comparison.runs import Compared
    from pytest_llmclf.metrics.report import Report

_MOST_RUNS: Final = 5
"""Earlier runs that are looked through for the same evaluation: most are of it."""
_MOST_BYTES: Final = 20_000_000
"""Of the outcomes of a run that is read for the sake of a line."""
_OF_WHOM: Final = {"model": "another model", "server version": "another server version"}
_ASKED: Final = {
    "system": "another system text",
    "turns": "other example turns",
    "question": "another prompt",
    "labels": "other labels",
    "answer": "another form of the answer",
    "options": "other options",
    "top_logprobs": "other alternatives of a token",
    "template": "another template",
    "reader": "another reader",
    "think": "other thinking",
    "example_images": "other example images",
    "image_size": "another image size",
}
"""By what is recorded of the instructions."""


def since_lines(runs: Path, this: Path, reports: Sequence[Report]) -> Iterator[str]:
    """Hold this run against the latest earlier one that has some evaluation and model of it.

    Args:
        runs: Where finished runs are kept.
        this: The folder of this run.
        reports: Those of this run.
    """
    from pytest_llmclf.analysis.comparison.runs import compare_all
    from pytest_llmclf.reporting.run_folder import read_run_of

    mine = {report.task: report for report in reports if report.ledger.answered}
    for folder in islice(_earlier(runs, this), _MOST_RUNS):
        try:
            if (folder / "outcomes.jsonl").stat().st_size > _MOST_BYTES:
                continue
            found = read_run_of(folder, mine)
        except (OSError, LlmclfError):  # damaged, or of another version: it is no earlier run
            continue
        if found is not None:
            pairs = [(one, mine[one.task]) for one in found.reports if one.task in mine]
            lines = (_line(one, several=len(mine) > 1) for one in compare_all(pairs))
            yield from (f"since the earlier run {folder.name}{line}" for line in lines if line)
            return


def _earlier(runs: Path, this: Path) -> Iterator[Path]:
    """Folders of finished runs, the latest first: names begin with the time."""
    try:
        found = sorted(runs.iterdir(), reverse=True)
    except OSError:
        return
    yield from (path for path in found if path != this and (path / "run.json").is_file())


def _line(one: Compared, *, several: bool) -> str:
    found = one.comparison
    if found.refused is not None or not found.common:
        return ""
    counts = {
        "newly right": len(found.fixed),
        "newly wrong": len(found.broken),
        "wrong in another way": len(found.changed),
    }
    told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    of = f"of {found.common} {noun(found.common, 'image')} that both runs answered"
    text = f"{told or 'nothing changed'} {of}"
    if one.word in ("worse", "better"):
        text += f": significantly {one.word}"
        text += "" if found.settled else " on these images"
    elif found.broken or found.fixed:
        text += ": that it is better or worse is not shown"
    of = f": {one.now.evaluation} · {one.now.configuration}" if several else ""
    return f"{of}{_asked(one)}: {text}"


def _asked(one: Compared) -> str:
    """What differed in what was asked and of whom; nothing where neither is known."""
    change = one.comparison.provenance
    if change is None:
        return ""
    differing = {difference.what for difference in change.differing}
    said = [what for name, what in _OF_WHOM.items() if name in differing]
    if "instructions" in differing:
        both = [json.loads(json.dumps(_told(each), default=str)) for each in (one.before, one.now)]
        fields = [what for name, what in _ASKED.items() if both[0].get(name) != both[1].get(name)]
        said += fields or ["other instructions"]
    if said:
        return f", with {', '.join(said)}"
    return ", asked the same" if "instructions" in change.same else ""


def _told(report: Report) -> dict[str, Any]:
    return {} if report.full_instructions is None else report.full_instructions.told()
