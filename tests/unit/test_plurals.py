"""One of a thing is not told as several: "1 image", never "1 images"."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import pytest_llmclf
from pytest_llmclf.metrics.wording import images_of
from pytest_llmclf.reporting.numbers import plural
from pytest_llmclf.values.text import noun

PACKAGE = Path(pytest_llmclf.__file__).parent
NOUNS = (
    "answers|askings|cases|cells|changes|classes|columns|comparisons|confusions|datasets|decisions|"
    "entries|errors|evaluations|files|flips|gates|hosts|images|kinds|labels|lines|looks|minutes|"
    "mistakes|models|outcomes|pairs|images|pixels|problems|questions|repeats|requests|rows|runs|"
    "scores|seconds|servers|sizes|stores|tags|tests|thresholds|tokens|values|workers|words"
)
ADJECTIVES = "damaged|different|finished|further|known|more|other|plain"
COUNTED = re.compile(rf" (?:(?:{ADJECTIVES}) )?(?:{NOUNS})\b")
VERBS = re.compile(r" (?:answers|runs)\b")
"""After the name of a server or a model, in the modules that reach them."""
ALLOWED = {
    # More than one, or there is no such line.
    "analysis/comparison/margin.py": ("tests",),
    "analysis/consistency.py": ("self.askings", "self.own_flips"),
    "analysis/foresight.py": ("several",),
    "analysis/label_review/reasons.py": ("len(said)", "len(first)"),
    "batch/declared.py": ("len(named)",),
    "data/archives/archive_zip.py": ("len(infos)",),
    "data/archives/archive.py": ("count", "limits.entries"),
    "data/archives/archive_tar.py": ("limits.entries",),
    "data/manifest_columns.py": ("len(columns)",),
    "gates/feasible.py": ("len(labels)",),
    "gates/gate.py": ("len(answering)",),
    "gates/reading.py": ("total", "certainty.thresholds"),
    "gates/sequential/rejudging.py": ("report.ledger.collected",),
    "gates/sequential/verdict_lines.py": ("tests", "total"),
    "metrics/wording.py": ("whole",),
    "models/pool.py": ("len(self._places)",),
    "plugin/baselines.py": ("ledger.collected",),
    "reporting/comparison.py": ("tests", "len(compared)"),
    "reporting/diagnosis.py": ("finding.choices",),
    "reporting/mistake_lines.py": ("'all' if style.every else 'most frequent'",),
    "reporting/worst_classes.py": ("numbers.count(len(confusion.labels))", "len(listed)"),
    # Two labels at least: a dataset of one class is refused.
    "reporting/markdown.py": ("len(report.confusion.labels)",),
    "values/example_image.py": ("labels",),
    "reporting/matrix_svg.py": ("len(report.confusion.labels)",),
    "reporting/run_records.py": ("len(dataset.class_sizes)", "len(dataset.labels)"),
    # A share, a mean, a rate, or a range.
    "reporting/numbers.py": ("shown",),
    "metrics/population.py": ("_range(here)",),
    "reporting/calibration.py": ("numbers.fraction(best.coverage)",),
    "reporting/cost_text.py": ("read", "written"),
    "reporting/stability_lines.py": ("stability.mean_flips",),
    # A number of this package, or large where it is told.
    "cli/describe.py": ("tokens",),
    "cli/predict.py": ("IN_VAIN",),
    "data/image.py": ("_by(size)", "limits.max_pixels"),
    "data/image_header.py": ("height",),
    "reporting/matrix.py": ("style.width",),
    "runner/example_room.py": ("whole", "counts.plain", "context", "wanted"),
    "runner/headroom.py": ("FIRST", "most", "question", "context"),
    # Told to those who write code against it.
    "metrics/intervals.py": ("total",),
    "data/dataset.py": ("per_class",),
    "gates/judging.py": ("kind",),
    "gates/sequential/watch.py": ("len(self._places)",),
    "metrics/confusion.py": ("size",),
    "metrics/measure.py": ("self.classes",),
    "reporting/html/thumbnails.py": ("self.largest_side",),
}
"""By module, what is counted in front of a plural though nothing asks whether it is one."""


@cache
def counted() -> list[tuple[str, str, str]]:
    """Module, count and words of every plural that stands behind a count in a text."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for text in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(text, ast.JoinedStr):
                continue
            for value, words in zip(text.values, text.values[1:], strict=False):
                if isinstance(value, ast.FormattedValue) and isinstance(words, ast.Constant):
                    match = COUNTED.match(str(words.value))
                    module = path.relative_to(PACKAGE).as_posix()
                    reaches = module.startswith(("models/", "runner/connections"))
                    if match is not None and not (reaches and VERBS.match(match[0])):
                        found.append((module, ast.unparse(value.value), match[0].strip()))
    return found


def test_what_is_counted_may_be_one() -> None:
    """Where a plural is written behind a count, it is one of those that are several by then."""
    slips = [one for one in counted() if one[1] not in ALLOWED.get(one[0], ())]
    assert slips == []


def test_no_exception_is_left_over() -> None:
    """What is allowed is there."""
    there = {(module, count) for module, count, _ in counted()}
    allowed = {(module, count) for module, counts in ALLOWED.items() for count in counts}
    assert allowed - there == set()


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 images"), (1, "1 image"), (2, "2 images"), (1500, "1,500 images")]
)
def test_a_count_and_its_noun(number: int, said: str) -> None:
    """None and several have an s."""
    assert plural(number, "image") == said
    assert f"{number} {noun(number, 'image')}" == said.replace(",", "")


def test_a_noun_with_a_plural_of_its_own() -> None:
    """And a verb with it."""
    assert noun(1, "class", "classes") == "class"
    assert noun(3, "image was", "images were") == "images were"
    assert noun(1.0, "minute") == "minute"
    assert noun(0.5, "minute") == "minutes"


def test_sentences_of_one_image() -> None:
    """As users read them."""
    assert images_of(1, 1) == "1 image"
    assert images_of(1, 500) == "1 of 500 images, a subset"
