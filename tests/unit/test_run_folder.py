"""A run's folder is read back as it was written, and never when it is not whole."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf.analysis.comparison.paired_comparison import Change, Comparison
from pytest_llmclf.api import PublicReport, public, read_run
from pytest_llmclf.cli.project import home_folder
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.report_facts import DatasetFacts, StopRule
from pytest_llmclf.reporting import artifacts
from pytest_llmclf.reporting.columns import SCHEMA
from pytest_llmclf.reporting.run_folder import RunFolderError, find_run, read_run_of
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.outcome import TaskName
from pytest_llmclf.values.request import ModelIdentity
from pytest_llmclf.values.verdict import Verdict
from tests.unit.ended import ended

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_llmclf.metrics.report import Report

VERDICT = Verdict(word="PASS", text="fine", evaluation="pets", model="ollama:llava")

KEY = TaskName("pets", "ollama:llava")
BASELINE = Comparison(
    cases=("a", "b", "c"),
    correct=1,
    changes=(Change(case="b", kind="broken", expected="cat", was="cat", now="dog"),),
    unanswered=("d",),
    notes=("a note",),
)


def whole() -> PublicReport:
    """A report with every kind of outcome, repeats, and an answer that is hard to write."""
    token = {"token": "cat", "logprob": -0.1, "top": [["dog", -2.0]]}
    answer = Answer.from_json({"text": 'a "cat"\u2028\ud800\n', "logprobs": [token]})
    return public(
        build(
            evaluation="pets",
            model="ollama:llava",
            dataset=DatasetFacts(
                name="pets", content_hash="abc", labels=("cat", "dog"), cases_in_dataset=9
            ),
            outcomes=[
                ended("a", "correct", answer=answer, tags={"style": "photo"}),
                ended("a", "misclassified", repeat=1),
                ended("b", "misclassified"),
                ended("c", "unparsed", reason="refusal"),
                ended("d", "error", reason="timed-out", message="too slow"),
                ended("e", "not_needed"),
                ended("f", "lost"),
            ],
            identity=ModelIdentity(backend="ollama", name="llava", digest="sha256:1"),
            collected=6,
            deselected=3,
            duration_s=1.5,
            notes=["a note"],
            modelfile_digest="def",
            instructions="You see pets.",
            order=("b", "a", "c", "d", "e", "f"),
        )
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a run, without its matrices, which take long to draw."""
    path = tmp_path / "run"
    _write(path, whole())
    return path


def _write(path: Path, *reports: Report) -> None:
    path.mkdir(parents=True)
    (path / "outcomes.jsonl").write_bytes(
        "".join(artifacts.outcomes_jsonl(reports)).encode("utf-8", "backslashreplace")
    )
    summary = {
        "schema": SCHEMA,
        "settings": {"seed": 20},
        "environment": {"python": "3.11"},
        "reports": [artifacts.report_json(report) for report in reports],
        "gates": [{"word": "PASS", "text": "fine", "evaluation": "pets", "model": "ollama:llava"}],
    }
    (path / "run.json").write_text(json.dumps(summary), "utf-8")


def test_a_report_is_read_back_as_it_was(folder: Path) -> None:
    """Every field, repeats, log-probabilities and odd characters included."""
    run = read_run(folder)
    assert run.reports == (whole(),)
    assert run.verdicts == (VERDICT,)
    assert (run.settings, run.environment) == ({"seed": 20}, {"python": "3.11"})


@pytest.mark.parametrize("stop_error", [None, 0.01])
def test_what_a_run_stops_with_is_read_back(tmp_path: Path, stop_error: float | None) -> None:
    """What it had decided and how often that may be wrong, by which it is judged again."""
    rule = StopRule(after=2, tests=3, gates=("accuracy >= 0.5",), baselines=("ab", "cd"))
    stopped = replace(
        whole(), stop_error=stop_error, stop_rule=None if stop_error is None else rule
    )
    _write(tmp_path / "run", stopped)
    (found,) = read_run(tmp_path / "run").reports
    assert (found.stop_error, found.stop_rule) == (stopped.stop_error, stopped.stop_rule)


def test_files_as_they_are_written_are_read_back(tmp_path: Path) -> None:
    """By `write_run`, matrix and all."""
    artifacts.write_run(
        tmp_path,
        [whole()],
        settings={},
        environment={},
        verdicts=[VERDICT],
        baselines={KEY: BASELINE},
    )
    run = read_run(tmp_path)
    assert run.reports == (whole(),)
    assert run.verdicts == (VERDICT,)
    assert run.baselines == {KEY: BASELINE}


def test_a_run_of_an_earlier_version_has_no_baselines(folder: Path) -> None:
    """They are kept since a later one, of the same schema."""
    assert read_run(folder).baselines == {}


