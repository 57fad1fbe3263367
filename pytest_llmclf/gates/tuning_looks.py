"""How much the images that people tune on have seen, and those that are held out.

One JSON line a result, in the folder of the answer store. The very same answers judged again are
the same look. What was looked at elsewhere, or before a folder was removed, nobody knows: that is
said wherever the count is.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Final

from pytest_llmclf.gates.looks import data_of
from pytest_llmclf.gates.noted_lines import add_lines, read_lines
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.metrics.report_facts import Part

TUNING_FILE: Final = "tuning.jsonl"
"""Name of the file, in the folder of the answer store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningLook:
    """One result on a part of a dataset's images.

    Attributes:
        evaluation: Name of the evaluation.
        dataset: Name of the dataset.
        part: ``tuning`` or ``held-out``.
        told: Digest of the instructions.
        model: The model as people write it.
        data: Digest of images, labels and answers.
    """

    evaluation: str
    dataset: str
    part: str
    told: str
    model: str
    data: str


def tuning_looks(reports: Iterable[Report]) -> list[TuningLook]:
    """The looks that a run was, at images of evaluations that hold some out."""
    return [
        TuningLook(
            evaluation=report.evaluation,
            dataset=report.dataset.name,
            part=report.dataset.part,
            told=report.provenance.instructions,
            model=report.model,
            data=data_of(report),
        )
        for report in reports
        if report.dataset.part and report.ledger.answered
    ]


def read_tuning_looks(path: Path) -> tuple[TuningLook, ...]:
    """All looks of a file; none where there is no file, damaged lines left out."""
    return tuple(look for entry in read_lines(path) if (look := _look(entry)) is not None)


def note_tuning_looks(path: Path, looks: Sequence[TuningLook]) -> None:
    """Add the looks that the file does not have yet.

    Raises:
        OSError: It cannot be written.
    """
    known = set(read_tuning_looks(path)) if looks else set()
    add_lines(path, [asdict(look) for look in dict.fromkeys(looks) if look not in known])


def holdout_note(
    evaluation: str, dataset: str, part: Part, sizes: tuple[int, int], looks: Sequence[TuningLook]
) -> tuple[str, ...]:
    """What people must know of a part of the images: what the other is, and how worn both are.

    Args:
        evaluation: Name of the evaluation.
        dataset: Name of the dataset.
        part: Which images are asked about.
        sizes: How many images there are to tune on, and how many are held out.
        looks: Those that earlier runs noted.
    """
    ours = [one for one in looks if (one.evaluation, one.dataset) == (evaluation, dataset)]
    tuning, held = sizes
    seen = f"{_seen(ours, 'tuning')} {_UNKNOWN}"
    if part == "held-out":
        own = _seen(ours, "held-out")
        these = f"these are the {held:,} {noun(held, 'image')} held out; on them {own}"
        return (f"{these}, and on the {tuning:,} to tune on {seen}",)
    return (f"{part_note(part, sizes)}; on the {tuning:,} to tune on {seen}",) if part else ()


def part_note(part: Part, sizes: tuple[int, int]) -> str:
    """Which images are not asked about since some are held out; empty where none are.

    Args:
        part: Which images are asked about.
        sizes: How many images there are to tune on, and how many are held out.
    """
    tuning, held = sizes
    kept = f"{held:,} {noun(held, 'image')} held out"
    if part == "held-out":
        return f"these are the {kept}; the {tuning:,} to tune on are not asked about"
    return f"{kept}, which only --llmclf-final asks about" if part else ""


_UNKNOWN: Final = f"(by {TUNING_FILE} of this project; what was seen elsewhere is not known)"


def _seen(looks: Iterable[TuningLook], part: str) -> str:
    """How many results there were before, and of how many different instructions."""
    found = [one for one in looks if one.part == part]
    told = len({one.told for one in found} - {""})
    if not found:
        return "no earlier result is known"
    return (
        f"{len(found):,} earlier {noun(len(found), 'result is', 'results are')} known, of "
        f"{told:,} different {noun(told, 'instruction')}"
    )


def _look(entry: object) -> TuningLook | None:
    names = [field.name for field in fields(TuningLook)]
    if not isinstance(entry, dict) or not all(isinstance(entry.get(name), str) for name in names):
        return None
    return TuningLook(**{name: entry[name] for name in names})
