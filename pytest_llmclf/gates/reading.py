"""What one threshold comes to, in either reading, and the line that says so.

*About these images*: the measured value is compared. It is exact; what it says of further images
is left to the reader.

*With confidence*, about images like these: PASS if the value would reach the bound with that
confidence, FAIL if it would stay below it with that confidence, else INCONCLUSIVE. A gate of
several thresholds passes only if all do, which needs no correction: if one value is really below
its bound, that one must err for the gate to pass (Berger, Technometrics 24, 1982, 295-300). It
fails as soon as one does, so there each of m thresholds may err in 5%/m (Bonferroni).

Where not all pass, some may still be called PASS, and then any of them may be the wrong one: those
are chosen by Holm's method (Scandinavian Journal of Statistics 6, 1979, 65-70). Both rules
together are a part of Hochberg's (Biometrika 75, 1988, 800-802), so that a line with a wrong PASS
comes in at most 5% of runs where the thresholds' errors are independent or positively dependent.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_llmclf.errors import some_of
from pytest_llmclf.gates.bounds import images_to_decide
from pytest_llmclf.gates.evidence import evidence_of
from pytest_llmclf.gates.threshold import EVERY, plain
from pytest_llmclf.metrics.calibration.coverage import answers_for
from pytest_llmclf.metrics.clusters import counted
from pytest_llmclf.metrics.population import having, own_mix, population
from pytest_llmclf.metrics.power import CHANCE, MOST_IMAGES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmclf.gates.bounds import Evidence
    from pytest_llmclf.gates.threshold import Threshold
    from pytest_llmclf.metrics.measure import Measure
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.verdict import Undecided, VerdictWord

_NAMED = 8
"""Classes that one line names at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certainty:
    """What a gate wants to be sure of.

    Attributes:
        confidence: Such as 0.95.
        thresholds: How many the gate has, each class of ``recall[*]`` counted.
        spent: Why nothing may pass any more, since the gate was looked at before; else empty.
    """

    confidence: float
    thresholds: int
    spent: str = ""

    @property
    def passing(self) -> float:
        """How often a PASS may be wrong."""
        return 1 - self.confidence

    @property
    def failing(self) -> float:
        """How often each FAIL may be wrong."""
        return self.passing / self.thresholds


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedThreshold:
    """What one threshold came to.

    Attributes:
        threshold: What was asked.
        word: PASS, FAIL or INCONCLUSIVE.
        undecided: Why, for INCONCLUSIVE.
        measure: What was measured.
        doubt: How often so good a value would come at most if the bound were not reached;
            ``None`` where there is no such claim.
        passing: How often the claim that it is reached may be wrong, where other thresholds of
            its gate leave less than the gate's whole error; see `settled`.
    """

    threshold: Threshold
    word: VerdictWord
    measure: Measure
    undecided: Undecided | None = None
    doubt: float | None = None
    passing: float | None = None


def read_gate(
    thresholds: Sequence[Threshold], report: Report, certainty: Certainty | None
) -> tuple[tuple[JudgedThreshold, ...], ...]:
    """Judge all thresholds of a gate together, ``recall[*]`` as one a class.

    Args:
        thresholds: As written.
        report: With nothing missing.
        certainty: ``None``: about these images.

    Returns:
        The readings of each threshold as written.
    """
    found = [read(threshold, report, certainty) for threshold in thresholds]
    together = [one for readings in found for one in readings]
    if certainty is not None:
        together = settled(together, certainty.passing)
        if certainty.spent:
            together = [_unpaid(one) for one in together]
    rest = iter(together)
    return tuple(tuple(next(rest) for _ in readings) for readings in found)


def settled(readings: Sequence[JudgedThreshold], error: float) -> list[JudgedThreshold]:
    """The readings of a gate, where those that pass may be called so though others do not.

    All or none need no correction. Of some only those are left that Holm's method finds, so that
    any of them is wrong at most with the probability `error`; the others are INCONCLUSIVE.
    """
    if all(one.word == "PASS" for one in readings):
        return list(readings)
    order = sorted(range(len(readings)), key=lambda place: _doubt(readings[place]))
    passed = 0
    while _doubt(readings[order[passed]]) <= error / (len(readings) - passed):
        passed += 1
    found = list(readings)
    for rank, place in enumerate(order):
        one = readings[place]
        if rank < passed:
            # The level of the last that passes: each of them passes at it by itself.
            found[place] = replace(one, passing=error / (len(readings) - passed + 1))
            continue
        found[place] = replace(one, passing=error / (len(readings) - passed))
        if one.word == "PASS":
            found[place] = replace(found[place], word="INCONCLUSIVE", undecided="sample")
    return found


def _unpaid(one: JudgedThreshold) -> JudgedThreshold:
    """What would pass, and does not since its error was spent on an earlier look."""
    if one.word != "PASS":
        return one
    return replace(one, word="INCONCLUSIVE", undecided="sample")


def _doubt(one: JudgedThreshold) -> float:
    """The doubt of what passes by itself; what does not cannot be among the chosen."""
    return 1.0 if one.doubt is None or one.word != "PASS" else one.doubt


