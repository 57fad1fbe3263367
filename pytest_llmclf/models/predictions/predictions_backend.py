"""A file of predictions as a model: what stands in it is what it answers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmclf.data.foreign_match import NAMED, matched
from pytest_llmclf.data.foreign_predictions import ColumnNames, read_predictions
from pytest_llmclf.errors import PredictionMissing, SettingsError, some_of
from pytest_llmclf.models.base import LocalBackend
from pytest_llmclf.models.query import PREDICTION_OPTIONS, read_query
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.request import ModelIdentity
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.data.foreign_match import MatchedPredictions
    from pytest_llmclf.data.foreign_predictions import PredictionRecord, PredictionTable
    from pytest_llmclf.models.base import Backend
    from pytest_llmclf.models.reach import Reach
    from pytest_llmclf.models.spec import ModelSpec
    from pytest_llmclf.values.case import CaseSet
    from pytest_llmclf.values.request import Request


class PredictionsBackend(LocalBackend):
    """Answers from a file of predictions, and nothing else.

    Args:
        spec: The model as written.
        table: The file.
        found: Its rows by image.
        images: What is asked about.
    """

    def __init__(
        self, spec: ModelSpec, table: PredictionTable, found: MatchedPredictions, images: CaseSet
    ) -> None:
        self._spec = spec
        self._table = table
        self._found = found
        self._images = images

    @property
    def notices(self) -> tuple[str, ...]:
        """Which images the file lacks, which it has besides, and what it says that is no label."""
        found, told = self._found, []
        total = len(self._images.cases)
        if found.missing:
            told.append(
                f"{self._table.path} lacks {len(found.missing):,} of {total:,} "
                f"{noun(total, 'image')} of {self._images.name}, which end without an answer: "
                f"{some_of(found.missing, NAMED)}"
            )
        if found.extra:
            images = noun(len(found.extra), "image")
            told.append(
                f"{self._table.path} has {len(found.extra):,} {images} beside those of "
                f"{self._images.name} that are asked about, not used: {some_of(found.extra, NAMED)}"
            )
        others = Counter(
            record.predicted
            for record in found.by_case.values()
            if record.predicted and record.predicted not in self._images.labels
        )
        if others:
            shown = [f"{label!r} ({count})" for label, count in others.most_common()]
            told.append(
                f"{self._table.path} predicts what is no label by its name, which is left to the "
                f"reader: {some_of(shown, NAMED)}"
            )
        return tuple(told)

    def identify(self) -> ModelIdentity:
        """The file, by the digest of its bytes."""
        return ModelIdentity(
            backend="predictions",
            name=name_of(self._spec),
            digest=f"sha256:{self._table.sha256}",
            details={"read from": self._table.path.name},
        )

    def ask(self, request: Request) -> Answer:
        """What the file says of the image.

        Raises:
            PredictionMissing: It says nothing.
        """
        record = self._found.by_case.get(request.case)
        if record is None:
            raise PredictionMissing(
                f"{self._table.path} has no row of {request.case or 'this image'}",
                remedy="add a row, or take the image out of the dataset",
            )
        return answer_of(record, self._images.labels)


def answer_of(record: PredictionRecord, labels: tuple[str, ...]) -> Answer:
    """A row as an answer.

    A label by its name needs no reader, and neither does the most probable one where nothing else
    is said; every other text is read as a model's answer is.
    """
    label: str | None = record.predicted
    if not record.predicted and not record.text and record.probabilities is not None:
        most = max(record.probabilities.values())
        best = [name for name, share in record.probabilities.items() if share == most]
        label = best[0] if len(best) == 1 else " or ".join(best)
    named = label if label in labels else None
    return Answer(text=record.text or label or "", label=named, probabilities=record.probabilities)


def name_of(spec: ModelSpec) -> str:
    """What a file of predictions is called: as it is said, or as the file without its folders."""
    given = read_query(spec.query, PREDICTION_OPTIONS, str(spec)).get("name")
    return given or spec.file.replace("\\", "/").rpartition("/")[2]


def predictions_for(spec: ModelSpec, images: CaseSet) -> PredictionsBackend:
    """The backend of a file for the images of a task.

    Raises:
        SettingsError: The file cannot be read, or is not about these images.
    """
    table = predictions_in(spec, images.labels)
    return PredictionsBackend(spec, table, matched(table, images.cases, images.name), images)


def predictions_in(spec: ModelSpec, labels: Sequence[str]) -> PredictionTable:
    """The file that a model is, by the columns that are said.

    Raises:
        SettingsError: The file cannot be read.
    """
    given = read_query(spec.query, PREDICTION_OPTIONS, str(spec))
    columns = ColumnNames(**{key: value for key, value in given.items() if key != "name"})
    return read_predictions(Path(spec.file), labels, columns)


def connect(reach: Reach) -> Backend:
    """Plays a file of predictions back.

    Raises:
        SettingsError: There is no such file, or nothing is known of the images.
    """
    if reach.images is None or not reach.images.cases:
        raise SettingsError(
            f"{reach.spec} has answers to the images of a dataset, and none is looked at here: "
            "name it in a pytest run"
        )
    return predictions_for(reach.spec, reach.images)
