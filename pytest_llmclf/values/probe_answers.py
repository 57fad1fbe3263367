"""Answers to questions in which one thing was changed, to see what an evaluation hangs on."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from pytest_llmclf.errors import SettingsError, nearest
from pytest_llmclf.values.json_values import is_text, is_texts, is_texts_by_name, require

if TYPE_CHECKING:
    from collections.abc import Mapping

Probe = Literal["order", "blank", "example", "size"]
"""What is changed: the order of the label list, the image for a grey one, the label that stands as
the example of an answer, the size of the image."""
PROBES: Final[tuple[Probe, ...]] = get_args(Probe)


def parse_probes(text: str) -> tuple[Probe, ...]:
    """Probes as people list them: ``order,example``; each once, in the order of `PROBES`.

    Raises:
        SettingsError: A word is none, with what was probably meant; or there is no word.
    """
    words = {word.strip().lower() for word in text.split(",") if word.strip()}
    if not words:
        raise SettingsError(f"{text!r} names no probe; there are {', '.join(PROBES)}")
    for word in sorted(words.difference(PROBES)):
        raise SettingsError(
            f"{word!r} is no probe; there are {', '.join(PROBES)}{nearest(word, PROBES)}"
        )
    return tuple(probe for probe in PROBES if probe in words)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAnswers:
    """What was answered to one change; no part of an evaluation's own answers.

    Attributes:
        probe: What is looked into.
        change: What was changed, in a word or two, such as ``half``.
        cases: Ids of the images that it was to be asked about.
        answers: By case the label that the answer names; ``None`` where it names none. A case that
            is not here has no answer.
        labels: For ``order``: the label list as it was sent.
        others: For ``example``: by label that is an example, the one that took its place.
        place: For ``example``: where the first of them stands, see `instructions.Standing`.
        trouble: Why the first case without an answer has none; empty where each has one.
        why: Why nothing was to be asked; empty where something was.
    """

    probe: Probe
    change: str = ""
    cases: tuple[str, ...] = ()
    answers: Mapping[str, str | None] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    others: Mapping[str, str] = field(default_factory=dict)
    place: str = ""
    trouble: str = ""
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        """As JSON built-ins."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ProbeAnswers:
        """Rebuild from `to_json`.

        Raises:
            ValueError: A field is missing, or holds what it cannot hold.
        """
        require(data, _FITS)
        missing = set(_FITS) - set(data)
        if missing:
            raise ValueError(f"a probe lacks {', '.join(sorted(missing))}")
        known = {name: data[name] for name in _FITS}
        lists = {name: tuple(data[name]) for name in ("cases", "labels")}
        return cls(**{**known, **lists})


def _is_probe(value: object) -> bool:
    return value in PROBES


def _are_answers(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(said, str | None) for said in value.values())


_FITS: Final = {
    "probe": _is_probe,
    "answers": _are_answers,
    "others": is_texts_by_name,
    **dict.fromkeys(("change", "place", "trouble", "why"), is_text),
    **dict.fromkeys(("cases", "labels"), is_texts),
}
