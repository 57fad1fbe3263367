"""Probabilities added up in decimals of 400 digits and in whole numbers, by no library."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from math import comb


def tail(hits: int, total: int, rate: float) -> Decimal:
    """Of at least `hits` successes among `total`, of which one number is small."""
    with localcontext() as context:
        context.prec = 400
        chance = Decimal(rate)
        if hits > total // 2:
            return _between(hits, total, total, chance)
        return 1 - _between(0, hits - 1, total, chance)


def _between(low: int, high: int, total: int, chance: Decimal) -> Decimal:
    terms = (
        comb(total, count) * _power(chance, count) * _power(1 - chance, total - count)
        for count in range(low, high + 1)
    )
    return sum(terms, Decimal(0))


def _power(base: Decimal, exponent: int) -> Decimal:
    return base**exponent if exponent else Decimal(1)  # Python leaves 0**0 undefined here


def fair_tail(most: int, flips: int) -> Fraction:
    """Of at most so many heads among the flips of a fair coin."""
    return Fraction(sum(comb(flips, count) for count in range(most + 1)), 2**flips)


def hypergeometric_tail(hits: int, total: int, other_hits: int, other_total: int) -> Fraction:
    """Of at least so many of all hits in the first group, if the rates are equal."""
    together = hits + other_hits
    ways = sum(
        comb(total, count) * comb(other_total, together - count)
        for count in range(hits, together + 1)
    )
    return Fraction(ways, comb(total + other_total, together))
