"""What a result depends on besides the answers, and whether two results have it in common."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final, Literal

from pytest_llmclf.values.json_values import is_objects, is_text, is_texts, require
from pytest_llmclf.values.request import NO_VERSION, SHORT_DIGEST, bare_digest, short_digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MOST_LINES: Final = 2000
"""Lines of instructions that are compared as text; whether they are the same, the digest tells."""

_CONTEXT: Final = 2
_SHOWN_TEXT: Final = 200
_TOOL: Final = "version of pytest-llmclf"


@cache
def tool_version() -> str:
    """The version of this package; empty where it is not installed as one."""
    try:
        return version("pytest-llmclf")
    except PackageNotFoundError:
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What one result depends on; an empty text is what is not known.

    Attributes:
        model: The model as people write it.
        weights: Digest of its weights and template; an edited prompt leaves it.
        server: Server with its version.
        instructions: Digest of everything that went with every image.
        text: The same as lines for people, perhaps the first ones only.
        modelfile: Digest of the Modelfile, which says less than `instructions`.
        tool: Version of pytest-llmclf.
        told: Whether who answers is told anything; classifiers and files are not.
    """

    model: str = ""
    weights: str = ""
    server: str = ""
    instructions: str = ""
    text: tuple[str, ...] = ()
    modelfile: str = ""
    tool: str = ""
    told: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that two results do not have in common.

    Attributes:
        what: What it is, such as ``instructions``.
        before: What it was, as people compare it.
        now: What it is now.
        diff: Where it is text: the lines of a unified diff.
    """

    what: str
    before: str
    now: str
    diff: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """One line; a diff follows it where there is one."""
        if self.diff:
            return f"{self.what} changed:"
        if self.what == "instructions":
            return f"instructions changed ({self.before} -> {self.now}), in nothing that is shown"
        return f"{self.what} changed: {self.before} -> {self.now}"

    @property
    def brief(self) -> str:
        """A few words, without what is told elsewhere."""
        if self.what == "instructions":
            return "instructions changed"
        return f"{self.what} changed ({self.before} -> {self.now})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenanceChange:
    """Whether anything besides the answers differs between two results.

    Attributes:
        differing: What does.
        same: What is known to be the same on both sides.
        unknown: What at least one side does not tell, so that it may differ.
    """

    differing: tuple[Difference, ...] = ()
    same: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def agreement(self) -> str:
        """What is the same, and what nobody knows, in one line."""
        parts = []
        if self.same:
            parts.append(f"the same {', '.join(self.same)}")
        if self.unknown:
            parts.append(f"unknown whether the same: {', '.join(self.unknown)}")
        return "; ".join(parts)

    @property
    def brief(self) -> str:
        """What differs, in one line without texts; empty if nothing is known to."""
        return ", ".join(difference.brief for difference in self.differing)

    def sentences(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """A sentence each with the lines of its diff, what differs first."""
        for difference in self.differing:
            yield difference.sentence, difference.diff
        if self.agreement:
            yield self.agreement, ()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ProvenanceChange:
        """Rebuild from what `dataclasses.asdict` gives.

        Raises:
            KeyError: A field is missing.
            ValueError: A field holds what it cannot hold.
        """
        require(data, {"differing": is_objects, "same": is_texts, "unknown": is_texts})
        texts = ("what", "before", "now")
        for entry in data["differing"]:
            require(entry, {**dict.fromkeys(texts, is_text), "diff": is_texts})
        return cls(
            differing=tuple(
                Difference(**{name: entry[name] for name in texts}, diff=tuple(entry["diff"]))
                for entry in data["differing"]
            ),
            same=tuple(data["same"]),
            unknown=tuple(data["unknown"]),
        )


_Found = Difference | Literal["same", "unknown"]


def compare_provenance(
    before: Provenance, now: Provenance, *, images: bool | None
) -> ProvenanceChange:
    """What two results have in common besides the answers.

    Args:
        before: Of the first side.
        now: Of the second side.
        images: Whether the compared images are the same; ``None``: nobody knows.
    """
    differing: list[Difference] = []
    same: list[str] = []
    unknown: list[str] = []

    def note(what: str, found: _Found) -> None:
        if isinstance(found, Difference):
            differing.append(found)
        elif found == "same":
            same.append(what)
        else:
            unknown.append(what)

    told = before.told and now.told
    if told:
        note("instructions", _instructions(before, now))
    both = before.instructions and now.instructions
    if told and not both and before.modelfile and now.modelfile:
        note(
            "Modelfile", _plain("Modelfile", *map(short_digest, (before.modelfile, now.modelfile)))
        )
    note("model", _model(before, now))
    note("server version", _server(before.server, now.server))
    if images is not False:  # then the comparison is refused, which names them
        note("images", "same" if images else "unknown")
    tool = _plain(_TOOL, before.tool, now.tool)
    if tool != "same":  # seldom the cause of anything: said where it differs or may differ
        note(_TOOL, tool)
    return ProvenanceChange(differing=tuple(differing), same=tuple(same), unknown=tuple(unknown))


def _plain(what: str, before: str, now: str) -> _Found:
    """A difference, or that there is none, or that a side is not known."""
    if not before or not now:
        return "unknown"
    if before == now:
        return "same"
    cut = (text[:_SHOWN_TEXT] for text in (before, now))
    return Difference(what=what, before=next(cut), now=next(cut))


def _model(before: Provenance, now: Provenance) -> _Found:
    """By the weights; two names are two models unless these say otherwise."""
    if before.weights and now.weights:
        # Earlier versions recorded the first twelve digits.
        first, second = sorted((bare_digest(before.weights), bare_digest(now.weights)), key=len)
        if len(first) >= SHORT_DIGEST and second.startswith(first):
            return "same"
        if before.model == now.model:
            return Difference(
                what="model",
                before=f"digest {short_digest(before.weights)}",
                now=f"digest {short_digest(now.weights)}",
            )
    if before.model != now.model:
        return _plain("model", before.model, now.model)
    return "unknown"


def _server(before: str, now: str) -> _Found:
    found = _plain("server version", before, now)
    # A server that tells no version may be another one under the same name.
    return "unknown" if found == "same" and before.endswith(NO_VERSION) else found


def _instructions(before: Provenance, now: Provenance) -> _Found:
    first, second = before.instructions, now.instructions
    if not first or not second:
        return "unknown"
    if first == second:
        return "same"
    return Difference(
        what="instructions",
        before=short_digest(first),
        now=short_digest(second),
        diff=_unified(before.text, now.text),
    )


def _unified(before: Sequence[str], now: Sequence[str]) -> tuple[str, ...]:
    return tuple(difflib.unified_diff(before, now, "before", "now", lineterm="", n=_CONTEXT))
