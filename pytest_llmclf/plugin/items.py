"""What a test of an evaluation is: its id, and the image or the gate that it is about."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Final, cast

from pytest_llmclf.runner.job import Job
from pytest_llmclf.runner.marks import GATE_ATTRIBUTE, IMAGES_ATTRIBUTE

if TYPE_CHECKING:
    import pytest

    from pytest_llmclf.runner.evaluation import Evaluation
    from pytest_llmclf.runner.task import Task

MODEL_MARK: Final = "|"
"""Stands between image and model in a test id. The xdist controller knows by it, from ids alone,
that a worker collected images."""

_LONGEST_ID: Final = 100
_LONGEST_MODEL: Final = 60
_MARKUP: Final = frozenset("<>&\"'`")


class ItemId:
    """A test id that pytest takes as it is; one given as text would be escaped.

    A name like ``kočka.png`` could then not be chosen by ``-k`` or by id as reports print it.
    """

    __slots__ = ("__name__",)

    def __init__(self, text: str) -> None:
        self.__name__ = text


def evaluation_of(function: object) -> tuple[Evaluation | None, Evaluation | None]:
    """The evaluation whose images, and the one whose gate, a test function runs."""
    return getattr(function, IMAGES_ATTRIBUTE, None), getattr(function, GATE_ATTRIBUTE, None)


def is_gate(item: pytest.Item) -> bool:
    """Whether an item judges a report."""
    return evaluation_of(getattr(item, "obj", None))[1] is not None


def job_of(item: pytest.Item) -> Job | None:
    """The job of an image item, or ``None`` for another item."""
    callspec = getattr(item, "callspec", None)
    job = None if callspec is None else callspec.params.get("outcome")
    return job if isinstance(job, Job) else None


def task_of(gate: pytest.Item) -> Task:
    """The task whose report a gate test judges."""
    return cast("Task", gate.callspec.params["report"])  # type: ignore[attr-defined]


def image_id(case: str, model: str, variant: str = "") -> str:
    """Test id of an image: path in the dataset, model, variant; printable, short, unique.

    Without what HTML is made of, too: there are reporters that write test ids as they are.
    """
    readable = _plain(case)
    if len(readable) > _LONGEST_ID or readable != case:
        # Long ids break environment variables and paths on Windows; the tail keeps them unique.
        tail = hashlib.sha256(case.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        readable = f"{readable[: _LONGEST_ID - 9]}~{tail}"
    return f"{readable}{MODEL_MARK}{model_id(model, variant)}"


def model_id(model: str, variant: str = "") -> str:
    """Model and variant in a test id: short, and without what separates the parts of node ids."""
    called = _plain(model.removeprefix("llamacpp:"))
    if len(called) > _LONGEST_MODEL:
        tail = hashlib.sha256(model.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        called = f"{called[: _LONGEST_MODEL - 9]}~{tail}"
    return f"{called}{MODEL_MARK}{_plain(variant)}" if variant else called


def _plain(text: str) -> str:
    safe = (char if char.isprintable() and char not in _MARKUP else "_" for char in text)
    readable = "".join(safe).replace("::", "__")
    try:
        os.fsencode(readable)
    except UnicodeEncodeError:  # pytest puts the id into the environment, which may be Latin-1
        return readable.encode("ascii", "replace").decode().replace("?", "_")
    return readable
