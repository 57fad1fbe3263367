"""What is said in one way everywhere: how many images a number is of, and shared remedies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pytest_llmclf.ledger import Ledger

WHEN_STOPPED = "when the run stopped"
"""Follows a number of a run that stopped early."""
UNFORCED: Final = (
    'the server does not hold the model to the labels, though answer="enum" asks for it: use one '
    'that does, or answer="text" and a prompt that asks for a label and nothing else'
)
"""The remedy where answers were to be forced and name something else all the same."""
WITHHELD: Final = (
    "change the filter of the service, or leave these images out: asking again does not help"
)
"""The remedy where a filter of the service withheld answers."""


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
