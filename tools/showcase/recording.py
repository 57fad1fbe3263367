"""Record what pytest shows on a terminal, as text."""

from __future__ import annotations

import codecs
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH = 80
MOMENT = re.compile(r"mnist · (\d+)/(\d+) ")
SETTLED = 0.6
"""How much of an evaluation is done when the live line is worth showing."""
CUT = 6
"""Lines shown of the moment."""

# What the tests of the live line look through: a terminal that forgets nothing.
Screen: Any = runpy.run_path(
    str(Path(__file__).parents[2] / "tests" / "plugin" / "screen.py")
)["Screen"]  # fmt: skip


def record(folder: Path, arguments: tuple[str, ...]) -> str:
    """Run pytest in `folder` and return what a terminal shows: once on the way, then at the end.

    Raises:
        SystemExit: The run failed, or its live line was never seen.
    """
    screen = Screen(width=WIDTH)
    moment: list[str] = []
    decoder = codecs.getincrementaldecoder("utf-8")()
    kept = ""
    for piece in written(folder, arguments):
        # What comes last may be half a sequence.
        whole, mark, rest = (kept + decoder.decode(piece)).rpartition("\x1b8")
        kept = rest
        screen.feed(whole + mark)
        match = MOMENT.match(screen.lines[-1])
        if match and int(match[1]) > SETTLED * int(match[2]):
            moment = moment or screen.lines[-CUT:]
    screen.feed(kept)
    if not moment:
        raise SystemExit("the live line was not seen: is the run shorter than a second?")
    return "\n".join(
        [
            f"$ pytest {' '.join(arguments)}",
            *text_of(screen.lines),
            "",
            "",
            "While it runs, a line below pytest's own tells how it goes:",
            "",
            *text_of(moment),
            "",
        ]
    )


def text_of(lines: list[str]) -> list[str]:
    """`lines` without what cannot be seen: blanks at their ends, empty ones at the end."""
    return "\n".join(line.rstrip() for line in lines).rstrip().split("\n")


def written(folder: Path, arguments: tuple[str, ...]) -> Iterator[bytes]:
    """What pytest writes on a pseudo-terminal, piece by piece."""
    import pty  # Unix alone has it

    ours, theirs = pty.openpty()
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "pytest", *arguments],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=environment(),
    )  # fmt: skip
    os.close(theirs)
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        yield piece
    os.close(ours)
    if process.wait():
        raise SystemExit(f"pytest ended with {process.returncode}; run it by hand to see why")


def environment() -> dict[str, str]:
    """This one, without what would make the run another one than a reader's."""
    odd = re.compile(r"CI|NO_COLOR|FORCE_COLOR|(PY|PYTEST|GITHUB|LLMCLF|OLLAMA)_.*|PYTHON.*")
    kept = {name: value for name, value in os.environ.items() if not odd.fullmatch(name)}
    return {
        **kept,
        "COLUMNS": str(WIDTH),
        "TERM": "xterm-256color",
        "PYTHONUTF8": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