def test_a_report_without_an_identity_is_read_back(tmp_path: Path) -> None:
    """Where nobody was reached."""
    unknown = replace(whole(), identity=None)
    _write(tmp_path / "run", unknown)
    assert read_run(tmp_path / "run").reports == (unknown,)


def test_what_was_evaluated_is_known_without_the_outcomes(folder: Path) -> None:
    """A run of other evaluations is passed over by its summary alone; one of the same is read."""
    task = read_run(folder).reports[0].task
    found = read_run_of(folder, {task})
    assert found is not None
    assert task in [one.task for one in found.reports]
    (folder / "outcomes.jsonl").unlink()
    assert read_run_of(folder, {task._replace(model="ollama:other")}) is None
    with pytest.raises(RunFolderError):
        read_run_of(folder, {task})


def test_fields_of_a_later_version_are_ignored(folder: Path) -> None:
    """New fields do not change the schema; missing ones of an earlier version are empty."""
    _edit(folder, lambda data: data.update(extra=1))
    _edit(folder, lambda data: data["reports"][0].update(extra=1))
    _edit(folder, lambda data: data["reports"][0]["dataset"].update(extra=1))
    _edit(folder, lambda data: data["reports"][0].pop("instructions"))
    lines = _lines(folder)
    _set_lines(folder, [json.dumps({**json.loads(line), "extra": 1}) for line in lines])
    assert read_run(folder).reports == (replace(whole(), instructions=""),)


def _edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "run.json"
    data = json.loads(path.read_text("utf-8"))
    change(data)
    path.write_text(json.dumps(data), "utf-8")


def _lines(folder: Path) -> list[str]:
    return (folder / "outcomes.jsonl").read_text("utf-8").split("\n")[:-1]


def _set_lines(folder: Path, lines: list[str]) -> None:
    (folder / "outcomes.jsonl").write_text("\n".join(lines) + "\n", "utf-8", newline="\n")


