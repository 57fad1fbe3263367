"""Whether there is room in memory for a thread that asks, looked at before there is none.

Where memory ends in the middle of an import, of the start of a thread or of pytest's own report,
what follows is other people's code: threads that die without a word, whose start is waited for in
vain, and an interpreter that aborts. So it is looked at before.
"""

from __future__ import annotations

import mmap
import os
import ssl
import sys
from errno import ENOMEM
from typing import Final

FIRST_MIB: Final = 120
"""Room for the first thread of a run, with the clients and the certificates that it loads and the
report after it. Runs of 12 images had enough from 100 on; see `benchmarks/reliability.py`."""

FURTHER_MIB: Final = 24
"""Room for each further one: its stack and a question."""

_NUMBERS_MIB: Final = 205
"""Room for what a report calculates with, SciPy and its linear algebra with the memory that it
works in, on one thread."""

_PLENTY_MIB: Final = 1024
_MANY_PROCESSES: Final = 4096
_BLAS_THREADS: Final = "OPENBLAS_NUM_THREADS"


def is_scarce() -> bool:
    """Whether memory or threads are limited so that they might not do for a run."""
    if not has_room(_PLENTY_MIB):
        return True
    if sys.platform == "win32":
        return False
    import resource

    memory, processes = (
        resource.getrlimit(limit)[0] for limit in (resource.RLIMIT_AS, resource.RLIMIT_NPROC)
    )
    return memory != resource.RLIM_INFINITY or 0 <= processes < _MANY_PROCESSES


def load_numbers() -> bool:
    """Load what the report will calculate with, while there is room; whether it is there.

    Of a thread that it cannot start, OpenBLAS makes an interrupt of this process: it gets none
    here. Nothing that is calculated here needs them. Of memory that it cannot get, it makes the
    end of the process: a first equation is solved here, for which it takes all that it works in.
    """
    if not has_room(_NUMBERS_MIB):
        return False
    before = os.environ.get(_BLAS_THREADS)
    os.environ[_BLAS_THREADS] = "1"
    try:
        import numpy as np
        import scipy.special  # noqa: F401 - the first report will find it loaded

        np.linalg.solve(np.eye(1), np.ones(1))
    except (ImportError, MemoryError, OSError):
        return False
    finally:
        if before is None:
            del os.environ[_BLAS_THREADS]
        else:
            os.environ[_BLAS_THREADS] = before
    return True


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
