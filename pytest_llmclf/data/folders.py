"""A folder a class, as people have it: in splits, in a wrapper, or with folders in folders.

Nothing is guessed: where the labels could be another level of folders, the message says which, and
what to give for each.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_llmclf.data.entry import Entry, Found, composed, named, natural_key, shown
from pytest_llmclf.data.left_overs import is_left_over, is_left_over_folder
from pytest_llmclf.data.manifest_names import manifest_of
from pytest_llmclf.errors import DatasetError, nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from pytest_llmclf.data.entry import SourceOptions

_KINDS: Final = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test", "eval": "test", "evaluation": "test", "holdout": "test",
}  # fmt: skip
_NEUTRAL: Final = frozenset(
    ("set", "data", "dataset", "split", "sample", "samples", "seg", "image", "images", "img",
     "imgs", "pictures", "photos")
)  # fmt: skip
_WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\dA-Za-z_]+")
_PREFERRED: Final = ("test", "val", "train")
_SEVERAL: Final = 2


@dataclass(frozen=True, slots=True)
class Inside:
    """What lies directly in a folder.

    Attributes:
        images: Whether it has an image of its own.
        folders: Its folders that have images anywhere, sorted; not looked for beside images.
        manifest: Whether it has a manifest.
    """

    images: bool
    folders: tuple[str, ...]
    manifest: bool

    @property
    def something(self) -> bool:
        """Whether there is anything of a dataset in it."""
        return self.images or bool(self.folders) or self.manifest


def split_kind(name: str) -> str | None:
    """``train``, ``val`` or ``test`` for the name of a part of a split; else ``None``.

    Names such as ``trainingSet``, ``seg_test`` and ``images_val2017`` are such names.
    """
    words = [word.casefold() for word in _WORD.findall(name)]
    # "testset", written as one word
    words = [word.removesuffix("set") if word not in _NEUTRAL else word for word in words]
    kinds = [_KINDS[word] for word in words if word in _KINDS]
    rest = [word for word in words if word not in _KINDS and word not in _NEUTRAL]
    return kinds[0] if len(kinds) == 1 and not rest else None


def folders_in(place: Path) -> list[str]:
    """Names of the folders in `place` that may be the dataset's, sorted."""
    found = (item.name for item in place.iterdir() if item.is_dir())
    return sorted(name for name in found if not is_left_over_folder(name))


def look_into(folder: Path) -> Inside:
    """See what lies directly in a folder; stops at its first image."""
    names = []
    try:
        manifest = manifest_of(folder) is not None
        with os.scandir(folder) as items:
            for item in items:
                if item.is_dir():
                    names.append(item.name)
                elif not is_left_over(item.name):
                    return Inside(images=True, folders=(), manifest=manifest)
    except (OSError, DatasetError):  # said when it is read
        return Inside(images=True, folders=(), manifest=False)
    kept = (name for name in names if not is_left_over_folder(name))
    return Inside(
        images=False,
        folders=tuple(sorted(name for name in kept if _has_images(folder / name))),
        manifest=manifest,
    )


def _has_images(folder: Path) -> bool:
    for _, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not is_left_over_folder(name)]
        if not all(map(is_left_over, names)):
            return True
    return False


def unwrapped(folder: Path) -> Path:
    """Where the folders of the classes lie: below folders that hold one folder and nothing else."""
    at = folder
    while True:
        inside = look_into(at)
        if inside.manifest or len(inside.folders) >= _SEVERAL:
            return at
        if inside.images or not inside.folders:
            return folder
        at /= inside.folders[0]


def split_folder(root: Path, split: str) -> Path:
    """The folder of one part of a split dataset.

    Args:
        root: The whole dataset, perhaps in a wrapper.
        split: The folder's own name, or a usual one for the same part (``val`` for ``valid``).

    Raises:
        DatasetError: There is none, or several are meant; says which there are.
    """
    place = root
    while True:
        names = folders_in(place)
        kind = split_kind(split)
        for fits in (
            [name for name in names if name == split],
            [name for name in names if name.casefold() == split.casefold()],
            [name for name in names if kind is not None and split_kind(name) == kind],
        ):
            if len(fits) == 1:
                return unwrapped(place / fits[0])
            if fits:
                msg = f"{place} has several folders for split={split!r}: name one, {named(fits)}"
                raise DatasetError(shown(msg))
        inside = look_into(place)
        if inside.images or len(inside.folders) != 1:
            there = named(names) or "none"
            msg = (
                f"there is no folder for split={split!r} in {place}{nearest(split, names)} (its "
                f"folders: {there}): name one of them, or leave split out"
            )
            raise DatasetError(shown(msg))
        place /= inside.folders[0]


