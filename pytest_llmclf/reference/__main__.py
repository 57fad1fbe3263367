"""``python -m pytest_llmclf.reference [DATASET ...]``: print the published tables."""

from __future__ import annotations

import argparse
import shutil
import sys
from typing import TYPE_CHECKING

from pytest_llmclf import reference
from pytest_llmclf.reporting import terminal
from pytest_llmclf.reporting.style import Style

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables of the named datasets, or of all; the exit code is 0."""
    known = reference.names()
    parser = argparse.ArgumentParser(
        prog="python -m pytest_llmclf.reference",
        description="Print published results of LLaVA 1.5 7B as this package computes them.",
    )
    parser.add_argument("dataset", nargs="*", help=", ".join(known))
    parser.add_argument("--digits", type=int, choices=range(1, 13), default=6, metavar="N")
    chosen = parser.parse_args(arguments)
    for name in chosen.dataset:
        if name not in known:
            parser.error(f"no published results for {name!r}; there are {', '.join(known)}")
    style = Style(
        unicode=Style.can_unicode(sys.stdout.encoding),
        width=shutil.get_terminal_size().columns,
        digits=chosen.digits,
    )
    reports = [reference.published(name) for name in chosen.dataset or known]
    for line in terminal.lines(reports, (), style):
        sys.stdout.write(f"{line.text}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
