"""How images look is kept by their content; whatever the file holds, only time depends on it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pytest_llmclf.data import hash_cache
from pytest_llmclf.data.hash_cache import FILE, hashes_of
from pytest_llmclf.data.perceptual_hash import perceptual_hash
from pytest_llmclf.values.case import Case
from tests.plugin.colour_server import png
from tests.unit.test_perceptual_hash import drawn

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def cases(tmp_path: Path) -> list[Case]:
    """Three drawings, and an image of one colour, which looks like nothing."""
    for seed in range(3):
        drawn(seed).save(tmp_path / f"{seed}.png")
    (tmp_path / "plain.png").write_bytes(png("red", 0))
    return [
        Case(
            id=path.name,
            root=tmp_path,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            label="a",
        )
        for path in sorted(tmp_path.glob("*.png"))
    ]


def test_what_is_kept_is_what_was_found(
    cases: list[Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bits again, and no image is opened for them, whatever it is called by then."""
    home = tmp_path / "home"
    first = hashes_of(cases, home)
    assert list(first) == ["0.png", "1.png", "2.png"]
    for case in cases[:3]:
        found = perceptual_hash(case.path)
        assert found is not None
        assert (first[case.id] == found).all()
    monkeypatch.setattr(hash_cache, "perceptual_hash", pytest.fail)
    again = hashes_of(cases, home)
    assert all((again[name] == bits).all() for name, bits in first.items())
    assert len(again) == len(first)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", '{"format": "0"}', '{"format": 1, "hashes": {}}', "null", '"' * 99, "[" * 9999],
)
def test_a_damaged_file_costs_time_alone(cases: list[Case], tmp_path: Path, content: str) -> None:
    """It is taken for empty, and replaced."""
    (tmp_path / FILE).write_text(content)
    found = hashes_of(cases, tmp_path)
    assert len(found) == 3
    assert len((tmp_path / FILE).read_text()) > 3 * 64


def test_a_damaged_entry_costs_time_alone(cases: list[Case], tmp_path: Path) -> None:
    """An entry that is no hash is found anew; the others stay."""
    right = hashes_of(cases, tmp_path)
    text = (tmp_path / FILE).read_text()
    for wrong in ("7", "null", '"zz"', f'"{"g" * 64}"'):
        start = text.index(cases[0].sha256) + 64
        old = text[start + 3 : start + 3 + 66]
        (tmp_path / FILE).write_text(text.replace(old, wrong, 1))
        found = hashes_of(cases, tmp_path)
        assert np.array_equal(found["0.png"], right["0.png"])


def test_where_nothing_can_be_kept_it_is_found_all_the_same(
    cases: list[Case], tmp_path: Path
) -> None:
    """Without a home, and where a file stands in its place."""
    (tmp_path / "file").write_text("")
    assert len(hashes_of(cases)) == len(hashes_of(cases, tmp_path / "file")) == 3
