"""Two reports compared image by image, and the models of a run in pairs."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf.analysis.comparison.paired_comparison import Comparison, compare_reports
from pytest_llmclf.analysis.comparison.runs import adjusted_p_values
from pytest_llmclf.analysis.leaderboard.pairs import (
    MOST_PAIRS,
    compare_models,
    pairs,
)
from pytest_llmclf.metrics import report_build as reports
from pytest_llmclf.metrics.report_facts import DatasetFacts, StopRule
from pytest_llmclf.metrics.significance import mcnemar_exact
from pytest_llmclf.values.request import ModelIdentity
from tests.unit.ended import ended

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.metrics.report_facts import Part
    from pytest_llmclf.values.outcome import OutcomeKind

KINDS: dict[str, OutcomeKind] = {
    "+": "correct", "x": "misclassified", "?": "unparsed", "!": "error", "-": "not_needed",
}  # fmt: skip
WRONG_LOSS = ("+" * 20, "x" * 8 + "+" * 12)
"""Eight of twenty broken: beyond chance."""


def report(
    signs: Sequence[str],
    model: str = "ollama:llava",
    *,
    content: str = "abc",
    whole: int | None = None,
    evaluation: str = "pets",
    hashed: bool = True,
    **more: Any,
) -> Report:
    """A report with one image a sign."""
    outcomes = [
        replace(
            ended(f"{place:02}.png", KINDS[sign]),
            model=model,
            evaluation=evaluation,
            sha256=f"bytes{place}" if hashed else "",
        )
        for place, sign in enumerate(signs)
    ]
    return reports.build(
        evaluation=evaluation,
        model=model,
        dataset=DatasetFacts(
            name="pets",
            content_hash=content,
            labels=("cat", "dog"),
            cases_in_dataset=len(signs) if whole is None else whole,
        ),
        outcomes=outcomes,
        identity=ModelIdentity(backend="llamacpp", name="llava", digest="sha256:1"),
        **more,
    )


def stopped(signs: Sequence[str], order: Sequence[int], after: int, **more: Any) -> Report:
    """A run that asked in this order, by places, and decided after so many."""
    whole = report(signs, **more)
    ids = [f"{place:02}.png" for place in order]
    return replace(whole, order=tuple(ids), stop_rule=StopRule(after=after, tests=1))


def test_a_run_that_stopped_is_compared_up_to_that_moment() -> None:
    """Answers that were under way then are left out: which came in was a matter of speed."""
    order = [4, 2, 0, 1, 3, 5]
    # After three images it was decided; 5 was under way and came in, 1 and 3 did not.
    now = stopped("+-x-++", order, 3)
    found = compare_reports(report("++++++"), now)
    assert found.cases == ("00.png", "02.png", "04.png")
    assert found.not_asked == ("01.png", "03.png", "05.png")
    assert found.broken == ("02.png",)
    assert found.interval is None
    other_way = compare_reports(now, report("++++++"))
    assert (other_way.cases, other_way.fixed) == (found.cases, found.broken)


def test_two_runs_that_stopped_need_one_order() -> None:
    """In one order they share what the shorter one asked; in two, the answers chose the images."""
    order = [4, 2, 0, 1, 3, 5]
    now = stopped("+-x-+-", order, 3)
    longer = stopped("++++x-", order, 5, model="ollama:other")
    assert compare_reports(longer, now).cases == ("00.png", "02.png", "04.png")
    other = stopped("+++-+-", [0, 1, 2, 4, 3, 5], 4)
    found = compare_reports(other, now)
    assert found.refused is not None
    assert "in different random orders" in found.refused
    assert "--llmclf-seed" in found.refused
    # A subset of the images in the same order is the same order.
    part = replace(longer, order=tuple(case for case in longer.order if case != "03.png"))
    assert compare_reports(part, now).refused is None


def test_peeking_in_random_order_is_wrong_seldom() -> None:
    """A model stops when it looks worst; still equally good ones are hardly ever told apart.

    Its accuracy on the first images, at any moment, decides when it stops: 60 seeded pairs of
    models that are right on 60% each, at least 40 images and 100 in all.
    """
    wrong = exact = 0
    for seed in range(60):
        draws = [
            "+" if rank < 0.6 else "x"
            for rank in (
                int.from_bytes(hashlib.sha256(f"{seed}:{n}".encode()).digest()[:4]) / 2**32
                for n in range(200)
            )
        ]
        before, now = draws[:100], draws[100:]
        worst = max(
            range(40, 100),
            key=lambda n: (before[:n].count("+") - now[:n].count("+")) / n**0.5,
        )
        found = compare_reports(
            report(before),
            stopped([*now[:worst], *"-" * (100 - worst)], range(100), worst),
        )
        wrong += found.loss_shown
        exact += mcnemar_exact(len(found.broken), len(found.fixed)) < 0.05
    assert wrong <= 2
    # The test for a number of images that was fixed beforehand would be wrong far more often.
    assert exact >= 3 > wrong


def test_every_image_is_in_one_place() -> None:
    """Right in both, broken, fixed, wrong in both, unanswered, or not asked."""
    found = compare_reports(report("+++xx?+-"), report("+xx+x+!+"))
    assert found.cases == tuple(f"{place:02}.png" for place in range(6))
    assert found.broken == ("01.png", "02.png")
    assert found.fixed == ("03.png", "05.png")
    assert (found.changed, found.correct) == ((), 1)
    assert (found.unanswered, found.not_asked) == (("06.png",), ("07.png",))
    assert (repr(found.before), repr(found.now)) == ("0.5 (3/6)", "0.5 (3/6)")
    assert found.refused is None


def test_a_change_says_what_was_and_what_is() -> None:
    """With the expected label; unparsed answers with their reason."""
    before = report("+?")
    now = report("xx")
    said = [(each.kind, each.expected, each.was, each.now) for each in
            compare_reports(before, now).changes]  # fmt: skip
    assert said == [
        ("broken", "cat", "cat", "dog"),
        ("changed", "cat", "(unparsed)", "dog"),
    ]


signs = st.lists(st.sampled_from("+x?!-"), min_size=1, max_size=12)


@given(signs, st.data())
def test_every_common_image_is_counted_once(before: list[str], data: st.DataObject) -> None:
    """Compared, unanswered and not asked add up to the images of both; so do right and wrong."""
    now = data.draw(st.lists(st.sampled_from("+x?!-"), min_size=len(before), max_size=len(before)))
    found = compare_reports(report(before), report(now))
    assert found.common + len(found.unanswered) + len(found.not_asked) == len(before)
    assert found.before.hits - found.now.hits == found.net_loss
    both_wrong = found.common - found.correct - len(found.broken) - len(found.fixed)
    assert both_wrong >= len(found.changed)


@given(signs, st.data())
def test_turning_the_sides_round_swaps_broken_and_fixed(
    before: list[str], data: st.DataObject
) -> None:
    """And the p-value stays."""
    now = data.draw(st.permutations(before))
    there = compare_reports(report(before), report(now))
    back = compare_reports(report(now), report(before))
    assert (there.broken, there.fixed) == (back.fixed, back.broken)
    assert there.p_value == back.p_value
    assert there.difference == (None if back.difference is None else -back.difference)


def test_another_image_under_the_same_name_is_refused() -> None:
    """Its content is another one, whatever the data set's digest says."""
    now = report("++")
    other = replace(now.outcomes[1], sha256="other")
    refused = compare_reports(report("++"), replace(now, outcomes=(now.outcomes[0], other))).refused
    assert refused == "they are of different images: 01.png changed its content"


