"""What probes showed, in a sentence each: shown, not shown, or not run, with the counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from pytest_llmclf.analysis.diagnosis.finding import LEVEL, NAMED
from pytest_llmclf.analysis.diagnosis.probe_finding import (
    BlankProbe,
    ExampleProbe,
    OrderProbe,
    ProbeNotRun,
    SizeChange,
    SizeProbe,
)
from pytest_llmclf.errors import some_of
from pytest_llmclf.reporting import numbers
from pytest_llmclf.values.text import noun, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_llmclf.analysis.diagnosis.probe_finding import ProbeFinding

EXAMPLE_IN: Final[Mapping[str, str]] = {
    "system": "the SYSTEM text",
    "prompt": "the evaluation's prompt",
    "turns": "the MESSAGE turns",
    "examples": "the example images",
    "base": "the base model's own SYSTEM text",
}
"""Where a label may stand as the example of an answer."""

_SILENT: Final[Mapping[str, str]] = {
    "order-probe": "label list in other orders, no lean to its top or end shown",
    "blank-probe": "grey images, no lean of wrong answers to what they are called shown",
    "example-probe": "another label as the example, no draw on answers shown",
    "size-probe": "images of another size, no change of right answers beyond chance shown",
}
"""What was tried, and that it is not shown to matter."""

_NAME: Final = 40
_SIZES: Final = {"half": "at half the size", "twice": "at twice the size"}


def probe_text(finding: ProbeFinding) -> str:
    """One or two sentences on one line; names from outside are quoted and printable."""
    match finding:
        case OrderProbe():
            return _order(finding)
        case BlankProbe():
            return _blank(finding)
        case ExampleProbe():
            return _example(finding)
        case SizeProbe():
            return _size(finding)
        case ProbeNotRun():
            return f'The probe "{finding.probe}" tells nothing: {finding.why}.'
        case _:
            assert_never(finding)


def brief_probes(findings: Sequence[ProbeFinding]) -> Iterator[str]:
    """What a quiet run says: a text for each finding, a short one where nothing is shown."""
    silent = [one for one in findings if one.p_value is not None and one.p_value > LEVEL]
    yield from (probe_text(one) for one in findings if one not in silent)
    for one in silent:
        yield f"probe {one.kind.removesuffix('-probe')}: {_SILENT[one.kind]}"


def _order(finding: OrderProbe) -> str:
    counts = (
        f"with the label list in other orders {_of(finding.changed, finding.images)} changed, "
        f"{finding.up} to a label nearer its top, {finding.down} to one further down"
    )
    if finding.p_value > LEVEL:
        return (
            f"Not shown that answers follow the position in the label list: {counts}"
            f"{_power(finding.power)}."
        )
    end = "top" if finding.up > finding.down else "end"
    return (
        f"Answers follow the position in the label list, towards its {end}: {counts} "
        f'({numbers.p_value(finding.p_value)}): force the label with answer="enum", or try another '
        "prompt or model."
    )


def _blank(finding: BlankProbe) -> str:
    said = some_of(
        f"{'no label' if label is None else _name(label)} {numbers.plural(count, 'time')}"
        for label, count in finding.said
    )
    grey = f"asked about {numbers.plural(finding.images, 'plain grey image')} the model says {said}"
    if finding.label is None and not any(label is not None for label, _ in finding.said):
        return (
            f"For {numbers.plural(finding.images, 'plain grey image')} the model named no label, "
            "so there is nothing that wrong answers could lean to."
        )
    if finding.label is None:
        return (
            f"A{grey[1:]}. None of the labels makes up most of these answers, so whether wrong "
            "answers lean to one is not tested."
        )
    takes = (
        f"{_name(finding.label)} takes {_of(finding.taken, finding.others, 'image')} of other "
        f"classes{_spread(finding)}, and {_of(finding.given, finding.own, 'image')} of its own "
        f"{noun(finding.given, 'is', 'are')} called otherwise"
    )
    if finding.p_value is None or finding.p_value > LEVEL:
        return f"Not shown that wrong answers lean to what a grey image is called: {grey}; {takes}."
    doubt = "" if _spread(finding) else "; it may also be that the other class is the harder one"
    return (
        f"Wrong answers lean to what a grey image is called: {grey}; {takes} "
        f"({numbers.p_value(finding.p_value)}){doubt}: look for what favours it in prompt and "
        "SYSTEM text, or try another model."
    )


def _spread(finding: BlankProbe) -> str:
    """What an even spread of mistakes would be; nothing where there is one label to spread over."""
    if finding.even == finding.wrong:
        return ""
    wrong = numbers.plural(finding.wrong, "wrong answer")
    return f", where an even spread of their {wrong} gives {finding.even:.0f}"


def _example(finding: ExampleProbe) -> str:
    one, other = _names(finding.labels), _names(finding.others)
    several = len(finding.labels) > 1
    role = "the examples" if several else "the example"
    counts = (
        f"with {one} as {role} in {EXAMPLE_IN[finding.place]} {finding.before} of "
        f"{numbers.plural(finding.images, 'answer')} {noun(finding.before, 'names', 'name')} "
        f"{'one of them' if several else 'it'}, with {other} instead {finding.after}; {other} "
        f"{finding.others_before} and then {finding.others_after}"
    )
    if finding.p_value > LEVEL:
        return f"Not shown that the example draws answers: {counts}{_power(finding.power)}."
    if not finding.draws:
        return (
            f"The example keeps answers away: {counts} ({numbers.p_value(finding.p_value)}): take "
            f"it out of {EXAMPLE_IN[finding.place]}."
        )
    return (
        f"The example draws answers: {counts} ({numbers.p_value(finding.p_value)}): take it out of "
        f"{EXAMPLE_IN[finding.place]}."
    )


def _size(finding: SizeProbe) -> str:
    shown = [one for one in finding.changes if one.p_value <= LEVEL]
    silent = (
        f"{_SIZES.get(change, change)} no image has an answer ({why})"
        for change, why in finding.silent
    )
    counts = "; ".join((*map(_change, finding.changes), *silent))
    if not shown:
        power = min(one.power for one in finding.changes)
        return (
            f"Not shown that right answers hang on the size of the image: {counts}{_power(power)}."
        )
    larger = any(one.change == "twice" and one.fixed > one.broken for one in shown)
    smaller = any(one.change == "half" and one.fixed > one.broken for one in shown)
    remedy = "do not send them smaller"
    if larger or smaller:
        remedy = f"send them {'larger' if larger else 'smaller'}"
    elif all(one.change == "twice" for one in shown):
        remedy = "do not send them larger"
    return f"Right answers hang on the size of the image: {counts}: {remedy}."


def _change(one: SizeChange) -> str:
    shown = f" ({numbers.p_value(one.p_value)})" if one.p_value <= LEVEL else ""
    return (
        f"{_SIZES.get(one.change, one.change)} {one.broken} of "
        f"{numbers.plural(one.images, 'image')} broken, {one.fixed} fixed{shown}"
    )


def _power(power: float) -> str:
    """How often a bias as large as a sample is made for is found in one like this."""
    return f"; a bias of 10 points is found in {numbers.percent(power, 0)} of such samples"


def _of(some: int, every: int, what: str = "answer") -> str:
    return f"{numbers.count(some)} of {numbers.plural(every, what)}"


def _name(text: str) -> str:
    return shorten(text, _NAME)


def _names(labels: Iterable[str]) -> str:
    return some_of(map(_name, labels), NAMED)
