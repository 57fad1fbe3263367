"""How many images a number is of, and of which moment of a run: said in one way everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_llmclf.ledger import Ledger

WHEN_STOPPED = "when the run stopped"
"""Follows a number of a run that stopped early."""


def images_of(judged: int, whole: int) -> str:
    """Such as ``500 images`` or ``120 of 500 images, a subset``.

    Args:
        judged: Images that the run set out to judge.
        whole: Images of the dataset.
    """
    return f"{judged} of {whole} images, a subset" if judged < whole else f"{judged} images"


def when_stopped(text: str, ledger: Ledger) -> str:
    """A number with, after an early stop, that it is of that moment."""
    return f"{text} {WHEN_STOPPED}" if ledger.not_needed else text


def stopped_after(ledger: Ledger) -> str:
    """Such as ``after 46 of 500 images, in random order``."""
    return f"after {ledger.answered + ledger.error} of {ledger.collected} images, in random order"


def stop_note(ledger: Ledger, whole: int) -> str:
    """What goes for every number of a run that stopped early, in one line.

    It stopped because of such numbers, so they are no fair estimate.

    Args:
        ledger: Of the run.
        whole: Images of the dataset.
    """
    return (
        f"stopped early, {stopped_after(ledger)}: numbers are of these, and no fair estimate of "
        f"what all of {images_of(ledger.collected, whole)} would give; verdicts allow for it"
    )
