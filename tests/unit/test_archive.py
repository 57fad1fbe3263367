"""Archives of other people are read within bounds, and lead nowhere."""

from __future__ import annotations

import gzip
import io
import os
import socket
import stat
import sys
import tarfile
import zipfile
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_llmclf.data.archives.archive import opened
from pytest_llmclf.data.archives.choosing import file_name
from pytest_llmclf.data.archives.member import ArchiveLimits, safe_name
from pytest_llmclf.data.entry import shown
from pytest_llmclf.errors import DatasetError, ImageError
from tests.unit.cli.archives import tarred, unpacked, zipped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

FILES = {"a/1.png": b"one", "a/2.png": b"two" * 30_000, "b.txt": b""}
OUTSIDE = (
    "../x", "a/../../x", "/etc/passwd", "C:/x", "c:x", "..\\x", "a\\..\\..\\x",
    "\\\\host\\share\\x", "//host/x", "a/..",
)  # fmt: skip
MIB = 1 << 20
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="no such files there")


def entry(name: str, kind: bytes = tarfile.REGTYPE, **more: str) -> tarfile.TarInfo:
    """The header of a tar entry."""
    info = tarfile.TarInfo(name)
    info.type = kind
    for attribute, value in more.items():
        setattr(info, attribute, value)
    return info


def tar_of(path: Path, *infos: tarfile.TarInfo) -> Path:
    """A tar archive of entries without content."""
    with tarfile.open(path, "w") as archive:
        for info in infos:
            archive.addfile(info)
    return path


def names(path: Path, **limits: int) -> list[str]:
    """Names of the files that an archive gives."""
    with opened(path, limits=ArchiveLimits(**limits)) as archive:
        return [member.name for member in archive.members]


def left_out(path: Path) -> dict[str, str]:
    """What an archive does not give, and why."""
    with opened(path) as archive:
        return {each.name: each.reason for each in archive.left_out}


def read(path: Path, name: str, **limits: int) -> bytes:
    """One file of an archive."""
    with opened(path, limits=ArchiveLimits(**limits)) as archive:
        (member,) = [each for each in archive.members if each.name == name]
        return archive.read(member)


class TestKinds:
    """Archives are told by their content."""

    @pytest.mark.parametrize(
        ("make", "name"),
        [(zipped, "a.zip"), (tarred, "a.tar"), (tarred, "a.tar.gz"), (unpacked, "folder")],
    )
    def test_gives_names_and_bytes(
        self, tmp_path: Path, make: Callable[[Path, Mapping[str, bytes]], Path], name: str
    ) -> None:
        """Zip, tar, tar.gz and a folder give the same."""
        made = make(tmp_path / name, FILES)
        with opened(made) as archive:
            found = {member.name: archive.read(member) for member in archive.members}
            sizes = {member.name: member.size for member in archive.members}
        assert found == FILES
        assert sizes == {name: len(data) for name, data in FILES.items()}

    def test_the_ending_does_not_matter(self, tmp_path: Path) -> None:
        """A zip archive called tar.gz is a zip archive."""
        assert len(names(zipped(tmp_path / "a.tar.gz", FILES))) == 3

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"", "empty"),
            (b"<!doctype html><title>Sign in</title>", "a web page"),
            (b"Rar!\x1a\x07", "a RAR archive"),
            (b"\xfd7zXZ\0", "an xz archive"),
            (b"hello", "no archive"),
        ],
    )
    def test_what_else_it_is(self, tmp_path: Path, content: bytes, says: str) -> None:
        """Is said, with what to give instead."""
        path = tmp_path / "a.zip"
        path.write_bytes(content)
        with pytest.raises(DatasetError, match=rf"is {says}.*: give a \.zip"):
            names(path)

    def test_none(self, tmp_path: Path) -> None:
        """A path that leads nowhere."""
        with pytest.raises(DatasetError, match="correct the path"):
            names(tmp_path / "none.zip")

    @pytest.mark.parametrize(("make", "name"), [(zipped, "a.zip"), (tarred, "a.tar.gz")])
    def test_every_cut_archive_is_an_error(
        self, tmp_path: Path, make: Callable[[Path, Mapping[str, bytes]], Path], name: str
    ) -> None:
        """Wherever it is cut, it says so or gives whole files alone; nothing else is raised."""
        data = make(tmp_path / name, FILES).read_bytes()
        cut = tmp_path / f"cut-{name}"
        for end in range(2, len(data), 7):
            cut.write_bytes(data[:end])
            with pytest.raises(DatasetError):
                names(cut)

    @given(
        st.binary(max_size=600), st.sampled_from([b"PK\x03\x04", b"\x1f\x8b\x08\0", b"PK\x05\x06"])
    )
    def test_junk_is_a_dataset_error(
        self, tmp_path_factory: pytest.TempPathFactory, junk: bytes, mark: bytes
    ) -> None:
        """Or an archive of nothing; never another exception."""
        path = tmp_path_factory.getbasetemp() / "junk"
        path.write_bytes(mark + junk)
        with suppress(DatasetError):
            assert names(path) == []


