"""Text from outside on one line: quoted, printable and short."""

from __future__ import annotations


def shorten(text: str, width: int) -> str:
    """`text` as a quoted, printable single line of at most about `width` characters.

    Control characters, line breaks and direction marks come out escaped, so that an answer can
    never move the cursor or reorder a terminal line.
    """
    cut = text if len(text) <= width else text[: width - 1] + "…"
    safe = "".join(char if char.isprintable() else repr(char)[1:-1] for char in cut)
    return f'"{safe}"'
