"""Images of any bytes: sent whole and small, or refused; never a crash, a bomb or half of one."""

from __future__ import annotations

import io
import struct
import zlib
from functools import cache
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from pytest_llmclf.data.image import ImageLimits, check, prepare
from pytest_llmclf.data.image_header import orientation, read_header
from pytest_llmclf.errors import ImageError
from tests.fuzz.effort import assert_says, effort
from tests.png import MARK, chunk

LIMITS = ImageLimits(max_side=32, max_pixels=40_000, max_bytes=200_000)
EXIF = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"

KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "JPEG": ("RGB", "JPEG", {}),
    "JPEG, progressive": ("RGB", "JPEG", {"progressive": True}),
    "JPEG, CMYK": ("CMYK", "JPEG", {}),
    "JPEG, grey": ("L", "JPEG", {"exif": EXIF}),
    "JPEG, junk": ("RGB", "JPEG", {"icc_profile": b"\xff\xd9" * 40, "exif": b"Exif\0\0MM\0*" * 9}),
    "PNG": ("RGB", "PNG", {"icc_profile": b"junk" * 20}),
    "PNG, palette": ("P", "PNG", {"transparency": 1}),
    "PNG, 16 bits": ("I;16", "PNG", {}),
    "PNG, transparent": ("RGBA", "PNG", {}),
    "PNG, grey and transparent": ("LA", "PNG", {}),
    "PNG, one bit": ("1", "PNG", {"transparency": 0}),
    "PNG, animated": ("RGB", "PNG", {"save_all": True}),
    "GIF": ("P", "GIF", {}),
    "GIF, animated": ("P", "GIF", {"save_all": True}),
    "BMP": ("RGB", "BMP", {}),
    "BMP, palette": ("P", "BMP", {}),
    "WebP": ("RGB", "WEBP", {"exif": EXIF}),
    "WebP, lossless": ("RGBA", "WEBP", {"lossless": True}),
    "WebP, animated": ("RGB", "WEBP", {"save_all": True}),
}


@cache
def image(kind: str) -> bytes:
    """A sound image of a kind."""
    mode, form, options = KINDS[kind]
    base = Image.frombytes("RGB", (40, 24), bytes(n * 7 % 251 for n in range(40 * 24 * 3)))
    image = base.convert("L").convert(mode) if mode == "I;16" else base.convert(mode)
    if options.get("save_all"):
        later = [base.rotate(angle).convert(mode) for angle in (90, 180)]
        options = {**options, "append_images": later, "duration": 20}
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def assert_handled(data: bytes) -> None:
    """It is prepared as a small whole image that needs nothing more, or refused in words."""
    try:
        ready = prepare(data, LIMITS)
    except ImageError as error:
        assert_says(error)
        assert check(data, LIMITS) is not None
        return
    assert check(data, LIMITS) is None
    assert prepare(data, LIMITS, checked=True) == ready
    assert prepare(data, LIMITS).data == ready.data
    with Image.open(io.BytesIO(ready.data)) as image:
        image.load()
        assert max(image.size) <= LIMITS.max_side or not ready.changes
        assert image.mode in {"RGB", "L"}
    again = prepare(ready.data, LIMITS)
    assert again.data == ready.data
    assert again.changes == ()


