"""Prompts and models, each with each."""

from pytest_llmclf import Evaluation, Variant

matrix = Evaluation(
    dataset="../own-photos/photos",
    name="matrix",
    modelfile="matrix",
    variants={
        "plain": Variant(prompt="Which digit is in this image?"),
        "careful": Variant(prompt="Look at the strokes. Which digit is in this image?"),
    },
)


@matrix.images
def test_image(outcome):
    outcome.check()


@matrix.gate
def test_gate(report):
    assert report.unparsed_rate <= 0.1
