"""The paired comparison with the committed predictions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf.analysis.comparison.baseline import JudgedBaseline, compare
from pytest_llmclf.analysis.comparison.predictions_file import predictions_text
from pytest_llmclf.analysis.comparison.tolerance import parse_tolerance
from pytest_llmclf.errors import SettingsError
from pytest_llmclf.metrics import report_build as reports
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.values.request import ModelIdentity
from tests.unit.ended import ended
from tests.unit.test_full_instructions import WHOLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.analysis.comparison.paired_comparison import Comparison
    from pytest_llmclf.analysis.comparison.tolerance import Tolerance
    from pytest_llmclf.prompting.prompt import Instructions
    from pytest_llmclf.values.outcome import OutcomeKind


def judged(found: Comparison, tolerance: Tolerance | None = None) -> JudgedBaseline:
    """What a comparison comes to where nothing else decides."""
    return JudgedBaseline(comparison=found, tolerance=tolerance)


KINDS: dict[str, OutcomeKind] = {"?": "unparsed", "!": "error", "-": "not_needed"}


def text(
    said: Sequence[str],
    *,
    model: str = "ollama:llava",
    name: str = "pets",
    content: str = "abc",
    expected: str = "cat",
    digest: str = "sha256:1",
    modelfile: str = "",
    told: Instructions | None = None,
) -> str:
    """Predictions on so many cats; ``?`` is unparsed, ``!`` unanswered, ``-`` not asked."""
    outcomes = [
        ended(
            f"{place}.png",
            KINDS.get(label, "correct" if label == expected else "misclassified"),
            expected,
            predicted=None if label in KINDS else label,
            reason="refusal" if label == "?" else None,
        )
        for place, label in enumerate(said)
    ]
    outcomes = [replace(outcome, evaluation=name, model=model) for outcome in outcomes]
    facts = DatasetFacts(name=name, content_hash=content, labels=("cat", "cow", "dog"))
    found = reports.build(
        evaluation=name,
        model=model,
        dataset=facts,
        outcomes=outcomes,
        identity=ModelIdentity(
            backend="ollama", name="llava", digest="derived", details={"base digest": digest}
        ),
        full_instructions=told,
        modelfile_digest=modelfile,
    )
    return predictions_text(found)


def test_the_same_is_identical() -> None:
    """Nothing broken, fixed, changed, new or missing."""
    found = compare(text(["cat", "dog", "?"]), text(["cat", "dog", "?"]))
    assert (*found.changes, *found.new, *found.missing, *found.unanswered) == ()
    assert not found.loss_shown
    assert found.summary() == "3 predictions as committed"


def test_every_change_is_told() -> None:
    """Broken, fixed, and wrong in another way, each by its image."""
    found = compare(text(["dog", "cat", "cow", "?"]), text(["cat", "dog", "dog", "dog"]))
    assert (found.broken, found.fixed) == (("0.png",), ("1.png",))
    assert found.changed == ("2.png", "3.png")
    assert not found.loss_shown
    assert found.summary() == (
        "1 broken, 1 fixed, 2 wrong in another way, of 4 (McNemar p = 1.000)"
    )


@pytest.mark.parametrize(("broken", "worse"), [(5, False), (6, True)])
def test_worse_is_beyond_chance(broken: int, *, worse: bool) -> None:
    """Five of five flips for the worse may be chance at 5%, six of six are not."""
    now = ["dog"] * broken + ["cat"] * (20 - broken)
    found = compare(text(now), text(["cat"] * 20))
    assert found.loss_shown is worse
    assert len(found.broken) == broken


def test_better_is_never_worse() -> None:
    """However significant, an improvement does not fail."""
    found = compare(text(["cat"] * 20), text(["dog"] * 20))
    assert found.p_value < 0.001
    assert not found.loss_shown


@given(st.lists(st.sampled_from(["cat", "cow", "dog", "?"]), min_size=1, max_size=20))
def test_turning_a_comparison_round_swaps_broken_and_fixed(said: list[str]) -> None:
    """What one side lost the other side won, and not both are worse."""
    there, back = compare(text(said), text(said[::-1])), compare(text(said[::-1]), text(said))
    assert (there.broken, there.fixed) == (back.fixed, back.broken)
    assert there.p_value == back.p_value
    assert not (there.loss_shown and back.loss_shown)


def test_new_and_missing_images_are_told() -> None:
    """Images on one side only are in no flip, and a subset misses none."""
    more, fewer = text(["cat"] * 3), text(["cat"] * 2)
    assert compare(more, fewer).new == ("2.png",)
    assert compare(fewer, more).missing == ("2.png",)
    assert compare(fewer, more, subset=True).missing == ()
    assert compare(more, fewer).common == 2


@pytest.mark.parametrize(
    ("committed", "what"),
    [
        (text(["cat"], model="ollama:other"), "another model (ollama:other instead of"),
        (text(["cat"], name="beasts"), "another evaluation (beasts instead of pets)"),
        (text(["cat"], content="def"), "another image set (pets def instead of pets abc)"),
        (text(["cat"]).replace("format 1", "format 0"), "another format (0 instead of 1)"),
        (text(["cat"], expected="dog"), "other labels: 0.png was labelled dog and is cat"),
    ],
)
def test_what_is_of_something_else_is_refused(committed: str, what: str) -> None:
    """With both values and the remedy; nothing is counted as passed."""
    found = compare(text(["cat"]), committed)
    assert found.refused is not None
    assert f"the committed predictions are of {what}" in found.refused
    assert "--snapshot-update" in found.refused
    assert judged(found).why_failed == judged(found).summary() == found.refused


def test_a_subset_is_of_another_image_set_on_purpose() -> None:
    """Its content differs from the committed whole, and that refuses nothing."""
    whole, part = text(["cat"] * 3), text(["cat"] * 2, content="def")
    assert compare(part, whole, subset=True).refused is None
    assert compare(part, whole).refused is not None


def test_a_subset_with_unknown_images_is_refused() -> None:
    """They cannot come from the committed image set, and are named."""
    found = compare(text(["cat"] * 3, content="def"), text(["cat"] * 2), subset=True)
    assert found.refused is not None
    assert "another image set" in found.refused
    assert found.new == ("2.png",)


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        ("<<<<<<< HEAD", "line 8 is not a prediction: '<<<<<<< HEAD'"),
        ("  0.png  cat -> dog", "line 8 is marked ' ', but says misclassified"),
        ("x 0.png  cat -> cat", "line 8 is marked 'x', but says correct"),
        ("  0.png  cat -> cat\n  0.png  cat -> cat", "line 9 has 0.png a second time"),
        ("? 0.png  cat -> (perhaps)", "line 8 is not a prediction"),
        ('  0.png  cat -> "cat', "line 8 is not a prediction"),
    ],
)
def test_a_damaged_file_is_refused(damage: str, what: str) -> None:
    """A failed merge is told with its line, not compared."""
    whole = text(["cat"])
    refused = compare(whole, whole.replace("  0.png  cat -> cat", damage)).refused
    assert refused is not None
    assert what in refused
    assert "--snapshot-update" in refused


def test_other_weights_are_said() -> None:
    """They refuse nothing, but explain much."""
    now = text(["cat"], digest="sha256:" + "b" * 64, modelfile="c" * 64, told=WHOLE)
    found = compare(now, text(["cat"], digest="sha256:" + "a" * 64, told=WHOLE))
    assert judged(found).summary() == (
        "model changed (digest aaaaaaaaaaaa -> digest bbbbbbbbbbbb); "
        "1 prediction as committed; with none fixed a loss cannot fail: it takes 6 broken, "
        "and 1 was right"
    )
    assert judged(found).why_failed is None


def test_what_was_not_asked_is_not_compared() -> None:
    """It is neither broken nor missing, and without more knowledge nothing passes."""
    found = compare(text(["dog", "cat", "-", "-"]), text(["cat"] * 4))
    assert (found.common, found.broken, found.not_asked) == (2, ("0.png",), ("2.png", "3.png"))
    assert found.missing == ()
    assert found.interval is None
    assert judged(found).summary() == (
        "1 broken, 0 fixed, 0 wrong in another way, of 2, 2 not asked; "
        "images not asked about: 2; what they would say is not known"
    )


def test_a_run_that_stopped_early_needs_more_proof() -> None:
    """Six of six flips for the worse are enough for a planned number of images, not for it."""
    assert compare(text(["dog"] * 6), text(["cat"] * 6)).loss_shown
    assert not compare(text(["dog"] * 6 + ["-"]), text(["cat"] * 7)).loss_shown
    assert compare(text(["dog"] * 9 + ["-"]), text(["cat"] * 10)).loss_shown


def test_a_image_without_an_answer_is_no_flip_and_no_pass() -> None:
    """Nobody knows whether it broke."""
    found = compare(text(["!", "cat"]), text(["cat", "cat"]))
    assert (found.broken, found.unanswered) == ((), ("0.png",))
    assert judged(found).why_failed == "images without an answer: 1"


@pytest.mark.parametrize(
    ("tolerance", "broken", "passes"),
    [("0", 0, True), ("0", 1, False), ("2", 2, True), ("2", 3, False), ("5%", 1, True),
     ("5%", 2, False), ("100%", 5, True), ("100%", 6, False)],
)  # fmt: skip
def test_a_stated_tolerance_makes_it_stricter(tolerance: str, broken: int, *, passes: bool) -> None:
    """Above it a loss fails that chance explains; a significant one fails in any case."""
    found = compare(text(["dog"] * broken + ["cat"] * (20 - broken)), text(["cat"] * 20))
    assert (judged(found, parse_tolerance(tolerance)).why_failed is None) is passes


def test_a_gain_pays_for_a_loss_within_the_tolerance() -> None:
    """It is the net loss that counts."""
    found = compare(text(["dog", "cat", "cat"]), text(["cat", "dog", "cat"]))
    assert judged(found, parse_tolerance("0")).why_failed is None
    assert (
        "; no net loss; 2 broken and 1 fixed would fail it"
        in judged(found, parse_tolerance("0")).summary()
    )


@given(st.lists(st.sampled_from(["cat", "dog", "?"]), min_size=1, max_size=12), st.data())
def test_one_more_right_answer_never_turns_pass_into_fail(
    before: list[str], data: st.DataObject
) -> None:
    """Whatever was committed, whatever the tolerance."""
    said = st.lists(st.sampled_from(["cat", "dog"]), min_size=len(before), max_size=len(before))
    now = data.draw(said)
    place = data.draw(st.integers(0, len(now) - 1))
    improved = [*now[:place], "cat", *now[place + 1 :]]
    tolerance = parse_tolerance(data.draw(st.sampled_from(["0", "1", "10%"])))
    committed = text(before)
    if judged(compare(text(now), committed), tolerance).why_failed is None:
        assert judged(compare(text(improved), committed), tolerance).why_failed is None


def test_a_significant_gain_says_how_to_keep_it() -> None:
    """And passes."""
    found = compare(text(["cat"] * 8), text(["dog"] * 8))
    assert judged(found).why_failed is None
    assert (
        judged(found).summary().endswith("; significantly better: commit it with --snapshot-update")
    )


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("two", "neither a number of images such as 3 nor a share such as 2%"),
        ("-1", "neither a number of images"),
        ("", "neither a number of images"),
        ("101%", "more than all images"),
        ("0.02", "for a share write 2%"),
        ("2.5", "for a share write 2.5%"),
    ],
)
def test_a_tolerance_that_makes_no_sense_is_refused(written: str, what: str) -> None:
    """With what was meant."""
    with pytest.raises(SettingsError, match="tolerance") as refused:
        parse_tolerance(written)
    assert what in str(refused.value)
    assert repr(written) in str(refused.value)


@pytest.mark.parametrize(("written", "shown"), [("3", "3"), (" 2% ", "2%"), ("2.5 %", "2.5%")])
def test_a_tolerance_is_shown_as_written(written: str, shown: str) -> None:
    """Blanks aside."""
    assert str(parse_tolerance(written)) == shown
