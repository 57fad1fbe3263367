"""The predictions of a report as the text that is committed and reviewed."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from pytest_llmclf.analysis.comparison.prediction import Prediction
from pytest_llmclf.values.outcome import ANSWERED, ASKED, ENDINGS, NAMED
from pytest_llmclf.values.provenance import Provenance
from pytest_llmclf.values.request import is_told
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.outcome import Outcome, OutcomeKind

PREDICTIONS_FORMAT = 1
"""Raised when the text of `predictions_text` changes for the same outcomes."""

_UNKNOWN: Final = "unknown"
_TEXT: Final = "# | "
"""Begins a line of the instructions, for a diff when they changed."""
_NO_LABEL: Final = re.compile(
    rf"\((?P<kind>{'|'.join(kind for kind in ENDINGS if kind not in NAMED)})(?:: (?P<reason>.+))?\)"
)


def predictions_text(report: Report) -> str:
    """Every prediction as text for a committed snapshot: sorted, one line an image.

    A line is a mark, the case, the expected and the predicted label; the mark is blank for
    correct, ``x`` for wrong, ``?`` for unparsed, ``!`` for no answer, ``-`` for not asked. Nothing
    is aligned, so that one changed image is one changed line. What could be misread (odd spaces,
    arrows, control characters) is written as a JSON string.
    """
    known = report.provenance
    ledger = report.ledger
    counts = (
        f"{ledger.collected} {noun(ledger.collected, 'image')}: {ledger.correct} correct, "
        f"{ledger.misclassified} misclassified, {ledger.unparsed} unparsed"
    )
    for kind in ENDINGS:
        number = 0 if kind in ANSWERED else ledger.ended(kind)
        counts += f", {number} {kind.replace('_', ' ')}" if number else ""
    head = [
        f"# predictions, format {PREDICTIONS_FORMAT}",
        f"# evaluation: {_token(report.evaluation)}",
        f"# model: {_token(report.model)}",
        *([f"# variant: {_token(report.variant)}"] if report.variant else []),
        f"# model digest: {_token(known.weights or _UNKNOWN)}",
        f"# dataset: {_token(report.dataset.name)} {_token(report.dataset.content_hash)}",
        f"# modelfile: {_token(report.modelfile_digest or 'none')}",
        f"# {counts}",
        *(
            f"# {name}: {_token(value)}"
            for name, value in (
                ("images", report.images_digest),
                ("server", known.server),
                ("pytest-llmclf", known.tool),
                ("instructions", known.instructions),
            )
            if value
        ),
        *(f"{_TEXT}{line}".rstrip() for line in known.text),
    ]
    return "\n".join([*head, *map(_prediction, report.outcomes)]) + "\n"


def _prediction(outcome: Outcome) -> str:
    if outcome.kind in NAMED:
        said = _token(str(outcome.predicted))
    elif outcome.kind in ASKED:
        said = f"({outcome.kind}: {_token(outcome.reason or 'unknown')})"
    else:
        said = f"({outcome.kind})"
    mark = ENDINGS[outcome.kind].mark
    return f"{mark} {_token(outcome.case)}  {_labels_token(outcome.labels)} -> {said}"


def _labels_token(labels: tuple[str, ...]) -> str:
    """One label as it is, several ones as a JSON list."""
    return _token(labels[0]) if len(labels) == 1 else _safe(json.dumps(labels))


def _token(text: str) -> str:
    """`text`, or its JSON string where it could be taken for something else in a line."""
    odd = (
        not text.isprintable()
        or text != text.strip()
        or not text
        or "  " in text
        or "->" in text
        or text[0] in '"(['
    )
    if not odd:
        return text
    return _safe(json.dumps(text))


def _safe(text: str) -> str:
    """JSON without the separators of a line inside its strings, so that it can be read back."""
    return text.replace("->", "-\\u003e").replace("  ", " \\u0020")


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionsRecord:
    """A text of `predictions_text`, read back.

    Attributes:
        head: What its first lines say, by name.
        predictions: By case.
        instructions: Lines of what the model was told; none in a text of an earlier version.
    """

    head: dict[str, str]
    predictions: dict[str, Prediction]
    instructions: tuple[str, ...] = ()

    @property
    def provenance(self) -> Provenance:
        """What the predictions depend on, as far as the head says it."""
        model = self._said("model")
        # Before these lines were written, the digest of a model on Ollama was that of one derived
        # for the instructions, and tells nothing of the model itself.
        early = not {"server", "pytest-llmclf", "instructions"} & self.head.keys()
        derived = early and model.startswith("ollama:")
        return Provenance(
            model=model,
            weights="" if derived else self._said("model digest"),
            server=self._said("server"),
            instructions=self._said("instructions"),
            text=self.instructions,
            modelfile=self._said("modelfile"),
            tool=self._said("pytest-llmclf"),
            told=is_told(model),
        )

    def _said(self, name: str) -> str:
        """A line of the head; empty where it is not there or says that nothing is known."""
        try:
            value = _text(self.head.get(name, ""))
        except ValueError:
            return ""
        return "" if value in (_UNKNOWN, "none") else value


def parse_predictions(text: str) -> PredictionsRecord:
    """Read back a text of `predictions_text`.

    Raises:
        ValueError: A line is not of its form, contradicts itself or repeats a case; says which.
    """
    head: dict[str, str] = {}
    predictions: dict[str, Prediction] = {}
    instructions: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith(_TEXT.rstrip()):
            instructions.append(line.removeprefix(_TEXT.rstrip()).removeprefix(" "))
        elif line.startswith("# "):
            name, _, value = line[2:].partition(": " if ": " in line else ", format ")
            head["format" if name == "predictions" else name] = value
        elif line.strip():
            case, found = _parse_line(line, number)
            if case in predictions:
                raise ValueError(f"line {number} has {case} a second time")
            predictions[case] = found
    return PredictionsRecord(head=head, predictions=predictions, instructions=tuple(instructions))


def _parse_line(line: str, number: int) -> tuple[str, Prediction]:
    left, arrow, said = line[2:].partition(" -> ")
    case, gap, expected = left.rpartition("  ")
    if not arrow or not gap or line[1] != " ":
        raise ValueError(f"line {number} is not a prediction: {line!r}")
    try:
        found = _parse_said(_labels(expected), said)
        case = _text(case)
    except ValueError as error:
        raise ValueError(f"line {number} is not a prediction: {line!r}") from error
    if line[0] != ENDINGS[found.kind].mark:
        raise ValueError(f"line {number} is marked {line[0]!r}, but says {found.kind}: {line!r}")
    return case, found


def _parse_said(labels: tuple[str, ...], said: str) -> Prediction:
    expected, *also = labels
    if not said.startswith("("):
        label = _text(said)
        kind: OutcomeKind = "correct" if label in labels else "misclassified"
        return Prediction(expected=expected, kind=kind, label=label, also=tuple(also))
    match = _NO_LABEL.fullmatch(said)
    if match is None:
        raise ValueError(said)
    reason = match["reason"]
    return Prediction(
        expected=expected,
        kind=cast("OutcomeKind", match["kind"]),
        reason=None if reason is None else _text(reason),
        also=tuple(also),
    )


def _labels(token: str) -> tuple[str, ...]:
    """The opposite of `_labels_token`; before there were several, a label could begin so, too."""
    try:
        found = json.loads(token) if token.startswith("[") else None
    except (ValueError, RecursionError):
        found = None
    listed = isinstance(found, list) and bool(found) and all(isinstance(one, str) for one in found)
    return tuple(found) if listed and found is not None else (_text(token),)


def _text(token: str) -> str:
    """The opposite of `_token`."""
    return str(json.loads(token)) if token.startswith('"') else token