def test_another_label_of_the_same_image_is_refused() -> None:
    """With both labels."""
    now = report("xx")
    other = tuple(replace(each, expected="dog", kind="correct") for each in now.outcomes)
    refused = compare_reports(report("++"), replace(now, outcomes=other)).refused
    assert refused is not None
    assert "00.png was labelled cat and is dog and 1 more" in refused


def test_another_image_set_is_refused() -> None:
    """By its digest, and by images that the whole does not have."""
    for other in (report("++", content="def", hashed=False), report("+++")):
        refused = compare_reports(report("++"), other).refused
        assert refused is not None
        assert "different image sets (pets abc and " in refused


def test_parts_of_one_set_are_named() -> None:
    """A final run, one to tune on, and one from before any images were held out, either way."""

    def part(signs: str, part: Part, first: int = 0) -> Report:
        made = report("x" * first + signs, content=part)
        facts = replace(made.dataset, part=part, cases_in_dataset=len(signs))
        return replace(made, outcomes=made.outcomes[first:], dataset=facts)

    tuning, held, whole = part("++x", "tuning"), part("+x", "held-out", 3), part("++x+x", "")
    both = "compare runs that both have"
    tuned, all_of, kept = "3 images, those to tune on", "5 images, all of them", "those held out"
    for sides, said in (
        ((tuning, held), f"{tuned}, the other of 2 images, {kept}: {both} --llmclf-final, or both"),
        ((tuning, whole), f"{all_of}, the other of {tuned}: {both} the same holdout="),
        ((whole, held), f"{all_of}, the other of 2 images, {kept}: {both} the same holdout="),
    ):
        for before, now in (sides, sides[::-1]):
            assert (compare_reports(before, now).refused or "").startswith(f"one is of {said}")
    sample = report("+++", content="def", whole=9)
    assert compare_reports(report("++"), sample).refused is not None


