"""``llmclf review``: the page is written beside the run's, about the dataset that is meant."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import webbrowser
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf.cli import report_command, review_command
from pytest_llmclf.data.decisions import append_decisions
from pytest_llmclf.errors import SettingsError
from pytest_llmclf.reporting import artifacts
from pytest_llmclf.reporting.run_folder import read_run
from tests.pages import png
from tests.unit.cli.command import call
from tests.unit.test_label_review import herd, report_of
from tests.unit.test_mending import about

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_llmclf.values.outcome import Outcome


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run on images of which the odd one alone is doubtful; those of one class are here."""
    (tmp_path / "pyproject.toml").touch()
    folder = tmp_path / "fixtures" / "pets"
    outcomes: list[Outcome] = []
    for one in herd(odd=("dog", "c")):
        path = folder / one.expected / f"{one.case}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png((len(outcomes), 9, 9)))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        outcomes.append(replace(one, case=f"{one.expected}/{one.case}.png", sha256=digest))
    run = tmp_path / ".llmclf" / "runs" / "20260101-000000-abc"
    artifacts.write_run(run, [report_of(outcomes)], settings={}, environment={})
    monkeypatch.chdir(tmp_path)
    return run


def page(path: Path) -> dict[str, Any]:
    """What a page knows."""
    text = path.read_text("utf-8")
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text)
    data: dict[str, Any] = json.loads(found)
    return data


def test_the_page_lies_beside_the_run_s(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says how many images it has, and where it is; the run's own page then leads to it."""
    assert call(review_command, "review", "latest", "--control", "3", "--no-near-copies") == 0
    out = capsys.readouterr().out
    assert "1 label in doubt, 3 images drawn at random among the others" in out
    assert out.splitlines()[-1] == str(run / "review.html")
    data = page(run / "review.html")
    assert [one["control"] for one in data["images"]] == [False, True, True, True]
    assert data["images"][0]["image"] == "dog/odd.png"
    assert data["without"] == [None] * 4
    assert data["target"] == "pets"


@pytest.mark.parametrize(
    ("facts", "target"),
    [
        ({"name": "pets"}, "pets"),
        ({"name": "pets (test)"}, "pets --split test"),
        ({"name": "other", "path": "fixtures/pets"}, "fixtures/pets"),
        ({"name": "zipped", "path": ".llmclf/images/zipped"}, "evals/FILE.py::pets"),
        ({"name": "listed", "path": "."}, "evals/FILE.py::pets"),
        ({"name": "pets", "strangers": "street"}, "evals/FILE.py::pets"),
    ],
)
def test_decisions_are_applied_to_what_was_judged(
    run: Path, facts: dict[str, Any], target: str
) -> None:
    """By the name that finds it; what a function gave is known to the evaluation alone."""
    project = run.parents[2]
    own = project / "fixtures" / "pets" / "decisions.jsonl"
    if "test" in target:
        own = own.parent / "test" / own.name
        own.parent.mkdir()
    if target.startswith("evals"):
        own = project / "decisions" / "pets.jsonl"
    append_decisions(own, [about("cat/1", 0)])
    (report,) = read_run(run).reports
    changed = replace(report, dataset=replace(report.dataset, **facts), evaluation="pets")
    found, (one,) = review_command.decided(changed)
    assert (found, one.image) == (target, "cat/1")


def test_images_that_a_function_gave_are_shown(run: Path) -> None:
    """Their bytes are kept in the project, below the name of their evaluation."""
    project = run.parents[2]
    summary = json.loads((run / "run.json").read_text("utf-8"))
    summary["reports"][0]["dataset"] |= {"name": "zipped", "path": ".llmclf/images/zipped"}
    (run / "run.json").write_text(json.dumps(summary), "utf-8")
    (project / ".llmclf" / "images").mkdir()
    (project / "fixtures" / "pets").rename(project / ".llmclf" / "images" / "zipped")
    assert call(review_command, "review", "latest", "--no-near-copies", "--no-open") == 0
    known = page(run / "review.html")
    assert known["target"].startswith("evals/FILE.py::")
    assert any(one["place"] >= 0 for one in known["images"])


def test_it_is_opened_where_a_terminal_asks(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in a script, and not where nobody wants it."""
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    call(review_command, "review", "latest")
    assert opened == []
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    call(review_command, "review", "latest", "--no-open")
    assert opened == []
    call(review_command, "review", "latest")
    assert opened == [(run / "review.html").as_uri()]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--dataset", "pest"), "no dataset 'pest', only pets; did you mean 'pets'"),
        (("--control", "0", "--limit", "0"), "more images come with --all"),
    ],
)
@pytest.mark.usefixtures("run")
def test_what_cannot_be_shown_is_told(arguments: tuple[str, ...], message: str) -> None:
    """With what to do."""
    with pytest.raises(SettingsError, match=message):
        call(review_command, "review", "latest", *arguments)


def test_of_several_datasets_one_is_named(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The error lists them, and each has a page of its own."""
    (pets,) = read_run(run).reports
    zoo = replace(
        pets,
        evaluation="zoo",
        dataset=replace(pets.dataset, name="zoo", content_hash="ef"),
        outcomes=tuple(replace(one, evaluation="zoo") for one in pets.outcomes),
    )
    artifacts.write_run(run, [pets, zoo], settings={}, environment={})
    with pytest.raises(SettingsError, match="several datasets: name one with --dataset: pets, zoo"):
        call(review_command, "review", "latest", "--no-near-copies")
    assert call(review_command, "review", "latest", "--dataset", "pets", "--no-near-copies") == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(run / "pets-review.html")


def test_without_its_images_there_is_no_page(run: Path) -> None:
    """Nobody can decide about an image that is not seen."""
    (run.parents[2] / "fixtures").rename(run.parents[2] / "elsewhere")
    with pytest.raises(SettingsError, match="no image of 'pets' is found here"):
        call(review_command, "review", "latest")
    assert not (run / "review.html").exists()


def test_the_run_s_page_leads_to_it(run: Path) -> None:
    """By its name where it exists; else it names the command."""
    assert call(report_command, "report", "latest", "--quiet") == 0
    assert '"review":""' in (run / "page.html").read_text("utf-8")
    call(review_command, "review", "latest", "--no-open")
    assert call(report_command, "report", "latest", "--quiet") == 0
    assert '"review":"review.html"' in (run / "page.html").read_text("utf-8")
