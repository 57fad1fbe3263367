"""The committed predictions as a syrupy snapshot: one reviewable file a gate and model."""

from __future__ import annotations

import warnings
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.data import SnapshotCollections
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from syrupy.location import PyTestLocation

from pytest_llmclf.analysis.comparison.baseline import (
    JudgedBaseline,
    compare,
    foretell_baseline,
    paired_question,
)
from pytest_llmclf.analysis.comparison.margin import judge_margin
from pytest_llmclf.analysis.comparison.predictions_file import predictions_text
from pytest_llmclf.analysis.consistency import Stability, flips_beyond_noise, stability
from pytest_llmclf.files import require_plain
from pytest_llmclf.gates.gate import GateInconclusive, verdict_on
from pytest_llmclf.gates.sequential.rejudging import Foretold
from pytest_llmclf.metrics.population import population
from pytest_llmclf.metrics.report import Predictions
from pytest_llmclf.plugin.items import MODEL_MARK
from pytest_llmclf.reporting.comparison import baseline_lines
from pytest_llmclf.values.text import command_line, noun

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llmclf.analysis.comparison.margin import Margin
    from pytest_llmclf.analysis.comparison.paired_comparison import Comparison
    from pytest_llmclf.analysis.comparison.tolerance import Tolerance
    from pytest_llmclf.gates.sequential.paired import PairedQuestion
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.runner.settings import Settings

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

    def serialize(self, data: Any, **_: Any) -> str:
        """The text of `Report.predictions`."""
        return predictions_text(require_predictions(data).report)

    def matches(self, *, serialized_data: Any, snapshot_data: Any) -> bool:
        """Whether the comparison finds nothing to stop for."""
        return self.judged(serialized_data, snapshot_data).why_failed is None

    def diff_lines(self, serialized_data: Any, snapshot_data: Any) -> Any:
        """What changed, for the failure message."""
        if not snapshot_data:
            yield self.terms.lacking
            return
        found = self.judged(serialized_data, snapshot_data)
        yield from baseline_lines(found.comparison, found.why_failed, self.terms.advice)
        yield from _noise(found.comparison, self.terms)

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


class NoBaseline:
    """Stands in where no predictions are committed and none are demanded.

    Args:
        lacking: What to say of it.
    """

    def __init__(self, lacking: str) -> None:
        self.lacking = lacking

    def __eq__(self, other: object) -> bool:
        require_predictions(other)
        return True

    def __hash__(self) -> int:
        return 0


def syrupys(snapshot: object) -> SnapshotAssertion:
    """What the fixture ``snapshot`` gave, where it is syrupy's."""
    if not isinstance(snapshot, SnapshotAssertion):
        pytest.fail(
            "the fixture 'baseline' needs syrupy's fixture 'snapshot', and found one that gives "
            f"{type(snapshot).__module__}.{type(snapshot).__qualname__}: rename that one, or leave "
            "its plugin out with -p no:NAME",
            pytrace=False,
        )
    return snapshot


class StoppedBaseline:
    """Stands before committed predictions where a run stopped early: the images tell, or raise.

    Args:
        snapshot: The committed predictions.
        report: Of the run.

    Attributes:
        undecided: Whether a comparison could not be decided.
    """

    def __init__(self, snapshot: SnapshotAssertion, report: Report) -> None:
        self._snapshot = snapshot
        self._report = report
        self.undecided = False

    def __eq__(self, other: object) -> bool:
        equal = bool(self._snapshot == other)
        found = _judged(self)
        foretold = None if found is None else found.foretold
        if equal and foretold is not None and foretold.word == "INCONCLUSIVE":
            self.undecided = True
            text = told(self) or foretold.text
            verdict = verdict_on(self._report, "INCONCLUSIVE", text, "sample")
            raise GateInconclusive(text, [verdict])
        return equal

    def __hash__(self) -> int:
        return hash(self._snapshot)

    @property
    def executions(self) -> dict[int, Any]:
        """The comparisons made so far, as syrupy has them."""
        return dict(self._snapshot.executions)

    @property
    def extension(self) -> Any:
        """What compares."""
        return self._snapshot.extension


def open_baseline(
    snapshot: SnapshotAssertion, report: Report, item: pytest.Item, settings: Settings
) -> SnapshotAssertion | NoBaseline | StoppedBaseline:
    """The committed predictions to hold a report's against.

    Args:
        snapshot: syrupy's fixture.
        report: What will be compared.
        item: The gate test.
        settings: What the user said of losses that pass, and of predictions that are not there.
    """
    imported = report.dataset.imported
    updating = snapshot.update_snapshots
    if updating:
        _refuse_part(report)
    stopped = bool(report.ledger.not_needed)
    terms = BaselineTerms(
        subset=_is_part(report),
        imported=imported,
        held_out=report.dataset.part == "held-out",
        tolerance=settings.tolerance,
        # How many images flip by themselves is known of all images or not at all.
        stability=None if stopped else stability(report),
        lacking=_lacking(item, report),
        advice=_advice(report),
        stopped=report if stopped else None,
        clusters=report.clusters,
        group=report.group,
        margin=settings.margin,
        taken_out=frozenset(report.dataset.taken_out),
        left_out=() if report.dataset.review is None else report.dataset.review.left_out,
    )
    extension = _extension(terms, exact=updating)
    baseline = snapshot.use_extension(extension)
    place = extension.get_location(test_location=baseline.test_location, index=0)
    if not (updating or settings.require_baseline or Path(place).exists()):
        return NoBaseline(terms.lacking)
    open_to_doubt = stopped or (terms.margin is not None and not updating)
    return StoppedBaseline(baseline, report) if open_to_doubt else baseline


