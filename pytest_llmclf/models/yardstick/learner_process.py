"""The process in which classifiers learn, seen from the one that asks.

Apart from it, for three reasons: its warnings cannot become errors of a test run, it has one
thread whatever the numeric libraries would take, and what it held is free when it ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any, Final

from pytest_llmclf.errors import BackendError

LEARNER: Final = "pytest_llmclf.models.yardstick.learner"
_ONE_THREAD: Final = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    "BLIS_NUM_THREADS", "NUMEXPR_NUM_THREADS",
)  # fmt: skip
_PATIENCE_S: Final = 5.0


class LearnerFailed(BackendError):
    """A classifier could not learn, or could not say."""

    kind = "learner-failed"


class LearnerGone(LearnerFailed):
    """The process in which classifiers learn ended."""

    of_model = True
    for_good = True


class LearnerProcess:
    """Starts the process when it is first needed. Thread-safe; one order at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._orders: IO[str] | None = None
        self._answers: IO[str] | None = None
        self.ended = 0
        """How often it ended; what it had learnt before is gone then."""

    def do(self, **order: Any) -> Any:
        """What the process gives back for an order.

        Raises:
            LearnerFailed: It cannot carry it out.
            LearnerGone: It ended.
        """
        with self._lock:
            try:
                orders, answers = self._started()
                orders.write(json.dumps(order) + "\n")
                orders.flush()
                line = answers.readline()
            except (OSError, ValueError) as error:
                raise self._gone(str(error)) from error
            if not line:
                raise self._gone("it ended")
        answer = json.loads(line)
        if "failed" in answer:
            raise LearnerFailed(answer["failed"], remedy=answer["remedy"])
        return answer["done"]

    def close(self) -> None:
        """End the process; may be called twice."""
        with self._lock:
            self._end()

    def _started(self) -> tuple[IO[str], IO[str]]:
        if self._orders is None or self._answers is None:
            environment = {
                **os.environ,
                **dict.fromkeys(_ONE_THREAD, "1"),
                # Where this process finds modules, that one does, too.
                "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path),
                "PYTHONIOENCODING": "utf-8",
            }
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [sys.executable, "-W", "ignore", "-m", LEARNER],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                encoding="utf-8",
            )
            self._orders, self._answers = self._process.stdin, self._process.stdout
        if self._orders is None or self._answers is None:
            raise OSError("it has no pipes")
        return self._orders, self._answers

    def _gone(self, why: str) -> LearnerGone:
        code = None if self._process is None else self._process.poll()
        self._end()
        return LearnerGone(
            f"the process in which classifiers learn is gone ({why}, exit code {code})",
            remedy="free memory, or learn from fewer images: ?most=1000 behind the model",
        )

    def _end(self) -> None:
        process, self._process = self._process, None
        orders, self._orders = self._orders, None
        answers, self._answers = self._answers, None
        if process is None:
            return
        self.ended += 1
        with contextlib.suppress(OSError):
            if orders is not None:
                orders.close()
        try:
            process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:  # in the midst of learning
            process.kill()
            process.wait()
        if answers is not None:
            answers.close()
