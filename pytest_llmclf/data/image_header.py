"""What the first bytes and the chunks of an image say, read without decoding it.

A header costs microseconds and no memory, so a decompression bomb is seen before it goes off. It
also finds what a decoder swallows: Pillow and most servers take a cut JPEG for a whole one.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from pytest_llmclf.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Iterator

ImageFormat = Literal["JPEG", "PNG", "GIF", "BMP", "WebP"]

PNG_MARK: Final = b"\x89PNG\r\n\x1a\n"
_END_OF_IMAGE: Final = 0xD9
_START_OF_SCAN: Final = 0xDA
_APP1: Final = 0xE1
# Frame headers: C0 to CF but for the Huffman, JPEG-extension and arithmetic tables among them.
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# What every decoder takes: baseline, extended, progressive.
_PLAIN_FRAMES: Final = frozenset((0xC0, 0xC1, 0xC2))
# Application data that changes how the pixels are read: JFIF (APP0) and Adobe (APP14).
_KEPT_APPS: Final = frozenset((0xE0, 0xEE))
_COMMENT: Final = 0xFE
# In the data of a scan, FF 00 is a byte FF and FF D0 to FF D7 are restart marks.
# Bytes FF that fill the place before a mark are left to what comes before: a pattern that takes
# them would go over a long row of them again from each.
_MARKER: Final = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
_PNG_KEPT: Final = frozenset((b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"))
# Transparency and animation.
_PNG_NOT_PLAIN: Final = frozenset((b"tRNS", b"acTL", b"fcTL", b"fdAT"))
_RGB: Final = 2  # colour type
_RGB_BYTES: Final = 3
_LAST_FILTER: Final = 4  # of those that a row may begin with
_ORIENTATION: Final = 0x0112
_UPRIGHT: Final = 1
_MIRRORED_LAST: Final = 8
_BITS: Final = 8
# Cameras and encoders write at most about 20. A decoder goes over the whole image for each, so
# that a small file of many would keep it busy for hours.
_MOST_SCANS: Final = 100
# Encoders write some thousand at most; more are only there to keep readers busy.
_MOST_PIECES: Final = 100_000
_MOST_METADATA: Final = 4 * 1024 * 1024
"""Bytes that the packed metadata of a PNG may unpack to if it is to be sent as it is."""
_SPARE: Final = 64 * 1024
"""Bytes beyond the last pixel that do nobody any harm."""
_PIECE: Final = 1024 * 1024
_PNG_PACKED: Final = frozenset((b"iCCP", b"zTXt", b"iTXt"))
_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}

_CUT: Final = "the file is cut: fetch or save it anew"
_BROKEN: Final = "the file is damaged: fetch or save it anew"
_TOO_MANY: Final = f"the image consists of more than {_MOST_PIECES} pieces: save it anew"
_CONVERT: Final = "convert it to PNG or JPEG"
# Begin of a file -> what it is; for a message that says more than "unknown".
_OTHERS: Final[tuple[tuple[bytes, str], ...]] = (
    (b"II*\x00", "a TIFF image, which servers refuse"),
    (b"MM\x00*", "a TIFF image, which servers refuse"),
    (b"\x00\x00\x01\x00", "an ICO image, which servers refuse"),
    (b"8BPS", "a Photoshop file"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"version https://git-lfs", "a Git LFS pointer and not the image (run git lfs pull)"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What is known before decoding.

    Attributes:
        format: By content; the file's name does not matter.
        size: Width and height in pixels, as stored.
        orientation: EXIF orientation, 1 (upright) to 8.
        plain: Whether every server reads it as it is: an 8-bit grey or RGB JPEG or PNG without
            transparency or animation.
        bare: The image without metadata (EXIF, colour profile, text, thumbnails), for the
            decoder, which trips over damaged ones.
    """

    format: ImageFormat
    size: tuple[int, int]
    orientation: int
    plain: bool
    bare: bytes


def read_header(data: bytes) -> Header:
    """Tell the format and the size, and see whether the file is whole as far as chunks tell.

    Raises:
        ImageError: Empty, not an image, a format that is not sent, cut or damaged.
    """
    try:
        return _read(data)
    except (IndexError, ValueError) as exc:
        raise ImageError(_CUT) from exc


def _read(data: bytes) -> Header:
    if not data:
        msg = "the file is empty: fetch or save it anew"
        raise ImageError(msg)
    if data.startswith(b"\xff\xd8"):
        return _jpeg(data)
    if data.startswith(PNG_MARK):
        return _png(data)
    if data.startswith((b"GIF87a", b"GIF89a")):
        return _other(data, "GIF", (_number(data, 6, 2), _number(data, 8, 2)))
    if data.startswith(b"BM"):
        return _other(data, "BMP", _bmp_size(data))
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _other(data, "WebP", _webp_size(data))
    raise ImageError(_what_else(data))