def question_of(
    item: pytest.Item, report: Report, settings: Settings
) -> PairedQuestion | str | None:
    """What a gate test's comparison asks of a run that may stop early; see `paired_question`.

    ``None``, too, where the test compares nothing, or nothing is committed.

    Args:
        item: The gate test.
        report: Of its evaluation and model, before any answer.
        settings: What the user said of losses that pass.
    """
    if "baseline" not in getattr(item, "fixturenames", ()):
        return None
    if item.config.option.update_snapshots:
        return "--snapshot-update writes the predictions of all images"
    terms = BaselineTerms(
        imported=report.dataset.imported, held_out=report.dataset.part == "held-out"
    )
    extension = _extension(terms, exact=False)
    place = Path(extension.get_location(test_location=PyTestLocation(item), index=0))
    if not place.exists():
        return None
    try:
        committed = require_plain(place).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return f"the committed predictions cannot be read: {error}"
    if settings.margin is not None:
        return "a margin is about images like these, and needs the answers to all of these"
    part = _is_part(report)
    return paired_question(report, committed, subset=part, tolerance=settings.tolerance)


def _is_part(report: Report) -> bool:
    return report.ledger.collected < report.dataset.cases_in_dataset


def _advice(report: Report) -> str:
    """How new predictions are committed, where this run may commit any at all."""
    ledger = report.ledger
    incomplete = ledger.why_incomplete()
    if incomplete is not None:
        return f"no new predictions can be committed: {incomplete}"
    commit = "if this is right, commit new predictions with --snapshot-update"
    if ledger.not_needed:
        return f"{commit}, without --llmclf-stop-early"
    return f"{commit}, on all images" if _is_part(report) else commit


def _lacking(item: pytest.Item, report: Report) -> str:
    none = "baseline: no predictions are committed for this model"
    incomplete = report.ledger.why_incomplete()
    if incomplete is not None:
        return f"{none}, and none can be written: {incomplete}"
    here = item.config.invocation_params.dir
    file = item.path.relative_to(here) if item.path.is_relative_to(here) else item.path
    spec = str(item.callspec.params["report"].spec)  # type: ignore[attr-defined]
    option = item.config.option
    told = [str(file), "--llmclf-model", spec, *(["--llmclf-final"] if option.llmclf_final else [])]
    told += [word for text in option.llmclf_variant or [] for word in ("--llmclf-variant", text)]
    command = command_line("pytest", *told, "--snapshot-update")
    return f"{none}; to write them, before you commit {FOLDER}: {command}"


def _extension(terms: BaselineTerms, *, exact: bool) -> type[PredictionsExtension]:
    """An extension that goes by these terms; syrupy makes it of the class, without arguments."""

    class Configured(ExactPredictions if exact else PredictionsExtension):  # type: ignore[misc]
        """Goes by the terms of one run."""

    Configured.terms = terms
    Configured.known = {}
    return Configured


def _refuse_part(report: Report) -> None:
    """Never let the predictions on some images replace those on all."""
    ledger = report.ledger
    why = None
    if ledger.not_needed:
        why = (
            f"{ledger.not_needed} of {ledger.collected} images "
            f"{noun(ledger.not_needed, 'was', 'were')} not asked about, since the run stopped "
            "early; run without --llmclf-stop-early to update"
        )
    elif _is_part(report):
        why = (
            f"predictions {population(report)} would replace those of all; run all images to update"
        )
    if why is not None:
        pytest.fail(f"--snapshot-update: {why}", pytrace=False)


def compared(baseline: object) -> Comparison | None:
    """What a test's comparison with committed predictions found; ``None`` if it compared none."""
    found = _judged(baseline)
    return None if found is None else found.comparison


def _judged(baseline: object) -> JudgedBaseline | None:
    """What a test's last comparison came to; ``None`` if it compared nothing."""
    result = _last(baseline)
    if result is None or result.recalled_data is None:
        return None
    extension: PredictionsExtension = baseline.extension  # type: ignore[attr-defined]
    return extension.judged(result.asserted_data, result.recalled_data)


def _last(baseline: object) -> Any:
    """A test's last comparison as syrupy has it, or ``None``."""
    if isinstance(baseline, NoBaseline):
        return None
    results = list(baseline.executions.values())  # type: ignore[attr-defined]
    return results[-1] if results and results[-1].asserted_data is not None else None


def told(baseline: object) -> str | None:
    """What a test's comparison came to, in one line; ``None`` if it compared nothing."""
    if isinstance(baseline, NoBaseline):
        return baseline.lacking
    result = _last(baseline)
    if result is None:
        return None
    found = _judged(baseline)
    terms: BaselineTerms = baseline.extension.terms  # type: ignore[attr-defined]
    if found is None:
        return "baseline: written for the first time" if result.success else terms.lacking
    if result.updated:
        refused = found.comparison.refused
        before = "replaces what could not be compared" if refused else found.comparison.summary()
        return f"baseline: written anew: {before}"
    return "; ".join([f"baseline: {found.summary()}", *_noise(found.comparison, terms)])


def failure(baseline: object) -> str | None:
    """Why a test's comparison failed, every list of images included; ``None`` if it did not."""
    result = _last(baseline)
    if result is None or result.success:
        return None
    extension = baseline.extension  # type: ignore[attr-defined]
    return "\n".join(extension.diff_lines(result.asserted_data, result.recalled_data or ""))


def _noise(comparison: Comparison, terms: BaselineTerms) -> list[str]:
    """What the model's own flips say about those since the committed predictions."""
    flips = comparison.broken or comparison.fixed
    if terms.stability is None or not flips:
        return []
    verdict = flips_beyond_noise(comparison, terms.stability)
    return [] if verdict is None else [verdict.text]
