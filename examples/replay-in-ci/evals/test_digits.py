"""Forty digits, judged by recorded answers."""

from pytest_llmclf import Evaluation

digits = Evaluation(
    dataset="../own-photos/photos",
    name="digits",
    modelfile="digits",
    prompt="Which digit is in this image?",
    gates=["accuracy >= 0.9", "recall[*] >= 0.5"],
)


@digits.images
def test_image(outcome):
    outcome.check()


@digits.gate
def test_gate(report, baseline):
    assert report.predictions == baseline
