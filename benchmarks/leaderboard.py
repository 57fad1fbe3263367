"""How often a leaderboard says something false, how often it sees what is there, how fast it is.

Tasks answer the same images; some images are hard for all of them, so that answers go together.
Printed with Monte-Carlo standard errors, for each row:

* wrong: runs in which any task is called worse than the best, or the best of all, and is not;
* as if chosen: the same if the best were held against the others by McNemar's test with Holm's
  method over those comparisons alone, as if it had been chosen before its answers;
* each: of the tasks that are truly worse than every best one, how many are shown to be;
* winner: runs in which the only best task is named.

    python -m benchmarks.leaderboard [RUNS]        RUNS a row (2000)
    python -m benchmarks.leaderboard speed         50 tasks on 5,000 images

The exit status is 1 if "wrong" exceeds 5% by more than three standard errors, or if the tests of 50
tasks take more than ten seconds.
"""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from pytest_llmclf.analysis.leaderboard.common_images import CommonImages, sized
from pytest_llmclf.analysis.leaderboard.difficulty import difficulty
from pytest_llmclf.analysis.leaderboard.ranking import judge, leaderboard
from pytest_llmclf.metrics import report_build as reports
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.metrics.significance import holm
from pytest_llmclf.values.outcome import Outcome

if TYPE_CHECKING:
    from pytest_llmclf.metrics.report import Report

