"""What all tests share."""

from __future__ import annotations

import gc
import os
import signal
import sys
from importlib.util import find_spec

import pytest

# A shell that starts this in the background ignores Ctrl-C for it and for all that it starts; some
# tests send one.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Hundreds of short processes import the same modules; without this each would compile them anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_configure() -> None:
    """Load the profile of Hypothesis; before its own plugin, whose --hypothesis-profile wins."""
    if find_spec("hypothesis") is None:  # `pytest --help` goes without
        return
    from hypothesis import settings

    from tests.fuzz.effort import TIMES

    # A busy machine makes single examples slow; speed is checked in benchmarks/. Fewer examples
    # than Hypothesis' hundred keep the suite quick; LLMCLF_FUZZ multiplies them.
    settings.register_profile("suite", deadline=None, max_examples=40 * TIMES)
    settings.load_profile("suite")


def pytest_sessionstart() -> None:
    """Without the extra, no test can be collected."""
    if find_spec("hypothesis") is None:
        raise pytest.UsageError(
            'the tests need more than the package: pip install -e ".[embedded,test]"'
        )


def pytest_collection_finish() -> None:
    """What the session keeps to its end is not looked through again at each garbage collection."""
    gc.collect()
    gc.freeze()
