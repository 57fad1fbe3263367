"""Which images a number or a verdict is of: said in one way, wherever it is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_llmclf.report import Report

WHEN_STOPPED = "when the run stopped"
"""Follows a number of a run that stopped early: it stopped because of such numbers, so they are no
fair estimate of what all images give."""


def images_of(judged: int, whole: int) -> str:
    """Such as ``500 images`` or ``120 of 500 images, a subset``.

    Args:
        judged: Images that the run set out to judge.
        whole: Images of the dataset.
    """
    return f"{judged} of {whole} images, a subset" if judged < whole else f"{judged} images"


def population(report: Report) -> str:
    """Which images a verdict about these images is about: ``on these 500 images``."""
    ledger, whole = report.ledger, report.dataset.cases_in_dataset
    these = "" if ledger.collected < whole else "these "
    return f"on {these}{images_of(ledger.collected, whole)}"


def stopped_after(report: Report) -> str:
    """Such as ``after 46 of 500 images, in random order``; empty if the run did not stop early."""
    ledger = report.ledger
    if not ledger.not_needed:
        return ""
    return f"after {ledger.answered + ledger.error} of {ledger.collected} images, in random order"
