r"""The strict reader, which is the default: nothing is guessed.

An answer is read by the first of these rules that applies; an answer that none of them reads is
`unparsed`, with a reason:

1. It is JSON: its one value, or that of ``label``, ``class`` or ``answer``, is the answer.
2. The whole answer is a label or a synonym. Blank, ``_``, ``-`` and a capital inside of a word are
   one separator, and a plural is its singular, where that makes no two labels equal.
3. It declares its answer: ``\boxed{...}``, ``<answer>...</answer>``, or lines such as
   ``Answer: ...``; all that it declares is the same label.
4. It begins with a label, alone on its line or before a comma, colon, dash or bracket, and the
   rest names no other one and takes nothing back.
5. It names one label only, in sentences that say so: what stands before it is from a closed list
   of words (`label_words.BEFORE_LABEL`), what follows is no further part of a name
   (`label_words.BEHIND_LABEL`), and nothing in the answer doubts or takes back.

In 4 and 5 a label that is said *not* to be the answer ("unlike a dog") counts as not named.

An answer that was cut at the token limit is read only where what it says is complete: closed JSON,
a closed box, or a label on a line of its own that was ended; "1" may have been going to be "10".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pytest_llmclf.prompting.label_text import (
    BEFORE_LABEL,
    BEHIND_LABEL,
    CARRIERS,
    DENIES,
    HEDGES,
    HOLDS,
    NEGATIVE,
    REFUSAL,
    RETRACTS,
    SUBJECTS,
    TAKES_BACK,
    VERBS,
    fold,
    normalise,
    parts,
)
from pytest_llmclf.prompting.readers.json_answer import json_values
from pytest_llmclf.prompting.readers.markup import (
    declared,
    unfenced,
    without_control_tokens,
    without_emphasis,
)
from pytest_llmclf.prompting.readers.reader import LONGEST_ANSWER, LabelOrReason
from pytest_llmclf.prompting.readers.sentence import (
    Named,
    Token,
    hidden_labels,
    labels_in,
    tokenise,
    without_contrasts,
)

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
    r"(?:\b(?:answer|label|class|category|classification|prediction|match|option|choice|one)\b"
    r"(?P<gap>[^:]{0,80}?)(?:\b(?:is|would be)|:|\u2192|->)"
    r"|\b(?:so|therefore|thus|hence)\b,? (?:it|this|that)(?: is|'s| must be))"
    r"\s{0,3}:?\s{0,3}(?:an? |the )?(?P<value>[^,:]{1,60}?)"
    r"(?:,? (?:because|since|as|given|due) .{0,200})?$"
)
_SENTENCE: Final = re.compile(r"[.!?;\n]{1,9}(?:\s|$)|\n")
_IS: Final = ("is", "was", "are")
_SHOWN: Final = frozenset(
    (
        "shown", "depicted", "displayed", "visible", "present", "seen", "the", "in", "on",
        "sitting", "standing", "lying",
    )
)  # fmt: skip


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
    return _parsed(name, "\n".join(values) if values else body, labels, cut=False)


def _in_text(text: str, labels: LabelSet, *, cut: bool) -> str | None:
    """Rules 2 to 5."""
    if not cut:
        name = labels.spellings.whole(text) or labels.spellings.whole(_without_signs(text))
        if name is not None:
            return name
    boxes = declared(text)
    if boxes:
        return _agreed(_declared_label(box, labels) for box in boxes)
    name = _at_the_beginning(text, labels, cut=cut)
    if name is None:
        name = _in_answer_lines(text, labels, cut=cut)
    if name is None and not cut:
        name = _in_conclusions(text, labels) or _asserted(text, labels)
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
        return name if _clean(tokenise("".join(lines[1:])), name, labels) else None
    if cut:
        return None
    tokens = tokenise(text)
    first = next(iter(labels_in(tokens[: labels.spellings.longest], labels.spellings)), None)
    if first is None or first.start or first.standing != "named":
        return None
    last = tokens[first.stop - 1]
    if last.asks or not (last.breaks or last.ends):
        return None
    return first.label if _clean(tokens[first.stop :], first.label, labels) else None


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
    return name if name is not None and _clean(tokenise(rest), name, labels) else None


def _in_conclusions(text: str, labels: LabelSet) -> str | None:
    """Rule 3, sentences: what "so the answer is ..." says, if all agree and none follows it."""
    names: list[str | None] = []
    rest: list[str] = []
    for sentence in _SENTENCE.split(text):
        match = _CONCLUSION.search(fold(sentence).rstrip(" *_`\"'.!)"))
        value = None
        if match is not None:
            gap = set(parts(match["gap"] or ""))
            if not gap & (HEDGES | TAKES_BACK) and "n't" not in (match["gap"] or ""):
                value = labels.spellings.whole(match["value"])
        if value is None:
            rest.append(sentence)
        else:
            names.append(value)
            rest = []
    name = _agreed(names)
    return name if name is not None and _clean(tokenise("\n".join(rest)), name, labels) else None


def _clean(tokens: Sequence[Token], name: str, labels: LabelSet) -> bool:
    """Whether words behind an answer leave it standing."""
    kept, denied, names = _outside_contrasts(tokens, labels)
    taken = _takes_back(kept, name, labels, explains=True)
    return name not in denied and not names - {name} and not taken


def _outside_contrasts(
    tokens: Sequence[Token], labels: LabelSet
) -> tuple[tuple[Token, ...], set[str], set[str]]:
    """The words outside of contrasts, the labels denied in those, and the labels of the rest."""
    kept, denied = without_contrasts(tokens, labels_in(tokens, labels.spellings))
    found = labels_in(kept, labels.spellings)
    names = {one.label for one in found if one.standing != "nothing"}
    return kept, denied, names | hidden_labels(kept, found, labels.spellings)


def _takes_back(
    tokens: Sequence[Token], name: str, labels: LabelSet, *, explains: bool = False
) -> bool:
    """Whether a word denies or doubts; words of the label itself do not, nor "no" behind "no".

    In an explanation behind an answer "with no mane" denies nothing; "It is not." does.
    """
    own = {
        place
        for one in labels_in(tokens, labels.spellings)
        if one.label == name
        for place in range(one.start, one.stop)
    }
    words = {
        part
        for place, token in enumerate(tokens)
        if place not in own
        for part in (*parts(token.word), *(["n't"] if "n't" in token.word else []))
    }
    taken = words & (TAKES_BACK | {"n't"})
    if explains:
        taken = {word for word in taken if word not in DENIES or _denies(tokens, word)}
    if not NEGATIVE.isdisjoint(labels.spellings.words_of(name)):
        taken -= DENIES | {"n't"}
    return bool(taken)


def _denies(tokens: Sequence[Token], word: str) -> bool:
    """Whether a denying word is about the answer before it, and not about what an image lacks."""
    first = 0
    for place, token in enumerate(tokens):
        if word in parts(token.word):
            begin = tokens[first].word
            before = tokens[place - 1].word if place > first else ""
            short = place == first and (token.ends or token.breaks or place + 2 >= len(tokens))
            if short or (begin in RETRACTS and before not in HOLDS - {"is", "are"}):
                return True
            if place == first and word not in ("no", "without", "nothing", "none"):
                return True
        if token.ends:
            first = place + 1
    return False


def _asserted(text: str, labels: LabelSet) -> str | None:
    """Rule 5."""
    tokens, denied, names = _outside_contrasts(tokenise(text), labels)
    found = [one for one in labels_in(tokens, labels.spellings) if one.standing == "named"]
    if len(names) != 1 or not found:
        return None
    name = names.pop()
    if name in denied or _takes_back(tokens, name, labels):
        return None
    sentences = {_sentence(tokens, one): one for one in reversed(found)}
    if all(_says(tokens[start:stop], start, one) for (start, stop), one in sentences.items()):
        return name
    return None


def _sentence(tokens: Sequence[Token], one: Named) -> tuple[int, int]:
    """First token and one behind the last token of the sentence that a label stands in."""
    start = one.start
    while start and not tokens[start - 1].ends:
        start -= 1
    stop = one.stop
    while stop < len(tokens) and not tokens[stop - 1].ends:
        stop += 1
    return start, stop


def _says(sentence: Sequence[Token], offset: int, one: Named) -> bool:
    """Whether a sentence asserts the label that it names first."""
    words = {token.word for token in sentence}
    left = sentence[: one.start - offset]
    right = sentence[one.stop - offset :]
    label = {token.word for token in sentence[one.start - offset : one.stop - offset]}
    if sentence[-1].asks or words & HEDGES - label:
        return False
    if not _leads_to_the_name(left):
        return False
    return not right or sentence[one.stop - offset - 1].breaks or _ends_the_name(right, label)


def _leads_to_the_name(left: Sequence[Token]) -> bool:
    """Whether the words before a label assert it and are no part of a longer name."""
    comma = max((place for place, token in enumerate(left) if token.breaks), default=-1)
    clause = left[comma + 1 :]
    verb = max((place for place, token in enumerate(clause) if token.word in VERBS), default=-1)
    if verb < 0:
        # Without a verb of its own the clause belongs to what stands before the comma.
        return all(token.word in BEFORE_LABEL for token in left)
    subject = all(token.word in BEFORE_LABEL | SUBJECTS for token in clause[:verb])
    return subject and all(token.word in BEFORE_LABEL for token in clause[verb + 1 :])


def _ends_the_name(right: Sequence[Token], label: set[str]) -> bool:
    """Whether the words behind a label are no further part of a name."""
    following = right[0].word
    if all(token.word in CARRIERS or token.word in label for token in right):
        # "1 1" may be eleven.
        return not (following.isdecimal() and following in label)
    if following in _IS:
        return len(right) > 1 and right[1].word in _SHOWN
    if following == "of":
        # "a photo of ..." is a photo; "a bishop of ..." may be another thing.
        return not label.isdisjoint(CARRIERS)
    return following in BEHIND_LABEL or (following in CARRIERS and right[0].breaks)


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
