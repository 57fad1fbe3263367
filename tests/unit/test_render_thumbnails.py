"""Thumbnails for a page."""

from __future__ import annotations

import base64
import hashlib
import io
import random
import struct
import zlib
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pytest_llmclf.data.image import ImageLimits
from pytest_llmclf.reporting.html.thumbnails import ImageBudget, Thumbnail, thumbnails
from tests.pages import png
from tests.png import MARK, chunk

if TYPE_CHECKING:
    from pathlib import Path


def noise(side: int, seed: int) -> Image.Image:
    """An image that compresses badly."""
    pixels = random.Random(seed).randbytes(side * side * 3)  # noqa: S311 - nothing secret
    return Image.frombytes("RGB", (side, side), pixels)


def saved(folder: Path, name: str, data: bytes) -> dict[str, Path]:
    """The file, by its digest."""
    path = folder / name
    path.write_bytes(data)
    return {hashlib.sha256(data).hexdigest(): path}


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def opened(found: Thumbnail | str) -> Image.Image:
    """A thumbnail, decoded."""
    assert isinstance(found, Thumbnail), found
    head, _, text = found.uri.partition(",")
    assert head in {"data:image/webp;base64", "data:image/png;base64", "data:image/jpeg;base64"}
    image = Image.open(io.BytesIO(base64.b64decode(text)))
    assert image.size == (found.width, found.height)
    return image.convert("RGB")


def only(found: dict[str, Thumbnail | str]) -> Thumbnail | str:
    (one,) = found.values()
    return one


@pytest.mark.parametrize("total", [20_000, 60_000, 400_000])
def test_budget_is_kept(tmp_path: Path, total: int) -> None:
    """All images together take no more than the budget, and use a good part of a tight one."""
    wanted: dict[str, Path] = {}
    for place in range(10):
        wanted |= saved(tmp_path, f"{place}.jpg", encoded(noise(200, place), quality=95))
    found = thumbnails(wanted, ImageBudget(total_bytes=total))
    used = sum(len(one.uri) for one in found.values() if isinstance(one, Thumbnail))
    assert used <= total
    assert used >= min(total, 150_000) * 0.4
    assert all(isinstance(one, Thumbnail) for one in found.values())


def test_the_first_ones_are_served_first(tmp_path: Path) -> None:
    """Where the budget is too small for all, the last ones go without and say so."""
    wanted: dict[str, Path] = {}
    for place in range(12):
        data = encoded(Image.new("RGB", (300, 200), (place * 20, 90, 90)))
        wanted |= saved(tmp_path, f"{place}.jpg", data)
    found = list(thumbnails(wanted, ImageBudget(total_bytes=4_000)).values())
    shown = [isinstance(one, Thumbnail) for one in found]
    assert shown[0]
    assert not shown[-1]
    assert shown == sorted(shown, reverse=True)
    assert "budget" in str(found[-1])


def test_digits_are_kept_to_the_pixel(tmp_path: Path) -> None:
    """An image of few pixels is neither scaled nor blurred."""
    digit = noise(28, 1)
    made = opened(only(thumbnails(saved(tmp_path, "7.png", encoded(digit, "PNG")), ImageBudget())))
    assert made.tobytes() == digit.tobytes()


def test_small_files_are_shown_as_they_are(tmp_path: Path) -> None:
    """A plain PNG of few bytes is passed on without what it has besides its pixels."""
    digit = Image.new("L", (28, 28), 7)
    told = PngInfo()
    told.add_text("place", "at home")
    buffer = io.BytesIO()
    digit.save(buffer, "PNG", pnginfo=told)
    made = only(thumbnails(saved(tmp_path, "7.png", buffer.getvalue()), ImageBudget()))
    assert isinstance(made, Thumbnail)
    assert base64.b64decode(made.uri.partition(",")[2]) == encoded(digit, "PNG")
    assert opened(made).convert("L").tobytes() == digit.tobytes()


@pytest.mark.parametrize("how", ["more behind the pixels", "wrong check sum", "fewer pixels"])
def test_odd_small_files_are_made_anew(tmp_path: Path, how: str) -> None:
    """What is not just pixels is not passed on; what cannot be decoded is not shown."""
    rows = b"\0" * (29 * 28)
    sound = chunk(b"IDAT", zlib.compress(rows))
    pixels = {
        "more behind the pixels": chunk(b"IDAT", zlib.compress(rows) + b"a secret"),
        "wrong check sum": sound[:-1] + bytes([sound[-1] ^ 1]),
        "fewer pixels": chunk(b"IDAT", zlib.compress(rows[:29])),
    }[how]
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 28, 28, 8, 0, 0, 0, 0))
    data = MARK + header + pixels + chunk(b"IEND", b"")
    made = only(thumbnails(saved(tmp_path, "7.png", data), ImageBudget()))
    if isinstance(made, Thumbnail):
        content = base64.b64decode(made.uri.partition(",")[2])
        assert b"secret" not in content
        assert opened(made).convert("L").tobytes() == b"\0" * (28 * 28)
    else:
        assert made.startswith("it cannot be shown")


