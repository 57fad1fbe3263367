"""``llmclf predict`` against a server: what it stores, and what it survives."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.stub_ollama import StubOllama
from pytest_llmclf.runner.answer_cache import AnswerStore
from tests.forkserver import fresh_or_forked
from tests.unit.scripted import image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IMAGES = 200
EVALUATION = """
from pytest_llmclf import Evaluation

pets = Evaluation(dataset="pets", modelfile="pets", prompt="Which animal?", top_logprobs=2)

@pets.images
def test_image(outcome):
    outcome.check()

@pets.gate
def test_gate(report):
    assert report.ledger.answered == report.ledger.collected
"""
MODEL = "ollama:llava:7b"
needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed: pytest-llmclf[ray]"
)


class Pets:
    """A project of images and the server that knows them."""

    def __init__(self, root: Path, stub: StubOllama) -> None:
        self.root = root
        self.stub = stub
        for folder in ("evals", "modelfiles", "fixtures/pets"):
            (root / folder).mkdir(parents=True)
        (root / "pytest.ini").write_text("[pytest]\n")
        (root / "evals/test_pets.py").write_text(EVALUATION)
        (root / "modelfiles/pets.Modelfile").write_text("FROM llava:7b\nSYSTEM Be brief.\n")
        lines = ["path,label"]
        for number in range(1, IMAGES + 1):
            (root / f"fixtures/pets/{number}.png").write_bytes(image(number))
            lines.append(f"{number}.png,{'cat' if number % 2 else 'dog'}")
        self.manifest.write_text("\n".join(lines) + "\n")

    @property
    def manifest(self) -> Path:
        """All images."""
        return self.root / "fixtures/pets/manifest.csv"

    @property
    def failures(self) -> list[dict[str, str]]:
        """What the last call listed as unanswered."""
        found = list((self.root / ".llmclf/predict").glob("*.failures.jsonl"))
        return [json.loads(line) for path in found for line in path.read_text().splitlines()]

    def start(self, *arguments: str, program: str) -> subprocess.Popen[str]:
        """Call Python's ``-m`` here."""
        return subprocess.Popen(  # noqa: S603 - our own interpreter
            [program, "-m", *arguments],
            cwd=self.root,
            env={**os.environ, "OLLAMA_HOST": self.stub.netloc, "PYTHONUTF8": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def predict(self, *arguments: str) -> subprocess.Popen[str]:
        """Begin to ask."""
        given = ("predict", "evals/test_pets.py", "--model", MODEL, *arguments)
        # Ray starts processes of its own from what it finds in this one.
        program = sys.executable if "ray" in arguments else fresh_or_forked()
        return self.start("pytest_llmclf", *given, program=program)

    def predicted(self, *arguments: str) -> tuple[int, str, str]:
        """Ask to the end: exit code, standard output and standard error."""
        return ended(self.predict(*arguments))

    def chats(self) -> int:
        """Questions that reached the server."""
        return int(self.stub.stats()["chats"])

    def kept(self) -> int:
        """Answers in the store; none before there is one."""
        path = self.root / ".llmclf/answers.sqlite"
        if not path.exists():
            return 0
        with AnswerStore(path) as store:
            return len(store)

    def judged(self) -> tuple[int, int]:
        """Questions that a pytest run of the evaluation asks, and the images that it judges."""
        before = self.chats()
        given = ("pytest", "evals", "--llmclf-model", MODEL, "-q")
        ended(self.start(*given, program=fresh_or_forked()))
        runs = sorted((self.root / ".llmclf/runs").iterdir())
        outcomes = (runs[-1] / "outcomes.jsonl").read_text(encoding="utf-8").splitlines()
        kinds = [json.loads(line).get("kind") for line in outcomes]
        return self.chats() - before, sum(kind in ("correct", "misclassified") for kind in kinds)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    try:
        out, err = process.communicate(timeout=150)
    finally:
        process.kill()
    return process.returncode, out, err


@pytest.fixture
def pets(tmp_path: Path) -> Iterator[Pets]:
    with StubOllama(service_ms=5, slots=4, labels=("cat", "dog")) as stub:
        yield Pets(tmp_path, stub)


def test_pytest_finds_every_answer(pets: Pets) -> None:
    """What was predicted is judged without a question, and nothing is asked about twice."""
    code, out, err = pets.predicted("--limit", "50")
    assert (code, out.splitlines()[0].startswith("50 rows: 50 asked")) == (0, True), err
    code, out, err = pets.predicted()
    assert code == 0, err
    assert f"{IMAGES} rows: {IMAGES - 50} asked" in out
    assert "50 known, 0 failed" in out
    assert pets.judged() == (0, IMAGES)
    assert pets.chats() == IMAGES


def test_what_failed_is_listed_and_asked_again(pets: Pets) -> None:
    """Bad rows, bad images and refused questions cost nothing else, and exit code 1."""
    lines = pets.manifest.read_text().splitlines()
    with (pets.root / "fixtures/pets/other.csv").open("w") as file:
        file.write("\n".join([*lines, "none.png,cat", "cut.png,dog", "1.png"]) + "\n")
    (pets.root / "fixtures/pets/cut.png").write_bytes(image(7)[:40])
    pets.stub.fault("500", count=2)
    call = ("--manifest", "fixtures/pets/other.csv", "--attempts", "1", "--in-flight", "1")
    code, out, err = pets.predicted(*call)
    assert code == 1, err
    assert f"{IMAGES - 2} asked" in out
    kinds = [failure["kind"] for failure in pets.failures]
    assert sorted(kinds) == ["image", "row", "row", "server-failed", "server-failed"]
    code, out, _ = pets.predicted(*call)
    assert (code, len(pets.failures)) == (1, 3)
    assert "2 asked" in out
    assert f"{IMAGES - 2} known, 3 failed" in out


def test_a_dead_server_ends_it(pets: Pets) -> None:
    """Answers are kept, the rest of the manifest is not gone through in vain."""
    pets.manifest.write_text(pets.manifest.read_text() + "1.png,cat\n" * 5000)
    pets.stub.fault("500", count=10**6)
    code, out, err = pets.predicted("--manifest", str(pets.manifest), "--attempts", "1")
    assert code == 1
    assert "in a row" in err
    assert int(out.split(" rows:")[0]) < IMAGES


def test_a_server_that_is_away_is_waited_for(pets: Pets) -> None:
    """With a single attempt, which an outage of a second would use up: what waits is no attempt."""
    running = pets.predict("--attempts", "1", "--in-flight", "2")
    deadline = time.monotonic() + 60
    while pets.kept() < IMAGES // 4:
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    pets.stub.kill()
    time.sleep(1)
    pets.stub.start()
    _, out, err = ended(running)
    assert f"{IMAGES} rows" in out
    assert len(pets.failures) <= 2, "what was in flight"
    assert f"{pets.stub.netloc} was away for" in err


def test_no_server(pets: Pets) -> None:
    """Is said at once, and nothing is left behind that looks like a result."""
    pets.stub.kill()
    code, out, err = pets.predicted()
    assert (code, out) == (2, "")
    assert "no Ollama answers" in err
    assert pets.failures == []


@pytest.mark.parametrize("engine", ["local", pytest.param("ray", marks=needs_ray)])
def test_known_answers_need_no_server(pets: Pets, engine: str) -> None:
    """They are found as those of whoever answered last, which is said."""
    code, _, err = pets.predicted("--engine", engine)
    assert code == 0, err
    pets.stub.kill()
    code, out, err = pets.predicted("--engine", engine)
    assert code == 0, err
    assert out.startswith(f"{IMAGES} rows: 0 asked, {IMAGES} known, 0 failed")
    assert "ollama:llava:7b was not reached" in err


def test_a_lost_server_is_told_of(pets: Pets) -> None:
    """The others answer everything, and the end says which one was dropped."""
    with StubOllama(service_ms=5, slots=4, labels=("cat", "dog")) as other:
        other.fault("close", count=10**6)
        servers = f"{pets.stub.netloc},{other.netloc}"
        code, out, err = pets.predicted("--servers", servers)
    assert code == 0, err
    assert f"{IMAGES} asked" in out
    assert err.count(f"{other.netloc} was dropped") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
@pytest.mark.parametrize("engine", ["local", pytest.param("ray", marks=needs_ray)])
def test_interrupted(pets: Pets, engine: str) -> None:
    """Ctrl-C ends it as shells have it; what is kept is said, and not asked about again."""
    running = pets.predict("--engine", engine)
    deadline = time.monotonic() + 120
    while pets.kept() < IMAGES // 4:
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    code, out, err = ended(running)
    assert code == 130, err
    assert "interrupted: what was answered" in err
    assert "to judge: " in out
    before = settled(pets, engine)
    if engine == "local":  # Ray's workers may have had answers that were not handed on yet
        assert before["kept"] == before["chats"]
    code, _, err = pets.predicted("--engine", engine)
    assert code == 0, err
    assert pets.chats() - before["chats"] == IMAGES - before["kept"]


@pytest.mark.parametrize("engine", ["local", pytest.param("ray", marks=needs_ray)])
def test_killed_and_called_again(pets: Pets, engine: str) -> None:
    """No answer that reached the store is asked for again, and pytest asks nothing."""
    call = ("--engine", engine)
    running = pets.predict(*call)
    deadline = time.monotonic() + 120
    while pets.kept() < IMAGES // 4:
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    running.kill()
    running.communicate(timeout=30)
    before = settled(pets, engine)
    code, out, err = pets.predicted(*call)
    assert code == 0, err
    assert pets.chats() - before["chats"] == IMAGES - before["kept"], out
    assert pets.judged() == (0, IMAGES)


def settled(pets: Pets, engine: str) -> dict[str, int]:
    """Questions and answers, once neither has changed for a while."""
    # Ray's processes end a moment after the one that started them, and may keep answers till then.
    quiet_s = 2.0 if engine == "ray" else 0.5
    deadline = time.monotonic() + 60
    now: dict[str, Any] = {}
    since = time.monotonic()
    while time.monotonic() - since < quiet_s:
        assert time.monotonic() < deadline
        then, now = now, {"chats": pets.chats(), "kept": pets.kept()}
        if now != then:
            since = time.monotonic()
        time.sleep(0.1)
    return now


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray(pets: Pets) -> None:
    """The message says how to get it, or how to do without."""
    code, _, err = pets.predicted("--engine", "ray")
    assert code == 2
    assert "pip install 'pytest-llmclf[ray]', or say --engine local" in err
