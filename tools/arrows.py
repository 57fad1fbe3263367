"""Counts what makes a package easy or hard to find one's way in: arrows, rings, doubled names.

    python tools/arrows.py [FOLDER]

FOLDER is the package, `pytest_llmclf` by default. Every import counts: at the top of a module, in a
function, and under TYPE_CHECKING. Files are read, nothing is imported. It ends with 1 where there
is a ring of modules or an arrow between folders that goes up against `[tool.importlinter]`.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections import Counter, defaultdict
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def modules(package: Path) -> dict[str, Path]:
    """Every module of a package by its dotted name."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def _targets(node: ast.Import | ast.ImportFrom, known: dict[str, Path]) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names} & known.keys()
    names = {f"{node.module}.{alias.name}" for alias in node.names}
    inside = names & known.keys()
    rest = {str(node.module)} if names - inside else set()
    return inside | (rest & known.keys())


def arrows(package: Path) -> dict[str, set[str]]:
    """Which modules each module of a package imports."""
    known = modules(package)
    found: dict[str, set[str]] = {}
    for name, path in known.items():
        imports = [
            node
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        found[name] = set(chain.from_iterable(_targets(node, known) for node in imports)) - {name}
    return found


def a_ring(graph: dict[str, set[str]]) -> list[str]:
    """One ring of a graph, in its order; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def stage(module: str) -> str:
    """The folder or module right below the package; empty for the package itself."""
    return module.partition(".")[2].partition(".")[0]


def layers() -> list[set[str]]:
    """The floors of the contract in `pyproject.toml`, the highest one first."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (contract,) = tomllib.loads(text)["tool"]["importlinter"]["contracts"]
    return [{name.strip() for name in floor.split(":")} for floor in contract["layers"]]


def upward(graph: dict[str, set[str]], floors: list[set[str]]) -> list[tuple[str, str]]:
    """Arrows from a lower floor to a higher one."""
    height = {name: -at for at, floor in enumerate(floors) for name in floor}
    return sorted(
        (source, target)
        for source, targets in graph.items()
        for target in targets
        if stage(source) in height
        and stage(target) in height
        and height[stage(target)] > height[stage(source)]
    )


def doubled(package: Path) -> tuple[list[str], list[str]]:
    """Base names of several files, and names of several public classes."""
    files, classes = Counter[str](), defaultdict[str, set[Path]](set)
    for path in modules(package).values():
        if not path.stem.startswith("__"):
            files[path.stem] += 1
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                classes[node.name].add(path)
    return (
        sorted(name for name, count in files.items() if count > 1),
        sorted(name for name, places in classes.items() if len(places) > 1),
    )


def main() -> int:
    """Print the counts."""
    package = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "pytest_llmclf"
    graph = arrows(package)
    found = modules(package)
    lines = [len(path.read_text(encoding="utf-8").splitlines()) for path in found.values()]
    ring, rising = a_ring(graph), upward(graph, layers())
    files, classes = doubled(package)
    loose = sorted(path.name for path in package.glob("*.py") if path.name != "__init__.py")
    print(f"{sum(lines)} lines in {len(lines)} files, {sum(map(len, graph.values()))} arrows")
    print(f"a ring: {' -> '.join(ring) or 'none'}")
    print(f"arrows that go up: {rising or 'none'}")
    print(f"modules in no folder: {', '.join(loose)}")
    print(f"names of several files: {', '.join(files) or 'none'}")
    print(f"names of several classes: {', '.join(classes) or 'none'}")
    return int(bool(ring or rising))


if __name__ == "__main__":
    sys.exit(main())
