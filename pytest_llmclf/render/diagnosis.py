"""Findings in plain sentences: what was seen, in numbers, and what to try."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, assert_never

from pytest_llmclf.diagnosis.finding import (
    Attractor,
    ConfusedPair,
    NeverAnswered,
    NoBetter,
    UnparsedKind,
    WeakSlice,
)
from pytest_llmclf.metrics import Ratio
from pytest_llmclf.outcome import shorten
from pytest_llmclf.render import numbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmclf.diagnosis.finding import Finding
    from pytest_llmclf.render.text import Line, Style

LEGEND: Final = (
    "p: how often chance alone shows as much, all that was looked at considered; findings stand "
    "here up to p = 0.05"
)
"""Stands below findings that rest on a test against chance."""

_INDENT = "  "
_NAME = 40
_SAID = 40
_LISTED = 3
_MOST = 3

_MORE: Final = {
    "attractor": "Other labels that attract wrong answers: {}",
    "never-answered": "Other labels that are never the answer: {}",
    "confused-pair": "Other pairs that are confused: {}",
    "weak-slice": "Other tags with a weak value: {}",
}
_UNPARSED: Final = {
    "refusal": (
        "refuse or cannot tell",
        "say in the SYSTEM text that one label must be chosen, and what the pictures show",
    ),
    "several-labels": (
        "name several labels",
        'force one label with answer="enum" in the evaluation',
    ),
    "outside-the-list": (
        "name none of the labels",
        'add what they say as synonyms of labels, or force a label with answer="enum"',
    ),
    "empty": (
        "are empty",
        "check that the model's template takes pictures, and raise num_ctx in the Modelfile",
    ),
    "cut-off": (
        "are cut off at the token limit",
        "raise num_predict in the Modelfile, or ask for the label alone",
    ),
}


def diagnosis_lines(findings: Sequence[Finding], style: Style) -> Iterator[Line]:
    """A paragraph with one item a finding, at most a few of a kind; empty where there are none."""
    if not findings:
        return
    yield style.line(_INDENT, ("diagnosis", "bold"))
    for text in _items(findings):
        first, *rest = style.wrapped(text, _INDENT * 3)
        yield style.line(f"{_INDENT * 2}- {first.strip()}")
        yield from (style.line(more) for more in rest)
    if any(finding.kind not in {"no-better", "unparsed"} for finding in findings):
        yield from (style.line((text, "light")) for text in style.wrapped(LEGEND, _INDENT * 2))


def finding_text(finding: Finding) -> str:
    """One or two sentences on one line; names and answers from outside are quoted and printable."""
    match finding:
        case NoBetter():
            return _no_better(finding)
        case Attractor():
            return _attractor(finding)
        case NeverAnswered():
            return (
                f"{_name(finding.label)} is never the answer, though "
                f"{numbers.plural(finding.images, 'image shows', 'images show')} it "
                f"({numbers.p_value(finding.p_value)}): describe the label, or give it a synonym "
                f"that the model uses."
            )
        case ConfusedPair():
            return _confused(finding)
        case WeakSlice():
            return _weak(finding)
        case UnparsedKind():
            return _unparsed(finding)
        case _:
            assert_never(finding)


def _items(findings: Sequence[Finding]) -> Iterator[str]:
    """The text of each finding, but of each kind only the first few and how many more there are."""
    kinds = Counter(finding.kind for finding in findings)
    for kind, count in kinds.items():
        found = [finding for finding in findings if finding.kind == kind]
        listed = found if kind == "unparsed" else found[:_MOST]
        yield from map(finding_text, listed)
        if len(listed) < count:
            yield f"{_MORE[kind].format(count - len(listed))} (all of them are in run.json)."


def _no_better(finding: NoBetter) -> str:
    answered = finding.answered
    ours = Ratio(hits=finding.correct, total=answered)
    constant = Ratio(hits=finding.majority_images, total=answered)
    guessed = numbers.percent(1 / finding.choices)
    always = f"always answering {_name(finding.majority)}"
    if "guessing" in finding.than:
        above = finding.correct * finding.choices > answered
        than, chance, remedy = "guessing", finding.p_guessing, "try another prompt or model"
    else:
        above = finding.correct > finding.majority_images
        than, chance = f"{always} (though better than guessing)", finding.p_majority
        remedy = "look at the classes with few images, or try another prompt or model"
    head = f"Not clearly better than {than}" if above else f"No better than {than}"
    if above:
        remedy = f"more images may tell; else {remedy}"
    if finding.worse:
        head = "Worse than guessing"
        remedy = "check that labels and pictures belong together"
    compared = f"guessing among {finding.choices} labels gets {guessed}"
    if constant.hits * finding.choices > answered:
        compared += f", {always} {numbers.percent(constant)}"
    chances = "" if finding.worse else f"; one who does not look gets that far {_often(chance)}"
    return (
        f"{head}: {ours.hits} of {answered} right ({numbers.percent(ours)}), {compared}{chances}; "
        f"{remedy}."
    )


def _attractor(finding: Attractor) -> str:
    sources = numbers.plural(len(finding.sources), "class", "classes")
    text = (
        f"{_name(finding.label)} attracts wrong answers: {finding.taken} of {finding.wrong}, from "
        f"{sources}, most from {_names(finding.sources)}; spread evenly it would be "
        f"{finding.even:.0f} ({numbers.p_value(finding.p_value)})"
    )
    match finding.prompt:
        case "example":
            return f"{text}. It is the prompt's example: take that out of the Modelfile."
        case "named":
            return f"{text}. The Modelfile names it, and few other labels: take that out."
        case None:
            return f"{text}: look for what favours it in the Modelfile and the prompt."
        case _:
            assert_never(finding.prompt)


def _confused(finding: ConfusedPair) -> str:
    taken, taken_for = _name(finding.taken), _name(finding.taken_for)
    forth = f"{finding.forth} of {numbers.plural(finding.taken_images, 'image')}"
    back = f"{finding.back} of {finding.taken_for_images}"
    if finding.one_way:
        says = f"{taken} is taken for {taken_for} ({forth}), and far less the other way ({back})"
    else:
        says = (
            f"{taken} and {taken_for} are taken for each other ({forth}, and {back} the other way)"
        )
    chance = numbers.p_value(finding.p_value)
    return f"{says}; {chance}: describe in the labels what tells them apart."


def _weak(finding: WeakSlice) -> str:
    weak = Ratio(hits=finding.correct, total=finding.answered)
    rest = Ratio(hits=finding.rest_correct, total=finding.rest_answered)
    where = (
        f"where {_name(finding.tag)} is {_name(finding.value)}"
        if finding.value
        else f"without the tag {_name(finding.tag)}"
    )
    also = f"; {_names(finding.also)} also below the rest" if finding.also else ""
    return (
        f"Weak {where}: {weak.hits} of {weak.total} right ({numbers.percent(weak)}), "
        f"{rest.hits} of {rest.total} ({numbers.percent(rest)}) elsewhere "
        f"({numbers.p_value(finding.p_value)}){also}: look at these images, or gate them on "
        "their own."
    )


def _unparsed(finding: UnparsedKind) -> str:
    what, remedy = _UNPARSED.get(finding.reason, (f"are {finding.reason}", "look at the answers"))
    said = " and ".join(shorten(text, _SAID) for text in finding.texts if text.strip())
    share = numbers.percent(Ratio(hits=finding.count, total=finding.answered))
    such = f", such as {said}" if said else ""
    return (
        f"{numbers.count(finding.count)} of {numbers.plural(finding.answered, 'answer')} ({share}) "
        f"{what}{such}: {remedy}."
    )


def _name(text: str) -> str:
    return shorten(text, _NAME)


def _names(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - _LISTED} more" if len(labels) > _LISTED else ""
    return ", ".join(map(_name, labels[:_LISTED])) + more


def _often(chance: float) -> str:
    return f"{numbers.percent(chance, 0)} of the time"
