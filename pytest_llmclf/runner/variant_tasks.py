"""The variants that a run asks, and what they must have in common and must not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_llmclf.errors import SettingsError, nearest, some_of
from pytest_llmclf.runner.evaluation import check_same_labels
from pytest_llmclf.runner.variant import check_variants

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from pytest_llmclf.prompting.modelfile import Modelfile
    from pytest_llmclf.prompting.prompt import Instructions
    from pytest_llmclf.runner.evaluation import Evaluation
    from pytest_llmclf.runner.variant import Variant
    from pytest_llmclf.values.thinking import Think


def in_variants(
    evaluation: Evaluation, added: Sequence[tuple[str, Variant]]
) -> Sequence[tuple[str, Evaluation]]:
    """What is asked, by the name of its variant.

    Those that the evaluation declares, or the evaluation as it is where it declares none; and
    beside them those that the run adds.

    Raises:
        SettingsError: Names that cannot be told apart.
    """
    place = f"Evaluation({evaluation.title!r})"
    try:
        check_variants(dict(added), evaluation.variants)
    except SettingsError as error:
        raise SettingsError(f"{place}: --llmclf-variant: {error}") from error
    declared = () if evaluation.variants else (("", evaluation),)
    named = (*evaluation.variants.items(), *added)
    return [*declared, *((name, evaluation.varied(name, one)) for name, one in named)]


def in_variant(evaluation: Evaluation, name: str) -> Evaluation:
    """What is asked in one variant, where one alone is meant.

    Args:
        evaluation: As declared.
        name: Of the variant; empty: the evaluation declares none.

    Raises:
        SettingsError: There is no such variant, or none is named; with those that there are.
    """
    known = evaluation.variants
    if not name and not known:
        return evaluation
    if name in known:
        return evaluation.varied(name, known[name])
    place, there = f"Evaluation({evaluation.title!r})", some_of([repr(one) for one in known])
    if not known:
        raise SettingsError(f"{place} declares no variant: leave --variant {name!r} out")
    slip = f"has no variant {name!r}" if name else "is asked in variants"
    raise SettingsError(
        f"{place} {slip}: name one, --variant {next(iter(known))!r}; has {there}"
        f"{nearest(name, known)}"
    )


def check_labels(
    evaluation: Evaluation, name: str, varied: Evaluation, labels: Sequence[str]
) -> None:
    """Refuse a variant that asks for other labels than the dataset has.

    Raises:
        SettingsError: Which labels are missing or too many.
    """
    if not name or varied.label_names is None:
        return
    try:
        check_same_labels(varied.label_names, labels)
    except SettingsError as error:
        place = f"Evaluation({evaluation.title!r}), variant {name!r}"
        raise SettingsError(f"{place}: {error}") from error


def check_different(
    known: dict[Hashable, tuple[str, Evaluation]],
    name: str,
    varied: Evaluation,
    *,
    told: Instructions,
    modelfile: Modelfile,
    think: Think | None,
) -> None:
    """Refuse a variant that asks just what another one asks: they would be counted as two.

    Args:
        known: The variants before it; it is added.
        name: What it is called.
        varied: What it asks.
        told: Everything that goes with an image.
        modelfile: Its own.
        think: What the run says about thinking instead of all of them; ``None``: nothing.

    Raises:
        SettingsError: Which two, and the remedy.
    """
    # Whichever says what is told, Modelfile or evaluation, the instructions have it.
    bare = replace(modelfile, system=None, messages=(), parameters=())
    reader = varied.reader if isinstance(varied.reader, str) else id(varied.reader)
    other, same = known.setdefault((told.digest(), bare.digest(), reader), (name, varied))
    if same is varied:
        return
    names = [f"variant {one!r}" if one else "the evaluation as it is" for one in (other, name)]
    remedy = "change one of them, or leave it out"
    if think is not None and same.think != varied.think:
        remedy = "--llmclf-think is for all of them: leave that out"
    raise SettingsError(
        f"Evaluation({varied.title!r}): {' and '.join(names)} ask exactly the same, and would be "
        f"counted as two; {remedy}"
    )