def read(
    asked: Threshold, report: Report, certainty: Certainty | None
) -> tuple[JudgedThreshold, ...]:
    """Judge a threshold, ``recall[*]`` as one a class.

    Args:
        asked: What is asked.
        report: With nothing missing.
        certainty: ``None``: about these images.
    """
    return tuple(
        _read(threshold, measure, report, certainty)
        for threshold, measure in asked.measures(report)
    )


def _read(
    threshold: Threshold, measure: Measure, report: Report, certainty: Certainty | None
) -> JudgedThreshold:
    value = measure.value
    if value is None:
        return JudgedThreshold(
            threshold=threshold, word="INCONCLUSIVE", measure=measure, undecided="undefined"
        )
    if certainty is None:
        word: VerdictWord = "PASS" if threshold.holds(value) else "FAIL"
        return JudgedThreshold(threshold=threshold, word=word, measure=measure)
    found = evidence_of(threshold, report, measure)
    word = sure_word(threshold, found, certainty)
    return JudgedThreshold(
        threshold=threshold,
        word=word,
        measure=measure,
        undecided="sample" if word == "INCONCLUSIVE" else None,
        doubt=_doubt_that_reached(threshold, found),
    )


def _doubt_that_reached(threshold: Threshold, found: Evidence) -> float:
    if threshold.holds(threshold.worst):
        return 0.0
    return (found.doubt_at_least if threshold.upwards else found.doubt_at_most)(threshold.number)


def sure_word(threshold: Threshold, found: Evidence, certainty: Certainty) -> VerdictWord:
    """The verdict on images like these, of a measure that is defined."""
    if found.members is not None and found.clusters <= 1:
        # How clusters differ cannot be seen in one.
        return "INCONCLUSIVE"
    reached, missed = found.doubt_at_least, found.doubt_at_most
    if not threshold.upwards:
        reached, missed = missed, reached
    if threshold.holds(threshold.worst) or reached(threshold.number) <= certainty.passing:
        return "PASS"
    return "FAIL" if missed(threshold.number) < certainty.failing else "INCONCLUSIVE"


def told(
    asked: Threshold,
    readings: Sequence[JudgedThreshold],
    report: Report,
    certainty: Certainty | None,
) -> Iterator[tuple[JudgedThreshold, str]]:
    """One line a verdict, each with a reading that has its word.

    Of ``recall[*]`` every class that fails has a line of its own. The classes that pass share one,
    which names the worst of them, and so do those that are undecided for the same reason.
    """
    if asked.label != EVERY:
        yield from ((one, _line(one, report, certainty)) for one in readings)
        return
    groups: defaultdict[tuple[str, str], list[JudgedThreshold]] = defaultdict(list)
    for one in readings:
        groups[one.word, one.undecided or ""].append(one)
    order = ("FAIL", "INCONCLUSIVE", "PASS")
    for (word, _), group in sorted(groups.items(), key=lambda item: order.index(item[0][0])):
        if word == "FAIL" or len(group) == 1:
            yield from ((one, _line(one, report, certainty)) for one in group)
        else:
            yield group[0], _joint_line(asked, group, len(readings), report, certainty)


def asked_for(threshold: Threshold, certainty: Certainty | None) -> str:
    """What a line begins with: ``accuracy >= 0.8 with 95% confidence``."""
    if certainty is None:
        return threshold.text
    return f"{threshold.text} with {plain(round(100 * certainty.confidence, 10))}% confidence"


def _line(one: JudgedThreshold, report: Report, certainty: Certainty | None) -> str:
    asked = asked_for(one.threshold, certainty)
    return f"{asked}: {_found(one, report, certainty)}"


def _joint_line(
    asked: Threshold,
    group: Sequence[JudgedThreshold],
    total: int,
    report: Report,
    certainty: Certainty | None,
) -> str:
    first = group[0]
    classes = f"{len(group)} of {total} classes" if len(group) < total else f"all {total} classes"
    if first.word == "INCONCLUSIVE":
        classes += f" ({some_of((str(one.threshold.label) for one in group), _NAMED)})"
    head = f"{asked_for(asked, certainty)}: {classes}"
    if first.undecided == "undefined":
        return f"{head}: undefined {population(report, asked.where, confirmed=asked.confirmed)}"
    values = [one.measure.value or 0.0 for one in group]
    extreme = min(values) if asked.upwards else max(values)
    worst = group[values.index(extreme)]
    which = "lowest" if asked.upwards else "highest"
    return f"{head}, {which} {worst.threshold.subject} {_found(worst, report, certainty)}"


def _found(one: JudgedThreshold, report: Report, certainty: Certainty | None) -> str:
    value = one.measure.value
    if value is None:
        return f"undefined {_population(one, report)}{_why_undefined(one, report)}"
    hits, total = getattr(one.measure, "hits", None), getattr(one.measure, "total", None)
    # Four decimals: 0.9996 must not be shown as the 1.000 that it failed to reach.
    shown = f"{value:.4f}" + (f" ({hits}/{total})" if hits is not None else "")
    shown += _left_out(one.threshold, report)
    if certainty is None:
        return f"{shown} {_population(one, report)}"
    return f"{shown}, {_interval(one, report, certainty)}{_open(one, report, certainty)}"


