"""Text from outside on one line, quoted, printable and short; and the noun beside a count."""

from __future__ import annotations

import shlex
from typing import Final

_OF_THE_SHELL: Final = frozenset(" \t\n;&|<>()[]{}*?#'\"$`!^")


def shorten(text: str, width: int) -> str:
    """`text` as a quoted, printable single line of at most about `width` characters.

    Control characters, line breaks and direction marks come out escaped, so that an answer can
    never move the cursor or reorder a terminal line.
    """
    cut = text if len(text) <= width else text[: width - 1] + "…"
    safe = "".join(char if char.isprintable() else repr(char)[1:-1] for char in cut)
    return f'"{safe}"'


def noun(number: float, one: str, many: str | None = None) -> str:
    """The word that goes with a count: ``image`` with 1, ``images`` with any other.

    Args:
        number: The count; it stands before the word, and is not written here.
        one: The word, or the words, for one.
        many: For several; default: `one` with an s.
    """
    return one if number == 1 else many or f"{one}s"


def command_line(*words: str) -> str:
    """A command as people copy it, for every shell that can have one form for it.

    Words with a blank or a sign of the shell's stand in double quotes, which Windows knows, too;
    those in which such a quote or a ``$`` would mean something stand in single ones.
    """
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    if word and not set(word) & _OF_THE_SHELL:
        return word
    return shlex.quote(word) if set(word) & set('"$`!') else f'"{word}"'
