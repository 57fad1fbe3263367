"""What people decided about labels: a JSON Lines file in git beside the dataset, one a line.

A file only grows. A decision is taken back by another line, never by removing one, and each line
bears its moment. So files of several people are one set of lines: whatever order they are put
together in, and however often, what follows is the same (`decisions_of`, `settle`), and git can
merge them line by line.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from pytest_llmclf.data.json_lines import object_of
from pytest_llmclf.errors import DatasetError, nearest
from pytest_llmclf.files import append_whole, require_plain
from pytest_llmclf.values.json_values import is_flag, is_json, is_text, is_texts, is_texts_by_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

FORMAT: Final = 1
"""Of a line; raised when a field changes its meaning or goes away."""

DecisionKind = Literal["accept", "relabel", "also", "leave-out", "unsure", "take-back"]
"""The label is right; another one is; further ones are, too; the image does not belong to the set;
nobody can tell; what was decided before is void."""
DECISION_KINDS: Final[tuple[str, ...]] = get_args(DecisionKind)
_LABELLING: Final = ("accept", "relabel", "also")
_HEX: Final = frozenset("0123456789abcdef")
_SHA256: Final = 64
_MOST_LISTED: Final = 20


# No slots: the line is worked out once and kept beside the fields, for each sorting asks for it.
@dataclass(frozen=True, kw_only=True)
class Decision:
    """What one person decided about the label of one image.

    Attributes:
        image: The image's id in the dataset.
        sha256: Digest of the file that was looked at.
        was: Its right labels at that moment, the first one first.
        kind: What was decided.
        labels: Its right labels from now on, the first one first; none unless `kind` gives labels.
        by: Who decided.
        at: When, with a time zone.
        why: The reason, for people; may be empty.
        proposal: Why the image was proposed, for people; empty where nobody proposed it.
        followed: By model whose answer led to the proposal: the label that it named.
        control: Whether the image was drawn at random, whatever a model said.
        of: For `take-back`: whose decisions; empty: everybody's.
        place: Where it stands, for messages: ``decisions.jsonl:7``; empty for a new one.
    """

    image: str
    sha256: str
    was: tuple[str, ...]
    kind: DecisionKind
    labels: tuple[str, ...] = ()
    by: str
    at: datetime
    why: str = ""
    proposal: str = ""
    followed: Mapping[str, str] = field(default_factory=dict)
    control: bool = False
    of: str = ""
    place: str = field(default="", compare=False)

    @cached_property
    def line(self) -> str:
        """The decision as it stands in a file, without a line end; written one way."""
        data: dict[str, Any] = {
            "format": FORMAT,
            "image": self.image,
            "sha256": self.sha256,
            "was": list(self.was),
            "decision": self.kind,
            "labels": list(self.labels),
            "by": self.by,
            "at": self.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "why": self.why,
            "proposal": self.proposal,
            "followed": dict(sorted(self.followed.items())),
            "control": self.control,
            "of": self.of,
        }
        needed = (*_REQUIRED, *(name for name in _OPTIONAL if data[name]))
        return json.dumps({name: data[name] for name in needed}, ensure_ascii=False)

    @property
    def order(self) -> tuple[datetime, bool, str]:
        """Decisions of one image come in this order; what is taken back is so at once."""
        return self.at, self.kind == "take-back", self.line


_REQUIRED: Final = ("format", "image", "sha256", "was", "decision", "by", "at")
_OPTIONAL: Final = ("labels", "why", "proposal", "followed", "control", "of")
_FITS: Final[dict[str, tuple[Callable[[object], bool], str]]] = {
    **dict.fromkeys(
        ("image", "sha256", "decision", "by", "at", "why", "proposal", "of"),
        (is_text, "a text"),
    ),
    **dict.fromkeys(("was", "labels"), (is_texts, 'a list of texts, ["cat"]')),
    "followed": (is_texts_by_name, 'an object of texts, {"ollama:llava": "dog"}'),
    "control": (is_flag, "true or false"),
}


def read_decisions(paths: Iterable[Path]) -> tuple[Decision, ...]:
    """The decisions of one or several files together, each once, in the order of their moments.

    Args:
        paths: The files; one that is not there has none.

    Raises:
        DatasetError: Lists every line that is no decision, with its place and remedy.
    """
    found: dict[str, Decision] = {}
    problems: list[str] = []
    for path in paths:
        try:
            text = require_plain(path).read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            problems.append(f"{path.name}: cannot be read ({error}): save it as UTF-8")
            continue
        for one in decisions_in(text, path.name, problems):
            found[one.line] = one
    if problems:
        more = len(problems) - _MOST_LISTED
        shown = [*problems[:_MOST_LISTED], *([f"and {more} more"] if more > 0 else [])]
        raise DatasetError("decisions about labels cannot be read:\n  " + "\n  ".join(shown))
    return tuple(sorted(found.values(), key=lambda one: one.order))


def decisions_in(text: str, name: str, problems: list[str]) -> list[Decision]:
    """The decisions of a text, a line each.

    Args:
        text: Of a file.
        name: What messages call it.
        problems: Takes what is wrong with a line.
    """
    found = []
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        place = f"{name}:{number}"
        if not line.strip():
            continue
        wrong: list[str] = []
        data = object_of(line, place, wrong)
        if data is not None:
            wrong += [f"{place}: {problem}" for problem in _problems(data)]
        elif is_json(line.encode("utf-8", "surrogatepass")):
            if not line.lstrip().startswith("{"):
                wrong = [f"{place}: no decision, which is an object in braces: remove it"]
        elif number == len(lines) and line.startswith("{"):  # the only one without a line end
            wrong = [f"{place}: the line was cut while it was written: remove it, decide again"]
        problems += wrong
        if data is not None and not wrong:
            found.append(_decision(data, place))
    return found


def append_decisions(path: Path, decisions: Iterable[Decision]) -> int:
    """Add decisions to a file, all or none of them; those that it has already are left out.

    Several processes may do so at once. What stands in the file stays as it is.

    Args:
        path: The file; made, with its folder, if it is not there.
        decisions: What to add.

    Returns:
        How many were added.

    Raises:
        DatasetError: The file has a line that is no decision, so that nothing is added.
        OSError: It cannot be written.
    """
    wanted = sorted(decisions, key=lambda one: one.order)
    path.parent.mkdir(parents=True, exist_ok=True)

    def more(before: bytes) -> bytes:
        problems: list[str] = []
        text = before.decode("utf-8-sig", "replace")
        known = {one.line for one in decisions_in(text, path.name, problems)}
        if problems:
            raise DatasetError(f"{path}: nothing was added: {'; '.join(problems[:_MOST_LISTED])}")
        lines = dict.fromkeys(one.line for one in wanted if one.line not in known)
        start = "\n" if lines and before and not before.endswith(b"\n") else ""
        # Half a surrogate pair, which a file name can hold, is escaped as JSON does.
        return (start + "".join(f"{line}\n" for line in lines)).encode("utf-8", "backslashreplace")

    return len(append_whole(path, more).splitlines()) if wanted else 0


def _problems(data: Mapping[str, Any]) -> list[str]:
    """What is wrong with a line that is an object."""
    known = (*_REQUIRED, *_OPTIONAL)
    found = [
        f"unknown name {name!r}{nearest(name, known)} (known: {', '.join(known)})"
        for name in data
        if name not in known
    ]
    found += [f"no {name}: fill it in" for name in _REQUIRED if name not in data]
    if "format" in data and data["format"] != FORMAT:
        return [f"format {data['format']!r}, this version reads {FORMAT}: update pytest-llmclf"]
    found += [
        f"{name} is {data[name]!r}: write {form}"
        for name, (fits, form) in _FITS.items()
        if name in data and not fits(data[name])
    ]
    return found or list(filter(None, _contents(data)))


def _contents(data: Mapping[str, Any]) -> Iterable[str | None]:
    """What is wrong with a line whose values are of the right types."""
    kind, was, labels = data["decision"], data["was"], data.get("labels", [])
    yield None if data["image"] else "image is empty: write the image's path in the dataset"
    if len(data["sha256"]) != _SHA256 or not set(data["sha256"]) <= _HEX:
        yield f"sha256 is {data['sha256'][:70]!r}: write the file's 64 hexadecimal digits"
    yield None if data["by"].strip() else "by is empty: write who decided"
    yield _moment_problem(data["at"])
    if kind not in DECISION_KINDS:
        yield (
            f"decision is {kind!r}: write one of {', '.join(DECISION_KINDS)}"
            f"{nearest(kind, DECISION_KINDS)}"
        )
        return
    for name, listed in (("was", was), ("labels", labels)):
        if len(set(listed)) < len(listed) or not all(listed):
            yield f"{name} is {listed!r}: write each label once"
    yield _labels_problem(kind, was, labels)
    if data.get("of") and kind != "take-back":
        yield f"of is {data['of']!r}, which belongs to take-back alone: remove it"


def _moment_problem(text: str) -> str | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        return f"at is {text!r}: write date, time and zone, 2026-02-28T09:30:00Z"
    return None


def _labels_problem(kind: str, was: list[str], labels: list[str]) -> str | None:
    """Why right labels do not fit what was decided; ``None`` where they do."""
    if not was:
        return "was is empty: write the labels that the image had"
    told = f"labels is {labels!r}"
    match kind:
        case "accept" if labels and set(labels) != set(was):
            return f"{told}, but accept keeps {was!r}: write relabel or also, or no labels"
        case "relabel" if not labels or set(was) <= set(labels):
            return f"{told}, but relabel takes {was!r} away: write the right ones, or also"
        case "also" if not set(was) < set(labels):
            return f"{told}, but also adds to {was!r}: write those and the further ones"
        case "leave-out" | "unsure" | "take-back" if labels:
            return f"{told}, but {kind} gives no label: remove them"
    return None


def _decision(data: Mapping[str, Any], place: str) -> Decision:
    kind = data["decision"]
    labels = data["was"] if kind == "accept" else data.get("labels", ())
    return Decision(
        place=place,
        kind=kind,
        at=datetime.fromisoformat(data["at"]).astimezone(UTC),
        was=tuple(data["was"]),
        labels=tuple(labels),
        **{name: data[name] for name in ("image", "sha256", "by")},
        **{
            name: data[name]
            for name in ("why", "proposal", "followed", "control", "of")
            if name in data
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What the decisions about one image come to.

    Attributes:
        kind: What was decided, or that people disagree.
        labels: The right labels, the first one first; none unless `kind` gives labels.
        decisions: Those in force, one a person, in the order of their moments.
    """

    kind: Literal["accept", "relabel", "also", "leave-out", "unsure", "disputed"]
    labels: tuple[str, ...] = ()
    decisions: tuple[Decision, ...] = ()


