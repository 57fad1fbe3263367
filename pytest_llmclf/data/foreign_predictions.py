"""Answers of any other program, as a table.

`read_predictions` says what the file says; which of a dataset's images it is about is told by
`foreign_match.matched`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.data.entry import composed
from pytest_llmclf.data.foreign_table import read_bytes, read_table
from pytest_llmclf.data.label_cells import cell_text, whole_number
from pytest_llmclf.data.manifest_columns import PATH_NAMES, usual_columns
from pytest_llmclf.errors import SettingsError, nearest, some_of
from pytest_llmclf.values.outcome import ANSWERED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_llmclf.data.foreign_table import ForeignTable

IMAGE_NAMES: Final = ("case", *PATH_NAMES, "image_id", "id", "sha256")
"""Usual names of the column of the image; the first one that is there is meant."""
PREDICTED_NAMES: Final = (
    "predicted", "prediction", "pred", "predicted_label", "pred_label", "predicted_class",
    "prediction_label", "y_pred", "y_hat",
)  # fmt: skip
TEXT_NAMES: Final = (
    "text", "raw", "raw_text", "answer", "response", "output", "completion", "model_output",
    "model_answer", "model_response", "generated_text",
)  # fmt: skip
PROBABILITY_NAMES: Final = (
    "{}", "p_{}", "prob_{}", "probability_{}", "p({})", "{}_prob", "{}_probability",
)  # fmt: skip
"""How columns of probabilities are called, for each label; all labels must have one."""
_NESTED: Final = ("probabilities", "probs", "scores")
BEHIND_THE_NAME: Final = "?{}="
"""How a column is named where the file is a model; ``{}`` is what the column holds."""
ROW_NUMBERS: Final = "\n"
"""As the column of images, which no column is called: rows are numbered, for none names images."""
_MOST_OFF: Final = 0.02
"""What the probabilities of a row may be off 1 together, since they were rounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnNames:
    """Columns by name; an empty one is found by its usual names.

    Attributes:
        image: Path or id of the image; `ROW_NUMBERS`: there is none.
        predicted: The label that was predicted.
        text: What was answered, for a reader to find the label in.
    """

    image: str = ""
    predicted: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionRecord:
    """One row.

    Attributes:
        row: Its number, from 1, the line of names not counted.
        image: Path or id of the image, as written.
        predicted: The label as written; empty where none was predicted.
        text: What was answered; empty where the file does not say.
        probabilities: Of each label; ``None`` where the file does not say.
    """

    row: int
    image: str
    predicted: str = ""
    text: str = ""
    probabilities: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionTable:
    """A file of predictions.

    Attributes:
        path: The file.
        sha256: Hex digest of its bytes.
        columns: The columns that were read.
        records: Its rows.
    """

    path: Path
    sha256: str
    columns: ColumnNames
    records: tuple[PredictionRecord, ...]


def read_predictions(
    path: Path,
    labels: Sequence[str],
    columns: ColumnNames | None = None,
    *,
    option: str = BEHIND_THE_NAME,
) -> PredictionTable:
    """Read a file of predictions.

    Args:
        path: A ``.csv``, ``.tsv``, ``.jsonl`` or ``.parquet`` file.
        labels: Names of the labels, by which columns of probabilities are known.
        columns: Columns by name, where they are not called as usual.
        option: How a column is named here, for messages, as `BEHIND_THE_NAME` is written.

    Raises:
        SettingsError: It cannot be read, columns are missing, or a row makes no sense; the
            message names file and row.
    """
    return predictions_of(read_table(path, read_bytes(path)), labels, columns, option=option)


def predictions_of(
    table: ForeignTable,
    labels: Sequence[str],
    columns: ColumnNames | None = None,
    *,
    option: str = BEHIND_THE_NAME,
) -> PredictionTable:
    """The predictions of a table, with arguments and errors of `read_predictions`."""
    found = find_columns(table.path, table.columns, columns or ColumnNames(), option)
    records = tuple(_records(table, labels, found))
    if not records:
        raise SettingsError(f"{table.path} has no row with a prediction: write one an image")
    return PredictionTable(path=table.path, sha256=table.sha256, columns=found, records=records)


