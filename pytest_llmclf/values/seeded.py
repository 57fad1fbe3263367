"""Chance that is the same everywhere: which images are sampled, and in which order they come.

An image's rank is the SHA-256 of seed and id. To anyone who does not choose ids or seed by their
digests, ranks are independent uniform numbers of 256 bits, which makes every order equally likely,
without a generator whose sequence might change with the version of Python. The seed has to be
settled before answers are looked at: picking one that passes is no test.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def seeded_order(ids: Sequence[str], seed: int) -> tuple[str, ...]:
    """The ids in a random order that is the same everywhere, however they are given.

    Args:
        ids: Case ids, each once.
        seed: Any whole number.
    """
    ranks = {id_: _rank(f"{seed}:{id_}") for id_ in ids}
    return tuple(sorted(ids, key=lambda id_: (ranks[id_], id_)))


def seeded_sample(
    ids: Sequence[str], most: int, seed: int, *, purpose: str = "sample"
) -> tuple[str, ...]:
    """At most `most` of the ids, chosen at random; a larger sample contains the smaller one.

    Its ranks are others than those of `seeded_order`, and of each purpose. With the same ones a
    sample of equally many images a class would begin with all those of the larger classes.
    """
    return tuple(sorted(ids, key=lambda id_: (_rank(f"{purpose}:{seed}:{id_}"), id_))[:most])


def seeded_coin(id_: str, seed: int) -> bool:
    """Heads or tails for one id, whatever the others fall on."""
    return bool(_rank(f"coin:{seed}:{id_}")[0] & 1)


def _rank(text: str) -> bytes:
    # A file name need not be valid Unicode.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
