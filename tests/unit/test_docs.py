"""The page that explains the numbers says what the code says."""

from __future__ import annotations

import re
from dataclasses import fields
from functools import cache
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, get_args

import pytest
from scipy.stats import binom

from pytest_llmclf import reference
from pytest_llmclf.analysis.comparison.baseline import sensitivity
from pytest_llmclf.analysis.comparison.paired_comparison import Comparison
from pytest_llmclf.analysis.diagnosis.diagnose import diagnose
from pytest_llmclf.analysis.diagnosis.finding import Finding
from pytest_llmclf.gates.expression import parse
from pytest_llmclf.gates.feasible import undecidable
from pytest_llmclf.gates.gate import Gate, parse_addressed
from pytest_llmclf.gates.judging import judge, judgement
from pytest_llmclf.gates.sequential.watch import EARLY_ERROR
from pytest_llmclf.metrics.calibration.scores import BINS
from pytest_llmclf.metrics.calibration.summary import TARGET
from pytest_llmclf.metrics.intervals import difference_interval
from pytest_llmclf.metrics.metric_table import METRICS
from pytest_llmclf.metrics.power import images_for_loss, images_to_pass, passes_from
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.significance import mcnemar_anytime, mcnemar_exact
from pytest_llmclf.reporting.diagnosis import finding_text
from pytest_llmclf.reporting.numbers import percent
from pytest_llmclf.runner import settings
from pytest_llmclf.runner.shared_options import SHARED_OPTIONS
from pytest_llmclf.values.case import Case
from pytest_llmclf.values.outcome import Outcome
from pytest_llmclf.values.seeded import seeded_order
from pytest_llmclf.values.verdict import VerdictWord

if TYPE_CHECKING:
    from pytest_llmclf.metrics.report import Report

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
OPTIONS = (ROOT / "pytest_llmclf" / "plugin" / "options.py").read_text(encoding="utf-8") + "".join(
    f'"--llmclf-{name}" "llmclf_{name.replace("-", "_")}"' for name in SHARED_OPTIONS
)

FENCES = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROSE = " ".join(FENCES.sub("", PAGE).split())
CODE = re.findall(r"`([^`]+)`", PROSE)
COMPARISON = re.compile(r"[a-z]\w*(?:[\[@{].*)? ?[<>]=? ?[\d.]+.*")


def fenced(language: str) -> list[str]:
    return [text for found, text in FENCES.findall(PAGE) if found == language]


def rows(head: str) -> list[list[str]]:
    """The cells of the table whose first line begins so."""
    lines = PAGE[PAGE.index(head) :].splitlines()
    table = takewhile(lambda line: line.startswith("|"), lines)
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table]
    return cells[2:]


@cache
def mnist() -> Report:
    return reference.published("mnist")


def stopped_after(images: int) -> Report:
    """The published answers as a run with the default seed that stopped early has them."""
    whole = mnist()
    order = seeded_order([one.case for one in whole.outcomes], settings.DEFAULT_SEED)
    asked = set(order[:images])
    return build(
        evaluation=whole.evaluation,
        model=whole.model,
        dataset=whole.dataset,
        outcomes=[one if one.case in asked else not_needed(one) for one in whole.outcomes],
        order=order,
        stop_error=EARLY_ERROR,
    )


def not_needed(one: Outcome) -> Outcome:
    return Outcome(
        evaluation=one.evaluation,
        model=one.model,
        model_digest="",
        case=one.case,
        sha256="",
        expected=one.expected,
        kind="not_needed",
    )


def quoted_verdicts() -> list[str]:
    lines = "".join(fenced("text")).replace("\n  ", " ").splitlines()
    return [line for line in lines if line]


@pytest.mark.parametrize("line", quoted_verdicts())
def test_a_quoted_verdict_is_what_the_published_counts_give(line: str) -> None:
    """Word, numbers and wording, also of a run that stopped early."""
    word, _, text = line.partition(" ")
    expression = text.partition(": ")[0]
    early = re.search(r"after (\d+) of 500 images in random order", text)
    if early is None:
        assert line in repr(judgement(mnist(), expression)).splitlines()
        return
    (found,) = judge(stopped_after(int(early[1])), [Gate(expression)])
    assert f"{found.word} {found.text}" == line
    assert word == "PASS"
    (before,) = judge(stopped_after(int(early[1]) - 1), [Gate(expression)])
    assert before.word == "INCONCLUSIVE"


def test_every_gate_on_the_page_is_one() -> None:
    """In Python, on the command line and in running text."""
    python = "\n".join(fenced("python"))
    declared = re.findall(r'Gate\("([^"]+)"', python)
    assert len(declared) == python.count("Gate(")
    for text in (*declared, *re.findall(r'\.meets\("([^"]+)"\)', PROSE)):
        Gate(text)
    assert [parse_addressed(text) for text in re.findall(r'--llmclf-gate "([^"]+)"', PROSE)]
    running = [text for text in CODE if COMPARISON.fullmatch(text)]
    assert len(running) > 10
    for text in running:
        parse(text)


