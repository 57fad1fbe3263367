"""What probes can find: plain values, one class a probe, made whether or not a test shows it.

They are like those of `finding`: JSON by `dataclasses.asdict`, and `p_value` adjusted for all that
was probed of the evaluation, to be compared with 0.05.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pytest_llmclf.values.probe_answers import Probe


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderProbe:
    """Whether answers follow the position in the label list.

    Attributes:
        images: Those with an answer to both label lists.
        changed: Those whose answer is another one with the list in another order.
        up: Those of them whose label stands nearer the top of the list that was sent than the
            label of the first answer does.
        down: Those whose label stands further down.
        power: How likely a bias of 10 points is shown by so many images with this much noise.
        p_value: Adjusted, of either way being equally frequent.
        cases: Examples.
        kind: Which finding this is.
    """

    images: int
    changed: int
    up: int
    down: int
    power: float
    p_value: float
    cases: tuple[str, ...] = ()
    kind: Literal["order-probe"] = "order-probe"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlankProbe:
    """Whether wrong answers lean to what is said of an image that shows nothing.

    Attributes:
        images: Grey images with an answer.
        said: What their answers name, each with its number of times, most frequent first; ``None``
            for an answer that names no label.
        label: The label that most of them name; ``None``: there is none.
        taken: Images of other classes whose answer names it.
        others: Images of other classes whose answer names a label.
        wrong: Those of them whose answer names a wrong one.
        even: How many of these an even spread over the labels would give it.
        given: Images of it that were given another label.
        own: Images of it whose answer names a label.
        p_value: Adjusted; ``None`` where there is no label.
        cases: Examples of what it takes.
        kind: Which finding this is.
    """

    images: int
    said: tuple[tuple[str | None, int], ...]
    label: str | None = None
    taken: int = 0
    others: int = 0
    wrong: int = 0
    even: float = 0.0
    given: int = 0
    own: int = 0
    p_value: float | None = None
    cases: tuple[str, ...] = ()
    kind: Literal["blank-probe"] = "blank-probe"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleProbe:
    """Whether the label that is the example of an answer draws answers.

    Attributes:
        labels: Those that stand as examples.
        others: Those that took their places, in the same order.
        place: Where the first of them stands.
        images: Those with an answer to both texts.
        before: Answers that name one of `labels`, asked as declared.
        after: Answers that name one of `labels`, asked with `others` in their places.
        others_before: Answers that name one of `others`, asked as declared.
        others_after: Answers that name one of `others`, asked with these as the examples.
        power: How likely a bias of 10 points is shown by so many images with this much noise.
        p_value: Adjusted, of the examples neither drawing nor repelling answers.
        cases: Examples.
        kind: Which finding this is.
    """

    labels: tuple[str, ...]
    others: tuple[str, ...]
    place: str
    images: int
    before: int
    after: int
    others_before: int
    others_after: int
    power: float
    p_value: float
    cases: tuple[str, ...] = ()
    kind: Literal["example-probe"] = "example-probe"

    @property
    def draws(self) -> bool:
        """Whether examples are named more often than the same labels are elsewise."""
        return self.before + self.others_after > self.after + self.others_before


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeChange:
    """What became of the answers when images were sent in another size.

    Attributes:
        change: ``half`` or ``twice``.
        images: Those with an answer in both sizes.
        broken: Right as they are sent only.
        fixed: Right in the other size only.
        power: How likely a loss of 10 points is shown by so many images with this much noise.
        p_value: Adjusted, of either way being equally frequent.
    """

    change: str
    images: int
    broken: int
    fixed: int
    power: float
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeProbe:
    """Whether right answers hang on the size of the image.

    Attributes:
        changes: One a size.
        silent: Sizes in which no image has an answer, each with the reason.
        p_value: The smallest of theirs.
        cases: Examples.
        kind: Which finding this is.
    """

    changes: tuple[SizeChange, ...]
    silent: tuple[tuple[str, str], ...] = ()
    p_value: float
    cases: tuple[str, ...] = ()
    kind: Literal["size-probe"] = "size-probe"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeNotRun:
    """A probe that tells nothing, and why.

    Attributes:
        probe: Which one.
        why: The reason.
        p_value: ``None``: nothing was tested.
        cases: None.
        kind: Which finding this is.
    """

    probe: Probe
    why: str
    p_value: None = None
    cases: tuple[str, ...] = ()
    kind: Literal["probe-not-run"] = "probe-not-run"


ProbeFinding = OrderProbe | BlankProbe | ExampleProbe | SizeProbe | ProbeNotRun