def read_class_folders(
    root: Path, folders: Sequence[str], options: SourceOptions, labels: Collection[str]
) -> Found:
    """Read a folder a class.

    Args:
        root: Folder that ids count from.
        folders: Its folders.
        options: Which level is the label, and where links may lead.
        labels: Those that are known already; folders that all bear their names are classes.
    """
    found = Found()
    told = options.label_folder is not None or (bool(labels) and set(folders) <= set(labels))
    if not told:
        problem = _other_reading(root, {name: look_into(root / name) for name in folders})
        if problem is not None:
            found.problems.append(problem)
            return found
    for name in folders:
        files = list(files_in(root, root / name, found, options.links))
        if not files:
            found.warnings.append(f"{name}/: no image in this folder; it is no label")
        last = options.label_folder == "last"
        found.entries += [
            Entry(id=file, label=composed(file.split("/")[-2] if last else name), place=file)
            for file in files
        ]
    if not told:
        found.warnings += _split_names(folders, found)
    stray = [item.name for item in sorted(root.iterdir()) if item.is_file()]
    found.problems += [
        f"{name}: lies beside the folders of the classes and so has no label: move it into one"
        for name in stray
        if not is_left_over(name)
    ]
    return found


def _split_names(folders: Sequence[str], found: Found) -> Iterator[str]:
    """Say so where classes are called like the parts of a split."""
    used = {entry.label for entry in found.entries}
    parts = [name for name in folders if name in used and split_kind(name)]
    if len({split_kind(name) for name in parts}) >= _SEVERAL:
        yield (
            f"{named(parts)} are called like the parts of a split and are read as classes, since "
            f"they hold images and no folder a class; if they are parts, their labels are missing"
        )


def _other_reading(root: Path, inside: Mapping[str, Inside]) -> str | None:
    """Why the folders in `root` may not be the classes, with what to give instead."""
    holding = {name: each for name, each in inside.items() if each.something}
    kinds = {name: kind for name in holding if (kind := split_kind(name)) is not None}
    parts = [name for name in kinds if holding[name].folders or holding[name].manifest]
    if parts and (len(set(kinds.values())) >= _SEVERAL or len(kinds) == len(holding)):
        return _split_problem(root, parts, kinds)
    if len(holding) == 1:
        (name,) = holding
        below = unwrapped(root / name)
        deeper = look_into(below)
        if deeper.manifest or len(deeper.folders) >= _SEVERAL:
            return (
                f"{shown(root)} holds the folder {name} alone, which would be the only label; the "
                f"dataset is what lies in it: give {shown(below)}"
            )
    return _nested_problem(holding)


def _split_problem(root: Path, parts: list[str], kinds: Mapping[str, str]) -> str:
    best = min(parts, key=lambda name: (_PREFERRED.index(kinds[name]), natural_key(name)))
    given = " or ".join(
        shown(unwrapped(root / name)) for name in sorted(parts, key=lambda name: name != best)
    )
    bare = sorted(set(kinds) - set(parts), key=natural_key)
    without = (
        f" ({named(bare)} holds images without a folder a class, so without labels)" if bare else ""
    )
    return (
        f"{shown(root)} is split into {named(kinds)}, which are no classes{without}: give the part "
        f"to judge, {given}, or say split={best!r} in the Evaluation; "
        f'label_folder="last" takes all parts together'
    )


def _nested_problem(holding: Mapping[str, Inside]) -> str | None:
    """Two levels of folders, and nothing that says which one is the label."""
    nested = {name: each.folders for name, each in holding.items() if each.folders}
    finer = sorted({inner for folders in nested.values() for inner in folders}, key=natural_key)
    # "cat/images/1.png" beside "dog/images/1.png": the inner folder tells nothing apart.
    if len(finer) < _SEVERAL:
        return None
    name = min(nested, key=lambda name: (-len(nested[name]), natural_key(name)))
    return (
        f"{name}/ has no image of its own but the folders {named(nested[name])}, and either level "
        f'may be the label: say label_folder="first" in the Evaluation (or in dataset.toml) for '
        f'the labels {named(holding)}, or label_folder="last" for {named(finer)}'
    )


def files_in(root: Path, folder: Path, found: Found, links: Sequence[Path] = ()) -> Iterator[str]:
    """Ids of the files below `folder` that may be images.

    Args:
        root: Folder that ids count from.
        folder: Where to look.
        found: Takes what cannot be listed.
        links: Folders that a link to a folder may lead into; others are problems.
    """

    def unreadable(error: OSError) -> None:
        place = Path(error.filename).relative_to(root).as_posix()
        found.problems.append(f"{place}/: cannot be listed ({error.strerror}): mend permissions")

    trusted = [os.path.realpath(link) for link in links]
    seen = {os.path.realpath(folder)}
    for parent, folders, names in os.walk(folder, onerror=unreadable, followlinks=bool(trusted)):
        folders[:] = sorted(name for name in folders if not is_left_over_folder(name))
        for name in [name for name in folders if Path(parent, name).is_symlink()]:
            real = Path(os.path.realpath(Path(parent, name)))
            # Each place once: a link upwards would never end.
            if str(real) in seen or not any(real.is_relative_to(place) for place in trusted):
                folders.remove(name)
                found.problems.append(
                    f"{Path(parent, name).relative_to(root).as_posix()}: a link to a folder, "
                    f"which is not followed: copy the images, or trust the folder that it leads "
                    f"to with --llmclf-allow-links"
                )
            seen.add(str(real))
        for name in sorted(names):
            if not is_left_over(name):
                yield Path(parent, name).relative_to(root).as_posix()
