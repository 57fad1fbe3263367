"""The tests of ``tests/fuzz`` under atheris: inputs guided by what code they reach.

Needs atheris, which ships for Linux (``pip install atheris``) and is in no extra: it is seldom
wanted. Hypothesis makes each input from the bytes that atheris chose by what they reached, so that
the tests' own checks judge it. The first failure ends the run and is shown with its input; put
that into the test as an ``@example``.

``LLMCLF_FUZZ=20 pytest tests/fuzz`` needs no atheris: twenty times the examples, drawn at random.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FOLDER = Path("tests") / "fuzz"


def names() -> Iterator[str]:
    """Every test that can be fuzzed, as ``FILE::TEST``."""
    for path in sorted(FOLDER.glob("test_*.py")):
        module = importlib.import_module(f"tests.fuzz.{path.stem}")
        for name, function in vars(module).items():
            if name.startswith("test_") and hasattr(function, "hypothesis"):
                yield f"{path.as_posix()}::{name}"


def fuzz(test: str, seconds: int) -> None:
    """Fuzz one test; exits with an error at the first failure."""
    import atheris

    path, _, name = test.partition("::")
    with atheris.instrument_imports(include=["pytest_llmclf", "PIL", "zipfile", "tarfile"]):
        module: Any = importlib.import_module(f"tests.fuzz.{Path(path).stem}")
    one: Callable[[bytes], object] = getattr(module, name).hypothesis.fuzz_one_input
    atheris.Setup(
        [sys.argv[0], f"-max_total_time={seconds}", "-max_len=4096", "-timeout=20",
         "-rss_limit_mb=2048"],
        one,
    )  # fmt: skip
    atheris.Fuzz()