def test_another_order_of_labels_is_no_other_image_set() -> None:
    """The digest of a dataset holds labels and tags, too; the images are known by their own."""
    found = compare_reports(report("++"), report("++", content="def"))
    assert found.refused is None
    assert found.provenance is not None
    assert "images" in found.provenance.same


def test_another_dataset_is_refused() -> None:
    """With both names."""
    other = report("++")
    other = replace(other, dataset=replace(other.dataset, name="beasts"))
    refused = compare_reports(report("++"), other).refused
    assert refused == "they are of different datasets (pets and beasts)"


def test_nothing_in_common_is_refused() -> None:
    """Two samples without an image of both have nothing to compare."""
    part = report("++", whole=9)
    other = replace(part, outcomes=tuple(replace(each, case="z") for each in part.outcomes[:1]))
    assert compare_reports(part, other).refused == "they have no image in common"


def test_part_of_the_images_is_compared_with_its_part() -> None:
    """On either side; the rest is neither missing nor new."""
    whole, part = report("++++"), report("+x", content="def", whole=4)
    for before, now in ((whole, part), (part, whole)):
        found = compare_reports(before, now)
        assert found.refused is None
        assert (found.common, found.new, found.missing) == (2, (), ())


def test_another_modelfile_and_other_weights_are_said() -> None:
    """Of runs of an earlier version, which kept no instructions, the Modelfile's digest tells."""
    before = report("+", modelfile_digest="a" * 64)
    now = report("+", modelfile_digest="b" * 64)
    assert now.identity is not None
    now = replace(now, identity=replace(now.identity, digest="sha256:2"))
    assert changed(before, now) == (
        "Modelfile changed (aaaaaaaaaaaa -> bbbbbbbbbbbb), model changed (digest 1 -> digest 2)"
    )
    other = replace(report("+", "ollama:other"), identity=now.identity)
    assert changed(report("+"), other) == "model changed (ollama:llava -> ollama:other)"


def changed(before: Report, now: Report) -> str:
    """What else differs, in one line."""
    found = compare_reports(before, now).provenance
    assert found is not None
    return found.brief


def test_pairs_are_of_one_evaluation() -> None:
    """Models of different evaluations are never compared."""
    found = [
        report("+", "ollama:a"),
        report("+", "ollama:b"),
        report("+", "ollama:a", evaluation="other"),
        report("+", "ollama:c"),
    ]
    assert [(one.model, two.model) for one, two in pairs(found)] == [
        ("ollama:a", "ollama:b"),
        ("ollama:a", "ollama:c"),
        ("ollama:b", "ollama:c"),
    ]
    assert pairs(found[:1]) == []


def test_of_many_models_the_best_is_compared() -> None:
    """Three in all pairs; of more the best one with those that come next."""
    signs = ("+x" * 5, "+" * 10, "x" * 10, "+" * 9 + "x", "+" * 8 + "xx")
    models = [report(said, f"ollama:{name}") for name, said in zip("abcde", signs, strict=True)]
    assert len(pairs(models[:3])) == MOST_PAIRS
    chosen = [(first.model[-1], second.model[-1]) for first, second in pairs(models)]
    assert chosen == [("b", "d"), ("b", "e"), ("b", "a")]
    assert len(pairs(models, 10)) == 10


def test_several_pairs_need_more_proof() -> None:
    """Holm: the smallest of three p-values counts threefold."""
    found = compare_models(
        [
            report(WRONG_LOSS[0], "ollama:a"),
            report(WRONG_LOSS[1], "ollama:b"),
            report(WRONG_LOSS[1], "ollama:c"),
        ]
    )
    assert [pair.tests for pair in found] == [3, 3, 3]
    raw = [pair.comparison.p_value for pair in found]
    assert raw == pytest.approx([2 / 2**8, 2 / 2**8, 1])
    assert [pair.p_value for pair in found] == pytest.approx([6 / 2**8, 6 / 2**8, 1])


def test_a_refused_comparison_is_no_test() -> None:
    """It takes nothing from the others."""
    tested = compare_reports(*map(report, WRONG_LOSS))
    refused = Comparison(cases=(), correct=0, changes=(), refused="no")
    assert adjusted_p_values([refused, tested]) == (1.0, tested.p_value)


def test_a_refused_pair_of_models_is_not_counted() -> None:
    """Two of three pairs are of different images: the p-value is that of one comparison."""
    first, second = (report(signs, f"ollama:{signs[0]}") for signs in WRONG_LOSS)
    other = report(WRONG_LOSS[0], "ollama:other", content="other", hashed=False)
    found = compare_models([first, second, other])
    assert [pair.comparison.refused is None for pair in found] == [True, False, False]
    assert [pair.tests for pair in found] == [1, 1, 1]
    assert found[0].p_value == found[0].comparison.p_value
