"""A system that gives a session too little: memory, threads, open files, sizes of files.

It ends with a report and an exit code: no internal error, and no second traceback behind the first.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.faults.project import Project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.stub_ollama import StubOllama

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits as Linux has them")

MIB = 1 << 20


def limited(**limits: int) -> Callable[[], None]:
    """Sets limits such as ``AS=100 * MIB`` in the process that calls it."""
    import resource

    values = {getattr(resource, f"RLIMIT_{name}"): value for name, value in limits.items()}

    def set_them() -> None:
        for limit, value in values.items():
            hard = resource.getrlimit(limit)[1]
            resource.setrlimit(limit, (value, hard))

    return set_them


@pytest.mark.parametrize("threads", [0, 2], ids=["no thread", "two threads"])
def test_no_threads(tmp_path: Path, stub: StubOllama, threads: int) -> None:
    """Each thread takes room for its stack: there is none for one, or none for the third."""
    project = Project(tmp_path, 12)
    stack = 1024 * MIB
    room = limited(STACK=stack, AS=(512 + 1024 * threads) * MIB)
    run = project.run(stub.netloc, "-n0", before=room)
    assert "INTERNALERROR" not in run.text
    assert run.text.count("Traceback (most recent call last)") == 0, run.text
    assert sum(project.ledger().values()) >= project.images
    if threads:
        assert run.code == pytest.ExitCode.OK, run.text
        assert project.all_answered()
    else:
        assert run.code == pytest.ExitCode.TESTS_FAILED, run.text


@pytest.mark.parametrize("mib", [100, 150, 200, 250])
def test_too_little_memory(tmp_path: Path, stub: StubOllama, mib: int) -> None:
    """It is told before the first image, and the report has room; nobody waits for a thread."""
    project = Project(tmp_path, 12)
    run = project.run(stub.netloc, "-n0", before=limited(AS=mib * MIB))
    assert run.code == pytest.ExitCode.TESTS_FAILED, run.text
    assert "INTERNALERROR" not in run.text
    assert "Traceback (most recent call last)" not in run.text
    assert (
        "there is not enough memory to ask (raise the limit (ulimit -v), or free some)" in run.text
    )
    assert project.ledger() == {"collected": 12, "error": 12}
    assert stub.stats()["chats"] == 0


@pytest.mark.parametrize("limits", [{"NOFILE": 32}, {"FSIZE": 1000}, {"AS": 400 * MIB}], ids=str)
def test_little_of_something(tmp_path: Path, stub: StubOllama, limits: dict[str, int]) -> None:
    """What is not needed for an answer costs no answer."""
    project = Project(tmp_path, 12)
    run = project.run(stub.netloc, "-n0", before=limited(**limits))
    assert run.code == pytest.ExitCode.OK, run.text
    assert "INTERNALERROR" not in run.text
    assert "Traceback (most recent call last)" not in run.text
    assert "12 images" in run.text
