"""Packages that a test installs: files on the path, with entry points."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from pytest_llmclf.models.registry import GROUP

if TYPE_CHECKING:
    import pytest


def install(pytester: pytest.Pytester, *entries: str, package: str = "shop") -> None:
    """As if a package were installed in the test's folder, with backends as entry points.

    Args:
        pytester: Whose folder, which comes onto the path.
        entries: Each ``name = module:object``.
        package: Its name.
    """
    info = pytester.path / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *entries, ""]))
    pytester.syspathinsert()
    importlib.invalidate_caches()
