"""What the plugin takes of pytest that pytest does not promise is in one place."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest_llmclf

PACKAGE = Path(pytest_llmclf.__file__).parent
PLACE = PACKAGE / "plugin" / "pytest_private.py"


def private_names(path: Path) -> list[str]:
    """Modules and attributes that begin with an underscore, but those of the file's own objects."""
    tree = ast.parse(path.read_text("utf-8"))
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("_pytest"):
            found.append(str(node.module))
        elif isinstance(node, ast.Import):
            found += [one.name for one in node.names if one.name.startswith("_pytest")]
        elif (
            isinstance(node, ast.Attribute)
            and node.attr.startswith("_")
            and not node.attr.endswith("_")
            and node.attr not in {"_asdict", "_exit"}  # of the standard library
            and not (isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"})
        ):
            found.append(ast.unparse(node))
    return found


def test_private_parts_of_pytest_are_used_in_one_file() -> None:
    """Two of them: where a fixture is defined, and who writes JUnit XML."""
    others = {
        path.name: private_names(path)
        for path in PACKAGE.joinpath("plugin").glob("*.py")
        if path != PLACE and private_names(path)
    }
    assert others == {}
    assert private_names(PLACE) == ["_pytest.junitxml", "metafunc.definition._fixtureinfo"]


def test_pytest_is_imported_by_the_plugin_alone() -> None:
    """Nothing else could use a private part of it."""
    importing = {
        path.relative_to(PACKAGE).parts[0]
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        for module in (
            [one.name for one in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
        if module.partition(".")[0] in {"pytest", "_pytest"}
    }
    assert importing == {"plugin"}


def test_the_session_is_made_in_one_place() -> None:
    """And what listens to pytest is registered there, but the live line, which starts late."""
    texts = {path.name: path.read_text("utf-8") for path in PACKAGE.joinpath("plugin").glob("*.py")}
    assert [name for name, text in texts.items() if "= EvaluationSession(" in text] == [
        "registration.py"
    ]
    assert sorted(name for name, text in texts.items() if "pluginmanager.register(" in text) == [
        "live_line.py",
        "registration.py",
    ]
