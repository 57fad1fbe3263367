"""What every layer says in one way: how many images, which moment, how sure, which remedy."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from pytest_llmclf.metrics.case_counts import Ledger

WHEN_STOPPED = "when the run stopped"
"""Follows a number of a run that stopped early."""
FROM_ELSEWHERE: Final = "look at the texts in the file that they come from"
"""The remedy for answers without a label of whoever is told nothing, and cannot be told more."""
UNFORCED: Final = (
    'the server does not hold the model to the labels, though answer="enum" asks for it: use one '
    'that does, or answer="text" and a prompt that asks for a label and nothing else'
)
"""The remedy where answers were to be forced and name something else all the same."""
WITHHELD: Final = (
    "change the filter of the service, or leave these images out: asking again does not help"
)
"""The remedy where a filter of the service withheld answers."""

_LEAST_P: Final = 0.001
_P_DIGITS: Final = 3
_LEVEL: Final = 0.05


def images_of(judged: int, whole: int) -> str:
    """Such as ``500 images`` or ``120 of 500 images, a subset``.

    Args:
        judged: Images that the run set out to judge.
        whole: Images of the dataset.
    """
    if judged < whole:
        return f"{judged} of {whole} images, a subset"
    return f"{judged} {noun(judged, 'image')}"


def all_of(judged: int, whole: int) -> str:
    """Such as ``all 500 images`` or ``all 120 of 500 images, a subset,``; see `images_of`."""
    return f"all {images_of(judged, whole)}{',' if judged < whole else ''}"


def when_stopped(text: str, ledger: Ledger) -> str:
    """A number with, after an early stop, that it is of that moment."""
    return f"{text} {WHEN_STOPPED}" if ledger.not_needed else text


def stopped_after(ledger: Ledger) -> str:
    """Such as ``after 46 of 500 images, in random order``."""
    asked, images = ledger.answered + ledger.error, noun(ledger.collected, "image")
    return f"after {asked} of {ledger.collected} {images}, in random order"


def asked_of(ledger: Ledger) -> str:
    """How many images, for a table: ``500``, or ``46 of 500`` where the run stopped early."""
    asked = f"{ledger.answered + ledger.error:,} of " if ledger.not_needed else ""
    return f"{asked}{ledger.collected:,}"


def stop_note(ledger: Ledger, whole: int, after: int | None = None) -> str:
    """What goes for every number of a run that stopped early, in one line.

    It stopped because of such numbers, so they are no fair estimate, and what is found in them by
    a test for a fixed number of images is no finding.

    Args:
        ledger: Of the run.
        whole: Images of the dataset.
        after: How many images the verdicts rest on; others were under way when all was decided.
    """
    asked = ledger.answered + ledger.error
    rest = f" and rest on the first {after}" if after is not None and after < asked else ""
    return (
        f"stopped early, {stopped_after(ledger)}: the numbers are those of these images, and no "
        f"fair estimate of what {all_of(ledger.collected, whole)} would give, since a run "
        f"stops when its numbers look clear; the verdicts allow for that{rest}; the model is not "
        "searched for weaknesses"
    )


def p_value(chance: float) -> str:
    """How often chance alone shows as much: ``p = 0.012``, ``p < 0.001``.

    Rounded, it stays on its side of 5%, which is where a claim begins: ``p = 0.0496``.
    """
    if chance < _LEAST_P:
        return f"p < {_LEAST_P}"
    digits = _P_DIGITS
    while _finest(chance, digits) and (chance < _LEVEL) != (round(chance, digits) < _LEVEL):
        digits += 1
    return f"p = {chance:.{digits}f}"


def _finest(chance: float, digits: int) -> bool:
    """Whether more digits than these would still tell more."""
    return round(chance, digits) != chance and digits < sys.float_info.dig
