"""The process in which classifiers learn: one line of JSON in, one out.

``python -m pytest_llmclf.models.yardstick.learner``. It ends with its standard input.
"""

from __future__ import annotations

import base64
import hashlib
import inspect
import json
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmclf.errors import BackendError, LlmclfError
from pytest_llmclf.models.yardstick.fitting import Fitting, TrainingFeatures
from pytest_llmclf.models.yardstick.learning import lesson_from

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Learner:
    """What the process has learnt so far."""

    def __init__(self) -> None:
        self._features: dict[str, TrainingFeatures] = {}
        self._fittings: dict[str, Fitting] = {}

    def do(self, order: Mapping[str, Any]) -> Any:
        """Carry out one order and give back what it asks for, as JSON built-ins."""
        match order["do"]:
            case "describe":
                return described(order["name"])
            case "learn":
                return self._learn(order)
            case _:
                return self._ask(order)

    def _learn(self, order: Mapping[str, Any]) -> None:
        lesson = order["lesson"]
        # Classifiers that learn from the same images share what was seen of them.
        shared = self._features.setdefault(
            hashlib.sha256(json.dumps(lesson, sort_keys=True).encode()).hexdigest(),
            TrainingFeatures(lesson_from(lesson), elsewhere=lesson["elsewhere"]),
        )
        make = maker(order["backend"], order["name"])
        self._fittings[order["key"]] = Fitting(make, shared, order["labels"], order["answered"])

    def _ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        fitting = self._fittings[order["key"]]
        fitted = fitting.fitted(order["sha256"])
        began = time.perf_counter()
        image = base64.b64decode(order["image"])
        label, probabilities = fitting.say(fitted, order["sha256"], image)
        return {
            "label": label,
            "probabilities": probabilities,
            "seconds": fitted.seconds + time.perf_counter() - began,
            "unread": fitting.unread,
        }


def maker(backend: str, name: str) -> Callable[[], Any]:
    """What makes new classifiers.

    Raises:
        SettingsError: There is no such module or factory, or it makes no classifier.
    """
    from pytest_llmclf.models.yardstick.estimators import estimator_of, yardstick

    if backend == "yardstick":
        return partial(yardstick, name)
    module, _, factory = name.rpartition(":")
    return partial(estimator_of, module, factory)


def described(name: str) -> str:
    """All that decides what a classifier is: its parameters, and the code that it is of.

    Args:
        name: Its module and factory, such as ``sklearn.svm:SVC``.

    Raises:
        SettingsError: There is no such module or factory, or it makes no classifier.
    """
    made = maker("sklearn", name)()
    parameters = {key: repr(value) for key, value in made.get_params().items()}
    file = inspect.getsourcefile(type(made))
    code = "" if file is None else hashlib.sha256(Path(file).read_bytes()).hexdigest()
    return json.dumps([name, type(made).__qualname__, parameters, code], sort_keys=True)


def main() -> None:
    """Carry out orders until there are no more."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    # What a classifier prints must not come between the answers.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    learner = Learner()
    for line in sys.stdin:
        try:
            answer = {"done": learner.do(json.loads(line))}
        except LlmclfError as error:
            remedy = error.remedy if isinstance(error, BackendError) else ""
            answer = {"failed": getattr(error, "message", str(error)), "remedy": remedy}
        except Exception as error:  # noqa: BLE001 - a classifier of others may raise anything
            answer = {"failed": f"{type(error).__name__}: {error}", "remedy": ""}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
