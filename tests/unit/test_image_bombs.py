"""Images that are small on disk and would go off in a decoder, here or in a server.

Each is looked at in bounded time and memory: what would unpack to gigabytes is counted, not kept.
"""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib

import pytest
from PIL import Image, PngImagePlugin

from pytest_llmclf.data.image import check, prepare
from tests.png import MARK, chunk

WIDTH = HEIGHT = 8
ROWS = (b"\0" + b"\x10\x20\x30" * WIDTH) * HEIGHT
MB = 1024 * 1024
HUGE = 2**31 - 1


def bomb(size: int) -> bytes:
    """Zeros, packed twice a thousandfold without ever being there as a whole."""
    packer = zlib.compressobj(9)
    block = bytes(MB)
    return b"".join([*(packer.compress(block) for _ in range(size // MB)), packer.flush()])


def png(data: bytes, *more: bytes, colour: int = 2, depth: int = 8, interlaced: int = 0) -> bytes:
    """A PNG of eight by eight pixels with this image data and further chunks before it."""
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, colour, 0, 0, interlaced)
    chunks = [chunk(b"IHDR", header), *more, chunk(b"IDAT", data), chunk(b"IEND", b"")]
    return MARK + b"".join(chunks)


def peak(data: bytes) -> tuple[str | None, float]:
    """What `check` says, and the megabytes that it took at most."""
    tracemalloc.start()
    try:
        return check(data), tracemalloc.get_traced_memory()[1] / MB
    finally:
        tracemalloc.stop()


def test_data_that_unpack_to_far_more_are_refused() -> None:
    """Pillow stops at the last pixel; a server's decoder may unpack everything first."""
    packer = zlib.compressobj(9)
    packed = packer.compress(ROWS)
    block = bytes(16 * MB)
    packed += b"".join(packer.compress(block) for _ in range(4)) + packer.flush()
    problem, megabytes = peak(png(packed))
    assert problem is not None
    assert "unpack to more than its 8 x 8 pixels" in problem
    assert megabytes < 32


def test_the_data_may_lie_in_many_chunks() -> None:
    """They are one stream."""
    packed = zlib.compress(ROWS + bytes(8 * MB))
    half = len(packed) // 2
    data = png(packed[half:], chunk(b"IDAT", packed[:half]))
    assert "unpack to more" in (check(data) or "")


@pytest.mark.parametrize("colour", [0, 2, 4, 6])
@pytest.mark.parametrize("depth", [8, 16])
def test_sound_images_of_every_kind_pass(colour: int, depth: int) -> None:
    """The bound is that of the pixels that there are."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    row = b"\0" + bytes(WIDTH * channels * depth // 8)
    assert check(png(zlib.compress(row * HEIGHT), colour=colour, depth=depth)) is None


@pytest.mark.parametrize("size", [(1, 1), (3, 700), (700, 3), (129, 65)])
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_interlaced_and_narrow_ones_pass(size: tuple[int, int], mode: str) -> None:
    """More filters and paddings than pixels are no bomb."""
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, "PNG")
    assert check(buffer.getvalue()) is None
    # Adam7 has up to 15 rows for 8; the pixels of all passes are those of the image.
    bits = {"1": 1, "L": 8, "P": 8, "RGB": 24, "RGBA": 32}[mode]
    width, height = size
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
              (0, 1, 1, 2))  # fmt: skip
    unpacked = 0
    for x, y, right, down in passes:
        columns, rows = (width - x + right - 1) // right, (height - y + down - 1) // down
        if columns > 0 and rows > 0:
            unpacked += rows * (1 + (columns * bits + 7) // 8)
    assert unpacked <= (width * bits // 8 + 16) * height + height // 8 * 16 + 64 * 1024


@pytest.mark.parametrize("kind", ["iCCP", "zTXt", "iTXt"])
def test_metadata_that_unpack_to_far_more_are_not_sent(kind: str) -> None:
    """The image is sound without them, so it is written anew without them."""
    packed = bomb(64 * MB)
    body = {
        "iCCP": b"icc\0\0" + packed,
        "zTXt": b"Comment\0\0" + packed,
        "iTXt": b"Comment\0\x01\0en\0Comment\0" + packed,
    }[kind]
    data = png(zlib.compress(ROWS), chunk(kind.encode(), body))
    problem, megabytes = peak(data)
    assert problem is None
    assert megabytes < 32
    sent = prepare(data)
    assert kind.encode() not in sent.data
    assert sent.changes == ("PNG written as PNG",)


def test_many_metadata_count_together() -> None:
    """Each is below the bound, all of them are not."""
    one = chunk(b"zTXt", b"Comment\0\0" + bomb(3 * MB))
    assert prepare(png(zlib.compress(ROWS), one)).changes == ()
    assert prepare(png(zlib.compress(ROWS), one, one)).changes != ()


def test_ordinary_metadata_are_sent_as_they_are() -> None:
    """An image with a comment is the file that it was."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "a cat", zip=True)
    info.add_itxt("Title", "a cat", "en", "Title", zip=True)
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG", pnginfo=info)
    assert prepare(buffer.getvalue()).data == buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8" + b"\xff" * 8 * MB + b"\0",
        b"\xff\xd8" + b"\xff\xe1\0\x02" * (2 * MB) + b"\xff\xd9",
        MARK + chunk(b"IHDR", bytes(13)) + chunk(b"teXt", b"") * MB,
    ],
    ids=["filling bytes", "segments", "chunks"],
)
def test_files_of_nothing_but_marks_are_refused(data: bytes) -> None:
    """Without going over them again and again, and without a step for each of millions."""
    assert check(data) is not None


def test_frames_cost_nothing() -> None:
    """Of an animation of ten thousand frames the first is read, and it alone is sent."""
    frames = [Image.new("P", (8, 8), number % 250) for number in range(2)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=20)
    head, _, tail = buffer.getvalue().rpartition(b"\x21\xf9")
    data = head + (b"\x21\xf9" + tail[:-1]) * 10_000 + tail[-1:]
    sent = prepare(data)
    assert sent.media_type == "image/png"
    assert len(sent.data) < 1000


@pytest.mark.parametrize(
    "data",
    [
        b"GIF89a" + b"\xff\xff\xff\xff" + bytes(10) + b";",
        b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff" * 6,
        b"BM" + bytes(12) + struct.pack("<IiiHHIIiiII", 40, HUGE, HUGE, 1, 24, *[0] * 6),
        png(zlib.compress(ROWS)).replace(struct.pack(">II", 8, 8), struct.pack(">II", HUGE, HUGE)),
        b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\x03" + bytes(9) + b"\xff\xd9",
    ],
    ids=["gif", "webp", "bmp", "png", "jpeg"],
)  # fmt: skip
def test_huge_dimensions_are_refused_before_decoding(data: bytes) -> None:
    """By what the header says."""
    problem, megabytes = peak(data)
    assert problem is not None
    assert "pixels" in problem
    assert megabytes < 8
