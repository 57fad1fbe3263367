"""Datasets of other people: whatever is in a manifest, a description or an archive."""

# ruff: noqa: PT017, FBT001, FBT003 -- most inputs raise nothing; flags are drawn by place

from __future__ import annotations

import csv
import io
import json
import os
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from pytest_llmclf.data import dataset
from pytest_llmclf.data.archives.archive import opened
from pytest_llmclf.data.archives.member import ArchiveLimits
from pytest_llmclf.data.entry import SourceOptions
from pytest_llmclf.data.sources import read_description
from pytest_llmclf.errors import DatasetError, ImageError, ModelfileError
from pytest_llmclf.prompting import modelfile
from tests.fuzz.effort import assert_says, effort

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMITS = ArchiveLimits(entries=20, file_bytes=1 << 16, total_bytes=1 << 18, ratio=20)


@pytest.fixture(scope="module", autouse=True)
def _scratch() -> Iterator[None]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        FOLDER.append(Path(folder))
        yield
        FOLDER.clear()


FOLDER: list[Path] = []
"""Where the examples of this module lie; hypothesis runs many in one test."""


def scratch() -> Path:
    """The folder of examples; one of its own outside pytest."""
    if not FOLDER:
        FOLDER.append(Path(tempfile.mkdtemp()))
    return FOLDER[0]


