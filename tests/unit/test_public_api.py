"""What can be imported, and what comes with it: a plain pytest run pays nothing."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

import pytest

import pytest_llmclf

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = (
    "pandas", "sklearn", "PIL", "httpx", "ollama", "syrupy.extensions.single_file", "numpy",
    "scipy", "sqlite3",
)  # fmt: skip
"""syrupy itself is a plugin of its own; what this package takes from it must stay out."""

OURS = (
    "pytest_llmclf.runner.scheduler", "pytest_llmclf.metrics.report", "pytest_llmclf.gates",
    "pytest_llmclf.prompting.labels", "pytest_llmclf.models.connect",
    "pytest_llmclf.plugin.collection",
)  # fmt: skip

CHECK = """
import sys

def pytest_sessionfinish(session):
    found = [name for name in {!r} if name in sys.modules]
    assert not found, found
"""


def python(*args: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a fresh interpreter."""
    return subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, *args], capture_output=True, text=True, check=False, timeout=60, cwd=cwd
    )


@pytest.mark.parametrize("name", pytest_llmclf.__all__)
def test_every_public_name_is_there(name: str) -> None:
    """`__all__` promises nothing that cannot be had, and it has a docstring."""
    assert getattr(pytest_llmclf, name).__doc__


def test_public_names_are_sorted_and_have_a_home() -> None:
    """One list to read, and one table that loads it."""
    assert pytest_llmclf.__all__ == sorted(pytest_llmclf.__all__)
    assert set(pytest_llmclf.__all__) == set(pytest_llmclf._HOMES)


def test_another_name_is_an_attribute_error() -> None:
    """As for any module; ``hasattr`` works."""
    assert not hasattr(pytest_llmclf, "Evaluator")
    with pytest.raises(AttributeError, match="Evaluator"):
        _ = pytest_llmclf.Evaluator


def test_the_plugin_is_named_as_its_module() -> None:
    """Another name would let ``-p`` register it twice."""
    (found,) = [
        point for point in entry_points(group="pytest11") if point.value == "pytest_llmclf.plugin"
    ]
    assert found.name == found.value


def test_loading_the_plugin_loads_nothing_heavy() -> None:
    """A fresh interpreter with pytest and this plugin has no client, no numbers, no images."""
    code = (
        "import sys, pytest\nimport pytest_llmclf.plugin\n"
        f"print([name for name in {(*HEAVY, 'syrupy', *OURS)!r} if name in sys.modules])"
    )
    assert python("-c", code).stdout.strip() == "[]"


def test_importing_the_package_imports_nothing() -> None:
    """Public names come when they are first used."""
    code = "import sys, pytest_llmclf\nprint([m for m in sys.modules if 'llmclf' in m])"
    assert python("-c", code).stdout.strip() == "['pytest_llmclf']"


@pytest.mark.parametrize(("processes", "absent"), [("-n0", (*HEAVY, *OURS)), ("-n2", HEAVY)])
def test_a_run_without_evaluations_pays_nothing(
    tmp_path: Path, processes: str, absent: tuple[str, ...]
) -> None:
    """Ordinary tests, in one process or several, load nothing heavy and say nothing."""
    (tmp_path / "conftest.py").write_text(CHECK.format(absent))
    (tmp_path / "test_plain.py").write_text("def test_plain():\n    assert True\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    spare = ("-p", "no:hypothesispytest", "-p", "no:cacheprovider")
    result = python("-m", "pytest", processes, *spare, cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "llmclf:" not in result.stdout
    assert not (tmp_path / ".llmclf").exists()


def test_using_an_evaluation_loads_no_numbers(tmp_path: Path) -> None:
    """Declaring one needs neither pandas nor scikit-learn, nor any server's client."""
    code = (
        "import sys\nfrom pytest_llmclf import Evaluation, Gate, Label, Outcome, Report\n"
        "print([name for name in ('pandas', 'sklearn', 'numpy', 'httpx', 'ollama', 'pytest')"
        " if name in sys.modules])"
    )
    assert python("-c", code, cwd=tmp_path).stdout.strip() == "[]"
