"""What a report says besides its numbers: of its dataset, its mistakes, and why it stopped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pytest_llmclf.values.reviewed import DatasetReview

Part = Literal["", "tuning", "held-out"]
"""Which images of a dataset are meant: all, those to tune on, those that are held out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetFacts:
    """What a report says about its dataset.

    Attributes:
        name: The dataset's name.
        content_hash: Digest over ids, labels and bytes of its cases.
        labels: The classes, in order.
        licence: Licence note; may be empty.
        imported: Whether it is the full imported set rather than the bundled images.
        cases_in_dataset: Images it has, asked about or not.
        class_sizes: Likewise of each label; empty where that is not known.
        path: Its folder relative to the project's, in POSIX form; empty if it is outside.
        taken_out: Ids of images that it has besides and that are not judged: example images, their
            copies and the rest of their groups.
        review: What people decided about its labels; ``None``: nothing.
        strangers: As `path`, of the folder that ids of images of no class count from.
        part: ``tuning`` or ``held-out`` where images are held out: then the other numbers are of
            this part; empty where none are.
        other_part: Images of the other part.
    """

    name: str
    content_hash: str
    labels: tuple[str, ...]
    licence: str = ""
    imported: bool = False
    cases_in_dataset: int = 0
    class_sizes: tuple[int, ...] = ()
    path: str = ""
    taken_out: tuple[str, ...] = ()
    review: DatasetReview | None = None
    strangers: str = ""
    part: Part = ""
    other_part: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Confused:
    """One kind of mistake.

    Attributes:
        expected: The label of the images.
        predicted: The label they were given.
        count: How often.
        cases: Their ids, sorted.
    """

    expected: str
    predicted: str
    count: int
    cases: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRule:
    """What a run that stopped early had decided when it did.

    Attributes:
        after: Images, from the first of `Report.order` on, that the decisions rest on.
        tests: How many thresholds (each class of ``recall[*]`` counted) and comparisons with
            committed predictions were decided; they share `Report.stop_error` evenly.
        gates: The gates, as they are written.
        baselines: Digests of the committed predictions, see `digest_of`.
    """

    after: int
    tests: int
    gates: tuple[str, ...] = ()
    baselines: tuple[str, ...] = ()
