"""The committed predictions as a syrupy snapshot: one reviewable file a gate and model."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from syrupy.data import SnapshotCollections
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from pytest_llmclf.baseline import Comparison, compare
from pytest_llmclf.gate import population
from pytest_llmclf.marks import GATE_ATTRIBUTE
from pytest_llmclf.render.predictions import predictions_text
from pytest_llmclf.report import Predictions

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion
    from syrupy.location import PyTestLocation

    from pytest_llmclf.report import Report


FOLDER = "__predictions__"
_NOT_COMMITTED = (
    "baseline: no predictions are committed for this model; --snapshot-update writes them"
)


class PredictionsExtension(SingleFileSnapshotExtension):
    """Writes predictions as text; equal means: not worse than what is committed."""

    file_extension = "txt"
    _write_mode = WriteMode.TEXT
    subset: ClassVar[bool] = False

    @classmethod
    def dirname(cls, *, test_location: PyTestLocation) -> str:
        """The folder: one a test file, apart from other snapshots.

        syrupy's default extension takes every file below ``__snapshots__`` for one of its own, and
        an update would remove the predictions that this run did not compare.
        """
        return str(Path(test_location.filepath).parent / FOLDER / test_location.basename)

    @classmethod
    def write_snapshot(cls, **what: Any) -> None:
        """Write; that a file cannot be called what its model is called is no reason to warn."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"\s*Can not relate snapshot location")
            super().write_snapshot(**what)

    def serialize(self, data: Any, **_: Any) -> str:
        """The text of `Report.predictions`."""
        if not isinstance(data, Predictions):
            raise TypeError(
                f"a baseline is compared with report.predictions, not with {type(data).__name__}"
            )
        return predictions_text(data.report)

    def matches(self, *, serialized_data: Any, snapshot_data: Any) -> bool:
        """Whether the comparison finds nothing to stop for."""
        comparison = compare(serialized_data, snapshot_data, subset=self.subset)
        return comparison.refused is None and not comparison.worse and not comparison.missing

    def diff_lines(self, serialized_data: Any, snapshot_data: Any) -> Any:
        """What changed, for the failure message."""
        if not snapshot_data:
            yield _NOT_COMMITTED
            return
        yield from explain(compare(serialized_data, snapshot_data, subset=self.subset))

    def discover_snapshots(self, **_: Any) -> SnapshotCollections:
        """Nothing: predictions of a model that is not asked today are not unused."""
        return SnapshotCollections()


class SubsetPredictions(PredictionsExtension):
    """For a run over part of the images."""

    subset = True


class ExactPredictions(PredictionsExtension):
    """For an update: whatever differs is written anew."""

    def matches(self, *, serialized_data: Any, snapshot_data: Any) -> bool:
        """Whether the two are the same text."""
        return bool(serialized_data == snapshot_data)


class NoBaseline:
    """Stands in where no predictions are committed and none are demanded."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


def open_baseline(
    snapshot: SnapshotAssertion, report: Report, item: pytest.Item
) -> SnapshotAssertion | NoBaseline:
    """The committed predictions to hold a report's against.

    Args:
        snapshot: syrupy's fixture.
        report: What will be compared.
        item: The gate test. Predictions are demanded of a model that one of the evaluation's
            gates is meant for, and of every model where none is declared.
    """
    gates = getattr(item.obj, GATE_ATTRIBUTE).gates  # type: ignore[attr-defined]
    imported = report.dataset.imported
    demanded = not gates or any(gate.applies(report.model, imported=imported) for gate in gates)
    updating = snapshot.update_snapshots
    part = report.ledger.collected < report.dataset.cases_in_dataset
    if updating and part:
        pytest.fail(
            f"--snapshot-update: predictions {population(report)} would replace those of all; "
            "run all images to update",
            pytrace=False,
        )
    extension = (
        ExactPredictions if updating else SubsetPredictions if part else PredictionsExtension
    )
    baseline = snapshot.use_extension(extension)
    place = extension.get_location(test_location=baseline.test_location, index=0)
    if not updating and not demanded and not Path(place).exists():
        return NoBaseline()
    return baseline


def told(baseline: object) -> str | None:
    """What a test's comparison came to, in one line; ``None`` if it compared nothing."""
    if isinstance(baseline, NoBaseline):
        return _NOT_COMMITTED
    results = list(baseline.executions.values())  # type: ignore[attr-defined]
    if not results or results[-1].asserted_data is None:
        return None
    result = results[-1]
    if result.recalled_data is None:
        return "baseline: written for the first time" if result.success else _NOT_COMMITTED
    extension = type(baseline.extension)  # type: ignore[attr-defined]
    found = compare(result.asserted_data, result.recalled_data, subset=extension.subset)
    return f"baseline: {found.summary()}{', written anew' if result.updated else ''}"


def explain(comparison: Comparison, most: int = 10) -> list[str]:
    """A few lines on what changed, with the remedy."""
    lines = [comparison.summary()]
    for what in ("broken", "fixed", "changed", "new", "missing"):
        cases: tuple[str, ...] = getattr(comparison, what)
        if cases:
            more = f" and {len(cases) - most} more" if len(cases) > most else ""
            lines.append(f"{what}: {', '.join(cases[:most])}{more}")
    lines.append("if this is right, commit new predictions with --snapshot-update")
    return lines
