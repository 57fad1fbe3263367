"""Collect further training pictures from unpacked packages.

    python gather.py PACKAGES OUT

PACKAGES holds one folder a package, unpacked from what its package manager downloaded
(see SOURCES.md for names and versions). OUT receives `chess/` and `animals/` with a
picture a file, transparent where the original is, and one manifest.csv each. Nothing
here decides which picture is trained on: tools/fixtures/build.py does.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import subprocess
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import cairosvg
from fontTools.ttLib import TTFont
from PIL import Image, ImageChops, ImageDraw, ImageFont

from gather_words import (
    ANIMAL_WORDS,
    BAD_LICENCES,
    EMOJI,
    FONTS,
    ICONS,
    LEADS,
    LETTERS,
    NAMESPACES,
    NOT_ANIMALS,
    OTHER_SETS,
    OTHER_WORDS,
    PIECES,
    SIZE,
    STYLES,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Picture:
    """One row of the manifest."""

    file: str
    label: str
    style: str
    set: str
    colour: str
    package: str
    source_path: str
    licence: str


def from_svg(data: bytes | str) -> Image.Image:
    """Render a drawing on transparent ground."""
    raw = data.encode() if isinstance(data, str) else data
    png = cairosvg.svg2png(bytestring=raw, output_width=SIZE * 2, output_height=SIZE * 2)
    return Image.open(io.BytesIO(png)).convert("RGBA")


def lift(image: Image.Image) -> Image.Image:
    """Make the even ground of an opaque picture transparent."""
    rgb = image.convert("RGB")
    ground = Image.new("RGB", rgb.size, rgb.getpixel((1, 1)))
    other = ImageChops.difference(rgb, ground).convert("L").point(lambda v: 255 if v > 24 else 0)
    field = Image.new("L", (rgb.width + 2, rgb.height + 2))
    field.paste(other, (1, 1))
    ImageDraw.floodfill(field, (0, 0), 128)
    mask = field.crop((1, 1, rgb.width + 1, rgb.height + 1)).point(lambda v: 0 if v == 128 else 255)
    lifted = image.convert("RGBA")
    lifted.putalpha(mask)
    return lifted


def trim(image: Image.Image) -> Image.Image:
    """Cut off the empty border, centre on a square and scale down."""
    if min(image.getchannel("A").tobytes()) > 250:
        image = lift(image)
    box = image.getchannel("A").point(lambda a: 255 if a > 8 else 0).getbbox()
    if box is None:
        msg = "empty picture"
        raise ValueError(msg)
    image = image.crop(box)
    side = int(max(image.size) * 1.12)
    square = Image.new("RGBA", (side, side))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square.resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def icon_sets(packages: Path) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Name, licence and drawings of every icon set under a free licence."""
    for path in sorted((packages / ICONS / "json").glob("*.json")):
        data = json.loads(path.read_text())
        licence = data["info"]["license"].get("spdx", "")
        if not licence or licence in BAD_LICENCES:
            continue
        width, height = data.get("width", 16), data.get("height", 16)
        icons: dict[str, str] = {}
        for name, icon in data["icons"].items():
            w, h = icon.get("width", width), icon.get("height", height)
            box = f"{icon.get('left', 0)} {icon.get('top', 0)} {w} {h}"
            icons[name] = f'<svg {NAMESPACES} viewBox="{box}">{icon["body"]}</svg>'
        yield path.stem, licence, icons


def variant(rest: str) -> str:
    """The style words of an icon's name, as a part of its set's name."""
    return rest.strip("-").replace("--", "-") or "plain"


def chess_icons(packages: Path, version: str) -> Iterator[tuple[Image.Image, Picture]]:
    """Chess pieces out of the icon sets; each style of a set is its own set."""
    pattern = re.compile(rf"(.*?)({'|'.join(PIECES)})(.*)")
    for prefix, licence, icons in icon_sets(packages):
        for name, svg in icons.items():
            match = pattern.fullmatch(name)
            if not match or "chess" not in name:
                continue
            colour = "w" if "white" in name or "outline" in name else "b"
            style = variant(match[3].replace("rounded", ""))
            yield (
                from_svg(svg.replace("currentColor", "#000")),
                Picture(
                    "",
                    match[2],
                    "icon",
                    f"{prefix}/{style}",
                    colour,
                    version,
                    f"{prefix}/{name}",
                    licence,
                ),
            )


