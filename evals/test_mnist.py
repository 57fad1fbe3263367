"""Handwritten digits."""

from pytest_llmclf import Evaluation, Gate

mnist = Evaluation(
    dataset="mnist",
    modelfile="mnist-digits",
    prompt="Which digit is in this picture?",
    top_logprobs=20,
    gates=[
        Gate(
            "accuracy >= 0.958",
            model="micro-llava",
            images="bundled",
            because="measured: 0.978 of all images; a margin of 2 points",
        ),
        Gate(
            "accuracy >= 0.75",
            model="ollama:llava*",
            images="imported",
            because="published: 0.792 on 500 images of this data set; a margin of 4 points",
        ),
    ],
)


@mnist.images
def test_image(outcome):
    """Each image gets its digit."""
    outcome.check()


@mnist.gate
def test_gate(report, baseline):
    """No worse than what is committed."""
    assert report.predictions == baseline
