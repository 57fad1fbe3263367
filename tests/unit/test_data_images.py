"""Images in which nothing is seen are said, and links lead where they may."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest
from PIL import Image, ImageDraw

from pytest_llmclf.data.dataset import load
from pytest_llmclf.data.entry import SourceOptions
from pytest_llmclf.data.image import Seen, check, prepare, see
from tests.unit.test_dataset import ids, image, pets, problems, put

if TYPE_CHECKING:
    from pathlib import Path

links = pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")


def saved(image: Image.Image, kind: str = "PNG", **how: object) -> bytes:
    """The image as a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **how)
    return buffer.getvalue()


def drawn(mode: str, ground: object, ink: object, side: int = 64, at: int = 3) -> Image.Image:
    """A thin line on a ground, where a coarse look does not meet it."""
    image = Image.new(mode, (side, side), ground)  # type: ignore[arg-type]
    ImageDraw.Draw(image).line((at, 0, at, side), fill=ink)  # type: ignore[arg-type]
    return image


CLEAR, WHITE, BLACK = (0, 0, 0, 0), (255, 255, 255, 255), (0, 0, 0, 255)


class TestSeen:
    """One image."""

    @pytest.mark.parametrize(
        ("image", "expected"),
        [
            (drawn("RGBA", CLEAR, WHITE), Seen(colour=(255, 255, 255), hidden=True)),
            (drawn("RGBA", (255, 255, 255, 0), WHITE), Seen(colour=(255, 255, 255), hidden=True)),
            (drawn("LA", (0, 0), (255, 255)), Seen(colour=(255, 255, 255), hidden=True)),
            (Image.new("RGBA", (9, 9), WHITE), Seen(colour=(255, 255, 255))),
            (Image.new("RGBA", (9, 9), CLEAR), Seen(colour=(255, 255, 255))),
            (Image.new("RGB", (64, 64), (10, 20, 30)), Seen(colour=(10, 20, 30))),
            (Image.new("L", (64, 64), 7), Seen(colour=(7, 7, 7))),
            (Image.new("1", (64, 64), 1), Seen(colour=(255, 255, 255))),
            (drawn("RGBA", CLEAR, BLACK), Seen()),
            (drawn("RGBA", WHITE, BLACK), Seen()),
            (drawn("RGB", (0, 0, 0), (0, 0, 1)), Seen()),
            (drawn("L", 0, 255, side=1000, at=997), Seen()),
            (drawn("I;16", 0, 1 << 15), Seen()),
        ],
    )
    def test_kinds(self, image: Image.Image, expected: Seen) -> None:
        """What is sent has one colour, whatever the file holds; a thin line is no single colour."""
        data = saved(image)
        assert see(data) == expected
        assert check(data) is None
        with Image.open(io.BytesIO(prepare(data).data)) as sent:
            colours = sent.convert("RGB").getcolors(1 << 20)
        assert colours is not None
        assert (len(colours) == 1) == (expected.colour is not None)
        if expected.colour is not None:
            assert colours[0][1] == expected.colour

    def test_palette_with_transparency(self) -> None:
        """A white drawing of few colours, whose ground is the palette's clear colour."""
        image = Image.new("P", (20, 20), 0)
        image.putpalette([0, 0, 0, 255, 255, 255])
        image.paste(1, (5, 5, 9, 9))
        data = saved(image, transparency=0)
        assert see(data) == Seen(colour=(255, 255, 255), hidden=True)
        assert see(saved(image)) == Seen()

    def test_a_cut_file(self) -> None:
        """Has its problem and nothing else."""
        found = see(saved(Image.new("RGB", (9, 9)))[:-20])
        assert found.problem is not None
        assert (found.colour, found.hidden) == (None, False)


