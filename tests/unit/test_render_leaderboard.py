"""A leaderboard and its hard images as people and programs read them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmclf.reporting.artifacts import report_text, write_run
from pytest_llmclf.reporting.comparison import model_lines
from pytest_llmclf.reporting.leaderboard import (
    MOST_ROWS,
    RIGHT_BY,
    STANDINGS,
    leaderboard_json,
    leaderboard_lines,
    verdict,
)
from pytest_llmclf.reporting.markdown import markdown_summary
from pytest_llmclf.reporting.style import Style, width
from pytest_llmclf.values.answer import Answer
from tests.unit.test_comparison import report, stopped
from tests.unit.test_leaderboard import CLEAR, board, tasks
from tests.unit.test_render_markdown import HOSTILE, OWN, plain

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_llmclf.metrics.report import Report

NEAR = {**CLEAR, "d": "x+" + "+" * 16 + "xx"}


def lines(reports: list[Report], style: Style | None = None) -> list[str]:
    return [line.text for line in leaderboard_lines(reports, style or Style())]


def test_the_terminal_shows_what_is_shown() -> None:
    """Rank, intervals, standing with its p-value, who is best, then the hard images."""
    assert lines(tasks(**CLEAR), Style(width=120)) == [
        "leaderboard · pets",
        "    3 tasks on the 20 images that all of them answered",
        "    task      accuracy             to the best",
        "    ollama:a  0.900 (0.683–0.988)",
        "              shown to be the best",
        "    ollama:b  0.200 (0.057–0.437)  -0.700 (-0.906 to -0.255)",
        "              shown to be worse (p < 0.001)",
        "    ollama:c  0.150 (0.032–0.379)  -0.750 (-0.934 to -0.298)",
        "              shown to be worse (p < 0.001)",
        "    ollama:a is shown to be better than each of the 2 others",
        (
            "    p: McNemar's exact test, adjusted for all 3 pairs (Holm); intervals: 95%, of each "
            "accuracy by itself, of the"
        ),
        "    differences for all 3 pairs at once",
        "  hard images",
        "    all tasks are right on 3 of 20 images, several on 1, one alone on 14, none on 2",
        "    right by none (is the label right?)",
        "      18.png: expected cat, all 3 say dog",
        "      19.png: expected cat, all 3 say dog",
        "    right by one only",
        "      04.png: ollama:a",
        "      05.png: ollama:a",
        "      06.png: ollama:a",
        "      and 11 more",
    ]


def test_nobody_is_named_who_is_not_shown() -> None:
    """The one with most right is told as that, and who is not told apart from it."""
    text = " ".join(" ".join(lines(tasks(**NEAR))).split())
    assert (
        "which is best is not shown: none has more right answers than ollama:a, but ollama:d is "
        "not shown to be worse"
    ) in text
    assert "is shown to be better" not in text
    assert "shown to be the best" not in text.replace("not shown to be the best", "")


def test_what_is_left_out_is_said() -> None:
    """Images without an answer, with whose; tasks with the reason; what was not looked at."""
    silent = report("!" * 6, "ollama:silent")
    reports = [*tasks(a="+++x!+", b="++x?++", c="++!+++"), silent]
    text = " ".join(" ".join(lines(reports)).split())
    assert "3 tasks on the 4 images that all of them answered" in text
    assert (
        "2 images left out, since not all have an answer: ollama:a lacks 1, ollama:c lacks 1"
    ) in text
    assert "ollama:silent is not among them: no image has an answer" in text
    assert "right on 3 of 4 images (2 left out), several on" in text
    order = list(range(20))
    early = stopped("x" * 8 + "-" * 12, order, 8, model="b")
    text = " ".join(" ".join(lines([report("+" * 20, "a"), early])).split())
    assert "8 images that all of them answered, when the run stopped" in text
    assert "what was not looked at is not judged" in text
    assert "no intervals, since a run stopped early" in text
    assert "a test that holds however a run was stopped" in text
    assert "McNemar" not in text


def test_who_has_learnt_from_labels_is_said() -> None:
    """A classifier that was trained is no like for a model that was told a prompt."""
    reports = [report("++", "yardstick:svm"), report("+x", "m"), report("+x", "yardstick:knn")]
    text = " ".join(" ".join(lines(reports)).split())
    assert (
        "each of yardstick:svm, yardstick:knn has learnt from the labels of this very set" in text
    )
    assert "learnt" not in " ".join(lines(tasks(**CLEAR)))


def test_variants_of_one_model_are_called_by_their_names() -> None:
    """The model is named once; what is hard for all of them may be hard for the model alone."""

    def variant(signs: str, name: str) -> Report:
        found = report(signs, "ollama:llava")
        outcomes = tuple(replace(one, variant=name) for one in found.outcomes)
        return replace(found, variant=name, outcomes=outcomes)

    reports = [variant(CLEAR["a"], ""), variant(CLEAR["b"], "no example")]
    found = lines(reports)
    assert found[1] == "    2 variants of ollama:llava on the 20 images that all of them answered"
    assert found[3].split("  ")[2] == "as declared"
    assert '    "as declared" is shown to be better than "no example"' in found
    assert "    right by none (is the label right, or are they hard for this model?)" in found
    assert next(model_lines(reports, Style())).text == "compared in pairs"
    # With another model beside them both are named.
    found = lines([*reports, report("+" * 20, "ollama:other")])
    assert any(line.startswith("    ollama:llava · no example") for line in found)
    row = leaderboard_json(board(reports))["rows"][1]
    assert (row["model"], row["variant"]) == ("ollama:llava", "no example")


def test_costs_are_shown_where_they_are_known() -> None:
    """Seconds and tokens an answer, as everywhere; nothing where nobody tells."""
    one, two = tasks(a="++", b="+x")
    answer = Answer(text="cat", prompt_tokens=1600, answer_tokens=4, wall_s=0.41)
    one = replace(one, outcomes=tuple(replace(old, answer=answer) for old in one.outcomes))
    found = lines([one, two], Style(width=200))
    assert found[5].strip() == (
        "an answer: half within 410 ms, 95% within 410 ms, 1,600.0 tokens read, 4.0 written"
    )
    assert sum("an answer:" in line for line in found) == 1
    assert leaderboard_json(board([one, two]))["rows"][0]["cost"] == {
        "seconds_p50": 0.41,
        "tokens_read": 1600,
        "tokens_written": 4,
        "cost_per_1000": None,
    }


def test_many_tasks_are_cut_and_counted() -> None:
    """The terminal lists the best ones; the file of the report all of them."""
    many = [report("+" * (60 - 2 * n) + "x" * 2 * n, f"m{n:02}") for n in range(MOST_ROWS + 4)]
    text = " ".join(" ".join(lines(many)).split())
    assert "and 4 more tasks: 4 shown to be worse" in text
    assert "m15" not in text.split("hard images")[0]
    assert "m15 " in report_text(many, [])


@pytest.mark.parametrize("columns", [50, 80, 200])
@pytest.mark.parametrize("unicode", [True, False])
def test_a_line_fits(columns: int, unicode: bool) -> None:  # noqa: FBT001 - a parameter of a test
    """However long names are; six digits where they are wanted."""
    name = "ollama:" + "long-name\x1b[31m" * 8
    reports = [report("+" * 20, f"{name}a"), report("x" * 20, f"{name}b")]
    for digits in (3, 6):
        for line in lines(reports, Style(width=columns, unicode=unicode, digits=digits)):
            assert width(line) <= max(columns, 78)
            assert line.isprintable()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text("++x?", min_size=9, max_size=30), min_size=2, max_size=5))
def test_the_sentence_is_as_true_as_the_table(signs: list[str]) -> None:
    """One task is said to be the best exactly if all others are shown to be worse."""
    size = min(map(len, signs))
    found = board([report(said[:size], f"m{n}") for n, said in enumerate(signs)])
    sentence = verdict(found)
    worse = [row.standing == "worse" for row in found.rows[1:]]
    assert (" is shown to be better than " in sentence) == all(worse)
    assert ("is not shown" in sentence) == (not all(worse))
    first = found.rows[0]
    assert all(first.accuracy.hits >= row.accuracy.hits for row in found.rows)
    assert f"{first.report.model} " in f"{sentence},".replace(",", " ")
    rivals = [
        row.accuracy.hits for row, known in zip(found.rows[1:], worse, strict=True) if not known
    ]
    assert ("has as many right answers as" in sentence) == (set(rivals) == {first.accuracy.hits})
    for row, is_worse in zip(found.rows[1:], worse, strict=True):
        assert not is_worse or (row.p_value is not None and row.p_value < 0.05)


def test_pairs_shown_say_the_same() -> None:
    """Of six tasks the best is shown with others, and the rest is in the leaderboard."""
    reports = [report("+" * (n + 3) + "x" * (20 - n), f"m{n}") for n in range(6)]
    found = [line.text for line in model_lines(reports, Style(width=400))]
    assert found[1] == "  pets · m5 and m4"
    assert found[-1] == (
        "    12 more pairs of 6 tasks are not shown one by one; all of them are in the leaderboard"
    )
    assert '    answers: "cat" 8 → 7, "dog" 15 → 16' in found


def test_pairs_of_models_come_before_those_with_yardsticks() -> None:
    """A yardstick is held against everybody anyway; how prompts differ is told nowhere else."""
    names = ("yardstick:svm", "a", "yardstick:knn", "b", "c")
    reports = [report("+" * (19 - n) + "x" * (4 + n), name) for n, name in enumerate(names)]
    found = [line.text for line in model_lines(reports, Style(width=400))]
    heads = [line for line in found if line.startswith("  pets · ")]
    assert heads[:2] == ["  pets · a and b", "  pets · a and c"]


def test_markdown_has_the_table() -> None:
    """Under the gates; nothing from outside is markup."""
    text = markdown_summary(tasks(**NEAR))
    assert "### Leaderboard: `pets`" in text
    assert "| `ollama:d` | 0.850 (0.621–0.968) | -0.050 (" in text
    assert "| not told apart from the best | 1.000 |" in text
    assert "| right by none (is the label right?) | expected | most say | tasks |" in text
    assert "| `18.png` | `cat` | `dog` | 4 of 4 |" in text
    hostile = [replace(one, case=f"{HOSTILE}{n}") for n, one in enumerate(report("x+").outcomes)]
    reports = [
        replace(
            report("x+"),
            evaluation=HOSTILE,
            model=f"{HOSTILE}{n}",
            outcomes=tuple(
                replace(one, evaluation=HOSTILE, model=f"{HOSTILE}{n}") for one in hostile
            ),
        )
        for n in range(2)
    ]
    text = markdown_summary(reports)
    assert "Leaderboard" in text
    found = "\n".join(map(plain, text.splitlines()))
    assert set(re.findall(r"<[^>]*>", found)) <= {
        *OWN, "<details>", "</details>", "<summary>", "</summary>",
    }  # fmt: skip
    assert "](" not in found


def test_run_json_has_it(tmp_path: Path) -> None:
    """With all numbers, and which images are right by whom; a run of one task has none."""
    reports = tasks(**NEAR)
    write_run(tmp_path, reports, settings={}, environment={})
    (found,) = json.loads((tmp_path / "run.json").read_text("utf-8"))["leaderboards"]
    assert found == json.loads(json.dumps(leaderboard_json(board(reports))))
    assert [(row["model"], row["standing"]) for row in found["rows"]] == [
        ("ollama:a", "best here"),
        ("ollama:d", "not told apart from the best"),
        ("ollama:b", "worse"),
        ("ollama:c", "worse"),
    ]
    assert (found["winner"], found["pairs"], found["images"]) == (None, 6, 20)
    assert set(found["right_by"]) == set(RIGHT_BY)
    assert sum(map(len, found["right_by"].values())) == 20
    assert found["hard"][0] == {"case": "18.png", "expected": "cat", "answer": "dog", "times": 4}
    write_run(tmp_path, reports[:1], settings={}, environment={})
    assert json.loads((tmp_path / "run.json").read_text("utf-8"))["leaderboards"] == []


def test_every_standing_has_words() -> None:
    """And what is not shown is never said to be so."""
    assert "not" in STANDINGS["not told apart from the best"]
    assert "not shown" in STANDINGS["best here"]


def test_names_that_begin_alike_stay_apart_where_there_is_little_room() -> None:
    """On a line of its own, rather than cut to what all of them begin with."""
    made = tasks(**NEAR)
    variants = ("with an example of each", "with an example of one", "with an example of two")
    long = "llamacpp:micro-llava"
    reports = [
        replace(one, model=f"{long}-{place}", variant=name)
        for place, (one, name) in enumerate(zip(made, variants, strict=False))
    ]
    said = lines(reports, Style(width=80))
    for one in reports:
        assert f"    {one.configuration}" in [line.rstrip() for line in said]
    assert all(len(line) <= 80 for line in said)