def _other(data: bytes, kind: ImageFormat, size: tuple[int, int]) -> Header:
    # A WebP's orientation comes from its EXIF chunk.
    at = data.find(b"EXIF", 12) if kind == "WebP" else -1
    exif = data[at + 8 : at + 8 + _number(data, at + 4, 4)] if at > 0 else b""
    return Header(format=kind, size=size, orientation=orientation(exif), plain=False, bare=data)


def _jpeg(data: bytes) -> Header:
    at, size, plain, turn, scans = 2, (0, 0), False, _UPRIGHT, 0
    kept = [data[:2]]
    for _ in range(_MOST_PIECES):
        found = _MARKER.search(data, at)
        if found is None:
            raise ImageError(_CUT)
        marker = found[1][0]
        if marker == _END_OF_IMAGE:
            kept.append(data[at : found.end()])
            break
        length = _number(data, found.end(), 2, "big")
        end = found.end() + length
        if end > len(data):
            raise ImageError(_CUT)
        body = data[found.end() + 2 : end]
        if marker in _FRAMES:
            size = (_number(body, 3, 2, "big"), _number(body, 1, 2, "big"))
            plain = marker in _PLAIN_FRAMES and body[0] == _BITS and body[5] in {1, 3}
        elif marker == _START_OF_SCAN:
            scans += 1
            if scans > _MOST_SCANS:
                msg = f"the image has more than {_MOST_SCANS} scans: save it anew"
                raise ImageError(msg)
        elif marker == _APP1 and body.startswith(b"Exif\0\0"):
            turn = orientation(body)
        # What lies before the marker is the data of the scan before it.
        kept.append(data[at : found.start()])
        if not (_is_application_data(marker) and marker not in _KEPT_APPS):
            kept.append(data[found.start() : end])
        at = end
    else:
        raise ImageError(_TOO_MANY)
    return Header(format="JPEG", size=size, orientation=turn, plain=plain, bare=b"".join(kept))


