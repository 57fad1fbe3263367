"""How often probes find what is not there, and how often a planted bias of 10 points.

    python -m benchmarks.probes [--runs 400] [--images 200] [--only WORD]

Every row is a model with known chances that is asked about images as declared, and about the same
images with one thing changed, in `--runs` independent, seeded runs. The first table counts runs
with any finding where nothing that is probed matters; the bound is 5% in the column ``any``. The
second one counts runs in which what was planted is found, all four probes asked for, and in the end
what two labels cannot tell from it: one class is harder, and the grey image is called by the other.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from pytest_llmclf.analysis.diagnosis.finding import LEVEL
from pytest_llmclf.analysis.diagnosis.probed import probed
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.metrics.significance import binomial_tail
from pytest_llmclf.runner.probe_tasks import two_orders
from pytest_llmclf.values.outcome import Outcome
from pytest_llmclf.values.probe_answers import PROBES, ProbeAnswers
from tests.unit.simulated import Chances, alike, even, label, similar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.probe_answers import Probe

GREY: Final = 5
"""Grey images that are asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """A model, the images, and what is planted.

    Attributes:
        chances: How likely each class is answered as which.
        shares: How likely an image is of each class; empty: all alike.
        noise: Share of the answers that are drawn anew at every asking.
        shaken: Share of the answers that are drawn anew where anything about the question changes.
        order: Share of the answers that are the first label of the list.
        example: Share of the answers that are the example.
        blank: Share of the answers that are what is said of a grey image.
        size: Share of the images that are right no longer in half the size.
        grey: What is said of a grey image where nothing is planted; ``None``: it is drawn by lot.
    """

    chances: Chances
    shares: tuple[float, ...] = ()
    noise: float = 0.0
    shaken: float = 0.0
    order: float = 0.0
    example: float = 0.0
    blank: float = 0.0
    size: float = 0.0
    grey: int | None = None

    def report(self, images: int, chance: random.Random) -> Report:
        """What the model answers this time, asked as declared and with everything changed."""
        run = _Run(model=self, images=images, chance=chance)
        return replace(run.declared(), probes=tuple(run.changed()))


class _Run:
    """One run of a model: who its images show, and what it would say of each by itself."""

    def __init__(self, *, model: Probed, images: int, chance: random.Random) -> None:
        self.model, self.chance = model, chance
        self.classes = range(len(model.chances))
        shares = model.shares or [1.0] * len(self.classes)
        self.shown = chance.choices(self.classes, shares, k=images)
        self.usual = [self._draw(shown) for shown in self.shown]
        # The same images are drawn to something each time: that is what a bias is.
        self.lot = [chance.random() for _ in self.shown]
        self.prior = chance.choice(self.classes) if model.grey is None else model.grey
        self.example, self.other = chance.sample(self.classes, 2)

    def _draw(self, shown: int) -> int:
        return self.chance.choices(self.classes, self.model.chances[shown])[0]

    def said(self, place: int, first: int, example: int, *, anew: float) -> int:
        """What is answered to an image.

        Args:
            place: Which image.
            first: The first label of the list.
            example: The example of an answer.
            anew: Share of the answers that are drawn anew.
        """
        model, lot = self.model, self.lot[place]
        for share, drawn in ((model.order, first), (model.example, example)):
            if lot < share:
                return drawn
            lot -= share
        if lot < model.blank:
            return self.prior
        return self._draw(self.shown[place]) if self.chance.random() < anew else self.usual[place]

    def declared(self) -> Report:
        """The report of the questions as they are declared."""
        outcomes = []
        for place, shown in enumerate(self.shown):
            said = self.said(place, 0, self.example, anew=self.model.noise)
            outcomes.append(
                Outcome(
                    evaluation="simulated", model="simulated", model_digest="", case=f"{place:04d}",
                    sha256="", expected=label(shown), predicted=label(said), tags={},
                    kind="correct" if said == shown else "misclassified",
                )
            )  # fmt: skip
        names = tuple(map(label, self.classes))
        facts = DatasetFacts(name="simulated", content_hash="", labels=names)
        return build(evaluation="simulated", model="simulated", dataset=facts, outcomes=outcomes)

    def changed(self) -> Iterator[ProbeAnswers]:
        """What is answered to each change."""
        anew = 1 - (1 - self.model.noise) * (1 - self.model.shaken)
        places = range(len(self.shown))
        names = tuple(map(label, self.classes))
        coins = [self.chance.random() < 1 / 2 for _ in places]
        for coin, order in enumerate(two_orders(names, self.chance.randrange(10**6))):
            asked = [place for place in places if coins[place] == bool(coin)]
            first = names.index(order[0])
            said = {one: self.said(one, first, self.example, anew=anew) for one in asked}
            yield _answers("order", said, labels=order)
        yield _answers("blank", dict.fromkeys(range(GREY), self.prior))
        others = {label(self.example): label(self.other)}
        said = {one: self.said(one, 0, self.other, anew=anew) for one in places}
        yield _answers("example", said, others=others)
        for change, loss in (("half", self.model.size), ("twice", 0.0)):
            said = {one: self._sized(one, loss, anew) for one in places}
            yield _answers("size", said, change=change)

    def _sized(self, place: int, loss: float, anew: float) -> int:
        if self.lot[place] < loss:  # whatever is not shown
            return (self.shown[place] + 1) % len(self.classes)
        return self.said(place, 0, self.example, anew=anew)


