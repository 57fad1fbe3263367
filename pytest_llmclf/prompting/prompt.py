"""What a model is told beside the image: system text, question, label list, form of the answer."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from pytest_llmclf.errors import SettingsError
from pytest_llmclf.prompting.labels import Label
from pytest_llmclf.prompting.readers.reader import STRICT
from pytest_llmclf.values.example_image import ExampleImage
from pytest_llmclf.values.json_values import (
    is_count,
    is_object,
    is_objects,
    is_text,
    is_texts,
    or_none,
    require,
)
from pytest_llmclf.values.request import shown_images
from pytest_llmclf.values.text import noun
from pytest_llmclf.values.thinking import LEVELS, think_word

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_llmclf.prompting.labels import LabelSet
    from pytest_llmclf.values.thinking import Think

AnswerMode = Literal["text", "enum"]
"""Free text, or JSON under a schema that allows nothing but ``{"label": <one of the labels>}``."""

DEFAULT_PROMPT: Final = "Which label fits this image?"
"""What is asked where an evaluation does not say."""

_HEADING = "Labels:"
_CLOSING: Final[Mapping[AnswerMode, str]] = {
    "text": "Answer with exactly one label from this list.",
    "enum": 'Answer as JSON: {"label": "<one label from this list>"}',
}

_SEED_BITS: Final = 31
"""Of a derived seed: positive in every server's integers."""
FREE_SEED: Final = -1
"""What Ollama and llama.cpp take for "draw one"."""


def compose(question: str, labels: LabelSet, mode: AnswerMode) -> str:
    """Write the user's text: the question, the list, and how to answer.

    No label stands out by being an example: models lean towards one that does.

    Args:
        question: What the evaluation asks; kept as written but for blanks at its ends.
        labels: In the order of the dataset.
        mode: The form of the answer.

    Raises:
        SettingsError: The question is empty.
    """
    question = question.strip()
    if not question:
        msg = 'the prompt is empty: ask something, such as prompt="Which animal is this?"'
        raise SettingsError(msg)
    return "\n".join((question, "", _HEADING, *map(_line, labels.labels), "", _CLOSING[mode]))


def answer_schema(labels: LabelSet, mode: AnswerMode) -> Mapping[str, Any] | None:
    """JSON schema that the answer must obey, or `None` where it is free text."""
    if mode == "text":
        return None
    return {
        "type": "object",
        "properties": {"label": {"type": "string", "enum": list(labels.names)}},
        "required": ["label"],
        "additionalProperties": False,
    }


def answer_form(label: str, mode: AnswerMode) -> str:
    """What a model would answer that takes an image for `label`: what an example image shows."""
    return label if mode == "text" else json.dumps({"label": label}, ensure_ascii=False)


