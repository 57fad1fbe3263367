"""The embedded model behind a real llama-server, and what happens when either side is killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf.errors import RuntimeMissing
from pytest_llmclf.models.llamacpp.llama_binary import find_llama_server
from pytest_llmclf.runner.answer_cache import AnswerStore
from tests.forkserver import fresh_or_forked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DIGITS = tuple("0123456789")
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "mnist"
EVALUATION = """
from pytest_llmclf import Evaluation

digits = Evaluation(
    dataset="digits", modelfile="digits", prompt="Which digit is in this image?",
    answer="enum", top_logprobs=3,
)

@digits.images
def test_image(outcome):
    outcome.check()

@digits.gate
def test_gate(report):
    assert report.ledger.answered == report.ledger.collected
"""


def _why_not() -> str | None:
    try:
        find_llama_server()
    except RuntimeMissing as error:
        return str(error)
    return None if FIXTURES.is_dir() else f"there are no images in {FIXTURES.name}"


_REASON = _why_not()
pytestmark = pytest.mark.skipif(_REASON is not None, reason=_REASON or "")
needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc here")


class Digits:
    """A project with digits, and runs of the embedded model on them."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def command(self, *args: str) -> list[str]:
        """Arguments of a run in a process of its own."""
        spare = [
            arg for name in ("cacheprovider", "hypothesispytest") for arg in ("-p", f"no:{name}")
        ]
        folder = ["--llmclf-run", "run", f"--rootdir={self.root}"]
        model = ["--llmclf-model", "micro-llava"]
        return [sys.executable, "-m", "pytest", *spare, *folder, *model, *args]

    def run(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        return subprocess.run(  # noqa: S603 - our own interpreter
            [fresh_or_forked(), *self.command(*args)[1:]],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def outcomes(self) -> list[dict[str, Any]]:
        """Every outcome of the last run."""
        text = (self.root / "run" / "outcomes.jsonl").read_text("utf-8")
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def digits(tmp_path: Path) -> Callable[[int], Digits]:
    """Make a project with so many images a digit."""

    def make(each: int) -> Digits:
        for digit in DIGITS:
            folder = tmp_path / "fixtures" / "digits" / digit
            folder.mkdir(parents=True)
            for path in sorted((FIXTURES / digit).glob("*.png"))[:each]:
                shutil.copy(path, folder / path.name)
        (tmp_path / "modelfiles").mkdir()
        modelfile = "FROM llava\nPARAMETER temperature 0\nPARAMETER num_predict 24\n"
        (tmp_path / "modelfiles" / "digits.Modelfile").write_text(modelfile)
        (tmp_path / "test_digits.py").write_text(EVALUATION)
        (tmp_path / "pytest.ini").write_text("[pytest]\n")
        return Digits(tmp_path)

    return make


def parents() -> dict[int, tuple[int, str]]:
    """Parent and program of every process that runs."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except OSError:
                continue  # it ended meanwhile
            name, _, rest = text.partition("(")[2].rpartition(")")[0], *text.rpartition(")")[1:]
            state, parent = rest.split()[:2]
            if state != "Z":
                found[int(entry.name)] = int(parent), name
    return found


def descendants(root: int) -> dict[int, str]:
    """Program of every process below one."""
    known = parents()
    family = {root}
    while grown := {pid for pid, (parent, _) in known.items() if parent in family} - family:
        family |= grown
    return {pid: known[pid][1] for pid in family - {root}}


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that a test starts; they are ended whatever happens."""
    running: list[subprocess.Popen[bytes]] = []
    yield running
    for process in running:
        if process.poll() is None:
            process.kill()
        process.wait(10)


def test_forced_answers_are_always_labels_and_the_same_ones(
    digits: Callable[[int], Digits],
) -> None:
    """Under a grammar every answer is one of the labels, with its log-probabilities."""
    project = digits(2)
    result = project.run()
    assert result.returncode == 0, result.stdout + result.stderr
    outcomes = project.outcomes()
    assert len(outcomes) == 20
    for outcome in outcomes:
        assert outcome["kind"] in ("correct", "misclassified")
        assert outcome["predicted"] in DIGITS
        assert json.loads(outcome["answer"]["text"]) == {"label": outcome["predicted"]}
        tokens = outcome["answer"]["logprobs"]
        assert tokens
        assert all(token["logprob"] <= 0 and len(token["top"]) <= 3 for token in tokens)
        assert outcome["answer"]["prompt_tokens"] > 0
    # Asked anew at temperature 0, every image gets the label that it got before.
    first = {outcome["case"]: outcome["predicted"] for outcome in project.outcomes()}
    assert project.run("--llmclf-fresh", "--llmclf-in-flight=1").returncode == 0
    assert {outcome["case"]: outcome["predicted"] for outcome in project.outcomes()} == first
    assert not any(outcome["cached"] for outcome in project.outcomes())


def test_examples_are_shown_and_counted(digits: Callable[[int], Digits]) -> None:
    """A real server reads each example as one more question; too many never reach an image."""
    project = digits(2)
    for count in (2, 12):
        text = EVALUATION.replace("top_logprobs=3", f"examples={count}, name='shown {count}'")
        (project.root / f"test_{count}.py").write_text(text)
    result = project.run("test_2.py", "test_12.py")
    assert result.returncode == 1, result.stdout + result.stderr
    summary = json.loads((project.root / "run" / "run.json").read_text("utf-8"))
    few, many = summary["reports"]
    assert few["ledger"]["collected"] == few["ledger"]["correct"] + few["ledger"]["misclassified"]
    assert (few["ledger"]["collected"], len(few["dataset"]["taken_out"])) == (18, 2)
    answers = [one["answer"] for one in project.outcomes() if one["answer"]]
    (taken,) = {answer["prompt_tokens"] for answer in answers}
    said = f"a question takes {taken} tokens with 2 example images, "
    assert any(said in note for note in few["notes"])
    assert many["ledger"]["error"] == many["ledger"]["collected"] == 8
    (told,) = {one["message"] for one in project.outcomes() if one["message"]}
    assert told.startswith("12 example images do not fit into the context of 1024 tokens: by the")
    assert told.endswith("or show at most 8)")


def test_workers_each_have_their_server(digits: Callable[[int], Digits]) -> None:
    """Under xdist the report is complete, too."""
    project = digits(2)
    result = project.run("-n2")
    assert result.returncode == 0, result.stdout + result.stderr
    assert len(project.outcomes()) == 20


KILLER = f"""
import os, pathlib, signal, sys
sys.path.insert(0, {str(Path(__file__).resolve().parents[2])!r})

def pytest_runtest_logreport(report):
    note = pathlib.Path("killed.txt")
    if report.when == "call" and not note.exists():
        from tests.e2e.test_embedded import descendants
        found = [pid for pid, name in descendants(os.getpid()).items() if "llama-server" in name]
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        note.write_text(" ".join(map(str, found)))
"""


@needs_proc
def test_a_killed_server_is_started_again(digits: Callable[[int], Digits]) -> None:
    """After kill -9 of llama-server in the middle no image is without an answer."""
    project = digits(15)
    (project.root / "conftest.py").write_text(KILLER)
    result = project.run("--llmclf-in-flight=1")
    assert result.returncode == 0, result.stdout + result.stderr
    assert (project.root / "killed.txt").read_text().split()
    # At most 128 answers wait for their tests: however late the first test ended and the server
    # was killed, 22 of the 150 images were asked about after that.
    outcomes = project.outcomes()
    assert len(outcomes) == 150
    assert {outcome["kind"] for outcome in outcomes} <= {"correct", "misclassified"}


@needs_proc
def test_a_killed_pytest_leaves_nothing_running_and_loses_nothing(
    digits: Callable[[int], Digits], started: list[subprocess.Popen[bytes]]
) -> None:
    """After kill -9 of pytest no llama-server is left, and every stored answer is used again."""
    project = digits(10)
    null = subprocess.DEVNULL
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        project.command("--llmclf-in-flight=1"), cwd=project.root, stdout=null, stderr=null
    )
    started.append(process)
    path = project.root / ".llmclf" / "answers.sqlite"
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with AnswerStore(path) as store:
        while len(store) < 10:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.005)
        family = descendants(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
        deadline = time.monotonic() + 10
        while set(family) & set(parents()):
            assert time.monotonic() < deadline, f"still running: {family}"
            time.sleep(0.02)
        known = len(store)
    assert any("llama-server" in name for name in family.values())
    assert 10 <= known < 100
    assert project.run().returncode == 0
    cached = [outcome for outcome in project.outcomes() if outcome["cached"]]
    assert len(cached) == known
    assert len(project.outcomes()) == 100


def test_repeats_of_a_hot_model_differ_though_a_seed_is_set(
    digits: Callable[[int], Digits], tmp_path: Path
) -> None:
    """A server that is sent one seed gives one answer however often it is asked."""
    project = digits(1)
    (tmp_path / "modelfiles" / "digits.Modelfile").write_text(
        "FROM llava\nPARAMETER temperature 20\nPARAMETER min_p 0\nPARAMETER top_p 1\n"
        "PARAMETER top_k 0\nPARAMETER seed 3\nPARAMETER num_predict 24\n"
    )
    project.run("--llmclf-repeats=3", "--llmclf-inconclusive=allow")
    said: dict[str, set[str]] = {}
    for outcome in project.outcomes():
        said.setdefault(outcome["case"], set()).add(outcome["predicted"])
    assert len(said) == 10
    assert sum(len(labels) > 1 for labels in said.values()) > 5
