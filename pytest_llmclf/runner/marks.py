"""How an evaluation marks test functions; apart, so that looking for a mark imports nothing."""

from __future__ import annotations

from typing import Final

IMAGES_ATTRIBUTE: Final = "__llmclf_images__"
GATE_ATTRIBUTE: Final = "__llmclf_gate__"
DECORATORS: Final = {IMAGES_ATTRIBUTE: "images", GATE_ATTRIBUTE: "gate"}
"""The method of an evaluation that sets each."""


def is_marked(function: object) -> bool:
    """Whether a test function belongs to an evaluation."""
    return hasattr(function, IMAGES_ATTRIBUTE) or hasattr(function, GATE_ATTRIBUTE)
