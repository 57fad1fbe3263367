"""Findings in plain sentences: what was seen, in numbers, and what to try."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from pytest_llmclf.analysis.diagnosis.finding import (
    NAMED,
    Attractor,
    ConfusedPair,
    NeverAnswered,
    NoBetter,
    OneEach,
    UnparsedKind,
    WeakSlice,
)
from pytest_llmclf.errors import some_of
from pytest_llmclf.metrics.measure import Ratio
from pytest_llmclf.metrics.wording import FROM_ELSEWHERE, UNFORCED, WHEN_STOPPED, WITHHELD
from pytest_llmclf.reporting import numbers
from pytest_llmclf.reporting.probe_lines import EXAMPLE_IN, probe_text
from pytest_llmclf.reporting.style import INDENT
from pytest_llmclf.values.outcome import NAMES_OTHER
from pytest_llmclf.values.text import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_llmclf.analysis.diagnosis.finding import Finding
    from pytest_llmclf.analysis.diagnosis.instructions import Standing
    from pytest_llmclf.reporting.style import Line, Style

LEGEND: Final = (
    "p: how often chance alone shows as much, all that was looked at considered; findings stand "
    "here up to p = 0.05"
)
"""Stands below findings that rest on a test against chance."""

_P: Final = re.compile(r"[(;] ?p [=<] 0")
_NAME = 40
_SAID = 40
_MOST = 3

_ALL: Final = ("unparsed", "probe-not-run")
"""Kinds of which each finding is told."""
_MORE: Final = {
    "attractor": "Other labels that attract wrong answers: {}",
    "never-answered": "Other labels that are never the answer: {}",
    "confused-pair": "Other pairs that are confused: {}",
    "weak-slice": "Other tags with a weak value: {}",
}
_OUT_OF: Final[Mapping[Standing, str]] = {
    "system": "take that out of the Modelfile",
    "prompt": "take that out",
    "turns": "show answers of all labels, or take them out",
    "examples": "show some of every label, or none",
    "base": "write one of your own",
}
_THINK_OFF: Final = "turn thinking off with Evaluation(think=False) or --llmclf-think off"
_UNPARSED: Final = {
    "refusal": (
        "refuse or cannot tell",
        "say in the SYSTEM text that one label must be chosen, and what the images show",
    ),
    "several-labels": (
        "name several labels",
        'force one label with Evaluation(answer="enum")',
    ),
    "outside-the-list": (
        "name none of the labels",
        'force a label with Evaluation(answer="enum")',
    ),
    "empty": (
        "are empty",
        "check that the model's template takes images, and raise num_ctx in a Modelfile",
    ),
    "cut-off-in-thinking": (
        "are only thinking, cut off at the token limit",
        f"{_THINK_OFF}, or raise num_predict until thinking and answer fit",
    ),
    "thinking-only": (
        "are only thinking, which ended by itself; it may hold the answer, and is not read",
        f"{_THINK_OFF}, or update the server: its template for this model may be at fault",
    ),
    "content-filter": (
        "are withheld by a filter of the service",
        WITHHELD,
    ),
    "cut-off": (
        "are cut off at the token limit",
        "raise num_predict in a Modelfile, or ask for the label alone",
    ),
}


def diagnosis_lines(
    findings: Sequence[Finding], style: Style, *, told: bool = True
) -> Iterator[Line]:
    """A paragraph with one item a finding, at most a few of a kind; empty where there are none.

    Args:
        findings: All of a report.
        style: What the place can show.
        told: Whether who answers is told anything, so that it can be told otherwise.
    """
    if not findings:
        return
    yield style.line(INDENT, ("diagnosis", "bold"))
    texts = list(_items(findings, told=told))
    for text in texts:
        first, *rest = style.wrapped(text, INDENT * 3)
        yield style.line(f"{INDENT * 2}- {first.strip()}")
        yield from (style.line(more) for more in rest)
    if any(map(tells_p, texts)):
        yield from style.paragraph(LEGEND, "light", indent=INDENT * 2)


def tells_p(text: str) -> bool:
    """Whether the text of a finding has a p-value, so that `LEGEND` belongs below it."""
    return _P.search(text) is not None


def finding_text(finding: Finding, *, told: bool = True) -> str:  # noqa: PLR0911 - one a kind
    """One or two sentences on one line; names and answers from outside are quoted and printable.

    Args:
        finding: What was found.
        told: Whether who answers is told anything, so that it can be told otherwise.
    """
    match finding:
        case NoBetter():
            return _no_better(finding, told=told)
        case Attractor():
            return _attractor(finding, told=told)
        case NeverAnswered():
            return (
                f"{_name(finding.label)} is never the answer, though "
                f"{numbers.plural(finding.images, 'image shows', 'images show')} it "
                f"({numbers.p_value(finding.p_value)})"
                f"{': describe the label, or give it a synonym that the model uses' * told}."
            )
        case ConfusedPair():
            return _confused(finding, told=told)
        case WeakSlice():
            return _weak(finding)
        case UnparsedKind():
            return _unparsed(finding, told=told)
        case OneEach():
            return _one_each(finding)
        case _:
            return probe_text(finding)


def _one_each(finding: OneEach) -> str:
    of = f"{numbers.count(finding.images)} of {numbers.plural(finding.answered, 'answer')}"
    if not finding.group:
        return f"Tested without copies, on {of}: a copy is no further evidence."
    return (
        f"Tested on one image of each {finding.group}, {of} chosen by name, since images of one "
        f"{finding.group} are no independent evidence."
    )


def _items(findings: Sequence[Finding], *, told: bool) -> Iterator[str]:
    """The text of each finding, but of each kind only the first few and how many more there are."""
    kinds = Counter(finding.kind for finding in findings)
    for kind, count in kinds.items():
        found = [finding for finding in findings if finding.kind == kind]
        listed = found if kind in _ALL else found[:_MOST]
        yield from (finding_text(one, told=told) for one in listed)
        if len(listed) < count:
            yield f"{_MORE[kind].format(count - len(listed))} (all of them are in run.json)."


def _no_better(finding: NoBetter, *, told: bool) -> str:
    ours = Ratio(hits=finding.correct, total=finding.answered)
    guessed = numbers.percent(1 / finding.choices)
    than = (
        "guessing" if "guessing" in finding.than else f"always answering {_name(finding.majority)}"
    )
    counts = (
        f"{ours.hits} of {ours.total} right ({numbers.percent(ours)}); guessing among "
        f"{finding.choices} labels gets {guessed}{_constant(finding)}"
    )
    if finding.worse:
        remedy = "look at what is answered instead"
        if finding.avoided:
            remedy = (
                f"images of {_names(finding.avoided)} are called so less often than others: check "
                "that labels and images belong together"
            )
        return f"Worse than guessing: {counts}; {remedy}."
    head = f"Not shown to be right more often than {than}"
    if finding.readable:
        without = numbers.plural(finding.answered - finding.named, "answer names", "answers name")
        return (
            f"{head}, since {without} no label: {counts}; where one is named, {finding.correct} of "
            f"{finding.named} are right: see to the answers without a label."
        )
    if finding.seen:
        blind = numbers.percent(1 / finding.classes)
        return (
            f"{head}: {counts}; yet it tells {_names(finding.seen)} from the rest: judge it by the "
            f"recall of each class, or by balanced_accuracy, here "
            f"{numbers.percent(finding.balanced)} where always the same answer gets {blind}."
        )
    above, chance = finding.correct > finding.majority_images, ""
    if "guessing" in finding.than:
        above = finding.correct * finding.choices > finding.answered
        if finding.p_guessing < 1:  # nobody gets less than none right
            chance = f"; who guesses gets that far {_often(finding.p_guessing)}"
    elif above:
        chance = f" ({numbers.p_value(finding.p_majority)})"
    more = "more images may tell; else " if above else ""
    return f"{head}: {counts}{chance}: {more}try another {'prompt or ' * told}model."


def _constant(finding: NoBetter) -> str:
    """What a constant answer gets, where that is more than guessing gets."""
    constant = Ratio(hits=finding.majority_images, total=finding.answered)
    if constant.hits * finding.choices <= constant.total:
        return ""
    return f", always answering {_name(finding.majority)} {numbers.percent(constant)}"


def _attractor(finding: Attractor, *, told: bool) -> str:
    sources = numbers.plural(len(finding.sources), "class", "classes")
    text = (
        f"{_name(finding.label)} attracts wrong answers: {finding.taken} of {finding.wrong}, from "
        f"{sources}, most from {_names(finding.sources)}; spread evenly it would be "
        f"{finding.even:.0f} ({numbers.p_value(finding.p_value)})"
    )
    if finding.prompt is None:
        return f"{text}{': look for what favours it in prompt and SYSTEM text' * told}."
    where, remedy = EXAMPLE_IN[finding.prompt], _OUT_OF[finding.prompt]
    return f"{text}. It stands as an example in {where}: {remedy}."


def _confused(finding: ConfusedPair, *, told: bool) -> str:
    taken, taken_for = _name(finding.taken), _name(finding.taken_for)
    forth = f"{finding.forth} of {numbers.plural(finding.taken_images, 'image')}"
    back = f"{finding.back} of {finding.taken_for_images}"
    if finding.mutual:
        more = f", {taken} more often" if finding.one_way else ""
        says = (
            f"{taken} and {taken_for} are taken for each other{more} ({forth}, and {back} the "
            f"other way)"
        )
    elif finding.one_way:
        says = f"{taken} is taken for {taken_for} ({forth}), and less often the other way ({back})"
    elif finding.forth_shown:
        says = f"{taken} is taken for {taken_for} ({forth}; the other way {back})"
    else:
        says = f"{taken} and {taken_for} are confused ({forth} one way, {back} the other)"
    chance = numbers.p_value(finding.p_value)
    return f"{says}; {chance}{': describe in the labels what tells them apart' * told}."


def _weak(finding: WeakSlice) -> str:
    weak = Ratio(hits=finding.correct, total=finding.answered)
    rest = numbers.percent(finding.expected / finding.answered)
    where = (
        f"where {_name(finding.tag)} is {_name(finding.value)}"
        if finding.value
        else f"without the tag {_name(finding.tag)}"
    )
    left_out = numbers.plural(finding.left_out, "image")
    beside = f", {left_out} of classes that are nowhere else left out" if finding.left_out else ""
    also = f"; {_names(finding.also)} also below the rest" if finding.also else ""
    return (
        f"Weak {where}: {weak.hits} of {weak.total} right ({numbers.percent(weak)}), where images "
        f"of the same classes elsewhere give {rest} ({numbers.p_value(finding.p_value)}){beside}"
        f"{also}: look at these images, or gate them on their own."
    )


def _unparsed(finding: UnparsedKind, *, told: bool) -> str:
    what, remedy = _UNPARSED.get(finding.reason, (f"are {finding.reason}", "look at the answers"))
    remedy = UNFORCED if finding.unforced else remedy
    remedy = remedy if told else FROM_ELSEWHERE
    if finding.meant and not finding.unforced and finding.reason in NAMES_OTHER:
        pairs = (f"{shorten(text, _SAID)} for {_name(label)}" for text, label in finding.meant)
        of = some_of(pairs, NAMED)
        remedy = f"where a word means the label, name it as its synonym ({of}); else {remedy}"
    said = " and ".join(shorten(text, _SAID) for text in finding.texts if text.strip())
    share = numbers.percent(Ratio(hits=finding.count, total=finding.answered))
    such = f", such as {said}" if said else ""
    when = f" {WHEN_STOPPED}" if finding.stopped else ""
    return (
        f"{numbers.count(finding.count)} of {numbers.plural(finding.answered, 'answer')} ({share})"
        f"{when} {what}{such}: {remedy}."
    )


def _name(text: str) -> str:
    return shorten(text, _NAME)


def _names(labels: Sequence[str]) -> str:
    return some_of(map(_name, labels), NAMED)


def _often(chance: float) -> str:
    return f"{numbers.percent(chance, 0)} of the time"
