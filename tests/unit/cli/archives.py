"""Archives in the layouts of the real ones, made of real images."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Mapping

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures"
ITALIAN = {
    "dog": "cane", "horse": "cavallo", "elephant": "elefante", "butterfly": "farfalla",
    "chicken": "gallina", "cat": "gatto", "cow": "mucca", "sheep": "pecora", "spider": "ragno",
    "squirrel": "scoiattolo",
}  # fmt: skip
BOMB_TRAP = "raise SystemExit('this must never run')\n"


def image(number: int, kind: str = "PNG") -> bytes:
    """A thumbnail, of another size for each number, so that no format makes two the same."""
    buffer = io.BytesIO()
    Image.new("RGB", (8 + number % 97, 8 + number // 97), (70, 90, 110)).save(buffer, kind)
    return buffer.getvalue()


def animals(each: int = 3) -> dict[str, bytes]:
    """Animals-10 of so many fixture images a class, with the script that lies beside it."""
    files = {"translate.py": BOMB_TRAP.encode()}
    for english, italian in ITALIAN.items():
        for number, path in enumerate(sorted((FIXTURES / "animals" / english).iterdir())[:each]):
            # As in the real one, where an ending says little.
            files[f"raw-img/{italian}/OIP-{number:03}.jpeg"] = path.read_bytes()
    return files


def small_animals(each: int) -> dict[str, bytes]:
    """Animals-10 of so many tiny images a class."""
    return {
        f"raw-img/{folder}/{number}.png": image(1000 * place + number)
        for place, folder in enumerate(sorted(ITALIAN.values()))
        for number in range(each)
    }


def digits(each: int = 3) -> dict[str, bytes]:
    """MNIST as JPEG: training set, its sample, and the test set without labels."""
    files = {}
    for digit in range(10):
        for number in range(each):
            data = image(100 * digit + number, "JPEG")
            files[f"trainingSet/trainingSet/{digit}/img_{number}.jpg"] = data
        files[f"trainingSample/trainingSample/{digit}/img_0.jpg"] = image(100 * digit, "JPEG")
        files[f"testSet/testSet/img_{digit}.jpg"] = image(5000 + digit, "JPEG")
    return files


def chessmen(each: int = 4) -> dict[str, bytes]:
    """Chess pieces: endings that do not fit and a broken file."""
    files = {}
    for place, piece in enumerate(("Bishop", "King", "Knight", "Pawn", "Queen", "Rook")):
        for number in range(each):
            kind = ("PNG", "JPEG", "GIF")[number % 3]
            name = f"Chessman-image-dataset/Chess/{piece}/{number:08}.jpg"
            files[name] = image(100 * place + number, kind)
    files["Chessman-image-dataset/Chess/King/00000077.gif"] = image(9000, "GIF")[:40]
    files["Chessman-image-dataset/Chess/Rook/00000078.jpg"] = image(9001, "JPEG")[:-30]
    return files


def zipped(path: Path, files: Mapping[str, bytes]) -> Path:
    """A zip archive of files."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, files: Mapping[str, bytes]) -> Path:
    """A tar archive of files, under gzip if the name ends so."""
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def unpacked(path: Path, files: Mapping[str, bytes]) -> Path:
    """A folder of files."""
    for name, data in files.items():
        place = path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return path
