"""A gate with confidence is for one look; the next ones are known and judged accordingly."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_llmclf.api import public
from pytest_llmclf.gates.gate import Gate
from pytest_llmclf.gates.judging import judge
from pytest_llmclf.gates.looks import (
    FILE,
    data_of,
    earlier_looks,
    note_looks,
    question_of,
    read_looks,
)
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.plugin.run_verdicts import looks_of
from pytest_llmclf.values.seeded import seeded_order
from tests.unit.ended import ended

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.verdict import Look

GATE = "accuracy >= 0.8 with 95% confidence"


def seen(right: int, wrong: int, **more: Any) -> Report:
    """So many right and wrong answers."""
    outcomes = [ended(f"r{n:03}", "correct") for n in range(right)]
    outcomes += [ended(f"w{n:03}", "misclassified") for n in range(wrong)]
    facts = DatasetFacts(
        name="pets", content_hash="", labels=("cat", "dog"), cases_in_dataset=len(outcomes)
    )
    built = build(evaluation="pets", model="ollama:llava", dataset=facts, outcomes=outcomes)
    return replace(built, **more)


def look(report: Report, gate: str = GATE) -> Look:
    """As it is noted."""
    (found,) = looks_of([report], {report.task: [Gate(gate)]})
    return found


def again(report: Report, *looks: Look) -> Report:
    """The same report where these looks were noted before."""
    return replace(report, looks=earlier_looks(looks, report))


def test_a_second_look_may_not_pass() -> None:
    """The first one, at fewer images, told nothing; by itself the second would pass."""
    first, second = seen(44, 6), seen(180, 20)
    assert [one.word for one in judge(first, [Gate(GATE)])] == ["INCONCLUSIVE"]
    assert [one.word for one in judge(second, [Gate(GATE)])] == ["PASS"]
    (verdict,) = judge(again(second, look(first)), [Gate(GATE)])
    assert (verdict.word, verdict.undecided) == ("INCONCLUSIVE", "sample")
    assert verdict.text.endswith(
        ", of images like these: look 2 at this gate: its 5% were for the first, at 50 images "
        "(INCONCLUSIVE); judge new images by themselves"
    )
    twice = look(again(second, look(first)))
    (third,) = judge(again(seen(360, 40), look(first), twice), [Gate(GATE)])
    assert ": look 3 at this gate" in third.text


def test_a_run_that_stopped_early_is_no_way_round() -> None:
    """It foretells what a look at all images would say, which may not pass, either."""
    whole = seen(600, 0)
    order = seeded_order([one.case for one in whole.outcomes], 20)
    asked = set(order[:200])
    stopped = build(
        evaluation=whole.evaluation,
        model=whole.model,
        dataset=whole.dataset,
        outcomes=[
            one if one.case in asked else ended(one.case, "not_needed") for one in whole.outcomes
        ],
        order=order,
        stop_error=0.05,
    )
    assert [one.word for one in judge(stopped, [Gate(GATE)])] == ["PASS"]
    later = replace(stopped, looks=(look(seen(44, 6)),))
    (verdict,) = judge(later, [Gate(GATE)])
    assert (verdict.word, verdict.undecided) == ("INCONCLUSIVE", "sample")
    assert "look 2 at this gate" in verdict.text
    assert [one.word for one in judge(later, [Gate("accuracy >= 0.8")])] == ["PASS"]


def test_the_same_answers_are_the_same_look() -> None:
    """Judged again, in whatever order they are noted, and though others came after it."""
    first, second = seen(44, 6), seen(180, 20)
    assert again(second, look(second)).looks == ()
    assert again(first, look(first), look(second)).looks == ()
    assert again(second, look(first), look(second)).looks == (look(first),)
    assert again(second, look(first), look(first)).looks == (look(first),)


def test_a_gate_that_passed_may_pass_again() -> None:
    """If that is wrong, it was wrong the first time."""
    first = seen(49, 1)
    assert look(first).word == "PASS"
    (verdict,) = judge(again(seen(180, 20), look(first)), [Gate(GATE)])
    assert verdict.word == "PASS"


def test_a_later_fail_stays_one_and_says_so() -> None:
    """Doubt never makes a failing gate pass."""
    (verdict,) = judge(again(seen(100, 100), look(seen(44, 6))), [Gate(GATE)])
    assert verdict.word == "FAIL"
    assert verdict.text.endswith("of several looks one fails wrongly more often")


def test_another_question_is_looked_at_for_the_first_time() -> None:
    """Another model, instructions, gate or evaluation; a subset; a gate about these images."""
    first, second = look(seen(44, 6)), seen(180, 20)
    others = (
        replace(second, model="ollama:other"),
        replace(second, instructions="Look twice."),
        replace(second, modelfile_digest="abc"),
        replace(second, evaluation="others"),
        replace(second, dataset=replace(second.dataset, cases_in_dataset=500)),
        replace(second, dataset=replace(second.dataset, imported=True)),
    )
    assert all(again(other, first).looks == () for other in others)
    assert again(second, first).looks == (first,)
    for gate in ("accuracy >= 0.79 with 95% confidence", "accuracy >= 0.8"):
        assert [one.word for one in judge(again(second, first), [Gate(gate)])] == ["PASS"]
    spelt = Gate("accuracy>=0.80 with 0.95 confidence")
    assert [one.word for one in judge(again(second, first), [spelt])] == ["INCONCLUSIVE"]


def test_another_label_or_answer_is_another_look() -> None:
    """As are other images; the order of outcomes is none."""
    report = seen(44, 6)
    relabelled = [*report.outcomes[:-1], replace(report.outcomes[-1], expected="dog")]
    said = [*report.outcomes[:-1], replace(report.outcomes[-1], predicted=None, kind="unparsed")]
    assert len({data_of(replace(report, outcomes=tuple(one))) for one in (relabelled, said)}) == 2
    assert data_of(report) == data_of(seen(44, 6))
    assert question_of(report) == question_of(seen(10, 1))


def test_what_may_not_be_judged_is_no_look() -> None:
    """A run with a lost image, and an expression of a test counts as a declared gate does."""
    report = seen(44, 6)
    lost = build(
        evaluation="pets",
        model="ollama:llava",
        dataset=report.dataset,
        outcomes=[*report.outcomes, ended("z", "error")],
    )
    for each in (report, lost):
        public(each).meets("accuracy >= 0.5")
        public(each).meets(GATE)
    assert looks_of([lost], {lost.task: []}) == []
    (found,) = looks_of([report], {report.task: []})
    assert found == look(seen(44, 6))


def test_looks_are_kept_in_a_file(tmp_path: Path) -> None:
    """Each once; damaged lines cost only themselves."""
    path = tmp_path / "home" / FILE
    assert read_looks(path) == ()
    first, second = look(seen(44, 6)), look(seen(180, 20))
    note_looks(path, [first])
    note_looks(path, [first, second])
    assert read_looks(path) == (first, second)
    whole = path.read_text("utf-8")
    odd = ["{", "[]", "null", '{"gate": 1}', json.dumps({**json.loads(whole.splitlines()[0]),
           "word": "MAYBE"}), "\x00"]  # fmt: skip
    path.write_text("\n".join(odd) + "\n" + whole, "utf-8")
    assert read_looks(path) == (first, second)
    assert look(seen(44, 6), "accuracy>=0.80 with 0.95 confidence") == first
