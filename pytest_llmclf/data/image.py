"""Images are sent ready: upright, RGB, on white, of bounded size, and whole.

What a server makes of a turned, transparent or cut image differs (and a cut JPEG is answered as
if it were whole), so it is settled here. A plain image is sent byte for byte.
"""

from __future__ import annotations

import io
import struct
import sys
import zlib
from array import array
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, cast

from pytest_llmclf.data.image_header import PNG_MARK, Header, read_header, refuse_bomb
from pytest_llmclf.errors import ImageError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image

PREPARATION_FORMAT: Final = 2
"""Raised when `prepare` makes something else of the same bytes."""

LARGEST_SIDE: Final = 1344
"""Longest side in pixels as sent, unless something else is said. It is four tiles of 336, the most
that a LLaVA 1.6 looks at along one side; LLaVA 1.5 looks at 336. More would cost time and change
nothing."""

_MEDIA_TYPES: Final = {"JPEG": "image/jpeg", "PNG": "image/png"}
MEDIA_TYPES: Final = frozenset(_MEDIA_TYPES.values())
"""What is sent is one of these."""
_MODES: Final = {"1": "black and white", "L": "grey", "P": "palette"}
_STORED_BLOCK: Final = 0xFFFF
_WHITE: Final = (255, 255, 255)
_PROBE: Final = 8
# Everything that a decoder raises on damaged data; Pillow documents no narrower set.
_DAMAGE: Final = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLimits:
    """What is sent and what is decoded at all.

    Attributes:
        max_side: Longest side in pixels of an image as sent; a larger one is scaled down.
        max_pixels: Most pixels that are decoded; 64 million take about 200 MB.
        max_bytes: Largest file that is read into memory.
        scale: How many times as large as by `max_side` the image is sent; enlarged up to
            `LARGEST_SIDE`.
        grey: Of 0 to 255; all pixels are sent in this grey, so that the image shows nothing.

    Raises:
        SettingsError: A limit is less than 1.
    """

    max_side: int = LARGEST_SIDE
    max_pixels: int = 64_000_000
    max_bytes: int = 64 * 1024 * 1024
    scale: float = 1.0
    grey: int | None = None

    def __post_init__(self) -> None:
        """Refuse limits under which no image could be sent."""
        for name in ("max_side", "max_pixels", "max_bytes"):
            value: int = getattr(self, name)
            if value < 1:
                msg = f"{name} is {value}, under which no image could be sent: give at least 1"
                raise SettingsError(msg)

    @property
    def changes(self) -> bool:
        """Whether an image is sent otherwise than it is, whatever its size."""
        return self.scale != 1 or self.grey is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An image as sent.

    Attributes:
        data: The bytes; those of the file where nothing had to be done.
        media_type: ``image/jpeg`` or ``image/png``.
        changes: What was done, in order, for people; empty where nothing was.
    """

    data: bytes
    media_type: str
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SentImage:
    """What is known of an image as sent, without its bytes.

    Attributes:
        sha256: Hex sha256 of the bytes; empty where it is not known yet.
        media_type: ``image/jpeg`` or ``image/png``.
    """

    sha256: str
    media_type: str


@cache
def preparation(limits: ImageLimits) -> str:
    """All that decides what `prepare` makes of given bytes: limits, rules, and the decoder."""
    import PIL

    changed = f"scale {limits.scale:g} grey {limits.grey} " if limits.changes else ""
    return (
        f"{PREPARATION_FORMAT} {limits.max_side} {limits.max_pixels} {limits.max_bytes} "
        f"{changed}pillow {PIL.__version__}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What decoding an image showed.

    Attributes:
        problem: Why it cannot be asked about, with the remedy; ``None`` if it can.
        colour: Red, green and blue of an image all of whose pixels are sent alike; else ``None``.
        hidden: Whether something is drawn in it that is white on transparency, and not seen.
    """

    problem: str | None = None
    colour: tuple[int, int, int] | None = None
    hidden: bool = False


def check(data: bytes, limits: ImageLimits | None = None) -> str | None:
    """Say why an image cannot be asked about, with the remedy; `None` if it can.

    Decodes the whole image, since only that shows that all of it is there.
    """
    return see(data, limits).problem


