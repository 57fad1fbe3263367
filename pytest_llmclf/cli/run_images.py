"""Where the images of a run's reports are, as far as this project has them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmclf.errors import DatasetError
from pytest_llmclf.runner.settings import project_root

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.case import Case


def dataset_images(reports: Sequence[Report]) -> Callable[[str, str], Path | None]:
    """Tells the file of an image by evaluation and case id, of datasets that this project has."""
    from pytest_llmclf.data.dataset import load, locate

    root = project_root(Path.cwd())
    known: dict[str, dict[str, Case]] = {}
    for name in dict.fromkeys(report.dataset.name for report in reports):
        try:
            dataset = load(locate(name, root), verify_images=False)
        except DatasetError:
            continue  # the page says of each image that it is not there
        known[name] = {case.id: case for case in dataset.cases}
    cases = {report.evaluation: known.get(report.dataset.name, {}) for report in reports}
    folders = {
        report.evaluation: (report.dataset.path, report.dataset.strangers) for report in reports
    }

    def image(evaluation: str, case: str) -> Path | None:
        found = cases.get(evaluation, {}).get(case)
        if found is not None:
            return found.path
        places = (_within(root, folder, case) for folder in folders.get(evaluation, ()))
        return next((path for path in places if path is not None), None)

    return image


def _within(root: Path, folder: str, case: str) -> Path | None:
    """The file of a dataset that was given by its path, if it lies in this project."""
    try:
        path = (root / folder / case).resolve()
        known = bool(folder) and path.is_relative_to(root.resolve()) and path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return None
    return path if known else None
