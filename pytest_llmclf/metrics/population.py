"""Which images a number or a verdict is of: said in one way, wherever it is said."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_llmclf.metrics.wording import images_of
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.metrics.report import Report


def part_of(report: Report, tags: Sequence[tuple[str, str]], *, confirmed: bool) -> Report:
    """The report of the images that have some tags, and confirmed labels, where that is asked."""
    part = report.where(dict(tags)) if tags else report
    return part.with_settled_labels() if confirmed else part


def population(
    report: Report, tags: Sequence[tuple[str, str]] = (), *, confirmed: bool = False
) -> str:
    """Which images a verdict about these images is about: ``on these 500 images``.

    Of a part that is ``on 100 of 500 images, a subset of 10 a class`` or ``, a subset``: however it
    was chosen, by ``--llmclf-sample`` or by ``-k``. Of those with some tags alone it is
    ``on these 90 images with style=photo, of 500 images``.

    Args:
        report: Of all images of the run.
        tags: What the judged images have in common, by name and value.
        confirmed: Whether they are those with confirmed labels.
    """
    ledger, whole = report.ledger, report.dataset.cases_in_dataset
    these = "" if ledger.collected < whole else "these "
    of = images_of(ledger.collected, whole)
    each = _each_class(report)
    if each is not None:
        of = of.replace("a subset", f"a subset of {each} a class")
    if tags or confirmed:
        part = part_of(report, tags, confirmed=confirmed).ledger.collected
        what = having(tags, confirmed=confirmed)
        return f"on these {part} {noun(part, 'image')}{what}, of {of}"
    return f"on {these}{of}"


def having(tags: Sequence[tuple[str, str]], *, confirmed: bool = False) -> str:
    """Such as `` with camera=phone and light=dim``, to stand behind "images"; often empty."""
    found = [f"{tag}={value}" for tag, value in tags] + ["confirmed labels"] * confirmed
    return f" with {' and '.join(found)}" if found else ""


def own_mix(report: Report) -> str:
    """Which classes the images are of, where not as in the dataset; empty where as there.

    Accuracy, precision and what they make up depend on how frequent the classes are. A sample of
    so many images a class has a mix of its own, and so "images like these" have it, too.
    """
    sizes, here = report.dataset.class_sizes, _collected(report)
    part, whole = sum(here), sum(sizes)
    if (
        not sizes
        or not part
        or all(n * whole == m * part for n, m in zip(here, sizes, strict=True))
    ):
        return ""
    return f"{_range(here)} images a class, {_range(sizes)} in the whole dataset"


def _each_class(report: Report) -> str | None:
    """How many images of each class are there, or all of a smaller class; ``None`` if uneven."""
    sizes, here = report.dataset.class_sizes, _collected(report)
    most = max(here, default=0)
    even = [n == min(most, size) for n, size in zip(here, sizes, strict=False)]
    if not (sizes and sum(here) < sum(sizes) and all(even)):
        return None
    return f"{most}" if min(here) == most else f"at most {most}"


def _collected(report: Report) -> list[int]:
    counts = Counter(outcome.expected for outcome in report.outcomes)
    return [counts[label] for label in report.dataset.labels]


def _range(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low}" if low == high else f"{low} to {high}"
