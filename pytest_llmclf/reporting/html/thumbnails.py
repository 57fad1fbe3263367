"""Thumbnails for a page, as large as its budget allows.

They are made of the pixels alone: whatever else a file carries (places, names, odd chunks) stays
behind. A file that is not the one that was asked about, by its SHA-256, is not
shown at all.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from pytest_llmclf.data.image import ImageLimits, check_size, prepare, upright
from pytest_llmclf.data.image_header import png_pixels_are_all, read_header
from pytest_llmclf.errors import ImageError
from pytest_llmclf.files import require_plain
from pytest_llmclf.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from PIL.Image import Image

    from pytest_llmclf.data.image_header import Header

    _Entry = tuple[str, Path]

_SMALLEST_SIDE: Final = 48
_LOSSLESS_SIDE: Final = 96
"""Up to this side an image is kept to the pixel: digits and icons suffer most from blur."""
_FEWEST_BYTES: Final = 900
"""Below this an image shows nothing: the budget then serves fewer of them."""
_QUALITY: Final = 76
_LOSSLESS_EFFORT: Final = 20
"""What WebP calls the quality of a lossless image; 76 takes four times as long for no byte."""
_LEAST_QUALITY: Final = 25
"""For an image that does not fit even at `_SMALLEST_SIDE`."""
_BYTES_PER_PIXEL: Final = 0.11
"""First guess for a photo at `_QUALITY`; each is then measured."""
_TRIES: Final = 4
_BATCH: Final = 32
_THREADS: Final = 8
_MIME: Final = {"WEBP": "image/webp", "JPEG": "image/jpeg", "PNG": "image/png"}
# Beyond `ImageError` for what cannot be shown: a file that is gone, or refused by the decoder.
_TROUBLE: Final = (OSError, ValueError, SyntaxError, MemoryError)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageBudget:
    """How much of a page images may take.

    Attributes:
        total_bytes: Bytes of all of them together, as they stand in the page.
        none: Whether to show none at all.
        largest_side: Longest side in pixels, however much room there is.
    """

    total_bytes: int = 11_000_000
    none: bool = False
    largest_side: int = 400

    def __post_init__(self) -> None:
        """Refuse a budget that is none."""
        if self.total_bytes < 1:
            raise ValueError(
                f"an image budget of {self.total_bytes} bytes shows none: give more, or none=True"
            )
        if self.largest_side < _SMALLEST_SIDE:
            raise ValueError(
                f"images of at most {self.largest_side} pixels show nothing: "
                f"give {_SMALLEST_SIDE} or more"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """One thumbnail.

    Attributes:
        uri: It, as a ``data:`` address.
        width: In pixels.
        height: In pixels.
    """

    uri: str
    width: int
    height: int


def thumbnails(
    wanted: Mapping[str, Path],
    budget: ImageBudget,
    limits: ImageLimits | None = None,
    progress: Progress = silent,
) -> dict[str, Thumbnail | str]:
    """A thumbnail for each file, or why there is none.

    Each gets an even share of what is left of the budget, so that room which thumbnails do not
    need goes to the later ones. The same files, budget and version of Pillow give the same result.

    Args:
        wanted: By the SHA-256 of an image's file, where it is; the most important ones first,
            since the last ones go without where the budget is too small for all.
        budget: How much they may take.
        limits: What is decoded at all.
        progress: Is told how far it is.
    """
    if budget.none:
        return dict.fromkeys(wanted, "this page was made without images")
    limits = limits or ImageLimits()
    found: dict[str, Thumbnail | str] = {}
    left = budget.total_bytes
    digests = list(wanted)
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
        for start in range(0, len(digests), _BATCH):
            batch = digests[start : start + _BATCH]
            share = max(_FEWEST_BYTES, left // (len(digests) - start))
            room = [(sha256, wanted[sha256]) for sha256 in batch[: max(0, left // share)]]
            job = functools.partial(_thumbnail, share=share, budget=budget, limits=limits)
            # A tiny file is done sooner than it is handed to a thread.
            makers = [
                functools.partial(job, one) if _is_tiny(one[1]) else _begun(pool, job, one)
                for one in room
            ]
            for (sha256, _), make in zip(room, makers, strict=True):
                found[sha256] = made = make()
                left -= len(made.uri) if isinstance(made, Thumbnail) else 0
            progress("images for the page", len(found), len(digests))
            for sha256 in batch[len(room) :]:
                found[sha256] = "the page's image budget was used up by other images"
    return found


def _begun(
    pool: ThreadPoolExecutor, job: Callable[[_Entry], Thumbnail | str], one: _Entry
) -> Callable[[], Thumbnail | str]:
    """Begin in a thread, or do it later in this one where the system has none left."""
    try:
        return pool.submit(job, one).result
    except (RuntimeError, MemoryError):
        return functools.partial(job, one)


def _is_tiny(path: Path) -> bool:
    try:
        return path.stat().st_size < _FEWEST_BYTES
    except OSError:
        return False


def _thumbnail(
    entry: tuple[str, Path], *, share: int, budget: ImageBudget, limits: ImageLimits
) -> Thumbnail | str:
    sha256, path = entry
    try:
        with require_plain(path).open("rb") as file:
            if os.fstat(file.fileno()).st_size > limits.max_bytes:
                return "its file is too large to be shown"
            data = file.read()
        if hashlib.sha256(data).hexdigest() != sha256:
            return "its file has changed since the run"
        return _made(data, share=share, budget=budget, limits=limits)
    except FileNotFoundError:
        return "its file is not there any more"
    except ImageError as error:
        return f"it cannot be shown: {error}"
    except _TROUBLE as error:
        return f"it cannot be shown ({type(error).__name__})"


def _made(data: bytes, *, share: int, budget: ImageBudget, limits: ImageLimits) -> Thumbnail | str:
    header = read_header(data)
    if (tiny := _as_it_is(header, share)) is not None:
        return tiny
    exact = max(header.size) <= _LOSSLESS_SIDE
    side = min(budget.largest_side, _LOSSLESS_SIDE if exact else _guess(header.size, share))
    return _fitted(_opened(data, header, side, limits), side, share, exact=exact)


def _as_it_is(header: Header, share: int) -> Thumbnail | None:
    """A PNG of so few bytes that to make it anew would cost much and save nothing."""
    most = min(share, _FEWEST_BYTES)
    exact = header.format == "PNG" and header.plain and max(header.size) <= _LOSSLESS_SIDE
    if not exact or len(header.bare) > most:
        return None
    made = _encoded_as(header.bare, "PNG", header.size)
    return made if len(made.uri) <= most and png_pixels_are_all(header.bare) else None


def _opened(data: bytes, header: Header, side: int, limits: ImageLimits) -> Image:
    """The image upright, RGB and at most `side` pixels long."""
    from PIL import Image as PilImage
    from PIL import JpegImagePlugin, PngImagePlugin

    if header.format != "JPEG":
        ready = prepare(data, replace(limits, max_side=side))
        stream = io.BytesIO(ready.data)
        if ready.media_type == "image/png":
            return PngImagePlugin.PngImageFile(stream).convert("RGB")
        return JpegImagePlugin.JpegImageFile(stream).convert("RGB")
    check_size(header.size, limits)
    image = JpegImagePlugin.JpegImageFile(io.BytesIO(header.bare))
    # The decoder leaves out what a thumbnail does not need: many times faster, little memory.
    image.draft("RGB", (side, side))
    small = image.convert("RGB")
    small.thumbnail((side, side), PilImage.Resampling.BICUBIC)
    return upright(small, header.orientation)


def _fitted(image: Image, side: int, share: int, *, exact: bool) -> Thumbnail | str:
    """`image`, at first `side` long, made smaller until it takes at most `share` bytes."""
    if exact and len((made := _encoded(image, lossless=True)).uri) <= share:
        return made
    for _ in range(_TRIES):
        made = _encoded(_scaled(image, side))
        if len(made.uri) <= share:
            return made
        if side == _SMALLEST_SIDE:
            made = _encoded(_scaled(image, side), quality=_LEAST_QUALITY)
            if len(made.uri) <= share:
                return made
            break
        # The size grows somewhat slower than the area.
        side = max(_SMALLEST_SIDE, int(side * 0.95 * (share / len(made.uri)) ** 0.55))
    return "it does not fit into the page's image budget"


def _guess(size: tuple[int, int], share: int) -> int:
    """The longest side that a photo probably fits with."""
    wide, narrow = max(size), max(1, min(size))
    area = share * 0.75 / _BYTES_PER_PIXEL
    return max(_SMALLEST_SIDE, int((area * wide / narrow) ** 0.5))


def _scaled(image: Image, side: int) -> Image:
    from PIL import Image as PilImage

    if max(image.size) <= side:
        return image
    copy = image.copy()
    copy.thumbnail((side, side), PilImage.Resampling.LANCZOS)
    return copy


def _encoded(image: Image, *, lossless: bool = False, quality: int = _QUALITY) -> Thumbnail:
    buffer = io.BytesIO()
    kind = "WEBP" if _has_webp() else ("PNG" if lossless else "JPEG")
    # Method 2 of WebP's 0 to 6 is twice as fast as the default and 7% larger.
    options = {"lossless": lossless} if kind == "WEBP" else {}
    if lossless:
        quality = _LOSSLESS_EFFORT
    image.save(buffer, kind, quality=quality, method=2, **options)
    return _encoded_as(buffer.getvalue(), kind, image.size)


def _encoded_as(data: bytes, kind: str, size: tuple[int, int]) -> Thumbnail:
    text = base64.b64encode(data).decode("ascii")
    return Thumbnail(uri=f"data:{_MIME[kind]};base64,{text}", width=size[0], height=size[1])


@functools.cache
def _has_webp() -> bool:
    """Whether this Pillow writes WebP; every wheel does, some distributions do not."""
    from PIL import features

    return bool(features.check("webp"))
