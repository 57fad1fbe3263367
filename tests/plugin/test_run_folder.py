"""The files that a run leaves behind."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.cli.main import main
from pytest_llmclf.cli.project import home_folder
from pytest_llmclf.reporting.new_run import RUN_FILES
from tests.plugin.colour_server import Odd

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours


@pytest.fixture
def mixed(colours: Colours) -> Colours:
    """A finished run with one image of each bad kind."""
    colours.server.odd = {
        "red/0": Odd(says="blue"),
        "green/1": Odd(says="I am not sure"),
        "blue/2": Odd(status=400),
    }
    colours.run()
    return colours


def test_a_run_leaves_its_files(mixed: Colours) -> None:
    """All that the reference says it writes unasked, one matrix a report, and no more."""
    found = {path.name for path in (mixed.root / "run").iterdir()}
    unasked = [one.name for one in RUN_FILES if one.when == "always"]
    assert len(unasked) == len(found) - 1
    for name in (*unasked, "page.html"):
        (path,) = (mixed.root / "run").glob(name)
        assert path.suffix != ".svg" or "<svg" in path.read_text("utf-8")


def test_outcomes_are_complete(mixed: Colours) -> None:
    """JSON lines and CSV have every image once, with the same kinds."""
    text = (mixed.root / "run" / "outcomes.jsonl").read_text("utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    kinds = {line["case"]: line["kind"] for line in lines}
    assert len(lines) == len(kinds) == 9
    assert kinds["red/0.png"] == "misclassified"
    assert kinds["green/1.png"] == "unparsed"
    assert kinds["blue/2.png"] == "error"
    with (mixed.root / "run" / "outcomes.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["case"]: row for row in csv.DictReader(file)}
    assert {case: row["kind"] for case, row in rows.items()} == kinds
    assert rows["green/1.png"]["answer"] == "I am not sure"


def test_the_summary_adds_up(mixed: Colours) -> None:
    """run.json has settings, environment, ledger, scores and verdicts."""
    data = mixed.summary()
    assert data["settings"]["models"] == [mixed.server.spec]
    assert set(data["environment"]) >= {"python", "platform", "pytest", "pytest-llmclf"}
    ledger = data["reports"][0]["ledger"]
    parts = ("correct", "misclassified", "unparsed", "error", "not_needed", "lost")
    assert ledger["collected"] == sum(ledger[part] for part in parts) == 9
    assert data["reports"][0]["identity"]["name"] == "colours"
    assert [gate["word"] for gate in data["gates"]] == ["INCONCLUSIVE"]


def test_no_file_names_a_place_on_this_machine(mixed: Colours) -> None:
    """What is written can be handed on: no folder of this machine is in it."""
    for path in (mixed.root / "run").iterdir():
        assert str(mixed.root).encode() not in path.read_bytes()


def test_a_run_without_a_folder_gets_a_new_one(colours: Colours) -> None:
    """By default each run has a folder of its own in the home folder, out of version control."""
    args = [arg for arg in colours.command() if arg != str(colours.root / "run")]
    args.remove("--llmclf-run")
    for runs in (1, 2):
        colours.pytester.runpytest_inprocess(*args)
        folders = list((colours.root / ".llmclf" / "runs").iterdir())
        assert len(folders) == runs
    assert (colours.root / ".llmclf" / ".gitignore").read_text() == "*\n"


def test_a_folder_that_cannot_be_written_is_said(colours: Colours) -> None:
    """The verdicts stand; a line says that the files are missing and what to do."""
    (colours.root / "blocked" / "outcomes.csv").mkdir(parents=True)
    result = colours.run("--llmclf-run", "blocked")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["llmclf: the files of this run could not be written*--llmclf-run"])


def test_a_place_that_cannot_be_is_told_before_anybody_is_asked(colours: Colours) -> None:
    """Of every option that names one: the value, what stands in the way, and what to do."""
    (colours.root / "file").write_text("a file, not a folder")
    for option in ("run", "html", "summary", "record"):
        result = colours.run(f"--llmclf-{option}", "file/below")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        why = "*below cannot be written (*file: it is a file and no folder); name another *"
        result.stderr.fnmatch_lines([f"*--llmclf-{option}: {why}"])
    assert colours.run("--llmclf-run", "file").ret == pytest.ExitCode.USAGE_ERROR
    assert colours.run("--llmclf-html", ".").ret == pytest.ExitCode.USAGE_ERROR
    assert colours.server.questions == 0


def test_predict_looks_before_it_asks(
    colours: Colours, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the place for what gets no answer, which it writes as it goes."""
    monkeypatch.chdir(colours.root)
    (colours.root / ".llmclf").mkdir(exist_ok=True)
    (colours.root / ".llmclf" / "predict").write_text("a file, not a folder")
    assert main(["predict", "test_colours.py", "--model", colours.server.spec]) == 2
    assert "the list of failures cannot be written: " in capsys.readouterr().err
    assert colours.server.questions == 0


def test_home_is_an_option(colours: Colours) -> None:
    """--llmclf-home moves the known answers, and nothing is left in the root folder."""
    colours.run("--llmclf-home=elsewhere")
    assert (colours.root / "elsewhere" / "answers.sqlite").exists()
    assert not (colours.root / ".llmclf").exists()


