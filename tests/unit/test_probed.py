"""What probes show: exact paired tests, one error for all, and sentences that claim no more."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from scipy.stats import binomtest, fisher_exact

from benchmarks.probes import Probed, shown
from pytest_llmclf.analysis.diagnosis.diagnose import diagnose
from pytest_llmclf.analysis.diagnosis.finding import LEVEL
from pytest_llmclf.analysis.diagnosis.probe_finding import (
    BlankProbe,
    ExampleProbe,
    OrderProbe,
    ProbeNotRun,
    SizeProbe,
)
from pytest_llmclf.analysis.diagnosis.probed import probed, sample_size
from pytest_llmclf.errors import SettingsError
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.reporting.diagnosis import diagnosis_lines, finding_text, tells_p
from pytest_llmclf.reporting.style import Style
from pytest_llmclf.values.outcome import Outcome
from pytest_llmclf.values.probe_answers import PROBES, ProbeAnswers, parse_probes
from tests.unit.simulated import even

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.metrics.report import Report

LABELS = ("ant", "bee", "cat", "dog")
ORDER = ("dog", "bee", "ant", "cat")


def reported(said: Sequence[tuple[str, str | None]], *probes: ProbeAnswers) -> Report:
    """A report of images that show one label and are answered by another, or by none."""
    outcomes = [
        Outcome(
            evaluation="pets", model="m", model_digest="", case=f"{number:03d}", sha256="",
            expected=expected, predicted=label, tags={},
            kind="unparsed" if label is None else "correct" if label == expected
            else "misclassified",
        )
        for number, (expected, label) in enumerate(said)
    ]  # fmt: skip
    facts = DatasetFacts(name="pets", content_hash="", labels=LABELS)
    report = build(evaluation="pets", model="m", dataset=facts, outcomes=outcomes)
    return replace(report, probes=probes)


def asked(probe: str, said: Sequence[str | None], **more: object) -> ProbeAnswers:
    """The answers to a change, image by image."""
    answers = {f"{number:03d}": label for number, label in enumerate(said)}
    return ProbeAnswers(probe=probe, cases=tuple(answers), answers=answers, **more)  # type: ignore[arg-type]


def test_answers_that_move_up_a_list_follow_the_position() -> None:
    """Of those that change, as many go up as a fair coin hardly gives."""
    before = [("cat", "cat")] * 40
    after = ["dog"] * 12 + ["cat"] * 27 + [None]
    (found,) = probed(reported(before, asked("order", after, labels=ORDER)))
    assert isinstance(found, OrderProbe)
    assert (found.images, found.changed, found.up, found.down) == (40, 13, 12, 0)
    assert found.p_value == pytest.approx(binomtest(12, 12).pvalue)
    assert "towards its top: with the label list in other orders 13 of 40 answers changed" in (
        finding_text(found)
    )


def test_moves_both_ways_follow_no_position() -> None:
    """However many change: as many up as down is no position, and is not called one."""
    before = [("ant", "ant")] * 40
    after = ["dog"] * 12 + ["cat"] * 12 + ["ant"] * 16
    (found,) = probed(reported(before, asked("order", after, labels=ORDER)))
    text = finding_text(found)
    assert found.p_value == 1
    assert text.startswith("Not shown that answers follow the position")
    assert not tells_p(text)


def test_an_example_draws_what_it_names_in_either_question() -> None:
    """Taken from one label and given to the other, each image counts for both."""
    before = [("ant", "cat")] * 10 + [("dog", "dog")] * 40
    after = ["bee"] * 10 + ["dog"] * 40
    change = asked("example", after, others={"cat": "bee"}, place="system")
    (found,) = probed(reported(before, change))
    assert isinstance(found, ExampleProbe)
    assert (found.before, found.after, found.others_before, found.others_after) == (10, 0, 0, 10)
    assert found.p_value == pytest.approx(binomtest(10, 10).pvalue)
    assert finding_text(found).startswith(
        'The example draws answers: with "cat" as the example in the SYSTEM text 10 of 50 answers '
        'name it, with "bee" instead 0; "bee" 0 and then 10'
    )


def test_an_example_may_keep_answers_away() -> None:
    """Named less often where it is the example."""
    before, after = [("cat", "bee")] * 20, ["cat"] * 20
    change = asked("example", after, others={"cat": "bee"}, place="turns")
    (found,) = probed(reported(before, change))
    assert finding_text(found).startswith("The example keeps answers away")


def test_a_size_breaks_what_was_right() -> None:
    """McNemar's exact test of each size, both counted for two."""
    before = [("cat", "cat")] * 30 + [("dog", "ant")] * 10
    half = asked("size", ["dog"] * 15 + ["cat"] * 15 + ["ant"] * 10, change="half")
    twice = asked("size", ["cat"] * 30 + ["dog"] + ["ant"] * 9, change="twice")
    (found,) = probed(reported(before, half, twice))
    assert isinstance(found, SizeProbe)
    assert [(one.broken, one.fixed) for one in found.changes] == [(15, 0), (0, 1)]
    assert found.p_value == pytest.approx(binomtest(15, 15).pvalue)  # one flip shows nothing
    assert "at twice the size 0 of 40 images broken, 1 fixed: do not send them smaller" in (
        finding_text(found)
    )


