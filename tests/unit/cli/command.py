"""Subcommands of ``llmclf`` as people call them, in this process and in one of their own."""

from __future__ import annotations

import argparse
import subprocess
from typing import TYPE_CHECKING, Any

from pytest_llmclf.cli.command import add_command
from tests.forkserver import fresh_or_forked

if TYPE_CHECKING:
    from pathlib import Path


def parse(module: Any, *arguments: str) -> argparse.Namespace:
    """What a subcommand makes of its arguments."""
    parser = argparse.ArgumentParser(prog="llmclf")
    add_command(parser.add_subparsers(required=True), module)
    return parser.parse_args(arguments)


def call(module: Any, *arguments: str) -> int:
    """Run a subcommand in this process; its exit code."""
    chosen = parse(module, *arguments)
    code: int = chosen.run(chosen)
    return code


def llmclf(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m pytest_llmclf`` in a process of its own."""
    import os

    return subprocess.run(  # noqa: S603 - our own interpreter
        [fresh_or_forked(), "-m", "pytest_llmclf", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONUTF8": "1", "COLUMNS": "100", **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
