"""What the embedded model can know: the labels of its tasks, and none beside them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_llmclf.errors import LabelsUnknown, some_of
from pytest_llmclf.models.spec import EMBEDDED
from pytest_llmclf.prompting.labels import LabelSet
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.models.spec import ModelSpec

MODELS_FOLDER: Final = Path(__file__).resolve().parent.parent
_CARD: Final = MODELS_FOLDER / "micro_llava" / "model.json"
_SHOWN: Final = 5


@cache
def embedded_tasks() -> dict[str, LabelSet]:
    """The labels that the embedded model was trained on, by task; empty where its card is gone."""
    try:
        tasks = json.loads(_CARD.read_text("utf-8"))["labels"]
        return {name: LabelSet.of(labels) for name, labels in tasks.items()}
    except (OSError, ValueError, LookupError, TypeError):
        return {}  # whoever starts the model says what is wrong with it


def unknown_to_embedded(spec: ModelSpec, labels: LabelSet) -> tuple[str, ...]:
    """The labels that the embedded model cannot know under any of their spellings, in order.

    Args:
        spec: Who is asked; nothing is known of any other model.
        labels: What an answer may name.
    """
    tasks = embedded_tasks().values()
    if spec.name != EMBEDDED or spec.backend != "llamacpp" or not tasks:
        return ()
    return tuple(
        label.name
        for label in labels.labels
        if not any(
            task.find(spelling) for task in tasks for spelling in (label.name, *label.synonyms)
        )
    )


def labels_unknown(labels: LabelSet, unknown: Sequence[str], wanted: str) -> LabelsUnknown:
    """Which labels the embedded model does not know, and who to ask instead.

    Args:
        labels: All labels.
        unknown: Those that it does not know, as `unknown_to_embedded` has them.
        wanted: A model that the Modelfile names, as it is written on the command line.
    """
    known = "; ".join(
        f"{name} ({some_of(task.names, _SHOWN)})" for name, task in embedded_tasks().items()
    )
    lacking = "knows none of" if len(unknown) == len(labels.names) else "does not know"
    return LabelsUnknown(
        f"{EMBEDDED}, the embedded model, {lacking} the {noun(len(unknown), 'label')} "
        f"{some_of(unknown, _SHOWN)}, only those of {known}",
        remedy=f"choose a model that sees everyday images, such as --llmclf-model {wanted}",
    )