def test_a_folder_without_a_summary_is_told(folder: Path) -> None:
    """Unfinished where outcomes are there, something else where they are not."""
    (folder / "run.json").unlink()
    with pytest.raises(RunFolderError, match=r"no run\.json: the run did not finish"):
        read_run(folder)
    (folder / "outcomes.jsonl").unlink()
    with pytest.raises(RunFolderError, match="not the folder of a run; runs are in"):
        read_run(folder)
    with pytest.raises(RunFolderError, match="is no folder"):
        read_run(folder / "nowhere")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cases": "abc"}, "cases is 'abc'"),
        ({"cases": [1]}, r"cases is \[1\]"),
        ({"evaluation": None}, "evaluation is None"),
        ({"model": ["x"]}, "model is"),
        ({"correct": "1"}, "correct is '1'"),
        ({"correct": 3}, "1 change and 3 correct both times among 3 images"),
        ({"cases": ["a", "c"]}, "1 change and 1 correct both times among 2 images"),
        ({"cases": ["a", "b", "b"]}, "1 change and 1 correct both times among 2 images"),
        ({"notes": [None]}, "notes is"),
        ({"refused": 5}, "refused is 5"),
        ({"changes": {}}, "changes is {}"),
        ({"changes": [1]}, "changes is"),
        ({"changes": [{"case": "b"}]}, "kind"),
        ({"changes": None}, "changes is None"),
    ],
)
def test_a_damaged_baseline_is_told(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    """What it says of each image is checked before anybody counts by it."""
    _write(tmp_path / "run", whole())
    sound = {"evaluation": KEY[0], "model": KEY[1], **asdict(BASELINE)}
    _edit(tmp_path / "run", lambda data: data.update(baselines=[sound]))
    assert read_run(tmp_path / "run").baselines == {KEY: BASELINE}
    _edit(tmp_path / "run", lambda data: data["baselines"][0].update(change))
    with pytest.raises(RunFolderError, match=rf"run\.json does not fit .*{said}.*run the eval"):
        read_run(tmp_path / "run")


def test_a_change_of_no_known_kind_is_told(tmp_path: Path) -> None:
    """With the kinds there are."""
    _write(tmp_path / "run", whole())
    change = {"case": "b", "kind": "odd", "expected": "cat", "was": "cat", "now": "dog"}
    entry = {"evaluation": "a", "model": "b", **asdict(BASELINE), "changes": [change]}
    _edit(tmp_path / "run", lambda data: data.update(baselines=[entry]))
    with pytest.raises(RunFolderError, match="'odd' is none of broken, fixed, changed"):
        read_run(tmp_path / "run")


@pytest.mark.parametrize("field", ["settings", "environment", "reports", "gates", "baselines"])
@pytest.mark.parametrize("value", [1, "x", [1], None])
def test_other_parts_of_a_summary_are_checked(folder: Path, field: str, value: object) -> None:
    """Each is an object, or a list of them."""
    _edit(folder, lambda data: data.update({field: value}))
    with pytest.raises(RunFolderError, match=rf"run\.json does not fit .*{field} is"):
        read_run(folder)


@pytest.mark.parametrize("text", ["{", "[]", "{}", "\xff"])
def test_a_summary_that_is_none_is_told(folder: Path, text: str) -> None:
    """With its path."""
    (folder / "run.json").write_text(text, "latin-1")
    with pytest.raises(
        RunFolderError, match=r"run\.json is (no JSON|not the summary).*; run the ev"
    ):
        read_run(folder)


def test_another_schema_is_told(folder: Path) -> None:
    """With both numbers and the remedy."""
    _edit(folder, lambda data: data.update(schema=99))
    with pytest.raises(RunFolderError, match=r"schema 99, this version reads 1; run the eval"):
        read_run(folder)


@pytest.mark.parametrize(
    "damage",
    ["{", "null", '{"schema": 1}', '{"schema": 1, "kind": "odd"}', '{"schema": 2}'],
)
def test_a_damaged_line_is_told_with_its_number(folder: Path, damage: str) -> None:
    """Never skipped."""
    lines = _lines(folder)
    _set_lines(folder, [lines[0], damage, *lines[2:]])
    with pytest.raises(RunFolderError, match=r"outcomes\.jsonl, line 2"):
        read_run(folder)


def test_an_outcome_of_no_known_kind_is_told(folder: Path) -> None:
    """With the kinds there are."""
    lines = _lines(folder)
    _set_lines(folder, [lines[0].replace('"correct"', '"fine"'), *lines[1:]])
    with pytest.raises(RunFolderError, match="line 1 is damaged: 'fine' is none of correct, mis"):
        read_run(folder)


def test_a_missing_line_is_told(folder: Path) -> None:
    """The ledger must come out as it was written."""
    _set_lines(folder, _lines(folder)[1:])
    with pytest.raises(RunFolderError, match="correct 1, found 0; lost 1, found 2"):
        read_run(folder)


def test_a_missing_field_is_told(folder: Path) -> None:
    """With its name."""
    _edit(folder, lambda data: data["reports"][0].pop("ledger"))
    with pytest.raises(RunFolderError, match="'ledger' is missing"):
        read_run(folder)


def test_missing_outcomes_are_told(folder: Path) -> None:
    """The file must be there."""
    (folder / "outcomes.jsonl").unlink()
    with pytest.raises(RunFolderError, match=r"outcomes\.jsonl cannot be read"):
        read_run(folder)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Three finished runs and one that is not."""
    path = tmp_path / "runs"
    for name in ("20300101-000000-aaaaaa", "20300102-000000-bbbbbb", "20300102-000001-cccccc"):
        (path / name).mkdir(parents=True)
        (path / name / "run.json").touch()
    (path / "20300103-000000-dddddd").mkdir()
    return path


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("20300101-000000-aaaaaa", "20300101-000000-aaaaaa"),
        ("20300101", "20300101-000000-aaaaaa"),
        ("latest", "20300102-000001-cccccc"),
        ("previous", "20300102-000000-bbbbbb"),
    ],
)
def test_a_run_is_found_by_name(runs: Path, name: str, found: str) -> None:
    """Whole, by its start, or by its place in time; an unfinished one is none."""
    assert find_run(name, runs) == runs / found


def test_a_folder_is_itself(tmp_path: Path) -> None:
    """Whatever runs there are."""
    assert find_run(str(tmp_path), tmp_path / "none") == tmp_path


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("20300102", "begins the names of several runs: 20300102-000000-bbbbbb, 20300102"),
        ("latst", "'latst' is no folder and no run; "),
        ("latst", "; did you mean 'latest'?"),
        ("", "is no folder and no run"),
    ],
)
def test_no_run_or_several_are_told(runs: Path, name: str, what: str) -> None:
    """With what there is."""
    with pytest.raises(RunFolderError) as told:
        find_run(name, runs)
    assert what in str(told.value)


def test_without_a_run_there_is_no_latest(tmp_path: Path) -> None:
    """And the folder that was searched is named."""
    with pytest.raises(RunFolderError, match=r"there is no latest run: .*runs holds 0 finished"):
        find_run("latest", tmp_path / "runs")
    with pytest.raises(RunFolderError, match="holds no finished run"):
        find_run("x", tmp_path / "runs")


@pytest.mark.parametrize("inside", [".", "evals", "evals/deep"])
def test_the_runs_of_a_project_are_found_from_its_subfolders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str
) -> None:
    """By the rule of the command: the nearest folder upwards that has ``modelfiles/``."""
    (tmp_path / "modelfiles").mkdir()
    (tmp_path / "evals" / "deep").mkdir(parents=True)
    kept = tmp_path / ".llmclf" / "runs" / "20260101-000000-abcdef"
    _write(kept, whole())
    monkeypatch.chdir(tmp_path / inside)
    assert home_folder(None) / "runs" == kept.parent
    assert read_run("latest").path == kept
