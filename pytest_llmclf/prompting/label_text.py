"""Words of an answer: how text becomes them, and the closed sets that decide what may stand there.

Everything that a reader of answers may take for granted is listed here and, for the strict reader,
in `readers/word_lists.py`, so that it can be read, argued about and tested. English only: in
another language the whole answer, its first or last line, or JSON must name the label.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final


def listed(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


FUNCTION_WORDS: Final = listed(
    # articles, pronouns, copulas
    "a an the i this that it its it's that's this's there there's here here's i is are "
    # what an image does, and where
    "see shows show shown showing depicts depicted depicting displays displayed displaying "
    "features featuring contains represents of in"
)
"""Words without a meaning of their own. A label that is such a word ("a", "I") is read from a whole
answer, a first line or JSON, never from a sentence, where it may be the article."""

CARRIERS: Final = FUNCTION_WORDS | listed(
    # what it is
    "picture image photo photograph drawing illustration handwritten object "
    # what is asked for
    "answer label class category classification correct final "
    # what the things of common label sets are called
    "animal digit number numeral letter piece chess"
)
"""Words that may stand beside one label without changing what is said.

No negation, no hedge ("probably", "looks like"), no comparison, no "and" or "or", no adjective. A
word that is itself one of the labels counts as that label.
"""

BEFORE_LABEL: Final = CARRIERS | listed(
    # who says so, and how: an assertion, never a doubt
    "we you me my can be think believe would say conclude confident sure certainly definitely "
    "clearly course okay ok appears appear seems seem identified classified recognized recognised "
    "labeled labelled described categorized categorised identify classify "
    # on what grounds
    "based on upon looking at from given provided according as to by its "
    # what is spoken of
    "main central only single primary subject figure creature thing item character symbol type "
    "kind species breed depiction view shot close-up closeup portrait scene one two three several "
    "some what was there's lone option choice result output prediction response following "
    "corresponds corresponding to represented capital uppercase lowercase upper lower case "
    "scoop slice plate bowl cup bottle bouquet pile stack row basket swarm colony "
    "group herd flock pack pair bunch field unmistakably surely must only have here you've we've "
    "black-and-white "
    # what it looks like, where that never makes another thing of it ("hot dog", "red panda")
    "cute small little tiny large young adult baby fluffy furry beautiful lovely adorable "
    "handsome colorful colourful stylized stylised cartoon handwritten hand-drawn clear simple "
    "simplified typical common domestic wooden metal metallic plastic 3d 2d black white brown "
    "grey gray golden orange dark light blurry low-resolution pixelated bold classic realistic "
    "digital vector emoji icon silhouette sketch outline minimalist happy smiling"
)
"""Words that may stand before the one label of a sentence, as "I think this is a small ..."."""

SUBJECTS: Final = listed(
    "flower flowers food item clothing garment vehicle plant fruit vegetable sign scene land use "
    "cover terrain landscape texture material product part defect condition finding diagnosis "
    "x-ray xray scan building place instrument tool shape colour color gesture emotion expression "
    "person disease insect bird fish tree leaf ship aircraft logo brand flag style sport activity "
    "test result room sample weather car shirt facial impression verdict decision "
    "dish dessert drink container furniture device satellite aerial medical chest traffic road "
    "hand language best match most fitting suitable appropriate likely which one that applies "
    "described these those animals objects pieces digits letters numbers pictures images labels"
)
"""Further words that may stand before the verb of a sentence, in what it speaks of: "The item of
clothing is a ...". Not behind the verb, where they would be a part of the name."""

VERBS: Final = listed(
    "is are was be it's that's this's there's here's shows show depicts displays contains features "
    "represents indicates as corresponds has have looks stands sits lies means equals appears "
    "appear seems seem uses read reads"
)
"""Words that part what a sentence speaks of from what it says of it."""

RETRACTS: Final = listed("it it's its this that that's i i'm i've you we he she they answer label")
"""First words of a sentence whose denial is of the label before it ("It is not ...")."""

HOLDS: Final = listed("has have had with show shows showing are is")
"""Words before "no" and the like that say what an image lacks ("with no visible mane")."""

BEHIND_LABEL: Final = listed(
    "in on at with sitting standing lying laying looking facing walking running sleeping resting "
    "playing wearing holding eating perched flying swimming grazing jumping posing that which who "
    "from against near under beside behind among within inside outside because since due made "
    "drawn written rendered printed carved viewed visible seen crawling climbing staring perching "
    "as for given judging by"
)
"""First words of what may follow the label in its sentence and is no longer part of a name, as
"house" behind "dog" would be."""

ANNOUNCES: Final = listed(
    "letter digit number numeral character symbol answer label class category option choice is"
)
"""Words directly before a label that could be another word, too ("the letter A", "the digit 7")."""

NUMBER_WORDS: Final = listed(
    "zero one two three four five six seven eight nine ten eleven twelve first second third "
    "thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty "
    "seventy eighty ninety"
)
"""Words that count what follows, where they do not stand alone."""

DETERMINERS: Final = listed("no yes none not this that these those any each every some all")
"""Words that speak of what follows; as labels they count at an end or behind `ANNOUNCES` only."""

HEDGES: Final = listed(
    "probably likely could may guess guessing or either if whether similar resembles resembling "
    "like almost nearly assume suspect suggests looks"
)
"""Words that keep a sentence from asserting the label that it names."""

CONTRASTS: Final = (
    ("unlike",), ("not",), ("rather", "than"), ("instead", "of"), ("as", "opposed", "to"),
    ("compared", "to"), ("compared", "with"), ("different", "from"), ("than",),
    ("in", "contrast", "to"), ("distinct", "from"), ("distinguishes", "it", "from"),
    ("distinguishing", "it", "from"),
)  # fmt: skip
"""What makes the label behind it one that the answer is not."""

