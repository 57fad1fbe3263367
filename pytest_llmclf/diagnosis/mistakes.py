"""Which classes are taken for which: attractors, and pairs that are confused.

The reasons for these tests, and how they share the error, are those of `diagnosis`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from pytest_llmclf.diagnosis.finding import KINDS, LEVEL, Attractor, ConfusedPair, examples
from pytest_llmclf.diagnosis.instructions import InstructionTexts, standing
from pytest_llmclf.request import MODELS_OWN_SYSTEM
from pytest_llmclf.significance import (
    binomial_tail,
    binomial_two_sided,
    fisher_greater,
    holm,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_llmclf.diagnosis.instructions import Standing
    from pytest_llmclf.report import Report

PAIR: Final = 2
"""Fewest labels that can be confused."""

_FACTOR: Final = 2
"""How many times the odds of an even spread are "far more"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Counts of the answers, by class.

    Attributes:
        counts: ``counts[actual][predicted]``.
        images: Answered images.
        named: Those whose answer names a label.
        wrong: Those whose answer names another label.
    """

    counts: tuple[tuple[int, ...], ...]
    images: tuple[int, ...]
    named: tuple[int, ...]
    wrong: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many classes there are."""
        return len(self.counts)

    @classmethod
    def of(cls, report: Report) -> Tally:
        """Count the answers of a report."""
        confusion = report.confusion
        named = tuple(map(sum, confusion.counts))
        return cls(
            counts=confusion.counts,
            images=tuple(map(sum, zip(named, confusion.unparsed, strict=True))),
            named=named,
            wrong=tuple(
                total - row[place]
                for place, (total, row) in enumerate(zip(named, confusion.counts, strict=True))
            ),
        )


def attractors(report: Report, tally: Tally) -> Iterator[Attractor]:
    """Labels that take wrong answers from several classes, most taken first."""
    labels, given = report.confusion.labels, told(report)
    p_values = holm([_attraction(tally, place) for place in range(tally.size)], kinds=KINDS)
    found = [place for place, p_value in enumerate(p_values) if p_value <= LEVEL]
    taken = {place: sum(tally.counts[i][place] for i in _others(tally, place)) for place in found}
    for place in sorted(found, key=lambda place: (-taken[place], place)):
        label = labels[place]
        column = [(tally.counts[source][place], source) for source in _others(tally, place)]
        sources = sorted((entry for entry in column if entry[0]), key=lambda e: (-e[0], e[1]))
        others = sum(tally.wrong) - tally.wrong[place]
        yield Attractor(
            label=label,
            taken=taken[place],
            wrong=sum(tally.wrong),
            even=others / (tally.size - 1),
            sources=tuple(labels[source] for _, source in sources),
            given=tally.wrong[place],
            prompt=standing(label, given),
            p_value=p_values[place],
            cases=examples(_mistakes(report, labels[source], label) for _, source in sources),
        )


def _attraction(tally: Tally, target: int) -> float:
    """P-value of "this label draws no more than its due from all classes but at most one".

    Drawing from one class is no attraction but a confused pair, so the test leaves out each source
    in turn and keeps the largest p-value (partial conjunction, Benjamini and Heller, Biometrics
    64, 2008, 1215-1222). It claims two things, and must show both (Berger, Technometrics 24, 1982,
    295-300), so the larger p-value counts:

    * of the other classes' wrong answers, more than twice the odds of an even spread name it:
      with K labels 1 to K - 2 is even, 2 to K - 2 is twice that, which is a share of 2/K;
    * images of other classes are answered with it at a higher rate than its own are answered with
      theirs. Look-alikes give as they take, whatever their share.
    """
    taken = {source: tally.counts[source][target] for source in _others(tally, target)}
    twice, every = _FACTOR / tally.size, sum(taken.values())
    wrong = sum(tally.wrong[source] for source in taken)
    if every <= twice * wrong:
        return 1.0
    return max(
        max(
            binomial_tail(every - taken[left_out], wrong - tally.wrong[left_out], twice),
            _one_sidedness(tally, target, left_out),
        )
        for left_out in taken
    )