def animal_icons(packages: Path, version: str) -> Iterator[tuple[Image.Image, Picture]]:
    """Animals out of the icon sets."""
    for prefix, licence, icons in icon_sets(packages):
        for name, svg in icons.items():
            for label, words in ANIMAL_WORDS.items():
                core = rf"(?:{LEADS})*(?:{words})(?:-?(?:{STYLES}))*"
                if re.fullmatch(core, name) and not re.search(NOT_ANIMALS, name):
                    yield (
                        from_svg(svg.replace("currentColor", "#000")),
                        Picture(
                            "", label, "icon", prefix, "", version, f"{prefix}/{name}", licence
                        ),
                    )
                    break


def svg_folders(packages: Path) -> Iterator[tuple[Image.Image, Picture]]:
    """Piece sets that come as one file a piece, named like wK, bk or whiteKing."""
    folders = {
        "tagua/prmi": ("tagua-data", "**/PrmiSVG/*.svg", "GPL-2.0+"),
        "tagua/skulls": ("tagua-data", "**/SkullsSVG/*.svg", "GPL-2.0+"),
        "tagua/spatial": ("tagua-data", "**/SpatialSVG/*.svg", "GPL-2.0+"),
        "gnome-chess/fancy": ("gnome-chess", "fancy/*.svg", "GPL-3.0+"),
        "gnome-chess/simple": ("gnome-chess", "simple/*.svg", "GPL-3.0+"),
        "pychessview/default": ("pychessview", "**/pieces/*.svg", "Apache-2.0"),
        "mzchess/pieces": ("MzChess", "**/pieces/*.svg", "GPL-3.0+"),
        "fen2pil/white": ("fen2pil", "**/white/*.png", "MIT"),
        "fen2pil/black": ("fen2pil", "**/black/*.png", "MIT"),
        "kivy-chess-board/cburnett": (
            "kivy-chess-board",
            "**/assets/*.png",
            "GPL-3.0+ (artwork by Cburnett)",
        ),
    }
    folders |= {
        f"pgn2web/{path.name}": ("pgn2web", f"**/images/{path.name}/*.png", "GPL-2.0+")
        for path in sorted((packages / "pgn2web/usr/share/pgn2web/images").glob("*"))
    }
    for name, (package, pattern, licence) in folders.items():
        for path in sorted((packages / package).glob(pattern)):
            found = read_name(path.stem, path.parent.name)
            if found is None:
                continue
            image = (
                from_svg(path.read_bytes())
                if path.suffix == ".svg"
                else Image.open(path).convert("RGBA")
            )
            where = str(path.relative_to(packages / package).as_posix())
            yield image, Picture("", found[1], "flat", name, found[0], package, where, licence)


def read_name(stem: str, folder: str) -> tuple[str, str] | None:
    """Colour and piece from a file name."""
    low = stem.lower()
    if match := re.fullmatch(r"([wb])([kqrbnp])([wb]s)?", low):
        # A set with both square colours: the white square is enough.
        return (match[1], LETTERS[match[2]]) if match[3] in (None, "ws") else None
    if match := re.fullmatch(r"(white|black)[_-]?(king|queen|rook|bishop|knight|pawn)", low):
        return match[1][0], match[2]
    if match := re.fullmatch(r"([kqrbnp])(_black)?", low):
        colour = folder[0] if folder in ("white", "black") else ("b" if match[2] else "w")
        return colour, LETTERS[match[1]]
    return None


def svgz_themes(packages: Path) -> Iterator[tuple[Image.Image, Picture]]:
    """Piece sets drawn into one compressed SVG with an id a piece."""
    for path in sorted((packages / "knights").glob("**/themes/*.svgz")):
        data = gzip.decompress(path.read_bytes())
        for colour in ("White", "Black"):
            for piece in PIECES:
                done = subprocess.run(
                    [  # noqa: S607 - found on PATH
                        "rsvg-convert",
                        "-i",
                        f"{colour}{piece.capitalize()}",
                        "-w",
                        str(SIZE * 2),
                        "-a",
                    ],
                    input=data,
                    capture_output=True,
                    check=False,
                )
                if done.returncode == 0 and done.stdout:
                    image = Image.open(io.BytesIO(done.stdout)).convert("RGBA")
                    name = f"knights/{path.name.split('.')[0]}"
                    where = f"usr/share/knights/themes/{path.name}"
                    yield (
                        image,
                        Picture(
                            "", piece, "flat", name, colour[0].lower(), "knights", where, "GPL-2.0+"
                        ),
                    )


def glyph(font_path: Path, text: str) -> Image.Image:
    """One character of a font, black on transparent."""
    font = ImageFont.truetype(str(font_path), SIZE * 2)
    image = Image.new("RGBA", (SIZE * 5, SIZE * 5))
    ImageDraw.Draw(image).text((SIZE, SIZE), text, font=font, fill="black")
    return image


