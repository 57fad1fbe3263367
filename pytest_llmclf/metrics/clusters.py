"""Which images are one piece of evidence about other images: copies, and those of one group.

Frames of a scene, images of a patient, copies of a file are right or wrong together. On these
very images that changes nothing. What is said of other images must not take them for independent.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from typing import TYPE_CHECKING

from pytest_llmclf.errors import DatasetError, some_of
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_llmclf.values.case import Case

FEWEST_CLUSTERS = 2
"""Without so many nothing is known of how they differ."""
_NAMED = 3


def clusters_of(
    images: Iterable[tuple[str, str, Mapping[str, str]]], group: str = ""
) -> dict[str, str]:
    """The cluster of each image; empty where every image is one by itself.

    Images with the same value of the tag `group` are a cluster; without `group`, or where an image
    lacks the tag, an image is one by itself. A copy, an image with the same bytes, is in the
    cluster of the first image that has them, by id.

    Args:
        images: Id, digest of the bytes (empty where it is not known) and tags of each.
        group: Name of a tag, or empty.
    """
    first: dict[str, str] = {}
    found: dict[str, str] = {}
    for case, sha256, tags in sorted(images, key=lambda image: image[0]):
        value = tags.get(group) if group else None
        own = f"image {case}" if value is None else f"group {value}"
        found[case] = first.setdefault(sha256, own) if sha256 else own
    return found if len(set(found.values())) < len(found) else {}


def together(values: Sequence[Iterable[str]]) -> tuple[int, ...]:
    """A number each, the same for all that share a value, directly or through others.

    Args:
        values: Of each image, what it has in common with others: its group, its bytes.
    """
    parent = list(range(len(values)))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = place = parent[parent[place]]
        return place

    owner: dict[str, int] = {}
    for place, names in enumerate(values):
        for name in names:
            parent[root(place)] = root(owner.setdefault(name, place))
    return tuple(root(place) for place in range(len(values)))


def check_group(cases: Sequence[Case], group: str, place: str) -> None:
    """Refuse a group that images lack.

    Raises:
        DatasetError: Which images lack the tag, which tags there are, and the remedy.
    """
    lacking = [case.id for case in cases if group not in case.tags]
    if not lacking:
        return
    names = some_of(lacking, _NAMED)
    tags = some_of(sorted({tag for case in cases for tag in case.tags})) or "none"
    raise DatasetError(
        f"{place}: group={group!r}, but {len(lacking)} of {len(cases)} "
        f"{noun(len(cases), 'image has', 'images have')} no such tag: "
        f"{names}; add a column {group!r} to the manifest with a value for every image, or name "
        f"another tag (there are: {tags})"
    )


def one_each(clusters: Mapping[str, str]) -> frozenset[str]:
    """One image of each cluster, chosen by the digest of its id, which knows of no answer."""
    chosen: dict[str, tuple[str, str]] = {}
    for case, cluster in clusters.items():
        # A file name need not be valid Unicode.
        rank = hashlib.sha256(case.encode("utf-8", "surrogatepass")).hexdigest()
        chosen[cluster] = min(chosen.get(cluster, (rank, case)), (rank, case))
    return frozenset(case for _, case in chosen.values())


def mean_size(sizes: Iterable[float]) -> float:
    """Images in the cluster of an image drawn at random: sum of squares over sum; 1 for none.

    It is Kish's mean cluster size for clusters of unequal size (Survey Sampling, 1965, section
    5.4), and never below the plain mean.
    """
    listed = list(sizes)
    total = sum(listed)
    return sum(size * size for size in listed) / total if total else 1.0


def counted(images: int, clusters: int, group: str = "") -> str:
    """Such as ``348 in 35 scenes``, or ``348, of which 340 are no copies`` without a group."""
    if not group:
        return f"{images:,}, of which {clusters:,} are no copies"
    return f"{images:,} in {clusters:,} {_plural(group, clusters)}"


def sizes_of(clusters: Mapping[str, str], cases: Iterable[str]) -> list[int]:
    """Images among `cases` in each cluster that has any; a case without one is one by itself."""
    return list(Counter(clusters.get(case, f"image {case}") for case in cases).values())


def _plural(group: str, number: int) -> str:
    """The tag's name as a noun, or what can be said of any name."""
    if not re.fullmatch(r"[a-z]+", group):
        return f"{noun(number, 'group')} by {group}"
    if number == 1:
        return group
    if re.search(r"[^aeiou]y$", group):
        return f"{group[:-1]}ies"
    return group + ("es" if re.search(r"(s|x|z|ch|sh)$", group) else "s")
