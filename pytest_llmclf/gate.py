"""Thresholds on a report and what they come to.

A gate reads like ``accuracy >= 0.75`` or ``recall[7] >= 0.6, unparsed_rate <= 0.02``. It is parsed
when it is declared, so that a slip of the pen is known before any question is asked.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, Literal, get_args

from pytest_llmclf.errors import SettingsError
from pytest_llmclf.report import Verdict
from pytest_llmclf.threshold import PER_CLASS, WHOLE, Threshold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.metrics import Measure
    from pytest_llmclf.report import Report

Images = Literal["any", "bundled", "imported"]

_THRESHOLD: Final = re.compile(
    r"\s*(?P<name>\w+)\s*(?:\[(?P<label>[^\[\]]*)\])?\s*(?P<sign>[<>]=?)\s*(?P<number>\S+?)\s*"
)


@dataclass(frozen=True, slots=True)
class Gate:
    """Thresholds, and for whom they are meant.

    Attributes:
        expression: One or more thresholds, separated by commas.
        model: Shell-style pattern that the model must match, such as ``ollama:llava*`` or
            ``micro-llava``; default: every model.
        images: ``bundled`` and ``imported`` limit it to the pictures that come with the project
            or to a full imported data set.
        because: Where the number comes from, for people.
    """

    expression: str
    model: str = "*"
    images: Images = "any"
    because: str = ""

    def __post_init__(self) -> None:
        """Refuse what does not parse."""
        parse_thresholds(self.expression)
        if self.images not in get_args(Images):
            known = get_args(Images)
            raise SettingsError(
                f"gate {self.expression!r}: images={self.images!r} is not one of "
                f"{', '.join(known)}{_near(str(self.images), known)}"
            )

    def applies(self, model: str, *, imported: bool) -> bool:
        """Whether it is meant for this model on these images."""
        short = model.partition(":")[2]
        meant = fnmatchcase(model, self.model) or fnmatchcase(short, self.model)
        return meant and self.images in ("any", "imported" if imported else "bundled")


def parse_thresholds(text: str) -> tuple[Threshold, ...]:
    """Read ``accuracy>=0.75, recall[7]>=0.6``.

    Raises:
        SettingsError: Which part is wrong, why, and what was probably meant.
    """
    # Commas separate thresholds, but a label in brackets may hold one.
    parts = re.split(r",(?![^\[]*\])", text)
    return tuple(_parse_threshold(part, text) for part in parts)


def check_labels(gates: Sequence[Gate], labels: Sequence[str]) -> None:
    """Refuse gates on classes that an evaluation does not have.

    Raises:
        SettingsError: The gate, the class and what was probably meant.
    """
    for gate in gates:
        for threshold in parse_thresholds(gate.expression):
            if threshold.label is not None and threshold.label not in labels:
                raise SettingsError(
                    f"gate {gate.expression!r}: {threshold.label!r} is not one of "
                    f"{', '.join(labels)}{_near(threshold.label, labels)}"
                )


def judge(report: Report, gates: Sequence[Gate]) -> tuple[Verdict, ...]:
    """One verdict a threshold that is meant for the report's model and images.

    A report with errors or lost cases is never judged on what happens to be left: everything
    on it is INCONCLUSIVE. Without a gate the verdict is UNGATED.
    """
    why = why_undecided(report)
    if why is not None:
        return (_verdict(report, "INCONCLUSIVE", why),)
    meant = [gate for gate in gates if gate.applies(report.model, imported=report.dataset.imported)]
    if not meant:
        kind = "imported" if report.dataset.imported else "bundled"
        elsewhere = "; the gates of this evaluation are for others" if gates else ""
        text = f"nobody has set a gate for {report.model} on the {kind} images{elsewhere}"
        return (_verdict(report, "UNGATED", text),)
    return tuple(
        _compare(report, gate, threshold)
        for gate in meant
        for threshold in parse_thresholds(gate.expression)
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


def population(report: Report) -> str:
    """Which images a verdict is about."""
    ledger = report.ledger
    if ledger.collected < report.dataset.cases_in_dataset:
        return f"on {ledger.collected} of {report.dataset.cases_in_dataset} images, a subset"
    return f"on these {ledger.collected} images"


def _compare(report: Report, gate: Gate, threshold: Threshold) -> Verdict:
    measure = threshold.measure(report)
    asked = f"{threshold.subject} {threshold.sign} {threshold.number:g}"
    because = f" ({gate.because})" if gate.because else ""
    value = measure.value
    if value is None:
        return _verdict(report, "INCONCLUSIVE", f"{asked}: undefined {population(report)}{because}")
    word: Literal["PASS", "FAIL"] = "PASS" if threshold.holds(value) else "FAIL"
    return _verdict(
        report, word, f"{asked}: {_shown(measure, value)} {population(report)}{because}"
    )


def _shown(measure: Measure, value: float) -> str:
    hits, total = getattr(measure, "hits", None), getattr(measure, "total", None)
    # Four decimals: 0.9996 must not be shown as the 1.000 that it failed to reach.
    return f"{value:.4f}" + (f" ({hits}/{total})" if total is not None else "")


def _verdict(
    report: Report, word: Literal["PASS", "FAIL", "INCONCLUSIVE", "UNGATED"], text: str
) -> Verdict:
    return Verdict(word=word, text=text, evaluation=report.evaluation, model=report.model)


def _parse_threshold(part: str, whole: str) -> Threshold:
    place = f"gate {whole!r}: " if part.strip() == whole.strip() else f"gate {whole!r}, {part!r}: "
    match = _THRESHOLD.fullmatch(part)
    if match is None:
        raise SettingsError(f"{place}not of the form accuracy>=0.75 or recall[LABEL]>=0.6")
    name, label, number = match["name"], match["label"], match["number"]
    if name not in WHOLE and name not in PER_CLASS:
        known = [*WHOLE, *PER_CLASS]
        raise SettingsError(f"{place}{name!r} is not one of {', '.join(known)}{_near(name, known)}")
    if name in PER_CLASS and label is None:
        raise SettingsError(
            f"{place}{name} is of one class: write {name}[LABEL], or macro_{name} for all"
        )
    if name in WHOLE and label is not None:
        raise SettingsError(f"{place}{name} is of all classes together: drop [{label}]")
    try:
        bound = float(number)
    except ValueError:
        raise SettingsError(f"{place}{number!r} is not a number from 0 to 1") from None
    if not 0 <= bound <= 1:
        per_cent = 1 < bound <= 100  # noqa: PLR2004 - what people mean by 75
        hint = f"; for {number} per cent write {bound / 100:g}" if per_cent else ""
        raise SettingsError(f"{place}{number} is not from 0 to 1{hint}")
    return Threshold(
        metric=name,
        label=None if label is None else label.strip(),
        sign=match["sign"],
        number=bound,
    )


def _near(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
