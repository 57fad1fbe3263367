"""``llmclf new`` writes an evaluation that runs."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.cli import init, new
from pytest_llmclf.data import dataset as datasets
from pytest_llmclf.errors import LlmclfError, SettingsError
from pytest_llmclf.prompting import modelfile
from tests.forkserver import fresh_or_forked
from tests.plugin.colour_server import png
from tests.unit.cli.command import call

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plugin.colour_server import ColourServer


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Two images each of three colours, outside of the project."""
    for colour in ("red", "green", "blue"):
        for number in range(2):
            place = tmp_path / "my images" / colour / f"{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(png(colour, number))
    return tmp_path / "my images"


def run_pytest(
    project: Path, evaluation: str, model: str, *more: str
) -> subprocess.CompletedProcess[str]:
    """Run an evaluation in a process of its own."""
    spare = [arg for name in ("cacheprovider", "xdist") for arg in ("-p", f"no:{name}")]
    return subprocess.run(  # noqa: S603 - our own interpreter
        [
            fresh_or_forked(), "-m", "pytest", *spare, f"--rootdir={project}",
            "--llmclf-run", "run", "--llmclf-model", model, evaluation, *more,
        ],
        cwd=project, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("copy", [False, True], ids=["by path", "copied"])
def test_what_is_written_runs(
    project: Path,
    images: Path,
    server: ColourServer,
    copy: bool,  # noqa: FBT001 - a parameter of pytest's
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A few lines of plain pytest that ask about every image, judge a gate and pass."""
    assert call(new, "new", "my-colours", str(images), *(["--copy"] if copy else [])) == 0
    said = capsys.readouterr().out
    command = "pytest evals/test_my_colours.py --llmclf-model ollama:llava"
    assert "6 images, 3 classes: blue, green, red" in said
    assert f"Next: {command} --snapshot-update\n" in said
    assert f" {command}\n" in said
    first = run_pytest(project, "evals/test_my_colours.py", server.spec)
    assert first.returncode == 0
    assert "UNGATED" in first.stdout
    shown = " ".join(first.stdout.split())
    assert "no predictions are committed for this model; to write them, before you" in shown
    assert "__predictions__: pytest evals/" in shown
    assert "Traceback" not in first.stdout
    written = run_pytest(project, "evals/test_my_colours.py", server.spec, "--snapshot-update")
    assert written.returncode == 0, written.stdout + written.stderr
    result = run_pytest(project, "evals/test_my_colours.py", server.spec)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "PASS  my-colours" in result.stdout
    assert "baseline: 6 predictions as committed" in result.stdout
    assert "7 passed" in result.stdout
    summary = json.loads((project / "run" / "run.json").read_text("utf-8"))
    assert summary["reports"][0]["ledger"]["correct"] == 6
    copied = project / "fixtures" / "my-colours" / "red" / "0.png"
    assert copied.is_file() == copy
    lines = (project / "evals" / "test_my_colours.py").read_text("utf-8").splitlines()
    assert len([line for line in lines if line.strip()]) <= 17


def test_texts_are_written_as_given(project: Path, images: Path) -> None:
    """Prompts, gates and paths with any signs come through unchanged."""
    prompt = 'Which "colour"?\\ \N{GRINNING FACE} {braces}\n\ttwo lines'
    gate = "accuracy >= 0.5, recall[red] >= 0.25"
    call(new, "new", "class", str(images), "--prompt", prompt, "--gate", gate)
    tree = ast.parse((project / "evals" / "test_class_.py").read_text("utf-8"))
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert {prompt, gate, images.as_posix(), "class"} <= texts


@pytest.mark.parametrize(
    ("place", "written"),
    [("fixtures/pets", "pets"), ("pets", "./pets"), ("data/pets", "./data/pets")],
)
def test_images_in_the_project_are_named_from_its_root(
    project: Path,
    images: Path,
    place: str,
    written: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """So that it can be moved; those in fixtures/ by name alone."""
    (project / place).parent.mkdir(exist_ok=True)
    images.rename(project / place)
    call(new, "new", "pets", place)
    assert f'dataset="{written}"' in (project / "evals" / "test_pets.py").read_text("utf-8")
    assert "outside" not in capsys.readouterr().out


def test_images_outside_of_the_project_are_told(
    project: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what works: a copy in fixtures/, and a path relative to the project."""
    call(new, "new", "pets", str(images))
    told = f"CI will not find {images} unless it has one. Copy them to fixtures/pets and write"
    assert told in " ".join(capsys.readouterr().out.split())
    call(new, "new", "more", str(images), "--copy")
    assert "CI will not" not in capsys.readouterr().out
    assert (project / "fixtures" / "more").is_dir()
    assert datasets.locate("../my images", project).samefile(images)


def test_the_modelfile(project: Path, images: Path) -> None:
    """Names no label, asks for the model given, and has room for the longest label."""
    (images / "red").rename(images / ("reddish " * 8 + "red"))
    call(new, "new", "pets", str(images), "--from", "qwen2.5vl:7b")
    written = modelfile.load(project / "modelfiles" / "pets.Modelfile")
    assert written.from_ == "qwen2.5vl:7b"
    assert written.options()["num_predict"] == 67 + 16
    assert written.system is not None
    assert not any(colour in written.system for colour in ("red", "green", "blue"))


def test_the_context_holds_the_list_of_labels(
    project: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also of hundreds, of which twenty are named; few labels leave it as it is."""
    call(new, "new", "pets", str(images))
    few = modelfile.load(project / "modelfiles" / "pets.Modelfile").options()
    assert (few["num_ctx"], few["num_predict"]) == (4096, 24)
    for number in range(300):
        folder = images / f"some kind of a thing {number:03}"
        folder.mkdir()
        (folder / "a.png").write_bytes(png("yellow", number))
    capsys.readouterr()
    call(new, "new", "many", str(images))
    said = " ".join(capsys.readouterr().out.split())
    assert "303 classes: blue, green, red, some kind of a thing 000" in said
    assert "some kind of a thing 016 and 283 more" in said
    assert "thing 017" not in said
    text = (project / "modelfiles" / "many.Modelfile").read_text("utf-8")
    assert "list of 303 labels" in text
    # 27 bytes a line of the list are about ten tokens.
    assert modelfile.parse(text, "m").options()["num_ctx"] >= 2880 + 303 * 10


class TestRefusals:
    """Nothing is written where anything is wrong."""

    def check(self, project: Path, says: str, *arguments: str) -> None:
        before = sorted(project.rglob("*"))
        with pytest.raises(LlmclfError, match=says):
            call(new, "new", *arguments)
        assert sorted(project.rglob("*")) == before

    def test_a_file_is_there_already(self, project: Path, images: Path) -> None:
        """Neither of the two is overwritten, nor copied images."""
        call(new, "new", "pets", str(images), "--copy")
        self.check(project, "there already", "pets", str(images))
        (project / "modelfiles" / "pets.Modelfile").unlink()
        self.check(project, "test_pets.py is there already", "pets", str(images))
        (project / "evals" / "test_pets.py").unlink()
        self.check(project, "fixtures.pets is there already", "pets", str(images), "--copy")

    @pytest.mark.parametrize("name", ["", "7up", "a b", "../x", "a/b", "é", "x" * 70, "-x-"])
    def test_names(self, project: Path, images: Path, name: str) -> None:
        """That are none."""
        with pytest.raises((SettingsError, SystemExit)):
            call(new, "new", name, str(images))
        assert not (project / "evals").exists()

    def test_no_images(self, project: Path, tmp_path: Path) -> None:
        """An empty folder, none at all, or one class alone."""
        (tmp_path / "empty").mkdir()
        self.check(project, "no image found", "pets", str(tmp_path / "empty"))
        self.check(project, "there is no dataset", "pets", str(tmp_path / "none"))

    def test_a_single_class(self, project: Path, images: Path) -> None:
        """Leaves nothing to choose from."""
        for colour in ("red", "green"):
            shutil.rmtree(images / colour)
        self.check(project, "at least two labels", "pets", str(images))

    @pytest.mark.parametrize(
        ("gate", "says"),
        [("accuracy > much", "accuracy > much"), ("recall[rad] >= 0.5", "'red'")],
    )
    def test_gates(self, project: Path, images: Path, gate: str, says: str) -> None:
        """That make no sense for these images."""
        self.check(project, says, "pets", str(images), "--gate", gate)

    @pytest.mark.parametrize("base", ["", "llava\nSYSTEM x", "a b"])
    def test_models(self, project: Path, images: Path, base: str) -> None:
        """That would write something else into the Modelfile."""
        self.check(project, "no model's name", "pets", str(images), "--from", base)


def test_a_broken_image_is_said(
    project: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The evaluation is written: that one image ends as an error; those of a kind are one."""
    (images / "red" / "9.png").write_bytes(png("red", 1)[:-20])
    for number in range(30):
        (images / "red" / f"empty{number}.png").write_bytes(b"")
    call(new, "new", "pets", str(images))
    said = " ".join(capsys.readouterr().out.split())
    assert "31 cannot be sent:" in said
    assert "red/9.png: " in said
    assert "red/empty0.png, red/empty1.png, red/empty2.png and 27 more: " in said
    assert "empty3.png" not in said
    first = "First mend these images or take them out: no baseline is written while an image has no"
    assert first in said.partition("Next: ")[0]
    assert (project / "evals" / "test_pets.py").is_file()


@pytest.mark.parametrize("gate", [(), ("--gate", "accuracy >= 0.8")])
def test_only_a_gate_that_nobody_stated_is_a_guess(
    project: Path, images: Path, gate: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """And of images that can all be sent none is to be mended."""
    assert call(new, "new", "pets", str(images), *gate) == 0
    said = capsys.readouterr().out
    assert ("The gate is a guess" in said) is (not gate)
    assert "First mend" not in said
    assert 'gates=["accuracy >= 0.8"]' in (project / "evals" / "test_pets.py").read_text()


def test_a_project_above_is_told(
    project: Path, images: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With where it is written, beside an error, too; commands are of the folder one is in."""
    monkeypatch.setenv("COLUMNS", "1000")
    below = project / "below" / "one"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    told = f"the project is {project.resolve()}, which has a folder modelfiles: to begin one here"
    assert call(new, "new", "pets", str(images)) == 0
    said = capsys.readouterr().out
    assert told in said
    assert "Next: pytest ../../evals/test_pets.py --llmclf-model ollama:llava" in said
    with pytest.raises(SettingsError, match=re.escape(told)):
        call(new, "new", "pets", str(images))
    assert call(init, "init") == 0
    said = capsys.readouterr().out
    assert told in said
    assert (
        "pytest ../../evals/ --llmclf-model ollama:llava --llmclf-record ../../recordings" in said
    )
    (below / "modelfiles").mkdir()
    assert call(new, "new", "pets", str(images)) == 0
    assert "the project is" not in capsys.readouterr().out


class TestWhatThereIsAlready:
    """Nothing is asked that can be seen."""

    def test_the_name_is_the_folders(self, project: Path, images: Path) -> None:
        """With what a name cannot hold replaced."""
        assert call(new, "new", str(images)) == 0
        assert (project / "evals" / "test_my_images.py").is_file()

    def test_a_modelfile_that_is_there_is_taken(
        self, project: Path, images: Path, server: ColourServer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """As it is, and for the model that it is for."""
        there = project / "modelfiles" / "mine.Modelfile"
        there.write_text("FROM llava:13b\nSYSTEM Be brief.\n")
        assert call(new, "new", "colours", str(images), "--modelfile", "mine") == 0
        assert "--llmclf-model ollama:llava:13b" in capsys.readouterr().out
        assert sorted(path.name for path in there.parent.iterdir()) == ["mine.Modelfile"]
        assert 'modelfile="mine",' in (project / "evals" / "test_colours.py").read_text()
        assert run_pytest(project, "evals/test_colours.py", server.spec).returncode == 0

    def test_a_model_is_enough(self, project: Path, images: Path, server: ColourServer) -> None:
        """No Modelfile is written or needed."""
        assert call(new, "new", "colours", str(images), "--model", server.spec) == 0
        assert list((project / "modelfiles").iterdir()) == []
        result = run_pytest(project, "evals/test_colours.py", server.spec)
        assert result.returncode == 0, result.stdout
        (report,) = json.loads((project / "run" / "run.json").read_text("utf-8"))["reports"]
        assert report["full_instructions"]["system"].startswith("You sort images.")
