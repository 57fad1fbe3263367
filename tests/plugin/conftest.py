"""What the tests of the plugin share: a tiny dataset, and a server that can see it."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf.models.yardstick.learner_process import LearnerProcess
from tests.forkserver import fresh_or_forked, workers_forked
from tests.imported import OTHER_REPORTERS, SPARE_PLUGINS, load_everything
from tests.plugin.colour_server import ColourServer, png

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

load_everything()

EVALUATION = """
from pytest_llmclf import Evaluation, Gate

colours = Evaluation(
    dataset="colours", modelfile="colours", prompt="Which colour is this?", gates=[{gates}]
)

@colours.images
def test_image(outcome):
    outcome.check()

@colours.gate
def test_gate(report{arguments}):
    {body}
"""


class Colours:
    """A project with one evaluation of solid colours.

    Attributes:
        root: Its folder.
        server: Who is asked.
        reporters: Whether runs have the other reporters that are installed.
    """

    def __init__(self, pytester: pytest.Pytester, server: ColourServer) -> None:
        self.pytester = pytester
        self.reporters = False
        self.root: Path = pytester.path
        self.server = server

    def images(self, each: int = 3, colours: tuple[str, ...] = ("red", "green", "blue")) -> None:
        """Write so many images a colour."""
        for colour in colours:
            folder = self.root / "fixtures" / "colours" / colour
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(each):
                (folder / f"{number}.png").write_bytes(png(colour, number))

    def evaluation(
        self, gate: str = "accuracy >= 0.6", *, arguments: str = "", body: str = "pass"
    ) -> None:
        """Write the Modelfile and the evaluation; an empty gate declares none."""
        (self.root / "modelfiles").mkdir(exist_ok=True)
        (self.root / "modelfiles" / "colours.Modelfile").write_text("FROM llava\n")
        gates = f"Gate({gate!r})" if gate else ""
        text = EVALUATION.format(gates=gates, arguments=arguments, body=body)
        (self.root / "test_colours.py").write_text(text)

    def command(self, *args: str, model: str | None = None) -> list[str]:
        """Arguments of pytest: the server's model unless another one is given."""
        asked = ["--llmclf-model", self.server.spec if model is None else model]
        folder = ["--llmclf-run", str(self.root / "run")]
        names = SPARE_PLUGINS if self.reporters else (*SPARE_PLUGINS, *OTHER_REPORTERS)
        spare = (arg for name in names for arg in ("-p", f"no:{name}"))
        # Descriptors would be changed over six times an image.
        plain = [*spare, "--capture=sys", f"--rootdir={self.root}"]
        return [*plain, *(asked if model != "" else []), *folder, *args]

    def run(self, *args: str, model: str | None = None) -> pytest.RunResult:
        """Run pytest in this process; an empty model gives none on the command line."""
        with workers_forked():
            return self.pytester.runpytest_inprocess(*self.command(*args, model=model))

    def run_apart(self, *args: str, model: str | None = None) -> pytest.RunResult:
        """Run pytest in a process of its own."""
        with workers_forked():
            return self.pytester.runpytest_subprocess(*self.command(*args, model=model), timeout=60)

    def start(self, *args: str) -> subprocess.Popen[str]:
        """Start pytest and do not wait for it."""
        return subprocess.Popen(  # noqa: S603 - our own interpreter
            [fresh_or_forked(), "-m", "pytest", *self.command(*args)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.root,
            start_new_session=True,
        )

    def written(self, number: int = 0) -> dict[str, Any]:
        """One report of the last run's ``run.json``."""
        found: dict[str, Any] = self.summary()["reports"][number]
        return found

    def summary(self) -> dict[str, Any]:
        """The last run's ``run.json``."""
        data: dict[str, Any] = json.loads((self.root / "run" / "run.json").read_text("utf-8"))
        return data

    def ledger(self) -> dict[str, int]:
        """What is not zero in the last run's ledger."""
        return {name: count for name, count in self.written()["ledger"].items() if count}


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own servers, keys and pytest options out of the tests."""
    for name in (
        "LLMCLF_MODEL", "LLMCLF_DATA", "OLLAMA_HOST", "OPENAI_API_KEY", "LLMCLF_OPENAI_API_KEY",
        "PYTEST_ADDOPTS", "NO_COLOR", "FORCE_COLOR", "PY_COLORS", "HTTP_PROXY", "http_proxy",
        "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID",
        "CI", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "160")  # so that nothing is wrapped


class KeptLearner(LearnerProcess):
    """The process in which classifiers learn, kept for the next run: its start is most of it."""

    def close(self) -> None:
        """Stay."""

    def end(self) -> None:
        """End it."""
        super().close()


@pytest.fixture(scope="session")
def kept_learner() -> Iterator[KeptLearner]:
    """One process for all runs in this one."""
    kept = KeptLearner()
    yield kept
    kept.end()


@pytest.fixture
def one_learner(kept_learner: KeptLearner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let yardsticks of runs in this process learn in that one."""
    monkeypatch.setattr(
        "pytest_llmclf.models.yardstick.yardstick_backend.LearnerProcess", lambda: kept_learner
    )


@pytest.fixture
def server() -> Iterator[ColourServer]:
    """A running server."""
    with ColourServer() as running:
        yield running


@pytest.fixture
def colours(pytester: pytest.Pytester, server: ColourServer) -> Colours:
    """Nine images of three colours, an evaluation with a gate, and a server."""
    project = Colours(pytester, server)
    project.images()
    project.evaluation()
    return project
