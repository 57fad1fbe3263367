"""A report as lines for a terminal."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf import reference
from pytest_llmclf.metrics import report, report_build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.reporting import mistake_lines, terminal
from pytest_llmclf.reporting.style import Style, width
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.outcome import OUTCOME_KINDS, Outcome
from pytest_llmclf.values.request import ModelIdentity
from pytest_llmclf.values.verdict import Verdict
from tests.unit.ended import ended

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llmclf.reporting.style import Line

HOSTILE = "I'm sorry,\x1b[31m no\r\nway \u202e猫 " * 9


def built(
    *outcomes: Outcome, labels: tuple[str, ...] = ("cat", "cow", "dog"), **more: Any
) -> report.Report:
    """A report on the dataset ``pets``."""
    facts = DatasetFacts(name="pets", content_hash="ab" * 32, labels=labels)
    return report_build.build(
        evaluation="pets", model="ollama:llava", dataset=facts, outcomes=outcomes, **more
    )


def texts(lines: Iterable[Line]) -> list[str]:
    """The lines without markup."""
    return [line.text for line in lines]


def everything(classes: int, images: int = 8) -> report.Report:
    """A report with outcomes of every kind and hostile names and answers."""
    chance = random.Random(classes)  # noqa: S311 - a seeded run
    labels = tuple(f"class_{place:03d}{'_' * (place % 9)}\x1b" for place in range(classes))
    outcomes = []
    for label in labels:
        for number in range(images):
            kind = chance.choice(OUTCOME_KINDS)
            predicted = label if kind == "correct" else chance.choice(labels[: classes // 2])
            if kind in {"correct", "misclassified"}:
                kind = "correct" if predicted == label else "misclassified"
            outcomes.append(
                ended(
                    f"{label}/{number}\u202e.jpg",
                    kind,
                    label,
                    predicted=predicted if kind in {"correct", "misclassified"} else None,
                    reason={"unparsed": "refusal", "error": "timed-out"}.get(kind),
                    message="no answer in 60 s (raise the time-out) " * 3
                    if kind == "error"
                    else "",
                    answer=Answer(text=HOSTILE),
                    tags={"style": chance.choice(("photo", "drawing", "卡通"))},
                )
            )
    identity = ModelIdentity(
        backend="ollama", name="llava", digest="sha256:cdef", server="ollama 1"
    )
    return built(*outcomes, labels=labels, identity=identity, duration_s=2.0, deselected=1)


def test_a_whole_report() -> None:
    """The report of a small run, line by line."""
    found = built(
        ended("a.png", "correct", cached=True),
        ended("b.png", "misclassified"),
        ended("c.png", "unparsed", reason="refusal", answer=Answer(text="I can't\nsee")),
        ended("d.png", "correct", "dog"),
        duration_s=8.0,
        notes=("Not the real images.",),
    )
    assert texts(terminal.report_lines(found, Style())) == [
        "pets · ollama:llava",
        "  4 images: 2 correct, 1 misclassified, 1 unparsed, 0 errors",
        "  30.0 images/min in 8.0 s, 1 answer from the store",
        "  dataset pets, content abababababab",
        "  Not the real images.",
        "",
        "                precision     recall   F1-score    support",
        "  cat               1.000      0.333      0.500          3",
        "  cow                   –          –          –          0",
        "  dog               0.500      1.000      0.667          1",
        "",
        "  accuracy          0.500 (2/4), 95% interval 0.068–0.932",
        "  macro avg         0.750      0.667      0.583          4",
        "  weighted avg      0.875      0.500      0.542          4",
        "",
        "  confusion matrix (rows: actual, columns: predicted)",
        "      cat cow dog │ unparsed error",
        "  cat   1   ·   1 │        1     ·",
        "  cow   ·   ·   · │        ·     ·",
        "  dog   ·   ·   1 │        ·     ·",
        "",
        "  most frequent confusions",
        "    1  cat → dog  b.png",
        "",
        "  answers without a label",
        "    1  refusal",
        '        c.png  "I can\'t\\nsee"',
    ]


@pytest.mark.parametrize("unicode", [True, False])
@pytest.mark.parametrize("classes", [2, 10, 30, 100])
def test_eighty_columns_hold_every_line(classes: int, unicode: bool) -> None:  # noqa: FBT001
    """With 2 to 100 classes and hostile texts, lines are printable and at most 80 wide."""
    style = Style(unicode=unicode, width=80)
    lines = texts(terminal.report_lines(everything(classes), style))
    assert [line for line in lines if width(line) > 80] == []
    assert [line for line in lines if not line.isprintable()] == []
    assert unicode or all(line.isascii() for line in lines)


def test_colour_changes_no_text() -> None:
    """A coloured report reads like a plain one, and a plain one has no markup."""
    found = everything(5)
    plain, coloured = Style(), Style(color=True)
    plain_lines = list(terminal.report_lines(found, plain))
    assert texts(plain_lines) == texts(terminal.report_lines(found, coloured))
    assert not any(part.markup for line in plain_lines for part in line.segments)
    assert any(
        part.markup for line in terminal.report_lines(found, coloured) for part in line.segments
    )


@given(st.permutations(everything(3).outcomes))
def test_order_never_matters(outcomes: list[Outcome]) -> None:
    """Outcomes that arrive in another order give the same text."""
    labels = everything(3).confusion.labels
    found, usual = built(*outcomes, labels=labels), built(*everything(3).outcomes, labels=labels)
    style = Style()
    assert texts(terminal.report_lines(found, style)) == texts(terminal.report_lines(usual, style))


def test_an_incomplete_report_says_why() -> None:
    """Losses and errors are said at the top, and lost images are named."""
    lines = texts(
        terminal.report_lines(
            built(ended("a", "correct"), ended("b", "lost"), collected=3), Style()
        )
    )
    assert "  incomplete: 2 of 3 images were lost: collected, never reported" in lines[:5]
    assert lines[-2:] == ["  lost images", "    1  b"]


def test_a_report_without_answers_has_no_table() -> None:
    """Where nothing was answered there are no scores to show, only why."""
    lines = texts(terminal.report_lines(built(ended("a", "error", reason="timed-out")), Style()))
    assert not any("precision" in line or "confusion" in line for line in lines)
    assert "  incomplete: 1 of 1 image got no answer" in lines
    assert texts(terminal.report_lines(built(), Style()))[-1] == (
        "  incomplete: no image was collected"
    )


def test_errors_are_grouped_with_their_remedy() -> None:
    """One message stands for all errors of its kind, with a few of the images."""
    found = built(
        *(
            ended(f"{number}.png", "error", reason="timed-out", message="late (wait longer)")
            for number in range(5)
        ),
        ended("x.png", "error", reason="model-missing", message="gone (run `ollama pull llava`)"),
    )
    assert texts(mistake_lines.error_lines(found, Style())) == [
        "  images without an answer",
        "    5  timed-out",
        "        late (wait longer)",
        "        0.png, 1.png, 2.png, …",
        "    1  model-missing",
        "        gone (run `ollama pull llava`)",
        "        x.png",
    ]


def test_an_image_without_an_answer_is_named_once() -> None:
    """Where messages name their images, the others are named behind them."""
    found = built(
        *(
            ended(f"a/{n}.png", "error", reason="image", message=f"/x/a/{n}.png: {n} bytes")
            for n in range(5)
        )
    )
    assert texts(mistake_lines.error_lines(found, Style())) == [
        "  images without an answer",
        "    5  image",
        *(f"        /x/a/{n}.png: {n} bytes" for n in range(3)),
        "        and 2 more: a/3.png, a/4.png",
    ]
    (known,) = (built(ended("x.png", "error", reason="image", message="x.png: empty")),)
    assert texts(mistake_lines.error_lines(known, Style()))[-1] == "        x.png: empty"
    (other,) = (built(ended("x.png", "error", reason="image", message="ax.png: empty")),)
    assert texts(mistake_lines.error_lines(other, Style()))[-1] == "        x.png"


def test_slices_show_their_counts() -> None:
    """Accuracy by tag has its counts and interval, and the untagged are a slice."""
    found = built(
        ended("a", "correct", tags={"style": "photo"}),
        ended("b", "correct"),
        ended("c", "error", tags={"style": "never answered"}),
    )
    assert texts(terminal.slice_lines(found, "style", Style())) == [
        "  accuracy by style",
        "    (none)  1.000 (1/1), 95% interval 0.025–1.000",
        "    photo   1.000 (1/1), 95% interval 0.025–1.000",
    ]


def test_many_slices_leave_the_worst() -> None:
    """Of many values the least accurate are listed, and the rest is counted."""
    outcomes = [
        ended(
            f"{number:02d}",
            "misclassified" if number == 17 else "correct",
            tags={"set": f"s{number}"},
        )
        for number in range(20)
    ]
    lines = texts(terminal.slice_lines(built(*outcomes), "set", Style()))
    assert lines[1].startswith("    s17")
    assert lines[-1] == "    and 8 more values with a higher or equal accuracy"
    full = texts(terminal.slice_lines(built(*outcomes), "set", Style(classes=None)))
    assert len(full) == 21


def test_many_classes_leave_the_worst() -> None:
    """Of many classes those with the lowest F1-score are listed, and the rest is counted."""
    found = everything(50)
    lines = texts(terminal.score_lines(found, Style(classes=10)))
    assert "  The 10 classes with the lowest F1-score; 40 more are not listed." in lines
    listed = {line.split()[0].replace("\\x1b", "\x1b") for line in lines[1:11]}
    others = set(found.f1) - listed
    assert len(listed) == 10
    assert max(found.f1[label].value or 0 for label in listed) <= min(
        found.f1[label].value or 0 for label in others
    )
    assert len(texts(terminal.score_lines(found, Style(classes=None)))) == 1 + 50 + 1 + 3


def test_few_confusions_of_many() -> None:
    """Five kinds of mistake are listed and the others counted."""
    lines = texts(mistake_lines.confused_lines(reference.published("mnist"), Style()))
    assert lines[1] == "    19  0 → 3  0/as-3-01, 0/as-3-02, 0/as-3-03, …"
    assert lines[-1] == "    and 20 more kinds of mistake, 47 images"
    assert len(lines) == 7


def test_gates_come_last_with_their_words() -> None:
    """Verdicts line up, long ones wrap under themselves, and each word has its colour."""
    verdicts = [
        Verdict(word="PASS", text="accuracy 0.792 >= 0.75", evaluation="mnist", model="m"),
        Verdict(word="INCONCLUSIVE", text="so many words that they need two lines"),
    ]
    style = Style(width=40, color=True)
    lines = list(terminal.lines([], verdicts, style))
    assert texts(lines) == [
        "gates",
        "  PASS          mnist · m: accuracy",
        "                0.792 >= 0.75",
        "  INCONCLUSIVE  so many words that they",
        "                need two lines",
    ]
    assert lines[1].segments[1].markup == {"green": True}
    assert lines[3].segments[1].markup == {"yellow": True, "bold": True}


def test_without_gates_there_is_no_heading() -> None:
    """No verdict, no paragraph."""
    assert texts(terminal.gate_lines([], Style())) == []


def test_ids_stand_below_where_there_is_no_room_beside() -> None:
    """Where two ids do not fit beside every pair, all stand below, a few of each kind."""
    outcomes = [ended(f"{'long' * 9}-{number}.png", "misclassified") for number in range(4)]
    found = built(*outcomes, ended("x.png", "misclassified", "cow"))
    assert texts(mistake_lines.confused_lines(found, Style())) == [
        "  most frequent confusions",
        "    4  cat → dog",
        *(f"        {'long' * 9}-{number}.png" for number in range(2)),
        f"        {'long' * 9}-2.png, …",
        "    1  cow → dog",
        "        x.png",
    ]


def test_every_image_on_demand() -> None:
    """With `every` each image that was not answered right is named once."""
    found = everything(6, images=30)
    lines = texts(terminal.report_lines(found, Style(width=200, classes=None, every=True)))
    wrong = [one for one in found.outcomes if one.kind in ("misclassified", "unparsed", "lost")]
    for outcome in (*wrong, *found.of_kind("error")):
        name = Style().safe(outcome.case)
        assert sum(line.strip().split("  ")[0] == name for line in lines) == 1


@pytest.mark.parametrize(
    ("answers", "more"), [(4, "and 1 other answer"), (5, "and 2 other answers")]
)
def test_one_answer_more_is_one(answers: int, more: str) -> None:
    """Of unread answers three are named, and how many others there are."""
    unread = [
        ended(f"{n}", "unparsed", reason="refusal", answer=Answer(text=f"no {n}"))
        for n in range(answers)
    ]
    lines = texts(terminal.report_lines(built(*unread), Style()))
    assert more in [line.strip() for line in lines]