def see(data: bytes, limits: ImageLimits | None = None) -> Seen:
    """Decode an image and see whether anything is in it."""
    limits = limits or ImageLimits()
    try:
        image = _decode(_sound_header(data, limits), limits)
    except ImageError as exc:
        return Seen(problem=str(exc))
    colour = _one_colour(image)
    return Seen(colour=colour, hidden=colour == _WHITE and _drawn_on_nothing(image))


def _drawn_on_nothing(image: Image) -> bool:
    """Whether some of its pixels are transparent, and some are not."""
    if not _has_alpha(image):
        return False
    low, high = image.convert("RGBA").getchannel("A").getextrema()
    return low != high


def _one_colour(image: Image) -> tuple[int, int, int] | None:
    """The colour of all pixels of a decoded image as sent; ``None`` where there are several."""
    from PIL.Image import Resampling

    # Some pixels tell at once that most images are not of one colour.
    few = (min(_PROBE, image.width), min(_PROBE, image.height))
    for part in (image.resize(few, Resampling.NEAREST), image):
        low_high = cast("list[tuple[int, int]]", list(_rgb(part)[0].getextrema()))
        if any(low != high for low, high in low_high):
            return None
    red, green, blue = (low for low, _ in low_high)
    return red, green, blue


def _has_alpha(image: Image) -> bool:
    return image.mode in {"LA", "PA", "RGBA"} or "transparency" in image.info


def prepare(data: bytes, limits: ImageLimits | None = None, *, checked: bool = False) -> Prepared:
    """Make an image ready to be sent.

    The same bytes and limits give the same bytes on every machine: what is converted is written
    as an uncompressed PNG, since compressed ones differ with the version of the compressor.

    Args:
        data: The file's bytes; its name does not matter.
        limits: Size as sent, and size that is decoded at all.
        checked: Whether `check` passed for these bytes; spares decoding them again.

    Raises:
        ImageError: It cannot be sent; says why and what to do, not which file.
    """
    limits = limits or ImageLimits()
    header = _sound_header(data, limits)
    fits = max(header.size) <= limits.max_side and not limits.changes
    if header.plain and header.orientation == 1 and fits:
        if not checked:
            _decode(header, limits)
        return Prepared(data=data, media_type=_MEDIA_TYPES[header.format])
    image, changes = _decode(header, limits), []
    turned = upright(image, header.orientation)
    if turned is not image:
        changes.append("turned upright")
    flat, how = _rgb(turned)
    changes += how
    small = _sized(flat, limits)
    if small is not flat:
        changes.append(f"scaled from {_by(flat.size)} to {_by(small.size)}")
    if limits.grey is not None:
        small.paste((limits.grey,) * 3, (0, 0, *small.size))
        changes.append(f"made grey ({limits.grey})")
    changes.append(f"{_first_frame(image)}{header.format} written as PNG")
    return Prepared(
        data=_png(small.size, small.tobytes()), media_type="image/png", changes=tuple(changes)
    )


def _sound_header(data: bytes, limits: ImageLimits) -> Header:
    if len(data) > limits.max_bytes:
        msg = (
            f"the file has {len(data)} bytes, more than the {limits.max_bytes} allowed: "
            f"save it smaller"
        )
        raise ImageError(msg)
    header = read_header(data)
    check_size(header.size, limits)
    return header


def check_size(size: tuple[int, int], limits: ImageLimits) -> None:
    """Refuse an image without pixels, and one with more than are decoded.

    Raises:
        ImageError: Which of both it is.
    """
    width, height = size
    if not width or not height:
        msg = f"the image is {_by(size)} pixels: fetch or save it anew"
        raise ImageError(msg)
    if width * height > limits.max_pixels:
        msg = (
            f"the image is {_by(size)}, more than the {limits.max_pixels} pixels that are "
            f"decoded: save it smaller"
        )
        raise ImageError(msg)


