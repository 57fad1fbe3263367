"""What a diagnosis can find: plain values, one class a kind of finding.

Every one has `kind`, `p_value` (``None`` where nothing was tested) and `cases` (ids of at most
`EXAMPLES` images that show it), holds nothing but JSON built-ins and tuples of them, and becomes
JSON by `dataclasses.asdict`. All `p_value` but that of `NoBetter` are adjusted for everything
else that was looked at: compare them with 0.05.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, Literal

from pytest_llmclf.analysis.diagnosis.probe_finding import ProbeFinding

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_llmclf.analysis.diagnosis.instructions import Standing

EXAMPLES = 5
"""Most images that a finding names."""
LEVEL = 0.05
"""Most often that a report without a defect gets any finding that was tested for."""
KINDS = 6
"""Kinds of claim that share `LEVEL` evenly: see `diagnosis`."""
NAMED = 3
"""Most classes that a finding names, and takes its examples from."""


def examples(groups: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """The first cases of each of the first groups by turns, so that all that are named show."""
    turns = zip_longest(*islice(groups, NAMED))
    return tuple(islice((case for turn in turns for case in turn if case is not None), EXAMPLES))


@dataclass(frozen=True, slots=True, kw_only=True)
class NoBetter:
    """The answers are not shown to be right more often than those of somebody who does not look.

    Attributes:
        correct: Images answered with their label.
        answered: Images with an answer.
        named: Those whose answer names a label.
        choices: How many labels there are to guess among.
        majority: The label that most of the answered images show; the first one of several.
        majority_images: How many do.
        balanced: Mean recall of the classes with answered images.
        classes: How many those are.
        than: Than what it is not shown to be better.
        p_guessing: How often guessing gets at least as many right.
        p_majority: Adjusted, of being no better than always answering `majority`.
        p_value: The larger of both.
        worse: Whether it is clearly *worse* than guessing, where it names a label at all.
        avoided: For `worse`: labels that their own images are given less often than others are.
        readable: Whether it is shown to be better than both where it names a label.
        seen: Labels that their own images are given more often than others are.
        cases: Empty: it is about all images.
        kind: Which finding this is.
    """

    correct: int
    answered: int
    named: int
    choices: int
    majority: str
    majority_images: int
    balanced: float
    classes: int
    than: tuple[Literal["guessing", "majority"], ...]
    p_guessing: float
    p_majority: float
    p_value: float
    worse: bool
    avoided: tuple[str, ...]
    readable: bool
    seen: tuple[str, ...]
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
        prompt: Where it is the example of an answer; ``None``: nowhere, as far as is recorded.
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
        taken: The class that is taken for the other one at the higher rate.
        taken_for: The other one.
        forth: Images of `taken` that were answered as `taken_for`.
        back: Images of `taken_for` that were answered as `taken`.
        wrong: Wrong answers on both classes that name a label.
        taken_images: Images of `taken` with a readable answer.
        taken_for_images: Images of `taken_for` with a readable answer.
        one_way: Whether one way is clearly more frequent than the other.
        p_pair: Adjusted, of the two being confused at all; ``None`` where there are no others.
        p_forth: Adjusted, of `taken` being taken for `taken_for`; likewise.
        p_back: Adjusted, of `taken_for` being taken for `taken`; likewise.
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
    p_forth: float | None
    p_back: float | None
    p_one_way: float
    p_value: float
    cases: tuple[str, ...]
    kind: Literal["confused-pair"] = "confused-pair"

    @property
    def forth_shown(self) -> bool:
        """Whether `taken` is shown, for itself, to be taken for `taken_for`."""
        return self.one_way or (self.p_forth is not None and self.p_forth <= LEVEL)

    @property
    def mutual(self) -> bool:
        """Whether each way is shown for itself: only then they are taken for each other."""
        ways = (self.p_forth, self.p_back)
        return all(p_value is not None and p_value <= LEVEL for p_value in ways)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeakSlice:
    """Images with one value of a tag are answered worse than others of the same classes.

    Attributes:
        tag: The tag's name.
        value: Its value; empty for the images without the tag.
        correct: Correct among the slice, as far as it is compared.
        answered: Answered images in the slice, of classes that are elsewhere, too.
        expected: How many of these would be correct if each class were answered as elsewhere.
        rest_correct: Correct among all other images of these classes.
        rest_answered: All other answered images of these classes.
        left_out: Answered images in the slice of classes that are nowhere else.
        also: Further values of the tag that are clearly worse than the rest, worst first.
        p_value: Adjusted.
        cases: Examples.
        kind: Which finding this is.
    """

    tag: str
    value: str
    correct: int
    answered: int
    expected: float
    rest_correct: int
    rest_answered: int
    left_out: int
    also: tuple[str, ...] = ()
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
        stopped: Whether the run stopped early, so that it is of that moment.
        texts: What the model said most often, each text once, most frequent first.
        meant: Texts that were said of one class mostly, each with that class.
        unforced: Whether the server was asked to force a label and let the model say another thing.
        p_value: ``None``: counted, not tested.
        cases: Examples.
        kind: Which finding this is.
    """

    reason: str
    count: int
    answered: int
    stopped: bool = False
    texts: tuple[str, ...]
    meant: tuple[tuple[str, str], ...] = ()
    unforced: bool = False
    p_value: None = None
    cases: tuple[str, ...]
    kind: Literal["unparsed"] = "unparsed"


@dataclass(frozen=True, slots=True, kw_only=True)
class OneEach:
    """Said before findings that were tested on a part, since images are not independent.

    Attributes:
        images: Answered images that were tested, one a cluster.
        answered: Of how many answered images.
        group: Tag whose values the clusters are; empty where only copies were left out.
        p_value: ``None``: not tested itself.
        cases: None.
        kind: Which finding this is.
    """

    images: int
    answered: int
    group: str
    p_value: None = None
    cases: tuple[str, ...] = ()
    kind: Literal["one-each"] = "one-each"


Finding = (
    NoBetter
    | Attractor
    | NeverAnswered
    | ConfusedPair
    | WeakSlice
    | UnparsedKind
    | OneEach
    | ProbeFinding
)
