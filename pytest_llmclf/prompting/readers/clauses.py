"""What each clause of an answer says of the labels in it: asserts, denies, doubts, compares.

A sentence is cut into clauses, for a concession ("although it resembles a dog, ...") says nothing
against what the sentence asserts, and a denial reaches to the end of its clause.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from pytest_llmclf.prompting.label_text import (
    BEFORE_LABEL,
    BEHIND_LABEL,
    CARRIERS,
    CONTRASTS,
    NEGATIVE,
    SUBJECTS,
    VERBS,
    parts,
)
from pytest_llmclf.prompting.readers.noun_phrase import begin_of_phrase, ends_the_phrase, is_sure
from pytest_llmclf.prompting.readers.sentence import Named, Token, is_number, labels_in
from pytest_llmclf.prompting.readers.word_lists import (
    ATTACHES,
    AUXILIARY,
    BESIDE,
    BINS,
    CERTAIN,
    CLASSES,
    COLOUR,
    COLOURED,
    COLOURS,
    COMPARES,
    CONCEDED,
    CONCEDES,
    CONCLUDES,
    CUES,
    DETERMINER,
    DOUBTS,
    EXISTS,
    FAVOURS,
    HAS_WHAT,
    IMAGES,
    INTRODUCES,
    JUDGES,
    LACKS,
    LEADS_IN,
    OPENS_ANYWHERE,
    OPENS_BEHIND_COMMA,
    PARTS,
    PEOPLE,
    PLACES,
    SAID_BY,
    SAYS,
    SCENE,
    SIGNS_OF,
    SORTED_INTO,
    SUBJECT_NOUNS,
    SUBJECT_PRONOUNS,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmclf.prompting.spellings import SpellingIndex

Status = Literal["asserted", "denied", "doubted", "compared", "conceded", "mentioned"]

_SPELLED: Final = ("letter", "digit", "numeral", "character")
_LONGEST_CLAUSE: Final = 120
"""Words of a clause that is taken apart; a longer one, such as a list, asserts nothing."""
_LONGEST_SAYING: Final = 4
_LONGEST_SUBJECT: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A label in an answer, and what its clause says of it.

    Attributes:
        label: Its name.
        status: What the clause says.
        decisive: Whether it is asserted of the whole image, and not as one thing among others.
        bare: Whether its sentence begins with its noun phrase.
        place: Its first token.
        sentence: First token of its sentence and one behind its last.
    """

    label: str
    status: Status
    decisive: bool
    bare: bool
    place: int
    sentence: tuple[int, int]


def sentences(tokens: Sequence[Token]) -> Iterator[tuple[int, int]]:
    """First token of each sentence, and one behind its last."""
    start = 0
    for place, token in enumerate(tokens):
        if token.ends:
            yield start, place + 1
            start = place + 1
    if start < len(tokens):
        yield start, len(tokens)


def mentions(tokens: Sequence[Token], index: SpellingIndex) -> tuple[Mention, ...]:
    """Every label of an answer with what is said of it, in order."""
    found = [one for one in labels_in(tokens, index) if one.standing != "nothing"]
    said: list[Mention] = []
    at = 0
    for sentence in sentences(tokens):
        for clause in _clauses(tokens, sentence):
            inside = []
            while at < len(found) and found[at].start < clause[1]:
                inside.append(found[at])
                at += 1
            said.extend(
                _of_clause(tokens, sentence, clause, _no_colours(tokens, clause, inside, index))
            )
    return tuple(said)


def _no_colours(
    tokens: Sequence[Token], clause: tuple[int, int], inside: Sequence[Named], index: SpellingIndex
) -> list[Named]:
    """The labels of a clause without things that are a colour's name where a colour is told."""
    told = COLOUR.isdisjoint(token.word for token in tokens[clause[0] : clause[1]])
    if told or any((colour,) in index.exact for colour in COLOURS):
        return list(inside)
    return [one for one in inside if tokens[one.start].word not in COLOURED]


def _clauses(tokens: Sequence[Token], sentence: tuple[int, int]) -> Iterator[tuple[int, int]]:
    start, stop = sentence
    for place in range(start + 1, stop):
        if _opens(tokens, start, place, stop):
            yield start, place
            start = place
    yield start, stop


def _opens(tokens: Sequence[Token], start: int, place: int, stop: int) -> bool:
    """Whether a clause begins at a word that is not its sentence's first."""
    word = tokens[place].word
    if tokens[place - 1].breaks and tokens[start].word in CONCEDES:
        return True
    behind = tokens[place + 1].word if place + 1 < stop else ""
    if word in OPENS_ANYWHERE:
        return tokens[place - 1].word not in ("nothing", "anything", "even")
    if word == "and":
        return behind in SUBJECT_PRONOUNS
    if behind in SIGNS_OF and (word == "without" or (word == "no" and tokens[place - 1].breaks)):
        return True
    if not tokens[place - 1].breaks or (word == "no" and not tokens[place].breaks):
        return False
    return (word in OPENS_BEHIND_COMMA and place + 1 < stop) or (
        word == "the" and behind in CARRIERS | SUBJECTS
    )


