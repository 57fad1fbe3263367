"""The committed predictions as a syrupy snapshot: one reviewable file a gate and model."""

from __future__ import annotations

import warnings
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from syrupy.constants import TEXT_ENCODING
from syrupy.data import SnapshotCollections
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from pytest_llmclf.analysis.comparison.baseline import (
    JudgedBaseline,
    compare,
    foretell_baseline,
)
from pytest_llmclf.analysis.comparison.margin import judge_margin
from pytest_llmclf.analysis.comparison.predictions_file import predictions_text
from pytest_llmclf.analysis.consistency import Stability, flips_beyond_noise
from pytest_llmclf.gates.sequential.rejudging import Foretold
from pytest_llmclf.metrics.report import Predictions
from pytest_llmclf.plugin.items import MODEL_MARK
from pytest_llmclf.reporting.comparison import baseline_lines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from syrupy.location import PyTestLocation

    from pytest_llmclf.analysis.comparison.margin import Margin
    from pytest_llmclf.analysis.comparison.paired_comparison import Comparison
    from pytest_llmclf.analysis.comparison.tolerance import Tolerance
    from pytest_llmclf.metrics.report import Report

FOLDER = "__predictions__"


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineTerms:
    """What a comparison with the committed predictions goes by.

    Attributes:
        subset: Whether the run left images out on purpose.
        imported: Whether the images are the imported ones, which have predictions of their own.
        held_out: Whether they are those that are held out, which have some of their own, too.
        tolerance: Largest net loss that passes, if one is stated.
        stability: How much the model differs from itself, if it was asked more than once.
        lacking: What to say where no predictions are committed.
        advice: What to do where a change is meant.
        stopped: The report of a run that stopped early.
        clusters: By case, which images are one piece of evidence.
        group: Tag whose values those are.
        margin: Smallest loss of accuracy that is not fine, if one is stated.
        taken_out: Images of the dataset that are not judged, for the examples.
        left_out: Images that people decided to leave out of the dataset.
    """

    subset: bool = False
    imported: bool = False
    held_out: bool = False
    tolerance: Tolerance | None = None
    stability: Stability | None = None
    lacking: str = ""
    advice: str = ""
    stopped: Report | None = None
    clusters: Mapping[str, str] = field(default_factory=dict)
    group: str = ""
    margin: Margin | None = None
    taken_out: frozenset[str] = frozenset()
    left_out: tuple[str, ...] = ()

    def judge(self, current: str, committed: str) -> JudgedBaseline:
        """Hold two texts of predictions against each other on these terms."""
        found = compare(
            current,
            committed,
            subset=self.subset,
            clusters=self.clusters,
            group=self.group,
            taken_out=self.taken_out,
            left_out=self.left_out,
        )
        return JudgedBaseline(
            comparison=found, tolerance=self.tolerance, foretold=self._foretold(found, committed)
        )

    def _foretold(self, found: Comparison, committed: str) -> Foretold | None:
        if self.margin is not None:
            if found.refused is not None:
                return None
            verdict = judge_margin(found, self.margin)
            return Foretold(word=verdict.word, text=verdict.text)
        if self.stopped is None:
            return None
        return foretell_baseline(
            self.stopped, committed, subset=self.subset, tolerance=self.tolerance
        )


class PredictionsExtension(SingleFileSnapshotExtension):
    """Writes predictions as text; equal means: not worse than what is committed."""

    file_extension = "txt"
    _write_mode = WriteMode.TEXT
    terms: ClassVar[BaselineTerms] = BaselineTerms()
    known: ClassVar[dict[tuple[str, str], JudgedBaseline]] = {}

    @classmethod
    def judged(cls, current: str, committed: str) -> JudgedBaseline:
        """What two texts come to: worked out once, though the gate, its line and its list ask."""
        if (current, committed) not in cls.known:
            cls.known[current, committed] = cls.terms.judge(current, committed)
        return cls.known[current, committed]

    @classmethod
    def dirname(cls, *, test_location: PyTestLocation) -> str:
        """The folder: one a test file, apart from other snapshots.

        syrupy's default extension takes every file below ``__snapshots__`` for one of its own, and
        an update would remove the predictions that this run did not compare.
        """
        folder = Path(test_location.filepath).parent / FOLDER / test_location.basename
        # The imported images of a name are others than the bundled ones.
        folder = folder / "imported" if cls.terms.imported else folder
        return str(folder / "held-out" if cls.terms.held_out else folder)

    @classmethod
    def get_file_basename(cls, *, test_location: PyTestLocation, index: int | str) -> str:
        """Its name without ending: model and variant stay apart, so that no two are one."""
        apart = copy(test_location)
        object.__setattr__(apart, "testname", test_location.testname.replace(MODEL_MARK, "~"))
        return super().get_file_basename(test_location=apart, index=index)

    @classmethod
    def write_snapshot(cls, **what: Any) -> None:
        """Write; that a file cannot be called what its model is called is no reason to warn."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"\s*Can not relate snapshot location")
            super().write_snapshot(**what)

    def read_snapshot_data_from_location(self, *, snapshot_location: str, **_: Any) -> str | None:
        """Its text, also of a file in another encoding: what it is not, the comparison says."""
        try:
            return Path(snapshot_location).read_text(TEXT_ENCODING, errors="replace")
        except FileNotFoundError:
            return None

    def serialize(self, data: Any, **_: Any) -> str:
        """The text of `Report.predictions`."""
        return predictions_text(require_predictions(data).report)

    def matches(self, *, serialized_data: Any, snapshot_data: Any) -> bool:
        """Whether the comparison finds nothing to stop for."""
        return self.judged(serialized_data, snapshot_data).why_failed is None

    def diff_lines(self, serialized_data: Any, snapshot_data: Any) -> Any:
        """What changed, for the failure message."""
        if snapshot_data is None:
            yield self.terms.lacking
            return
        found = self.judged(serialized_data, snapshot_data)
        yield from baseline_lines(found.comparison, found.why_failed, self.terms.advice)
        yield from noise_lines(found.comparison, self.terms)

    def discover_snapshots(self, **_: Any) -> SnapshotCollections:
        """Nothing: predictions of a model that is not asked today are not unused."""
        return SnapshotCollections()


class ExactPredictions(PredictionsExtension):
    """For an update: whatever differs is written anew."""

    def matches(self, *, serialized_data: Any, snapshot_data: Any) -> bool:
        """Whether the two are the same text."""
        return bool(serialized_data == snapshot_data)


def require_predictions(data: object) -> Predictions:
    """What a test compares with a baseline, where it is `Report.predictions`.

    Raises:
        TypeError: It is anything else.
    """
    if not isinstance(data, Predictions):
        raise TypeError(
            f"a baseline is compared with report.predictions, not with {type(data).__name__}"
        )
    return data


def extension_for(terms: BaselineTerms, *, exact: bool) -> type[PredictionsExtension]:
    """An extension that goes by these terms; syrupy makes it of the class, without arguments."""

    class Configured(ExactPredictions if exact else PredictionsExtension):  # type: ignore[misc]
        """Goes by the terms of one run."""

    Configured.terms = terms
    Configured.known = {}
    return Configured


def noise_lines(comparison: Comparison, terms: BaselineTerms) -> list[str]:
    """What the model's own flips say about those since the committed predictions."""
    flips = comparison.broken or comparison.fixed
    if terms.stability is None or not flips:
        return []
    verdict = flips_beyond_noise(comparison, terms.stability)
    return [] if verdict is None else [verdict.text]