def png(side: int) -> bytes:
    """An image."""
    buffer = io.BytesIO()
    Image.new("RGB", (side, 1), (side, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def pets() -> Path:
    """A folder with two images."""
    folder = scratch() / "pets"
    if not folder.exists():
        folder.mkdir()
        (folder / "a.png").write_bytes(png(1))
        (folder / "b.png").write_bytes(png(2))
    return folder


def load(name: str, content: bytes) -> dataset.Dataset | None:
    """Read a manifest beside two images; nothing if it is refused."""
    folder = pets()
    path = folder / name
    path.write_bytes(content)
    try:
        found = dataset.load(path, verify_images=False)
    except DatasetError as error:
        assert_says(error)
        assert "pets" in str(error)
        return None
    finally:
        path.unlink()
    assert {case.id for case in found.cases} <= {"a.png", "b.png"}
    assert all(case.path.parent == found.root for case in found.cases)
    assert len({case.id for case in found.cases}) == len(found.cases)
    assert all(line.isprintable() for line in found.warnings)
    assert len(found.content_hash()) == 64
    return found


cells = st.sampled_from(
    ["a.png", "b.png", "./a.png", "A.png", "../a.png", "/etc/passwd", "C:a.png", "a.png\\", "cat",
     "dog", "Cat", "", " ", "path", "label", "sha256", "=1+1", '"', "\0", "\ud800", "a" * 300,
     "a/" * 200, "é.png", "é.png", "e" * 140_000, ".", "..", "~", "CON", "a.png ", "\u202e"]
) | st.text(st.characters(codec=None, exclude_categories=()), max_size=5)  # fmt: skip
noise = st.binary(max_size=60)


@effort(100)
@given(
    st.lists(st.lists(cells, max_size=4), max_size=5),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from([",", ";", "\t"]),
    st.booleans(),
)
@example([["a" * 300, "cat"], ["b.png", "dog"]], "utf-8", "\n", ",", True)
@example([["a/" * 3000, "cat"], ["b.png", "dog"]], "utf-8", "\n", ",", True)
@example([["a.png", "cat"], ["b.png", "dog"]], "utf-8-sig", "\r", ",", True)
@example([["a.png\0", "cat"], ["b.png", "dog"]], "utf-8", "\n", ",", True)
def test_manifest_csv(
    rows: list[list[str]], encoding: str, line_end: str, comma: str, head: bool
) -> None:
    """A manifest of any rows in any encoding is read, or refused with every problem's place."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=line_end, delimiter=comma)
    writer.writerows(([["path", "label", "style"]] if head else []) + rows)
    load("m.csv", text.getvalue().encode(encoding, "backslashreplace"))


@effort(100)
@given(
    noise | st.lists(noise | st.sampled_from([b"path,label\n", b'"', b",", b"\n"])).map(b"".join)
)
@example(b'path,label\n"a.png')
@example(b"path,label\na.png,cat\nb.png,dog\n" + b"x" * 200_000)
@example(b"\xff\xfep\0a\0")
def test_manifest_csv_of_any_bytes(content: bytes) -> None:
    """So is a file that is no CSV at all."""
    load("m.csv", content)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | cells, st.lists, max_leaves=3
)
json_rows = st.dictionaries(
    st.sampled_from(["path", "label", "sha256", "style", "", "\ud800"]), values, max_size=4
) | st.fixed_dictionaries({"path": cells, "label": cells})


@effort(100)
@given(st.lists(json_rows.map(json.dumps) | st.text(max_size=9), max_size=5).map("\n".join))
@example("[" * 100_000)
@example('{"path":' * 50_000)
@example('{"path": "a.png", "label": ' + "9" * 5000 + "}")
@example('{"path": "a.png", "label": "cat", "label": "dog"}\n{"path": "b.png", "label": "cat"}')
@example('{"path": "a.png", "label": "\\ud800"}')
@example('{"path": "a.png\\u0000", "label": "cat"}\n{"path": "b.png", "label": "dog"}')
@example('{"path": "a.png", "label": "cat", "a\\u001bb": "c"}\n{"path": "b.png", "label": "dog"}')
def test_manifest_jsonl(text: str) -> None:
    """The same for JSON lines."""
    load("m.jsonl", text.encode("utf-8", "backslashreplace"))


def test_a_name_said_twice_in_one_line_is_a_problem() -> None:
    """One of two labels would otherwise be taken without a word."""
    text = '{"path": "a.png", "label": "cat", "label": "dog"}\n'
    folder = pets()
    (folder / "twice.jsonl").write_text(text)
    with pytest.raises(DatasetError, match=r"twice.jsonl:1: 'label' is there twice"):
        dataset.load(folder / "twice.jsonl", labels=("cat", "dog"))
    (folder / "twice.jsonl").unlink()


toml = st.lists(
    st.sampled_from(
        ["name", "labels", "pattern", "imported", "about", " = ", '"cat"', '["cat", "dog"]', "true",
         "\n", "[a]", "'(?P<label>.)'", "1", "1979-05-27", '"\\u001b"', "inf", "{", "}", "[", "]"]
    )
    | st.text(max_size=4),
    max_size=12,
).map("".join)  # fmt: skip


@effort(75)
@given(toml)
@example("labels = " + "[" * 10_000)
@example("a" + ".a" * 10_000 + " = 1")
@example('name = "\\u001b[2J"')
@example("labels = " + "9" * 5000)
def test_description(text: str) -> None:
    """``dataset.toml`` is read or refused in one line."""
    folder = scratch() / "described"
    folder.mkdir(exist_ok=True)
    (folder / "dataset.toml").write_bytes(text.encode("utf-8", "backslashreplace"))
    try:
        read_description(folder)
    except DatasetError as error:
        assert_says(error)
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    "pattern",
    ["(?P<label>a{9999999999})", "(" * 5000, "(?P<label>", "(?P<label>[", "\\", "(?P<1>a)"],
)
def test_pattern(pattern: str) -> None:
    """A regular expression that is none, or cannot be compiled, is said to be."""
    with pytest.raises(DatasetError, match="pattern") as caught:
        dataset.load(pets(), options=SourceOptions(pattern=pattern))
    assert_says(caught.value)


@pytest.mark.parametrize("name", ["a" * 300, "a/" * 3000, "\0", "\ud800", "~nobody/x", ".."])
def test_name(name: str, tmp_path: Path) -> None:
    """A name under which nothing can lie is a dataset that is not there."""
    with pytest.raises(DatasetError) as caught:
        dataset.load(dataset.locate(name, tmp_path / "project", {}))
    assert_says(caught.value)


@pytest.mark.parametrize("name", ["a" * 300, "a/" * 3000, "~nobody/x", "\x1b[2J"])
def test_file_of_a_modelfile(name: str, tmp_path: Path) -> None:
    """A file that cannot be there is missing, at its line."""
    path = tmp_path / "m.Modelfile"
    path.write_text(f"FROM ./{name}.gguf\n")
    with pytest.raises(ModelfileError, match=":1:6: ") as caught:
        modelfile.load(path)
    assert_says(caught.value)


@effort(75)
@given(noise | st.text(max_size=40).map(lambda text: text.encode("utf-16")))
@example(b"\xff\xfe\x00\xd8")
@example(b"\xef\xbb\xbfFROM x\n")
def test_modelfile_of_any_bytes(content: bytes) -> None:
    """A Modelfile in any encoding is read, or refused at its place."""
    path = scratch() / "any.Modelfile"
    path.write_bytes(content)
    try:
        modelfile.load(path)
    except ModelfileError as error:
        assert_says(error)


names = st.sampled_from(
    ["cat/1.png", "cat/1.png", "dog/2.png", "../x.png", "/etc/x", "C:\\x", "a/../../b", "CON", "",
     "a\0b", "\x1b[2J", "a" * 300, "é", ".", "./", "a//b", "cat/", "dog/\u202e.png", "-rf",
     "…" * 99]
) | st.text(max_size=5)  # fmt: skip
members = st.lists(
    st.tuples(names, st.binary(max_size=40) | st.sampled_from([b"\0" * 5000, b"\0" * 70_000])),
    max_size=6,
)
damage = st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=6)), max_size=3)
SPECIAL = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE,
           tarfile.REGTYPE, tarfile.GNUTYPE_SPARSE, b"Z")  # fmt: skip


def damaged(content: bytes, changes: list[tuple[float, bytes]], cut: float) -> bytes:
    """`content` with some bytes overwritten, and cut."""
    data = bytearray(content)
    for share, piece in changes:
        at = int(share * len(data))
        data[at : at + len(piece)] = piece
    return bytes(data[: len(data) - int(cut * len(data))])


def read_all(name: str, content: bytes) -> list[tuple[str, int]]:
    """Name and size of everything that can be read of an archive; nothing if it is refused."""
    path = scratch() / name
    path.write_bytes(content)
    read: list[tuple[str, int]] = []
    try:
        with opened(path, limits=LIMITS, scratch=scratch()) as archive:
            for left in archive.left_out:
                assert left.reason
            for member in archive.members:
                try:
                    read.append((member.name, len(archive.read(member))))
                except ImageError as error:
                    assert_says(error)
    except DatasetError as error:
        assert_says(error)
    assert sum(size for _, size in read) <= LIMITS.total_bytes
    assert len({found for found, _ in read}) == len(read)
    for found, size in read:
        assert size <= LIMITS.file_bytes
        assert not found.startswith("/")
        assert ".." not in found.split("/")
        assert "\\" not in found
    return read


@effort(100)
@given(
    members,
    st.sampled_from(
        [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
    ),
    st.sampled_from([0, 0o120777 << 16, 0o100644 << 16, 0o020644 << 16, 0o040755 << 16]),
    damage,
    st.sampled_from([0.0, 0.0, 0.1, 0.5]),
)
@example([("\0", b"")], zipfile.ZIP_STORED, 0, [], 0.0)
@example([("cat/1.png", b"\0" * 5000)], zipfile.ZIP_LZMA, 0, [(0.5, b"\0")], 0.0)
@example([("cat/1.png", b"\0" * 70_000)], zipfile.ZIP_BZIP2, 0, [(0.5625, b"@")], 0.0)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_zip(
    entries: list[tuple[str, bytes]],
    packing: int,
    mode: int,
    changes: list[tuple[float, bytes]],
    cut: float,
) -> None:
    """A zip of any entries, packed in any way, damaged anywhere, gives its files or is refused."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in entries:
            info = zipfile.ZipInfo(name or "x")
            info.external_attr, info.create_system, info.compress_type = mode, 3, packing
            archive.writestr(info, content)
    read_all("fuzz.zip", damaged(buffer.getvalue(), changes, cut))


@effort(100)
@given(
    members,
    st.lists(st.sampled_from(SPECIAL), min_size=6, max_size=6),
    st.sampled_from(["w", "w:gz"]),
    st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT]),
    damage,
    st.sampled_from([0.0, 0.0, 0.1, 0.5]),
)
def test_tar(  # noqa: PLR0917 -- hypothesis gives them by place
    entries: list[tuple[str, bytes]],
    kinds: list[bytes],
    packing: Any,
    form: int,
    changes: list[tuple[float, bytes]],
    cut: float,
) -> None:
    """The same for tar, its links, devices and sparse files included."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=packing, format=form) as archive:
        for (name, content), kind in zip(entries, kinds, strict=False):
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname = kind, len(content), "../../x"
            try:
                archive.addfile(info, io.BytesIO(content))
            except ValueError:
                continue  # the format has no room for the name
    read_all("fuzz.tar", damaged(buffer.getvalue(), changes, cut))


@effort(75)
@given(st.sampled_from([b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b\x08", b"", b"\0" * 257 + b"ustar",
                        ]),
       st.binary(max_size=700))  # fmt: skip
def test_archive_of_any_bytes(start: bytes, content: bytes) -> None:
    """Whatever begins like an archive is one, or is refused."""
    read_all("fuzz", start + content)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipes_are_never_opened(tmp_path: Path) -> None:
    """A named pipe among the images is a problem, and not a wait for ever."""
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "1.png").write_bytes(png(len(label) + ord(label[0])))
    os.mkfifo(tmp_path / "cat" / "2.png")
    with pytest.raises(DatasetError, match="is not a file"):
        dataset.load(tmp_path)
