"""Whether there is room in memory for a thread that asks, looked at before there is none.

Where memory ends in the middle of an import, of the start of a thread or of pytest's own report,
what follows is other people's code: threads that die without a word, whose start is waited for in
vain, and an interpreter that aborts. So it is looked at before.
"""

from __future__ import annotations

import mmap
import ssl
from errno import ENOMEM
from typing import Final

FIRST_MIB: Final = 120
"""Room for the first thread of a run, with the clients and the certificates that it loads and the
report after it. Runs of 12 images had enough from 100 on; see `benchmarks/reliability.py`."""

FURTHER_MIB: Final = 24
"""Room for each further one: its stack and a question."""


def has_room(mib: int) -> bool:
    """Whether so many MiB could be had at this moment; nothing of them is used."""
    try:
        mmap.mmap(-1, mib << 20).close()
    except (OSError, MemoryError, ValueError):
        return False
    return True


def is_lack(error: BaseException) -> bool:
    """Whether an error means that there was no memory, as Python, systems and OpenSSL tell it."""
    if isinstance(error, ssl.SSLError):
        return "malloc" in str(error).lower()
    return isinstance(error, MemoryError) or getattr(error, "errno", None) == ENOMEM