def _is_application_data(marker: int) -> bool:
    return marker == _COMMENT or 0xE0 <= marker <= 0xEF  # noqa: PLR2004 -- APP0 to APP15


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind of each chunk and the whole of it, up to the one that ends a PNG."""
    at = len(PNG_MARK)
    for _ in range(_MOST_PIECES):
        length, kind = _number(data, at, 4, "big"), data[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(data):
            raise ImageError(_CUT)
        yield kind, data[at:end]
        if kind == b"IEND":
            return
        at = end
    raise ImageError(_TOO_MANY)


def _png(data: bytes) -> Header:
    turn, kept, metadata = _UPRIGHT, [PNG_MARK], _MOST_METADATA
    kinds: set[bytes] = set()
    for kind, chunk in _png_chunks(data):
        if not kinds and kind != b"IHDR":
            raise ImageError(_BROKEN)
        kinds.add(kind)
        if kind == b"eXIf":
            turn = orientation(chunk[8:-4])
        if kind in _PNG_PACKED and metadata >= 0:
            # A server's decoder may unpack it, whatever it comes to.
            metadata -= _unpacked(_packed_text(kind, chunk[8:-4]), metadata)
        if kind in _PNG_KEPT:
            kept.append(chunk)
    depth, colour = data[24], data[25]
    return Header(
        format="PNG",
        size=(_number(data, 16, 4, "big"), _number(data, 20, 4, "big")),
        orientation=turn,
        # Colour types 0 and 2 are grey and RGB.
        plain=depth == _BITS
        and colour in {0, 2}
        and kinds.isdisjoint(_PNG_NOT_PLAIN)
        and metadata >= 0,
        bare=b"".join(kept),
    )


def _packed_text(kind: bytes, body: bytes) -> bytes:
    """The packed part of a chunk of metadata; all of it where that is not told from its head."""
    _, _, rest = body.partition(b"\0")
    if kind != b"iTXt":
        return rest[1:]
    packed = rest[:1] == b"\1"
    return rest[2:].partition(b"\0")[2].partition(b"\0")[2] if packed else b""


def _unpacked(packed: bytes, most: int) -> int:
    """Bytes that data unpack to, counted without being kept; one more than `most` where it is more.

    Damaged data count as far as they can be unpacked.
    """
    stream, count = zlib.decompressobj(), 0
    try:
        while not stream.eof and count <= most:
            piece = stream.decompress(packed, _PIECE)
            if not piece and not stream.unconsumed_tail:
                break
            packed = stream.unconsumed_tail
            count += len(piece)
    except zlib.error:
        pass
    return min(count, most + 1)


def refuse_bomb(header: Header) -> None:
    """Refuse a PNG whose data unpack to far more than its pixels.

    Decoders stop at the last pixel or unpack everything first, so that a few kilobytes which no
    decoder here minds take gigabytes in a server.

    Raises:
        ImageError: It is one.
    """
    if header.format != "PNG":
        return
    bare = header.bare
    width, height = header.size
    bits = _CHANNELS.get(bare[25], 4) * bare[24]
    # An interlaced one has a few bytes more: up to seven filters and paddings a row.
    most = (width * bits // 8 + 16) * height + height // 8 * 16 + _SPARE
    packed = b"".join(chunk[8:-4] for kind, chunk in _png_chunks(bare) if kind == b"IDAT")
    if _unpacked(packed, most) > most:
        msg = (
            f"its data unpack to more than its {width} x {height} pixels, which would go off in a "
            "server: save it anew"
        )
        raise ImageError(msg)


def png_pixels_are_all(bare: bytes) -> bool:
    """Whether a plain PNG holds its pixels, undamaged, and nothing else.

    Args:
        bare: `Header.bare` of a small plain one: it is unpacked for this. An interlaced one counts
            as one that holds more.
    """
    packed = []
    for kind, chunk in _png_chunks(bare):
        if zlib.crc32(chunk[4:-4]) != _number(chunk, len(chunk) - 4, 4, "big"):
            return False
        if kind == b"IDAT":
            packed.append(chunk[8:-4])
    width, height = _number(bare, 16, 4, "big"), _number(bare, 20, 4, "big")
    row = 1 + width * (_RGB_BYTES if bare[25] == _RGB else 1)
    stream = zlib.decompressobj()
    try:
        rows = stream.decompress(b"".join(packed), row * height + 1)
    except zlib.error:
        return False
    whole = stream.eof and not stream.unused_data and len(rows) == row * height
    return whole and not bare[28] and max(rows[::row], default=0) <= _LAST_FILTER


def _bmp_size(data: bytes) -> tuple[int, int]:
    old = 12  # size of the header of OS/2, with 16-bit sides
    if _number(data, 14, 4) == old:
        return _number(data, 18, 2), _number(data, 20, 2)
    height = int.from_bytes(data[22:26], "little", signed=True)  # negative: top row first
    return _number(data, 18, 4), abs(height)


def _webp_size(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":
        return _number(data, 24, 3) + 1, _number(data, 27, 3) + 1
    if kind == b"VP8L":
        bits = _number(data, 21, 4)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return _number(data, 26, 2) & 0x3FFF, _number(data, 28, 2) & 0x3FFF
    raise ImageError(_BROKEN)


def orientation(exif: bytes) -> int:
    """The EXIF orientation, 1 to 8; 1 (upright) where there is none or the block is junk."""
    exif = exif.removeprefix(b"Exif\0\0")
    order: Literal["little", "big"] = "little" if exif[:2] == b"II" else "big"
    try:
        if exif[:2] not in {b"II", b"MM"}:
            return _UPRIGHT
        at = _number(exif, 4, 4, order)
        for entry in range(at + 2, at + 2 + 12 * _number(exif, at, 2, order), 12):
            if _number(exif, entry, 2, order) == _ORIENTATION:
                turn = _number(exif, entry + 8, 2, order)
                return turn if _UPRIGHT <= turn <= _MIRRORED_LAST else _UPRIGHT
    except ValueError:
        pass
    return _UPRIGHT


def _number(data: bytes, at: int, width: int, order: Literal["little", "big"] = "little") -> int:
    piece = data[at : at + width]
    if len(piece) < width:
        msg = "the data end early"
        raise ValueError(msg)
    return int.from_bytes(piece, order)


def _what_else(data: bytes) -> str:
    start = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    if b"<svg" in start[:1024].lower():
        return "this is an SVG drawing, which no server draws: convert it to PNG"
    if start[:1] == b"<":
        return "this is HTML or XML and not an image (a saved error page?): fetch the image anew"
    for mark, what in _OTHERS:
        if data.startswith(mark):
            return f"this is {what}: {_CONVERT}"
    if data[4:8] == b"ftyp":
        return f"this is a HEIC or AVIF image or a video, which servers refuse: {_CONVERT}"
    if _is_text(data[:1024]):
        return "this is text and not an image: fetch the image, or remove the file"
    return f"this is no JPEG, PNG, WebP, GIF or BMP image: {_CONVERT}, or remove the file"


def _is_text(start: bytes) -> bool:
    if b"\0" in start:
        return False
    try:
        start.decode()
    except UnicodeDecodeError as exc:
        # A character may be cut by the end of the sample.
        return exc.start > len(start) - 4
    return True
