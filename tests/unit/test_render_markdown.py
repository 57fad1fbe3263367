"""A run as Markdown."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf import reference
from pytest_llmclf.analysis.comparison.runs import Compared, compare_all
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.reporting.markdown import markdown_summary
from pytest_llmclf.reporting.markdown_comparison import MOST_CHANGES, markdown_comparison
from pytest_llmclf.reporting.markdown_text import cell, code, escaped
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.verdict import Verdict
from tests.unit.ended import ended
from tests.unit.test_render_terminal import built, everything

if TYPE_CHECKING:
    from pytest_llmclf.metrics.report import Report

HOSTILE = "<img src=x onerror=alert(1)>|`a`\n# [x](javascript:1) **b** ~~c~~ $d$ www.e.f @g"
OWN = {"<!-- -->", "<sub>", "</sub>"}
ESCAPED = re.compile(r"\\.")
SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")


def plain(line: str) -> str:
    """A line without code spans and without escaped signs: what Markdown would interpret."""
    return ESCAPED.sub("", SPAN.sub("", line))


def test_verdicts_come_first() -> None:
    """The first table says by report how it went, the second one lists gates, the worst first."""
    verdicts = [
        Verdict(word="PASS", text="fine", evaluation="chess", model=reference.MODEL),
        Verdict(word="FAIL", text="accuracy >= 0.9", evaluation="mnist", model=reference.MODEL),
    ]
    reports = [reference.published(name) for name in ("chess", "mnist")]
    lines = markdown_summary(reports, verdicts, title="Nightly").splitlines()
    assert lines[0] == "## Nightly"
    assert lines[4:6] == [
        "| `chess` | `published:llava-1.5-7b` | 465 | 77 | 16.6% | ✅ PASS |",
        "| `mnist` | `published:llava-1.5-7b` | 500 | 396 | 79.2% | ❌ FAIL |",
    ]
    gates = lines.index("### Gates")
    assert lines[gates + 4] == (
        "| ❌ FAIL | `mnist` · `published:llava-1.5-7b` | accuracy &gt;= 0.9 |"
    )


def test_a_report_says_what_is_wrong() -> None:
    """Counts, interval, diagnosis, worst confusions, scores and matrix of the published run."""
    text = markdown_summary([reference.published("mnist")])
    assert "Accuracy 0.792 (396/500), 95% interval 0.754–0.827." in text
    assert "**Diagnosis**" in text
    assert "| 19 | `0` | `3` | `0/as-3-01`, `0/as-3-02`, `0/as-3-03`, … |" in text
    assert "| *macro avg* |" in text
    assert "| `8` |" in text


def test_every_table_is_one() -> None:
    """All rows of a table have the columns of its head, whatever is in the cells."""
    columns = 0
    for line in markdown_summary([everything(12)], [Verdict(word="PASS", text="a|b")]).splitlines():
        if not line.startswith("|"):
            columns = 0
            continue
        found = len(re.findall(r"(?<!\\)\|", line))
        columns = columns or found
        assert found == columns, line


@given(st.text(max_size=60) | st.just(HOSTILE))
def test_nothing_from_outside_is_markup(text: str) -> None:
    """A text is one line in which neither Markdown nor HTML finds anything."""
    found = escaped(text)
    assert found.isprintable()
    assert not set("<>`*_[]|~") & set(ESCAPED.sub("", found.replace("<!-- -->", "")))
    assert "www." not in found
    assert "://" not in found


@given(st.text(alphabet=st.characters() | st.sampled_from("`| \\"), max_size=30))
def test_a_code_span_ends_where_it_should(text: str) -> None:
    """Whatever a name is made of, it is one span, and no bar of it ends a cell."""
    found = code(text)
    assert found.isprintable()
    match = SPAN.fullmatch(found)
    assert match is not None
    assert match[1] not in re.findall("`+", match[2])
    assert not re.search(r"(?<!\\)\|", cell(text))


def test_a_hostile_report_is_harmless() -> None:
    """Names, answers, notes and verdicts from outside leave no tag, link or table behind."""
    facts = DatasetFacts(name="pets", content_hash="", labels=(HOSTILE, "dog"))
    found = build(
        evaluation="pets",
        model="ollama:llava",
        dataset=facts,
        outcomes=[
            ended(f"{HOSTILE}/{number}", "misclassified", HOSTILE) for number in range(30)
        ] + [
            ended(f"{number}", "unparsed", "dog", reason="refusal", answer=Answer(text=HOSTILE))
            for number in range(9)
        ],
        notes=[HOSTILE],
    )  # fmt: skip
    text = markdown_summary([found], [Verdict(word="FAIL", text=HOSTILE, evaluation=HOSTILE)])
    tags = set(re.findall(r"<[^>]*>", "\n".join(map(plain, text.splitlines()))))
    assert tags <= {*OWN, "<details>", "</details>", "<summary>", "</summary>"}
    assert "](" not in "\n".join(map(plain, text.splitlines()))


def test_many_classes_are_cut() -> None:
    """Of a hundred classes the forty worst are listed; the matrix has the twenty worst."""
    report = everything(100)
    text = markdown_summary([report])
    assert "The 40 classes with the lowest F1-score; 60 more are not listed." in text
    matrix = text.split("<summary>Confusion matrix")[1].split("</details>")[0]
    rows = [line.split(" | ") for line in matrix.splitlines() if line.startswith("| ")]
    assert rows[0][-3:] == ["*others*", "*unparsed*", "*error* |"]
    assert len(rows) == 1 + 20
    supports = {cell(one.label): one.support for one in report.confusion.scores}
    for name, *counts in rows[1:]:
        figures = [int(re.sub(r"[*| ]", "", count).replace("·", "0")) for count in counts]
        assert sum(figures[:-1]) == supports[name.removeprefix("| ")]
    assert "The 20 of 100 classes with most mistakes" in matrix
    assert "left out: 80 classes with" in matrix


def test_what_has_no_room_is_counted() -> None:
    """A report beyond the size is left out and said, and its verdict stands in the table."""
    reports = [reference.published("chess"), reference.published("mnist")]
    size = len(markdown_summary(reports[:1]))
    text = markdown_summary(reports, longest=size)
    assert "1 report more had no room here." in text
    assert "### `mnist`" not in text
    assert "| `mnist` |" in text


def test_models_are_compared_in_pairs() -> None:
    """Two models of one evaluation stand side by side."""
    first = reference.published("chess")
    outcomes = [
        replace(one, model="other", kind="correct", predicted=one.expected)
        for one in first.outcomes
    ]
    second = build(evaluation="chess", model="other", dataset=first.dataset, outcomes=outcomes)
    text = markdown_summary([first, second])
    assert "### Compared in pairs" in text
    assert "| `chess` | `published:llava-1.5-7b` | `other` | 465 | 0 | 388 | < 0.001 |" in text


@pytest.mark.parametrize("found", [built(), built(ended("a", "error", reason="timed-out"))])
def test_nothing_answered_is_said(found: Report) -> None:
    """Without answers there are no scores, and the summary says why."""
    text = markdown_summary([found])
    assert "Incomplete" in text
    assert "F1-score" not in text
    assert markdown_summary([]).endswith("No image was judged.\n")


def compared(before: str, now: str, name: str = "pets", label: str = "dog") -> Compared:
    """Two runs, one image a sign: right, wrong (as `label`) or without an answer."""
    facts = DatasetFacts(name="pets", content_hash="", labels=("cat", label))
    kinds = {"+": "correct", "x": "misclassified", "?": "unparsed", "!": "error"}
    sides = [
        build(
            evaluation=name,
            model=f"ollama:{model}",
            dataset=facts,
            outcomes=[
                replace(
                    ended(f"{place:02}", kinds[sign], reason="refusal" if sign == "?" else None),  # type: ignore[arg-type]
                    evaluation=name,
                    model=f"ollama:{model}",
                    predicted={"+": "cat", "x": label}.get(sign),
                )
                for place, sign in enumerate(signs)
            ],
        )
        for model, signs in (("a", before), ("b", now))
    ]
    (found,) = compare_all([(sides[0], sides[1])])
    return found


def test_a_comparison_begins_with_what_it_comes_to() -> None:
    """One row an evaluation, then sentences and the images that differ."""
    found = compared("+" * 9 + "xx", "x" * 8 + "++" + "?")
    lines = markdown_comparison([found], ("one", "t`wo"), notes=["x_y is in run A only"]).split(
        "\n"
    )
    assert lines[:4] == ["## Runs compared", "", "- A: `one`", "- B: ``t`wo``"]
    row = "| `pets` | `ollama:a` and `ollama:b` | 11 | 81.8% | 18.2% | 8 | 1 | 0.039 |"
    assert f"| ❌ worse {row}" in lines
    assert "- x\\_y is in run A only" in lines
    assert "### `pets` · `ollama:a` and `ollama:b`" in lines
    assert "- A  accuracy 0.818 (9/11)" in lines
    place = lines.index("**Only A is right: 8 images**")
    assert lines[place + 4] == "| `00` | `cat` | `cat` | `dog` |"
    assert "<details><summary>Only B is right: 1 image</summary>" in lines
    assert "<details><summary>Wrong in different ways: 1 image</summary>" in lines
    assert "| `10` | `cat` | `dog` | `(unparsed: refusal)` |" in lines
    # The images stand in the tables alone.
    assert not [line for line in lines if line.startswith(("- only", "- and"))]


@pytest.mark.parametrize(
    ("before", "now", "mark"),
    [
        ("+" * 8, "x" * 8, "❌ worse"),
        ("x" * 8, "+" * 8, "✅ better"),
        ("+x", "+x", "✅ same answers"),
        ("++", "+x", "➖ difference not shown"),  # noqa: RUF001 - the sign of no answer
        ("++", "+!", "⚠️ undecided"),
    ],
)
def test_a_sign_for_each_word(before: str, now: str, mark: str) -> None:
    """It stands first in the row."""
    assert f"\n| {mark} | `pets` |" in markdown_comparison([compared(before, now)], ("a", "b"))


def test_a_refused_comparison_has_no_numbers() -> None:
    """But says why."""
    found = compared("+", "x")
    why = replace(found.comparison, refused="they are of <different> images")
    text = markdown_comparison([replace(found, comparison=why)], ("a", "b"))
    assert "| ⚠️ undecided | `pets` | `ollama:a` and `ollama:b` | | | | | | |" in text
    assert "- not compared: they are of &lt;different&gt; images" in text
    assert "Only A" not in text


def test_long_lists_of_changes_are_cut() -> None:
    """And the rest is counted, as are evaluations that have no room."""
    many = compared("+" * (MOST_CHANGES + 3), "x" * (MOST_CHANGES + 3))
    text = markdown_comparison([many], ("a", "b"))
    assert text.count("| `cat` | `cat` | `dog` |") == MOST_CHANGES
    assert "\nand 3 more\n" in text
    short = markdown_comparison([many, compared("+", "+", "other")], ("a", "b"), longest=600)
    assert "1 comparison more had no room here." in short
    assert "### `other`" in short
    assert "| `pets` |" in short


def test_a_hostile_comparison_is_harmless() -> None:
    """Names, labels and notes leave no tag, link or broken table behind."""
    found = compared("+++xx", "xxx+?", HOSTILE, HOSTILE)
    text = markdown_comparison([found], (HOSTILE, HOSTILE), notes=[HOSTILE], title=HOSTILE)
    clean = "\n".join(map(plain, text.splitlines()))
    tags = set(re.findall(r"<[^>]*>", clean))
    assert tags <= {*OWN, "<details>", "</details>", "<summary>", "</summary>"}
    assert "](" not in clean
    columns = 0
    for line in text.splitlines():
        found_here = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        columns = (columns or found_here) if found_here else 0
        assert found_here == columns, line