class TestNames:
    """Names that lead out of the archive."""

    @pytest.mark.parametrize("name", OUTSIDE)
    def test_refused_in_a_zip(self, tmp_path: Path, name: str) -> None:
        """The whole archive is."""
        with pytest.raises(DatasetError, match=r"refused: its entry .* leads out"):
            names(zipped(tmp_path / "a.zip", {"good.png": b"", name: b"bad"}))

    @pytest.mark.parametrize("name", OUTSIDE)
    def test_refused_in_a_tar(self, tmp_path: Path, name: str) -> None:
        """The whole archive is."""
        with pytest.raises(DatasetError, match=r"refused: its entry .* leads out"):
            names(tarred(tmp_path / "a.tar", {"good.png": b"", name: b"bad"}))

    @given(st.text() | st.text(alphabet="./\\ab:C"))
    @example("a/b")
    @example("./C:/b")
    @example("0:")
    def test_what_passes_stays_below(self, name: str) -> None:
        """A name that is not refused has no part that leads anywhere, on any system."""
        from pathlib import Path, PurePosixPath, PureWindowsPath

        try:
            safe = safe_name(Path("a.zip"), name)
        except DatasetError as error:
            assert str(error).isprintable()  # noqa: PT017 - both ends are checked
            return
        for kind in (PurePosixPath, PureWindowsPath):
            path = kind(safe)
            assert not path.is_absolute()
            assert not path.anchor
            assert ".." not in path.parts
        assert safe == "/".join(part for part in safe.split("/") if part not in {"", "."})

    @given(st.text(max_size=300))
    @example("CON")
    @example("aux.tar")
    @example("...")
    @example("x" * 300)
    @example("\x00\u202e/../..")
    def test_a_file_is_never_called_by_an_archive(self, stem: str) -> None:
        """Names that are written are plain, short, not hidden and no devices of Windows."""
        name = file_name(stem)
        assert name.isascii()
        assert 0 < len(name) <= 100
        assert all(char.isalnum() or char in "._-" for char in name)
        assert name[0] not in ".-_"
        assert name[-1] not in ".-"
        assert name.partition(".")[0].casefold() not in {"con", "prn", "aux", "nul", "com1", "lpt9"}
        assert file_name(name) == name

    def test_plain_names_stay(self) -> None:
        """As they are, so that people find the original."""
        for name in ("img_117", "OIP-_0aFTYvSqGqWX0r.b", "00000042"):
            assert file_name(name) == name

    def test_twice(self, tmp_path: Path) -> None:
        """The first of two entries of one name is read, and the second one listed."""
        path = tmp_path / "a.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.png", b"first")
            with pytest.warns(UserWarning, match="Duplicate name"):
                archive.writestr("a.png", b"second")
        assert read(path, "a.png") == b"first"
        assert "twice" in left_out(path)["a.png"]