def test_any_of_several_right_labels_is_right() -> None:
    """An image that shows a cat and a dog is not broken where the other one is named."""
    report = reported([("cat", "cat")] * 12, asked("size", ["dog"] * 12, change="half"))
    outcomes = tuple(replace(one, also=("dog",)) for one in report.outcomes)
    (found,) = probed(replace(report, outcomes=outcomes))
    assert isinstance(found, SizeProbe)
    assert (found.changes[0].broken, found.changes[0].fixed) == (0, 0)


def test_what_is_said_of_nothing_explains_wrong_answers() -> None:
    """The label of grey images takes them, and gives none."""
    before = [(label, "cat" if number < 8 else label) for label in LABELS for number in range(20)]
    (found,) = probed(reported(before, asked("blank", ["cat"] * 4 + [None])))
    assert isinstance(found, BlankProbe)
    assert (found.label, found.taken, found.wrong, found.given) == ("cat", 24, 24, 0)
    assert found.p_value is not None
    assert found.p_value < LEVEL
    assert 'the model says "cat" 4 times' in finding_text(found)
    assert (
        '"cat" takes 24 of 60 images of other classes, where an even spread of their 24 wrong '
        "answers gives 8, and 0 of 20 images of its own are called otherwise"
    ) in finding_text(found)


def test_of_two_labels_the_rates_of_both_are_compared() -> None:
    """By SciPy's test of Fisher; and neither a spread over one label nor a cause is claimed."""
    before = [
        (label, "bee" if (label == "bee") == (number < right) else "ant")
        for label, right in (("ant", 12), ("bee", 27))
        for number in range(30)
    ]
    outcomes = reported(before).outcomes
    facts = DatasetFacts(name="pets", content_hash="", labels=("ant", "bee"))
    report = build(evaluation="pets", model="m", dataset=facts, outcomes=outcomes)
    (found,) = probed(replace(report, probes=(asked("blank", ["bee"] * 5),)))
    theirs = fisher_exact([[18, 12], [3, 27]], alternative="greater").pvalue
    assert found.p_value == pytest.approx(theirs)
    assert (
        '"bee" takes 18 of 30 images of other classes, and 3 of 30 images of its own are called '
        "otherwise (p < 0.001); it may also be that the other class is the harder one: look for"
    ) in finding_text(found)


@pytest.mark.parametrize("said", [["cat", "dog"], [None, None, "cat"], [None, None], [None]])
def test_grey_images_without_one_label_show_nothing(said: list[str | None]) -> None:
    """Nothing is tested, and nothing said of wrong answers."""
    (found,) = probed(reported([("ant", "cat")] * 30, asked("blank", said)))
    assert found.p_value is None
    text = finding_text(found)
    assert ("None of the labels makes up most of these answers" in text) == any(said)
    assert ("the model named no label, so there is nothing that wrong" in text) != any(said)
    assert not finding_text(found).startswith(("Not shown", "Wrong answers"))


def test_all_probes_share_the_error() -> None:
    """What is shown alone may not be beside others, as far as these could show anything."""
    before = [("cat", "cat")] * 36 + [("cat", "ant")] * 4
    order = asked("order", ["dog"] * 6 + ["cat"] * 30 + ["ant"] * 4, labels=ORDER)
    same = asked("size", ["cat"] * 36 + ["ant"] * 4, change="half")
    both_ways = asked("size", ["dog"] * 5 + ["cat"] * 35, change="half")
    grey = asked("blank", ["cat"] * 5)
    alone, nine_one_way = binomtest(6, 6).pvalue, binomtest(9, 9).pvalue
    # What grey images are called is meant to get six times the share of any other test.
    for others, p_value in (
        ((), alone),
        ((same,), alone),
        ((both_ways,), alone + nine_one_way),
        ((grey,), 7 * alone),
        ((grey, both_ways), 7 * alone + nine_one_way),
    ):
        assert probed(reported(before, order, *others))[0].p_value == pytest.approx(p_value)


