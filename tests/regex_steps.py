"""How many steps a backtracking matcher needs for a pattern: counted, not timed.

A plain interpreter of what `re` parses a pattern to, with the order of tries that `re` has. It is
checked against `re` on what it finds. Only the nodes that this package's patterns use are known;
another one is an error, and no silent zero.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

_parser: Any = re._parser  # type: ignore[attr-defined]
_c: Any = re._constants  # type: ignore[attr-defined]

Rest = Callable[[int], bool]


class Steps:
    """Searches a text and counts; more than `most` steps end the search."""

    def __init__(self, pattern: re.Pattern[str], text: str, most: int = 200_000) -> None:
        self._text = text
        self._flags = pattern.flags
        self._most = most
        self._fitting: dict[tuple[int, int, str], bool] = {}
        self.count = 0
        parsed = _parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE).data
        self.found = any(
            self._run(parsed, 0, start, lambda _: True) for start in range(len(text) + 1)
        )

    def _run(  # noqa: PLR0911 - one return a kind of node
        self, nodes: list[Any], index: int, at: int, rest: Rest
    ) -> bool:
        self.count += 1
        if self.count > self._most:
            raise OverflowError
        if index == len(nodes):
            return rest(at)
        kind, argument = nodes[index]
        follow: Rest = lambda place: self._run(nodes, index + 1, place, rest)  # noqa: E731
        if kind in _ONE:
            return at < len(self._text) and self._fits(kind, argument, at) and follow(at + 1)
        if kind is _c.AT:
            return self._stands(argument, at) and follow(at)
        if kind is _c.SUBPATTERN:
            return self._run(argument[3].data, 0, at, follow)
        if kind is _c.BRANCH:
            return any(self._run(branch.data, 0, at, follow) for branch in argument[1])
        if kind in (_c.ASSERT, _c.ASSERT_NOT):
            return self._looks(kind, argument, at) and follow(at)
        if kind in (_c.MAX_REPEAT, _c.MIN_REPEAT, _c.POSSESSIVE_REPEAT):
            least, most, body = argument
            if len(body) == 1 and body[0][0] in _ONE:
                return any(follow(place) for place in self._ends(kind, least, most, body[0], at))
            return self._repeat(kind, least, most, body.data, at, follow)
        raise NotImplementedError(str(kind))

    def _ends(self, kind: Any, least: int, most: int, one: Any, at: int) -> Iterator[int]:
        """Where a repeat of single characters may end, in the order of the tries."""
        limit = len(self._text) if most is _c.MAXREPEAT else min(len(self._text), at + most)
        if kind is _c.MIN_REPEAT:
            place = at
            while True:
                if place - at >= least:
                    yield place
                self.count += 1
                if place >= limit or not self._fits(one[0], one[1], place):
                    return
                place += 1
        end = at
        while end < limit and self._fits(one[0], one[1], end):
            end += 1
            self.count += 1
        yield from range(end, at + least - 1, -1)

    def _repeat(  # noqa: PLR0917 - all of a repeat, and where it stands
        self,
        kind: Any,
        least: int,
        most: int,
        body: list[Any],
        at: int,
        follow: Rest,
        done: int = 0,
    ) -> bool:
        def more(place: int) -> bool:
            if place == at and done >= least:
                return False
            return self._repeat(kind, least, most, body, place, follow, done + 1)

        if done >= least and kind is _c.MIN_REPEAT and follow(at):
            return True
        if (most is _c.MAXREPEAT or done < most) and self._run(body, 0, at, more):
            return True
        return done >= least and kind is not _c.MIN_REPEAT and follow(at)

    def _looks(self, kind: Any, argument: Any, at: int) -> bool:
        direction, body = argument
        start = at
        if direction < 0:
            low, _ = body.getwidth()
            start = at - low
        holds = start >= 0 and self._run(body.data, 0, start, lambda _: True)
        return holds is (kind is _c.ASSERT)

    def _fits(self, kind: Any, argument: Any, at: int) -> bool:
        # The parsed pattern lives as long as the search, so that its parts have one id each.
        key = (int(kind), id(argument), self._text[at])
        known = self._fitting.get(key)
        if known is None:
            known = self._fitting[key] = self._is_in(kind, argument, self._text[at])
        return known

    def _is_in(self, kind: Any, argument: Any, char: str) -> bool:
        if kind is _c.ANY:
            return bool(self._flags & re.DOTALL) or char != "\n"
        if kind is _c.IN:
            negated = argument[0][0] is _c.NEGATE
            return negated is not any(self._in(item, char) for item in argument)
        same = self._folded(char) == self._folded(chr(argument))
        return same is (kind is _c.LITERAL)

    def _in(self, item: Any, char: str) -> bool:
        kind, argument = item
        if kind is _c.NEGATE:
            return False
        if kind is _c.LITERAL:
            return self._folded(char) == self._folded(chr(argument))
        if kind is _c.RANGE:
            cases = {char, char.lower(), char.upper()} if self._flags & re.IGNORECASE else {char}
            return any(argument[0] <= ord(each) <= argument[1] for each in cases if len(each) == 1)
        return re.match(_CLASSES[argument], char, self._flags & re.ASCII) is not None

    def _folded(self, char: str) -> str:
        return char.lower() if self._flags & re.IGNORECASE else char

    def _stands(self, where: Any, at: int) -> bool:
        text = self._text
        if where in (_c.AT_BOUNDARY, _c.AT_NON_BOUNDARY):
            sides = [bool(re.match(r"\w", text[i])) for i in (at - 1, at) if 0 <= i < len(text)]
            is_edge = len(set(sides)) == 2 if len(sides) == 2 else any(sides)
            return is_edge is (where is _c.AT_BOUNDARY)
        lines = bool(self._flags & re.MULTILINE)
        if where in (_c.AT_BEGINNING, _c.AT_BEGINNING_STRING):
            return at == 0 or (lines and where is _c.AT_BEGINNING and text[at - 1] == "\n")
        if where is _c.AT_END:
            return at == len(text) or text[at:] == "\n" or (lines and text[at] == "\n")
        return at == len(text)


_ONE = (_c.LITERAL, _c.NOT_LITERAL, _c.ANY, _c.IN)
_CLASSES = {
    _c.CATEGORY_DIGIT: r"\d", _c.CATEGORY_NOT_DIGIT: r"\D", _c.CATEGORY_SPACE: r"\s",
    _c.CATEGORY_NOT_SPACE: r"\S", _c.CATEGORY_WORD: r"\w", _c.CATEGORY_NOT_WORD: r"\W",
}  # fmt: skip


def pieces(pattern: re.Pattern[str]) -> list[str]:
    """Texts that a pattern begins to match on: its literal runs, and signs of every class."""
    runs = re.findall(r"[A-Za-z0-9 _:,;!<>/-]{2,}", pattern.pattern.replace("\\b", " "))
    return list(dict.fromkeys([*runs, *(f"{run} x " for run in runs), *" aA0.:;,-_\"'`{}[]<>\\\n"]))
