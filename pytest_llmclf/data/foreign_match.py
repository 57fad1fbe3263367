"""Which images of a dataset a file of predictions is about, however it writes their paths."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_llmclf.errors import SettingsError, some_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llmclf.data.foreign_predictions import PredictionRecord, PredictionTable
    from pytest_llmclf.values.case import Case

NAMED: Final = 3
"""Images that a sentence names."""
_BY_CONTENT: Final = "<sha256>"
_SHORTER: Final = "<shorter>"


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedPredictions:
    """The rows of a file by the images that they are about.

    Attributes:
        by_case: By `Case.id`.
        missing: Ids of the images that the file says nothing of, in their order.
        extra: Images of the file, as written, that the dataset does not have.
    """

    by_case: Mapping[str, PredictionRecord]
    missing: tuple[str, ...]
    extra: tuple[str, ...]


def matched(table: PredictionTable, cases: Sequence[Case], name: str) -> MatchedPredictions:
    """Find the image of each row.

    Paths may have either separator, stand below another folder, or lack the first folders; all
    rows must do so in the same way, so that ``train/3/1.png`` is not taken for ``test/3/1.png``.
    The digest of a file's bytes will do, too.

    Args:
        table: The file.
        cases: All images of the dataset.
        name: Of the dataset, for messages.

    Raises:
        SettingsError: An image is there twice, a path could be several images, paths of two
            folders could be meant, or no image of the dataset is there at all.
    """
    index = _Index(cases)
    found: dict[str, list[tuple[str, PredictionRecord]]] = defaultdict(list)
    extra = []
    for record in table.records:
        prefix, ids = index.find(record.image)
        if not ids:
            extra.append(record.image)
        elif len(ids) > 1 and prefix != _BY_CONTENT:
            raise SettingsError(
                f"{table.path}, row {record.row}: {record.image} could be {some_of(ids, NAMED)}: "
                "write the path with its folders"
            )
        found[prefix] += [(id_, record) for id_ in ids]
    hits = {prefix: pairs for prefix, pairs in found.items() if pairs}
    if not hits:
        shown = some_of([record.image for record in table.records], NAMED)
        raise SettingsError(
            f"{table.path} has no image of {name}: it has {shown}, and the dataset "
            f"{some_of([case.id for case in cases], NAMED)}; ask for the dataset that it is of, or "
            "write paths as the dataset has them"
        )
    if len(hits) > 1:
        first, second = (pairs[0][1] for pairs in list(hits.values())[:2])
        raise SettingsError(
            f"{table.path}: row {first.row} ({first.image}) and row {second.row} ({second.image}) "
            f"both name images of {name}, in two ways: keep the rows of one folder, or write all "
            "paths alike"
        )
    by_case: dict[str, PredictionRecord] = {}
    for id_, record in next(iter(hits.values())):
        other = by_case.setdefault(id_, record)
        if other is not record:
            raise SettingsError(
                f"{table.path}: {id_} is there twice, in rows {other.row} and {record.row}: keep "
                "one row an image"
            )
    missing = tuple(case.id for case in cases if case.id not in by_case)
    return MatchedPredictions(by_case=by_case, missing=missing, extra=tuple(extra))


class _Index:
    """The images of a dataset by all that a path may leave out or have before it."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self._ids = {_written(case.id): case.id for case in cases}
        self._by_content: dict[str, list[str]] = defaultdict(list)
        self._by_name: dict[str, list[str]] = defaultdict(list)
        for case in cases:
            self._by_content[case.sha256].append(case.id)
            self._by_name[_written(case.id).rpartition("/")[2]].append(case.id)

    def find(self, image: str) -> tuple[str, list[str]]:
        """What stands before the id in a path, and the ids that may be meant."""
        path = _written(image)
        parts = path.split("/")
        for place in range(len(parts)):
            id_ = self._ids.get("/".join(parts[place:]))
            if id_ is not None:
                return "/".join(parts[:place]), [id_]
        if image.lower() in self._by_content:
            return _BY_CONTENT, self._by_content[image.lower()]
        named = self._by_name.get(parts[-1], [])
        return _SHORTER, [id_ for id_ in named if f"/{_written(id_)}".endswith(f"/{path}")]


def _written(path: str) -> str:
    """A path with slashes, without ``./``, in the composed form of its letters."""
    return unicodedata.normalize("NFC", path.replace("\\", "/")).removeprefix("./")
