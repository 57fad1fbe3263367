"""How sure an answer was: the probability of each label, from the tokens that decide for it.

Servers tell, for every token of an answer, its log-probability and the likeliest alternatives.
The tokens in which the named label is written are walked, each with its alternatives:

- A token after which only one label is possible decides for that label, and the label gets the
  token's probability times that of the tokens of the label before it: `` butter`` decides for
  butterfly where no other label begins like that. What would have followed an alternative is not
  told, so no label is charged for its own remaining letters; labels of many tokens would lose.
- A token that spells a label out decides for it, in any letter case, by any synonym, with blanks
  and quotes around it. Where it also begins another label (``1`` and 10, ``cat`` and caterpillar)
  only what follows tells them apart: the next token, if it is told, or that the other label stands
  in the list as a token of its own. Ollama does not tell the token that ends an answer, so after
  ``1`` the rest of 10 cannot be told from the end: that is unseen.
- A token that only begins a label counts if it is written as the answer is, in small or capital
  letters, and is no word such as "a". What begins several labels is shared among them evenly,
  and how much that is, is told; where the named label is one of them, it is unseen.
- Everything else (``animal``, ``Sorry``) belongs to no label.

The sums are divided by their total. That also puts right what servers tell of forced answers:
Ollama's values are those *before* the grammar, so a label may have 0.02 where "The" has 0.9.
They are conditional on what the answer said before the label, such as an article.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from pytest_llmclf.prompting.label_text import CARRIERS, fold, normalise, trim, words
from pytest_llmclf.prompting.readers import read_answer
from pytest_llmclf.values.thinking import split_thinking

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from pytest_llmclf.prompting.labels import Label, LabelSet
    from pytest_llmclf.values.answer import Answer, TokenLogprob

MOST_UNSEEN: Final = 0.25
"""What labels may have unseen, relative to what is seen, before nothing is said; a confidence is
then at most a fifth too high."""

_KEY: Final = re.compile(r'"(?:label|class|answer)"\s*:', re.IGNORECASE)
_BLANKS: Final = re.compile(r"\s+")

Spellings = tuple[tuple[str, str], ...]
"""Every folded spelling with its label, the longest spelling first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassProbabilities:
    """How sure one answer was.

    Attributes:
        label: The label that the answer names.
        probabilities: Probability of every label, in their order; they add up to 1.
        label_mass: What they added up to before: how likely any label at all was. Low where a
            grammar forced a model that was about to say something else.
        unseen_mass: Upper bound for what the labels that are not among the listed alternatives
            may have, on the scale of `label_mass`: each at most as likely as the least likely
            alternative listed, together at most what is left. They count as 0 above. Also what
            the named label and another one cannot be told apart in.
        shared_mass: Part of `label_mass` that other labels than the named one cannot be told apart
            in: it began several and was shared evenly, or spelt one that begins another.
        likeliest: Whether no listed alternative was likelier than a token that was chosen.
    """

    label: str
    probabilities: Mapping[str, float]
    label_mass: float
    unseen_mass: float
    shared_mass: float
    likeliest: bool

    @property
    def confidence(self) -> float:
        """Probability of the label that the answer names; not always the largest."""
        return self.probabilities[self.label]


def class_probabilities(
    answer: Answer, labels: LabelSet, label: str | None = None
) -> ClassProbabilities | None:
    """Probability of each label in an answer.

    Args:
        answer: The answer with its log-probabilities.
        labels: What it may name.
        label: The label that was read from it; ``None``: as the strict reader reads it.

    Returns:
        ``None`` where nothing can be said: no log-probabilities or no alternatives; no label
        named; the label not found in the tokens (they do not add up to the text, as with a sign
        cut in bytes); labels that differ in case alone; or too much may be unseen
        (`MOST_UNSEEN`), for want of alternatives.
    """
    # Tokens are compared without their case, which is all that tells some labels apart.
    if not answer.logprobs or labels.told_by_case:
        return None
    label = label or read_answer(answer, labels).label
    if label is None:
        return None
    spellings = _spellings(labels.labels)
    text = answer.text.strip()
    begin = _begin(answer, text)
    at = None if begin is None else _located(text, [f for f, owner in spellings if owner == label])
    if begin is None or at is None:
        return None
    walk = _Walk(label, spellings, answer.logprobs, begin, begin + at)
    if not walk.run():
        return None
    total = math.fsum(walk.mass.values())
    if total <= 0 or walk.unseen > MOST_UNSEEN * total:
        return None
    return ClassProbabilities(
        label=label,
        probabilities={name: walk.mass[name] / total for name in labels.names},
        label_mass=min(1.0, total),
        unseen_mass=walk.unseen,
        shared_mass=min(walk.shared, total),
        likeliest=walk.likeliest,
    )


