"""Published results as reports, to check this package and to compare with.

The counts are those of an experiment with LLaVA 1.5 7B; ``python -m pytest_llmclf.reference``
prints its tables to six digits. Only the counts are known: the cases of these reports are
stand-ins, one an image, without image and answer.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING, Any

from pytest_llmclf.api import PublicReport, public
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.values.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = "published:llava-1.5-7b"
"""The model of these reports; no backend answers to it."""


def names() -> tuple[str, ...]:
    """The datasets with published results."""
    return tuple(_data()["datasets"])


def published(name: str) -> PublicReport:
    """The published result on dataset `name`.

    Raises:
        KeyError: There is none.
    """
    data = _data()
    entry = data["datasets"][name]
    labels = tuple(entry["labels"])
    counted = build(
        evaluation=name,
        model=MODEL,
        dataset=DatasetFacts(
            name=name, content_hash="", labels=labels, cases_in_dataset=entry["n"]
        ),
        outcomes=_outcomes(name, labels, entry["confusion"]),
        collected=entry["n"],
        instructions=_instructions(entry["label_used_as_the_example_in_the_system_prompt"]),
        notes=(
            f"Published counts: {data['model']}.",
            f"Images: {entry['images']}. The cases named here are stand-ins.",
        ),
    )
    return public(counted)


def _instructions(example: str | None) -> str:
    """What is known of the SYSTEM text, whose words were not published with the counts."""
    if example is None:
        return ""
    return f'All that is known of the SYSTEM text: its example of an answer was "{example}".'


def _outcomes(name: str, labels: tuple[str, ...], counts: list[list[int]]) -> Iterator[Outcome]:
    for expected, row in zip(labels, counts, strict=True):
        for predicted, count in zip(labels, row, strict=True):
            for number in range(1, count + 1):
                yield Outcome(
                    evaluation=name,
                    model=MODEL,
                    model_digest="",
                    case=f"{expected}/as-{predicted}-{number:02d}",
                    sha256="",
                    expected=expected,
                    kind="correct" if predicted == expected else "misclassified",
                    predicted=predicted,
                )


def _data() -> Any:
    text = resources.files(__name__).joinpath("published_llava.json").read_text(encoding="utf-8")
    return json.loads(text)
