"""Images that are held out: asked once, when everything else is settled.

Whoever tries many prompts on one set of images ends with one that suits these images. A part that
nobody looked at meanwhile tells how good it is on others.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pytest_llmclf.errors import DatasetError
from pytest_llmclf.metrics.clusters import together
from pytest_llmclf.values.seeded import seeded_order
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.data.dataset import Dataset
    from pytest_llmclf.values.case import Case


NONE_HELD_OUT: Final = (
    "no evaluation holds images out: write Evaluation(holdout=0.3), or leave it out"
)
"""Said of a final run that would be like any other."""


def hold_out(dataset: Dataset, share: float, seed: int, group: str = "") -> tuple[Dataset, Dataset]:
    """The images to tune on, and those that are held out.

    Of each label as near to the share as can be. Images of a group, and copies, stay together,
    directly or through others: a group with a copy of an image of another one is one with it.
    Units are gone through in a random order that hangs on their images' content alone, and each is
    held out if that brings the counts of its labels nearer to the share.

    Args:
        dataset: All images.
        share: How many of them are held out, above 0 and below 1.
        seed: Any whole number; the same one gives the same parts.
        group: Tag whose values are groups of images that are not independent; empty: none.

    Raises:
        DatasetError: One of the parts would have no image.
    """
    units = _units(dataset.cases, group)
    wanted = {label: share * size for label, size in _sizes(dataset.cases).items()}
    held: Counter[str] = Counter()
    out: set[str] = set()
    for name in seeded_order(list(units), seed):
        sizes = _sizes(units[name])
        nearer = sum(
            (held[label] + size - wanted[label]) ** 2 - (held[label] - wanted[label]) ** 2
            for label, size in sizes.items()
        )
        if nearer < 0:
            held.update(sizes)
            out.update(case.id for case in units[name])
    if not 0 < len(out) < len(dataset.cases):
        images = len(dataset.cases)
        apart = f", {len(units)} of them independent," if len(units) < images else ""
        raise DatasetError(
            f"{dataset.root}: holdout={share} of {images} {noun(images, 'image')}{apart} leaves "
            "one part without any: add images, or choose another share"
        )
    tuning, kept = (
        replace(dataset, cases=tuple(case for case in dataset.cases if (case.id in out) is chosen))
        for chosen in (False, True)
    )
    return tuning, kept


def _units(cases: Sequence[Case], group: str) -> dict[str, list[Case]]:
    """What stays together, under a name that hangs on content: renaming a file moves nothing."""
    values = [
        [f"bytes {case.sha256}"] * bool(case.sha256)
        + [f"group {case.tags[group]}" for _ in range(bool(group) and group in case.tags)]
        for case in cases
    ]
    found: dict[int, list[Case]] = defaultdict(list)
    for case, unit in zip(cases, together(values), strict=True):
        found[unit].append(case)
    return {min(case.sha256 or case.id for case in unit): unit for unit in found.values()}


def _sizes(cases: Sequence[Case]) -> Counter[str]:
    return Counter(case.label for case in cases)
