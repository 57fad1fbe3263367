"""What copies and near-copies of an image are labelled.

Copies have the same bytes: where they bear two labels, one of these is wrong, unless both are
right. Near-copies look almost alike (`data.perceptual_hash`) and mostly show the same: how often
they do in this very dataset is counted, and is what their labels weigh.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

WRONG: Final = 0.05
"""Share of labels that are taken to be wrong before anything is known: one in twenty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NearCopies:
    """Two images that look almost alike.

    Attributes:
        first: Case id of one.
        second: Of the other.
        bits: How many bits of their hashes differ.
        of: Bits that a hash has.
    """

    first: str
    second: str
    bits: int
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LikeImages:
    """Images of which one should know the label of the other.

    Attributes:
        copies: By case the others with the same bytes.
        near: By case the others that look almost alike, the nearest first.
        pairs: Pairs of near-copies.
        agreeing: Pairs of them with one label.
    """

    copies: Mapping[str, tuple[str, ...]]
    near: Mapping[str, tuple[tuple[str, NearCopies], ...]]
    pairs: int
    agreeing: int

    def votes(self, case: str, given: Mapping[str, str], labels: int) -> dict[str, float]:
        """How the labels of like images speak, as logarithms of odds, by label.

        Every copy has a vote. Near-copies are seldom near to one image alone and no independent
        witnesses, so that together they have one vote a label.

        Args:
            case: The image.
            given: Every image's label.
            labels: How many labels there are.
        """
        found: defaultdict[str, float] = defaultdict(float)
        for other in self.copies.get(case, ()):
            found[given[other]] += log_odds(1 - WRONG, labels)
        alike = (1 - WRONG) * (self.agreeing + 1) / (self.pairs + 2)
        for label in {given[other] for other, _ in self.near.get(case, ())}:
            found[label] += max(0.0, log_odds(alike, labels))
        return dict(found)


def log_odds(right: float, labels: int) -> float:
    """What a label is worth that is right so often, and else any other of them alike."""
    return math.log(right * max(1, labels - 1) / (1 - right))


def like_images(
    images: Mapping[str, tuple[str, str]], near_copies: Iterable[NearCopies] = ()
) -> LikeImages:
    """Find copies, and arrange near-copies by image.

    Args:
        images: By case its digest (empty where it is not known) and its label.
        near_copies: Pairs that look almost alike; unknown images and copies are left out.
    """
    by_bytes: defaultdict[str, list[str]] = defaultdict(list)
    for case, (sha256, _) in images.items():
        if sha256:
            by_bytes[sha256].append(case)
    copies = {
        case: tuple(other for other in same if other != case)
        for same in by_bytes.values()
        if len(same) > 1
        for case in same
    }
    near: defaultdict[str, list[tuple[str, NearCopies]]] = defaultdict(list)
    pairs = agreeing = 0
    for pair in near_copies:
        if not {pair.first, pair.second} <= images.keys() or pair.second in copies.get(
            pair.first, ()
        ):
            continue
        pairs += 1
        agreeing += images[pair.first][1] == images[pair.second][1]
        near[pair.first].append((pair.second, pair))
        near[pair.second].append((pair.first, pair))
    ordered = {
        case: tuple(sorted(found, key=lambda one: (one[1].bits, one[0])))
        for case, found in near.items()
    }
    return LikeImages(copies=copies, near=ordered, pairs=pairs, agreeing=agreeing)
