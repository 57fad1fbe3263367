"""Reports as pandas data frames, and as Parquet files.

pandas takes about half a second to import, so it is imported where a frame is asked for. Parquet
needs pyarrow, which pytest-llmclf does not install of itself.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.errors import need_extra
from pytest_llmclf.reporting.columns import COLUMNS, TAG, outcomes_of, row, tags_of
from pytest_llmclf.values.outcome import OUTCOME_KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.reporting.columns import Column, Holds

PROBABILITY: Final = "p:"
"""Before a label in the name of the column of its probability."""

_DTYPES: Final[dict[Holds, str]] = {
    "text": "string",
    "count": "Int64",
    "number": "float64",
    "flag": "boolean",
}


def outcomes_frame(reports: Sequence[Report], *, probabilities: bool = False) -> pd.DataFrame:
    """One row an image, repeats included, with the columns of `columns.COLUMNS` and the tags.

    ``expected`` and ``predicted`` are categories, all labels in their order among them, so that a
    cross table has every class.

    Args:
        reports: Whose outcomes.
        probabilities: Whether to add a column ``p:LABEL`` a label.
    """
    import pandas as pd

    found = [outcome for report in reports for outcome in outcomes_of(report)]
    rows = [row(outcome) for outcome in found]
    labels = list(dict.fromkeys(name for one in reports for name in one.confusion.labels))
    data: dict[str, Any] = {}
    for column in COLUMNS:
        values = [_clean(entry[column.name]) for entry in rows]
        data[column.name] = _typed(column, values, [str(_clean(label)) for label in labels])
    for tag in tags_of(reports):
        data[str(_clean(f"{TAG}{tag}"))] = pd.Categorical(
            [_clean(outcome.tags.get(tag)) for outcome in found]
        )
    if probabilities:
        for label in labels:
            known = [(outcome.probabilities or {}).get(label) for outcome in found]
            data[str(_clean(f"{PROBABILITY}{label}"))] = pd.array(known, dtype="Float64")
    return pd.DataFrame(data)


def write_parquet(path: Path, reports: Sequence[Report]) -> Path:
    """Write every outcome of every report as Parquet, and return the path.

    Raises:
        ExtraMissing: pyarrow is not installed.
        OSError: The file cannot be written.
    """
    need_extra("pyarrow", "parquet", "Parquet")
    pa = importlib.import_module("pyarrow")
    parquet = importlib.import_module("pyarrow.parquet")
    table = pa.Table.from_pandas(outcomes_frame(reports, probabilities=True), preserve_index=False)
    parquet.write_table(table, path)
    return path


def _typed(column: Column, values: list[Any], labels: list[str]) -> Any:
    import pandas as pd

    if column.name == "kind":
        return pd.Categorical(values, categories=list(OUTCOME_KINDS))
    if column.holds == "label":
        return pd.Categorical(values, categories=labels)
    if column.holds == "category":
        return pd.Categorical(values)
    return pd.Series(values, dtype=_DTYPES[column.holds])


def _clean(value: object) -> object:
    # Half a surrogate pair, which a model can emit, has no UTF-8: it is escaped, as in the CSV.
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