@pytest.mark.parametrize("size", [(1600, 1200), (600, 450)])
def test_turned_photos_are_shown_upright(tmp_path: Path, size: tuple[int, int]) -> None:
    """EXIF orientation is applied, whether a photo is decoded small or whole."""
    photo = Image.new("RGB", size, (200, 30, 30))
    photo.paste((30, 30, 200), (0, 0, size[0] // 2, size[1]))
    exif = Image.Exif()
    exif[0x0112] = 6
    made = opened(
        only(thumbnails(saved(tmp_path, "a.jpg", encoded(photo, exif=exif)), ImageBudget()))
    )
    assert made.height > made.width
    top, bottom = made.getpixel((5, 5)), made.getpixel((5, made.height - 5))
    assert isinstance(top, tuple)
    assert isinstance(bottom, tuple)
    assert top[2] > 150 > top[0]
    assert bottom[0] > 150 > bottom[2]


def test_nothing_but_pixels_is_passed_on(tmp_path: Path) -> None:
    """What else a file carries, such as where a photo was taken, is not in the page."""
    exif = Image.Exif()
    exif[0x010E] = "at home"
    data = encoded(noise(64, 2), exif=exif, comment=b"a secret")
    made = only(thumbnails(saved(tmp_path, "a.jpg", data), ImageBudget()))
    assert isinstance(made, Thumbnail)
    content = base64.b64decode(made.uri.partition(",")[2])
    assert b"at home" not in content
    assert b"secret" not in content


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1", "I;16"])
def test_every_mode_is_shown(tmp_path: Path, mode: str) -> None:
    """Grey, palette, transparent, four-colour and 16-bit images are shown."""
    kind = "JPEG" if mode == "CMYK" else "PNG"
    data = encoded(Image.new(mode, (1000, 900)), kind)
    assert opened(only(thumbnails(saved(tmp_path, "a", data), ImageBudget()))).width > 48


@pytest.mark.parametrize("side", [400, 1600])
def test_damaged_files_say_why(tmp_path: Path, side: int) -> None:
    """A cut photo, a text and a bomb are not shown, and nothing is raised."""
    limits = ImageLimits(max_pixels=4_000_000, max_bytes=20_000_000)
    photo = encoded(Image.effect_noise((side, side), 60).convert("RGB"))
    for data in (photo[: len(photo) // 2], b"<svg onload=alert(1)>", b"", png()[:60]):
        found = only(thumbnails(saved(tmp_path, "a", data), ImageBudget(), limits))
        assert isinstance(found, str)
        assert found.startswith("it cannot be shown")
    bomb = encoded(Image.new("RGB", (5000, 5000)))
    assert isinstance(only(thumbnails(saved(tmp_path, "b", bomb), ImageBudget(), limits)), str)


def test_another_file_is_not_shown(tmp_path: Path) -> None:
    """A file that is not the one asked about, too large or no file at all, is not shown."""
    path = tmp_path / "a.png"
    path.write_bytes(png())
    wanted = {"0" * 64: path, "1" * 64: tmp_path / "gone", "2" * 64: tmp_path}
    found = thumbnails(wanted, ImageBudget())
    assert found["0" * 64] == "its file has changed since the run"
    assert found["1" * 64] == "its file is not there any more"
    assert str(found["2" * 64]).startswith("it cannot be shown")
    small = thumbnails({"0" * 64: path}, ImageBudget(), ImageLimits(max_bytes=10))
    assert only(small) == "its file is too large to be shown"


def test_no_images_reads_no_file(tmp_path: Path) -> None:
    """Without images nothing is opened: the file need not even be there."""
    found = thumbnails({"0" * 64: tmp_path / "gone"}, ImageBudget(none=True))
    assert only(found) == "this page was made without images"


def test_a_budget_of_nothing_is_refused() -> None:
    """A budget that shows nothing says how to say so."""
    with pytest.raises(ValueError, match="none=True"):
        ImageBudget(total_bytes=0)
    with pytest.raises(ValueError, match="48 or more"):
        ImageBudget(largest_side=10)


def test_the_same_files_give_the_same_images(tmp_path: Path) -> None:
    """Threads do not change the result."""
    wanted: dict[str, Path] = {}
    for place in range(40):
        wanted |= saved(tmp_path, f"{place}.jpg", encoded(noise(150, place)))
    budget = ImageBudget(total_bytes=90_000)
    assert thumbnails(wanted, budget) == thumbnails(wanted, budget)