class TestNoFiles:
    """Links, devices and the like are never opened."""

    def test_in_a_tar(self, tmp_path: Path) -> None:
        """Links of both kinds, devices, pipes."""
        path = tar_of(
            tmp_path / "a.tar",
            entry("soft", tarfile.SYMTYPE, linkname="/etc/passwd"),
            entry("hard", tarfile.LNKTYPE, linkname="../../secret"),
            entry("disk", tarfile.BLKTYPE),
            entry("null", tarfile.CHRTYPE),
            entry("pipe", tarfile.FIFOTYPE),
            entry("good"),
        )
        assert names(path) == ["good"]
        found = left_out(path)
        assert set(found) == {"soft", "hard", "disk", "null", "pipe"}
        assert all("link" in found[name] for name in ("soft", "hard"))

    def test_in_a_zip(self, tmp_path: Path) -> None:
        """A link is one by its Unix mode."""
        path = tmp_path / "a.zip"
        with zipfile.ZipFile(path, "w") as archive:
            info = zipfile.ZipInfo("raw-img/cane/link.png")
            info.create_system = 3
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, "/etc/passwd")
            archive.writestr("good.png", b"")
        assert names(path) == ["good.png"]
        assert "link" in left_out(path)["raw-img/cane/link.png"]

    @posix_only
    def test_in_a_folder(self, tmp_path: Path) -> None:
        """Links to files and folders, loops, pipes and sockets."""
        folder = unpacked(tmp_path / "f", {"good.png": b"x"})
        (folder / "file").symlink_to("/etc/passwd")
        (folder / "folder").symlink_to("/etc")
        (folder / "loop").symlink_to(folder)
        os.mkfifo(folder / "pipe")
        place = os.getcwd()  # noqa: PTH109 - a socket's path must be short
        os.chdir(folder)
        try:
            with socket.socket(socket.AF_UNIX) as made:
                made.bind("socket")
        finally:
            os.chdir(place)
        assert names(folder) == ["good.png"]
        assert set(left_out(folder)) == {"file", "folder", "loop", "pipe", "socket"}

    def test_a_sparse_file(self, tmp_path: Path) -> None:
        """Would be of any size without being in the archive."""
        info = entry("holes.png", tarfile.GNUTYPE_SPARSE)
        assert "sparse" in left_out(tar_of(tmp_path / "a.tar", info))["holes.png"]

    def test_under_a_password(self, tmp_path: Path) -> None:
        """Left out, with that reason."""
        path = zipped(tmp_path / "a.zip", {"a.png": b"x", "b.png": b"y"})
        data = bytearray(path.read_bytes())
        central = data.index(b"PK\x01\x02")
        data[central + 8] |= 1
        path.write_bytes(data)
        assert names(path) == ["b.png"]
        assert "password" in left_out(path)["a.png"]