def test_known_answers_lie_in_the_root_folder(
    mixed: Colours, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever pytest is called, the answers of a project are found again."""
    elsewhere = mixed.root / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    mixed.run(str(mixed.root))
    assert (mixed.root / ".llmclf" / "answers.sqlite").is_file()
    assert not (elsewhere / ".llmclf").exists()


@pytest.mark.parametrize("folder", ["", "evals", "evals/nested"])
def test_answers_lie_where_the_command_looks_for_them(
    mixed: Colours, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    """Without a pytest.ini, the folder where pytest is called is its root folder."""
    evals = mixed.root / "evals" / "nested"
    evals.mkdir(parents=True)
    for path in mixed.root.glob("test_*.py"):
        path.rename(evals / path.name)
    monkeypatch.chdir(mixed.root / folder)
    mixed.run()
    assert [path.parent for path in mixed.root.rglob("answers.sqlite")] == [home_folder(None)]
    assert home_folder(None) == mixed.root / ".llmclf"


DIES = {
    "import": ("test_other.py", "import nothing_of_that_name\n"),
    "slip": ("test_colours.py", "import nothing_of_that_name\n"),
    "dataset": ("test_colours.py", None),
}


@pytest.mark.parametrize("how", [*DIES, "gate", "option"])
@pytest.mark.parametrize("processes", [(), ("-n2",)], ids=["alone", "n2"])
def test_a_run_that_dies_leaves_no_earlier_one_in_its_folder(
    colours: Colours, how: str, processes: tuple[str, ...]
) -> None:
    """What stood there is kept aside, and is gone when a run has files of its own again."""
    assert colours.run().ret == pytest.ExitCode.OK
    folder = colours.root / "run"
    written = {path.name for path in folder.iterdir()}
    (folder / "review.html").write_text("about the labels of this run")
    before = {*written, "review.html"}
    evaluation = colours.root / "test_colours.py"
    text = evaluation.read_text()
    args: tuple[str, ...] = ()
    if how in DIES:
        name, content = DIES[how]
        (colours.root / name).write_text(content or text.replace('"colours"', '"colors"'))
    else:
        args = ("--llmclf-gate", "colors: accuracy >= 0" if how == "gate" else "colours: >>")
    assert colours.run(*processes, *args).ret != pytest.ExitCode.OK
    assert [path.name for path in folder.iterdir()] == ["previous"]
    assert {path.name for path in (folder / "previous").iterdir()} == before
    evaluation.write_text(text)
    (colours.root / "test_other.py").unlink(missing_ok=True)
    assert colours.run(*processes).ret == pytest.ExitCode.OK
    assert {path.name for path in folder.iterdir()} == written


def test_a_session_without_evaluations_leaves_the_folder_alone(colours: Colours) -> None:
    """Nor does one that only collects touch it."""
    colours.run()
    before = sorted(path.name for path in (colours.root / "run").iterdir())
    (colours.root / "test_plain.py").write_text("def test_it():\n    assert False\n")
    colours.run("test_plain.py")
    colours.run("--collect-only")
    assert sorted(path.name for path in (colours.root / "run").iterdir()) == before


def test_a_dataset_by_path_is_found_again(
    colours: Colours, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its path is recorded relative to the project, and no page with images loses them."""
    (colours.root / "fixtures" / "colours").rename(colours.root / "my-data")
    path = colours.root / "test_colours.py"
    path.write_text(path.read_text().replace('dataset="colours"', 'dataset="./my-data"'))
    assert colours.run().ret == pytest.ExitCode.OK
    assert colours.written()["dataset"]["path"] == "my-data"
    page = colours.root / "run" / "page.html"
    assert page.read_bytes().count(b'"data:image/') == 9
    monkeypatch.chdir(colours.root)
    assert main(["report", "run", "--quiet"]) == 0
    assert page.read_bytes().count(b'"data:image/') == 9
    before = page.read_bytes()
    (colours.root / "my-data").rename(colours.root / "elsewhere")
    assert main(["report", "run", "--quiet"]) == 0
    assert page.read_bytes() == before
    assert "is kept as it is: it has images" in capsys.readouterr().err
    assert main(["report", "run", "--quiet", "--no-images"]) == 0
    assert b'"data:image/' not in page.read_bytes()


def test_a_path_in_a_runs_record_leads_nowhere_else(
    colours: Colours, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record from elsewhere that points out of the project gets no file of this machine."""
    outside = colours.root.parent / f"{colours.root.name}-outside"
    (colours.root / "fixtures" / "colours").rename(outside)
    path = colours.root / "test_colours.py"
    path.write_text(path.read_text().replace('dataset="colours"', f'dataset="{outside}"'))
    assert colours.run().ret == pytest.ExitCode.OK
    assert colours.written()["dataset"]["path"] == ""
    record = colours.root / "run" / "run.json"
    record.write_text(record.read_text().replace('"path": ""', f'"path": "../{outside.name}"'))
    monkeypatch.chdir(colours.root)
    assert main(["report", "run", "--quiet", "--out", "new"]) == 0
    assert b'"data:image/' not in (colours.root / "new" / "page.html").read_bytes()