def filled(image: Image.Image) -> Image.Image:
    """Give an outline drawing a white body, as piece fonts mean it."""
    ink = image.getchannel("A")
    outside = Image.new("L", ink.size)
    flood = ink.point(lambda a: 255 if a > 100 else 0)
    ImageDraw.floodfill(flood, (0, 0), 128)
    outside = flood.point(lambda v: 255 if v == 128 else 0)
    body = Image.new("RGBA", image.size, "white")
    body.putalpha(ImageChops.invert(outside))
    body.alpha_composite(image)
    return body


def font_pieces(packages: Path) -> Iterator[tuple[Image.Image, Picture]]:
    """U+2654 to U+265F out of text fonts, and the letters of tagua's piece fonts."""
    for name, (package, file, licence) in FONTS.items():
        path = next((packages / package).glob(f"**/{file}"))
        for index, piece in enumerate(PIECES):
            for colour, first in (("w", 0x2654), ("b", 0x265A)):
                image = glyph(path, chr(first + index))
                where = f"{file} U+{first + index:04X}"
                yield (
                    filled(image),
                    Picture("", piece, "glyph", f"font/{name}", colour, package, where, licence),
                )
    for theme in ("Berlin", "Enquil", "Lucena", "XBoard", "Yahoo"):
        path = next((packages / "tagua-data").glob(f"**/{theme}.ttf"))
        script = "\n".join(p.read_text(errors="replace") for p in sorted(path.parent.glob("*.lua")))
        known = TTFont(path, lazy=True).getBestCmap() or {}
        for colour, piece, code in sorted(
            set(re.findall(r"theme\.(white|black)_(\w+)\s*=.*?0x([0-9A-Fa-f]+)", script))
        ):
            if piece not in PIECES or int(code, 16) not in known:
                continue
            image = glyph(path, chr(int(code, 16)))
            where = f"themes/pieces/{path.parent.name}/{path.name} 0x{code}"
            yield (
                filled(image),
                Picture(
                    "",
                    piece,
                    "glyph",
                    f"tagua/{theme.lower()}",
                    colour[0],
                    "tagua-data",
                    where,
                    "GPL-2.0+",
                ),
            )


def font_animals(packages: Path) -> Iterator[tuple[Image.Image, Picture]]:
    """Animal characters of Symbola and Unifont."""
    files = {"symbola": "Symbola_hint.ttf", "unifont": "unifont_upper.otf"}
    for name, file in files.items():
        package, _, licence = FONTS[name]
        path = next((packages / package).glob(f"**/{file}"))
        for label, characters in EMOJI.items():
            for character in characters:
                where = f"{file} U+{ord(character):04X}"
                yield (
                    glyph(path, character),
                    Picture("", label, "glyph", f"font/{name}", "", package, where, licence),
                )


def other_icons(packages: Path, version: str) -> Iterator[tuple[Image.Image, Picture]]:
    """Things that belong to no task, for the answer `unknown`."""
    for prefix, licence, icons in icon_sets(packages):
        if prefix not in OTHER_SETS:
            continue
        for name in OTHER_WORDS:
            if name in icons:
                yield (
                    from_svg(icons[name].replace("currentColor", "#000")),
                    Picture(
                        "", "unknown", "icon", prefix, "", version, f"{prefix}/{name}", licence
                    ),
                )


def save(out: Path, found: Iterator[tuple[Image.Image, Picture]]) -> None:
    """Write the pictures and their manifest."""
    rows: list[Picture] = []
    counts: dict[str, int] = {}
    for image, picture in found:
        stem = re.sub(r"[^a-z0-9]+", "-", f"{picture.set}-{picture.colour}".lower()).strip("-")
        key = f"{picture.label}/{stem}"
        counts[key] = counts.get(key, 0) + 1
        name = f"{key}-{counts[key]}.png"
        try:
            small = trim(image)
        except ValueError:
            continue
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        small.save(out / name)
        rows.append(Picture(**{**asdict(picture), "file": name}))
    with (out / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(Picture)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def main(packages: Path, out: Path) -> None:
    """Gather chess pieces and animals."""
    version = json.loads((packages / ICONS / "package.json").read_text())["version"]
    icons = f"@iconify/json {version} (npm)"
    save(
        out / "chess",
        (
            x
            for part in (
                chess_icons(packages, icons),
                svg_folders(packages),
                svgz_themes(packages),
                font_pieces(packages),
            )
            for x in part
        ),
    )
    save(
        out / "animals",
        (x for part in (animal_icons(packages, icons), font_animals(packages)) for x in part),
    )
    save(out / "unknown", other_icons(packages, icons))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
