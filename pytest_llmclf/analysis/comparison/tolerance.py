"""How much worse than the committed predictions a run may be and still pass."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from pytest_llmclf.errors import SettingsError

_TOLERANCE: Final = re.compile(r"(?P<number>[0-9]{1,18}(?:\.[0-9]{1,18})?)\s*(?P<percent>%?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """The largest net loss (broken minus fixed) that passes; exactly one of both is given.

    It can only make a baseline stricter: a significant net loss fails in any case.

    Attributes:
        images: As a number of images.
        share: As a share of the images compared, from 0 to 1.
    """

    images: int | None = None
    share: Fraction | None = None

    def __post_init__(self) -> None:
        if (self.images is None) == (self.share is None):
            raise ValueError("a tolerance is a number of images or a share, one of both")

    def allows(self, net_loss: int, common: int) -> bool:
        """Whether a net loss of so many of so many images passes."""
        if self.images is not None:
            return net_loss <= self.images
        assert self.share is not None  # noqa: S101 - checked when it was made
        return net_loss <= self.share * common

    def __str__(self) -> str:
        """As written: ``3`` or ``2%``."""
        return str(self.images) if self.share is None else f"{float(100 * self.share):g}%"


def parse_tolerance(text: str) -> Tolerance:
    """Read ``3`` (images) or ``2%`` (of the images compared).

    Raises:
        SettingsError: What is wrong with it and what was probably meant.
    """
    match = _TOLERANCE.fullmatch(text.strip())
    if match is None:
        raise SettingsError(
            f"tolerance {text!r} is neither a number of images such as 3 nor a share such as 2%"
        )
    number = Fraction(match["number"])
    if match["percent"]:
        if number > 100:  # noqa: PLR2004 - per cent
            raise SettingsError(f"tolerance {text!r} is more than all images; 100% allows any loss")
        return Tolerance(share=number / 100)
    if number.denominator != 1:
        share = float(100 * number) if number < 1 else float(number)
        raise SettingsError(
            f"tolerance {text!r} is no whole number of images; for a share write {share:g}%"
        )
    return Tolerance(images=int(number))
