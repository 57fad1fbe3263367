"""What a classical classifier sees of an image: grey pixels, colours, and gradients."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

PIXELS: Final = 28
"""Side of the grey image whose pixels are features."""
_SIDE: Final = 64
_CELL: Final = 8
_BLOCK: Final = 2
_ORIENTATIONS: Final = 9
_SHADES: Final = 4
_CLIPPED: Final = 0.2
_TINY: Final = 1e-4
_COLOUR_WEIGHT: Final = 0.3


def features_of(data: bytes) -> NDArray[np.float32]:
    """The features of an image as sent: 784 grey pixels, 64 colours, 1764 gradients.

    Each of the three has a length of at most 1 as a vector, the colours of at most 0.3: they tell
    a cat from a dog, but the paper of one scan from that of another, too.

    Args:
        data: The file's bytes.

    Raises:
        OSError: It cannot be decoded.
    """
    with Image.open(io.BytesIO(data)) as opened:
        image = opened.convert("RGB")
    grey = _grey(image, _SIDE)
    pixels = _grey(image, PIXELS).ravel() / PIXELS
    parts = (pixels, _COLOUR_WEIGHT * _colours(image), gradients(grey))
    return np.concatenate(parts).astype(np.float32)


def _grey(image: Image.Image, side: int) -> NDArray[np.float64]:
    scaled = image.convert("L").resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(scaled, dtype=np.float64) / 255


def _colours(image: Image.Image) -> NDArray[np.float64]:
    """Square roots of the shares of 64 colours, four shades each of red, green and blue."""
    scaled = image.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    shades = np.asarray(scaled, dtype=np.int64) * _SHADES // 256
    places = shades @ np.array([_SHADES**2, _SHADES, 1])
    shares = np.bincount(places.ravel(), minlength=_SHADES**3) / places.size
    return np.asarray(np.sqrt(shares))


def gradients(grey: NDArray[np.float64]) -> NDArray[np.float64]:
    """Histograms of oriented gradients, after Dalal and Triggs (CVPR 2005), section 6.

    Square root of the brightness; nine orientations without sign; each gradient shared between
    the two nearest of them; cells of 8 x 8 pixels; overlapping blocks of 2 x 2 cells, each
    normalised, clipped at 0.2 and normalised again. All together have the length 1.

    Args:
        grey: A square image, brightness from 0 to 1; its side a multiple of 8.
    """
    rise, run = np.gradient(np.sqrt(grey))
    strength = np.hypot(rise, run)
    angle = np.arctan2(rise, run) % np.pi * (_ORIENTATIONS / np.pi)
    lower = np.floor(angle)
    share = angle - lower
    cells = len(grey) // _CELL
    place = np.arange(len(grey)) // _CELL
    cell = (place[:, None] * cells + place) * _ORIENTATIONS
    histogram = np.zeros(cells * cells * _ORIENTATIONS)
    for step, weight in ((0, 1 - share), (1, share)):
        where = cell + (lower.astype(np.int64) + step) % _ORIENTATIONS
        histogram += np.bincount(where.ravel(), (strength * weight).ravel(), histogram.size)
    grid = histogram.reshape(cells, cells, _ORIENTATIONS)
    inner = cells - _BLOCK + 1
    corners = (grid[y : y + inner, x : x + inner] for y in range(_BLOCK) for x in range(_BLOCK))
    blocks = np.concatenate(list(corners), axis=2).reshape(inner * inner, -1)
    clipped = np.minimum(_normalised(blocks), _CLIPPED)
    return _normalised(clipped).ravel() / inner


def _normalised(blocks: NDArray[np.float64]) -> NDArray[np.float64]:
    length: NDArray[np.float64] = np.sqrt((blocks**2).sum(axis=1, keepdims=True) + _TINY)
    return blocks / length