def _answers(probe: Probe, said: dict[int, int], **more: object) -> ProbeAnswers:
    answers = {f"{place:04d}": label(one) for place, one in said.items()}
    return ProbeAnswers(probe=probe, cases=tuple(answers), answers=answers, **more)  # type: ignore[arg-type]


def unmoved() -> Iterator[tuple[str, Probed]]:
    """Models to which nothing that is probed matters."""
    for size in (2, 3, 10, 26):
        for accuracy in (0.95, 0.7):
            for noise in (0.05, 0.3):
                name = f"even mistakes, {accuracy}, {size} labels, {noise:.0%} noise"
                yield name, Probed(chances=even([accuracy] * size), noise=noise)
    for size in (3, 10):
        name = f"guessing, {size} labels, all noise"
        yield name, Probed(chances=even([1 / size] * size), noise=1.0)
    shares = (0.8, *[0.2 / 9] * 9)
    for shaken in (0.1, 0.3):
        model = Probed(chances=even([0.8] * 10), noise=0.02, shaken=shaken)
        yield f"shaken by any change, {shaken:.0%}", model
        yield (
            f"shaken by any change, {shaken:.0%}, 80% of one class",
            replace(model, shares=shares),
        )
    pairs = [(place, place + 1) for place in range(0, 10, 2)]
    yield "look-alike pairs, 0.7", Probed(chances=alike(pairs, 0.7, 0.9), noise=0.1)
    groups = [(0, 1, 2, 3), (4, 5, 6), (7, 8, 9)]
    yield "look-alike groups, 0.6", Probed(chances=alike(groups, 0.6, 0.9), noise=0.1)
    for seed in range(2):
        name = f"likenesses in a plane, 0.7, no. {seed}"
        yield name, Probed(chances=similar(10, 0.7, seed), noise=0.1)
    hard = even([0.3 + 0.7 * place / 9 for place in range(10)])
    yield "classes from 0.3 to 1.0", Probed(chances=hard, noise=0.1)
    # What is said of a grey image happens to be what takes most mistakes, for another reason.
    yield "classes from 0.3 to 1.0, grey the best", Probed(chances=hard, noise=0.1, grey=9)
    for accuracy in (0.9, 0.6):
        easy = even([0.95, accuracy, accuracy])
        name = f"0.95, {accuracy} and {accuracy}, grey the best"
        yield name, Probed(chances=easy, noise=0.06, grey=0)
    alikes = alike([(0, 1), (2, 3)], 0.6, 0.9)
    yield "look-alike pairs, 4 labels, 0.6, grey one", Probed(chances=alikes, noise=0.06, grey=0)
    for size in (2, 3):
        for grey in (0, 1):
            shares = (0.8, *[0.2 / (size - 1)] * (size - 1))
            model = Probed(chances=even([0.7] * size), shares=shares, noise=0.06, grey=grey)
            yield f"80% of one class, {size} labels, 0.7, grey no. {grey}", model


