"""What a model costs, as its user says."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable

_FORM: Final = (
    "write MODEL: READ, WRITTEN, the money for a million tokens read and a million written, "
    "such as 'openai:gpt-4o*: 2.50, 10'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """The money that tokens cost, in whatever currency the user counts.

    Attributes:
        read: For a million tokens read, the image's included.
        written: For a million tokens written, thinking included.
    """

    read: float
    written: float

    def to_json(self) -> dict[str, Any]:
        """As JSON built-ins."""
        return asdict(self)


def parse_price(text: str) -> tuple[str, Price]:
    """Read ``openai:gpt-4o*: 2.50, 10``: a model or shell-style pattern, and its price.

    Raises:
        SettingsError: It has another form, or an amount is no number from 0 on.
    """
    model, colon, amounts = text.rpartition(":")
    parts = amounts.split(",")
    if not colon or not model.strip() or len(parts) != 2:  # noqa: PLR2004 - read and written
        raise SettingsError(f"{text!r}: {_FORM}")
    return model.strip(), Price(read=_amount(parts[0], text), written=_amount(parts[1], text))


def _amount(part: str, text: str) -> float:
    try:
        value = float(part)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise SettingsError(f"{text!r}: {part.strip()!r} is no amount of money; {_FORM}")
    return value


def price_of(model: str, prices: Iterable[tuple[str, Price]]) -> Price | None:
    """The price of a model, by the last pattern that it fits; ``None`` where nobody gave one."""
    return next((price for fits, price in reversed([*prices]) if fnmatchcase(model, fits)), None)
