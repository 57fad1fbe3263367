"""Perceptual hashes of images by their content, kept so that no image is decoded for them twice.

A file of JSON in the home of the project. It can be removed at any time: one that cannot be read is
taken for empty, and one that cannot be written costs time alone.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.data.image import ImageLimits, preparation
from pytest_llmclf.data.perceptual_hash import BITS, perceptual_hash
from pytest_llmclf.files import require_plain, write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_llmclf.values.case import Case

FILE: Final = "image-hashes.json"
_FORMAT: Final = 1
_DIGITS: Final = 2 * ((BITS + 7) // 8)


def hashes_of(cases: Iterable[Case], home: Path | None = None) -> dict[str, NDArray[Any]]:
    """The hash of each image by its id, without those that show nothing to compare.

    Args:
        cases: The images.
        home: Folder where hashes are kept; ``None``: nowhere.
    """
    path = None if home is None else home / FILE
    known = _read(path)
    new: dict[str, str] = {}
    found: dict[str, NDArray[Any]] = {}
    for case in cases:
        text = known.get(case.sha256, new.get(case.sha256))
        if text is None:
            text = new[case.sha256] = _text(perceptual_hash(case.path))
        if text:
            found[case.id] = _bits(text)
    if new and path is not None:
        # Another process may have written its own meanwhile.
        content = {"format": _written_by(), "hashes": {**_read(path), **new}}
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, json.dumps(content).encode())
    return found


def _read(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    try:
        content = json.loads(require_plain(path).read_text("utf-8"))
        if content["format"] != _written_by():
            return {}
        return {name: text for name, text in content["hashes"].items() if _is_hash(text)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _written_by() -> str:
    """All that decides what hash an image has."""
    return f"{_FORMAT} {BITS} {preparation(ImageLimits())}"


def _is_hash(text: object) -> bool:
    if not isinstance(text, str) or len(text) not in (0, _DIGITS):
        return False
    try:
        return len(bytes.fromhex(text)) * 2 == len(text)
    except ValueError:
        return False


def _text(bits: NDArray[Any] | None) -> str:
    """A hash as text; empty for an image that shows nothing to compare."""
    import numpy as np

    return "" if bits is None else np.packbits(bits).tobytes().hex()


def _bits(text: str) -> NDArray[Any]:
    import numpy as np

    packed = np.frombuffer(bytes.fromhex(text), dtype=np.uint8)
    return np.unpackbits(packed, count=BITS).astype(bool)
