"""Text from outside in Markdown: read as it is, no markup, no HTML, no link."""

from __future__ import annotations

import re
from typing import Final

from pytest_llmclf.reporting import numbers
from pytest_llmclf.reporting.style import Style, cut

PLAIN: Final = Style()
_NAME: Final = 60
_SENTENCE: Final = 1000
_SPECIAL: Final = re.compile(
    r"[\\`*_\[\]|~#$^]"  # markup anywhere
    r"|:(?=/)|(?<=www)\."  # what makes a link of an address
    r"|^[-+=]"  # what begins a list or a heading
)
_NUMBERED: Final = re.compile(r"^(\d{1,9})([.)])")
_REFERENCE: Final = re.compile(r"@(?=\w)|#(?=\w)")
_HTML: Final = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}


def escaped(text: str) -> str:
    """`text` on one line, to be read as it is: no markup, no HTML, no link."""
    shown = cut(PLAIN.safe(text).strip(), _SENTENCE)
    marked = _SPECIAL.sub(lambda found: f"\\{found[0]}", shown).translate(_HTML)
    # Mentions and references are looked for in what Markdown comes to, where no escape is left: a
    # comment within them is nothing to read, and ends them.
    return _REFERENCE.sub(lambda found: f"{found[0]}<!-- -->", _NUMBERED.sub(r"\1\\\2", marked))


def code(text: str, columns: int = _NAME) -> str:
    """A name as a code span."""
    shown = PLAIN.name(text, columns) or numbers.UNDEFINED
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    # A backtick at an end needs a blank, which the span drops; so do blanks at both ends.
    pad = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def cell(text: str, columns: int = _NAME) -> str:
    """A name as a code span in a table, which takes the backslash away again."""
    return code(text, columns).replace("|", "\\|")
