"""Ten animals in photos, clip art, cartoons, emoji and 3D."""

from pytest_llmclf import Evaluation, Gate

animals = Evaluation(
    dataset="animals",
    modelfile="animals",
    prompt="Which animal is in this picture?",
    top_logprobs=20,
    gates=[
        Gate(
            "accuracy >= 0.432",
            model="micro-llava",
            images="bundled",
            because="measured: 0.483 of all images; a margin of 5 points",
        ),
        Gate(
            "accuracy >= 0.73",
            model="ollama:llava*",
            images="imported",
            because="published: 0.774 on 500 images of this data set; a margin of 4 points",
        ),
    ],
)


@animals.images
def test_image(outcome):
    """Each image gets its animal."""
    outcome.check()


@animals.gate
def test_gate(report, baseline):
    """No worse than what is committed."""
    assert report.predictions == baseline