def _decode(header: Header, limits: ImageLimits) -> Image:
    """Decode all of it.

    The plugin of the format is called by name: `PIL.Image.open` tries others, warns, and turns
    some JPEGs into something else.
    """
    from PIL import (
        BmpImagePlugin,
        GifImagePlugin,
        JpegImagePlugin,
        PngImagePlugin,
        WebPImagePlugin,
    )
    from PIL.Image import DecompressionBombError, DecompressionBombWarning

    plugins: dict[str, Callable[[io.BytesIO], Image]] = {
        "JPEG": JpegImagePlugin.JpegImageFile,
        "PNG": PngImagePlugin.PngImageFile,
        "GIF": GifImagePlugin.GifImageFile,
        "BMP": BmpImagePlugin.BmpImageFile,
        "WebP": WebPImagePlugin.WebPImageFile,
    }
    refuse_bomb(header)
    try:
        image = plugins[header.format](io.BytesIO(header.bare))
        check_size(image.size, limits)
        image.load()
    except MemoryError as exc:
        msg = "there is not enough memory to decode it: scale it down"
        raise ImageError(msg) from exc
    except (DecompressionBombError, DecompressionBombWarning) as exc:
        msg = f"it has a frame of more than the {limits.max_pixels} pixels decoded: save it anew"
        raise ImageError(msg) from exc
    except _DAMAGE as exc:
        msg = f"the image cannot be decoded, so it is cut or damaged: fetch or save it anew ({exc})"
        raise ImageError(msg) from exc
    return image


def _first_frame(image: Image) -> str:
    try:
        animated = getattr(image, "is_animated", False)
    except _DAMAGE:  # there is a second frame, and it is damaged
        animated = True
    return "first frame of " if animated else ""


def upright(image: Image, orientation: int) -> Image:
    """An image turned as its EXIF `orientation` (1 to 8) says; itself where nothing is to turn."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    return image.transpose(turns[orientation]) if orientation in turns else image


def _rgb(image: Image) -> tuple[Image, list[str]]:
    """`image` as RGB on white, and what that took."""
    changes = []
    if image.mode.startswith("I"):
        image = _eight_bits(image)
        changes.append("16 bits scaled to 8")
    if image.mode == "RGB" and "transparency" not in image.info:
        return image, changes
    if _has_alpha(image):
        return _on_white(image.convert("RGBA")), [*changes, "transparency put on white"]
    return image.convert("RGB"), [*changes, f"{_MODES.get(image.mode, image.mode)} to RGB"]


def _on_white(image: Image) -> Image:
    from PIL import Image as PilImage

    white = PilImage.new("RGBA", image.size, (255, 255, 255, 255))
    return PilImage.alpha_composite(white, image).convert("RGB")


def _eight_bits(image: Image) -> Image:
    """A 16-bit grey image as 8-bit: the high byte of each value, as for 16-bit RGB.

    Pillow's own conversion cuts everything above 255 off.
    """
    from PIL import Image as PilImage

    values = array("H", image.convert("I;16").tobytes("raw", "I;16"))
    if sys.byteorder == "big":
        values.byteswap()
    grey = PilImage.frombytes("L", image.size, bytes(value >> 8 for value in values))
    clear = image.info.get("transparency")
    if clear is None:
        return grey
    mask = PilImage.frombytes("L", image.size, bytes(255 * (value != clear) for value in values))
    grey = grey.convert("LA")
    grey.putalpha(mask)
    return grey


def _sized(image: Image, limits: ImageLimits) -> Image:
    """An image in the size in which it is sent; itself where it has that."""
    from PIL.Image import Resampling

    longest = max(image.size)
    wanted = min(longest, limits.max_side)
    if limits.scale != 1:
        wanted = max(1, min(round(wanted * limits.scale), max(wanted, LARGEST_SIDE)))
    if wanted == longest:
        return image
    width, height = (max(1, round(side * wanted / longest)) for side in image.size)
    return image.resize((width, height), Resampling.BICUBIC)


def _png(size: tuple[int, int], rgb: bytes) -> bytes:
    """An RGB image as an uncompressed PNG, the same bytes whatever libraries are installed."""
    width, height = size
    row = width * 3
    # A filter byte of 0 (none) begins each row.
    rows = b"".join(b"\0" + rgb[at : at + row] for at in range(0, row * height, row))
    stream = [b"\x78\x01"]
    for at in range(0, len(rows), _STORED_BLOCK):
        block = rows[at : at + _STORED_BLOCK]
        last = at + _STORED_BLOCK >= len(rows)
        stream += (struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF), block)
    stream.append(struct.pack(">I", zlib.adler32(rows)))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", b"".join(stream)), (b"IEND", b""))
    return PNG_MARK + b"".join(map(_png_chunk, *zip(*chunks, strict=True)))


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
