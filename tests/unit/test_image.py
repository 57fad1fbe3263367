"""Images are sent upright, RGB, on white, whole, and otherwise as they are."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pytest_llmclf.data.image import ImageLimits, Prepared, check, prepare
from pytest_llmclf.data.image_header import orientation, read_header
from pytest_llmclf.errors import ImageError, SettingsError
from tests.png import MARK, chunk

if TYPE_CHECKING:
    from collections.abc import Callable

LIMITS = ImageLimits()
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def noise(mode: str = "RGB", size: tuple[int, int] = (40, 30)) -> Image.Image:
    return Image.effect_noise(size, 80).convert(mode)


def pixels(prepared: Prepared) -> Image.Image:
    image = Image.open(io.BytesIO(prepared.data))
    image.load()
    assert image.format is not None
    assert prepared.media_type == f"image/{image.format.lower()}"
    assert image.mode in {"RGB", "L"}
    assert "transparency" not in image.info
    return image


def png(depth: int, colour: int, size: tuple[int, int], raw: bytes, *more: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0)
    chunks = (
        chunk(b"IHDR", header),
        *more,
        chunk(b"IDAT", zlib.compress(raw)),
        chunk(b"IEND", b""),
    )
    return MARK + b"".join(chunks)


def exif(turn: int) -> bytes:
    made = Image.Exif()
    made[0x0112] = turn
    return made.tobytes()


PLAIN: dict[str, Callable[[], bytes]] = {
    "png-rgb": lambda: encoded(noise()),
    "png-grey": lambda: encoded(noise("L")),
    "png-interlaced-text": lambda: png(8, 0, (1, 1), b"\0\x80", chunk(b"tEXt", b"a\0b")),
    "jpeg-rgb": lambda: encoded(noise(), "JPEG"),
    "jpeg-grey": lambda: encoded(noise("L"), "JPEG"),
    "jpeg-progressive": lambda: encoded(noise(), "JPEG", progressive=True),
    "jpeg-upright": lambda: encoded(noise(), "JPEG", exif=exif(1)),
    "jpeg-restarts": lambda: encoded(noise(), "JPEG", restart_marker_blocks=1),
    "jpeg-trailing-bytes": lambda: encoded(noise(), "JPEG") + b"camera maker's notes",
    "jpeg-comment": lambda: encoded(noise(), "JPEG", comment=b"\xff\xd9"),
    "png-one-pixel": lambda: encoded(noise(size=(1, 1))),
    "png-at-the-limit": lambda: encoded(noise("L", (LIMITS.max_side, 1))),
}


@pytest.mark.parametrize("make", PLAIN.values(), ids=PLAIN.keys())
@pytest.mark.parametrize("checked", [False, True])
def test_plain_images_are_sent_byte_for_byte(make: Callable[[], bytes], *, checked: bool) -> None:
    """An 8-bit grey or RGB JPEG or PNG of fitting size is not touched."""
    data = make()
    assert check(data, LIMITS) is None
    prepared = prepare(data, LIMITS, checked=checked)
    assert prepared.data is data
    assert prepared.changes == ()
    pixels(prepared)


CONVERTED: dict[str, tuple[Callable[[], bytes], str]] = {
    "rgba": (lambda: encoded(noise("RGBA")), "transparency put on white"),
    "grey-alpha": (lambda: encoded(noise("LA")), "transparency put on white"),
    "palette": (lambda: encoded(noise("P")), "palette to RGB"),
    "one-bit": (lambda: encoded(noise("1")), "black and white to RGB"),
    "cmyk": (lambda: encoded(noise("CMYK"), "JPEG"), "CMYK to RGB"),
    "gif": (lambda: encoded(noise("P"), "GIF"), "GIF written as PNG"),
    "bmp": (lambda: encoded(noise(), "BMP"), "BMP written as PNG"),
    "webp": (lambda: encoded(noise(), "WEBP"), "WebP written as PNG"),
    "webp-lossless": (lambda: encoded(noise(), "WEBP", lossless=True), "WebP written as PNG"),
    "webp-alpha": (lambda: encoded(Image.new("RGBA", (2, 2)), "WEBP"), "transparency put on white"),
    "jpeg-turned": (lambda: encoded(noise(), "JPEG", exif=exif(6)), "turned upright"),
    "png-turned": (lambda: encoded(noise(), "PNG", exif=exif(3)), "turned upright"),
    "webp-turned": (lambda: encoded(noise(), "WEBP", exif=exif(8)), "turned upright"),
    "large": (lambda: encoded(noise(size=(2000, 10))), "scaled from 2000 x 10 to 1344 x 7"),
}


@pytest.mark.parametrize(("make", "change"), CONVERTED.values(), ids=CONVERTED.keys())
def test_the_rest_becomes_a_png(make: Callable[[], bytes], change: str) -> None:
    """Everything else is converted, says how, and is plain afterwards."""
    data = make()
    assert check(data) is None
    prepared = prepare(data)
    assert change in prepared.changes
    assert prepared.changes[-1].endswith("written as PNG")
    assert prepared.media_type == "image/png"
    assert pixels(prepared).mode == "RGB"
    assert prepare(prepared.data).changes == ()


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP"])
def test_transparency_is_white(kind: str) -> None:
    """What is transparent is sent white, whatever colour hides there."""
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 4, 8))
    options = {"lossless": True} if kind == "WEBP" else {}
    sent = pixels(prepare(encoded(image, kind, **options)))
    assert sent.getpixel((1, 1)) == RED
    assert sent.getpixel((6, 1)) == WHITE


def test_half_transparency_is_mixed_with_white() -> None:
    """Alpha is a mixture, not a mask."""
    sent = pixels(prepare(encoded(Image.new("RGBA", (1, 1), (0, 0, 0, 51)))))
    assert sent.getpixel((0, 0)) == (204, 204, 204)


@pytest.mark.parametrize(
    ("colour", "raw", "key"),
    [
        (0, b"\0\x07\x80", b"\0\x07"),
        (2, b"\0\x01\x02\x03\xff\0\0", b"\0\x01\0\x02\0\x03"),
        (3, b"\0\0\x01", b"\0"),
    ],
)
def test_transparent_colour(colour: int, raw: bytes, key: bytes) -> None:
    """A grey, RGB or palette PNG may name one colour as the transparent one."""
    palette = (chunk(b"PLTE", b"\x01\x02\x03\xff\0\0"),) if colour == 3 else ()
    prepared = prepare(png(8, colour, (2, 1), raw, *palette, chunk(b"tRNS", key)))
    assert "transparency put on white" in prepared.changes
    assert pixels(prepared).getpixel((0, 0)) == WHITE
    assert pixels(prepared).getpixel((1, 0)) != WHITE


def test_sixteen_bits_are_scaled() -> None:
    """The brightness of 16-bit grey is kept, not cut off at 255."""
    raw = b"\0" + b"".join(value.to_bytes(2, "big") for value in (0, 255, 256, 0x8000, 0xFFFF))
    prepared = prepare(png(16, 0, (5, 1), raw))
    greys = [pixels(prepared).getpixel((x, 0)) for x in range(5)]
    assert greys == [(value,) * 3 for value in (0, 0, 1, 128, 255)]
    assert prepared.changes == ("16 bits scaled to 8", "grey to RGB", "PNG written as PNG")


def test_sixteen_bits_with_a_transparent_grey() -> None:
    """The transparent value is compared in all 16 bits."""
    raw = b"\0" + b"".join(value.to_bytes(2, "big") for value in (0x1234, 0x1235))
    sent = pixels(prepare(png(16, 0, (2, 1), raw, chunk(b"tRNS", b"\x12\x34"))))
    assert [sent.getpixel((x, 0)) for x in range(2)] == [WHITE, (0x12,) * 3]


@pytest.mark.parametrize(("colour", "width"), [(2, 6), (4, 4), (6, 8)])
def test_sixteen_bits_of_other_kinds(colour: int, width: int) -> None:
    """16-bit RGB and images with alpha come out as 8-bit RGB."""
    assert pixels(prepare(png(16, colour, (1, 1), b"\0" + b"\x80" * width))).mode == "RGB"


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_orientation(turn: int, kind: str) -> None:
    """All eight EXIF orientations come out as Pillow itself turns them."""
    from PIL import ImageOps

    image = Image.new("RGB", (32, 16), WHITE)
    for box, colour in (((0, 0, 16, 8), RED), ((16, 0, 32, 8), GREEN), ((0, 8, 16, 16), BLUE)):
        image.paste(colour, box)
    options: dict[str, Any] = {"quality": 95} if kind == "JPEG" else {}
    options |= {"lossless": True} if kind == "WEBP" else {}
    data = encoded(image, kind, exif=exif(turn), **options)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    sent = pixels(prepare(data)).convert("RGB")
    assert sent.size == expected.size
    assert sent.tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("block", "turn"),
    [
        (b"", 1),
        (b"Exif\0\0", 1),
        (b"Exif\0\0junk", 1),
        (b"II*\0\xff\xff\xff\xff", 1),
        (b"II*\0\x08\0\0\0\xff\xff", 1),
        (exif(6), 6),
        (exif(6).removeprefix(b"Exif\0\0"), 6),
        (exif(9), 1),
        (b"II*\0\x08\0\0\0\x01\0" + bytes(12) + exif(6)[-18:], 1),
        (b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x05\0\0", 5),
    ],
)
def test_exif_junk_is_upright(block: bytes, turn: int) -> None:
    """A damaged EXIF block turns nothing."""
    assert orientation(block) == turn


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_damaged_metadata_does_not_matter(kind: str) -> None:
    """Junk as colour profile or EXIF neither fails nor warns."""
    junk = b"Exif\0\0II*\0\x08\0\0\0\x02\0" + b"\x12\x01\x07\0" * 9
    data = encoded(noise(), kind, exif=junk, icc_profile=b"no profile")
    assert check(data) is None
    assert (prepare(data).data == data) is (kind != "WEBP")


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_first_frame(kind: str) -> None:
    """Of an animation the first frame is sent."""
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, GREEN, BLUE)]
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    prepared = prepare(data)
    assert pixels(prepared).getpixel((0, 0)) == RED
    assert prepared.media_type == "image/png"
    if kind != "PNG":
        assert prepared.changes[-1].startswith("first frame of ")


def test_scaled_image_keeps_its_shape() -> None:
    """The longest side is bounded and the shorter one is at least a pixel."""
    limits = ImageLimits(max_side=50)
    assert pixels(prepare(encoded(noise(size=(100, 60))), limits)).size == (50, 30)
    assert pixels(prepare(encoded(noise(size=(60, 100))), limits)).size == (30, 50)
    assert pixels(prepare(encoded(noise(size=(1000, 2))), limits)).size == (50, 1)


@pytest.mark.parametrize("size", [(1, 1), (256, 200), (1344, 1344)])
def test_written_png_is_exact(size: tuple[int, int]) -> None:
    """The uncompressed PNG holds the very pixels, also over many blocks."""
    image = noise(size=size)
    assert pixels(prepare(encoded(image, "BMP"))).tobytes() == image.tobytes()


def test_same_bytes_in_another_process() -> None:
    """What is sent depends on the image alone; digests and recordings rest on that."""
    data = encoded(Image.frombytes("RGBA", (256, 64), bytes(range(256)) * 256))
    code = (
        "import sys, hashlib; from pytest_llmclf.data.image import *;"
        "data = prepare(sys.stdin.buffer.read(), ImageLimits(max_side=99)).data;"
        "print(hashlib.sha256(data).hexdigest())"
    )
    run = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], input=data, capture_output=True, check=True
    )
    # Written down: it must hold on every machine, Python and Pillow.
    assert run.stdout.decode().strip() == (
        "b1f78cfd1c6182d7d999fa0d57dff98b4352fd8dad01a6f67894e978cf48f9f8"
    )


REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "the file is empty: fetch or save it anew"),
    "text": (b"hello, world", "this is text and not an image: fetch the image"),
    "text-cut-character": (b"a" * 1023 + "é".encode(), "this is text"),
    "svg": (
        b"<?xml version='1.0'?>\n<svg></svg>",
        "an SVG drawing, which no server draws: convert",
    ),
    "svg-with-mark": (b"\xef\xbb\xbf<SVG>", "convert it to PNG"),
    "html": (
        b"<!DOCTYPE html><p>404",
        "this is HTML or XML and not an image (a saved error page?)",
    ),
    "tiff": (
        b"II*\0" + bytes(20),
        "a TIFF image, which servers refuse: convert it to PNG or JPEG",
    ),
    "heic": (b"\0\0\0\x18ftypheic", "a HEIC or AVIF image or a video"),
    "pdf": (b"%PDF-1.7", "a PDF document: convert"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\n", "run git lfs pull"),
    "zip": (b"PK\x03\x04", "a ZIP archive"),
    "binary": (b"\0\1\2\3", "no JPEG, PNG, WebP, GIF or BMP image: convert it"),
    "jpeg-begin": (b"\xff\xd8", "the file is cut: fetch or save it anew"),
    "png-begin": (b"\x89PNG\r\n\x1a\n", "the file is cut"),
    "gif-begin": (b"GIF89a", "the file is cut"),
    "bmp-begin": (b"BM", "the file is cut"),
    "webp-begin": (b"RIFF\0\0\0\0WEBP", "the file is damaged"),
    "png-order": (b"\x89PNG\r\n\x1a\n" + chunk(b"IDAT", b""), "the file is damaged"),
    "jpeg-no-frame": (b"\xff\xd8\xff\xd9", "the image is 0 x 0 pixels"),
    "png-no-pixels": (png(8, 0, (0, 5), b""), "the image is 0 x 5 pixels: fetch"),
}


@pytest.mark.parametrize(("data", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(data: bytes, said: str) -> None:
    """What is no image is told from a damaged one, with the remedy."""
    problem = check(data)
    assert problem is not None
    assert said in problem
    with pytest.raises(ImageError) as caught:
        prepare(data)
    assert str(caught.value) == problem


SOURCES = [
    ("JPEG", {}),
    ("JPEG", {"progressive": True}),
    ("PNG", {}),
    ("GIF", {}),
    ("WEBP", {}),
    ("BMP", {}),
]


@pytest.mark.parametrize(("kind", "options"), SOURCES, ids=str)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_cut(kind: str, options: dict[str, Any], share: float) -> None:
    """A cut image is never sent, wherever the cut is; servers answer cut JPEGs as if whole."""
    whole = encoded(noise(size=(100, 80)), kind, **options)
    data = whole[: int(len(whole) * share)]
    problem = check(data)
    assert problem is not None
    assert "cut" in problem
    assert "fetch or save it anew" in problem
    with pytest.raises(ImageError):
        prepare(data)


def test_jpeg_without_its_last_bytes() -> None:
    """A JPEG that lacks nothing but its end mark is cut, though decoders are content."""
    data = encoded(noise(), "JPEG")
    assert data.endswith(b"\xff\xd9")
    assert check(data[:-2]) == "the file is cut: fetch or save it anew"
    assert check(data[:-1]) == "the file is cut: fetch or save it anew"


def test_thumbnail_does_not_hide_a_cut() -> None:
    """The end mark of a thumbnail within the metadata is not that of the image."""
    thumbnail = encoded(noise(size=(8, 8)), "JPEG")
    data = encoded(noise(), "JPEG", exif=b"Exif\0\0" + thumbnail)
    assert thumbnail in data
    assert check(data) is None
    assert check(data[:-20]) is not None


def test_damaged_png() -> None:
    """A flipped bit in a PNG is found by its checksum."""
    data = bytearray(encoded(noise()))
    data[len(data) // 2] ^= 1
    assert "cannot be decoded, so it is cut or damaged" in (check(bytes(data)) or "")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WebP"])
def test_bomb(kind: str) -> None:
    """The pixels of every format are counted before they are decoded."""
    data = encoded(noise(size=(300, 200)), kind)
    assert read_header(data).size == (300, 200)
    problem = check(data, ImageLimits(max_pixels=59_999))
    assert problem == (
        "the image is 300 x 200, more than the 59999 pixels that are decoded: save it smaller"
    )
    assert check(data, ImageLimits(max_pixels=60_000)) is None


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"exif": exif(1)}])
@pytest.mark.parametrize("size", [(1, 1), (300, 7), (7, 300)])
def test_webp_sizes(options: dict[str, Any], size: tuple[int, int]) -> None:
    """The three headers of WebP (lossy, lossless, extended) tell the size."""
    assert read_header(encoded(noise(size=size), "WEBP", **options)).size == size


def test_old_bmp() -> None:
    """The BMP of OS/2 has 16-bit sides in a shorter header."""
    info = struct.pack("<IHHHH", 12, 1, 2, 1, 24)
    data = b"BM" + struct.pack("<IHHI", 34, 0, 0, 26) + info + b"\0\0\xff\0" + b"\xff\0\0\0"
    assert read_header(data).size == (1, 2)
    assert [pixels(prepare(data)).getpixel((0, y)) for y in range(2)] == [BLUE, RED]


def test_bmp_from_the_top() -> None:
    """A BMP with its top row first has a negative height."""
    data = bytearray(encoded(noise(size=(4, 3)), "BMP"))
    data[22:26] = (-3).to_bytes(4, "little", signed=True)
    assert read_header(bytes(data)).size == (4, 3)
    assert check(bytes(data)) is None


def test_real_bomb() -> None:
    """A header that promises a trillion pixels costs nothing and warns of nothing."""
    assert "more than the 64000000 pixels" in (check(png(1, 0, (2**20, 2**20), b"")) or "")


def test_beyond_pillows_own_limit() -> None:
    """A limit above Pillow's own is obeyed without its warning."""
    data = png(1, 0, (10_000, 9_500), bytes(1251 * 9_500))
    assert check(data, ImageLimits(max_pixels=100_000_000)) is None


