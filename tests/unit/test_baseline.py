"""The paired comparison with the committed predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from statsmodels.stats.contingency_tables import mcnemar

from pytest_llmclf import report as reports
from pytest_llmclf.baseline import compare, mcnemar_exact
from pytest_llmclf.outcome import Outcome
from pytest_llmclf.render.predictions import predictions_text
from pytest_llmclf.report import DatasetFacts

if TYPE_CHECKING:
    from collections.abc import Sequence

counts = st.integers(0, 60)


def text(
    said: Sequence[str], *, model: str = "ollama:llava", name: str = "pets", content: str = "abc"
) -> str:
    """Predictions on so many cats; ``cat`` is right, ``?`` is unparsed."""
    outcomes = [
        Outcome(
            evaluation=name,
            model=model,
            model_digest="",
            case=f"{place}.png",
            sha256="",
            expected="cat",
            kind="correct" if label == "cat" else "unparsed" if label == "?" else "misclassified",
            predicted=None if label == "?" else label,
            reason="refusal" if label == "?" else None,
        )
        for place, label in enumerate(said)
    ]
    facts = DatasetFacts(name=name, content_hash=content, labels=("cat", "cow", "dog"))
    return predictions_text(
        reports.build(evaluation=name, model=model, dataset=facts, outcomes=outcomes)
    )


@given(counts, counts)
def test_mcnemar_is_the_exact_binomial_test(broken: int, fixed: int) -> None:
    """To scipy's value, and to statsmodels' exact McNemar."""
    ours = mcnemar_exact(broken, fixed)
    if broken + fixed == 0:
        assert ours == 1.0
        return
    assert ours == pytest.approx(binomtest(broken, broken + fixed, 0.5).pvalue)
    theirs = mcnemar([[0, broken], [fixed, 0]], exact=True).pvalue
    assert ours == pytest.approx(min(1.0, theirs))


def test_mcnemar_of_many_flips_is_still_a_number() -> None:
    """Thousands of flips overflow no float."""
    assert mcnemar_exact(3000, 3000) == 1.0
    assert 0 <= mcnemar_exact(5000, 100) < 1e-300 or mcnemar_exact(5000, 100) == 0.0
    assert mcnemar_exact(1100, 1000) == pytest.approx(binomtest(1100, 2100, 0.5).pvalue)


def test_the_same_is_identical() -> None:
    """Nothing broken, fixed, changed, new or missing."""
    found = compare(text(["cat", "dog", "?"]), text(["cat", "dog", "?"]))
    assert found.identical
    assert not found.worse
    assert found.summary() == "3 predictions as committed"


def test_every_change_is_told() -> None:
    """Broken, fixed, and wrong in another way, each by its picture."""
    found = compare(text(["dog", "cat", "cow", "?"]), text(["cat", "dog", "dog", "dog"]))
    assert (found.broken, found.fixed) == (("0.png",), ("1.png",))
    assert found.changed == ("2.png", "3.png")
    assert not found.worse
    assert not found.identical
    assert found.summary() == ("1 broken, 1 fixed, 2 wrong in another way, of 4 (McNemar p = 1)")


@pytest.mark.parametrize(("broken", "worse"), [(5, False), (6, True)])
def test_worse_is_beyond_chance(broken: int, *, worse: bool) -> None:
    """Five of five flips for the worse may be chance at 5%, six of six are not."""
    now = ["dog"] * broken + ["cat"] * (20 - broken)
    found = compare(text(now), text(["cat"] * 20))
    assert found.worse is worse
    assert len(found.broken) == broken


def test_better_is_never_worse() -> None:
    """However significant, an improvement does not fail."""
    found = compare(text(["cat"] * 20), text(["dog"] * 20))
    assert found.p_value < 0.001
    assert not found.worse


@given(st.lists(st.sampled_from(["cat", "cow", "dog", "?"]), min_size=1, max_size=20))
def test_turning_a_comparison_round_swaps_broken_and_fixed(said: list[str]) -> None:
    """What one side lost the other side won, and not both are worse."""
    there, back = compare(text(said), text(said[::-1])), compare(text(said[::-1]), text(said))
    assert (there.broken, there.fixed) == (back.fixed, back.broken)
    assert there.p_value == back.p_value
    assert not (there.worse and back.worse)


def test_new_and_missing_pictures_are_told() -> None:
    """Pictures on one side only are in no flip, and a subset misses none."""
    more, fewer = text(["cat"] * 3), text(["cat"] * 2)
    assert compare(more, fewer).new == ("2.png",)
    assert compare(fewer, more).missing == ("2.png",)
    assert compare(fewer, more, subset=True).missing == ()
    assert compare(more, fewer).common == 2


@pytest.mark.parametrize(
    ("committed", "what"),
    [
        (text(["cat"], model="ollama:other"), "model (ollama:other instead of ollama:llava)"),
        (text(["cat"], name="beasts"), "evaluation (beasts instead of pets)"),
        (text(["cat"], content="def"), "image set (pets def instead of pets abc)"),
        (text(["cat"]).replace("format 1", "format 0"), "format (0 instead of 1)"),
    ],
)
def test_what_is_of_something_else_is_refused(committed: str, what: str) -> None:
    """With both values and the remedy."""
    refused = compare(text(["cat"]), committed).refused
    assert refused is not None
    assert f"of another {what}" in refused
    assert "--snapshot-update" in refused


def test_a_subset_is_of_another_image_set_on_purpose() -> None:
    """Its content differs from the committed whole, and that refuses nothing."""
    whole, part = text(["cat"] * 3), text(["cat"] * 2, content="def")
    assert compare(part, whole, subset=True).refused is None
    assert compare(part, whole).refused is not None
