"""The package's folders are floors of a house: imports lead down, and to nobody above.

Every import counts: at the top of a module, in a function, for types alone.
"""

from __future__ import annotations

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAME = "pytest_llmclf"
TABLE = re.findall(
    r"^\| (`.*?) \|",
    (ROOT / "docs" / "architecture.md").read_text("utf-8").split("| folder |")[1].split("\n\n")[0],
    re.MULTILINE,
)
"""The first column of the table of folders, from the bottom of the house to its top."""
FLOORS = {name: floor for floor, row in enumerate(TABLE) for name in re.findall(r"`(\w+)/?`", row)}


def module_name(path: Path) -> str:
    """Such as ``pytest_llmclf.values.case``."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


FILES = {module_name(path): path for path in (ROOT / NAME).rglob("*.py")}


def imported(name: str) -> set[str]:
    """The package's own modules that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(FILES[name].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            assert not node.level, f"{name}: imports are absolute"
            whole = {f"{base}.{alias.name}" for alias in node.names}
            found |= {one if one in FILES else base for one in whole}
    return {one for one in found if one in FILES} - {name}


ARROWS = {name: imported(name) for name in FILES}


def floor(name: str) -> int:
    """How high a module lies."""
    return FLOORS[name.split(".")[1]]


INNER = [name for name in FILES if name not in {NAME, f"{NAME}.__main__"}]


def test_every_folder_has_a_floor() -> None:
    """The table in docs/architecture.md names what there is, and nothing else."""
    assert {name.split(".")[1] for name in INNER} == set(FLOORS)


@pytest.mark.parametrize("folder", sorted(FLOORS))
def test_imports_lead_down(folder: str) -> None:
    """Nobody needs to know who stands above."""
    up = [
        f"{name} -> {other}"
        for name in INNER
        if name.split(".")[1] == folder
        for other in ARROWS[name] - {NAME}
        if floor(other) > floor(name)
    ]
    assert not up


def test_no_imports_lead_round_in_a_ring() -> None:
    """Each module can be read after those that it imports; in `plugin` not yet."""
    below = {name: ARROWS[name] for name in INNER if not name.startswith(f"{NAME}.plugin.")}
    try:
        TopologicalSorter(below).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))
