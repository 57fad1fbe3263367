"""What all tests share."""

from __future__ import annotations

import os
import signal
import sys

from hypothesis import settings

# A busy machine makes single examples slow; speed is checked in benchmarks/.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")

# A shell that starts this in the background ignores Ctrl-C for it and for all that it starts; some
# tests send one.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Hundreds of short processes import the same modules; without this each would compile them anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