def decisions_of(decisions: Iterable[Decision]) -> dict[str, tuple[Decision, ...]]:
    """Per image what was not taken back, in the order of moments, whatever order they come in.

    Somebody may have decided several times: the last one counts (`settle`).
    """
    images: dict[str, list[Decision]] = {}
    for one in sorted(decisions, key=lambda one: one.order):
        kept = images.setdefault(one.image, [])
        if one.kind == "take-back":
            kept[:] = [other for other in kept if one.of not in ("", other.by)]
        elif one not in kept:
            kept.append(one)
    return {image: tuple(kept) for image, kept in images.items() if kept}


def settle(decisions: Iterable[Decision]) -> Settled | None:
    """What decisions about one state of one image come to; ``None`` without any.

    Of each person the last one counts. Whoever is unsure leaves it to the others. Where these do
    not want the same, nothing is decided.

    Args:
        decisions: Of the same bytes with the same labels before, nothing taken back.
    """
    last = {one.by: one for one in sorted(decisions, key=lambda one: one.order)}
    if not last:
        return None
    sure = [one for one in last.values() if one.kind != "unsure"]
    in_force = tuple(sorted(sure or last.values(), key=lambda one: one.order))
    if not sure:
        return Settled(kind="unsure", decisions=in_force)
    if len({(one.kind == "leave-out", frozenset(one.labels)) for one in sure}) > 1:
        return Settled(kind="disputed", decisions=in_force)
    first = in_force[0]
    assert first.kind != "take-back"  # noqa: S101 - `decisions_of` leaves none
    return Settled(kind=first.kind, labels=first.labels, decisions=in_force)