def _of_clause(
    tokens: Sequence[Token],
    sentence: tuple[int, int],
    clause: tuple[int, int],
    inside: Sequence[Named],
) -> list[Mention]:
    said = [_mention(tokens, sentence, clause, one) for one in inside]
    if len({one.label for one in said if one.status == "asserted"}) > 1:
        # One among several: no statement of its own.
        return [
            replace(one, status="mentioned", decisive=False) if one.status == "asserted" else one
            for one in said
        ]
    return said


def _mention(
    tokens: Sequence[Token], sentence: tuple[int, int], clause: tuple[int, int], one: Named
) -> Mention:
    if clause[1] - clause[0] > _LONGEST_CLAUSE:
        return Mention(
            label=one.label,
            status="mentioned",
            decisive=False,
            bare=False,
            place=one.start,
            sentence=sentence,
        )
    first = clause[0]
    while first < one.start and _leads_in(tokens[first], tokens[one.start]):
        first += 1
    left, right = without_idioms(tokens[first : one.start]), tokens[one.stop : clause[1]]
    label = tokens[one.start : one.stop]
    asked = one.standing != "named" or tokens[sentence[1] - 1].asks
    status: Status = "mentioned" if asked else _status(left, label, right)
    bare = clause[0] == sentence[0] and not any(
        token.word in VERBS | CONCLUDES or token.introduces for token in left
    )
    whole = bare or EXISTS.isdisjoint(token.word for token in left)
    return Mention(
        label=one.label,
        status=status,
        decisive=whole and status == "asserted",
        bare=bare,
        place=one.start,
        sentence=sentence,
    )


def _leads_in(token: Token, label: Token) -> bool:
    """Whether a clause's first word only joins it to what was said ("but", "no, ...", "3)")."""
    if token.word in ("no", "yes"):
        return token.breaks
    numbered = token.word.isdecimal() and not is_number(label.word)
    return numbered or token.word in LEADS_IN - CONCEDES


def _status(left: Sequence[Token], label: Sequence[Token], right: Sequence[Token]) -> Status:
    before = [token.word for token in left]
    behind = [token.word for token in right]
    if any(tuple(behind[: len(lead)]) == lead for lead in CONTRASTS if lead != ("not",)):
        right, behind = (), []
    own = {token.word for token in label}
    begin = begin_of_phrase(left, label[0].word, closed=_needs_closed(label))
    if begin is not None and _contrasted(before[:begin]):
        return "denied"
    denials = LACKS if own.isdisjoint(NEGATIVE) else LACKS - NEGATIVE - {"not", "cannot"}
    if _not_excluded(behind):
        return "doubted"
    if _denied(before, behind, denials, breaks=label[-1].breaks):
        return "denied"
    if _imagined(before, behind):
        return "compared"
    doubted = not DOUBTS.isdisjoint({*before, *behind} - own)
    thought = _thought(before, doubted=doubted)
    if thought is not None or begin is None:
        return thought or "mentioned"
    return "asserted" if _asserts(left, begin, label, right) else "mentioned"


def _imagined(before: Sequence[str], behind: Sequence[str]) -> bool:
    """Whether a clause says what another label would be like ("a square would have ...")."""
    if before[:1] == ["if"] and before[2:3] == ["were"]:
        return True
    if set(before) - DETERMINER - BEFORE_LABEL or behind[:1] != ["would"]:
        return False
    rest = [word for word in behind[1:] if word not in ("not", "also", "typically", "usually")]
    if rest[:1] == ["be"]:
        return len(rest) > 1 and FAVOURS.isdisjoint(rest)
    return len(rest) > 1 and rest[0] in HAS_WHAT


def _not_excluded(behind: Sequence[str]) -> bool:
    """Whether a label is said not to be excluded, by which it stays possible."""
    at = next((at for at, word in enumerate(behind) if word in ("excluded", "ruled")), 0)
    return any(word in ("not", "cannot") or "n't" in word for word in behind[:at])


def _thought(before: Sequence[str], *, doubted: bool) -> Status | None:
    """What a clause says that compares, doubts or concedes, by the words before its label."""
    concedes = bool(before) and (before[0] in CONCEDES or not CONCEDED.isdisjoint(before))
    if not COMPARES.isdisjoint(before) and not concedes:
        return "compared"
    if doubted:
        return "doubted"
    return "conceded" if concedes else None


def _asserts(
    left: Sequence[Token], begin: int, label: Sequence[Token], right: Sequence[Token]
) -> bool:
    """Whether a clause says of the image what a noun phrase names that begins at `begin`."""
    determined = begin < len(left) and left[begin].word in DETERMINER
    words = [token.word for token in left[:begin]]
    if label[0].word in JUDGES and _cued(words) and not PARTS.isdisjoint(words):
        return False
    if _sorted_into(words):
        return not right or label[-1].breaks or right[0].word in BINS | BEHIND_LABEL
    if not _leads(left[:begin], determined=determined):
        return False
    if not right or label[-1].breaks:
        return True
    return ends_the_phrase(right, {token.word for token in label}, determined=determined)


