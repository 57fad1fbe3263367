"""Images that look almost alike."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pytest_llmclf.data.perceptual_hash import BITS, NEAR, near_pairs, perceptual_hash

if TYPE_CHECKING:
    from pathlib import Path


def drawn(seed: int, side: int = 120) -> Image.Image:
    """Some shapes."""
    chance = np.random.RandomState(seed)
    image = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(image)
    for _ in range(8):
        ends = sorted(chance.randint(0, side, 2)), sorted(chance.randint(0, side, 2))
        colour = tuple(map(int, chance.randint(0, 200, 3)))
        draw.ellipse((ends[0][0], ends[1][0], ends[0][1] + 5, ends[1][1] + 5), fill=colour)
    return image


def test_what_is_saved_anew_or_made_smaller_is_near(tmp_path: Path) -> None:
    """The same image as PNG, as JPEG, and at half its size; another image is not near."""
    image = drawn(1)
    image.save(tmp_path / "a.png")
    image.save(tmp_path / "b.jpg", quality=70)
    image.resize((60, 60)).save(tmp_path / "c.png")
    drawn(2).save(tmp_path / "d.png")
    hashes = {}
    for path in sorted(tmp_path.iterdir()):
        found = perceptual_hash(path)
        assert found is not None
        assert len(found) == BITS
        hashes[path.stem] = found
    assert {pair[:2] for pair in near_pairs(hashes)} == {("a", "b"), ("a", "c"), ("b", "c")}


@pytest.mark.parametrize("content", [b"", b"no image", None])
def test_what_shows_nothing_has_no_hash(tmp_path: Path, content: bytes | None) -> None:
    """Unreadable, absent, and of one colour."""
    path = tmp_path / "x.png"
    if content is not None:
        path.write_bytes(content)
    assert perceptual_hash(path) is None
    Image.new("RGB", (50, 50), "red").save(path)
    assert perceptual_hash(path) is None


def test_every_pair_within_the_distance_is_found_once() -> None:
    """As counted one by one, over the edges of blocks."""
    chance = np.random.RandomState(3)
    base = chance.random_sample(BITS) > 0.5
    hashes = {}
    for place in range(1100):
        flips = np.zeros(BITS, dtype=bool)
        flips[chance.permutation(BITS)[: chance.randint(0, 60)]] = True
        hashes[f"{place:04}"] = base ^ flips if place % 7 == 0 else chance.random_sample(BITS) > 0.5
    found = list(near_pairs(hashes))
    names, rows = list(hashes), np.stack(list(hashes.values())).astype(np.int32)
    apart = rows @ (1 - rows).T + (1 - rows) @ rows.T
    expected = {
        (names[i], names[j], int(apart[i, j]))
        for i, j in zip(*np.nonzero(apart <= NEAR), strict=True)
        if i < j
    }
    assert len(found) == len(expected) > 100
    assert set(found) == expected


def test_no_image_makes_no_pair() -> None:
    """And warns of nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert list(near_pairs({})) == []