class TestBombs:
    """Sizes are bounded as declared and as they come."""

    def test_a_zip_bomb(self, tmp_path: Path) -> None:
        """Refused before a byte is unpacked."""
        path = zipped(tmp_path / "a.zip", {f"{n}.png": bytes(4 * MIB) for n in range(6)})
        assert path.stat().st_size < MIB
        with pytest.raises(DatasetError, match="an archive bomb"):
            names(path)

    def test_a_gzip_bomb(self, tmp_path: Path) -> None:
        """Refused while it is unpacked, long before its end."""
        path = tmp_path / "a.tar.gz"
        path.write_bytes(gzip.compress(bytes(64 * MIB), compresslevel=1))
        with pytest.raises(DatasetError, match="an archive bomb"):
            names(path)

    @pytest.mark.parametrize(("make", "name"), [(zipped, "a.zip"), (tarred, "a.tar.gz")])
    def test_too_much_in_all(
        self, tmp_path: Path, make: Callable[[Path, Mapping[str, bytes]], Path], name: str
    ) -> None:
        """By the sizes that are declared."""
        path = make(tmp_path / name, FILES)
        with pytest.raises(DatasetError, match=r"becomes .* bytes, more than 80000"):
            names(path, total_bytes=80_000)

    def test_too_many_entries(self, tmp_path: Path) -> None:
        """In every kind of archive."""
        files = {f"{n}.png": b"" for n in range(5)}
        for made in (
            zipped(tmp_path / "a.zip", files),
            tarred(tmp_path / "a.tar", files),
            unpacked(tmp_path / "f", files),
        ):
            with pytest.raises(DatasetError, match="more than 4"):
                names(made, entries=4)

    def test_one_file_too_large(self, tmp_path: Path) -> None:
        """Concerns that file alone."""
        path = zipped(tmp_path / "a.zip", FILES)
        assert read(path, "a/1.png", file_bytes=10) == b"one"
        with pytest.raises(ImageError, match="has 90000 bytes, more than the 10 allowed"):
            read(path, "a/2.png", file_bytes=10)

    def test_a_declaration_that_lies(self, tmp_path: Path) -> None:
        """More bytes than declared are never taken for a whole file."""
        path = zipped(tmp_path / "a.zip", {"a.png": bytes(range(256)) * 400})
        data = bytearray(path.read_bytes())
        for mark, at in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
            start = data.index(mark) + at
            data[start : start + 4] = (100).to_bytes(4, "little")
        path.write_bytes(data)
        with pytest.raises(ImageError, match="cannot be read from the archive"):
            read(path, "a.png")

    def test_what_really_comes_is_counted(self, tmp_path: Path) -> None:
        """A folder's file that grows after it was listed is bounded, too."""
        folder = unpacked(tmp_path / "f", {"a.png": b"x"})
        with opened(folder, limits=ArchiveLimits(file_bytes=1000)) as archive:
            (folder / "a.png").write_bytes(bytes(2000))
            with pytest.raises(ImageError, match="becomes more than"):
                archive.read(archive.members[0])

    def test_reading_more_than_all_that_is_allowed(self, tmp_path: Path) -> None:
        """However often a file is read."""
        with opened(
            unpacked(tmp_path / "f", {"a.png": bytes(600)}), limits=ArchiveLimits(total_bytes=1000)
        ) as archive:
            archive.read(archive.members[0])
            with pytest.raises(DatasetError, match="becomes more than 1000"):
                archive.read(archive.members[0])

    def test_a_header_without_end(self, tmp_path: Path) -> None:
        """An extended header that says it has gigabytes is not read into memory."""
        info = tarfile.TarInfo("pax")
        info.type = tarfile.XHDTYPE
        info.size = 3 * 1024**3
        path = tmp_path / "a.tar"
        path.write_bytes(info.tobuf(tarfile.USTAR_FORMAT) + bytes(2048))
        with pytest.raises(DatasetError, match="a header of 3221225472 bytes"):
            names(path)

    @pytest.mark.parametrize("damage", [30, 60, 200, 4000])
    def test_damaged_content(self, tmp_path: Path, damage: int) -> None:
        """Is the trouble of that one file."""
        noise = b"".join(hash((n, 7)).to_bytes(8, "little", signed=True) for n in range(2000))
        path = zipped(tmp_path / "a.zip", {"a.png": noise, "b.png": b"fine"})
        data = bytearray(path.read_bytes())
        data[40 + damage] ^= 0xFF
        path.write_bytes(data)
        assert read(path, "b.png") == b"fine"
        with pytest.raises(ImageError, match="cannot be read from the archive"):
            read(path, "a.png")


def test_the_temporary_file_of_a_tar_gz_is_gone(tmp_path: Path) -> None:
    """It lies where it is told, and only while the archive is open."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with opened(tarred(tmp_path / "a.tar.gz", FILES), scratch=scratch) as archive:
        assert len(archive.members) == 3
    assert list(scratch.iterdir()) == []


def test_unpacking_tells_how_far_it_is(tmp_path: Path) -> None:
    """Of the packed bytes, which are known beforehand."""
    noise = random_bytes(3 * MIB)
    path = tarred(tmp_path / "a.tar.gz", {"a.png": noise})
    told: list[tuple[int, int]] = []
    with opened(path, progress=lambda _, done, total: told.append((done, total))):
        pass
    assert len(told) >= 3
    assert told == sorted(told)
    assert {total for _, total in told} == {path.stat().st_size}


def random_bytes(count: int) -> bytes:
    """Bytes that do not shrink, the same each time."""
    import random

    return random.Random(1).randbytes(count)  # noqa: S311 - no secret


def test_messages_are_one_printable_line(tmp_path: Path) -> None:
    """Whatever an entry is called."""
    path = zipped(tmp_path / "a.zip", {"../\x1b[2J\n\u202e": b""})
    with pytest.raises(DatasetError) as caught:
        names(path)
    assert str(caught.value).isprintable()
    assert shown(str(caught.value)) == str(caught.value)
    assert io.StringIO(str(caught.value)).readlines() == [str(caught.value)]
