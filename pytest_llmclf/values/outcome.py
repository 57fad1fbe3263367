"""How one case ended."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, get_args

from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.reviewed import ImageReview
from pytest_llmclf.values.text import shorten

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llmclf.values.case import Case

OutcomeKind = Literal[
    "correct", "misclassified", "unparsed", "error", "not_needed", "not_run", "lost"
]
OUTCOME_KINDS: tuple[OutcomeKind, ...] = get_args(OutcomeKind)

UnparsedReason = Literal[
    "empty",
    "refusal",
    "several-labels",
    "outside-the-list",
    "cut-off",
    "cut-off-in-thinking",
    "thinking-only",
    "content-filter",
]
"""Why an answer names no label: nothing said; the model declined; more than one label named;
something else named (or a label among words that may change its meaning); ended at the limit; ended
at the limit while it still thought; thought, ended, and gave no answer after it;
withheld by a filter of the service."""

NAMES_OTHER: Final[tuple[UnparsedReason, ...]] = ("outside-the-list", "several-labels")
"""Reasons that there are none of where a server forces the answer to be one of the labels."""


class TaskName(NamedTuple):
    """What one evaluation in one variant, put to one model, is known by.

    Attributes:
        evaluation: Name of the evaluation.
        model: Model as people write it, such as ``ollama:llava:7b``.
        variant: Name of the variant; empty for the evaluation as it is declared.
    """

    evaluation: str
    model: str
    variant: str = ""

    @property
    def configuration(self) -> str:
        """The model, and the variant where there is one: ``ollama:llava:7b · no example``."""
        return f"{self.model} · {self.variant}" if self.variant else self.model

    @property
    def title(self) -> str:
        """All of it on one line."""
        return " · ".join(part for part in self if part)

    @classmethod
    def in_json(cls, data: Mapping[str, Any]) -> TaskName:
        """The task that a JSON object names; older ones know no variants."""
        return cls(data["evaluation"], data["model"], data.get("variant", ""))


class Misclassified(AssertionError):
    """The model named another label than the expected one."""


class Unparsed(AssertionError):
    """The model answered, but named no label, or several."""


class ModelError(RuntimeError):
    """The model did not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What is true of every image that ended in one way.

    Attributes:
        answered: Whether there is an answer, readable or not.
        named: Whether the answer names a label.
        asked: Whether the image was asked about, answered or not.
        word: How people are told how many ended so: "3 without an answer".
        mark: Its sign in a file of predictions.
        says: The middle of its line for people, with ``{0}`` for the outcome.
        error: What its test raises; ``None``: nothing.
    """

    answered: bool = False
    named: bool = False
    asked: bool = True
    word: str
    mark: str
    says: str
    error: type[Exception] | None = ModelError


ENDINGS: Final[dict[OutcomeKind, Ending]] = {
    "correct": Ending(
        answered=True,
        named=True,
        word="correct",
        mark=" ",
        says="predicted {0.predicted}",
        error=None,
    ),
    "misclassified": Ending(
        answered=True,
        named=True,
        word="misclassified",
        mark="x",
        says="predicted {0.predicted}",
        error=Misclassified,
    ),
    "unparsed": Ending(
        answered=True, word="unparsed", mark="?", says="no label ({0.reason})", error=Unparsed
    ),
    "error": Ending(word="without an answer", mark="!", says="no answer: {0.message}"),
    "not_needed": Ending(
        asked=False,
        word="not needed",
        mark="-",
        says="not asked: the gates were already decided",
        error=None,
    ),
    "not_run": Ending(
        asked=False,
        word="not run",
        mark="!",
        says="not run: the session stopped before its end",
    ),
    "lost": Ending(asked=False, word="lost", mark="!", says="lost: collected but never reported"),
}
"""Every way in which an image can end, and all that follows from it."""
ANSWERED: Final = frozenset(kind for kind, ending in ENDINGS.items() if ending.answered)
NAMED: Final = frozenset(kind for kind, ending in ENDINGS.items() if ending.named)
ASKED: Final = frozenset(kind for kind, ending in ENDINGS.items() if ending.asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one case ended for one model.

    Attributes:
        evaluation: Name of the evaluation.
        model: Model as people write it, such as ``ollama:llava:7b``.
        model_digest: `ModelIdentity.digest` of whoever answered; empty if nobody was reached.
        case: `Case.id`.
        sha256: Digest of the image's file.
        expected: The case's label; the first one of several right ones.
        kind: How it ended.
        predicted: The label named; only for `correct` and `misclassified`.
        reason: For `unparsed` an `UnparsedReason`, for `error` a `BackendError.kind`,
            ``image``, or ``setup`` where its test broke; else ``None``.
        message: For `error` the message with its remedy; else empty.
        answer: What the model said; ``None`` where it said nothing.
        tags: `Case.tags`.
        repeat: Which asking of the same question.
        request_digest: `Request.digest`, or empty if no request was made.
        cached: Whether the answer came from the store.
        attempts: Requests sent for it in this run (0 when cached).
        probabilities: Probability of each label, normalised over the labels; ``None`` without
            log-probabilities.
        label_mass: `ClassProbabilities.label_mass`; ``None`` with `probabilities`.
        shared_mass: `ClassProbabilities.shared_mass`; ``None`` likewise, or in older runs.
        also: `Case.also`: further right labels.
        review: `Case.review`: what people decided about the label.
        variant: Name of the evaluation's variant; empty for the evaluation as it is declared.
        stranger: `Case.stranger`: whether the image shows none of the classes.
    """

    evaluation: str
    model: str
    model_digest: str
    case: str
    sha256: str
    expected: str
    kind: OutcomeKind
    predicted: str | None = None
    reason: str | None = None
    message: str = ""
    answer: Answer | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    repeat: int = 0
    request_digest: str = ""
    cached: bool = False
    attempts: int = 0
    probabilities: Mapping[str, float] | None = None
    label_mass: float | None = None
    shared_mass: float | None = None
    also: tuple[str, ...] = ()
    review: ImageReview | None = None
    variant: str = ""
    stranger: bool = False

    @classmethod
    def of(cls, task: TaskName, case: Case, kind: OutcomeKind, **more: Any) -> Outcome:
        """How a case ended.

        Args:
            task: Which evaluation was put to which model, in which variant.
            case: The case.
            kind: How it ended.
            **more: Further attributes.
        """
        return cls(
            **task._asdict(),
            case=case.id,
            sha256=case.sha256,
            expected=case.label,
            kind=kind,
            tags=case.tags,
            also=case.also,
            review=case.review,
            stranger=case.stranger,
            **{"model_digest": "", **more},
        )

    def __repr__(self) -> str:
        """Short, however much the model wrote or thought."""
        predicted = "" if self.predicted is None else f", predicted={self.predicted!r}"
        return f"Outcome({self.case!r}, {self.kind!r}, expected={self.expected!r}{predicted})"

    @property
    def task(self) -> TaskName:
        """Which evaluation was put to which model, in which variant."""
        return TaskName(self.evaluation, self.model, self.variant)

    @property
    def labels(self) -> tuple[str, ...]:
        """All right labels, the first one first."""
        return (self.expected, *self.also)

    @property
    def counts_for(self) -> str:
        """The class that the image counts for: of several right ones the answered one, if any."""
        return str(self.predicted) if self.kind == "correct" else self.expected

    def check(self) -> None:
        """Do nothing for a correct outcome; raise what it is otherwise.

        Raises:
            Misclassified: The model named another label.
            Unparsed: The answer names no label, or several.
            ModelError: There is no answer.
        """
        error = ENDINGS[self.kind].error
        if error is not None:
            raise error(self.summary())

    def summary(self, width: int = 120) -> str:
        """One line: expected, predicted and what the model said, at most `width` of the answer."""
        answer = self.answer
        said = "" if answer is None else f", answered {shorten(answer.text, width)}"
        if answer is not None and answer.thinking and not answer.text.strip():
            said = f", answered nothing after thinking {shorten(answer.thinking, width)}"
        ending = ENDINGS[self.kind]
        wanted = " or ".join(self.labels)
        return f"expected {wanted}, {ending.says.format(self)}{said * ending.answered}"

    def to_json(self) -> dict[str, Any]:
        """As JSON built-ins."""
        # Not `dataclasses.asdict`, which copies deeply, at ten times the cost.
        given, answer, review = self.probabilities, self.answer, self.review
        return {
            **dict(zip(_FIELDS, _values(self), strict=True)),
            "answer": None if answer is None else answer.to_json(),
            "tags": dict(self.tags),
            "probabilities": None if given is None else dict(given),
            "also": list(self.also),
            "review": None if review is None else review.to_json(),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Outcome:
        """Rebuild from `to_json`."""
        answer, review = data.get("answer"), data.get("review")
        return cls(
            **{
                **data,
                "answer": None if answer is None else Answer.from_json(answer),
                "also": tuple(data.get("also", ())),
                "review": None if review is None else ImageReview.from_json(review),
            }
        )


_FIELDS: Final = tuple(one.name for one in fields(Outcome))
_values = attrgetter(*_FIELDS)
