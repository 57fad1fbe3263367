"""Evaluate vision LLMs as image classifiers with pytest.

from pytest_llmclf import Evaluation, Gate

mnist = Evaluation(dataset="mnist", modelfile="mnist-digits", prompt="Which digit is this?")

@mnist.images
def test_image(outcome):
    outcome.check()

@mnist.gate
def test_gate(report):
    assert report.accuracy >= 0.75
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_llmclf.api import PublicReport as Report
    from pytest_llmclf.api import evaluate, evaluate_all, read_run, right_by
    from pytest_llmclf.errors import BackendError
    from pytest_llmclf.gates.gate import Gate
    from pytest_llmclf.metrics.metric import ImageMean
    from pytest_llmclf.prompting.labels import Label
    from pytest_llmclf.runner.evaluation import Evaluation
    from pytest_llmclf.runner.examples import Examples
    from pytest_llmclf.runner.variant import Variant
    from pytest_llmclf.runner.variant_grid import product
    from pytest_llmclf.values.answer import Answer
    from pytest_llmclf.values.outcome import Misclassified, ModelError, Outcome, Unparsed
    from pytest_llmclf.values.request import ModelIdentity, Request

__all__ = [
    "Answer",
    "BackendError",
    "Evaluation",
    "Examples",
    "Gate",
    "GateFailed",
    "GateInconclusive",
    "ImageMean",
    "Label",
    "Misclassified",
    "ModelError",
    "ModelIdentity",
    "Outcome",
    "Report",
    "Request",
    "Unparsed",
    "Variant",
    "evaluate",
    "evaluate_all",
    "product",
    "read_run",
    "right_by",
]

_HOMES = {
    "Answer": "values.answer",
    "BackendError": "errors",
    "Evaluation": "runner.evaluation",
    "Examples": "runner.examples",
    "Gate": "gates.gate",
    "GateFailed": "gates.gate",
    "GateInconclusive": "gates.gate",
    "ImageMean": "metrics.metric",
    "Label": "prompting.labels",
    "Misclassified": "values.outcome",
    "ModelError": "values.outcome",
    "ModelIdentity": "values.request",
    "Outcome": "values.outcome",
    "Report": "api",
    "Request": "values.request",
    "Unparsed": "values.outcome",
    "Variant": "runner.variant",
    "product": "runner.variant_grid",
    "evaluate": "api",
    "evaluate_all": "api",
    "read_run": "api",
    "right_by": "api",
}
_CALLED = {"Report": "PublicReport"}
"""What a name is called at home, where that is another one."""


def __getattr__(name: str) -> Any:
    # pytest imports this package at every start; what an evaluation needs comes on first use.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), _CALLED.get(name, name))