def told(cell: str) -> float:
    """A number as a table has it."""
    return float(cell.replace(",", ""))


@pytest.mark.parametrize(
    ("head", "kind"), [("| true accuracy | images for", "gate"), ("| true loss, points |", "loss")]
)
def test_the_tables_of_plans_are_what_is_planned(head: str, kind: str) -> None:
    """Numbers of images exactly; chances by scipy."""
    sizes = (100, 200, 500, 1000)
    for truth, enough, sure, *chances in rows(head):
        if kind == "gate":
            wanted = [images_to_pass(0.9, told(truth), alpha=0.05, chance=c) for c in (0.8, 0.9)]
            least = binom.isf(0.05, sizes, 0.9)
            shares = binom.sf(least, sizes, told(truth))
        else:
            loss = told(truth) / 100
            wanted = [images_for_loss(loss, alpha=0.05, chance=c) for c in (0.8, 0.9)]
            shares = binom.sf(5, sizes, loss)
        assert [told(enough), told(sure)] == wanted
        assert chances == [percent(min(float(one), 1 - 1e-9)) for one in shares]


def test_numbers_of_plans_in_running_text() -> None:
    """The line of a baseline that passed, and what flips cost."""
    found = Comparison(cases=tuple(map(str, range(348))), correct=283, changes=())
    assert f"`348 predictions as committed; {'; '.join(sensitivity(found))}`" in PROSE
    more = images_for_loss(0.03, fixed=0.01, alpha=0.05)
    assert f"3 points take {more} images for 80%" in PROSE


def ever_passes(*sizes: int) -> float:
    """How often a gate at 0.8 passes at any of these looks, the truth being the bound, exactly."""
    going, passed, before = [1.0], 0.0, 0
    for size in sizes:
        step = binom.pmf(range(size - before + 1), size - before, 0.8)
        going = [
            sum(
                going[hits - new] * step[new]
                for new in range(len(step))
                if 0 <= hits - new < len(going)
            )
            for hits in range(size + 1)
        ]
        before, least = size, passes_from(size, 0.8, 0.05)
        passed += sum(going[least:])
        going[least:] = [0.0] * (size + 1 - least)
    return passed


def test_looking_again_passes_as_often_as_is_told() -> None:
    """Two looks, and five."""
    found = re.search(r"pass wrongly in ([\d.]+)% .*? in ([\d.]+)% with five", PROSE)
    assert found is not None
    exact = [ever_passes(50, 100), ever_passes(50, 100, 150, 200, 250)]
    assert list(found.groups()) == [f"{100 * one:.1f}" for one in exact]


def test_the_page_on_gates_has_the_numbers_of_this_page() -> None:
    """Mean images of runs that stop early, rounded."""
    means = {row[0]: float(row[2]) for row in rows("| right among all |")}
    text = " ".join((ROOT / "docs" / "gates.md").read_text(encoding="utf-8").split())
    found = re.search(
        r"accuracy 0\.95 needs (\d+) of them on average, one of 0\.90 needs (\d+), one of 0\.60 "
        r"needs (\d+)",
        text,
    )
    assert found is not None
    assert [int(one) for one in found.groups()] == [
        round(means[right]) for right in ("0.95", "0.90", "0.60")
    ]


def test_every_metric_is_explained() -> None:
    """Each that a gate may name has its formula in the table, and nothing else has."""
    told = " ".join(row[0] for row in rows("| number | formula |"))
    assert set(re.findall(r"`(\w+)(?:\[\w+\])?`", told)) == set(METRICS)


def test_the_front_explains_every_verdict() -> None:
    """Each word has a row, and the errors are those that the code keeps."""
    assert [row[0] for row in rows("| word | meaning | the run |")] == list(get_args(VerdictWord))
    front = PROSE[PROSE.index("## The two-minute version") : PROSE.index("## The problem")]
    assert f"in at most {EARLY_ERROR:.0%} of the random orders" in front
    # What a gate at 95%, and a test at 5% of which one side fails, may err.
    assert "PASS wrongly in at most 5% of samples" in front
    worst = max(mcnemar_fails(flips) for flips in range(1, 200))
    assert worst <= 0.025
    assert f"fails in at most {percent(0.025)} of runs where only chance" in front


