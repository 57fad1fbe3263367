"""A project whose model is a stub server, and pytest runs of it.

Every wait is bounded: a run that hangs is killed, and its test fails with what it had said.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import struct
import subprocess
import sys
import time
import zlib
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.forkserver import fresh_or_forked, workers_forked
from tests.imported import OTHER_REPORTERS, SPARE_PLUGINS
from tests.png import MARK, chunk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

LABELS = ("0", "1", "2")
BOUND_S = 60.0
"""No run of these projects takes longer, on a busy machine either."""

EVALUATION = """
from pytest_llmclf import Evaluation, Gate

signs = Evaluation(
    dataset="signs", modelfile="signs", prompt="Which sign is this?", gates=[Gate("accuracy >= 0")]
)

@signs.images
def test_image(outcome):
    outcome.check()

@signs.gate
def test_gate(report):
    pass
"""

_FROM_OUTSIDE = (
    "LLMCLF_MODEL", "LLMCLF_DATA", "PYTEST_ADDOPTS", "HTTP_PROXY", "http_proxy", "CI",
    "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT",
    "PYTEST_XDIST_TESTRUNUID", "PYTEST_CURRENT_TEST",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A process that is over.

    Attributes:
        code: Its exit status.
        text: Everything that it printed.
    """

    code: int
    text: str


def png(number: int) -> bytes:
    """A thumbnail that no other number has."""
    width = height = 8
    row = b"\x00" + bytes((number >> 16 & 255, number >> 8 & 255, number & 255)) * width
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(row * height)), (b"IEND", b""))
    return MARK + b"".join(chunk(kind, data) for kind, data in chunks)