@pytest.mark.parametrize("kind", KINDS)
def test_whole(kind: str) -> None:
    """An image of each kind is sound, metadata of junk or not."""
    assert check(image(kind), LIMITS) is None
    assert_handled(image(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_cut_anywhere(kind: str) -> None:
    """Cut after any byte, it is refused, or whole all the same (what is missing was no pixel)."""
    data = image(kind)
    step = max(1, len(data) // 60)
    for length in {*range(0, len(data), step), *range(min(80, len(data))), len(data) - 1}:
        assert_handled(data[:length])


changes = st.lists(
    st.tuples(
        st.integers(0, 4000),
        st.sampled_from(["over", "in", "out"]),
        st.binary(min_size=1, max_size=5)
        | st.sampled_from([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\xff\xd9", b"\xff\xda"]),
    ),
    min_size=1,
    max_size=4,
)


def changed(data: bytes, how: list[tuple[int, str, bytes]]) -> bytes:
    """`data` with bytes overwritten, put in or taken out."""
    for at, what, piece in how:
        place = at % (len(data) + 1)
        rest = data[place:] if what == "in" else data[place + len(piece) :]
        data = data[:place] + (b"" if what == "out" else piece) + rest
    return data


@effort(450)
@given(st.sampled_from(sorted(KINDS)), changes)
def test_damaged(kind: str, how: list[tuple[int, str, bytes]]) -> None:
    """Damage anywhere gives an image or a refusal."""
    assert_handled(changed(image(kind), how))


@effort(150)
@given(
    st.sampled_from(sorted(KINDS)),
    st.integers(0, 40),
    st.sampled_from([0, 1, 2, 255, 256, 65535, 2**31 - 1, 2**31, 2**32 - 1]),
    st.sampled_from(["<H", ">H", "<I", ">I"]),
)
def test_damaged_headers(kind: str, at: int, number: int, form: str) -> None:
    """Sizes in the header may be anything; nothing of that size is ever made."""
    how = struct.pack(form, number & (0xFFFF if form[1] == "H" else 0xFFFFFFFF))
    assert_handled(changed(image(kind), [(at, "over", how)]))


def png(width: int, height: int, depth: int, colour: int, *more: bytes) -> bytes:
    """A PNG with a header of any size and these further chunks."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [chunk(b"IHDR", head), *more, chunk(b"IEND", b"")]
    return MARK + b"".join(chunks)


@effort(100)
@given(
    st.integers(0, 2**32 - 1) | st.integers(0, 40),
    st.integers(0, 2**32 - 1) | st.integers(0, 40),
    st.sampled_from([1, 2, 4, 8, 16, 0, 255]),
    st.sampled_from([0, 2, 3, 4, 6, 255]),
    st.lists(
        st.tuples(
            st.sampled_from([b"PLTE", b"tRNS", b"acTL", b"fcTL", b"eXIf", b"zTXt", b"iCCP"]),
            st.binary(max_size=40),
        ),
        max_size=3,
    ),
    st.integers(0, 3000),
)
@example(1, 1, 16, 0, [(b"tRNS", b"\0\0")], 3)
@example(1, 1, 8, 3, [(b"tRNS", b"\0")], 2)
@example(40, 40, 8, 2, [(b"tRNS", b"")], 4840)
def test_png_of_any_chunks(  # noqa: PLR0917 -- hypothesis gives them by place
    width: int, height: int, depth: int, colour: int, chunks: list[tuple[bytes, bytes]], size: int
) -> None:
    """Any chunks with sound checksums, any depth, any amount of pixel data."""
    made = [chunk(kind, body) for kind, body in chunks]
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * size))
    assert_handled(png(width, height, depth, colour, *made, pixels))


@effort(150)
@given(
    st.sampled_from([b"", b"\xff\xd8", b"\xff\xd8\xff", b"GIF89a", b"BM", b"RIFF\0\0\0\0WEBPVP8X",
                     b"RIFF\0\0\0\0WEBPVP8L", b"RIFF\0\0\0\0WEBPVP8 ", b"\x89PNG\r\n\x1a\n"]),
    st.binary(max_size=120),
)  # fmt: skip
def test_any_bytes(start: bytes, rest: bytes) -> None:
    """Whatever begins like an image is one, or is refused."""
    assert_handled(start + rest)


@effort(100)
@given(st.binary(max_size=60).map(lambda rest: b"Exif\0\0II*\0" + rest) | st.binary(max_size=60))
@example(b"II*\0\x08\0\0\0\xff\xff" + b"\0" * 10)
@example(b"MM\0*\xff\xff\xff\xff")
def test_any_exif(block: bytes) -> None:
    """An EXIF block turns an image in one of eight ways or not at all."""
    assert 1 <= orientation(block) <= 8


def test_many_scans() -> None:
    """A JPEG of thousands of scans, each over all of its pixels, is refused before it is decoded.

    A few hundred kilobytes would otherwise keep a processor busy for hours.
    """
    data = image("JPEG, progressive")
    last = data.rindex(b"\xff\xda")
    scans = data[:last] + data[last:-2] * 2000 + b"\xff\xd9"
    with pytest.raises(ImageError, match="scans"):
        read_header(scans)


def test_many_frames() -> None:
    """Of a GIF with a thousand frames one is decoded."""
    frames = [Image.new("RGB", (4, 4), (number % 250, 0, number // 250)) for number in range(1000)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    assert prepare(buffer.getvalue()).changes[-1] == "first frame of GIF written as PNG"