def biased() -> Iterator[tuple[str, Probe, Probed]]:
    """Models with a bias of 10 points, and which probe is to find it."""
    for size in (2, 3, 6, 10, 26):
        for accuracy in (0.9, 0.7):
            for noise in (0.0, 0.06):
                model = Probed(chances=even([accuracy] * size), noise=noise)
                at = f"{accuracy}, {size} labels, {noise:.0%} noise"
                # Of those who are drawn to a label some would have named it anyway: of 10 points
                # that move, so many more are drawn.
                moved = 0.1 * size / (size - 1)
                yield f"order, {at}", "order", replace(model, order=moved)
                yield f"example, {at}", "example", replace(model, example=moved)
                yield f"half the size, {at}", "size", replace(model, size=0.1 / accuracy)
                yield f"grey image, {at}", "blank", replace(model, blank=moved)
    for grey, of in ((0, "the easier one"), (1, "the harder one"), (None, "either by lot")):
        model = Probed(chances=even([0.9, 0.7]), grey=grey)
        yield f"not planted: 0.9 and 0.7, grey {of}", "blank", model


def most_powerful(accuracy: float, labels: int, images: int, level: float) -> float:
    """How often any test at a level can find a draw of 10 points, told from mistakes spread evenly.

    By the lemma of Neyman and Pearson for one who knows all chances, with a coin where counts jump:
    of the wrong answers to other classes, each names the label with the even chance or the drawn
    one. Three labels or more; all classes have as many images.
    """
    moved = 0.1 * labels / (labels - 1)
    by_itself = (1 - accuracy) * (1 - moved) / (labels - 1)
    wrong = (labels - 1) * by_itself + moved
    others = round(images * (labels - 1) / labels)
    even, drawn = 1 / (labels - 1), (by_itself + moved) / wrong
    found = 0.0
    for count in range(others + 1):
        least = next(hits for hits in range(count + 2) if binomial_tail(hits, count, even) <= level)
        beyond = binomial_tail(least, count, even)
        at, drawn_at = (
            binomial_tail(least - 1, count, rate) - binomial_tail(least, count, rate)
            for rate in (even, drawn)
        )
        power = binomial_tail(least, count, drawn) + (level - beyond) / at * drawn_at
        met = binomial_tail(count, others, wrong) - binomial_tail(count + 1, others, wrong)
        found += met * power
    return found


def shown(report: Report) -> set[str]:
    """The probes of a report that find something."""
    found = (one for one in probed(report) if one.p_value is not None and one.p_value <= LEVEL)
    return {one.kind.removesuffix("-probe") for one in found}


def counted(model: Probed, name: str, runs: int, images: int) -> Counter[str]:
    """In how many runs each probe finds something, and any of them."""
    chance = random.Random(name)  # noqa: S311 - a seeded simulation
    found: Counter[str] = Counter()
    for _ in range(runs):
        said = shown(model.report(images, chance))
        found.update([*said, *(["any"] if said else [])])
    return found


def _row(name: str, found: Counter[str], columns: Sequence[str], runs: int) -> str:
    return f"| {name} | " + " | ".join(f"{found[one] / runs:.1%}" for one in columns) + " |"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    began = time.monotonic()
    columns = ("any", *PROBES)
    error = math.sqrt(LEVEL * (1 - LEVEL) / given.runs)
    print(f"{given.runs} runs of {given.images} images a row; error of 5%: {error:.1%}\n")
    print(f"| nothing matters | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}")
    worst = 0.0
    for name, model in unmoved():
        if given.only in name:
            found = counted(model, name, given.runs, given.images)
            worst = max(worst, found["any"] / given.runs)
            print(_row(name, found, columns, given.runs), flush=True)
    print(f"\nmost in any row: {worst:.2%}\n\n| planted | found |\n|---|---:|")
    least = 1.0
    for name, probe, model in biased():
        if given.only in name:
            found = counted(model, name, given.runs, given.images)
            if not name.startswith("not planted"):
                least = min(least, found[probe] / given.runs)
            print(_row(name, found, (probe,), given.runs), flush=True)
    for level in (0.05, 0.03):
        best = most_powerful(0.7, 3, given.images, level)
        print(f"any test of a draw, 0.7, 3 labels, at {level:.0%}: at most {best:.1%}")
    print(f"\nleast in any row: {least:.1%}; {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
