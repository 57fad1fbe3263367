"""Variants: named changes of what an evaluation asks, each judged beside the others."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pytest_llmclf.prompting.labels import Label
    from pytest_llmclf.prompting.prompt import AnswerMode
    from pytest_llmclf.prompting.readers import ReaderFunction
    from pytest_llmclf.runner.examples import Examples
    from pytest_llmclf.values.thinking import Think

LONGEST_NAME: Final = 40
"""Characters of a variant's name: it stands in test ids, tables and names of files."""
NOT_IN_NAMES: Final = frozenset("|:[]<>&\"'`/\\*?")
"""Signs that separate the parts of test ids, patterns and options, or that files cannot have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """What is asked otherwise than the evaluation says; what is ``None`` stays as it is.

    Attributes:
        modelfile: Name of a file under ``modelfiles/`` without its ending, or a path.
        system: SYSTEM text instead of the Modelfile's; ``""``: none, not even the model's own.
        prompt: The question about each image.
        labels: The same labels in another order, or with other descriptions or synonyms: a plain
            name is the evaluation's label of that name, a `Label` replaces it.
        answer: ``text`` or ``enum``.
        options: Sampling options over those of the evaluation.
        top_logprobs: Alternatives a token to ask for.
        think: Whether a model is to think before it answers, and how much.
        reader: What turns an answer's text into a label.
        image_size: Longest side in pixels of an image as sent; larger ones are scaled down.
        examples: Images that are shown with their labels before each question; 0: none.
    """

    modelfile: str | Path | None = None
    system: str | None = None
    prompt: str | None = None
    labels: Sequence[Label | str] | None = None
    answer: AnswerMode | None = None
    options: Mapping[str, Any] | None = None
    top_logprobs: int | None = None
    think: Think | None = None
    reader: str | ReaderFunction | None = None
    image_size: int | None = None
    examples: Examples | int | None = None

    def changes(self) -> dict[str, Any]:
        """What it says, by the name of the evaluation's field."""
        said = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in said if value is not None}


def check_variants(variants: Mapping[str, Variant], others: Iterable[str] = ()) -> None:
    """Refuse what is no variant, and names that test ids and files cannot have or tell apart.

    Args:
        variants: By name.
        others: Names that are taken.

    Raises:
        SettingsError: Which name or value, and what to write instead.
    """
    if not isinstance(variants, Mapping):
        raise SettingsError(f'variants={variants!r}: write {{"a": Variant(prompt="Which?")}}')
    taken = {_normal(name): name for name in others}
    for name, variant in variants.items():
        _check_name(name)
        if not isinstance(variant, Variant):
            raise SettingsError(
                f"variants[{name!r}] is {variant!r}: write a Variant, such as "
                f'{{"{name}": Variant(prompt="Which?")}}'
            )
        other = taken.setdefault(_normal(name), name)
        if other != name or name in others:
            raise SettingsError(
                f"two variants are called {other!r} and {name!r}, which file systems and people "
                "take for one name: give one of them another name"
            )


def _check_name(name: object) -> None:
    remedy = 'a short name such as "no example"'
    if not isinstance(name, str) or not name.strip():
        raise SettingsError(f"a variant is called {name!r}, which names nothing: give it {remedy}")
    if name != name.strip():
        raise SettingsError(f"variant {name!r} has blanks at an end: write {name.strip()!r}")
    if len(name) > LONGEST_NAME:
        raise SettingsError(
            f"variant {name[:LONGEST_NAME]!r}... has a name of {len(name)} characters, and test "
            f"ids have room for {LONGEST_NAME}: give it {remedy}"
        )
    odd = next((sign for sign in name if sign in NOT_IN_NAMES or not sign.isprintable()), None)
    if odd is not None:
        raise SettingsError(
            f"variant {name!r} has {odd!r} in its name, which cannot stand in test ids and names "
            f"of files: give it {remedy}"
        )


def _normal(name: str) -> str:
    """What names have in common that a file system may take for one."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().replace("_", " ").split())
