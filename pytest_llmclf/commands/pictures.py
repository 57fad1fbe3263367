"""Where the pictures of a run's reports are, as far as this project has them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmclf.errors import DatasetError
from pytest_llmclf.settings import project_root

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.report import Report


def dataset_pictures(reports: Sequence[Report]) -> dict[tuple[str, str], Path]:
    """Files of pictures by evaluation and case id, of the datasets that this project has."""
    from pytest_llmclf.dataset import load, locate

    root = project_root(Path.cwd())
    files: dict[str, dict[str, Path]] = {}
    for name in dict.fromkeys(report.dataset.name for report in reports):
        try:
            dataset = load(locate(name, root), verify_pictures=False)
        except DatasetError:
            continue  # the page says of each picture that it is not there
        files[name] = {case.id: case.path for case in dataset.cases}
    return {
        (report.evaluation, case): path
        for report in reports
        for case, path in files.get(report.dataset.name, {}).items()
    }
