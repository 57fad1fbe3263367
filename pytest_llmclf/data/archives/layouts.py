"""How the known data sets are laid out by their publishers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_llmclf.data.entry import natural_key, shown
from pytest_llmclf.data.left_overs import is_left_over, is_left_over_folder
from pytest_llmclf.errors import DatasetError, nearest, some_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_llmclf.data.archives.archive import Archive
    from pytest_llmclf.data.archives.member import ArchiveMember


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One data set as its publisher packs it.

    Attributes:
        kind: How the command line calls it.
        dataset: How evaluations call it: the bundled images whose place it takes.
        title: Its name, for people.
        folders: Folder of a class, in lower case, to its label.
        parents: Folders that those lie in, in lower case; the first one that is there is read.
        per_class: Images a class that are taken unless told otherwise; ``None``: all.
        labels: In the order of reports.
        licence: What is known of the rights in the images.
    """

    kind: str
    dataset: str
    title: str
    folders: Mapping[str, str]
    parents: tuple[str, ...]
    per_class: int | None
    labels: tuple[str, ...]
    licence: str


_UNCLEAR = (
    "not stated here: images collected from the web by the data set's publisher, whose page says "
    "what is known; for your own use, not to be passed on"
)
_ANIMALS: Final = {
    "cane": "dog",
    "cavallo": "horse",
    "elefante": "elephant",
    "farfalla": "butterfly",
    "gallina": "chicken",
    "gatto": "cat",
    "mucca": "cow",
    "pecora": "sheep",
    "ragno": "spider",
    "scoiattolo": "squirrel",
}
_PIECES: Final = ("bishop", "king", "knight", "pawn", "queen", "rook")
_DIGITS: Final = tuple("0123456789")

LAYOUTS: Final = (
    Layout(
        kind="animals10",
        dataset="animals",
        title="Animals-10",
        folders=_ANIMALS,
        parents=("raw-img",),
        per_class=50,
        labels=tuple(sorted(_ANIMALS.values())),
        licence=_UNCLEAR,
    ),
    Layout(
        kind="mnist-jpg",
        dataset="mnist",
        title="MNIST as JPEG",
        folders={digit: digit for digit in _DIGITS},
        # trainingSample is a part of trainingSet; testSet has no labels.
        parents=("trainingset", "trainingsample"),
        per_class=50,
        labels=_DIGITS,
        licence="CC-BY-SA-3.0, Yann LeCun and Corinna Cortes",
    ),
    Layout(
        kind="chessman",
        dataset="chess",
        title="chessman-image-dataset",
        folders={piece: piece for piece in _PIECES},
        parents=("chess",),
        per_class=None,
        labels=_PIECES,
        licence=_UNCLEAR,
    ),
)
"""Every data set that can be imported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Classes:
    """The images of an archive by class.

    Attributes:
        members: By label, in the order of the layout's labels.
        root: Folder in the archive that the folders of the classes lie in; empty for its top.
        elsewhere: Files that lie in no folder of a class there.
    """

    members: Mapping[str, tuple[ArchiveMember, ...]]
    root: str
    elsewhere: int


def layout_of(kind: str) -> Layout:
    """The layout that the command line calls `kind`.

    Raises:
        DatasetError: There is none; says which there are.
    """
    for layout in LAYOUTS:
        if layout.kind == kind:
            return layout
    kinds = [layout.kind for layout in LAYOUTS]
    there = f"there are {', '.join(kinds)}{nearest(kind, kinds)}"
    raise DatasetError(shown(f"no data set {kind!r} is known; {there}"))


def sort_out(archive: Archive, layout: Layout) -> Classes:
    """Find the folders of the classes, however deep they lie.

    Raises:
        DatasetError: Some class has no file; says which, and which other data set it looks like.
    """
    by_root: dict[str, list[tuple[str, ArchiveMember]]] = {}
    for member in archive.members:
        root, folder, name = _split(member.name)
        label = layout.folders.get(folder.casefold())
        if label is not None and not _is_junk(root, name):
            by_root.setdefault(root, []).append((label, member))
    # A folder may be given that the publisher's own folders were taken out of.
    names = {root: (root or archive.place.name).rpartition("/")[2].casefold() for root in by_root}
    ranked = sorted(
        by_root,
        key=lambda root: (
            -len({label for label, _ in by_root[root]}),
            _place(names[root], layout.parents),
            natural_key(root),
        ),
    )
    root = ranked[0] if ranked else ""
    pairs = by_root.get(root, [])
    found = {
        label: tuple(member for other, member in pairs if other == label) for label in layout.labels
    }
    lacking = [label for label in layout.labels if not found[label]]
    if lacking:
        raise DatasetError(shown(_lacks(archive, layout, lacking)))
    return Classes(members=found, root=root, elsewhere=len(archive.members) - len(pairs))


def _split(name: str) -> tuple[str, str, str]:
    """Root, folder and file name of a path; folder and root are empty where there is none."""
    above, _, file = name.rpartition("/")
    root, _, folder = above.rpartition("/")
    return root, folder, file


def _place(name: str, parents: Sequence[str]) -> int:
    return parents.index(name) if name in parents else len(parents)


def _is_junk(root: str, name: str) -> bool:
    """Whether a file is what systems and people leave beside images."""
    return is_left_over(name) or any(map(is_left_over_folder, filter(None, root.split("/"))))


def _lacks(archive: Archive, layout: Layout, lacking: Sequence[str]) -> str:
    folders = Counter(_split(member.name)[1].casefold() for member in archive.members)
    wanted = {label: folder for folder, label in layout.folders.items()}
    missing = some_of(repr(wanted[label]) for label in lacking)
    other = next((each for each in LAYOUTS if _complete(each, folders)), None)
    if other is not None and other is not layout:
        remedy = f"it looks like {other.title}: llmclf import {other.kind}"
    elif any(member.name.casefold().endswith((".zip", ".gz")) for member in archive.members):
        remedy = "archives in it are not opened: unpack them, and give the folder"
    else:
        there = sorted((folder for folder in folders if folder), key=natural_key)
        remedy = f"its folders are {', '.join(there[:12]) or 'none'}"
    return (
        f"{archive.place} has no images in a folder {missing}, as {layout.title} has in "
        f"{layout.parents[0]}/: {remedy}"
    )


def _complete(layout: Layout, folders: Iterable[str]) -> bool:
    return set(layout.folders) <= set(folders)