@dataclass(frozen=True, slots=True)
class _Meant:
    """Labels that a token stands for: spelt out by it, or else begun; and longer ones then."""

    labels: AbstractSet[str] = frozenset()
    longer: AbstractSet[str] = frozenset()


class _Walk:
    """Along the tokens of one label, gathering what each label gets.

    Args:
        label: The label that the tokens spell.
        spellings: All labels' spellings.
        tokens: The answer.
        begin: Place of the answer's first character in the tokens' text.
        at: Place of the label's first character.
    """

    def __init__(
        self, label: str, spellings: Spellings, tokens: Sequence[TokenLogprob], begin: int, at: int
    ) -> None:
        self.mass: defaultdict[str, float] = defaultdict(float)
        self.unseen = 0.0
        self.shared = 0.0
        self.likeliest = True
        self._label = label
        self._spellings = spellings
        ends = list(accumulate(len(token.token) for token in tokens))
        first = next(place for place, end in enumerate(ends) if end > at)
        start = ends[first] - len(tokens[first].token)
        self._tokens = tokens[first:]
        self._inside = tokens[first].token[at - start :]
        before = "".join(token.token for token in tokens[:first])[-1:]
        # What stands before the answer is thinking, or a control token without text.
        self._word_open = start > begin and not _decorates(before)
        self._upper = self._inside[:1].isupper()

    def run(self) -> bool:
        """Walk; false where a token has no alternatives."""
        said, path, ended = "", 1.0, False
        for place, token in enumerate(self._tokens):
            if not token.top:
                return False
            self._alternatives(token, said, path)
            path *= _probability(token.logprob)
            reached = _folded(said + (token.token if place else self._inside))
            said, ended = reached, reached == said
            if self._decided(said):
                break
        else:
            # No token tells of the end, so not how likely another label was to follow.
            if not ended and self._possible(said) - {self._label}:
                self.unseen += path
        self.mass[self._label] += path
        return True

    def _alternatives(self, token: TokenLogprob, said: str, path: float) -> None:
        """Give the labels what the tokens that were not chosen here stand for."""
        seen = {self._label}
        others = list(_others(token))
        meant = [(self._meant(text, said), probability) for text, probability in others]
        # A label that an alternative may begin beside others has no token of its own by that.
        own = (found.labels for found, _ in meant if len(found.labels) == 1)
        apart = {self._label}.union(*own)
        for found, probability in meant:
            seen |= found.labels
            for label in found.labels:
                self.mass[label] += path * probability / len(found.labels)
            unclear = found.labels | (found.longer - apart)
            if len(unclear) > 1 and self._label in unclear:
                self.unseen += path * probability
            elif len(unclear) > 1:
                self.shared += path * probability
        chosen, listed = token.logprob, [value for _, value in token.top]
        self.likeliest &= chosen >= max(listed)
        left = 1 - math.fsum((_probability(chosen), *(found for _, found in others)))
        missing = self._possible(said) - seen
        most = len(missing) * _probability(min(listed))
        if said and _spelt(said, self._spellings) in missing:
            most = left  # the end of the answer, which a server may list nowhere
        self.unseen += path * max(0.0, min(left, most))

    def _meant(self, text: str, said: str) -> _Meant:
        """What an alternative stands for, after what was said of a label already."""
        if not said:
            bare = text[_lead(text) :]
            if len(bare) == len(text) and self._word_open:
                return _Meant()  # it would carry on the word before
            if not bare:
                return _Meant()
            text = bare
            written_alike = text[0].isupper() == self._upper
        else:
            written_alike = True
        reached = _folded(said + text)
        begun = {label for form, label in self._spellings if form.startswith(reached)}
        spelt = _spelt(reached, self._spellings)
        if spelt is not None:
            # A token without text ends the answer.
            return _Meant({spelt}, begun - {spelt} if reached != said else frozenset())
        if not written_alike or reached.strip() in CARRIERS:
            return _Meant()
        return _Meant(begun)

    def _possible(self, said: str) -> set[str]:
        """Labels that what was said may still become, or is."""
        found = {label for form, label in self._spellings if form.startswith(said)}
        spelt = _spelt(said, self._spellings)
        return found if spelt is None else found | {spelt}

    def _decided(self, said: str) -> bool:
        unfinished = said.strip() in CARRIERS and _spelt(said, self._spellings) is None
        return not unfinished and self._possible(said) <= {self._label}


