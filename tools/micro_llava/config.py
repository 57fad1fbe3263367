"""Sizes, labels and schedules of micro-llava, in one place.

Everything that decides what the trained files look like is a constant or a field
here, so that a change of the model is a change of this file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

TASKS: dict[str, tuple[str, ...]] = {
    "mnist": tuple("0123456789"),
    "chess": ("bishop", "king", "knight", "pawn", "queen", "rook"),
    "animals": (
        "butterfly",
        "cat",
        "chicken",
        "cow",
        "dog",
        "elephant",
        "horse",
        "sheep",
        "spider",
        "squirrel",
    ),
}
UNKNOWN = "unknown"
LABELS: tuple[str, ...] = tuple(label for labels in TASKS.values() for label in labels)
CLASSES: tuple[str, ...] = (*LABELS, UNKNOWN)
"""What the vision stage tells apart: every label, and a picture of none of them."""

PAD_RGB = (122, 116, 104)
"""The colour that llama.cpp pads a picture with when it is not square."""
MEAN = (0.48, 0.46, 0.41)
STD = (0.27, 0.26, 0.28)
EPSILON = 1e-5


@dataclass(frozen=True)
class VisionConfig:
    """The CLIP-style vision transformer and its projector."""

    image_size: int = 48
    patch_size: int = 8
    width: int = 128
    heads: int = 4
    layers: int = 4
    feed_forward: int = 384

    @property
    def tokens(self) -> int:
        """How many image tokens the decoder sees."""
        return (self.image_size // self.patch_size) ** 2


@dataclass(frozen=True)
class DecoderConfig:
    """The LLaMA-style decoder."""

    width: int = 128
    heads: int = 4
    layers: int = 3
    feed_forward: int = 384
    vocabulary: int = 768
    context: int = 2048
    rope_base: float = 10000.0


@dataclass(frozen=True)
class DecoderRun:
    """One run over random conversations.

    Attributes:
        steps: How many batches.
        batch: Conversations a batch.
        rate: Peak rate of AdamW.
        muon_rate: Peak rate of Muon.
        usual_share: How many answers have the form asked for, whatever a grammar may force.
        bank: How many batches of pictures are looked at anew before; 0 keeps the former ones.
    """

    steps: int
    batch: int
    rate: float
    muon_rate: float
    usual_share: float
    bank: int


@dataclass(frozen=True)
class Schedule:
    """How long each stage trains, and how.

    The learning rate of stage 1 falls towards `vision_horizon`; training stops before, at
    `vision_steps`, where the held-out sets had stopped getting better. The averaged weights
    stand in for the rest of the fall.
    """

    vision_horizon: int = 5000
    vision_steps: int = 3000
    vision_batch: int = 128
    vision_rate: float = 1.5e-3
    muon_rate: float = 4e-3
    decoder_runs: tuple[DecoderRun, ...] = (
        DecoderRun(1400, 48, 2e-3, 4e-3, 0.7, 160),
        DecoderRun(600, 48, 1e-3, 2e-3, 0.4, 0),
        DecoderRun(500, 48, 7e-4, 1.5e-3, 0.5, 320),
    )
    ema: float = 0.998
    decoder_ema: float = 0.995
    seed: int = 7
    threads: int = 2


VISION = VisionConfig()
DECODER = DecoderConfig()
