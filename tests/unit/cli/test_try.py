"""``llmclf try`` and `evaluate`: a folder of images and a model are enough."""

from __future__ import annotations

import asyncio
import inspect
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf import Evaluation, Variant, api, evaluate, evaluate_all, read_run
from pytest_llmclf.cli import new, try_
from pytest_llmclf.cli.evaluation_names import free_name
from pytest_llmclf.errors import BackendError, DatasetError, SettingsError
from tests.plugin.colour_server import Odd, png
from tests.unit.cli.command import call
from tests.unit.cli.test_new import run_pytest

if TYPE_CHECKING:
    from tests.plugin.colour_server import ColourServer


@pytest.fixture
def photos(project: Path) -> Path:
    """Three images each of two colours."""
    for colour in ("red", "green"):
        for number in range(3):
            place = project / "photos" / colour / f"{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(png(colour, number))
    return project / "photos"


def test_a_folder_is_tried_and_kept(
    project: Path, photos: Path, server: ColourServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Table and page; nothing is written but the home folder; the last line keeps it as tests."""
    server.odd["red/1"] = Odd(says="green")
    before = sorted(project.rglob("*"))
    assert call(try_, "try", str(photos), "--model", server.spec) == 0
    told = capsys.readouterr().out
    assert "0.833 (5/6)" in told
    assert "UNGATED" in told
    (page,) = project.glob(".llmclf/runs/*/page.html")
    assert f"page for a browser: {page.relative_to(project)}" in told
    assert "red/1.png" in page.read_text("utf-8")
    new_ones = set(project.rglob("*")) - set(before)
    assert all(".llmclf" in path.parts for path in new_ones)
    assert read_run("latest").reports[0].accuracy.hits == 5
    keep = shlex.split(told.splitlines()[-1].removeprefix("keep it: llmclf "))
    asked = server.questions
    assert call(new, *keep) == 0
    assert f"--llmclf-model {server.spec}" in capsys.readouterr().out
    result = run_pytest(project, "evals/test_photos.py", server.spec)
    assert "0.8333 (5/6)" in result.stdout
    assert server.questions == asked
    call(new, "new", "photos-2", "photos", "--model", server.spec)
    assert (project / "evals" / "test_photos_2.py").is_file()


@pytest.mark.parametrize(
    ("folder", "name"),
    [("photos", "photos-2"), ("7", "images-7"), ("写真", "images"), ("a b", "")],
)
def test_a_free_name_is_proposed(project: Path, folder: str, name: str) -> None:
    """Where the folder's own is taken already, or is no name."""
    (project / "evals").mkdir()
    (project / "evals" / "test_photos.py").touch()
    assert free_name(project / folder, project) == name


def test_the_model_that_answered_is_kept(
    photos: Path,
    server: ColourServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where none was named on the command line, too."""
    monkeypatch.setenv("LLMCLF_MODEL", server.spec)
    call(try_, "try", str(photos), "--sample", "1")
    assert f" --model {server.spec}" in capsys.readouterr().out.splitlines()[-1]


def test_a_gate_decides_the_exit_code(
    photos: Path, server: ColourServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """And so do images without an answer, which are told beforehand."""
    ask = ["try", str(photos), "--model", server.spec, "--gate"]
    assert call(try_, *ask, "accuracy >= 0.9", "--gate", "recall[red] >= 0.5") == 0
    keep = capsys.readouterr().out.splitlines()[-1]
    assert shlex.split(keep)[-2:] == ["--gate", "accuracy >= 0.9, recall[red] >= 0.5"]
    assert call(try_, *ask, "recall[red] < 1") == 1
    (photos / "red" / "3.png").write_bytes(b"")
    (photos / "green" / "3.png").write_bytes(b"GIF")
    assert call(try_, *ask, "accuracy >= 0.9") == 1
    said = capsys.readouterr().err
    assert f"{server.spec.partition('@')[0]} is asked\n" in said
    for image in ("red/3.png", "green/3.png"):
        assert f"cannot be asked about: {image}: " in said
    server.odd["*"] = Odd(status=400)
    assert call(try_, "try", str(photos), "--model", server.spec, "--prompt", "Anew?") == 1


def test_advice_needs_no_file_that_a_folder_has_not(
    photos: Path, server: ColourServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is neither Modelfile nor evaluation: they are spoken of as what may be written."""
    server.odd["*"] = Odd(says="a violet horse")
    call(try_, "try", str(photos), "--model", server.spec)
    server.odd["*"] = Odd(says="")
    call(try_, "try", str(photos), "--model", server.spec, "--prompt", "Anew?")
    said = " ".join(capsys.readouterr().out.split())
    assert 'force a label with Evaluation(answer="enum")' in said
    assert "raise num_ctx in a Modelfile" in said
    assert "the Modelfile" not in said
    assert "in the evaluation" not in said


def test_wrong_folders_are_told(project: Path, server: ColourServer) -> None:
    """In words, before anything is asked."""
    with pytest.raises(DatasetError, match="nowhere"):
        call(try_, "try", "nowhere", "--model", server.spec)
    for part in ("train", "test"):
        place = project / "split" / part / "red" / "0.png"
        place.parent.mkdir(parents=True)
        place.write_bytes(png("red", 0))
    with pytest.raises(DatasetError, match="here: --split PART"):
        call(try_, "try", "split", "--model", server.spec)
    assert server.questions == 0


def test_the_embedded_model_is_not_asked_what_it_cannot_know(
    photos: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answers would measure nothing; why it was chosen is said in options of the command."""
    with pytest.raises(BackendError, match="red"):
        call(try_, "try", str(photos), "--model", "micro-llava")
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    with pytest.raises(BackendError, match="red"):
        call(try_, "try", str(photos))
    said = capsys.readouterr().err
    assert "--model ollama:llava" in said
    assert "--llmclf-" not in said


class TestEvaluate:
    """The same from Python."""

    def test_in_an_event_loop_that_runs(
        self, photos: Path, server: ColourServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As a notebook's does; what pytest or an earlier call asked is not asked again."""
        monkeypatch.chdir(photos.parent)

        async def notebook() -> float | None:
            return evaluate("photos", model=server.spec).accuracy.value

        assert asyncio.run(notebook()) == 1
        asked = server.questions
        report = evaluate(Path("photos"), model=server.spec)
        assert server.questions == asked
        assert report.meets("accuracy >= 0.9")
        assert "photos" in report._repr_html_()
        evaluate("photos", model=server.spec, fresh=True, repeats=2, sample=1, progress=False)
        assert server.questions == asked + 4

    def test_a_server_that_does_not_answer_is_said(
        self,
        photos: Path,
        server: ColourServer,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """With its cause, in a line of the log and in the report; what answers is not silenced."""
        monkeypatch.chdir(photos.parent)
        dead = "openai:gone@http://127.0.0.1:9/v1"
        fine, none = evaluate_all("photos", [server.spec, dead], sample=1)
        assert str(fine).startswith(f"photos · {fine.model}: accuracy 1.000 (2/2), 95% interval")
        assert none.ledger.error == none.ledger.collected == 2
        assert "2 of 2 images got no answer: " in str(none)
        assert "127.0.0.1:9" in str(none)
        assert caplog.messages == [str(none)]

    @pytest.mark.parametrize(
        ("name", "told"),
        [
            ("prompt", r"prompt= belongs .* Evaluation\(dataset='photos', prompt=...\) instead"),
            ("samples", r"no option samples=, only model, sample, .*; did you mean 'sample'\?"),
            ("modle", r"no option modle=, only model, .*; did you mean 'model'\?"),
            ("models", "evaluate asks one, model=...: call evaluate_all"),
        ],
    )
    def test_what_is_no_option_is_told_where_it_belongs(self, name: str, told: str) -> None:
        """Before anything is read or asked."""
        with pytest.raises(TypeError, match=told):
            evaluate("photos", **{name: "x"})
        if name == "modle":
            with pytest.raises(TypeError, match=r"only models, .*; did you mean 'models'\?"):
                evaluate_all("photos", modle="x")  # type: ignore[arg-type]
        if name == "prompt":
            with pytest.raises(TypeError, match=r"prompt= belongs .* write it into the Eval"):
                evaluate_all(Evaluation(dataset="photos"), prompt="x")  # type: ignore[arg-type]

    def test_its_help_names_the_options(self) -> None:
        """All that `evaluate_all` has."""
        options = inspect.getfullargspec(evaluate_all).kwonlyargs
        assert all(f"``{name}``" in str(evaluate.__doc__) for name in options)

    def test_advice_is_what_a_script_can_follow(
        self, photos: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """In errors and in the warning, where a command line has options."""
        monkeypatch.chdir(photos.parent)
        evaluate("photos", model="openai:m@http://192.0.2.1/v1")
        (warned,) = caplog.messages
        assert warned.endswith('(if that is wanted, say allow_remote=["192.0.2.1"])')
        with pytest.raises(BackendError) as caught:
            evaluate("photos", model="micro-llava")
        for text in (str(caught.value), caught.value.remedy):
            assert 'such as model="ollama:llava"' in text
        advice = "run `ollama pull x`, or say --llmclf-pull, or use it: --llmclf-model y"
        assert api._in_python(f"({advice})") == '(run `ollama pull x`, or use it: model="y")'

    def test_variants_and_models(
        self, photos: Path, server: ColourServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One report each, in order; of several there is no one report."""
        monkeypatch.chdir(photos.parent)
        variants = {"plain": Variant(), "polite": Variant(prompt="Which colour, please?")}
        evaluation = Evaluation(dataset="./photos", variants=variants)
        blind = server.spec.replace("colours", "colour-blind", 1)
        reports = evaluate_all(evaluation, [server.spec, blind])
        assert len({report.task for report in reports}) == 4
        with pytest.raises(SettingsError, match=r"2 are asked, .*plain.*: call evaluate_all"):
            evaluate(evaluation, model=server.spec)


def test_nobody_is_asked_for_a_run_that_cannot_be_kept(
    project: Path, photos: Path, server: ColourServer
) -> None:
    """What stands in the way is told first, and by its place."""
    (project / ".llmclf").mkdir()
    (project / ".llmclf" / "runs").write_text("a file, not a folder")
    with pytest.raises(SettingsError, match=r"the run cannot be written: .*runs'; choose another"):
        call(try_, "try", str(photos), "--model", server.spec)
    assert server.questions == 0
