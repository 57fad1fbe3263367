"""QuestionLocks: one asker at a time, and none that outlives its process."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.runner.locks import QuestionLocks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OTHER = """
import pathlib, sys
from pytest_llmclf.runner.locks import QuestionLocks

claims = QuestionLocks(pathlib.Path(sys.argv[1]))
for line in sys.stdin:
    what, question = line.split()
    print(getattr(claims, what)(question), flush=True)
"""


class Other:
    """Another process that claims what it is told."""

    def __init__(self, path: Path) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-c", OTHER, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def does(self, what: str, question: str) -> str:
        """Let it take or release a claim; what came of it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{what} {question}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def end(self) -> None:
        """End it, without a chance to give anything back."""
        self.process.kill()
        self.process.communicate(timeout=10)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where claims are."""
    return tmp_path / "claims"


@pytest.fixture
def other(path: Path) -> Iterator[Other]:
    """A second process over the same file."""
    running = Other(path)
    yield running
    running.end()


def test_one_thread_at_a_time(path: Path) -> None:
    """What this process has taken it does not get again before it gives it back."""
    for claims in (QuestionLocks(path), QuestionLocks(None)):
        assert claims.take("a")
        assert not claims.take("a")
        assert claims.take("b")
        claims.release("a")
        assert claims.take("a")
        claims.close()


def test_one_process_at_a_time(path: Path, other: Other) -> None:
    """Another process gets what is free, and only that."""
    claims = QuestionLocks(path)
    assert claims.take("a")
    assert other.does("take", "a") == "False"
    assert other.does("take", "b") == "True"
    assert not claims.take("b")
    claims.release("a")
    assert other.does("take", "a") == "True"
    other.does("release", "b")
    assert claims.take("b")
    claims.close()


def test_closing_gives_everything_back(path: Path, other: Other) -> None:
    """Closing twice is fine."""
    claims = QuestionLocks(path)
    assert claims.take("a")
    claims.close()
    claims.close()
    assert other.does("take", "a") == "True"


def test_a_killed_process_claims_nothing(path: Path, other: Other) -> None:
    """At once: nobody waits for a lease to end."""
    claims = QuestionLocks(path)
    assert other.does("take", "a") == "True"
    assert not claims.take("a")
    other.end()
    assert claims.take("a")
    claims.close()


def test_without_a_file_a_process_is_on_its_own(tmp_path: Path) -> None:
    """A folder that is not there costs no question, and threads still take turns."""
    claims = QuestionLocks(tmp_path / "missing" / "claims")
    assert claims.take("a")
    assert not claims.take("a")
    claims.release("a")
    assert claims.take("a")
    claims.close()


def test_nothing_is_written(path: Path) -> None:
    """The file is made when the first claim is taken, and stays empty."""
    claims = QuestionLocks(path)
    assert not path.exists()
    claims.take("a")
    assert path.read_bytes() == b""
    claims.close()
