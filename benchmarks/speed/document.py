"""Writes what was measured into docs/benchmarks.md, between its markers.

    python -m benchmarks.speed.document FILE [FILE ...] [--into docs/benchmarks.md]

Several files, such as those of single cases, are put together; a later one replaces the rows of a
case that an earlier one has.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.speed.results import cells, load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.speed.results import Row

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
BEGIN = "<!-- measured: begin -->"
END = "<!-- measured: end -->"
_TITLES = {
    "peers": "500 images, against the floor and the peers",
    "busy": "How busy the server is kept",
    "cached": "All answers known",
    "cpu": "CPU an image",
    "many": "Very many cases",
    "startup": "A pytest run that uses no evaluation",
    "embedded": "The embedded model",
    "pool": "Two servers",
    "workers": "Four workers",
    "variants": "A grid of variants",
}


def merged(files: Sequence[Path]) -> list[tuple[dict[str, Any], str, list[Row]]]:
    """The rows of each case, with the file's facts, in the order of the document."""
    latest: dict[str, tuple[dict[str, Any], list[Row]]] = {}
    for file in files:
        data, rows = load(file)
        for case in dict.fromkeys(row.case for row in rows):
            latest[case] = data, [row for row in rows if row.case == case]
    return [(latest[case][0], case, latest[case][1]) for case in _TITLES if case in latest]


def markdown(files: Sequence[Path]) -> str:
    """A table a case, each with the day and the machine."""
    lines: list[str] = []
    for data, case, rows in merged(files):
        machine, settings = data["machine"], data["settings"]
        lines += [
            f"### {_TITLES[case]}",
            "",
            (
                f"{machine['date']}, {machine['cores']} cores ({machine['cpu']}), Python "
                f"{machine['python']}, {_runs(rows)}"
                f"{', fewer images (`--quick`)' if settings['quick'] else ''}."
            ),
            "",
            "| measured | bar | value | | |",
            "|---|---|---|---|---|",
            *(
                "| " + " | ".join(cell.replace("|", "\\|") for cell in cells(row)) + " |"
                for row in rows
            ),
            "",
        ]
    return "\n".join(lines)


def _runs(rows: Sequence[Row]) -> str:
    """How often a case was run; it lists what each run gave."""
    if any("sizes" in row.details for row in rows):
        return "one run of each size"
    lists = [each for row in rows for each in row.details.values() if isinstance(each, list)]
    count = max(map(len, lists), default=1)
    return "one run" if count == 1 else f"medians of {count} runs"


def replaced(document: str, measured: str) -> str:
    """The document with what stands between its markers replaced.

    Raises:
        ValueError: A marker is missing.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no {BEGIN} ... {END} in the document")
    return f"{before}{BEGIN}\n\n{measured}\n{END}{after}"


def main() -> int:
    """Rewrite the document."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.document")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--into", type=Path, default=DOCUMENT)
    said = parser.parse_args()
    text = replaced(said.into.read_text("utf-8"), markdown(said.files))
    said.into.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
