"""What unit tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.scripted import OPENED

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def close_stores() -> Iterator[None]:
    """Close the stores of scripted engines: an open one warns when it is collected."""
    yield
    while OPENED:
        OPENED.pop().close()
