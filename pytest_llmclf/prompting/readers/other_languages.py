"""Labels in answers of other languages: behind a word of them, or in quotes in their sentences."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pytest_llmclf.prompting.label_text import (
    FUNCTION_WORDS,
    REFUSAL,
    TAKES_BACK,
    fold,
    listed,
    parts,
)
from pytest_llmclf.prompting.readers.sentence import labels_in, tokenise
from pytest_llmclf.prompting.readers.word_lists import DOUBTS

if TYPE_CHECKING:
    from pytest_llmclf.prompting.labels import LabelSet

_TRANSLATED: Final = re.compile(
    r"(?P<before>[^():\n]{1,60}?)(?:\s?\((?P<inside>[^()\n]{1,60})\)|(?:\s?[:\uff1a=]|\s(?:[-\u2013\u2014\u2192]|[-=]>)\s)(?P<behind>[^:\n]{1,60}))"
)
_ENGLISH: Final = listed(
    "the of is are this it its with and like similar options labels choices classes "
    "possible family relative kind type costume toy"
)
_NOT_ELSEWHERE: Final = listed(
    "nicht kein keine keinen nein ne pas non nie niet geen inte ikke nem não sin"
)
_ONLY_ENGLISH: Final = (FUNCTION_WORDS | {"and", "with", "what"}) - {"a", "i", "in", "is"}
_QUOTED: Final = re.compile(
    r"[\"\u201c\u201d\u201e\u00ab\u00bb](?!\s{0,3}[,.])([^\"\u201c\u201d\u201e\u00ab\u00bb\n]{1,60})"
    r"[\"\u201c\u201d\u00bb\u00ab]"
)
_ELSEWHERE: Final = listed(
    "l à dans la el le les los las un una une des du der die das den dem ein eine einen il lo "
    "gli uno "
    "est es ist è é het een det en et ett o os uma um da do bild imagen immagine imagem afbeelding "
    "zeigt muestra montre mostra toont visar viser se trata clase classe klasse kategorie "
    "на это изображении класс obraz przedstawia jest to na"
)
"""Words that say that a sentence is of another language."""

_VAGUE: Final = listed(
    "ni nada ningun ningún ninguna sin aucun aucune sans weder noch ohne keines "
    "quizás quizá tal vez podría podria puede parece probablemente peut pourrait semble "
    "ressemble probablement vielleicht könnte möglicherweise wahrscheinlich eventuell scheint "
    "oder ou forse potrebbe sembra probabilmente talvez pode poderia provavelmente misschien kan "
    "kanske måske wie como comme come ähnlich similar semblable ähnelt wenn si ob falls se "
    "quando cuando quand statt anstatt lugar lieu sauf salvo außer senza ejemplo exemple "
    "beispiel esempio bitte favor leider désolé siento oppure anders als que tampoco jamais "
    "falsch falso faux не нет может возможно или nie może lub czy"
)
"""Words of other languages that deny, doubt, compare, ask or set a condition."""


def translated(text: str, labels: LabelSet) -> str | None:
    """Rule 2 for another language: the label behind a word of it, in brackets or behind a colon."""
    match = _TRANSLATED.fullmatch(fold(text).strip(" *_`.!"))
    if match is None:
        return None
    before = set(parts(match["before"]))
    if (
        REFUSAL.search(fold(text))
        or before & _ENGLISH
        or before & DOUBTS
        or before & (TAKES_BACK | _NOT_ELSEWHERE)
    ):
        return None
    if labels_in(tokenise(match["before"]), labels.spellings):
        return None
    return labels.spellings.whole(match["inside"] or match["behind"])


def quoted(text: str, labels: LabelSet) -> str | None:
    """Rule 2 for a sentence of another language: the only label in quotes."""
    said = {name for match in _QUOTED.finditer(text) if (name := labels.spellings.whole(match[1]))}
    outside = fold(_QUOTED.sub(" ", text))
    words = set(parts(outside))
    if len(said) != 1 or not _is_elsewhere(words) or "?" in outside or "n't" in outside:
        return None
    if words & (TAKES_BACK | DOUBTS):
        return None
    if labels_in(tokenise(outside), labels.spellings) or len(_QUOTED.findall(text)) > 1:
        return None
    return said.pop()


def _is_elsewhere(words: set[str]) -> bool:
    """Whether the words of an answer are of another language."""
    return not words.isdisjoint(_ELSEWHERE) and words.isdisjoint(_ONLY_ENGLISH)


def denies_elsewhere(text: str) -> bool:
    """Whether an answer of another language denies, doubts, compares or sets a condition."""
    words = set(parts(fold(text)))
    return _is_elsewhere(words) and not words.isdisjoint(_NOT_ELSEWHERE | _VAGUE)
