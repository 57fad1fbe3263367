"""Thresholds on a report and what they come to.

A gate reads like ``accuracy >= 0.75`` or ``recall[7] >= 0.6, unparsed_rate <= 0.02``, about these
images; or, about images like these, ``accuracy >= 0.75 with 95% confidence``. It is parsed when it
is declared, so that a slip of the pen is known before any question is asked. `gate.text` has the
grammar, `reading` says what each threshold comes to.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal, get_args

from pytest_llmclf.errors import SettingsError, nearest
from pytest_llmclf.gate.reading import Certainty, asked_for, read_gate, told
from pytest_llmclf.gate.text import Parsed, parse, split_address
from pytest_llmclf.gate.threshold import EVERY, Threshold, plain
from pytest_llmclf.population import population
from pytest_llmclf.report import Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from pytest_llmclf.case import Case
    from pytest_llmclf.report import Report, Undecided, VerdictWord

__all__ = [
    "Gate",
    "GateFailed",
    "GateInconclusive",
    "Judgement",
    "check_gates",
    "judge",
    "judgement",
    "parse_addressed",
    "population",
    "undecidable",
    "why_undecided",
]

Images = Literal["any", "bundled", "imported"]

EARLY_ERROR = 0.05
"""How often any verdict of a run that stopped early may be wrong, unless told otherwise."""


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
        images: ``bundled`` and ``imported`` limit it to the pictures that come with the project
            or to a full imported data set.
        because: Where the number comes from, for people.
        parsed: What the expression says.
    """

    expression: str
    model: str = "*"
    images: Images = "any"
    because: str = ""
    parsed: Parsed = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what does not parse.

        Raises:
            SettingsError: Which part is wrong, why, and what was probably meant.
        """
        # Frozen for everyone else: the expression is parsed once, here.
        object.__setattr__(self, "parsed", parse(self.expression))
        if self.images not in get_args(Images):
            known = get_args(Images)
            raise SettingsError(
                f"gate {self.expression!r}: images={self.images!r} is not one of "
                f"{', '.join(known)}{nearest(str(self.images), known)}"
            )

    def applies(self, model: str, *, imported: bool) -> bool:
        """Whether it is meant for this model on these images."""
        short = model.partition(":")[2]
        meant = fnmatchcase(model, self.model) or fnmatchcase(short, self.model)
        return meant and self.is_for(imported=imported)

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
    """Read ``mnist: accuracy>=0.75, recall[7]>=0.6``.

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
                f"{', '.join(titles)}{nearest(name, titles)}"
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


def judge(report: Report, gates: Sequence[Gate]) -> tuple[Verdict, ...]:
    """The verdicts of the gates that are meant for the report's model and images.

    A report with errors or lost cases is never judged on what happens to be left: everything
    on it is INCONCLUSIVE. Without a gate the verdict is UNGATED.

    Args:
        report: What was measured; that of a run that stopped early is `early`'s to judge.
        gates: What is asked, each perhaps for some models only.

    Returns:
        One a threshold; of ``recall[*]`` one for all classes that pass, one for all that are
        undecided for the same reason, and one for each class that fails.
    """
    why = why_undecided(report)
    if why is not None:
        return (_verdict(report, "INCONCLUSIVE", why, "incomplete"),)
    meant = [gate for gate in gates if gate.applies(report.model, imported=report.dataset.imported)]
    if not meant:
        kind = "imported" if report.dataset.imported else "bundled"
        elsewhere = "; the gates of this evaluation are for others" if gates else ""
        text = f"nobody has set a gate for {report.model} on the {kind} images{elsewhere}"
        return (_verdict(report, "UNGATED", text),)
    if report.ledger.not_needed:
        from pytest_llmclf.early import judge_early

        error = EARLY_ERROR if report.stop_error is None else report.stop_error
        verdicts = judge_early(report, gates, error=error)
        return tuple(_unless_spent(report, meant, verdict) for verdict in verdicts)
    return tuple(verdict for gate in meant for verdict in _verdicts(report, gate))


