"""Whether the base model that a run's model was derived from is still the one under its name.

`ollama pull` or `ollama create` may replace it while it is asked. What was derived keeps the old
weights, so the run's answers are of one model all the same; people must know that the name means
another one by now.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from pytest_llmclf.values.request import short_digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llmclf.models.ollama.derive import Derived

FIRST_LOOK_S: Final = 0.5
LONGEST_LOOK_S: Final = 10.0
"""Between two looks, each of which is one small request."""


class BaseWatch:
    """Says once that a base model was replaced. Thread-safe.

    Args:
        clock: Seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._pause_s = FIRST_LOOK_S
        self._due = clock() + FIRST_LOOK_S
        self._said = ""

    def look(self, derived: Derived, current: Callable[[], str], where: str) -> str:
        """What to say of the base at this moment; empty where there is nothing to say, or not yet.

        Args:
            derived: What was derived from it.
            current: Asks the server for the digest under the base's name; empty if it has none.
            where: The server.
        """
        with self._lock:
            if self._clock() < self._due:
                return ""
            # Nobody else looks while this look is under way.
            self._pause_s = min(LONGEST_LOOK_S, 2 * self._pause_s)
            self._due = self._clock() + self._pause_s
        digest = current()
        if digest in ("", derived.base_digest):  # removed it is no other one
            return ""
        sentence = (
            f"{derived.base} was replaced on {where} during the run "
            f"({short_digest(derived.base_digest)} before, {short_digest(digest)} now): all "
            f"answers of this run are those of the one before; the next run asks the new one"
        )
        with self._lock:
            if self._said == digest:
                return ""
            self._said = digest
        return sentence
