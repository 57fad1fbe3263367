r"""How gates are written, and what is wrong with one that cannot be read.

    accuracy >= 0.75, recall[7] >= 0.6, unparsed_rate <= 0.02 with 95% confidence
    recall[*]{camera=phone, light="dim, warm"} >= 0.5
    accuracy@coverage0.8 >= 0.9
    accuracy >= 0.8 on confirmed labels

These are, with what may be left out in brackets and what may be repeated in braces:

    gate      = threshold { "," threshold } [ "with" LEVEL "confidence" ]
    threshold = METRIC [ class ] [ coverage ] [ slice ] sign NUMBER [ "on confirmed labels" ]
    class     = "[" LABEL "]", or "[*]": each class by itself
    coverage  = "@coverage" SHARE: of the most confident answers
    slice     = "{" TAG "=" VALUE { "," TAG "=" VALUE } "}": of the images that have them all
    sign      = ">=", "<=", ">" or "<"

Labels and values may hold anything but brackets and double quotes (values no braces and commas), or
anything at all in double quotes, where ``\"`` is a quote. A level is above 50%.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from pytest_llmclf.errors import SettingsError, nearest
from pytest_llmclf.gates.threshold import COMPARISONS, Threshold
from pytest_llmclf.metrics.metric_table import METRICS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llmclf.metrics.metric import Metric

_QUOTED: Final = r'"(?:[^"\\]|\\.)*+"'
# Blanks are taken as a whole (*+): rows of them in the place of one would be split in all ways.
_THRESHOLD: Final = re.compile(
    rf"""\s*+(?P<name>\w++)
    \s*+(?:\[(?P<label>\s*+{_QUOTED}\s*+|[^]["]*+)\])?+
    \s*+(?:@\s*+(?P<at>[\w.]++))?+
    \s*+(?:\{{(?P<where>(?:{_QUOTED}|[^{{}}"])*+)\}})?+
    \s*+(?P<sign>[<>=!]++)
    \s*+(?P<number>\S++)(?P<confirmed>\s++on\s++confirmed\s++labels)?+\s*+""",
    re.VERBOSE,
)
_PAIR: Final = re.compile(
    rf"""\s*+(?P<tag>{_QUOTED}\s*+|[^",=]++)=\s*+(?P<value>{_QUOTED}\s*+|[^",]++)(?:,|$)""",
    re.VERBOSE,
)
_SURE: Final = re.compile(r"\swith\s++(?P<level>\S++)\s++confidence\s*+\Z")
_BEYOND: Final = re.compile(r"[<>]=?\s*+[\d.]++%?\s++(\S.*)")
_COVERAGE: Final = re.compile(r"coverage(?P<share>\d*\.?\d+)")
_ADDRESSED: Final = re.compile(r"(?P<name>.*?):(?P<gate>\s*\w+\s*[]\[{@<>=!].*)", re.DOTALL)
_FORM: Final = "not of the form accuracy>=0.75 or recall[LABEL]>=0.6"
MOST_TEXT: Final = 10_000
"""Characters of a gate: nobody writes, and no report shows, a longer one."""
_LEAST_LEVEL: Final = 0.5
_PERCENT: Final = 100
_SHOWN: Final = 60


class UnknownMetric(SettingsError):
    """A gate names a metric that is not in the table, nor known to be its evaluation's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What a gate says.

    Attributes:
        thresholds: In the order as written, ``recall[*]`` as one.
        confidence: For "with confidence", such as 0.95; ``None``: about these images.
    """

    thresholds: tuple[Threshold, ...]
    confidence: float | None = None


def parse(text: str, own: Mapping[str, Metric] | None = None) -> Parsed:
    """Read ``accuracy >= 0.75, recall[7] >= 0.6 with 95% confidence``.

    Args:
        text: The gate.
        own: Metrics that are not in the table, by name.

    Raises:
        UnknownMetric: It names a metric that there is not.
        SettingsError: Which part is wrong, why, and what was probably meant.
    """
    _require_short(text)
    sure, own = _SURE.search(text), own or {}
    if sure is None:
        return Parsed(thresholds=_thresholds(text, text, own))
    confidence = _level(sure["level"], f"gate {text!r}: ")
    thresholds = _thresholds(text[: sure.start()], text, own)
    for threshold in thresholds:
        if threshold.spec.bound is None:
            raise SettingsError(
                f"gate {text!r}: {threshold.metric} has no reading with confidence, since "
                f"{threshold.spec.unsure}; give {threshold.text!r} a gate of its own without it"
            )
    return Parsed(thresholds=thresholds, confidence=confidence)


def split_address(text: str) -> tuple[str, str]:
    """Split ``mnist: accuracy>=0.75`` into what is gated and the gate.

    The name may be a shell-style pattern, and may hold colons: the gate begins with a metric.

    Raises:
        SettingsError: There is no name.
    """
    _require_short(text)
    match = _ADDRESSED.fullmatch(text)
    name, gate = (match["name"], match["gate"]) if match else text.partition(":")[::2]
    if not name.strip() or not gate.strip():
        raise SettingsError(
            f"{text!r} names no evaluation or no gate: write 'mnist: accuracy>=0.75', or "
            "'*: accuracy>=0.75' for every evaluation"
        )
    return name.strip(), gate.strip()


def _require_short(text: str) -> None:
    if len(text) > MOST_TEXT:
        raise SettingsError(
            f"gate {text[:_SHOWN]!r}... has {len(text)} characters, more than {MOST_TEXT}: make "
            "several gates of it"
        )


def _thresholds(text: str, whole: str, own: Mapping[str, Metric]) -> tuple[Threshold, ...]:
    parts = _split(text, whole)
    gate = f"gate {whole!r}"
    return tuple(
        _threshold(part, f"{gate}: " if len(parts) == 1 else f"{gate}, {part!r}: ", own)
        for part in parts
    )


def _split(text: str, whole: str) -> list[str]:
    """Split at the commas that are in no brackets and no quotes."""
    parts, start, closing, quote, escaped = [], 0, "", False, False
    for place, char in enumerate(text):
        if quote:
            quote = char != '"' or escaped
            escaped = char == "\\" and not escaped
        elif char == '"' and closing:
            quote = True
        elif closing:
            closing = "" if char == closing else closing
        elif char in "[{":
            closing = {"[": "]", "{": "}"}[char]
        elif char == ",":
            parts.append(text[start:place])
            start = place + 1
    if quote or closing:
        raise SettingsError(f"gate {whole!r}: {'a quote' if quote else repr(closing)} is missing")
    return [*parts, text[start:]]


def _threshold(part: str, place: str, own: Mapping[str, Metric]) -> Threshold:
    match = _THRESHOLD.fullmatch(part)
    if match is None:
        raise SettingsError(f"{place}{_why_no_match(part)}")
    name, label = match["name"], match["label"]
    spec = METRICS.get(name) or own.get(name)
    if spec is None:
        known = [*METRICS, *own]
        raise UnknownMetric(
            f"{place}{name!r} is not one of {', '.join(known)}{nearest(name, known)}"
        )
    if spec.by_class is not None and label is None:
        raise SettingsError(
            f"{place}{name} is of one class: write {name}[LABEL], {name}[*] for each class by "
            f"itself, or macro_{name} for the average"
        )
    if spec.whole is not None and label is not None:
        raise SettingsError(f"{place}{name} is of all classes together: drop [{label}]")
    if label is not None and not label.strip():
        raise SettingsError(f"{place}{name}[] names no class")
    if match["sign"] not in COMPARISONS:
        turned = {"=>": ">=", "=<": "<=", "==": ">=", "=": ">="}.get(match["sign"])
        hint = f"; did you mean {turned!r}?" if turned else ""
        raise SettingsError(
            f"{place}{match['sign']!r} is not one of {', '.join(COMPARISONS)}{hint}"
        )
    threshold = Threshold(
        metric=name,
        label=None if label is None else _unquoted(label, place),
        coverage=None if match["at"] is None else _coverage(spec, match["at"], place),
        where=() if match["where"] is None else _where(match["where"], place),
        sign=match["sign"],
        number=_number(match["number"], spec.largest, place),
        confirmed=match["confirmed"] is not None,
        own=own.get(name),
    )
    if not threshold.holds(threshold.best):
        other = f"{threshold.sign}= {match['number']}"
        raise SettingsError(f"{place}no value is {threshold.sign} {match['number']}: write {other}")
    return threshold


def _why_no_match(part: str) -> str:
    beyond = _BEYOND.search(part)
    if beyond and "confidence" in beyond[1]:
        return (
            f"{beyond[1].strip()!r} is not read: 'with 95% confidence' stands once, at the end, "
            "and is for all thresholds of the gate; write two gates for two readings"
        )
    if beyond:
        return (
            f"{beyond[1].strip()!r} is not read; write 'with 95% confidence', before it perhaps "
            "'on confirmed labels', or drop it"
        )
    return _FORM


def _unquoted(text: str, place: str) -> str:
    text = text.strip()
    if not text.startswith('"'):
        return text
    # Only quotes and backslashes need escaping here; JSON's other escapes are read as well.
    try:
        return str(json.loads(text, strict=False))
    except ValueError:
        raise SettingsError(
            f"{place}{text} is no text in quotes: write \\\\ for a backslash"
        ) from None


def _where(text: str, place: str) -> tuple[tuple[str, str], ...]:
    pairs: dict[str, str] = {}
    start = 0
    while start < len(text) or not pairs:
        match = _PAIR.match(text, start)
        if match is None:
            raise SettingsError(
                f"{place}{{{text}}} is not of the form {{tag=value, tag=value}}; a value with a "
                "comma or a brace stands in double quotes"
            )
        tag = _unquoted(match["tag"], place)
        if tag in pairs:
            raise SettingsError(f"{place}{{{text}}} names {tag!r} twice; no image has two values")
        pairs[tag] = _unquoted(match["value"], place)
        start = match.end()
    return tuple(pairs.items())


def _coverage(spec: Metric, text: str, place: str) -> float:
    match = _COVERAGE.fullmatch(text)
    share = float(match["share"]) if match else 0.0
    if spec.at_coverage is None or not 0 < share <= 1:
        raise SettingsError(
            f"{place}@{text} is not of the form accuracy@coverage0.8, the accuracy of the 80% of "
            "answers that the model is most confident of"
        )
    return share


def _number(text: str, largest: float | None, place: str) -> float:
    """The bound of a metric from 0 to `largest`; ``None``: of one that may be any number."""
    ends = "" if largest is None else f" from 0 to {largest:g}"
    try:
        bound = float(text)
    except ValueError:
        share = _per_cent(text)
        hint = "" if share is None else f"; for {text} write {share:g}"
        raise SettingsError(f"{place}{text!r} is not a number{ends}{hint}") from None
    if largest is None and math.isfinite(bound):
        return bound
    if largest is None or not 0 <= bound <= largest:
        per_cent = largest == 1 < bound <= _PERCENT
        hint = f"; for {text} per cent write {bound / 100:g}" if per_cent else ""
        raise SettingsError(f"{place}{text} is not{ends or ' a finite number'}{hint}")
    return bound


def _level(text: str, place: str) -> float:
    share = _per_cent(text)
    if share is None:
        try:
            share = float(text)
        except ValueError:
            raise SettingsError(f"{place}{text!r} is no confidence; write 95% or 0.95") from None
    if not _LEAST_LEVEL < share < 1:
        hint = f"; for {text} per cent write {text}%" if 1 < share < _PERCENT else ""
        raise SettingsError(f"{place}a confidence of {text} is not between 50% and 100%{hint}")
    return share


def _per_cent(text: str) -> float | None:
    """The share that ``95%`` is, as near as a float gets; ``None`` for anything else."""
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{0,99})?%", text):
        return None
    return float(Fraction(text[:-1].rstrip(".")) / _PERCENT)
