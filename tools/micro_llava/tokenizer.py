"""A small byte-level BPE in GPT-2's manner, with every label as one token."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import regex

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
SPLIT = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")
SPECIAL_SPLIT = regex.compile("(" + "|".join(regex.escape(s) for s in SPECIALS) + ")")

Pair = tuple[str, str]


def byte_letters() -> dict[int, str]:
    """GPT-2's printable stand-in for each byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {byte: chr(byte) for byte in plain}
    rest = (byte for byte in range(256) if byte not in letters)
    return letters | {byte: chr(256 + index) for index, byte in enumerate(rest)}


LETTERS = byte_letters()


@dataclass(frozen=True)
class Tokenizer:
    """Tokens in id order and merges in the order they apply."""

    tokens: tuple[str, ...]
    merges: tuple[Pair, ...]

    def __post_init__(self) -> None:
        """Build the look-up tables once."""
        object.__setattr__(self, "_ids", {token: index for index, token in enumerate(self.tokens)})
        object.__setattr__(self, "_ranks", {pair: rank for rank, pair in enumerate(self.merges)})
        object.__setattr__(self, "_cache", {})

    def id(self, token: str) -> int:
        """The id of a token that exists."""
        ids: dict[str, int] = self.__dict__["_ids"]
        return ids[token]

    def encode(self, text: str) -> list[int]:
        """Token ids of a text; markers such as <|im_end|> become their own token."""
        ids: list[int] = []
        for part in SPECIAL_SPLIT.split(text):
            if part in SPECIALS:
                ids.append(self.id(part))
            else:
                for word in SPLIT.findall(part):
                    ids.extend(self._word(word))
        return ids

    def _word(self, word: str) -> list[int]:
        cache: dict[str, list[int]] = self.__dict__["_cache"]
        if word not in cache:
            cache[word] = [
                self.id(token) for token in self.merge([LETTERS[b] for b in word.encode()])
            ]
        return cache[word]

    def merge(self, parts: list[str]) -> list[str]:
        """Apply the merges to the letters of a word, first ranks first."""
        ranks: dict[Pair, int] = self.__dict__["_ranks"]
        while len(parts) > 1:
            pairs = list(pairwise(parts))
            best = min(pairs, key=lambda pair: ranks.get(pair, len(ranks)))
            if best not in ranks:
                break
            parts = join_pair(parts, best)
        return parts

    def save(self, path: Path) -> None:
        """Write the tables as JSON."""
        path.write_text(json.dumps({"tokens": self.tokens, "merges": self.merges}))

    @classmethod
    def load(cls, path: Path) -> Tokenizer:
        """Read what `save` wrote."""
        data = json.loads(path.read_text())
        return cls(tuple(data["tokens"]), tuple((a, b) for a, b in data["merges"]))


def join_pair(parts: list[str], pair: Pair) -> list[str]:
    """Join every neighbouring occurrence of a pair, left to right."""
    joined: list[str] = []
    index = 0
    while index < len(parts):
        if tuple(parts[index : index + 2]) == pair:
            joined.append(parts[index] + parts[index + 1])
            index += 2
        else:
            joined.append(parts[index])
            index += 1
    return joined


def train(texts: Iterable[str], whole: Iterable[str], size: int) -> Tokenizer:
    """Learn merges from texts; each word of `whole` is made one token first."""
    base = [*SPECIALS, *(LETTERS[byte] for byte in range(256))]
    merges: list[Pair] = []
    for word in whole:
        merge_whole(word, merges)
    words: Counter[str] = Counter()
    for text in texts:
        for part in SPECIAL_SPLIT.split(text):
            if part not in SPECIALS:
                words.update(SPLIT.findall(part))
    draft = Tokenizer(tuple(base) + tuple(dict.fromkeys(a + b for a, b in merges)), tuple(merges))
    split = {word: draft.merge([LETTERS[b] for b in word.encode()]) for word in words}
    tokens = dict.fromkeys(draft.tokens)
    while len(tokens) < size:
        pairs: Counter[Pair] = Counter()
        for word, parts in split.items():
            for pair in pairwise(parts):
                pairs[pair] += words[word]
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        tokens[best[0] + best[1]] = None
        split = {word: join_pair(parts, best) for word, parts in split.items()}
    return Tokenizer(tuple(tokens), tuple(merges))


def merge_whole(word: str, merges: list[Pair]) -> None:
    """Append the merges that turn a word into one token, whatever merges came before."""
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    parts = [LETTERS[b] for b in word.encode()]
    while len(parts) > 1:
        pairs = list(pairwise(parts))
        best = min(pairs, key=lambda pair: ranks.get(pair, len(ranks)))
        if best not in ranks:
            best = pairs[0]
            ranks[best] = len(merges)
            merges.append(best)
        parts = join_pair(parts, best)
