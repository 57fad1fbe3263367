"""Chess pieces, flat and in 3D."""

from pytest_llmclf import Evaluation, Gate

chess = Evaluation(
    dataset="chess",
    modelfile="chess-pieces",
    prompt="Which chess piece is in this picture?",
    top_logprobs=20,
    gates=[
        Gate(
            "accuracy >= 0.773",
            model="micro-llava",
            images="bundled",
            because="measured: 0.813 of all images; a margin of 4 points",
        ),
        Gate(
            "accuracy >= 0.12",
            model="ollama:llava*",
            images="imported",
            because="published: 0.166 on 465 of this data set, as by chance; a margin of 5 points",
        ),
    ],
)


@chess.images
def test_image(outcome):
    """Each image gets its piece."""
    outcome.check()


@chess.gate
def test_gate(report, baseline):
    """No worse than what is committed."""
    assert report.predictions == baseline
