"""A gate: thresholds, for whom they are meant, and what an expression in a test came to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, Literal, get_args

from pytest_llmclf.errors import SettingsError, nearest, some_of
from pytest_llmclf.gates.expression import Parsed, UnknownMetric, parse, split_address
from pytest_llmclf.gates.reading import Certainty
from pytest_llmclf.gates.threshold import EVERY, Threshold
from pytest_llmclf.values.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from pytest_llmclf.metrics.metric import Metric
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.verdict import Undecided, VerdictWord

ANY_MODEL: Final = "*"
"""As `Gate.model`: no model in particular."""
Images = Literal["any", "bundled", "imported"]


class GateFailed(AssertionError):
    """A threshold was not reached."""


class GateInconclusive(AssertionError):
    """The outcomes do not allow a verdict.

    Attributes:
        verdicts: Those that could not be come to.
    """

    def __init__(self, text: str, verdicts: Sequence[Verdict] = ()) -> None:
        super().__init__(text)
        self.verdicts = tuple(verdicts)


@dataclass(frozen=True, slots=True)
class Gate:
    """Thresholds, and for whom they are meant.

    Attributes:
        expression: One or more thresholds, separated by commas, perhaps ``with 95% confidence``.
        model: Shell-style pattern that the model must match, such as ``ollama:llava*`` or
            ``micro-llava``; default: every model.
        images: ``bundled`` and ``imported`` limit it to the images that come with the project
            or to a full imported data set.
        because: Where the number comes from, for people.
        own: Metrics that are not in the table, by name; an evaluation tells its gates its own.
        variant: Shell-style pattern that the name of the variant must match; default: every one.
    """

    expression: str
    model: str = ANY_MODEL
    images: Images = "any"
    because: str = ""
    own: Mapping[str, Metric] = field(default_factory=dict, kw_only=True, repr=False, compare=False)
    variant: str = field(default="*", kw_only=True)
    _read: Parsed | UnknownMetric = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what does not parse, but for a metric that an evaluation may bring.

        Raises:
            SettingsError: Which part is wrong, why, and what was probably meant.
        """
        if not isinstance(self.expression, str):
            raise SettingsError(f'Gate({self.expression!r}): write text, Gate("accuracy >= 0.8")')
        read: Parsed | UnknownMetric
        try:
            read = parse(self.expression, self.own)
        except UnknownMetric as error:
            read = error
        # Frozen for everyone else: the expression is parsed once, here.
        object.__setattr__(self, "_read", read)
        if self.images not in get_args(Images):
            known = get_args(Images)
            raise SettingsError(
                f"gate {self.expression!r}: images={self.images!r} is not one of "
                f"{', '.join(known)}{nearest(str(self.images), known)}"
            )

    @property
    def parsed(self) -> Parsed:
        """What the expression says.

        Raises:
            UnknownMetric: It names a metric that is not in the table, and of no evaluation so far.
        """
        if isinstance(self._read, UnknownMetric):
            raise self._read
        return self._read

    def knowing(self, own: Mapping[str, Metric]) -> Gate:
        """The same gate on an evaluation with metrics of its own.

        Raises:
            SettingsError: It names a metric that there is not even so.
        """
        gate = replace(self, own=own) if own else self
        _ = gate.parsed
        return gate

    @property
    def names_a_model(self) -> bool:
        """Whether it says which models it is for; others judge no yardstick."""
        return self.model != ANY_MODEL

    def applies(self, model: str, *, imported: bool, variant: str = "") -> bool:
        """Whether it is meant for this model and variant on these images."""
        short = model.partition(":")[2]
        meant = fnmatchcase(model, self.model) or fnmatchcase(short, self.model)
        return meant and self.is_in(variant) and self.is_for(imported=imported)

    def is_in(self, variant: str) -> bool:
        """Whether it is meant for this variant."""
        return fnmatchcase(variant, self.variant)

    def is_for(self, *, imported: bool) -> bool:
        """Whether it is meant for these images, on whatever model."""
        return self.images in ("any", "imported" if imported else "bundled")

    def thresholds_for(self, labels: Sequence[str]) -> tuple[Threshold, ...]:
        """Its thresholds, ``recall[*]`` as one a class."""
        return tuple(
            each for threshold in self.parsed.thresholds for each in threshold.expanded(labels)
        )

    @property
    def text(self) -> str:
        """What it asks, written one way however it was spelt."""
        asked = ", ".join(threshold.text for threshold in self.parsed.thresholds)
        sure = self.parsed.confidence
        return asked if sure is None else f"{asked} with {sure!r} confidence"

    def certainty(self, labels: Sequence[str]) -> Certainty | None:
        """What it wants to be sure of on these classes; ``None``: it is about these images."""
        if self.parsed.confidence is None:
            return None
        return Certainty(
            confidence=self.parsed.confidence, thresholds=len(self.thresholds_for(labels))
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Judgement:
    """What an expression came to on a report; ``assert`` it.

    Attributes:
        verdicts: One or more.
    """

    verdicts: tuple[Verdict, ...]

    @property
    def word(self) -> VerdictWord:
        """FAIL if any verdict is, else INCONCLUSIVE if any is, else PASS."""
        words = {verdict.word for verdict in self.verdicts}
        if "FAIL" in words:
            return "FAIL"
        return "INCONCLUSIVE" if "INCONCLUSIVE" in words else "PASS"

    def __bool__(self) -> bool:
        """Whether it is a PASS.

        Raises:
            GateInconclusive: It is neither PASS nor FAIL; ``not`` must not turn it into one.
        """
        if self.word == "INCONCLUSIVE":
            raise GateInconclusive(repr(self), self.verdicts)
        return self.word == "PASS"

    def __repr__(self) -> str:
        """The verdicts, a line each: what pytest shows when an assert fails."""
        return "\n".join(f"{verdict.word} {verdict.text}" for verdict in self.verdicts)


def parse_addressed(text: str) -> tuple[str, Gate]:
    """Read ``mnist: accuracy>=0.75, recall[7]>=0.6``; whose metric an evaluation may bring.

    Returns:
        The name of an evaluation, or a shell-style pattern for names, and the gate.

    Raises:
        SettingsError: Which part is wrong, why, and what was probably meant.
    """
    name, expression = split_address(text)
    return name, Gate(expression)


def addressed_to(title: str, gates: Iterable[tuple[str, Gate]]) -> tuple[Gate, ...]:
    """Those of addressed gates that are meant for an evaluation."""
    return tuple(gate for name, gate in gates if fnmatchcase(title, name))


def check_addresses(gates: Iterable[tuple[str, Gate]], titles: Sequence[str]) -> None:
    """Refuse a gate whose name no evaluation has.

    Raises:
        SettingsError: Which gate, and what was probably meant.
    """
    for name, gate in gates:
        if not any(fnmatchcase(title, name) for title in titles):
            raise SettingsError(
                f"{name}: {gate.expression}: {name!r} is not one of "
                f"{some_of(titles)}{nearest(name, titles)}"
            )


def check_gates(
    gates: Sequence[Gate],
    labels: Sequence[str],
    tags: Mapping[str, Collection[str]] | None = None,
) -> None:
    """Refuse gates on classes and slices that an evaluation does not have.

    Args:
        gates: What is declared.
        labels: The classes.
        tags: Every tag with its values; ``None`` where they are not known.

    Raises:
        SettingsError: The gate, the class, tag or value, and what was probably meant.
    """
    for gate in gates:
        for threshold in gate.parsed.thresholds:
            if threshold.label not in (None, EVERY, *labels):
                raise SettingsError(_unknown(gate, "class", str(threshold.label), labels))
            if tags is not None:
                _check_slice(gate, threshold, tags)


def check_variant_names(gates: Sequence[Gate], variants: Sequence[str]) -> None:
    """Refuse gates on variants that are not tried: they would judge nothing.

    Args:
        gates: What is declared.
        variants: The names; empty for the evaluation as it is declared.

    Raises:
        SettingsError: The gate, the variant, and what was probably meant.
    """
    for gate in gates:
        if not any(map(gate.is_in, variants)):
            known = [name for name in variants if name]
            raise SettingsError(_unknown(gate, "variant", gate.variant, known))


def why_undecided(report: Report) -> str | None:
    """Why nothing can be said about a report, in one line; ``None`` where it can."""
    incomplete = report.ledger.why_incomplete()
    if incomplete is not None:
        cause = next((outcome.message for outcome in report.outcomes if outcome.message), None)
        return f"{incomplete}: {cause}" if cause else incomplete
    answering = {outcome.model_digest for outcome in report.outcomes if outcome.answer}
    if len(answering) > 1:
        return f"{len(answering)} different models answered under the name {report.configuration}"
    return None


def meant_for(report: Report, gates: Iterable[Gate]) -> list[Gate]:
    """The gates that are meant for a report's model, variant and images."""
    imported = report.dataset.imported
    return [
        gate
        for gate in gates
        if gate.applies(report.model, imported=imported, variant=report.variant)
    ]


def verdict_on(
    report: Report, word: VerdictWord, text: str, undecided: Undecided | None = None
) -> Verdict:
    """A verdict on what a report is of."""
    return Verdict(word=word, text=text, **report.task._asdict(), undecided=undecided)


def _check_slice(gate: Gate, threshold: Threshold, tags: Mapping[str, Collection[str]]) -> None:
    for tag, value in threshold.where:
        if tag not in tags:
            raise SettingsError(_unknown(gate, "tag", tag, sorted(tags)))
        if value not in tags[tag]:
            raise SettingsError(_unknown(gate, f"value of tag {tag}", value, sorted(tags[tag])))


def _unknown(gate: Gate, what: str, word: str, known: Sequence[str]) -> str:
    there = f"is not one of {some_of(known)}" if known else "is not there, nor any other"
    return f"gate {gate.expression!r}: {what} {word!r} {there}{nearest(word, known)}"
