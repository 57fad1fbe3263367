"""Forty digits, and what a model has to reach on them."""

from pytest_llmclf import Evaluation

photos = Evaluation(
    dataset="./photos",
    modelfile="photos",
    prompt="Which digit is in this image?",
    gates=["accuracy >= 0.9", "recall[*] >= 0.5"],
)


@photos.images
def test_image(outcome):
    outcome.check()


@photos.gate
def test_gate(report, baseline):
    assert report.predictions == baseline