def test_what_cannot_be_told_is_said() -> None:
    """No example, no answer, a run that stopped: each is named, and none is called "not shown"."""
    nothing = ProbeAnswers(probe="example", why="no label stands as an example")
    silent = ProbeAnswers(
        probe="size", change="half", cases=("000",), trouble="not in the recording"
    )
    found = probed(reported([("cat", "cat")] * 3, nothing, silent))
    assert found == (
        ProbeNotRun(probe="example", why="no label stands as an example"),
        ProbeNotRun(probe="size", why="no image has an answer to both: not in the recording"),
    )
    assert (
        finding_text(found[0])
        == 'The probe "example" tells nothing: no label stands as an example.'
    )


def test_a_run_that_stopped_before_the_sample_was_asked_tells_nothing() -> None:
    """It stopped because of its answers; one that had asked the whole sample was settled before."""
    whole = reported([("cat", "cat")] * 30, asked("order", ["dog"] * 9, labels=ORDER))
    outcomes = [
        replace(one, kind="not_needed", predicted=None) if number >= 9 else one
        for number, one in enumerate(whole.outcomes)
    ]
    facts = replace(whole.dataset, cases_in_dataset=30)
    stopped = build(evaluation="pets", model="m", dataset=facts, outcomes=outcomes)
    (found,) = probed(replace(stopped, probes=whole.probes))
    assert isinstance(found, OrderProbe)
    more = replace(whole.probes[0], cases=tuple(f"{number:03d}" for number in range(20)))
    (found,) = probed(replace(stopped, probes=(more,)))
    assert "stopped early, after 9 of the 20 images of its sample" in finding_text(found)
    assert found in diagnose(replace(stopped, probes=(more,)))


def test_findings_of_probes_stand_in_the_diagnosis() -> None:
    """One line each, whether or not a test shows something, and legend only for p-values."""
    before = [("cat", "cat")] * 40
    changes = [
        asked("order", ["cat"] * 40, labels=ORDER),
        asked("blank", ["cat"] * 5),
        asked("size", ["cat"] * 40, change="half"),
        ProbeAnswers(probe="example", why="no label stands as an example"),
    ]
    lines = [line.text for line in diagnosis_lines(probed(reported(before, *changes)), Style())]
    assert sum(line.strip().startswith("- ") for line in lines) == len(changes)
    assert not any("p: how often" in line for line in lines)


def test_answers_become_json_and_come_back() -> None:
    """Whatever a probe keeps is the same read back; what is no probe is refused."""
    change = asked("example", ["cat", None], others={"cat": "bee"}, place="system", trouble="gone")
    assert ProbeAnswers.from_json(json.loads(json.dumps(change.to_json()))) == change
    with pytest.raises(ValueError, match="probe"):
        ProbeAnswers.from_json({**change.to_json(), "probe": "colour"})
    with pytest.raises(ValueError, match="lacks"):
        ProbeAnswers.from_json({"probe": "order"})


@pytest.mark.parametrize("text", ["", " ", ",", " , "])
def test_probes_that_name_none_are_refused(text: str) -> None:
    """With the value and those that there are; a comma too many beside one is no harm."""
    with pytest.raises(SettingsError, match="names no probe; there are order, blank, example"):
        parse_probes(text)
    assert parse_probes(f"size,{text}") == ("size",)


def test_a_sample_is_as_large_as_the_bias_that_it_shall_show() -> None:
    """All four probes need little more than 200 images by the least that is theirs, one fewer."""
    assert sample_size(["order"]) < sample_size(PROBES) <= 220


def test_a_model_to_which_nothing_matters_is_left_alone() -> None:
    """In hardly more than 5% of seeded runs; `benchmarks.probes` has many more."""
    chance = random.Random(1)  # noqa: S311 - a seeded simulation
    model = Probed(chances=even([0.7] * 5), noise=0.3)
    found = sum(bool(shown(model.report(100, chance))) for _ in range(60))
    assert found <= 8  # so many in 1% of 60 runs at 5%


@pytest.mark.parametrize("probe", PROBES)
def test_a_planted_bias_is_found(probe: str) -> None:
    """20 points of it in 200 images, in each of a few seeded runs."""
    chance = random.Random(2)  # noqa: S311 - a seeded simulation
    planted: dict[str, Any] = {probe: 0.2}
    model = Probed(chances=even([0.8] * 8), noise=0.05, **planted)
    assert all(probe in shown(model.report(200, chance)) for _ in range(5))
