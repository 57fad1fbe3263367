"""Whether two sides are of the same images with the same labels, so that they can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmclf.values.request import short_digest
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llmclf.analysis.comparison.prediction import Prediction
    from pytest_llmclf.metrics.report import Report


def why_refused(
    before: Report,
    now: Report,
    earlier: Mapping[str, Prediction],
    later: Mapping[str, Prediction],
) -> str | None:
    """Why two reports are not of the same images with the same labels; ``None`` where they are.

    Args:
        before: The first side.
        now: The second side.
        earlier: What the first one says, as `predictions_of` has it.
        later: What the second one says.
    """
    if before.dataset.name != now.dataset.name:
        return f"they are of different datasets ({before.dataset.name} and {now.dataset.name})"
    bytes_before = {found.case: found.sha256 for found in before.outcomes if found.sha256}
    other = sorted(
        found.case
        for found in now.outcomes
        if found.sha256 and found.sha256 != bytes_before.get(found.case, found.sha256)
    )
    if other:
        more = f" and {len(other) - 1} more" if len(other) > 1 else ""
        return f"they are of different images: {other[0]}{more} changed its content"
    labels = relabelled(earlier, later)
    if labels is not None:
        return f"they are of different labels: {labels}"
    # What one side shows as examples, or people left out, it does not judge; the rest is compared.
    out = {*before.dataset.taken_out, *now.dataset.taken_out, *_left_out(before), *_left_out(now)}
    strangers = (not is_partial(before) and later.keys() - earlier.keys() - out) or (
        not is_partial(now) and earlier.keys() - later.keys() - out
    )
    parts = _why_other_parts(before, now)
    sets = (before.dataset.content_hash, now.dataset.content_hash)
    whole = not is_partial(before) and not is_partial(now)
    other_set = all(sets) and sets[0] != sets[1] and not same_images(before, now)
    if strangers or (whole and other_set):
        first, second = map(short_digest, sets)
        others = f"they are of different image sets ({before.dataset.name} {first} and {second})"
        return parts or others
    if not earlier.keys() & later.keys():
        return parts or "they have no image in common"
    return _why_other_orders(before, now)


def _why_other_parts(before: Report, now: Report) -> str | None:
    """Why sides are of different images where some are held out; ``None``: not for that reason."""
    facts = {one.dataset.part: one.dataset for one in (before, now)}
    if len(facts) == 1:
        return None
    said = {"": "all of them", "tuning": "those to tune on", "held-out": "those held out"}
    sides = [
        f"{facts[part].cases_in_dataset:,} {noun(facts[part].cases_in_dataset, 'image')}, {text}"
        for part, text in said.items()
        if part in facts
    ]
    remedy = "the same holdout=" if "" in facts else "--llmclf-final, or both without it"
    return f"one is of {sides[0]}, the other of {sides[1]}: compare runs that both have {remedy}"


def _left_out(report: Report) -> tuple[str, ...]:
    return () if report.dataset.review is None else report.dataset.review.left_out


def relabelled(before: Mapping[str, Prediction], now: Mapping[str, Prediction]) -> str | None:
    """Why the sides do not expect the same of the same images, in one line, or ``None``.

    Says whether answers changed, too, or labels alone.
    """
    common = sorted(before.keys() & now.keys())
    other = [case for case in common if before[case].wanted != now[case].wanted]
    if not other:
        return None
    case = other[0]
    more = f" and {len(other) - 1} more" if len(other) > 1 else ""
    both = [one for one in common if before[one].answered and now[one].answered]
    changed = sum(before[one].said != now[one].said for one in both)
    answers = f"{changed} {noun(changed, 'answer')} did, too" if changed else "no answer did"
    return (
        f"{case} was labelled {before[case].wanted} and is {now[case].wanted}{more}; labels "
        f"changed, {answers}"
    )


def _why_other_orders(before: Report, now: Report) -> str | None:
    """Why two runs that both stopped early share no images that a test could be made on."""
    if not (before.ledger.not_needed and now.ledger.not_needed):
        return None
    common = set(before.order) & set(now.order)
    orders = [[case for case in one.order if case in common] for one in (before, now)]
    if orders[0] == orders[1]:
        return None
    return (
        "both runs stopped early, in different random orders, so that the answers decided which "
        "images they share; give both the same --llmclf-seed, or run one without "
        "--llmclf-stop-early"
    )


def same_images(before: Report, now: Report) -> bool | None:
    """Whether the images that both sides have are the same; ``None`` where nobody knows."""
    first = {outcome.case: outcome.sha256 for outcome in before.outcomes}
    pairs = [
        (first[outcome.case], outcome.sha256) for outcome in now.outcomes if outcome.case in first
    ]
    if any(one and other and one != other for one, other in pairs):
        return False
    if pairs and all(one and other for one, other in pairs):
        return True
    hashes = before.dataset.content_hash, now.dataset.content_hash
    return True if hashes[0] and hashes[0] == hashes[1] else None


def is_partial(report: Report) -> bool:
    """Whether a run left images of its dataset out."""
    return report.ledger.collected < report.dataset.cases_in_dataset
