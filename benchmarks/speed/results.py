"""What was measured, as a table and as JSON."""

from __future__ import annotations

import json
import os
import platform
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

Side = Literal["at most", "at least", "exactly", ""]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table.

    Attributes:
        case: Which measurement it belongs to.
        what: What was measured.
        value: The number; ``None`` where there is none, and `note` says why.
        unit: What it counts.
        side: On which side of the bar it should be; empty without a bar.
        bar: The bar.
        note: What else should be known.
        details: Further numbers.
    """

    case: str
    what: str
    value: float | None
    unit: str
    side: Side = ""
    bar: float | None = None
    note: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        """Whether the bar is reached; ``None`` without one."""
        if self.bar is None:
            return None
        if self.value is None:
            return False
        match self.side:
            case "at most":
                return self.value <= self.bar
            case "at least":
                return self.value >= self.bar
            case _:
                return self.value == self.bar


def number(value: float | None) -> str:
    """Three digits that matter, or a dash."""
    if value is None:
        return "-"
    if value == int(value) and abs(value) < 1e6:  # noqa: PLR2004 - counts stay whole
        return str(int(value))
    if abs(value) >= 100:  # noqa: PLR2004 - no decimals then
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"  # noqa: PLR2004


def cells(row: Row) -> tuple[str, str, str, str, str]:
    """A row as text: what, bar, value, verdict, note."""
    bar = "" if row.bar is None else f"{row.side} {number(row.bar)}"
    verdict = {None: "", True: "met", False: "MISSED"}[row.met]
    return row.what, bar, f"{number(row.value)} {row.unit}", verdict, row.note


def table(rows: Iterable[Row]) -> str:
    """For a terminal."""
    lines = [("measured", "bar", "value", "", ""), *map(cells, rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(4)]
    return "\n".join(
        "  ".join([*(line[place].ljust(widths[place]) for place in range(4)), line[4]]).rstrip()
        for line in lines
    )


def machine() -> dict[str, Any]:
    """What it was measured on, without names of hosts or people."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 - no path of ours
            names = [line.partition(":")[2].strip() for line in file if "model name" in line]
    except OSError:
        names = []
    return names[0] if names else platform.processor()


def save(path: Path, rows: Iterable[Row], settings: Mapping[str, Any]) -> None:
    """Write everything as JSON."""
    data = {
        "machine": machine(),
        "settings": dict(settings),
        "rows": [{**asdict(row), "met": row.met} for row in rows],
    }
    path.write_text(json.dumps(data, indent=1) + "\n", "utf-8")


def load(path: Path) -> tuple[dict[str, Any], list[Row]]:
    """What `save` wrote: the machine and settings, and the rows."""
    data = json.loads(path.read_text("utf-8"))
    rows = [
        Row(**{key: value for key, value in row.items() if key != "met"}) for row in data["rows"]
    ]
    return data, rows