def judgement(report: Report, expression: str) -> Judgement:
    """Judge an expression that is written in a test.

    Raises:
        SettingsError: It does not parse, or names a class or slice that the report does not have.
    """
    gate = Gate(expression)
    tags = {
        tag: {found.tags[tag] for found in report.outcomes if tag in found.tags}
        for tag in report.tags
    }
    # In a part of the images a slice may have no image by chance.
    whole = report.ledger.collected >= report.dataset.cases_in_dataset
    check_gates([gate], report.confusion.labels, tags if whole else None)
    if gate.parsed.confidence is not None:
        report.judged.append(expression)
    return Judgement(verdicts=judge(report, [gate]))


def undecidable(
    gate: Gate, labels: Sequence[str], cases: Sequence[Case], group: str = ""
) -> tuple[str, ...]:
    """What the gate cannot show on these images, one line each; see `feasible`."""
    from pytest_llmclf.gate.feasible import undecidable_thresholds

    return undecidable_thresholds(
        gate.parsed.thresholds, gate.parsed.confidence, labels, cases, group
    )


def why_undecided(report: Report) -> str | None:
    """Why nothing can be said about a report, in one line; ``None`` where it can."""
    incomplete = report.ledger.why_incomplete()
    if incomplete is not None:
        cause = next((outcome.message for outcome in report.outcomes if outcome.message), None)
        return f"{incomplete}: {cause}" if cause else incomplete
    answering = {outcome.model_digest for outcome in report.outcomes if outcome.answer}
    if len(answering) > 1:
        return f"{len(answering)} different models answered under the name {report.model}"
    return None


def _verdicts(report: Report, gate: Gate) -> Iterator[Verdict]:
    labels = report.confusion.labels
    certainty = gate.certainty(labels)
    if certainty is not None:
        certainty = replace(certainty, spent=_spent(report, gate))
    because = f" ({gate.because})" if gate.because else ""
    thresholds = gate.parsed.thresholds
    found = read_gate(thresholds, report, certainty)
    for threshold, readings in zip(thresholds, found, strict=True):
        for one, line in told(threshold, readings, report, certainty):
            yield _verdict(report, one.word, line + because, one.undecided)


def _unless_spent(report: Report, gates: Sequence[Gate], verdict: Verdict) -> Verdict:
    """A verdict of a run that stopped early, where a PASS was spent on an earlier look."""
    if verdict.word != "PASS" or not report.looks:
        return verdict
    labels = report.confusion.labels
    for gate in gates:
        certainty, spent = gate.certainty(labels), _spent(report, gate)
        asked = (*gate.parsed.thresholds, *gate.thresholds_for(labels))
        # A line begins with what was asked.
        starts = tuple(f"{asked_for(one, certainty)}: " for one in asked)
        if spent and certainty is not None and verdict.text.startswith(starts):
            text = f"{verdict.text}; {spent}; judge new images by themselves"
            return replace(verdict, word="INCONCLUSIVE", text=text, undecided="sample")
    return verdict


def _spent(report: Report, gate: Gate) -> str:
    """What to say where earlier looks at a gate leave nothing for a PASS; empty for a first look.

    A gate that passed before may pass again: if that is wrong, it was wrong before.
    """
    before = [look for look in report.looks if look.gate == gate.text]
    if not before or any(look.word == "PASS" for look in before):
        return ""
    first, share = before[0], plain(round(100 * (1 - (gate.parsed.confidence or 0.0)), 10))
    return (
        f"look {len(before) + 1} at this gate: its {share}% were for the first, at {first.images} "
        f"images ({first.word})"
    )


def _verdict(
    report: Report, word: VerdictWord, text: str, undecided: Undecided | None = None
) -> Verdict:
    return Verdict(
        word=word,
        text=text,
        evaluation=report.evaluation,
        model=report.model,
        undecided=undecided,
    )


def _check_slice(gate: Gate, threshold: Threshold, tags: Mapping[str, Collection[str]]) -> None:
    for tag, value in threshold.where:
        if tag not in tags:
            raise SettingsError(_unknown(gate, "tag", tag, sorted(tags)))
        if value not in tags[tag]:
            raise SettingsError(_unknown(gate, f"value of tag {tag}", value, sorted(tags[tag])))


def _unknown(gate: Gate, what: str, word: str, known: Sequence[str]) -> str:
    there = ", ".join(known) if known else "there is none"
    return f"gate {gate.expression!r}: {what} {word!r} is not one of {there}{nearest(word, known)}"