ERROR: Final = 0.05
SPREAD: Final = 0.15
SECONDS: Final = 10.0
TASKS, IMAGES = 50, 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Tasks and images.

    Attributes:
        name: For the table.
        rates: True accuracy of each task.
        images: How many.
        frames: Images of a group, which are right or wrong together to a part; 1: independent.
        stop: Whether the run stops at the first of its looks at which a pair seems to differ.
    """

    name: str
    rates: tuple[float, ...]
    images: int = 200
    frames: int = 1
    stop: bool = False


ROWS: Final = (
    Row(name="2 equal", rates=(0.8,) * 2),
    Row(name="5 equal", rates=(0.8,) * 5),
    Row(name="10 equal", rates=(0.8,) * 10),
    Row(name="10 equal", rates=(0.8,) * 10, images=50),
    Row(name="5 equal, scenes of 5", rates=(0.8,) * 5, frames=5),
    Row(name="5 equal, stops when it likes", rates=(0.8,) * 5, stop=True),
    Row(name="3 equal, 3 worse by 5 points", rates=(0.8,) * 3 + (0.75,) * 3),
    Row(name="3 equal, 3 worse by 10 points", rates=(0.8,) * 3 + (0.7,) * 3),
    Row(name="3 equal, 3 worse by 30 points", rates=(0.8,) * 3 + (0.5,) * 3),
    Row(name="5 equal, 1 worse by 30 points", rates=(0.8,) * 5 + (0.5,)),
    Row(name="8 steps of half a point", rates=tuple(0.8 - n / 200 for n in range(8)), images=500),
    Row(name="1 better by 5 points than 4", rates=(0.85,) + (0.8,) * 4, images=500),
    Row(name="1 better by 10 points than 4", rates=(0.9,) + (0.8,) * 4),
    Row(name="1 better by 10 points than 4", rates=(0.9,) + (0.8,) * 4, images=500),
    Row(name="1 better by 10 points than 9", rates=(0.9,) + (0.8,) * 9, images=500),
)


def drawn(chance: np.random.Generator, row: Row) -> CommonImages:
    """One set of answers."""
    tasks, images = len(row.rates), row.images
    hard = chance.choice([-SPREAD, SPREAD], size=images)
    rates = np.array(row.rates)[:, None] + hard
    if row.frames > 1:
        # Of each task some scenes go better and some go worse than its images do on average.
        scenes = images // row.frames
        shift = chance.choice([-0.2, 0.2], size=(tasks, scenes)).repeat(row.frames, axis=1)
        rates = np.array(row.rates)[:, None] + shift
    right = chance.random((tasks, images)) < rates
    cases = tuple(map(str, range(images)))
    if row.frames > 1:
        clusters = tuple(str(place // row.frames) for place in range(images))
        return sized(CommonImages(cases=cases, right=right, clusters=clusters, group="scene"))
    if row.stop:
        return stopped(right)
    return CommonImages(cases=cases, right=right)


def stopped(right: np.ndarray) -> CommonImages:
    """The beginning after which the first pair of tasks looks different, which is when it stops."""
    tasks, images = right.shape
    for seen in range(20, images, 10):
        part = CommonImages(cases=tuple(map(str, range(seen))), right=right[:, :seen])
        pairs = [(one, other) for one in range(tasks) for other in range(one)]
        if any(part.flips(*pair).p_value < ERROR for pair in pairs):
            return replace(part, not_asked=("more",))
    return CommonImages(cases=tuple(map(str, range(images))), right=right)


def simulate(row: Row, runs: int) -> dict[str, int]:
    """In how many runs each thing comes up; "each" counts tasks."""
    chance = np.random.default_rng(15)
    found = dict.fromkeys(("wrong", "as if chosen", "each", "winner"), 0)
    rates, most = row.rates, max(row.rates)
    for _ in range(runs):
        images = drawn(chance, row)
        judged = judge(images)
        best, *others = judged.order
        worse = [place for place in others if judged.standings[place] == "worse"]
        named = judged.standings[best] == "shown to be the best"
        only = sum(rate == most for rate in rates) == 1
        false = any(rates[place] >= rates[best] for place in worse)
        found["wrong"] += false or (named and not (only and rates[best] == most))
        alone = [images.flips(best, place) for place in others]
        adjusted = holm([flips.p_value for flips in alone])
        found["as if chosen"] += any(
            flips.direction(p_value) == "worse" and rates[place] >= rates[best]
            for place, flips, p_value in zip(others, alone, adjusted, strict=True)
        )
        found["each"] += sum(rates[place] < most for place in worse)
        found["winner"] += named and only and rates[best] == most
    return found


def shown(count: int, of: int) -> str:
    """A share with its standard error; a dash where there is nothing to see."""
    if not of:
        return "–"
    share = count / of
    return f"{share:.1%} ± {math.sqrt(share * (1 - share) / of):.1%}"


def false_statements(runs: int) -> int:
    """Print the table; 1 if what is promised does not hold."""
    print(f"{runs} seeded runs a row")
    print("| tasks | images | wrong | as if chosen | each | winner |")
    print("|---|---:|---:|---:|---:|---:|")
    bad = 0
    for row in ROWS:
        found = simulate(row, runs)
        most = max(row.rates)
        lower = sum(rate < most for rate in row.rates)
        only = len(row.rates) - lower == 1
        cells = (
            shown(found["wrong"], runs),
            shown(found["as if chosen"], runs),
            shown(found["each"], lower * runs),
            shown(found["winner"], only * runs),
        )
        print(f"| {row.name} | {row.images} | {' | '.join(cells)} |", flush=True)
        bad += found["wrong"] / runs > ERROR + 3 * math.sqrt(ERROR * (1 - ERROR) / runs)
    return int(bad > 0)


def task(number: int, right: np.ndarray, group: str) -> Report:
    """A report of one task."""
    outcomes = [
        Outcome(
            evaluation="speed",
            model=f"ollama:{number}",
            model_digest="",
            case=f"{place:05}.png",
            sha256=f"{place}",
            expected="cat",
            kind="correct" if hit else "misclassified",
            predicted="cat" if hit else "dog",
            tags={"scene": str(place // 2)} if group else {},
        )
        for place, hit in enumerate(right.tolist())
    ]
    return reports.build(
        evaluation="speed",
        model=f"ollama:{number}",
        dataset=DatasetFacts(
            name="speed", content_hash="0", labels=("cat", "dog"), cases_in_dataset=len(outcomes)
        ),
        outcomes=outcomes,
        group=group,
    )


def speed() -> int:
    """Print how long the leaderboard of many tasks takes; 1 if that is too long."""
    chance = np.random.default_rng(15)
    slow = 0
    for group in ("", "scene"):
        rates = chance.uniform(0.6, 0.9, TASKS)
        tasks = [task(n, chance.random(IMAGES) < rate, group) for n, rate in enumerate(rates)]
        started, waited = time.process_time(), time.perf_counter()
        board = leaderboard(tasks)
        if board is None:
            return 1
        difficulty(board.images)
        spent, waited = time.process_time() - started, time.perf_counter() - waited
        print(
            f"{TASKS} tasks, {IMAGES} images{f', {IMAGES // 2} scenes' if group else ''}: "
            f"{board.tests} pairs in {spent:.1f} s of processor time, {waited:.1f} s waited"
        )
        slow += spent > SECONDS
    return int(slow > 0)


if __name__ == "__main__":
    asked = sys.argv[1:]
    sys.exit(speed() if asked == ["speed"] else false_statements(int(asked[0]) if asked else 2000))
