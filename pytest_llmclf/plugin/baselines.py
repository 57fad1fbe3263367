"""What a gate test is given to compare its predictions with, and what the comparison came to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.location import PyTestLocation

from pytest_llmclf.analysis.comparison.baseline import paired_question
from pytest_llmclf.analysis.consistency import stability
from pytest_llmclf.files import require_plain
from pytest_llmclf.gates.gate import GateInconclusive, verdict_on
from pytest_llmclf.metrics.population import population
from pytest_llmclf.plugin.snapshots import (
    FOLDER,
    BaselineTerms,
    extension_for,
    noise_lines,
    require_predictions,
)
from pytest_llmclf.values.text import command_line, noun

if TYPE_CHECKING:
    from pytest_llmclf.analysis.comparison.baseline import JudgedBaseline
    from pytest_llmclf.analysis.comparison.paired_comparison import Comparison
    from pytest_llmclf.gates.sequential.paired import PairedQuestion
    from pytest_llmclf.gates.sequential.rejudging import Foretold
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.runner.settings import Settings


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
        compared = ComparedBaseline(self)
        foretold = compared.foretold
        if equal and foretold is not None and foretold.word == "INCONCLUSIVE":
            self.undecided = True
            text = compared.told or foretold.text
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
    extension = extension_for(terms, exact=updating)
    baseline = snapshot.use_extension(extension)
    place = extension.get_location(test_location=baseline.test_location, index=0)
    there = Path(place).exists()
    if not (updating or settings.require_baseline or there):
        return NoBaseline(terms.lacking)
    if there:
        _require_readable(Path(place))
    open_to_doubt = stopped or (terms.margin is not None and not updating)
    return StoppedBaseline(baseline, report) if open_to_doubt else baseline


def _require_readable(place: Path) -> None:
    try:
        require_plain(place).open("rb").close()
    except OSError as error:
        pytest.fail(
            f"baseline: {place} cannot be read ({error.strerror}): remove it, and write the "
            "predictions anew with --snapshot-update",
            pytrace=False,
        )


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
    extension = extension_for(terms, exact=False)
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
    if report.task.variant:
        none = "baseline: no predictions are committed for this variant of the model"
    incomplete = report.ledger.why_incomplete()
    if incomplete is not None:
        return f"{none}, and none can be written: {incomplete}"
    here = item.config.invocation_params.dir
    file = item.path.relative_to(here) if item.path.is_relative_to(here) else item.path
    spec = str(item.callspec.params["report"].spec)  # type: ignore[attr-defined]
    option = item.config.option
    told = [str(file), "--llmclf-model", spec, *(["--llmclf-final"] if option.llmclf_final else [])]
    told += [word for text in option.llmclf_variant or [] for word in ("--llmclf-variant", text)]
    # It chose variants where no image is missing: the others are not to see what is held out.
    told += ["-k", option.keyword] if option.keyword and not _is_part(report) else []
    command = command_line("pytest", *told, "--snapshot-update")
    return f"{none}; to write them, before you commit {FOLDER}: {command}"


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


class ComparedBaseline:
    """What a gate test's comparison with committed predictions came to.

    Args:
        baseline: What the test was given to compare with.
    """

    def __init__(self, baseline: SnapshotAssertion | NoBaseline | StoppedBaseline) -> None:
        self._baseline = baseline

    @property
    def lacks(self) -> bool:
        """Whether no predictions are committed."""
        return isinstance(self._baseline, NoBaseline)

    @property
    def undecided(self) -> bool:
        """Whether a run that stopped early could not decide it."""
        return isinstance(self._baseline, StoppedBaseline) and self._baseline.undecided

    @property
    def comparison(self) -> Comparison | None:
        """What it found; ``None`` if the test compared nothing."""
        found = self._judged
        return None if found is None else found.comparison

    @property
    def told(self) -> str | None:
        """What it came to, in one line; ``None`` if the test compared nothing."""
        if isinstance(self._baseline, NoBaseline):
            return self._baseline.lacking
        result, found = self._last, self._judged
        if result is None:
            return None
        terms: BaselineTerms = self._extension.terms
        if found is None:
            return "baseline: written for the first time" if result.success else terms.lacking
        if result.updated:
            refused = found.comparison.refused
            summary = found.comparison.summary()
            before = "replaces what could not be compared" if refused else summary
            return f"baseline: written anew: {before}"
        return "; ".join([f"baseline: {found.summary()}", *noise_lines(found.comparison, terms)])

    @property
    def failure(self) -> str | None:
        """Why it failed, every list of images included; ``None`` if it did not."""
        result = self._last
        if result is None or result.success:
            return None
        return "\n".join(self._extension.diff_lines(result.asserted_data, result.recalled_data))

    @property
    def foretold(self) -> Foretold | None:
        """What all images would say, where the run did not ask about all of them."""
        found = self._judged
        return None if found is None else found.foretold

    @property
    def _extension(self) -> Any:
        return self._baseline.extension  # type: ignore[union-attr]

    @property
    def _judged(self) -> JudgedBaseline | None:
        result = self._last
        if result is None or result.recalled_data is None:
            return None
        judged: JudgedBaseline = self._extension.judged(result.asserted_data, result.recalled_data)
        return judged

    @property
    def _last(self) -> Any:
        """The test's last comparison as syrupy has it, or ``None``."""
        if isinstance(self._baseline, NoBaseline):
            return None
        results = list(self._baseline.executions.values())
        return results[-1] if results and results[-1].asserted_data is not None else None
