"""Projects to measure: images, an evaluation, and the same questions for every contender.

The server says a label by the digest of the image that it is sent. So that it is right four
times out of five for everybody, the labels of `cases.csv` go by the files' bytes, and those of the
plugin's manifest by what the plugin makes of them (a grey image is sent as RGB).
"""

from __future__ import annotations

import csv
import os
import random
import shutil
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.stub_ollama.answers import label_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LABELS = tuple("0123456789")
MODEL = "llava:7b"
ROOT = Path(__file__).resolve().parents[2]
SIDE = 28
_WRONG_EVERY = 5
_A_FOLDER = 1000
_CONTENDERS = Path(__file__).with_name("contenders")

_EVALUATION = '''"""Digits."""

from pytest_llmclf import Evaluation

digits = Evaluation(
    dataset="digits",
    modelfile="digits",
    prompt="Which digit is in this picture?",
    gates=["accuracy >= 0.7"],
)


@digits.images
def test_image(outcome):
    """Each image gets its digit."""
    outcome.check()


@digits.gate
def test_gate(report):
    """Good enough."""
    assert report.macro.f1 >= 0.5
'''

_MODELFILE = f"""FROM {MODEL}
PARAMETER temperature 0
SYSTEM You sort images of handwritten digits.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A folder that the plugin and its contenders run in.

    Attributes:
        folder: The project: ``evals/``, ``fixtures/``, ``modelfiles/``, and the contenders' files.
        count: How many images.
    """

    folder: Path
    count: int


def bundled(folder: Path) -> Workload:
    """The 500 handwritten digits of the repository: grey PNG files of 28 by 28 pixels."""
    from pytest_llmclf.data.image import prepare

    source = ROOT / "fixtures" / "mnist"
    with (source / "manifest.csv").open(encoding="utf-8", newline="") as file:
        paths = [source / row["path"] for row in csv.DictReader(file)]
    images = [path.read_bytes() for path in paths]
    return _made(folder, ((data, prepare(data).data) for data in images))


def generated(folder: Path, count: int, seed: int = 1) -> Workload:
    """So many small RGB images, all different, which are sent as they are."""
    chance = random.Random(seed)  # noqa: S311 - images, nothing secret
    images = (png(chance.randbytes(3 * SIDE)) for _ in range(count))
    return _made(folder, ((data, data) for data in images))


def part(whole: Workload, folder: Path, count: int) -> Workload:
    """A project with the first `count` images of another one; the files are shared."""
    _write_project(folder)
    for name in ("fixtures/digits/manifest.csv", "cases.csv"):
        with (whole.folder / name).open(encoding="utf-8") as file:
            lines = [next(file) for _ in range(count + 1)]
        (folder / name).write_text("".join(lines), "utf-8")
    for line in lines[1:]:
        path = line.partition(",")[0]
        (folder / path).parent.mkdir(exist_ok=True)
        os.link(whole.folder / path, folder / path)
    return Workload(folder=folder, count=count)


def png(row: bytes) -> bytes:
    """A square RGB image whose rows are all alike."""
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    pixels = zlib.compress((b"\0" + row) * SIDE, 1)
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def _made(folder: Path, images: Iterable[tuple[bytes, bytes]]) -> Workload:
    _write_project(folder)
    dataset_directory = folder / "fixtures" / "digits"
    count = 0
    with (
        (dataset_directory / "manifest.csv").open("w", encoding="utf-8", newline="") as ours,
        (folder / "cases.csv").open("w", encoding="utf-8", newline="") as theirs,
    ):
        ours.write("path,label\n")
        theirs.write("path,label\n")
        for (data, sent), name in zip(images, _names(), strict=False):
            path = dataset_directory / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
            ours.write(f"{name},{_expected(sent, count)}\n")
            theirs.write(f"fixtures/digits/{name},{_expected(data, count)}\n")
            count += 1
    return Workload(folder=folder, count=count)


def _names() -> Iterator[str]:
    place = 0
    while True:
        yield f"{place // _A_FOLDER:03}/{place:06}.png"
        place += 1


def _expected(image: bytes, place: int) -> str:
    said = label_of(image, LABELS)
    if place % _WRONG_EVERY:
        return said
    return LABELS[(LABELS.index(said) + 1) % len(LABELS)]


def _write_project(folder: Path) -> None:
    from pytest_llmclf.prompting.labels import Label, LabelSet
    from pytest_llmclf.prompting.prompt import compose

    for name in ("evals", "fixtures/digits", "modelfiles"):
        (folder / name).mkdir(parents=True)
    (folder / "pytest.ini").write_text("[pytest]\n", "utf-8")
    (folder / "evals" / "test_digits.py").write_text(_EVALUATION, "utf-8")
    (folder / "modelfiles" / "digits.Modelfile").write_text(_MODELFILE, "utf-8")
    labels = LabelSet(labels=tuple(Label(name=label) for label in LABELS))
    prompt = compose("Which digit is in this picture?", labels, "text")
    (folder / "prompt.txt").write_text(prompt, "utf-8")
    for path in _CONTENDERS.iterdir():
        if path.is_file():
            shutil.copy(path, folder / path.name)
