"""Text from outside on one line, quoted, printable and short; and the noun beside a count."""

from __future__ import annotations


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