class TestWarnings:
    """A dataset."""

    @pytest.fixture
    def photos(self, tmp_path: Path) -> Path:
        """Two classes of images in which something is seen."""
        files: dict[str, bytes | str] = {
            f"{label}/{n}.png": saved(drawn("RGB", (n, 0, 0), "white", at=n * 4 + len(label)))
            for label in ("cat", "doggy")
            for n in range(3)
        }
        return put(tmp_path, files)

    def test_nothing_to_say(self, photos: Path) -> None:
        """Of images in which something is."""
        assert load(photos).warnings == ()

    def test_hidden_drawings(self, photos: Path) -> None:
        """Counted, with examples and what to do."""
        put(photos, {"cat/w.png": saved(drawn("RGBA", CLEAR, WHITE))})
        (warning,) = load(photos).warnings
        assert warning.startswith("1 image is white on transparency, which is put on white, so ")
        assert warning.endswith("nothing is seen: cat/w.png; put them on another ground")

    def test_empty_images(self, photos: Path) -> None:
        """Three are named."""
        blank: dict[str, bytes | str] = {
            f"cat/w{n}.png": saved(Image.new("L", (9 + n, 9), 255)) for n in range(5)
        }
        (warning,) = load(put(photos, blank)).warnings
        assert warning.startswith("5 images are of one colour as sent: cat/w0.png, cat/w1.png, ")
        assert warning.endswith("cat/w2.png, ...; look whether they are whole")
        assert load(photos, verify_images=False).warnings == ()

    def test_colours_may_be_the_classes(self, tmp_path: Path) -> None:
        """Where every image is of one colour, that is what is asked for."""
        colours: dict[str, bytes | str] = {
            f"{name}/1.png": saved(Image.new("RGB", (9, 9), name)) for name in ("red", "blue")
        }
        assert load(put(tmp_path, colours)).warnings == ()
        put(tmp_path, {"red/w.png": saved(drawn("RGBA", CLEAR, WHITE))})
        assert "white on transparency" in load(tmp_path).warnings[0]


@links
class TestLinks:
    """Folders that links may lead into."""

    @pytest.fixture
    def linked(self, tmp_path: Path) -> Path:
        """Two classes with a linked image, a linked folder in a class, and a linked class."""
        root = pets(tmp_path / "pets")
        put(tmp_path, {"disk/x.bmp": image(8), "disk/more/y.bmp": image(9),
                       "disk/bird/z.bmp": image(10), "elsewhere/s.bmp": image(11)})  # fmt: skip
        (root / "cat" / "x.bmp").symlink_to(tmp_path / "disk" / "x.bmp")
        (root / "dog" / "more").symlink_to(tmp_path / "disk" / "more")
        (root / "bird").symlink_to(tmp_path / "disk" / "bird")
        return root

    def test_refused_unless_trusted(self, linked: Path) -> None:
        """All three, with the option that would allow them."""
        said = problems(linked)
        assert len(said) == 3
        assert sum("--llmclf-allow-links" in each for each in said) == 3

    def test_allowed(self, linked: Path, tmp_path: Path) -> None:
        """What lies in the trusted folder is one of the images, under the link's own path."""
        dataset = load(linked, options=SourceOptions(links=(tmp_path / "disk",)))
        assert {"cat/x.bmp", "dog/more/y.bmp", "bird/z.bmp"} < set(ids(dataset))
        assert dataset.labels == ("bird", "cat", "dog")

    def test_out_of_it(self, linked: Path, tmp_path: Path) -> None:
        """Another folder stays refused, also through the trusted one."""
        (linked / "cat" / "s.bmp").symlink_to(tmp_path / "elsewhere" / "s.bmp")
        (tmp_path / "disk" / "t.bmp").symlink_to(tmp_path / "elsewhere" / "s.bmp")
        (linked / "cat" / "t.bmp").symlink_to(tmp_path / "disk" / "t.bmp")
        options = SourceOptions(links=(tmp_path / "disk",))
        said = problems(linked, options=options)
        assert [each.partition(":")[0] for each in said] == ["cat/s.bmp", "cat/t.bmp"]

    def test_a_link_upwards_ends(self, tmp_path: Path) -> None:
        """A folder that holds itself is read once, and said."""
        root = pets(tmp_path / "pets")
        (root / "cat" / "again").symlink_to(root / "cat")
        (said,) = problems(root, options=SourceOptions(links=(tmp_path,)))
        assert said.startswith("cat/again: a link to a folder, which is not followed")
