"""A dataset asked in one way: what one file under ``evals/`` declares."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_llmclf.label import Label
from pytest_llmclf.marks import GATE_ATTRIBUTE, IMAGES_ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pytest_llmclf.gate import Gate
    from pytest_llmclf.prompt import AnswerMode

F = TypeVar("F", bound="Callable[..., object]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """How one dataset is put to a model.

    Attributes:
        dataset: Name of a dataset under ``fixtures/`` (or of an imported one), or a path.
        modelfile: Name of a file under ``modelfiles/`` without its ending, or a path.
        prompt: The question about each picture; the label list is added to it.
        name: How reports call it; default: the dataset's name.
        labels: Labels with synonyms and descriptions, or plain names; default: the dataset's.
        pattern: For a flat folder: regular expression with a group ``label`` for file names.
        answer: ``text`` reads free text; ``enum`` makes the server force one of the labels.
        options: Sampling options over those of the Modelfile.
        top_logprobs: Alternatives a token to ask for (0: none), where the server has them.
        gates: Thresholds that a model must reach, each perhaps for some models only.
    """

    dataset: str | Path
    modelfile: str | Path
    prompt: str
    name: str = ""
    labels: Sequence[Label | str] | None = None
    pattern: str | None = None
    answer: AnswerMode = "text"
    options: Mapping[str, Any] = field(default_factory=dict)
    top_logprobs: int = 0
    gates: Sequence[Gate] = ()

    @property
    def title(self) -> str:
        """The name that reports use."""
        return self.name or str(self.dataset).replace("\\", "/").rstrip("/").rpartition("/")[2]

    @property
    def given_labels(self) -> tuple[Label, ...] | None:
        """The declared labels, plain names made into `Label`, or ``None`` for the dataset's."""
        if self.labels is None:
            return None
        return tuple(
            label if isinstance(label, Label) else Label(name=str(label)) for label in self.labels
        )

    def images(self, function: F) -> F:
        """Make a test function run once an image and model, with its `Outcome` as ``outcome``."""
        setattr(function, IMAGES_ATTRIBUTE, self)
        return function

    def gate(self, function: F) -> F:
        """Make a test function run once a model after its images, with ``report``."""
        setattr(function, GATE_ATTRIBUTE, self)
        return function