@lru_cache(maxsize=32)
def _spellings(labels: tuple[Label, ...]) -> Spellings:
    found = {}
    for label in labels:
        for spelling in (label.name, *label.synonyms):
            for form in (_folded(spelling), " ".join(words(normalise(spelling)))):
                found[form] = label.name
    return tuple(sorted(found.items(), key=lambda entry: (-len(entry[0]), entry)))


def _spelt(text: str, spellings: Spellings) -> str | None:
    """The label that `text` spells out at its start, the longest one, or ``None``."""
    for form, label in spellings:
        if text.startswith(form) and (len(text) == len(form) or _decorates(text[len(form)])):
            return label
    return None


def _located(text: str, forms: Sequence[str]) -> int | None:
    """Where in an answer the label begins that it names; ``None``: nowhere.

    Behind the key of a JSON answer, else where it is named first.
    """
    after = 0
    if text.startswith(("{", "```")):
        key = _KEY.search(text)
        after = key.end() if key else text.find(":") + 1
    source = [place for place in range(after, len(text)) for _ in fold(text[place])]
    folded = "".join(fold(char) for char in text[after:])
    pattern = "|".join(r"\s+".join(map(re.escape, form.split())) for form in forms)
    for match in re.finditer(pattern, folded):
        start, end = match.span()
        opens = start == 0 or _decorates(folded[start - 1])
        closes = end == len(folded) or _decorates(folded[end])
        if opens and closes:
            return source[start]
    return None


def _begin(answer: Answer, text: str) -> int | None:
    """Where in the tokens' text the answer begins; ``None`` where it is not among them.

    Servers that send thinking apart may tell its tokens all the same, in front of the answer's and
    perhaps without the tags. What the thinking says is no answer, though it may be the same word.
    """
    joined = "".join(token.token for token in answer.logprobs or ())
    split = split_thinking(joined)
    if split.thinking:
        found = split.answer.rfind(text)
        return split.start + found if found >= 0 else None
    begin = joined.rfind(text)
    thinking = answer.thinking.strip()
    inside = joined.find(thinking) if thinking else -1
    if begin < 0 or (inside >= 0 and begin < inside + len(thinking)):
        return None
    return begin


def _others(token: TokenLogprob) -> Iterator[tuple[str, float]]:
    """The alternatives that were not chosen, with their probabilities."""
    chosen = False
    for text, logprob in token.top:
        if text == token.token and not chosen:
            chosen = True
            continue
        yield text, _probability(logprob)


def _probability(logprob: float) -> float:
    return math.exp(min(0.0, logprob))


def _folded(text: str) -> str:
    return _BLANKS.sub(" ", fold(text))


def _lead(text: str) -> int:
    """Length of the blanks, quotes and brackets that `text` begins with."""
    return next((place for place, char in enumerate(text) if not _decorates(char)), len(text))


def _decorates(char: str) -> bool:
    return char.isspace() or not trim(char)