def find_columns(
    path: Path, there: Sequence[str], wanted: ColumnNames, option: str = BEHIND_THE_NAME
) -> ColumnNames:
    """The columns of a table, as named or by their usual names.

    Raises:
        SettingsError: One is not there, or which one is meant is not to be seen.
    """
    for name, column in (
        ("image", wanted.image), ("predicted", wanted.predicted), ("text", wanted.text),
    ):  # fmt: skip
        if column and column not in (*there, ROW_NUMBERS):
            raise SettingsError(
                f"{path} has no column {column!r}, which {option.format(name).strip('? ')} names, "
                f"but {some_of(there)}{nearest(column, there)}"
            )
    image = wanted.image or usual_column(there, IMAGE_NAMES)
    predicted = wanted.predicted or ("" if wanted.text else usual_column(there, PREDICTED_NAMES))
    text = wanted.text or usual_column(there, TEXT_NAMES)
    for name, column, names in (
        ("image", image, IMAGE_NAMES), ("predicted", predicted or text, PREDICTED_NAMES),
    ):  # fmt: skip
        if not column:
            raise SettingsError(
                f"{path}: which column holds the {_HELD[name]}? It has {some_of(there)}, and none "
                f"is called {some_of(names[:4])} or the like: {_say(option, name)}"
            )
    return ColumnNames(image=image, predicted=predicted, text=text)


_HELD: Final = {"image": "images", "predicted": "predicted labels"}


def _say(option: str, name: str) -> str:
    behind = " behind the file's name" if option == BEHIND_THE_NAME else ""
    return f"say {option.format(name)}COLUMN{behind}"


def usual_column(there: Sequence[str], names: Sequence[str]) -> str:
    """The first column that has a usual name; empty: none."""
    return next(iter(usual_columns(there, names)), "")


def _records(
    table: ForeignTable, labels: Sequence[str], columns: ColumnNames
) -> Iterator[PredictionRecord]:
    there = frozenset(table.columns)
    shares = _probability_columns(there, labels)
    nested = next((name for name in _NESTED if name in there), "")
    # An earlier run's own files: what was not answered is not there, and repeats do not count.
    ours = {"case", "kind", "evaluation"} <= there
    for number, row in enumerate(table.rows, start=1):
        if ours and (row.get("kind") not in ANSWERED or cell_text(row.get("repeat")).strip("0.")):
            continue
        place = f"{table.path}, row {number}"
        image = (
            f"row {number}" if columns.image == ROW_NUMBERS else cell_text(row.get(columns.image))
        )
        if not image:
            raise SettingsError(f"{place}: no image: fill in {columns.image!r}, or remove the row")
        given = {label: row.get(name) for label, name in shares.items()}
        if not given and nested and isinstance(row.get(nested), dict):
            given = {str(label): share for label, share in row[nested].items()}
        text = row.get(columns.text, "")
        label = composed(cell_text(row.get(columns.predicted)))
        yield PredictionRecord(
            row=number,
            image=image,
            predicted=label if label in labels else whole_number(label, labels),
            text=text if isinstance(text, str) else _text_of(text),
            probabilities=_probabilities(place, given, labels),
        )


def _probability_columns(there: Collection[str], labels: Sequence[str]) -> dict[str, str]:
    """The column of each label's probability; empty unless every label has one."""
    for form in PROBABILITY_NAMES:
        found = {label: form.format(label) for label in labels}
        if all(name in there for name in found.values()):
            return found
    return {}


def _probabilities(
    place: str, given: Mapping[str, Any], labels: Sequence[str]
) -> dict[str, float] | None:
    cells = {label: cell_text(share) for label, share in given.items()}
    if not any(cells.values()):
        return None
    found = {}
    for label in labels:
        try:
            share = float(cells.get(label, "") or "nan")
        except ValueError:
            share = -1.0
        if not 0 <= share <= 1:
            raise SettingsError(
                f"{place}: the probability of {label!r} is {cells.get(label, '')!r:.40}: write a "
                "number from 0 to 1 for every label, or leave all of them out"
            )
        found[label] = share
    total = sum(found.values())
    if abs(total - 1) > _MOST_OFF:
        raise SettingsError(
            f"{place}: the probabilities add up to {total:.3g}: those of all labels must give 1"
        )
    return {label: share / total for label, share in found.items()}


def _text_of(value: object) -> str:
    """The text of an answer as this package's own files hold it; else nothing."""
    return str(value["text"]) if isinstance(value, dict) and "text" in value else ""