def _one_sidedness(tally: Tally, target: int, left_out: int) -> float:
    """P-value of "no class but `left_out` gives `target` more than it gets back".

    Given how many images of a pair of classes are confused either way, those that go one way are
    hypergeometric, which is a sum of independent trials; over all pairs their tail is at most that
    of the binomial with the mean rate (Hoeffding 1956, see `binomial_tail`).
    """
    own = tally.named[target]
    if not own:
        return 0.0
    taken = both = 0
    expected = 0.0
    for source in _others(tally, target):
        if source == left_out:
            continue
        there, back = tally.counts[source][target], tally.counts[target][source]
        images = tally.named[source]
        taken, both = taken + there, both + there + back
        expected += (there + back) * images / max(1, images + own)
    if taken < expected + 1:
        return 1.0
    return binomial_tail(taken, both, expected / both)


def confused_pairs(report: Report, tally: Tally, avoided: set[str]) -> Iterator[ConfusedPair]:
    """Pairs of classes that are taken for each other, or one for the other; most images first.

    A pair that an attractor explains is left out. Two labels alone are always "a pair", so only
    the way is tested.
    """
    labels = report.confusion.labels
    pairs = [(a, b) for a in range(tally.size) for b in range(a + 1, tally.size)]
    alone = tally.size == PAIR
    shown = None if alone else _confusions(tally, pairs)
    p_ways = _directions(tally, pairs)
    entries = [
        _pair(report, tally, (a, b), None if shown is None else shown[a, b], p_ways)
        for a, b in pairs
        if (shown is None or min(shown[a, b]) <= LEVEL)
        and avoided.isdisjoint((labels[a], labels[b]))
    ]
    for entry in sorted(entries, key=lambda entry: -(entry.forth + entry.back)):
        if entry.one_way or not alone:
            yield entry


def _confusions(
    tally: Tally, pairs: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], tuple[float, float, float]]:
    """Adjusted p-values of "no more confused than any two": either way, and both together.

    Three hypotheses a pair, since some pairs are confused one way and some both ways, and a
    sentence says which.
    """
    tests = [test for a, b in pairs for test in _confusion(tally, a, b)]
    adjusted = iter(holm(tests, kinds=KINDS))
    return {pair: (next(adjusted), next(adjusted), next(adjusted)) for pair in pairs}


def _confusion(tally: Tally, a: int, b: int) -> tuple[float, float, float]:
    """P-values of "`a` is not taken for `b`", "nor `b` for `a`", and of both ways together."""
    forth, back = tally.counts[a][b], tally.counts[b][a]
    if forth + back < PAIR:
        return 1.0, 1.0, 1.0
    rest = [row for place, row in enumerate(tally.counts) if place not in (a, b)]
    to_a, to_b = sum(row[a] for row in rest), sum(row[b] for row in rest)
    return (
        _excess(tally, sources=(a,), pair=(a, b), within=forth, strangers=to_b),
        _excess(tally, sources=(b,), pair=(a, b), within=back, strangers=to_a),
        _excess(tally, sources=(a, b), pair=(a, b), within=forth + back, strangers=to_a + to_b),
    )


def _excess(
    tally: Tally, *, sources: Sequence[int], pair: tuple[int, int], within: int, strangers: int
) -> float:
    """P-value of "wrong answers on `sources` go to the rest of `pair` no more than elsewhere".

    Both must be shown, so the larger p-value counts: of these wrong answers, more than twice the
    odds of an even spread stay within the pair (a share of 2/K, see `_attraction`); and images of
    `sources` are confused so at a higher rate than images of other classes are answered with the
    same labels (`strangers` of them), so that it is not merely a label that attracts them all.
    """
    wrong = sum(tally.wrong[place] for place in sources)
    twice = _FACTOR / tally.size
    if within < PAIR or within <= twice * wrong:
        return 1.0
    elsewhere = sum(tally.named) - sum(tally.named[place] for place in pair)
    named = sum(tally.named[place] for place in sources)
    return max(
        binomial_tail(within, wrong, twice),
        fisher_greater(within, named, strangers, elsewhere),
    )


