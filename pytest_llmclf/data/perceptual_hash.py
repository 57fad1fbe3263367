"""Which images look almost alike: a perceptual hash, and the pairs that are near by it.

The hash is that of Zauner ("Implementation and benchmarking of perceptual image hash functions",
2010, section 3.2.1), with more bits: of the grey image, 64 by 64 pixels as it is sent, the 16 by 16
lowest frequencies of the cosine transform without the mean, each above their median or not.
`benchmarks/label_errors.py` measures which of the bundled images it takes for copies.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.data.image import prepare
from pytest_llmclf.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

_SIDE: Final = 64
_FREQUENCIES: Final = 16
BITS: Final = _FREQUENCIES**2 - 1
"""Bits of a hash."""
NEAR: Final = 15
"""Most bits that differ between two images that are taken for near-copies."""
_BLOCK: Final = 1024


def perceptual_hash(path: Path) -> NDArray[Any] | None:
    """The hash of an image's file, as `BITS` booleans; ``None`` where it shows nothing to compare.

    That is so of an image that cannot be read, and of one whose pixels are all alike.
    """
    import numpy as np
    from PIL import Image
    from scipy.fft import dctn

    try:
        prepared = prepare(path.read_bytes())
    except (OSError, ImageError):
        return None
    with Image.open(io.BytesIO(prepared.data)) as image:
        small = image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    grey = np.asarray(small, dtype=float)
    if grey.max() == grey.min():
        return None
    found = dctn(grey, norm="ortho")[:_FREQUENCIES, :_FREQUENCIES].ravel()[1:]
    bits: NDArray[Any] = found > np.median(found)
    return bits


def near_to(
    some: Iterable[NDArray[Any]], hashes: Mapping[str, NDArray[Any]], most: int = NEAR
) -> frozenset[str]:
    """The names whose hashes differ from one of some others in at most so many bits."""
    import numpy as np

    names = list(hashes)
    if not names:
        return frozenset()
    rows = np.stack([hashes[name] for name in names])
    near = np.zeros(len(names), dtype=bool)
    for one in some:
        near |= (rows != one).sum(1) <= most
    return frozenset(name for name, is_near in zip(names, near, strict=True) if is_near)


def near_pairs(
    hashes: Mapping[str, NDArray[Any]], most: int = NEAR
) -> Iterator[tuple[str, str, int]]:
    """Pairs of names whose hashes differ in at most so many bits, with that number.

    Every hash is held against every other, a block at a time: ten thousand images take seconds and
    some megabytes.
    """
    import numpy as np

    names = sorted(hashes)
    if not names:
        return
    rows = np.packbits(np.stack([hashes[name] for name in names]), axis=1).view(np.uint64)
    for start in range(0, len(names), _BLOCK):
        block = rows[start : start + _BLOCK]
        for other in range(start, len(names), _BLOCK):
            differing = np.bitwise_count(
                block[:, None, :] ^ rows[None, other : other + _BLOCK, :]
            ).sum(2, dtype=np.int64)
            for first, second in zip(*np.nonzero(differing <= most), strict=True):
                if start + first < other + second:
                    bits = int(differing[first, second])
                    yield names[start + first], names[other + second], bits