def test_file_size() -> None:
    """Files beyond the byte limit are refused unread."""
    data = encoded(noise())
    assert check(data, ImageLimits(max_bytes=len(data))) is None
    assert check(b"x" * 11, ImageLimits(max_bytes=10)) == (
        "the file has 11 bytes, more than the 10 allowed: save it smaller"
    )


@pytest.mark.parametrize("limit", ["max_side", "max_pixels", "max_bytes"])
def test_limits(limit: str) -> None:
    """Limits under which nothing could be sent are refused, with name and value."""
    ImageLimits(**{limit: 1})
    with pytest.raises(SettingsError, match=f"{limit} is 0, .*: give at least 1"):
        ImageLimits(**{limit: 0})


BASES = [encoded(noise(size=(9, 7)), kind) for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP")]


@given(
    st.sampled_from(BASES),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=4),
)
@settings(deadline=None)
def test_total(base: bytes, changes: list[tuple[int, int]]) -> None:
    """Damaged bytes are sent plain or refused with a message: no crash, no warning."""
    data = bytearray(base)
    for at, value in changes:
        data[at % len(data)] = value
    damaged = bytes(data)
    problem = check(damaged)
    if problem is None:
        pixels(prepare(damaged))
    else:
        assert ": " in problem
        with pytest.raises(ImageError):
            prepare(damaged)


@given(st.sampled_from([b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM"]), st.binary())
@settings(deadline=None)
def test_junk(start: bytes, rest: bytes) -> None:
    """Any bytes are refused in words or are an image."""
    assert check(start + rest) != ""


def test_pillow_is_imported_late() -> None:
    """Importing the module costs no Pillow."""
    code = (
        "import sys, pytest_llmclf.data.image, pytest_llmclf.data.dataset\n"
        "assert 'PIL' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603