def _population(one: JudgedThreshold, report: Report) -> str:
    return population(report, one.threshold.where, confirmed=one.threshold.confirmed)


def _open(one: JudgedThreshold, report: Report, certainty: Certainty) -> str:
    """Why it is open and what would decide it; of a later look, what that does to a verdict."""
    if certainty.spent and one.word == "FAIL":
        return f"; {certainty.spent}; of several looks one fails wrongly more often"
    if one.word != "INCONCLUSIVE":
        return ""
    if certainty.spent:
        return f": {certainty.spent}; judge new images by themselves"
    return f": too few to tell; {_remedy(one, report, certainty)}"


def _interval(one: JudgedThreshold, report: Report, certainty: Certainty) -> str:
    found = evidence_of(one.threshold, report, one.measure)
    ends = [_passing(one, certainty), certainty.failing]
    if not one.threshold.upwards:
        ends.reverse()
    # Rounded outwards: what is shown is never more than what is known.
    low = math.floor(10_000 * found.low(ends[0])) / 10_000
    high = math.ceil(10_000 * found.high(ends[1])) / 10_000
    # Two digits of the doubt: 99.995% sure is not 100%.
    sure = [f"{100 - float(f'{100 * alpha:.2g}'):.10g}%" for alpha in ends]
    how = f"one-sided, each end {sure[0]} sure"
    if certainty.thresholds > 1:
        each = f"each end {sure[0]}" if sure[0] == sure[1] else f"the ends {sure[0]} and {sure[1]}"
        how = f"one-sided, {each} sure, for {certainty.thresholds} thresholds"
    drawn = _drawn(one.threshold, found, report)
    return f"plausibly {low:.4f} to {high:.4f} ({how}), of images like these{drawn}"


def _drawn(threshold: Threshold, found: Evidence, report: Report) -> str:
    """How the images came about, where not one by one or not in the classes' own mix."""
    said = []
    if found.members is not None:
        said.append(counted(round(found.images), round(found.clusters), report.group))
    mix = "" if threshold.spec.of_any_mix else own_mix(report)
    said += [mix] if mix else []
    return f" ({'; '.join(said)})" if said else ""


def _passing(one: JudgedThreshold, certainty: Certainty) -> float:
    return certainty.passing if one.passing is None else one.passing


def _remedy(one: JudgedThreshold, report: Report, certainty: Certainty) -> str:
    threshold, found = one.threshold, evidence_of(one.threshold, report, one.measure)
    alphas = (_passing(one, certainty), certainty.failing)
    low, high = alphas if threshold.upwards else alphas[::-1]
    enough = images_to_decide(found, threshold.number, low, high)
    if found.members is not None and found.clusters <= 1:
        return f"images of more than one {report.group or 'file'} would tell more"
    if found.estimate == threshold.number:
        return "if the rate stays, no number of images would decide it"
    if enough is None:
        return f"if the rate stays, it takes more than {MOST_IMAGES:,} {unit_of(threshold)}"
    enough = answers_for(enough, threshold.coverage)
    # Rounded up: so many are enough.
    unit = 10 ** max(0, len(str(enough)) - 2)
    about = -(-enough // unit) * unit
    return (
        f"one look at about {about:,} {unit_of(threshold)} would decide it with a probability of "
        f"{CHANCE:.0%} if the rate stays"
    )


def unit_of(threshold: Threshold) -> str:
    """What there must be enough of."""
    sliced = having(threshold.where, confirmed=threshold.confirmed)
    if threshold.spec.strangers:
        return f"images of no class{sliced}"
    match threshold.spec.kind if threshold.label is not None else None:
        case "recall":
            return f"images of {threshold.label}{sliced}"
        case "precision":
            return f"answers {threshold.label}{sliced}"
        case "f1":
            return f"images of {threshold.label}, or called so,{sliced}"
        case _:
            return f"images{sliced}"


def _left_out(threshold: Threshold, report: Report) -> str:
    """How many answers a number on confidence is not of, in brackets; mostly nothing."""
    if not threshold.needs_probabilities:
        return ""
    from pytest_llmclf.metrics.calibration.answers import lacking

    without = lacking(threshold.part(report))
    return f" ({without})" if without else ""


def _why_undefined(one: JudgedThreshold, report: Report) -> str:
    threshold, part, why = one.threshold, one.threshold.part(report), one.measure.why
    if not part.ledger.answered:
        which = "has a confirmed label" if threshold.confirmed else "has these tags"
        return f": no answered image {which}"
    if threshold.needs_probabilities:
        from pytest_llmclf.metrics.calibration.answers import why_missing

        why = why_missing(part) or why
    if why or threshold.needs_probabilities:
        return f": {why}" if why else ""
    match threshold.spec.kind if threshold.label is not None else None:
        case "recall":
            return f": no answered image shows {threshold.label}"
        case "precision":
            return f": no answer names {threshold.label}"
        case "f1":
            return f": no answered image shows {threshold.label} and no answer names it"
        case _:
            return ": no answered image is of no class" if threshold.spec.strangers else ""