def without_idioms(tokens: Sequence[Token]) -> list[Token]:
    """The words without phrases that deny or doubt in form only ("no doubt this is ...")."""
    kept = list(tokens)
    there = {token.word for token in kept}
    for idiom in CERTAIN:
        if not there.issuperset(idiom):
            continue
        for place in range(len(kept) - len(idiom) + 1):
            if tuple(token.word for token in kept[place : place + len(idiom)]) == idiom:
                del kept[place : place + len(idiom)]
                break
    return kept


def _needs_closed(label: Sequence[Token]) -> bool:
    word = label[0].word
    return len(label) == 1 and (is_number(word) or len(word) == 1 or word in CARRIERS)


def _contrasted(words: Sequence[str]) -> bool:
    return any(tuple(words[-len(lead) :]) == lead for lead in CONTRASTS)


def _denied(
    before: Sequence[str], behind: Sequence[str], denials: frozenset[str], *, breaks: bool
) -> bool:
    def denies(word: str) -> bool:
        negated = "n't" in word and "not" in denials
        return negated or not denials.isdisjoint(parts(word))

    if any(map(denies, before)):
        return True
    if breaks or not behind or not any(map(denies, behind)):
        return False
    return denies(behind[0]) or behind[0] in AUXILIARY


def _leads(left: Sequence[Token], *, determined: bool) -> bool:
    """Whether the words before a noun phrase assert it.

    Args:
        left: The clause up to the phrase.
        determined: Whether an article or the like begins the phrase.
    """
    words = [token.word for token in left]
    comma = max((place for place, token in enumerate(left) if token.breaks), default=-1)
    last = words[comma + 1 :]
    if words and not last and words[0] in INTRODUCES:
        return PARTS.isdisjoint(words)
    if determined and left and left[-1].introduces:
        return True
    if all(word in SAYS or word in SCENE or is_sure(word) for word in last):
        verb_of_its_own = any(word in VERBS for word in last)
        return comma < 0 or verb_of_its_own or all(word in SAYS for word in words)
    return _cued(words) or (determined and _images(last)) or _says_of_the_image(words, comma)


def _sorted_into(words: Sequence[str]) -> bool:
    """Whether the last words say where what is asked about goes ("should go in")."""
    for cue in SORTED_INTO:
        if tuple(words[-len(cue) :]) == cue:
            subject = [word for word in words[: -len(cue)] if word not in SAID_BY]
            return all(word in SUBJECT_PRONOUNS | SUBJECT_NOUNS | DETERMINER for word in subject)
    return False


def _cued(words: Sequence[str]) -> bool:
    """Whether the last words say of what the image is, whatever the subject ("made of")."""
    if words[-2:-1] == ["the"] and words[-1] in _SPELLED:
        return BESIDE.isdisjoint(words)
    if words[-3:-2] == ["the"] and words[-2] in CLASSES and words[-1] == "of":
        words = words[:-3]
    return any(tuple(words[-len(cue) :]) == cue for cue in CUES)


def _images(words: Sequence[str]) -> bool:
    """Whether a verb of any kind says what an image or a person in it has or does."""
    subject = [word for word in words if word not in DETERMINER]
    if not subject or len(subject) > _LONGEST_SAYING:
        return False
    if subject[0] in IMAGES:
        return subject[-1].endswith(("s", "ing", "on", "by", "up"))
    return subject[0] in PEOPLE and subject[-1].endswith("ing")


def _says_of_the_image(words: Sequence[str], comma: int) -> bool:
    """Whether the last verb's subject is the image, or what was asked about."""
    verb = max((place for place, word in enumerate(words) if word in VERBS), default=-1)
    if verb < 0 or not all(word in BEFORE_LABEL for word in words[verb + 1 :]):
        return False
    if words[verb].startswith("there") or words[verb - 1 : verb] == ["there"]:
        return True
    return _speaks_of_the_image(words[comma + 1 : verb] or words[:verb])


def _speaks_of_the_image(subject: Sequence[str]) -> bool:
    """Whether a subject is what was asked about, and not a part of it or how it looks."""
    if subject and subject[-1] in SUBJECT_PRONOUNS:
        return True
    begin = 0
    while begin < len(subject) and subject[begin] in SAID_BY:
        begin += 1
    rest = [word for word in subject[begin:] if word not in DETERMINER]
    if all(word in SUBJECT_NOUNS or word in PLACES for word in rest):
        return bool(rest)
    if len(rest) == len(subject) - begin or len(rest) > _LONGEST_SUBJECT:
        return False
    head = next((at for at, word in enumerate(rest) if word in ATTACHES), len(rest))
    return head > 0 and not any(word in PARTS or word.endswith("'s") for word in rest[:head])
