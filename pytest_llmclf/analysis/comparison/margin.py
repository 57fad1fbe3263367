"""Non-inferiority: whether a loss as large as a margin is excluded, on images like these.

``--llmclf-margin 2%`` says that a loss below two points of accuracy is fine. It passes where a loss
of two points or more is excluded with 95% confidence, fails where such a loss is shown with 95%
confidence, and is undecided otherwise. Both look at one end of the interval that the comparison
has anyway (`difference_interval`, for groups and copies `clustered_interval`), at
the one-sided level. ``benchmarks/non_inferiority.py`` computes how often that is wrong.

``llmclf compare --margin 2%`` asks the same of two runs, of all their evaluations at once.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal

from pytest_llmclf.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llmclf.analysis.comparison.paired_comparison import Comparison

ERROR: Final = 0.05
"""How often a PASS may be wrong, and how often a FAIL."""
_MARGIN: Final = re.compile(r"(?P<number>[0-9]{1,9}(?:\.[0-9]{1,9})?)\s*%")


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """The smallest loss of accuracy that is not fine.

    Attributes:
        share: In shares of all images like these, above 0 and below 1.
    """

    share: Fraction

    def __str__(self) -> str:
        """As written: ``2%``."""
        return f"{float(100 * self.share):g}%"


@dataclass(frozen=True, slots=True)
class MarginVerdict:
    """What a comparison says about a margin.

    Attributes:
        word: PASS: a loss as large is excluded; FAIL: it is shown; else INCONCLUSIVE.
        text: One line: what was found.
    """

    word: Literal["PASS", "FAIL", "INCONCLUSIVE"]
    text: str


def parse_margin(text: str) -> Margin:
    """Read ``2%``: two points of accuracy.

    Raises:
        SettingsError: What is wrong with it and what was probably meant.
    """
    match = _MARGIN.fullmatch(text.strip())
    if match is None:
        hint = f"; for points of accuracy write {text.strip()}%" if text.strip().isdigit() else ""
        raise SettingsError(
            f"margin {text!r} is no share such as 2%{hint} (for a number of images there is the "
            "tolerance)"
        )
    share = Fraction(match["number"]) / 100
    if not 0 < share < 1:
        raise SettingsError(
            f"margin {text!r} is not above 0% and below 100%: no number of images excludes a loss "
            "of nothing"
        )
    return Margin(share=share)


def stated_margin(settings: Mapping[str, object]) -> Margin | None:
    """The margin among a run's settings as ``run.json`` keeps them, if one was stated."""
    text = settings.get("margin")
    if not isinstance(text, str):
        return None
    with suppress(SettingsError):
        return parse_margin(text)
    return None


def judge_margins(
    comparisons: Sequence[Comparison], margin: Margin
) -> tuple[MarginVerdict | None, ...]:
    """The verdict on each of several comparisons, so that any is wrong at most as often as one.

    That all of them exclude the loss needs no correction (intersection-union test; Berger,
    Technometrics 24, 1982, 295-300). Where one does not, each has its part of the error, for PASS
    and for FAIL (Bonferroni). ``None`` for a comparison that is refused.
    """
    tested = [each for each in comparisons if each.refused is None]
    found = [judge_margin(each, margin) for each in tested]
    if any(each.word != "PASS" for each in found):
        found = [judge_margin(each, margin, tests=len(tested)) for each in tested]
    verdicts = iter(found)
    return tuple(None if each.refused is not None else next(verdicts) for each in comparisons)


def judge_margin(comparison: Comparison, margin: Margin, *, tests: int = 1) -> MarginVerdict:
    """Whether a loss of the margin or more is excluded or shown.

    INCONCLUSIVE also where there is no interval: without a common image, with all images of one
    group, and where a side stopped early.

    Args:
        comparison: Of the side that may have lost against the other.
        margin: The smallest loss that is not fine.
        tests: How many such verdicts share the error.
    """
    if comparison.not_asked:
        return MarginVerdict(
            "INCONCLUSIVE",
            f"a margin of {margin} needs every image, and "
            f"{len(comparison.not_asked)} were not asked about",
        )
    error = ERROR / tests
    ends = comparison.interval_at(1 - 2 * error)
    if ends is None:
        return MarginVerdict(
            "INCONCLUSIVE",
            f"nothing is known about a margin of {margin}: all images are of one group"
            if comparison.common
            else f"nothing is known about a margin of {margin}: there is no image in common",
        )
    limit = float(margin.share)
    sure = f"{1 - ERROR:.0%} confidence"
    drawn = f" ({comparison.drawn})" if comparison.drawn else ""
    spread = (
        f"plausibly {ends.low:+.4f} to {ends.high:+.4f}, each end {100 * (1 - error):.4g}% sure"
    )
    spread += f", for {tests} comparisons at once" if tests > 1 else ""
    of = f"difference {comparison.difference:+.4f}, {spread}, of images like these{drawn}"
    if ends.low > -limit:
        return MarginVerdict("PASS", f"a loss of {margin} or more is excluded with {sure}: {of}")
    if ends.high < -limit:
        return MarginVerdict("FAIL", f"a loss of {margin} or more is shown with {sure}: {of}")
    return MarginVerdict(
        "INCONCLUSIVE",
        f"a loss of {margin} or more is neither excluded nor shown with {sure}: {of}; more "
        "images may tell",
    )
