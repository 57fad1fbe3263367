"""Write pictures/CREDITS.md: who drew the icon sets that training pictures come from.

    python credit.py PACKAGES

PACKAGES is the folder that gather.py reads. Sets that come from other packages are credited
by package in the manifests.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from pathlib import Path

from config import HERE
from gather_words import ICONS

HEAD = """# Credits of the training pictures

Every picture's licence, package and path are in the `manifest.csv` beside it. The pictures were
scaled to 64x64 pixels; drawings on an even ground were made transparent around. The icon sets
below come through the npm package `@iconify/json`; the other pictures come from the Debian and PyPI
packages that the manifests name, whose authors are named there.

| set | pictures | author | licence |
|---|---|---|---|
"""


def used_sets() -> Counter[str]:
    """How many training pictures each icon set gave."""
    counts: Counter[str] = Counter()
    for path in sorted((HERE / "pictures").glob("*/manifest.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row["source"].startswith("@iconify/json"):
                    counts[row["source"].split(": ")[1].split("/")[0]] += 1
    return counts


def credit(packages: Path, prefix: str, count: int) -> str:
    """One line of the table."""
    info = json.loads((packages / ICONS / "json" / f"{prefix}.json").read_text())["info"]
    author, licence = info["author"], info["license"]
    name = f"[{author['name']}]({author['url']})" if author.get("url") else author["name"]
    terms = licence.get("spdx") or licence["title"]
    linked = f"[{terms}]({licence['url']})" if licence.get("url") else terms
    return f"| {info['name']} (`{prefix}`) | {count} | {name} | {linked} |"


def main(packages: Path) -> None:
    """Write the file."""
    lines = [credit(packages, prefix, count) for prefix, count in sorted(used_sets().items())]
    text = HEAD + "\n".join(lines) + "\n"
    (HERE / "pictures" / "CREDITS.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
