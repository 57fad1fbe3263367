"""The evaluation that a file declares, without pytest."""

from __future__ import annotations

import importlib.util
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_llmclf.errors import SettingsError, nearest
from pytest_llmclf.runner.evaluation import Evaluation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

SEPARATOR: Final = "::"
"""Between a file and the name of an evaluation in it, as in pytest's own addresses."""
_MODULE: Final = "llmclf_evaluation_file"


def read_evaluation(address: str) -> tuple[Evaluation, Path]:
    """The evaluation at ``FILE`` or ``FILE::NAME``, and the file.

    Args:
        address: A Python file, with the evaluation's title or variable where it has several.

    Raises:
        SettingsError: The file cannot be imported, has no evaluation, or not that one.
    """
    place, _, name = address.partition(SEPARATOR)
    path = Path(place).expanduser().absolute()
    found = {
        id(value): (variable, value)
        for variable, value in vars(_imported(path)).items()
        if isinstance(value, Evaluation)
    }
    named = list(found.values())
    if not named:
        raise SettingsError(f"{path} declares no evaluation: write NAME = Evaluation(...) in it")
    titles = [evaluation.title for _, evaluation in named]
    if not name and len(named) > 1:
        raise SettingsError(
            f"{path} declares {len(named)} evaluations ({', '.join(titles)}): name one, "
            f"{place}{SEPARATOR}{titles[0]}"
        )
    for variable, evaluation in named:
        if name in ("", evaluation.title, variable):
            return evaluation, path
    raise SettingsError(
        f"{path} declares no evaluation {name!r} but {', '.join(titles)}{nearest(name, titles)}"
    )


def _imported(path: Path) -> ModuleType:
    if not path.is_file():
        there = sorted(item.name for item in path.parent.glob("*.py"))
        raise SettingsError(
            f"there is no file {path}: name the file that declares the evaluation"
            f"{nearest(path.name, there)}"
        )
    spec = importlib.util.spec_from_file_location(_MODULE, path)
    if spec is None or spec.loader is None:
        raise SettingsError(f"{path} is no Python file: name the file that declares the evaluation")
    module = importlib.util.module_from_spec(spec)
    with _importable(path.parent):
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            raise SettingsError(
                f"{path} cannot be imported ({type(error).__name__}: {error}); it must not need "
                "what only pytest brings"
            ) from error
    return module


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    # As under pytest, a file may import its neighbours.
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
