"""What lies where a file is looked for and is none keeps nobody waiting.

Everything that reads a file which people or other programs name is tried with each of them.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf.batch.tally import Failure, FailureFile
from pytest_llmclf.data import dataset
from pytest_llmclf.data.archives.archive import opened
from pytest_llmclf.data.manifest import manifest_entries
from pytest_llmclf.data.manifest_columns import MOST_COLUMNS
from pytest_llmclf.errors import LlmclfError
from pytest_llmclf.files import require_place, write_whole
from pytest_llmclf.gates.looks import note_looks, read_looks
from pytest_llmclf.models import recording_file
from pytest_llmclf.models.llamacpp.llamacpp import file_pair
from pytest_llmclf.models.ollama.modelfile_files import blob_digest
from pytest_llmclf.models.recording import Recorder
from pytest_llmclf.plugin.github import write_summaries
from pytest_llmclf.prompting import modelfile
from pytest_llmclf.reporting.run_folder import read_run
from pytest_llmclf.values.verdict import Look
from tests.unit.scripted import image, task

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="special files of POSIX")


def in_time(work: Callable[[], Any]) -> BaseException | None:
    """What it raised; the test fails if it waits."""
    raised: list[BaseException] = []
    ended = threading.Event()

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - looked at by the test
            raised.append(error)
        ended.set()

    threading.Thread(target=run, daemon=True).start()
    assert ended.wait(5), "it waits"
    return raised[0] if raised else None


@pytest.fixture(params=["pipe", "socket", "folder", "device"])
def special(request: pytest.FixtureRequest) -> Callable[[Path], Path]:
    """Puts something that is no file there."""

    def put(place: Path) -> Path:
        place.parent.mkdir(parents=True, exist_ok=True)
        if request.param == "pipe":
            os.mkfifo(place)
        elif request.param == "socket":
            with socket.socket(socket.AF_UNIX) as bound:
                here = Path.cwd()
                os.chdir(place.parent)  # the name of a socket is short
                try:
                    bound.bind(place.name)
                finally:
                    os.chdir(here)
        elif request.param == "folder":
            place.mkdir()
        else:
            place.symlink_to("/dev/zero")
        return place

    return put


def dataset_of(folder: Path) -> None:
    """A sound one of two images."""
    for number, label in enumerate(("cat", "dog"), 1):
        (folder / label).mkdir(parents=True)
        (folder / label / "1.png").write_bytes(image(number))


@pytest.mark.parametrize("name", ["dataset.toml", "manifest.csv", "manifest.jsonl"])
def test_beside_the_images(tmp_path: Path, special: Callable[[Path], Path], name: str) -> None:
    """The dataset says which file is none, or does without."""
    dataset_of(tmp_path)
    special(tmp_path / name)
    error = in_time(lambda: dataset.load(tmp_path, limits=None))
    if name == "dataset.toml":
        assert isinstance(error, LlmclfError)
        assert name in str(error)
    else:  # no manifest is there
        assert error is None


def test_among_the_images(tmp_path: Path, special: Callable[[Path], Path]) -> None:
    """It is a problem of that image."""
    dataset_of(tmp_path)
    place = special(tmp_path / "cat" / "2.png")
    error = in_time(lambda: dataset.load(tmp_path, limits=None))
    if not place.is_dir():  # a folder in a class is gone into
        assert error is None or isinstance(error, LlmclfError)


def test_in_the_place_of_a_manifest(tmp_path: Path, special: Callable[[Path], Path]) -> None:
    """Whichever command names it."""
    for name in ("m.csv", "m.jsonl"):
        place = special(tmp_path / name)
        error = in_time(lambda place=place: list(manifest_entries(place, [])))  # type: ignore[misc]
        assert isinstance(error, LlmclfError), error
        assert str(place) in str(error)


def test_in_the_place_of_what_is_noted(tmp_path: Path, special: Callable[[Path], Path]) -> None:
    """How often gates were looked at, failures of a prediction, a table in Markdown."""
    looks = special(tmp_path / "looks.jsonl")
    assert in_time(lambda: read_looks(looks)) is None
    assert read_looks(looks) == ()
    if looks.is_symlink():  # a device takes what is written
        return
    look = Look(gate="accuracy >= 0", question="question", data="data", images=1, word="PASS")
    assert isinstance(in_time(lambda: note_looks(looks, [look])), OSError)
    row = Failure(id="a.png", place="m.csv:1", kind="row", message="x")
    place = special(tmp_path / "failures.jsonl")

    def note() -> None:
        with FailureFile(place) as failures:
            failures.write([row])

    error = in_time(note)  # what was there of an earlier run is removed
    assert error is None or isinstance(error, OSError)


def test_in_the_place_of_an_archive(tmp_path: Path, special: Callable[[Path], Path]) -> None:
    """It is said what it is."""
    place = special(tmp_path / "a.zip")
    error = in_time(lambda: opened(place).__enter__())
    assert error is None if place.is_dir() else isinstance(error, LlmclfError), error


def test_in_the_place_of_an_image_later(tmp_path: Path, special: Callable[[Path], Path]) -> None:
    """An image that was replaced after it was collected is an error of its own."""
    assigned = task(tmp_path, 1)
    case = assigned.dataset.cases[0]
    case.path.unlink()
    special(case.path)
    error = in_time(lambda: assigned.request(case, 0))
    assert isinstance(error, LlmclfError), error
    assert str(case.path) in str(error)


def test_in_the_place_of_a_modelfile(tmp_path: Path, special: Callable[[Path], Path]) -> None:
    """The message names it."""
    place = special(tmp_path / "a.Modelfile")
    error = in_time(lambda: modelfile.load(place))
    assert isinstance(error, LlmclfError), error
    assert str(place) in str(error)


def test_in_the_place_of_weights(tmp_path: Path, special: Callable[[Path], Path]) -> None:
    """A device is not read to its end, which it has not."""
    place = special(tmp_path / "a.gguf")
    for work in (lambda: blob_digest(place), lambda: file_pair(place, place)):
        error = in_time(work)
        assert isinstance(error, LlmclfError), error
        assert str(place) in str(error)


def test_in_the_place_of_a_recording(tmp_path: Path, special: Callable[[Path], Path]) -> None:
    """Neither written nor read."""
    place = special(tmp_path / "r.jsonl")
    for work in (lambda: Recorder(place), lambda: recording_file.read_recording(place)):
        error = in_time(work)
        assert isinstance(error, LlmclfError), error
        assert str(place) in str(error)


@pytest.mark.parametrize("name", ["run.json", "outcomes.jsonl"])
def test_in_a_runs_folder(tmp_path: Path, special: Callable[[Path], Path], name: str) -> None:
    """It is not the folder of a run."""
    (tmp_path / "run.json").write_text('{"schema": 1, "reports": []}')
    (tmp_path / name).unlink(missing_ok=True)
    special(tmp_path / name)
    error = in_time(lambda: read_run(tmp_path))
    assert isinstance(error, LlmclfError), error


def test_in_the_place_of_a_summary(tmp_path: Path, special: Callable[[Path], Path]) -> None:
    """It is not written, which is said; a device such as ``/dev/null`` takes it."""
    place = special(tmp_path / "s.md")
    error = in_time(lambda: write_summaries([], [], place, environ={}))
    assert isinstance(error, OSError) == (not place.is_char_device()), error
    error = in_time(lambda: write_summaries([], [], environ={"GITHUB_STEP_SUMMARY": str(place)}))
    assert isinstance(error, OSError) == (not place.is_char_device()), error


def test_in_the_place_of_a_page(tmp_path: Path, special: Callable[[Path], Path]) -> None:
    """It stands there afterwards: no file takes the place of a device, nor of what is refused."""
    place = special(tmp_path / "page.html")
    kind = place.lstat().st_mode
    error = in_time(lambda: write_whole(place, b"<html>"))
    assert isinstance(error, OSError) == (not place.is_char_device()), error
    assert place.lstat().st_mode == kind
    assert list(tmp_path.iterdir()) == [place]


@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
def test_a_line_of_a_hundred_thousand_columns(tmp_path: Path, ending: str) -> None:
    """Is refused by their number, before anything is looked for among them."""
    names = ["path", "label", *(f"column {number}" for number in range(100_000))]
    if ending == ".csv":
        text = ",".join(names) + "\n"
    else:
        text = "{" + ", ".join(f'"{name}": "x"' for name in names) + "}\n"
    path = tmp_path / f"manifest{ending}"
    path.write_text(text)
    problems: list[str] = []
    assert in_time(lambda: list(manifest_entries(path, problems))) is None
    assert f"more than {MOST_COLUMNS}" in problems[0]
    assert len(problems[0]) < 200


def test_a_place_is_looked_at_before_it_is_written(tmp_path: Path) -> None:
    """Nothing is made; folders that are missing are no hindrance, a file among them is."""
    (tmp_path / "file").write_text("")
    for fits in ("file", "new", "new/below", "new/far/below"):
        assert require_place(tmp_path / fits) == tmp_path / fits
    for fits in (".", "new", "new/below"):
        assert require_place(tmp_path / fits, folder=True) == tmp_path / fits
    for place, folder in (("file", True), ("file/a/b", True), ("file/a", False), (".", False)):
        with pytest.raises(OSError, match="it is a f") as told:
            require_place(tmp_path / place, folder=folder)
        assert str(told.value.filename).startswith(str(tmp_path))
    with pytest.raises(OSError):  # noqa: PT011 - the words are the system's
        require_place(tmp_path / ("x" * 5000))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
