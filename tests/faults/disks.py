"""Small, full and read-only places for files; Linux, and root where a disk must be mounted."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAY_MOUNT = sys.platform == "linux" and os.geteuid() == 0
mounting = pytest.mark.skipif(not _MAY_MOUNT, reason="mounting takes root on Linux")


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[None]:
    """A disk in memory at a folder, gone with all that is on it at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    _call("mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "llmclf-test", str(folder))
    try:
        yield
    finally:
        _call("umount", "--lazy", str(folder))


def enlarge(folder: Path, kilobytes: int) -> None:
    """Give a small disk more room."""
    _call("mount", "-o", f"remount,size={kilobytes}k", str(folder))


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nothing can be written in a folder, by root neither."""
    _call("mount", "--bind", str(folder), str(folder))
    try:
        _call("mount", "-o", "remount,ro,bind", str(folder))
        yield
    finally:
        _call("umount", "--lazy", str(folder))


def _call(*command: str) -> None:
    done = subprocess.run(  # noqa: S603 - fixed words and a test's own folder
        command, check=False, capture_output=True, text=True, timeout=20
    )
    if done.returncode:
        pytest.skip(f"{command[0]}: {done.stderr.strip()}")  # in a container, say