def _directions(tally: Tally, pairs: Sequence[tuple[int, int]]) -> dict[tuple[int, int], float]:
    """Adjusted p-values of "both ways at the same rate": exact sign tests, class sizes considered.

    Only pairs with so many images confused that even all of them one way would be significant are
    tested, and counted among the hypotheses: that number says nothing about the way (Tarone,
    Biometrics 46, 1990, 515-522). Pairs that are not in the answer cannot be told.
    """
    p_values = {}
    for a, b in pairs:
        forth, confused = tally.counts[a][b], tally.counts[a][b] + tally.counts[b][a]
        if confused:
            rate = tally.named[a] / (tally.named[a] + tally.named[b])
            if KINDS * 2 * min(rate, 1 - rate) ** confused <= LEVEL:
                p_values[a, b] = binomial_two_sided(forth, confused, rate)
    return dict(zip(p_values, holm(list(p_values.values()), kinds=KINDS), strict=True))


def _pair(
    report: Report,
    tally: Tally,
    pair: tuple[int, int],
    shown: tuple[float, float, float] | None,
    p_ways: Mapping[tuple[int, int], float],
) -> ConfusedPair:
    taken, taken_for = sorted(
        pair,
        key=lambda place: (
            -tally.counts[place][sum(pair) - place] / max(1, tally.named[place]),
            place,
        ),
    )
    p_forth, p_back = (None, None) if shown is None else shown[:2]
    if taken != pair[0]:
        p_forth, p_back = p_back, p_forth
    labels, p_way = report.confusion.labels, p_ways.get(pair, 1.0)
    a, b = labels[taken], labels[taken_for]
    found = ConfusedPair(
        taken=a,
        taken_for=b,
        forth=tally.counts[taken][taken_for],
        back=tally.counts[taken_for][taken],
        wrong=tally.wrong[taken] + tally.wrong[taken_for],
        taken_images=tally.named[taken],
        taken_for_images=tally.named[taken_for],
        one_way=p_way <= LEVEL,
        p_pair=None if shown is None else min(shown),
        p_forth=p_forth,
        p_back=p_back,
        p_one_way=p_way,
        p_value=1.0,
        cases=(),
    )
    rests_on = [p_way] if found.one_way else []
    if found.mutual:
        rests_on += [p for p in (p_forth, p_back) if p is not None]
    elif found.forth_shown and p_forth is not None and p_forth <= LEVEL:
        rests_on.append(p_forth)
    elif shown is not None:
        rests_on.append(min(shown))
    one_sided = found.forth_shown and not found.mutual
    ways = [(a, b)] if one_sided else [(a, b), (b, a)]
    return replace(
        found,
        p_value=max(rests_on, default=1.0),
        cases=examples([_mistakes(report, expected, predicted) for expected, predicted in ways]),
    )


def _others(tally: Tally, place: int) -> Iterator[int]:
    return (other for other in range(tally.size) if other != place)


def _mistakes(report: Report, expected: str, predicted: str) -> tuple[str, ...]:
    """The images that were confused in this way."""
    wrong = report.of_kind("misclassified")
    return tuple(
        one.case for one in wrong if (one.expected, one.predicted) == (expected, predicted)
    )


def told(report: Report) -> InstructionTexts:
    """What the model of a report was told, as far as that is recorded."""
    names = report.confusion.labels
    known = report.full_instructions
    if known is None:
        texts: dict[Standing, str] = {"system": report.instructions}
        return InstructionTexts(labels={name: (name,) for name in names}, texts=texts)
    texts = {"prompt": known.question}
    if known.system:
        texts["system"] = known.system
    elif report.identity is not None:
        texts["base"] = report.identity.details.get(MODELS_OWN_SYSTEM, "")
    spellings = {label.name: (label.name, *label.synonyms) for label in known.labels}
    return InstructionTexts(
        labels={name: spellings.get(name, (name,)) for name in names},
        texts=texts,
        answers=[text for role, text in known.turns if role == "assistant"],
    )