def _line(label: Label) -> str:
    also = f" (also: {', '.join(label.synonyms)})" if label.synonyms else ""
    # One line a label, whatever the description looks like in the source.
    description = " ".join((label.description or "").split())
    return f"- {label.name}{also}" + (f": {description}" if description else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Instructions:
    """Everything that a model is told beside the image, and what reads its answer.

    Attributes:
        system: System text; ``None`` leaves the model's own.
        turns: Example turns in front of the question, as (role, text).
        question: What the evaluation asks.
        labels: The label list, in order.
        prompt: The user's text as it is sent: question, label list, form of the answer.
        answer: Form of the answer.
        options: Sampling options, those of the evaluation over those of the Modelfile.
        top_logprobs: Alternatives asked for a token.
        template: Prompt template that replaces the model's own, or ``None``.
        reader: What turns an answer's text into a label.
        think: Whether the model is to think before it answers, and how much; ``None``: not, where
            the server can be told so.
        examples: Images that are shown with their labels, behind the turns, each with the same
            text as the question.
        image_size: Longest side in pixels of an image as sent; ``None``: as large as is of use.
    """

    system: str | None = None
    turns: tuple[tuple[str, str], ...] = ()
    question: str
    labels: tuple[Label, ...]
    prompt: str
    answer: AnswerMode = "text"
    options: Mapping[str, Any] = field(default_factory=dict)
    top_logprobs: int = 0
    template: str | None = None
    reader: str = STRICT
    think: Think | None = None
    examples: tuple[ExampleImage, ...] = ()
    image_size: int | None = None

    @property
    def prose(self) -> str:
        """System text and example turns: what stands in front of every question."""
        turns = [f"{role}: {text}" for role, text in self.turns]
        return "\n".join([self.system or "", *turns]).strip()

    def options_of(self, repeat: int) -> dict[str, Any]:
        """The options of one asking of the same question.

        The first asking has them as they are. A further one has a seed of its own where one is
        set: with the same seed the server would give the same answer again, whatever the
        temperature. It is the first 31 bits of SHA-256 over ``SEED:REPEAT``, so that everybody
        asks the same. A seed of -1 is none: the server draws one each time.

        Args:
            repeat: 0 for the first asking, 1 for the second, ...
        """
        seed = self.seed
        if not repeat or seed is None:
            return dict(self.options)
        digest = hashlib.sha256(f"{seed}:{repeat}".encode()).digest()
        derived = int.from_bytes(digest[:4]) >> (32 - _SEED_BITS)
        return {**self.options, "seed": derived}

    @property
    def seed(self) -> int | None:
        """The seed that is set; ``None`` where the server draws one for each request."""
        seed = self.options.get("seed")
        fixed = isinstance(seed, int) and not isinstance(seed, bool) and seed != FREE_SEED
        return seed if fixed else None

    @property
    def greedy(self) -> bool:
        """Whether the likeliest token is taken each time, so that no seed changes an answer."""
        return self.options.get("temperature") == 0 or self.options.get("top_k") == 1

    def digest(self) -> str:
        """Hex sha256 over canonical JSON of `told`."""
        canonical = json.dumps(
            self.told(), sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str
        )
        return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()

    def told(self) -> dict[str, Any]:
        """All of it by name.

        Of an example image what is sent counts; where its file lies is nothing that is told.
        """
        told = {**self.to_json(), **shown_images(self.examples)}
        told.pop("examples", None)
        return told

    def lines(self) -> tuple[str, ...]:
        """All that is sent, as text for people and for a diff: one printable line each.

        Control characters, other line ends and direction marks are escaped, and so are blanks at
        the end of a line: nothing in a prompt can act on a terminal or hide in a diff.
        """
        return tuple(self._lines())

    def _lines(self) -> Iterator[str]:
        yield from _block("system", self.system)
        for role, text in self.turns:
            yield from _block(f"turn of {role}", text)
        for number, example in enumerate(self.examples, 1):
            yield printable(f"example image {number}: {example.told}")
        if self.examples:
            yield "each example image comes with the prompt and is answered by its label"
        yield from _block("prompt", self.prompt)
        if self.template is not None:
            yield from _block("template", self.template)
        yield f"answer: {self.answer}"
        for name in sorted(self.options):
            yield printable(f"option {name}: {json.dumps(self.options[name], default=str)}")
        yield f"top_logprobs: {self.top_logprobs}"
        yield printable(f"reader: {self.reader}")
        if self.think is not None:
            yield f"thinking: {think_word(self.think)}"
        if self.image_size is not None:
            pixels = noun(self.image_size, "pixel")
            yield f"image size: at most {self.image_size} {pixels}"

    def to_json(self) -> dict[str, Any]:
        """As JSON built-ins."""
        return {
            "system": self.system,
            "turns": [list(turn) for turn in self.turns],
            "question": self.question,
            "labels": [
                {
                    "name": label.name,
                    "synonyms": list(label.synonyms),
                    "description": label.description,
                }
                for label in self.labels
            ],
            "prompt": self.prompt,
            "answer": self.answer,
            "options": dict(self.options),
            "top_logprobs": self.top_logprobs,
            "template": self.template,
            "reader": self.reader,
            # Left out where earlier versions said nothing either: their digests stay the same.
            **({} if self.think is None else {"think": self.think}),
            **({"examples": [one.to_json() for one in self.examples]} if self.examples else {}),
            **({} if self.image_size is None else {"image_size": self.image_size}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Instructions | None:
        """Rebuild from `to_json`; ``None`` where a later version has said more than this one knows.

        Raises:
            ValueError: A field is missing, or holds what it cannot hold.
        """
        if set(data) - set(_FITS):
            return None
        missing = set(_FITS) - set(data) - {"think", "examples", "image_size"}
        if missing:
            raise ValueError(f"instructions lack {', '.join(sorted(missing))}")
        require(data, _FITS)
        for label in data["labels"]:
            require(label, _LABEL_FITS)
        return cls(
            **{
                **data,
                "turns": tuple((role, text) for role, text in data["turns"]),
                "examples": tuple(map(ExampleImage.from_json, data.get("examples", ()))),
                "labels": tuple(
                    Label(
                        label["name"],
                        synonyms=tuple(label["synonyms"]),
                        description=label["description"],
                    )
                    for label in data["labels"]
                ),
            }
        )


def _are_turns(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(turn, list) and len(turn) == 2 and all(map(is_text, turn))  # noqa: PLR2004
        for turn in value
    )


def _is_answer_mode(value: object) -> bool:
    return value in get_args(AnswerMode)


def _is_think(value: object) -> bool:
    return value is None or isinstance(value, bool) or value in LEVELS


_FITS: Final = {
    **dict.fromkeys(("question", "prompt", "reader"), is_text),
    **dict.fromkeys(("system", "template"), or_none(is_text)),
    "turns": _are_turns,
    "labels": is_objects,
    "answer": _is_answer_mode,
    "options": is_object,
    "top_logprobs": is_count,
    "think": _is_think,
    "examples": is_objects,
    "image_size": or_none(is_count),
}
_LABEL_FITS: Final = {"name": is_text, "synonyms": is_texts, "description": or_none(is_text)}


def printable(line: str) -> str:
    """`line` with everything escaped that does not show, blanks at its end included."""
    shown = "".join(char if char.isprintable() else repr(char)[1:-1] for char in line)
    kept = shown.rstrip(" ")
    return kept + "\\x20" * (len(shown) - len(kept))


def _block(name: str, text: str | None) -> Iterator[str]:
    """A text below its name, indented so that no line of it can be taken for a name."""
    if text is None:
        yield f"{printable(name)}: none"
        return
    yield f"{printable(name)}:"
    for line in text.split("\n"):
        yield f"  {printable(line)}" if line else ""
