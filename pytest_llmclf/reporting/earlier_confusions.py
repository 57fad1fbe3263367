"""Which labels a finished run confused, for those who show example images of just these."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_llmclf.errors import SettingsError, some_of
from pytest_llmclf.reporting.run_folder import read_run

if TYPE_CHECKING:
    from pathlib import Path


def confused_in(folder: Path, evaluation: str) -> tuple[tuple[str, str], ...]:
    """Pairs of labels that were taken for one another, in either direction, most often first.

    The mistakes of all models that the evaluation was put to count together: instructions are
    the same for all of them.

    Args:
        folder: Of a finished run.
        evaluation: Whose mistakes.

    Raises:
        RunFolderError: There is no finished run.
        SettingsError: It has no such evaluation, or no label was taken for another one.
    """
    reports = read_run(folder).reports
    own = [report for report in reports if report.evaluation == evaluation]
    if not own:
        names = some_of(dict.fromkeys(report.evaluation for report in reports)) or "none"
        raise SettingsError(f"the run in {folder} has no evaluation {evaluation!r}; it has {names}")
    counts: Counter[tuple[str, str]] = Counter()
    for report in own:
        for mistake in report.confusions():
            first, second = sorted((mistake.expected, mistake.predicted))
            counts[first, second] += mistake.count
    if not counts:
        raise SettingsError(
            f"the run in {folder} took no label of {evaluation!r} for another one: there is "
            'nothing to show examples against; choose="by class" shows some of each'
        )
    return tuple(sorted(counts, key=lambda pair: (-counts[pair], pair)))