class Project:
    """One evaluation of so many images.

    Attributes:
        root: Its folder.
        images: How many images it has.
        model: Who is asked.
    """

    def __init__(
        self,
        root: Path,
        images: int = 60,
        *,
        model: str = "ollama:llava:7b",
        pytester: pytest.Pytester | None = None,
    ) -> None:
        """Write it.

        Args:
            root: Where; the folder of `pytester`, if there is one.
            images: How many.
            model: Who is asked.
            pytester: Makes runs quick: those to the end within this process, others forked.
        """
        self.pytester = pytester
        self.root = root
        self.images = images
        self.model = model
        for number in range(images):
            folder = root / "fixtures" / "signs" / LABELS[number % len(LABELS)]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number:05}.png").write_bytes(png(number))
        (root / "modelfiles").mkdir()
        (root / "modelfiles" / "signs.Modelfile").write_text("FROM llava:7b\n")
        (root / "test_signs.py").write_text(EVALUATION)
        (root / "pytest.ini").write_text("[pytest]\n")

    @property
    def store(self) -> Path:
        """Where known answers are kept."""
        return self.root / ".llmclf" / "answers.sqlite"

    def arguments(self, *args: str) -> list[str]:
        """Arguments of a run; later ones win."""
        names = (*SPARE_PLUGINS, *OTHER_REPORTERS)
        spare = [arg for name in names for arg in ("-p", f"no:{name}")]
        ours = [f"--llmclf-model={self.model}", "--llmclf-run=run", "--llmclf-no-images"]
        return [*spare, "--capture=sys", f"--rootdir={self.root}", *ours, *args]

    def start(
        self,
        server: str,
        *args: str,
        environment: Mapping[str, str] | None = None,
        before: Callable[[], None] | None = None,
        prefix: tuple[str, ...] = (),
        fresh: bool = False,
    ) -> subprocess.Popen[str]:
        """Start a run and do not wait for it.

        Args:
            server: Host and port of the model's server.
            args: Further arguments of pytest.
            environment: Further variables.
            before: Called in the child before pytest starts; POSIX only.
            prefix: A program that starts it, with its arguments.
            fresh: In an interpreter of its own; one that is limited is that anyway.
        """
        fresh = fresh or self.pytester is None or before is not None or bool(prefix)
        python = sys.executable if fresh else fresh_or_forked()
        kept = {key: value for key, value in os.environ.items() if key not in _FROM_OUTSIDE}
        kept |= {"OLLAMA_HOST": server, "COLUMNS": "400", **(environment or {})}
        return subprocess.Popen(  # noqa: S603 - our own interpreter
            [*prefix, python, "-m", "pytest", *self.arguments(*args)],
            cwd=self.root,
            env=kept,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
            preexec_fn=before,  # noqa: PLW1509 - no threads of this process hold locks it needs
        )

    def run(
        self,
        server: str,
        *args: str,
        environment: Mapping[str, str] | None = None,
        before: Callable[[], None] | None = None,
        prefix: tuple[str, ...] = (),
    ) -> Ended:
        """Run to the end; within this process where nothing needs another one."""
        here = self.pytester if self.pytester and self.pytester.path == self.root else None
        if here is None or environment or before or prefix:
            process = self.start(
                server, *args, environment=environment, before=before, prefix=prefix
            )
            return ended(process)
        with pytest.MonkeyPatch.context() as patch:
            for name in _FROM_OUTSIDE:
                patch.delenv(name, raising=False)
            patch.setenv("OLLAMA_HOST", server)
            patch.setenv("COLUMNS", "400")
            with workers_forked():
                result = here.runpytest_inprocess(*self.arguments(*args))
        return Ended(code=int(result.ret), text=result.stdout.str() + result.stderr.str())

    def summary(self) -> dict[str, Any]:
        """The last run's ``run.json``."""
        data: dict[str, Any] = json.loads((self.root / "run" / "run.json").read_text("utf-8"))
        return data

    def ledger(self) -> dict[str, int]:
        """What is not zero in the last run's ledger."""
        ledger = self.summary()["reports"][0]["ledger"]
        return {name: count for name, count in ledger.items() if count}

    def gates(self) -> list[str]:
        """The verdicts of the last run."""
        return [gate["word"] for gate in self.summary()["gates"]]

    def outcomes(self) -> list[dict[str, Any]]:
        """Every outcome of the last run."""
        text = (self.root / "run" / "outcomes.jsonl").read_text("utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def stored(self) -> set[str]:
        """Digests of the answers on disk; read as another process would."""
        if not self.store.exists():
            return set()
        with closing(sqlite3.connect(self.store, timeout=BOUND_S)) as connection:
            try:
                rows = connection.execute("SELECT digest FROM answers").fetchall()
            except sqlite3.OperationalError:  # killed before the table was made
                return set()
        return {row[0] for row in rows}

    def all_answered(self) -> bool:
        """Whether the last run has exactly one answer to every image, and nothing else."""
        cases = [outcome["case"] for outcome in self.outcomes()]
        kinds = {outcome["kind"] for outcome in self.outcomes()}
        once = len(cases) == len(set(cases)) == self.images == self.ledger()["collected"]
        return once and kinds <= {"correct", "misclassified", "unparsed"}


def ended(process: subprocess.Popen[str], within_s: float = BOUND_S) -> Ended:
    """Wait for a process, and end it with all that it started if it hangs."""
    try:
        text = process.communicate(timeout=within_s)[0]
    except subprocess.TimeoutExpired:
        kill(process)
        text = process.communicate(timeout=within_s)[0]
        raise AssertionError(f"still running after {within_s} s; it said:\n{text}") from None
    return Ended(code=process.returncode, text=text)


def kill(process: subprocess.Popen[str]) -> None:
    """End a process and its children at once."""
    if sys.platform == "win32":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)


def wait_for(true: Callable[[], bool], what: str, within_s: float = BOUND_S) -> None:
    """Wait until something is so.

    Raises:
        AssertionError: It did not come to be.
    """
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, f"no {what} within {within_s} s"
        time.sleep(0.01)
