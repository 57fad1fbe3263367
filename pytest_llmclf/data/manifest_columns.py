"""Which columns of a table are the path and the label: ours, or what people usually call them."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from pytest_llmclf.data.entry import named

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_COLUMNS: Final = 1000
"""Of a manifest: each is a tag of every image, and is looked at for every line."""
NO_TAGS: Final = frozenset(("sha256", "licence", "license", "source"))

PATH_NAMES: Final = (
    "path", "file_name", "filename", "file", "image", "image_path", "img", "filepath",
    "file_path", "img_path", "image_file", "image_name",
)  # fmt: skip
LABEL_NAMES: Final = (
    "label", "class", "category", "target", "label_name", "class_name", "category_name",
    "label_text", "labels", "ground_truth",
)  # fmt: skip
EXPECTED_NAMES: Final = (
    *LABEL_NAMES, "expected", "expected_label", "true_label", "truth", "y_true", "gold", "actual",
)  # fmt: skip
"""Usual names of the label that is expected, where another one was predicted."""
_WINS: Final = frozenset(("path", "file_name", "label"))
"""Names that are meant whatever other usual names there are beside them."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns that matter.

    Attributes:
        path: Column of the path; empty where there is none.
        label: Column of the label; likewise.
        problem: Why they cannot be told; empty where they can.
    """

    path: str
    label: str
    problem: str = ""


def usual_columns(there: Iterable[str], names: Sequence[str]) -> list[str]:
    """All columns that have usual names, in whatever way they write them, in the names' order."""
    found: dict[str, list[str]] = {}
    for name in there:
        found.setdefault(name.strip().casefold().replace(" ", "_"), []).append(name)
    return [column for name in names for column in found.get(name, ())]


def columns_of(there: Sequence[str], label_column: str = "") -> Columns:
    """Find path and label among the names of columns.

    Args:
        there: All names.
        label_column: Column of the label; empty: one with a usual name.
    """
    path, problem = _one("path", PATH_NAMES, there)
    if label_column:
        label = label_column if label_column in there else ""
        if not label:
            problem = problem or (
                f"no column {label_column!r}, which label_column names, among {named(there, 30)}"
            )
        return Columns(path, label, problem)
    label, second = _one("label", LABEL_NAMES, there)
    return Columns(path, label, problem or second)


def _one(wanted: str, names: Sequence[str], there: Sequence[str]) -> tuple[str, str]:
    """The column, or empty; and what is wrong where several could be it."""
    usual = sorted(usual_columns(there, names), key=there.index)
    exact = [name for name in names if name in _WINS and name in there]
    if exact or len(usual) <= 1:
        return (exact or usual or [""])[0], ""
    how = f"call one of them {wanted}"
    if wanted == "label":
        how += f', or say label_column="{usual[0]}" in the Evaluation (or in dataset.toml)'
    return "", f"the {wanted} could be any of the columns {', '.join(usual)}: {how}"


def header_problem(columns: Sequence[str], found: Columns) -> str | None:
    """What is wrong with the first line of a table, or ``None``."""
    if not any(columns):
        return "the first line names no columns: write path,label there"
    if len(columns) > MOST_COLUMNS:
        return f"{len(columns)} columns, more than {MOST_COLUMNS}: keep those that are needed"
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        return f"column {twice[0]!r} is there twice: rename one"
    if found.problem:
        return found.problem
    for needed, usual in (("path", PATH_NAMES), ("label", LABEL_NAMES)):
        if not getattr(found, needed):
            near = get_close_matches(needed, columns, n=1)
            what = repr(near[0]) if near else "one of them"
            return (
                f"no column {needed!r} (nor {', '.join(usual[1:5])}, ...) among "
                f"{', '.join(columns[:30])}: add it, or rename {what}"
            )
    return None
