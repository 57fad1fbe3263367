r"""The strict reader, which is the default: nothing is guessed.

An answer is read by the first of these rules that applies; an answer that none of them reads is
`unparsed`, with a reason:

1. It is JSON: its one value, or that of ``label``, ``class`` or ``answer``, is the answer; else the
   only label among its values, or among those of XML tags (`readers/json_answer.py`).
2. The whole answer is a label or a synonym. Blank, ``_``, ``-`` and a capital inside of a word are
   one separator, and a plural is its singular, where that makes no two labels equal.
   So is a label behind a word of another language, in brackets or behind a colon or dash, or the
   only one in quotes in its sentence. Names that a label lists with commas are synonyms.
3. It declares its answer: ``\boxed{...}``, ``<answer>...</answer>``, or lines such as
   ``Answer: ...``; all that it declares is the same label.
4. It begins with a label, alone on its line or before a comma, colon, dash or bracket, and the
   rest names no other one and takes nothing back.
5. It asserts a label. Each clause of the answer asserts, denies, doubts, compares or only mentions
   the labels in it (`readers/clauses.py`), and the last one that asserts a label counts, unless a
   clause behind it doubts or takes back, another label is asserted and not corrected, or what
   stands around the label makes another thing of it (`readers/noun_phrase.py`: a "German Shepherd
   dog" is a dog, a "hot dog", a "dog house" and a "toy dog" are none).

What says that there is no image to look at is never read, nor is a question.

An answer that was cut at the token limit is read only where what it says is complete: closed JSON,
a closed box, or a label on a line of its own that was ended; "1" may have been going to be "10".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pytest_llmclf.prompting.label_text import (
    DENIES,
    HEDGES,
    REFUSAL,
    TAKES_BACK,
    fold,
    listed,
    normalise,
    parts,
)
from pytest_llmclf.prompting.readers.clauses import Mention, mentions, sentences, without_idioms
from pytest_llmclf.prompting.readers.counted import counted
from pytest_llmclf.prompting.readers.json_answer import json_fields, json_values, one_label
from pytest_llmclf.prompting.readers.markup import (
    declared,
    unfenced,
    without_control_tokens,
    without_emphasis,
    without_sureness,
    xml_fields,
)
from pytest_llmclf.prompting.readers.other_languages import denies_elsewhere, quoted, translated
from pytest_llmclf.prompting.readers.reader import LONGEST_ANSWER, LabelOrReason
from pytest_llmclf.prompting.readers.sentence import (
    Token,
    hidden_labels,
    labels_in,
    tokenise,
)
from pytest_llmclf.prompting.readers.taken_back import leaves_standing, takes_back
from pytest_llmclf.prompting.readers.word_lists import CONCLUDES, DOUBTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_llmclf.prompting.labels import LabelSet
    from pytest_llmclf.values.answer import Finish
    from pytest_llmclf.values.outcome import UnparsedReason

_ANSWER_LINE: Final = re.compile(
    r"[\W_]{0,9}(?:the |my |so |therefore,? )?(?:final |correct |predicted |best )?"
    r"(?:answer|label|class|category|classification|prediction|result|output|species|animal|digit"
    r"|number|letter|piece|object|type|option|choice)s?(?: is)?[\s*_`\"']{0,5}"
    r"(?:[:=\u2192]|->| [-\u2013\u2014] )(?P<value>.{1,400})"
)
_CONCLUSION: Final = re.compile(
    r"(?:\b(?:answer|label|class|category|classification|prediction|match|option|choice|one|letter|digit|numeral"
    r"|character)\b"
    r"(?P<gap>[^:]{0,80}?)(?:\b(?:is|would be)|:|\u2192|->)"
    r"|\b(?:so|therefore|thus|hence)\b,? (?:it|this|that)(?: is|'s| must be))"
    r"\s{0,3}:?\s{0,3}(?:an? |the )?(?P<value>[^,:]{1,60}?)"
    r"(?:,? (?:because|since|as|given|due) .{0,200})?$"
)
_SEES_NOTHING: Final = re.compile(
    r"(?:can't|cannot|can not|unable to|not able to) (?:see|view|access|open|process|analy[sz]e)"
    r" (?:any |the |this |your |an? )?(?:images?|pictures?|photos?|files?|attachments?)\b"
    r"|\bno (?:image|picture|photo|file|attachment)(?:[.!,]| (?:was|is|has|attached|provided|given"
    r"|here|to|visible|available|in (?:your|this|the|our)|that)\b)"
)
_SENTENCE: Final = re.compile(r"[.!?;\n]{1,9}(?:\s|$)|\n")
_WRONG: Final = listed("wrong incorrect false previous other")
_POSSIBLE: Final = frozenset(("might", "may", "could"))
_SORRY: Final = re.compile(r"sorry,? (?=i mean|it's|it is|that's|make that)")
_MOST_REASONING: Final = 8
"""Words of reasoning from which on a label in the last line is its conclusion."""
_SPEAKS_OF_LABELS: Final = listed(
    "label labels option options choice choices class classes category categories candidate "
    "candidates answer answers list following below neither none fit fits "
    "wrong incorrect excluded rejected discarded ruled possible"
)
"""Words of a sentence that may speak of the label below it."""
_BEHIND_INTERJECTION: Final = 9
"""Words that tell whether "Ok, ..." is an answer."""
_LEAST_REASONING: Final = 5
"""Words of a sentence that can reason about labels before an answer in the last line."""
_CORRECTS: Final = frozenset(
    ("actually", "correction", "wait", "sorry", "mistake", "mean", "meant", "rather")
)


def read_strictly(text: str, labels: LabelSet, finish: Finish = "stop") -> LabelOrReason:
    """Read the label that an answer names, by the rules at the top of this module.

    Takes any text and never raises; time grows with the text's length.

    Args:
        text: The model's answer.
        labels: What it may name.
        finish: Why the answer ended.
    """
    cut = finish == "length"
    if not cut and len(text) <= LONGEST_ANSWER and (name := labels.find(text)) is not None:
        return LabelOrReason(label=name, reason=None)
    if len(text) > LONGEST_ANSWER:
        return LabelOrReason(label=None, reason="cut-off" if cut else "outside-the-list")
    body = without_emphasis(unfenced(without_control_tokens(text)))
    values = json_values(body)
    if values is None:
        return _parsed(_in_text(body, labels, cut=cut), body, labels, cut=cut)
    named = {_in_text(value, labels, cut=False) for value in values}
    name = named.pop() if len(named) == 1 else None
    if not any(values):
        name = one_label(json_fields(body), labels.spellings.whole)
    return _parsed(name, "\n".join(values) if values else body, labels, cut=False)


def _in_text(text: str, labels: LabelSet, *, cut: bool) -> str | None:
    """Rules 2 to 5."""
    text = without_sureness(text)
    if not cut:
        name = labels.spellings.whole(text) or labels.spellings.whole(_without_signs(text))
        if name is not None:
            return name
    boxes = declared(text)
    fields, outside = xml_fields(text)
    if fields and not mentions(tokenise(outside), labels.spellings):
        name = one_label(fields, labels.spellings.whole)
        if name is not None and not takes_back(tokenise(outside), name, labels):
            return name
    if boxes:
        return _agreed(_declared_label(box, labels) for box in boxes)
    if _SEES_NOTHING.search(fold(text)) or denies_elsewhere(text):
        return None
    name = _at_the_beginning(text, labels, cut=cut)
    if name is None:
        name = _in_answer_lines(text, labels, cut=cut)
    if name is None and not cut:
        name = (
            translated(text, labels)
            or _in_conclusions(text, labels)
            or _asserted(text, labels)
            or _in_last_line(text, labels)
            or quoted(text, labels)
            or counted(text, labels)
        )
    return name


def _without_signs(text: str) -> str:
    """`text` without emoji and their like, which decorate."""
    if text.isascii():
        return text
    return "".join(char for char in text if char.isprintable() and not _is_sign(char))


def _is_sign(char: str) -> bool:
    return "\u2600" <= char <= "\u27bf" or "\U0001f000" <= char <= "\U0001faff"


def _declared_label(value: str, labels: LabelSet) -> str | None:
    return labels.spellings.whole(value) or _asserted(value, labels)


def _agreed(names: Iterable[str | None]) -> str | None:
    """The one name that all are, if none is missing."""
    different = set(names)
    return different.pop() if len(different) == 1 else None


def _at_the_beginning(text: str, labels: LabelSet, *, cut: bool) -> str | None:
    """Rule 4."""
    lines = text.lstrip().splitlines(keepends=True)
    if not lines:
        return None
    ended = not cut or lines[0] != lines[0].rstrip("\r\n")
    name = labels.spellings.whole(lines[0]) if ended else None
    if name is not None:
        return name if leaves_standing(tokenise("".join(lines[1:])), name, labels) else None
    if cut:
        return None
    tokens = tokenise(text)
    head = tokens[: labels.spellings.longest + _BEHIND_INTERJECTION]
    first = next(iter(labels_in(head, labels.spellings)), None)
    if first is None or first.start or first.standing != "named":
        return None
    last = tokens[first.stop - 1]
    if last.asks or not (last.breaks or last.ends):
        return None
    return first.label if leaves_standing(tokens[first.stop :], first.label, labels) else None


def _in_answer_lines(text: str, labels: LabelSet, *, cut: bool) -> str | None:
    """Rule 3, lines: the value of every "Answer: ..." line, if they agree and none follows it."""
    names: list[str | None] = []
    rest = ""
    lines = text.splitlines(keepends=True)
    for place, line in enumerate(lines):
        match = _ANSWER_LINE.fullmatch(fold(line).strip())
        complete = not cut or place + 1 < len(lines) or line != line.rstrip("\r\n")
        if match is not None and complete:
            names.append(labels.spellings.whole(match["value"]))
            rest = ""
        else:
            rest += line
    name = _agreed(names)
    return name if name is not None and leaves_standing(tokenise(rest), name, labels) else None


def _in_conclusions(text: str, labels: LabelSet) -> str | None:
    """Rule 3, sentences: what "so the answer is ..." says, if all agree and none follows it."""
    names: list[str | None] = []
    rest: list[str] = []
    for sentence in _SENTENCE.split(text):
        match = _CONCLUSION.search(fold(sentence).rstrip(" *_`\"'.!)"))
        value = None
        if match is not None:
            gap = set(parts(match["gap"] or ""))
            before = parts(fold(sentence)[: match.start()])
            if (
                _WRONG.isdisjoint(before)
                and not gap & (HEDGES | TAKES_BACK)
                and "n't" not in (match["gap"] or "")
            ):
                value = labels.spellings.whole(match["value"])
        if value is None:
            rest.append(sentence)
        else:
            names.append(value)
            rest = []
    name = _agreed(names)
    return (
        name
        if name is not None and leaves_standing(tokenise("\n".join(rest)), name, labels)
        else None
    )


def _asserted(text: str, labels: LabelSet) -> str | None:
    """Rule 5: what the last clause asserts that asserts anything, if the rest agrees."""
    tokens = tokenise(text)
    said = mentions(tokens, labels.spellings)
    last = next((one for one in reversed(said) if one.status == "asserted"), None)
    if last is None or REFUSAL.search(_SORRY.sub("", fold(text))):
        return None
    begin = last.sentence[0]
    before = [token.word for token in without_idioms(tokens[begin : last.place])]
    doubts = DOUBTS - _POSSIBLE if _turned(before) else DOUBTS
    if not doubts.isdisjoint(before) and not any(
        one.status not in ("asserted", "mentioned") and one.label != last.label
        for one in said
        if begin <= one.place < last.place
    ):
        return None
    if not _stands(last, said, tokens) or not _hidden_fit(last, tokens, labels):
        return None
    return last.label if leaves_standing(tokens[last.place :], last.label, labels) else None


def _turned(before: Sequence[str]) -> bool:
    """Whether a sentence first says what could be thought, and then what is."""
    return (
        "but" in before
        or "however" in before
        or before[:1] in (["although"], ["though"], ["while"])
    )


def _stands(last: Mention, said: Sequence[Mention], tokens: Sequence[Token]) -> bool:
    """Whether what an answer says before its last assertion leaves that standing."""
    for one in said:
        if one.place >= last.place:
            break
        same = one.label == last.label
        if one.status == "asserted" and not same and not _corrects(one, last, tokens):
            return False
        if one.status == ("denied" if same else "mentioned") and not (
            last.decisive and last.sentence != one.sentence
        ):
            return False
        if one.status in ("doubted", "asserted") and not last.decisive and not same:
            return False
        if one.status == "mentioned" and last.bare and _words(one.sentence) < _LEAST_REASONING:
            return False
    return not last.bare or not last.sentence[0] or _is_reasoned(last, tokens)


def _is_reasoned(last: Mention, tokens: Sequence[Token]) -> bool:
    """Whether the sentence before a bare label does not deny it."""
    # "Not that" above a label is about it; a longer line is a reason of its own.
    start = next(begin for begin, end in sentences(tokens) if end == last.sentence[0])
    words = {token.word for token in tokens[start : last.sentence[0]]}
    if words.isdisjoint(DENIES):
        return True
    return len(words) >= _LEAST_REASONING and words.isdisjoint(_SPEAKS_OF_LABELS)


def _words(sentence: tuple[int, int]) -> int:
    return sentence[1] - sentence[0]


def _corrects(one: Mention, last: Mention, tokens: Sequence[Token]) -> bool:
    """Whether an answer takes another label back that it asserted, or listed, before its last."""
    words = _CORRECTS if last.decisive else frozenset[str]()
    if one.bare:
        words |= CONCLUDES
    return any(tokens[place].word in words for place in range(last.place - 1, one.place, -1))


def _in_last_line(text: str, labels: LabelSet) -> str | None:
    """Rule 3, last line: the label that it is, behind reasoning that asserts no other one."""
    *above, last = text.strip().splitlines() or [""]
    reasoning = "\n".join(above).rstrip()
    name = labels.spellings.whole(last)
    if name is None or REFUSAL.search(_SORRY.sub("", fold(reasoning))):
        return None
    if not reasoning.rstrip(" *_`\"')").endswith((".", "!")):
        return None
    tokens = tokenise(reasoning)
    *_, (begin, end) = sentences(tokens)
    closing = {token.word for token in tokens[begin:end]}
    if len(tokens) < _MOST_REASONING or not closing.isdisjoint(_SPEAKS_OF_LABELS):
        return None
    if any(labels.spellings.whole(line) for line in above if line.strip()):
        return None
    for one in mentions(tokens, labels.spellings):
        same = one.label == name
        if one.status == "denied" if same else one.status == "asserted":
            return None
    return name


def _hidden_fit(last: Mention, tokens: Sequence[Token], labels: LabelSet) -> bool:
    """Whether no word of the sentence hides another label ("cat/dog")."""
    sentence = tokens[last.sentence[0] : last.sentence[1]]
    index = labels.spellings
    return not hidden_labels(sentence, labels_in(sentence, index), index) - {last.label}


def _parsed(name: str | None, text: str, labels: LabelSet, *, cut: bool) -> LabelOrReason:
    if name is not None:
        return LabelOrReason(label=name, reason=None)
    folded = normalise(text)
    tokens = tokenise(text)
    found = labels_in(tokens, labels.spellings)
    names = {one.label for one in found if one.standing != "nothing"}
    reason: UnparsedReason
    if REFUSAL.search(folded):
        reason = "refusal"
    elif len(names | hidden_labels(tokens, found, labels.spellings)) > 1:
        reason = "several-labels"
    elif cut:
        reason = "cut-off"
    else:
        reason = "outside-the-list" if folded else "empty"
    return LabelOrReason(label=None, reason=reason)
