"""How many images early stopping uses, and how often it is wrong.

    python benchmarks/early_stopping.py [--runs 2000] [--images 500] [--gate "accuracy>=0.75"]

First a gate on accuracy, for populations with exactly so many right images: by seeded runs of the
real `SequentialMonitor`, each with another random order, and exactly, by adding up the
probabilities of all ways that the same code can go. Then, by runs alone, other gates at populations
that are as close to their bound as can be, where a wrong verdict is likeliest, and comparisons with
committed predictions beside a gate: clear losses, and the edge of what fails. Wrong is a verdict
that all images together would not give. Exits with 1 if a bar is missed.

`--baseline` measures the comparisons alone. Each share of wrong verdicts stands beside its Monte
Carlo standard error.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmclf.analysis.comparison.baseline import fails as baseline_fails
from pytest_llmclf.analysis.comparison.tolerance import parse_tolerance
from pytest_llmclf.gates.gate import Gate
from pytest_llmclf.gates.sequential.paired import PairedQuestion
from pytest_llmclf.gates.sequential.question import Question, questions
from pytest_llmclf.gates.sequential.threshold_progress import start
from pytest_llmclf.gates.sequential.watch import EARLY_ERROR as ERROR
from pytest_llmclf.gates.sequential.watch import SequentialMonitor
from pytest_llmclf.values.case import Case
from pytest_llmclf.values.outcome import Outcome
from pytest_llmclf.values.seeded import seeded_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.gates.sequential.threshold_progress import Progress

RATES = (0.99, 0.95, 0.90, 0.80, 0.70, 0.60, 0.30)
MEAN_BARS = {("accuracy>=0.75", 500): {0.95: 40.0, 0.90: 70.0, 0.60: 90.0}}
NEGLIGIBLE = 1e-15
NOISE = 4.0
"""Standard errors by which runs may differ from what is exact."""
OTHERS = (
    # gate, images of each class, right ones of each class
    ("balanced_accuracy>=0.75", (100, 50), (75, 37)),
    ("balanced_accuracy>=0.75", (100, 50), (74, 38)),
    ("balanced_accuracy>=0.75", (135, 15), (108, 10)),
    ("balanced_accuracy>=0.75", (135, 15), (94, 12)),
    ("balanced_accuracy>=0.75", (135, 15), (128, 14)),
    ("macro_recall<0.5", (90, 40, 20), (45, 20, 10)),
    ("recall[0]>=0.8", (50, 100), (39, 100)),
    ("accuracy>=0.8, recall[0]>=0.6, recall[1]>=0.6", (50, 50, 50), (30, 40, 49)),
    ("accuracy>=0.75 with 95% confidence", (150,), (121,)),
    ("accuracy>=0.75 with 95% confidence", (150,), (122,)),
    ("accuracy>=0.75 with 95% confidence", (150,), (142,)),
    ("accuracy>=0.75 with 95% confidence", (150,), (75,)),
)
OTHER_RUNS = 500
PAIRED = (
    # images right and wrong before, broken, fixed, tolerance
    (283, 65, 40, 0, None),
    (425, 75, 60, 0, None),
    (283, 65, 40, 0, "5"),
    (283, 65, 0, 0, None),
    (283, 65, 0, 0, "5"),
    (283, 65, 5, 5, None),
    (283, 65, 6, 0, None),
    (283, 65, 5, 0, None),
    (283, 65, 13, 4, None),
    (283, 65, 12, 4, None),
    (283, 65, 32, 17, None),
    (283, 65, 31, 17, None),
    (283, 65, 9, 3, "5"),
    (283, 65, 8, 3, "5"),
    (425, 75, 21, 11, "2%"),
    (425, 75, 22, 11, "2%"),
    (50, 10, 6, 0, None),
    (50, 10, 5, 0, None),
)
PAIRED_GATE = "accuracy>=0.5"
"""Beside each comparison: a clear case, with which it shares the error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one population came to.

    Attributes:
        wrong: Share of wrong verdicts.
        used: Images used, a number a run.
    """

    wrong: float
    used: tuple[int, ...]


def population(sizes: Sequence[int], right: Sequence[int]) -> list[tuple[Case, Outcome]]:
    """Cases of classes 0, 1, ..., the first ones of each class answered right."""
    found = []
    for label, (size, hits) in enumerate(zip(sizes, right, strict=True)):
        for number in range(size):
            case = Case(id=f"{label}/{number}.png", root=Path(), sha256="", label=str(label))
            found.append((case, outcome_of(case, right=number < hits)))
    return found


def outcome_of(case: Case, *, right: bool) -> Outcome:
    """A right or a wrong answer."""
    return Outcome(
        evaluation="benchmark",
        model="model",
        model_digest="",
        case=case.id,
        sha256="",
        expected=case.label,
        kind="correct" if right else "misclassified",
        predicted=case.label if right else "other",
    )


def words(watch: SequentialMonitor) -> tuple[str, ...]:
    """The words of its verdicts."""
    return tuple(verdict.word for verdict in watch.verdicts)


def watched(
    gate: str, drawn: Sequence[tuple[Case, Outcome]], *, until_decided: bool
) -> SequentialMonitor:
    """A session that asks these in this order."""
    labels = sorted({case.label for case, _ in drawn})
    watch = SequentialMonitor(
        [Gate(gate)], labels, [case for case, _ in drawn], "model", imported=False
    )
    for _, outcome in drawn:
        watch.see(outcome)
        if until_decided and watch.decided:
            break
    return watch


def all_asked(gate: str, members: Sequence[tuple[Case, Outcome]]) -> tuple[str, ...]:
    """The verdicts of all images together, whatever was decided before."""
    labels = sorted({case.label for case, _ in members})
    cases = [case for case, _ in members]
    questions = questions_of(gate, labels, cases)
    return tuple(
        one.regions.at(
            sum(one.weights.get(case.id, 0) for case, outcome in members if one.counts(outcome))
        )
        for one in questions
    )


def questions_of(gate: str, labels: Sequence[str], cases: Sequence[Case]) -> list[Question]:
    """What a gate asks of these cases."""
    found = questions([Gate(gate)], labels, cases, "model", imported=False)
    return [one for one in found if isinstance(one, Question)]


def simulate(gate: str, sizes: Sequence[int], right: Sequence[int], runs: int) -> Row:
    """Runs of the real thing, each in another order."""
    members = population(sizes, right)
    by_id = {case.id: (case, outcome) for case, outcome in members}
    truth = all_asked(gate, members)
    used, wrong = [], 0
    for seed in range(runs):
        drawn = [by_id[id_] for id_ in seeded_order(list(by_id), seed)]
        watch = watched(gate, drawn, until_decided=True)
        used.append(watch.asked)
        wrong += words(watch) != truth
    return Row(wrong=wrong / runs, used=tuple(used))


def exact(gate: str, images: int, totals: Sequence[int]) -> list[tuple[float, float]]:
    """Share of wrong verdicts and mean images used, for each number of right images.

    For a gate of one threshold on the accuracy. What has happened matters only by how many are
    right and what was refuted, so ways that agree in that are added up.
    """
    members = population((images,), (0,))
    (asked,) = questions_of(gate, ["0"], [case for case, _ in members])
    yes, no = outcome_of(members[0][0], right=True), outcome_of(members[0][0], right=False)
    ways: dict[object, tuple[Progress, list[float]]] = {
        None: (start(asked, ERROR), [1.0] * len(totals))
    }
    wrong, mean = [0.0] * len(totals), [0.0] * len(totals)
    for number in range(1, images + 1):
        ahead: defaultdict[object, list[float]] = defaultdict(lambda: [0.0] * len(totals))
        reached: dict[object, Progress] = {}
        for progress, chances in ways.values():
            left = images - number + 1
            for outcome in (yes, no):
                following = progress.after(outcome, number)
                key = (following.gained, *(doubt.refuted for doubt in following.doubts))
                reached[key] = following
                for place, total in enumerate(totals):
                    chance = (total - progress.gained) / left
                    ahead[key][place] += chances[place] * (chance if outcome is yes else 1 - chance)
        ways = {}
        for endpoint_key, progress in reached.items():
            if progress.word is None:
                if max(ahead[endpoint_key]) > NEGLIGIBLE:
                    ways[endpoint_key] = (progress, ahead[endpoint_key])
                continue
            for place, total in enumerate(totals):
                mean[place] += number * ahead[endpoint_key][place]
                wrong[place] += ahead[endpoint_key][place] * (
                    progress.word != asked.regions.at(total)
                )
    return list(zip(wrong, mean, strict=True))


def accuracy_table(gate: str, images: int, runs: int) -> list[str]:
    """Print the table of a gate on accuracy; what misses a bar."""
    (asked,) = questions_of(gate, ["0"], [case for case, _ in population((images,), (0,))])
    regions = asked.regions
    edges = {regions.last_low, regions.last_low + 1, regions.first_high - 1, regions.first_high}
    rates = {round(rate * images): rate for rate in RATES}
    totals = sorted({total for total in edges if 0 <= total <= images} | set(rates), reverse=True)
    print(f"\n{gate}, {images} images, {runs} runs a row")
    print("right      share  wrong %  exact  | mean  exact  median  90th percentile")
    missed = []
    for total, (wrong, mean) in zip(totals, exact(gate, images, totals), strict=True):
        row = simulate(gate, (images,), (total,), runs) if runs else Row(wrong=wrong, used=(0, 0))
        tenths = statistics.quantiles(row.used, n=10)
        where = f"{gate}, {total}/{images} right"
        seen = statistics.fmean(row.used)
        simulated = f"{100 * row.wrong:7.2f}" if runs else "      –"
        used = f"{seen:5.1f}" if runs else "    –"
        rest = (
            f"{statistics.median(row.used):6.0f}  {tenths[-1]:6.0f}" if runs else "     –       –"
        )
        print(
            f"{total:4}/{images:<5} {total / images:.3f}  {simulated}  {100 * wrong:5.2f}  |"
            f"{used}  {mean:5.1f}  {rest}"
        )
        if wrong > ERROR:
            missed.append(f"{where}: wrong in {100 * wrong:.2f}%, more than {100 * ERROR:g}%")
        bar = MEAN_BARS.get((gate, images), {}).get(rates.get(total, -1.0))
        if bar is not None and max(mean, seen if runs else 0) > bar:
            missed.append(f"{where}: {mean:.1f} images on average, more than {bar:g}")
        if runs:
            missed += [f"{where}: {line}" for line in _too_far(row, wrong, mean, runs)]
    return missed


def _too_far(row: Row, wrong: float, mean: float, runs: int) -> list[str]:
    """Where runs differ from what is exact by more than chance."""
    noise = NOISE * (wrong * (1 - wrong) / runs) ** 0.5 + NOISE / runs
    found = []
    if abs(row.wrong - wrong) > noise:
        found.append(f"wrong in {100 * row.wrong:.2f}% of runs, exactly {100 * wrong:.2f}%")
    noise = NOISE * (statistics.stdev(row.used) + 1) / runs**0.5
    if abs(statistics.fmean(row.used) - mean) > noise:
        found.append(f"runs use {statistics.fmean(row.used):.1f} images, exactly {mean:.1f}")
    return found


def other_table(runs: int) -> list[str]:
    """Print the table of other gates; what misses a bar."""
    print(f"\nOther gates, {runs} runs a row")
    print("wrong %  |  mean images   gate, right ones of each class")
    missed = []
    for gate, sizes, right in OTHERS:
        row = simulate(gate, sizes, right, runs)
        shown = ", ".join(f"{hits}/{size}" for hits, size in zip(right, sizes, strict=True))
        mean = statistics.fmean(row.used)
        print(f"{100 * row.wrong:7.2f}  | {mean:6.1f} of {sum(sizes)}   {gate}: {shown}")
        if row.wrong > ERROR + NOISE * (ERROR / runs) ** 0.5:
            missed.append(f"{gate}, {shown}: wrong in {100 * row.wrong:.2f}%")
    return missed


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """A committed baseline and what a model does to it.

    Attributes:
        right: Images that were right.
        wrong: Images that were wrong.
        broken: Of those that were right: how many are not any more.
        fixed: Of those that were wrong: how many are right now.
        tolerance: Largest net loss that passes, as on the command line.
    """

    right: int
    wrong: int
    broken: int
    fixed: int
    tolerance: str | None

    @property
    def truth(self) -> str:
        """What all images say."""
        return "FAIL" if self.failing(self.broken, self.fixed) else "PASS"

    def failing(self, broken: int, fixed: int) -> bool:
        """Whether so many flips fail."""
        tolerance = None if self.tolerance is None else parse_tolerance(self.tolerance)
        return baseline_fails(broken, fixed, self.right + self.wrong, tolerance)

    def members(self) -> list[tuple[Case, Outcome]]:
        """Images that were right first."""
        hits = [place >= self.broken for place in range(self.right)]
        hits += [place < self.fixed for place in range(self.wrong)]
        found = []
        for place, hit in enumerate(hits):
            case = Case(id=f"{place}.png", root=Path(), sha256="", label="0")
            found.append((case, outcome_of(case, right=hit)))
        return found


def simulate_paired(paired: Paired, runs: int) -> tuple[Row, float, float]:
    """Sessions with a gate and a comparison, each in another order.

    Returns:
        Wrong comparisons and images used; the share of sessions that stopped before the last
        image; the share of comparisons that were certain.
    """
    members = {case.id: (case, outcome) for case, outcome in paired.members()}
    known = {f"{place}.png": place < paired.right for place in range(len(members))}
    asked = PairedQuestion(name="baseline", right=known, fails=paired.failing)
    used, wrong, certain = [], 0, 0
    for seed in range(runs):
        drawn = [members[id_] for id_ in seeded_order(list(members), seed)]
        watch = SequentialMonitor(
            [Gate(PAIRED_GATE)],
            ["0"],
            [case for case, _ in drawn],
            "model",
            imported=False,
            paired=[asked],
        )
        for _, outcome in drawn:
            watch.see(outcome)
            if watch.decided:
                break
        (progress,) = watch.compared
        used.append(watch.asked)
        wrong += progress.word != paired.truth
        certain += progress.certain
    stopped = sum(number < len(members) for number in used) / runs
    return Row(wrong=wrong / runs, used=tuple(used)), stopped, certain / runs


def paired_table(runs: int) -> list[str]:
    """Print the table of comparisons with committed predictions; what misses a bar."""
    print(f"\nCommitted predictions, beside {PAIRED_GATE}, {runs} runs a row")
    print(
        "images  broken fixed tolerance  all say  wrong % ± s.e.  | mean  median  stopped  certain"
    )
    missed = []
    for row in PAIRED:
        right, wrong_before, broken, fixed, tolerance = row
        paired = Paired(
            right=right, wrong=wrong_before, broken=broken, fixed=fixed, tolerance=tolerance
        )
        found, stopped, certain = simulate_paired(paired, runs)
        error = (found.wrong * (1 - found.wrong) / runs) ** 0.5
        print(
            f"{right + wrong_before:6}  {broken:6} {fixed:5} {tolerance or '-':>9}  "
            f"{paired.truth:>7}  {100 * found.wrong:7.2f} ± {100 * error:4.2f}  "
            f"|{statistics.fmean(found.used):5.0f}  {statistics.median(found.used):6.0f}  "
            f"{stopped:5.0%}  {certain:7.0%}",
            flush=True,
        )
        if found.wrong > ERROR + NOISE * (ERROR / runs) ** 0.5:
            missed.append(f"{row}: wrong in {100 * found.wrong:.2f}%")
    return missed


def main() -> int:
    """Print all tables; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000, help="runs a row (default: 2000)")
    parser.add_argument("--images", type=int, help="only for so many images (default: 500)")
    parser.add_argument("--gate", help="only for this gate on accuracy (default: accuracy>=0.75)")
    parser.add_argument(
        "--baseline", action="store_true", help="only comparisons with committed predictions"
    )
    options = parser.parse_args()
    began = time.perf_counter()
    if options.baseline:
        return concluded(paired_table(options.runs), began)
    gate = options.gate or "accuracy>=0.75"
    if [threshold.subject for threshold in Gate(gate).parsed.thresholds] != ["accuracy"]:
        parser.error(f"{gate!r} is not one threshold on the accuracy")
    missed = accuracy_table(gate, options.images or 500, options.runs)
    if options.gate is None and options.images is None:
        for images in (100, 143):
            missed += accuracy_table(gate, images, 0)
        missed += other_table(min(options.runs, OTHER_RUNS))
        if options.runs:
            missed += paired_table(min(options.runs, OTHER_RUNS))
    return concluded(missed, began)


def concluded(missed: Sequence[str], began: float) -> int:
    """Say which bars were missed; the exit code."""
    for line in missed:
        print(f"MISSED {line}")
    print(f"\n{'missed' if missed else 'all bars reached'} in {time.perf_counter() - began:.0f} s")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
