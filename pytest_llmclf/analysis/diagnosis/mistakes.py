"""Which classes are taken for which: attractors, and pairs that are confused.

The reasons for these tests, and how they share the error, are those of `diagnosis`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from pytest_llmclf.analysis.diagnosis.finding import KINDS, LEVEL, Attractor, ConfusedPair, examples
from pytest_llmclf.analysis.diagnosis.instructions import InstructionTexts, standings, texts_of
from pytest_llmclf.metrics.significance import (
    binomial_evenly,
    binomial_tail,
    binomial_two_sided,
    fisher_greater,
    holm,
    stratified_evenly,
)
from pytest_llmclf.values.request import MODELS_OWN_SYSTEM

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_llmclf.analysis.diagnosis.answer_counts import AnswerCounts
    from pytest_llmclf.analysis.diagnosis.instructions import Standing
    from pytest_llmclf.metrics.report import Report

PAIR: Final = 2
"""Fewest labels that can be confused."""

_FACTOR: Final = 2
"""How many times the odds of an even spread are "far more"."""


def attractors(report: Report, counts: AnswerCounts) -> Iterator[Attractor]:
    """Labels that take wrong answers from several classes, most taken first."""
    labels = report.confusion.labels
    p_values = holm([_attraction(counts, place) for place in range(counts.size)], kinds=KINDS)
    found = [place for place, p_value in enumerate(p_values) if p_value <= LEVEL]
    if not found:
        return
    given, mistakes = standings(told(report)), _mistakes_of(report)
    for place in sorted(found, key=lambda place: (-counts.taken(place), place)):
        label = labels[place]
        column = [entry for entry in counts.sources[place].items() if entry[0] != place]
        sources = [source for source, _ in sorted(column, key=lambda e: (-e[1], e[0]))]
        others = counts.every_wrong - counts.wrong[place]
        yield Attractor(
            label=label,
            taken=counts.taken(place),
            wrong=counts.every_wrong,
            even=others / (counts.size - 1),
            sources=tuple(labels[source] for source in sources),
            given=counts.wrong[place],
            prompt=given.get(label),
            p_value=p_values[place],
            cases=examples(mistakes[labels[source], label] for source in sources),
        )


@dataclass(frozen=True, slots=True)
class _Source:
    """What a class has to do with one that may be an attractor.

    Attributes:
        forth: Its images that are answered as the other one.
        back: Images of the other one that are answered as it.
        named: Its images with a readable answer.
        wrong: Those that are answered as any other class.
    """

    forth: int
    back: int
    named: int
    wrong: int

    @classmethod
    def of(cls, counts: AnswerCounts, place: int, target: int) -> _Source:
        """One class, and what it has to do with another one."""
        forth, back = counts.count(place, target), counts.count(target, place)
        return cls(forth, back, counts.named[place], counts.wrong[place])


def _attraction(counts: AnswerCounts, target: int) -> float:
    """P-value of "this label draws no more than its due from all classes but at most one".

    Drawing from one class is no attraction but a confused pair, so the test leaves out each source
    in turn and keeps the largest p-value (partial conjunction, Benjamini and Heller, Biometrics
    64, 2008, 1215-1222). It claims two things, and must show both (Berger, Technometrics 24, 1982,
    295-300), so the larger p-value counts:

    * of the other classes' wrong answers, more than twice the odds of an even spread name it:
      with K labels 1 to K - 2 is even, 2 to K - 2 is twice that, which is a share of 2/K;
    * images of other classes are answered with it at a higher rate than its own are answered with
      theirs. Look-alikes give as they take, whatever their share.

    Sources that are alike give the same when they are left out, so one of them is looked at. Of
    those that are not confused with it, that is the one with fewest wrong answers: without it most
    are left, and among more wrong answers as many name the label more easily.
    """
    twice, every = _FACTOR / counts.size, counts.taken(target)
    wrong = counts.every_wrong - counts.wrong[target]
    if every <= twice * wrong:
        return 1.0
    sources = _sources(counts, target)
    left_out = set(sources)
    if len(sources) < counts.size - 1:
        strangers = set(range(counts.size)).difference(counts.partners(target), (target,))
        left_out.add(_Source(0, 0, 0, min(counts.wrong[place] for place in strangers)))
    sided = _OneSided.of(sources, counts.named[target])
    return max(
        max(
            binomial_tail(every - source.forth, wrong - source.wrong, twice),
            sided.without(source),
        )
        for source in left_out
    )


def draws(counts: AnswerCounts, target: int) -> float:
    """P-value of "this label draws no wrong answers", for one that was settled beforehand.

    As for `_attraction` it must show two things: of the other classes' wrong answers more than an
    even spread name it, and it takes more than it gives. What no answer singled out need not be
    told from pairs that are confused, nor be twice an even spread. Of two labels every wrong answer
    names the other one: there the rates of both ways are compared (Fisher's exact test). Pairs of
    classes are taken for independent strata, though what the label's own images give to one class
    they cannot give to another: less varies than that, and the test errs on the safe side.
    """
    own = counts.named[target]
    sources = [_Source.of(counts, place, target) for place in range(counts.size) if place != target]
    ways = [(one.forth, one.named, one.back, own) for one in sources if one.forth + one.back]
    one_sided = stratified_evenly(ways) if own else 0.0
    if counts.size == PAIR:
        return one_sided
    spread = binomial_evenly([(one.forth, one.wrong) for one in sources], 1 / (counts.size - 1))
    return max(spread, one_sided)


def _sources(counts: AnswerCounts, target: int) -> list[_Source]:
    """The classes that have to do with one, in their order."""
    return [_Source.of(counts, place, target) for place in counts.partners(target)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _OneSided:
    """Test of "no class but one gives this label more than it gets back".

    Given how many images of a pair of classes are confused either way, those that go one way are
    hypergeometric, which is a sum of independent trials; over all pairs their tail is at most that
    of the binomial with the mean rate (Hoeffding 1956, see `binomial_tail`).

    Attributes:
        own: Images of the label itself with a readable answer.
        taken: Images of other classes that are answered with it.
        both: Those, and its own that are answered as another.
        expected: How many of `both` would be taken if both ways had the same rate.
    """

    own: int
    taken: int
    both: int
    expected: float

    @classmethod
    def of(cls, sources: Sequence[_Source], own: int) -> _OneSided:
        """All sources together."""
        return cls(
            own=own,
            taken=sum(source.forth for source in sources),
            both=sum(source.forth + source.back for source in sources),
            expected=math.fsum(_due(source, own) for source in sources),
        )

    def without(self, left_out: _Source) -> float:
        """P-value where this one is left out."""
        if not self.own:
            return 0.0
        taken = self.taken - left_out.forth
        both = self.both - left_out.forth - left_out.back
        expected = self.expected - _due(left_out, self.own)
        if taken < expected + 1:
            return 1.0
        return binomial_tail(taken, both, expected / both)


def _due(source: _Source, own: int) -> float:
    return (source.forth + source.back) * source.named / max(1, source.named + own)


def confused_pairs(
    report: Report, counts: AnswerCounts, avoided: set[str]
) -> Iterator[ConfusedPair]:
    """Pairs of classes that are taken for each other, or one for the other; most images first.

    A pair that an attractor explains is left out. Two labels alone are always "a pair", so only
    the way is tested.
    """
    labels = report.confusion.labels
    alone = counts.size == PAIR
    shown = None if alone else _confusions(counts)
    p_ways = _directions(counts)
    pairs = [
        (a, b)
        for a, b in (counts.pairs if shown is None else shown)
        if (shown is None or min(shown[a, b]) <= LEVEL)
        and avoided.isdisjoint((labels[a], labels[b]))
    ]
    if not pairs:
        return
    mistakes = _mistakes_of(report)
    entries = [
        _pair(counts, labels, pair, None if shown is None else shown[pair], p_ways)
        for pair in pairs
    ]
    for entry in sorted(entries, key=lambda entry: -(entry.forth + entry.back)):
        if entry.one_way or not alone:
            yield _with_examples(entry, mistakes)


def _confusions(counts: AnswerCounts) -> dict[tuple[int, int], tuple[float, float, float]]:
    """Adjusted p-values of "no more confused than any two": either way, and both together.

    Three hypotheses a pair, since some pairs are confused one way and some both ways, and a
    sentence says which. All pairs count; those with too few mistakes for any p-value below 1 are
    not among the keys.
    """
    pairs = [(a, b) for a, b in counts.pairs if counts.count(a, b) + counts.count(b, a) >= PAIR]
    tests = [test for a, b in pairs for test in _confusion(counts, a, b)]
    unshown = 3 * counts.size * (counts.size - 1) // 2 - len(tests)
    adjusted = iter(holm(tests, kinds=KINDS, unshown=unshown))
    return {pair: (next(adjusted), next(adjusted), next(adjusted)) for pair in pairs}


def _confusion(counts: AnswerCounts, a: int, b: int) -> tuple[float, float, float]:
    """P-values of "`a` is not taken for `b`", "nor `b` for `a`", and of both ways together."""
    forth, back = counts.count(a, b), counts.count(b, a)
    to_a, to_b = counts.taken(a) - back, counts.taken(b) - forth
    return (
        _excess(counts, sources=(a,), pair=(a, b), within=forth, strangers=to_b),
        _excess(counts, sources=(b,), pair=(a, b), within=back, strangers=to_a),
        _excess(counts, sources=(a, b), pair=(a, b), within=forth + back, strangers=to_a + to_b),
    )


def _excess(
    counts: AnswerCounts,
    *,
    sources: Sequence[int],
    pair: tuple[int, int],
    within: int,
    strangers: int,
) -> float:
    """P-value of "wrong answers on `sources` go to the rest of `pair` no more than elsewhere".

    Both must be shown, so the larger p-value counts: of these wrong answers, more than twice the
    odds of an even spread stay within the pair (a share of 2/K, see `_attraction`); and images of
    `sources` are confused so at a higher rate than images of other classes are answered with the
    same labels (`strangers` of them), so that it is not merely a label that attracts them all.
    """
    wrong = sum(counts.wrong[place] for place in sources)
    twice = _FACTOR / counts.size
    if within < PAIR or within <= twice * wrong:
        return 1.0
    elsewhere = counts.every_named - sum(counts.named[place] for place in pair)
    named = sum(counts.named[place] for place in sources)
    return max(
        binomial_tail(within, wrong, twice),
        fisher_greater(within, named, strangers, elsewhere),
    )


def _directions(counts: AnswerCounts) -> dict[tuple[int, int], float]:
    """Adjusted p-values of "both ways at the same rate": exact sign tests, class sizes considered.

    Only pairs with so many images confused that even all of them one way would be significant are
    tested, and counted among the hypotheses: that number says nothing about the way (Tarone,
    Biometrics 46, 1990, 515-522). Pairs that are not in the answer cannot be told.
    """
    p_values = {}
    for a, b in counts.pairs:
        forth = counts.count(a, b)
        confused = forth + counts.count(b, a)
        rate = counts.named[a] / (counts.named[a] + counts.named[b])
        if KINDS * 2 * min(rate, 1 - rate) ** confused <= LEVEL:
            p_values[a, b] = binomial_two_sided(forth, confused, rate)
    return dict(zip(p_values, holm(list(p_values.values()), kinds=KINDS), strict=True))


def _pair(
    counts: AnswerCounts,
    labels: Sequence[str],
    pair: tuple[int, int],
    shown: tuple[float, float, float] | None,
    p_ways: Mapping[tuple[int, int], float],
) -> ConfusedPair:
    taken, taken_for = sorted(
        pair,
        key=lambda place: (
            -counts.count(place, sum(pair) - place) / max(1, counts.named[place]),
            place,
        ),
    )
    p_forth, p_back = (None, None) if shown is None else shown[:2]
    if taken != pair[0]:
        p_forth, p_back = p_back, p_forth
    p_way = p_ways.get(pair, 1.0)
    a, b = labels[taken], labels[taken_for]
    found = ConfusedPair(
        taken=a,
        taken_for=b,
        forth=counts.count(taken, taken_for),
        back=counts.count(taken_for, taken),
        wrong=counts.wrong[taken] + counts.wrong[taken_for],
        taken_images=counts.named[taken],
        taken_for_images=counts.named[taken_for],
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
    return replace(found, p_value=max(rests_on, default=1.0))


def _with_examples(
    pair: ConfusedPair, mistakes: Mapping[tuple[str, str], Sequence[str]]
) -> ConfusedPair:
    a, b = pair.taken, pair.taken_for
    one_sided = pair.forth_shown and not pair.mutual
    ways = [(a, b)] if one_sided else [(a, b), (b, a)]
    return replace(pair, cases=examples([mistakes[endpoint_key] for endpoint_key in ways]))


def _mistakes_of(report: Report) -> Mapping[tuple[str, str], Sequence[str]]:
    """The images of each mistake, by expected and predicted label."""
    found: defaultdict[tuple[str, str], Sequence[str]] = defaultdict(tuple)
    for mistake in report.confusions():
        found[mistake.expected, mistake.predicted] = mistake.cases
    return found


def told(report: Report) -> InstructionTexts:
    """What the model of a report was told, as far as that is recorded."""
    names = report.confusion.labels
    known = report.full_instructions
    if report.told_nothing:
        return InstructionTexts(labels={name: (name,) for name in names}, texts={})
    if known is None:
        texts: dict[Standing, str] = {"system": report.instructions}
        return InstructionTexts(labels={name: (name,) for name in names}, texts=texts)
    own = "" if report.identity is None else report.identity.details.get(MODELS_OWN_SYSTEM, "")
    return texts_of(known, names, own)
