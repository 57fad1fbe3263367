"""An image that a model is shown together with its label, before the one that it is asked about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.values.json_values import is_text, require
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TUNED: Final = (
    "the example images are of classes that were confused before: where that was on images that "
    "are judged here, the choice is tuned to them"
)
"""What choosing by an earlier run's mistakes comes to."""
_TEXTS: Final = ("file", "label", "answer", "sha256", "sent", "media_type")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleImage:
    """An image with its label: a turn of the user's, and the model's answer to it.

    Attributes:
        file: Where it is from, for people: its path in the dataset, or as the evaluation has it.
        label: What it shows.
        answer: What the model is shown as its own answer: the label, in the form that is asked for.
        sha256: Hex sha256 of the file.
        sent: Hex sha256 of the image as it is sent.
        media_type: MIME type of the image as it is sent.
        image: Its bytes as sent; none where all this was read back from a report.
    """

    file: str
    label: str
    answer: str
    sha256: str
    sent: str
    media_type: str
    image: bytes = field(default=b"", repr=False, compare=False)

    @property
    def told(self) -> str:
        """Label, file and digest as people read them, and that of the sent image if it is other."""
        other = "" if self.sent == self.sha256 else f", sent as {self.media_type} {self.sent}"
        return f"{self.label}, {self.file}, sha256 {self.sha256}{other}"

    def said(self) -> dict[str, str]:
        """What a model gets of it, as JSON built-ins, the image as the sha256 of its bytes."""
        return {"image": self.sent, "media_type": self.media_type, "answer": self.answer}

    def to_json(self) -> dict[str, str]:
        """As JSON built-ins, without the image."""
        return {name: getattr(self, name) for name in _TEXTS}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ExampleImage:
        """Rebuild from `to_json`.

        Raises:
            ValueError: A field is missing, or holds what it cannot hold.
        """
        missing = set(_TEXTS) - set(data)
        if missing:
            raise ValueError(f"an example image lacks {', '.join(sorted(missing))}")
        require(data, dict.fromkeys(_TEXTS, is_text))
        return cls(**{name: data[name] for name in _TEXTS})


def taken_out_note(
    examples: Sequence[ExampleImage],
    labels: int,
    taken_out: int,
    group: str = "",
    *,
    near: bool = True,
    varied: bool = False,
) -> str:
    """That example images go with every question, and what of the dataset is not judged for it.

    Args:
        examples: Those that are shown.
        labels: How many labels an answer may name.
        taken_out: Images of the dataset that are an example, a copy of one, or of its group; of
            an example that is shown beside this, too.
        group: The tag whose values are groups of images; empty where none is named.
        near: Whether images that look almost alike count as copies.
        varied: Whether other variants of the evaluation may show others.
    """
    copies = "copies or near-copies of them" if near else "copies of them"
    rest = f", {copies} or of a {group} of theirs" if group else f" or {copies}"
    verb = "is" if taken_out == 1 else "are"
    gone = f"{taken_out} {noun(taken_out, 'image')} of the dataset {verb} not judged"
    if not examples:
        return f"{gone}: other instructions show examples, and judged are the images of all"
    kinds = len({example.label for example in examples})
    shown = f"{len(examples)} example {noun(len(examples), 'image')} of {kinds} of {labels} labels"
    told = f"{shown} {noun(len(examples), 'goes', 'go')} with every question"
    if not taken_out:
        return f"{told}; no image of the dataset is among them{rest}"
    others = " or among those of other variants" if varied else ""
    return f"{told}; {gone}, being among them{others}{rest}"
