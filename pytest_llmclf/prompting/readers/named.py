"""Readers with simpler rules than the strict one, chosen by name where they fit the answers.

`first`, `last` and `contains` look at the labels in an answer and at nothing else: a negation, a
comparison or a doubt does not count. A label that is a word of the language, too, counts as in
`sentence`. `exact` takes a whole answer alone, in upper and lower case as it is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmclf.prompting.label_text import normalise
from pytest_llmclf.prompting.readers.json_answer import json_values
from pytest_llmclf.prompting.readers.markup import declared, unfenced, without_control_tokens
from pytest_llmclf.prompting.readers.reader import LONGEST_ANSWER, LabelOrReason
from pytest_llmclf.prompting.readers.sentence import labels_in, tokenise

if TYPE_CHECKING:
    from pytest_llmclf.prompting.labels import LabelSet
    from pytest_llmclf.values.answer import Finish


def read_first(text: str, labels: LabelSet, finish: Finish = "stop") -> LabelOrReason:
    """The first label that the answer names, whatever stands around it."""
    names = _named(text, labels)
    return _found(names[0], text, finish) if names else _found(None, text, finish)


def read_last(text: str, labels: LabelSet, finish: Finish = "stop") -> LabelOrReason:
    """The last label that the answer names, whatever stands around it.

    An answer that was cut at the token limit may not have come to it and is not read.
    """
    names = _named(text, labels) if finish != "length" else []
    return _found(names[-1], text, finish) if names else _found(None, text, finish)


def read_contained(text: str, labels: LabelSet, finish: Finish = "stop") -> LabelOrReason:
    """The one label that the answer names anywhere; with several of them none."""
    names = set(_named(text, labels))
    if len(names) > 1:
        return LabelOrReason(label=None, reason="several-labels")
    return _found(next(iter(names), None), text, finish)


def read_exactly(text: str, labels: LabelSet, finish: Finish = "stop") -> LabelOrReason:
    """The label that the whole answer is, upper and lower case as written.

    The answer may be JSON whose ``label``, ``class`` or ``answer`` it is, stand in a code fence or
    box, or have quotes, brackets and closing punctuation around it. An answer that was cut at the
    token limit is not read.
    """
    if finish == "length" or len(text) > LONGEST_ANSWER:
        return _found(None, text, "length" if finish == "length" else "stop")
    body = unfenced(without_control_tokens(text))
    for said in ([text], json_values(body) or [body], declared(body)):
        names = {labels.find(value) for value in said}
        if len(names) == 1 and (name := names.pop()) is not None:
            return _found(name, text, finish)
    return _found(None, text, finish)


def _named(text: str, labels: LabelSet) -> list[str]:
    if len(text) > LONGEST_ANSWER:
        return []
    whole = labels.spellings.whole(text)
    if whole is not None:
        return [whole]
    tokens = tokenise(unfenced(without_control_tokens(text)))
    found = labels_in(tokens, labels.spellings)
    return [one.label for one in found if one.standing == "named"]


def _found(name: str | None, text: str, finish: Finish) -> LabelOrReason:
    if name is not None:
        return LabelOrReason(label=name, reason=None)
    if finish == "length":
        return LabelOrReason(label=None, reason="cut-off")
    return LabelOrReason(label=None, reason="outside-the-list" if normalise(text) else "empty")
