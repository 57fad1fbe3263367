"""Names of runs that follow each other, whatever the clock says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pytest_llmclf.reporting.new_run import new_folder
from pytest_llmclf.reporting.run_folder import find_run

if TYPE_CHECKING:
    from pathlib import Path


def test_a_clock_that_was_set_back_exchanges_no_runs(tmp_path: Path) -> None:
    """The run that ended last is the latest, whatever the clock said of the one before."""
    tomorrow = datetime.now(UTC) + timedelta(days=400)
    first = tmp_path / f"{tomorrow:%Y%m%d-%H%M%S}-ffffff"
    folders = [first]
    for run in ("eeeeee", "000000", "aaaaaa"):
        folders[-1].mkdir()
        (folders[-1] / "run.json").write_text("{}")
        folders.append(new_folder(tmp_path, run))
    folders[-1].mkdir()
    (folders[-1] / "run.json").write_text("{}")
    assert sorted(folders) == folders
    assert find_run("latest", tmp_path) == folders[-1]
    assert find_run("previous", tmp_path) == folders[-2]


def test_names_that_are_none_count_for_nothing(tmp_path: Path) -> None:
    """Whatever lies among the runs."""
    for name in ("99999999-999999-x", "99991231-235959-x", "notes", "20200101-000000-x", "1"):
        (tmp_path / name).mkdir()
    before = datetime.now(UTC).replace(microsecond=0)
    name = new_folder(tmp_path, "abcdef").name
    stamp = datetime.strptime(f"{name[:15]} +0000", "%Y%m%d-%H%M%S %z")
    assert before <= stamp <= before + timedelta(seconds=10)
    assert new_folder(tmp_path / "absent", "abcdef").name.endswith("-abcdef")