NEGATIVE: Final = listed("no none not false negative without absent")
"""Labels that say no: words that deny take nothing back from them."""

DENIES: Final = listed("no not nor neither never none nothing without cannot")
"""The words of `TAKES_BACK` that deny, and do not doubt what was said before."""

TURNS: Final = listed("but however although except instead rather actually wait sorry correction")
"""Words behind which an answer says something else than before."""

TAKES_BACK: Final = TURNS | listed(
    "no not nor neither never none nothing without cannot wrong mistake mistaken incorrect unsure "
    "uncertain unclear unlikely maybe perhaps possibly might false"
)
"""Words behind a label's line after which that label does not stand; so does any ``...n't``."""

REFUSAL: Final = re.compile(
    r"\b(?:i(?: am|'m) (?:\w+ )?sorry|sorry,|my apologies|i apologi[sz]e"
    r"|i (?:cannot|can't|can not|could not|couldn't|won't|will not)"
    r"|i(?: am|'m) (?:\w+ )?(?:not able|unable|not sure|not certain)|unable to|not able to"
    r"|as an? (?:ai|artificial|language|large)"
    r"|(?:cannot|can't|can not|impossible to|hard to|difficult to) (?:be )?"
    r"(?:determine|identif\w+|see|tell|say|recogni[sz]e|answer|help|assist|classify))"
)
"""What a model says that declines; searched in normalised text."""

# Stripped at both ends of an answer and of each of its words. Only what decorates: quotes,
# brackets, markdown. Not what may change a value: "-7", "7%", "$7", ".7", "#7" and "cat?" stay.
_WRAPPING: Final = frozenset("\"'`\u00b4*_~|<>")
_ENDING: Final = frozenset(".,;:!\u2026\u3001\u3002\u0589\u060c\u061b\u06d4\u0964")
_OPENING: Final = frozenset("\u00a1\u00bf")
_BRACKETS: Final = frozenset(("Ps", "Pe", "Pi", "Pf"))
_BULLET: Final = re.compile(r"(?:[-+*\u2022\u2023\u2013\u2014]|#{1,6})\s+")
# Invisible: format characters (zero-width space, soft hyphen, direction marks) and the
# variation selectors that choose between the text and the emoji form of a sign.
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
_MOST_MARKS: Final = 30
_APOSTROPHES: Final = str.maketrans({"\u2018": "'", "\u2019": "'", "\u02bc": "'", "\uff07": "'"})
# A number with a point is one part: "7.5" names neither 7 nor 5.
_WORD: Final = re.compile(r"\d+(?:\.\d+)+|\w+")


def normalise(text: str) -> str:
    """Fold what does not tell one label from another.

    Unicode NFKC, case folding, invisible characters out, one kind of apostrophe, single spaces,
    and quotes, brackets, markdown, list bullets and closing punctuation off both ends. Applying it
    twice changes nothing.
    """
    return trim(" ".join(fold(text).split()))


def as_written(text: str) -> str:
    """`text` without what decorates it, as `normalise`, but in its own upper and lower case."""
    composed = unicodedata.normalize("NFC", _INVISIBLE.sub("", text))
    return trim(" ".join(composed.split()))


def fold(text: str) -> str:
    """Fold letters as `normalise` does and leave punctuation and white space alone."""
    if text.isascii():
        return text.casefold()
    text = _stream_safe(_INVISIBLE.sub("", text))
    text = unicodedata.normalize("NFKC", text).casefold()
    # Case folding can undo NFKC ("ΐ" and its like); the second round settles it.
    text = unicodedata.normalize("NFKC", text).casefold()
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).translate(_APOSTROPHES)


def _stream_safe(text: str) -> str:
    """Drop accents beyond the thirtieth on one letter, as no language has them.

    Putting accents into canonical order takes quadratic time (UAX #15 names the same limit).
    """
    kept, run = [], 0
    for char in text:
        run = run + 1 if unicodedata.combining(char) else 0
        if run <= _MOST_MARKS:
            kept.append(char)
    return "".join(kept)


def trim(text: str) -> str:
    """Take decoration off both ends of `text`, which is folded already."""
    if text.isalnum():  # most words: nothing decorates them
        return text
    start, end = 0, len(text)
    while start < end:
        bullet = _BULLET.match(text, start, end)
        if bullet:
            start = bullet.end()
        elif text[start] in _OPENING or _wraps(text[start]):
            start += 1
        else:
            break
    while start < end and (text[end - 1] in _ENDING or _wraps(text[end - 1])):
        end -= 1
    return text[start:end]


def words(text: str) -> tuple[str, ...]:
    """`text` cut at white space, each word without decoration; `text` is normalised.

    A word keeps what stands inside it, so "7.5", "cat-like" and "cat/dog" are one word each and
    equal to no label.
    """
    return tuple(word for word in map(trim, text.split()) if word)


def parts(text: str) -> tuple[str, ...]:
    """Cut out every run of letters and digits; `text` is folded. Finds more than `words` does."""
    return tuple(_WORD.findall(text))


def takes_back(text: str) -> bool:
    """Whether `text`, which is folded, holds a word that takes back what was said before it."""
    return "n't" in text or not TAKES_BACK.isdisjoint(parts(text))


def _wraps(char: str) -> bool:
    if char.isascii():
        return char in _WRAPPING or char in "()[]{}" or char.isspace()
    return char in _WRAPPING or char.isspace() or unicodedata.category(char) in _BRACKETS
