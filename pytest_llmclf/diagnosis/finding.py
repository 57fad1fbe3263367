"""What a diagnosis can find: plain values, one class a kind of finding.

Every one has `kind`, `p_value` (``None`` where nothing was tested) and `cases` (ids of at most
`EXAMPLES` images that show it), holds nothing but JSON built-ins and tuples of them, and becomes
JSON by `dataclasses.asdict`. All `p_value` but that of `NoBetter` are adjusted for everything
else that was looked at: compare them with 0.05.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pytest_llmclf.diagnosis.instructions import Standing

EXAMPLES = 5
"""Most images that a finding names."""
LEVEL = 0.05
"""Most often that a report without a defect gets any finding that was tested for."""
KINDS = 6
"""Kinds of claim that share `LEVEL` evenly: see `diagnosis`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoBetter:
    """The answers are not shown to be better than those of somebody who does not look.

    Attributes:
        correct: Images answered with their label.
        answered: Images with an answer.
        choices: How many labels there are to guess among.
        majority: The label that most of the answered images show; the first one of several.
        majority_images: How many do.
        than: Than what it is not shown to be better.
        p_guessing: How often guessing gets at least as many right.
        p_majority: How often a model no better than always answering `majority` does.
        p_value: The larger of both.
        worse: Whether it is clearly *worse* than guessing, where it names a label at all.
        cases: Empty: it is about all images.
        kind: Which finding this is.
    """

    correct: int
    answered: int
    choices: int
    majority: str
    majority_images: int
    than: tuple[Literal["guessing", "majority"], ...]
    p_guessing: float
    p_majority: float
    p_value: float
    worse: bool
    cases: tuple[str, ...] = ()
    kind: Literal["no-better"] = "no-better"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attractor:
    """One label takes wrong answers from several classes.

    Attributes:
        label: That label.
        taken: Wrong answers that name it.
        wrong: Wrong answers in all that name a label.
        even: How many an even spread over the other labels would give it.
        sources: The classes it takes them from, most taken first.
        given: Images of it that were given another label.
        prompt: How the instructions single it out; ``None`` if they do not.
        p_value: Adjusted.
        cases: Examples.
        kind: Which finding this is.
    """

    label: str
    taken: int
    wrong: int
    even: float
    sources: tuple[str, ...]
    given: int
    prompt: Standing | None
    p_value: float
    cases: tuple[str, ...]
    kind: Literal["attractor"] = "attractor"


@dataclass(frozen=True, slots=True, kw_only=True)
class NeverAnswered:
    """A class has images, and no answer names it.

    Attributes:
        label: The class.
        images: Answered images that show it.
        answers: Answers in all that name a label.
        p_value: Adjusted.
        cases: Examples.
        kind: Which finding this is.
    """

    label: str
    images: int
    answers: int
    p_value: float
    cases: tuple[str, ...]
    kind: Literal["never-answered"] = "never-answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfusedPair:
    """Two classes are taken for each other, or one for the other.

    Attributes:
        taken: The class that is taken for the other one more often.
        taken_for: The other one.
        forth: Images of `taken` that were answered as `taken_for`.
        back: Images of `taken_for` that were answered as `taken`.
        wrong: Wrong answers on both classes that name a label.
        taken_images: Images of `taken` with a readable answer.
        taken_for_images: Images of `taken_for` with a readable answer.
        one_way: Whether one way is clearly more frequent than the other.
        p_pair: Adjusted, of the two being confused at all; ``None`` where there are no others.
        p_one_way: Adjusted, of both ways being equally frequent.
        p_value: The larger of those that the finding rests on.
        cases: Examples.
        kind: Which finding this is.
    """

    taken: str
    taken_for: str
    forth: int
    back: int
    wrong: int
    taken_images: int
    taken_for_images: int
    one_way: bool
    p_pair: float | None
    p_one_way: float
    p_value: float
    cases: tuple[str, ...]
    kind: Literal["confused-pair"] = "confused-pair"


@dataclass(frozen=True, slots=True, kw_only=True)
class WeakSlice:
    """Images with one value of a tag are answered worse than the others.

    Attributes:
        tag: The tag's name.
        value: Its value; empty for the images without the tag.
        correct: Correct among the slice.
        answered: Answered images in the slice.
        rest_correct: Correct among all other images.
        rest_answered: All other answered images.
        also: Further values of the tag that are clearly worse than the rest, worst first.
        p_value: Adjusted.
        cases: Examples.
        kind: Which finding this is.
    """

    tag: str
    value: str
    correct: int
    answered: int
    rest_correct: int
    rest_answered: int
    also: tuple[str, ...]
    p_value: float
    cases: tuple[str, ...]
    kind: Literal["weak-slice"] = "weak-slice"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnparsedKind:
    """Answers without a label, of one kind.

    Attributes:
        reason: The `UnparsedReason`.
        count: How many.
        answered: Of how many answers.
        texts: What the model said in some of them, each text once.
        p_value: ``None``: counted, not tested.
        cases: Examples.
        kind: Which finding this is.
    """

    reason: str
    count: int
    answered: int
    texts: tuple[str, ...]
    p_value: None = None
    cases: tuple[str, ...]
    kind: Literal["unparsed"] = "unparsed"


Finding = NoBetter | Attractor | NeverAnswered | ConfusedPair | WeakSlice | UnparsedKind