def mcnemar_fails(flips: int) -> float:
    """How often so many flips, each as likely either way, fail a baseline."""
    return float(
        sum(
            binom.pmf(broken, flips, 0.5)
            for broken in range(flips // 2 + 1, flips + 1)
            if mcnemar_exact(broken, flips - broken) < 0.05
        )
    )


def test_every_kind_of_finding_is_explained() -> None:
    """Each has a row, and every row is of one."""
    kinds = {
        field.default
        for part in get_args(Finding)
        for field in fields(part)
        if field.name == "kind"
    }
    assert {row[0].split("`")[1] for row in rows("| finding | claim | test |")} == kinds


def test_every_option_exists() -> None:
    """On the command line and in the ini file."""
    options = set(re.findall(r"--llmclf-[a-z-]+", PAGE))
    assert options
    assert {one for one in options if f'"{one}"' not in OPTIONS} == set()
    ini = set(re.findall(r"`(llmclf_\w+)`", PAGE))
    assert ini
    assert {one for one in ini if f'addini("{one}"' not in OPTIONS} == set()


def test_defaults_are_those_of_the_code() -> None:
    """The numbers that are not computed but chosen; those of options stand in settings.md."""
    assert BINS == 10
    assert "ten bins of equal width" in PROSE
    assert f"right {TARGET:.0%} of the time" in PROSE


def test_every_named_benchmark_is_there() -> None:
    """Who wants to check a table finds what printed it."""
    named = {text for text in CODE if text.startswith("benchmarks/")}
    assert named
    assert all((ROOT / PurePosixPath(name)).is_file() for name in named)


def test_a_point_gate_fails_as_often_as_the_table_says() -> None:
    """Exact binomial probabilities, to the digit."""
    for images, told in rows("| images | the gate fails in |"):
        least = -(-int(images) * 80 // 100)
        fails = binom.cdf(least - 1, int(images), 0.82)
        assert told.startswith(f"{100 * fails:.1f}%"), images


def test_a_gate_with_confidence_decides_as_the_table_says() -> None:
    """From how many right ones on it passes, up to how many it fails, and how often that is."""
    for row in rows("| images | passes from |"):
        images, passes, fails = map(int, row[:3])
        assert tail(passes, images) <= 0.05 < tail(passes - 1, images)
        assert binom.cdf(fails, images, 0.8) < 0.05 <= binom.cdf(fails + 1, images, 0.8)
        shares = [binom.sf(passes - 1, images, rate) for rate in (0.85, 0.9, 0.95)]
        shares += [binom.cdf(fails, images, rate) for rate in (0.75, 0.7)]
        # No number of draws makes it certain.
        assert row[3:] == [percent(min(float(share), 1 - 1e-9)) for share in shares]


def tail(least: int, images: int) -> float:
    return float(binom.sf(least - 1, images, 0.8))


def test_as_many_images_are_needed_as_the_table_says() -> None:
    """One fewer is told at collection; so many are not."""
    head, (_, *needed) = "| bound | 0.5 |", *rows("| bound | 0.5 |")
    bounds = PAGE[PAGE.index(head) :].partition("\n")[0].split("|")[2:-1]
    for bound, images in zip(bounds, map(int, needed), strict=True):
        gate = Gate(f"accuracy >= {bound.strip()} with 95% confidence")
        assert undecidable(gate, ("cat",), cats(images)) == ()
        (told,) = undecidable(gate, ("cat",), cats(images - 1))
        assert told.endswith(f"needs {images}")


def cats(count: int) -> list[Case]:
    return [Case(id=str(place), root=Path(), sha256="", label="cat") for place in range(count)]


def test_the_quoted_warning_is_the_one_that_is_given() -> None:
    """Of fifty images and a bound of 0.95."""
    (told,) = undecidable(Gate("accuracy >= 0.95 with 95% confidence"), ("cat",), cats(50))
    assert f"cannot be shown: {told}" in CODE


def test_flips_have_the_p_values_of_the_table() -> None:
    """McNemar's, the one for runs that stopped, and the interval."""
    for broken, fixed, told, verdict in rows("| broken | fixed | p |"):
        p_value = mcnemar_exact(int(broken), int(fixed))
        assert told == f"{p_value:.3g}"
        assert verdict == ("fails" if p_value < 0.05 else "passes")
    assert f"14 and 4 give {mcnemar_anytime(14, 4):.2f}" in PROSE
    ends = difference_interval(14, 4, 500)
    told = f"difference {-10 / 500:.3f}, 95% interval {ends.low:.3f} to {ends.high:.3f}"
    assert told.replace("-", "\N{MINUS SIGN}") in PROSE


def test_quoted_findings_are_those_of_the_published_counts() -> None:
    """Numbers and wording, up to the advice."""
    told = [
        finding_text(found)
        for name in reference.names()
        for found in diagnose(reference.published(name))
    ]
    quotes = [
        " ".join(quote.replace("\n> ", " ").split())
        for quote in re.findall(r"^> (.*(?:\n> .*)*)", PAGE, re.MULTILINE)
    ]
    findings = [quote for quote in quotes if not quote.startswith("A is better")]
    assert len(findings) == 2
    assert all(any(text.startswith(quote) for text in told) for quote in findings)
