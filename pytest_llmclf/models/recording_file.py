"""A recording as it lies in its file: who answered, what was asked, and what came back."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.errors import SettingsError, some_of
from pytest_llmclf.files import require_plain
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.json_values import is_json
from pytest_llmclf.values.request import ModelIdentity, bare_digest, short_digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_llmclf.prompting.prompt import Instructions

RECORDING_FORMAT = 1
"""Raised when the meaning of a line changes; recordings of another format are refused."""

TELLS_ERRORS: Final = "errors_apart"
"""Field of a ``model`` line whose writer keeps no error for an answer."""
AGAIN: Final = "record again with --llmclf-record"

_MOST_HEADER_BYTES: Final = 1_000_000
_HEADER_WAIT_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What a file holds.

    Attributes:
        path: The file.
        models: Everybody who answered, by the name that lines of the file call them.
        answers: A line an answer, in the order of the file.
        doubtful: Those of them, by request, that may be errors: a version wrote them that could
            not tell errors from answers.
        evaluations: A line an evaluation and model: its name, and what the model was told; none
            in a file of an earlier version.
        cut: Where a crash cut the last line, else empty.
    """

    path: Path
    models: Mapping[str, ModelIdentity]
    answers: tuple[Mapping[str, Any], ...]
    doubtful: frozenset[str]
    evaluations: tuple[Mapping[str, Any], ...]
    cut: str

    @property
    def cut_note(self) -> str:
        """Behind a message: that the file is cut, if it is."""
        return f"; {self.cut} is cut" if self.cut else ""

    def specs(self) -> tuple[str, ...]:
        """The models as people write them, each once, in the order of the file."""
        return tuple(dict.fromkeys(identity.spec for identity in self.models.values()))

    def keys(self, wanted: str) -> tuple[str, ...]:
        """Everybody who answered under the name of one model.

        One model on Ollama has answered under several digests where several Modelfiles were
        derived from it, and under several versions where its server was upgraded meanwhile.

        Args:
            wanted: As ``ollama:llava``, ``llava`` or the start of a digest; empty where there is
                only one model.

        Raises:
            SettingsError: There is no such model, or several are meant.
        """
        fitting = [
            key
            for key, identity in self.models.items()
            if not wanted
            or wanted in (identity.spec, identity.name)
            or identity.digest.startswith(wanted)
            or bare_digest(identity.digest).startswith(wanted)
        ]
        if len({self.models[key].spec for key in fitting}) == 1:
            return tuple(fitting)
        names = (f"{one.spec} ({short_digest(one.digest)})" for one in self.models.values())
        has = some_of(names)
        if not has:
            raise SettingsError(
                f"{self.path} is empty: it has the answers of no model{self.cut_note}; record a "
                f"run with --llmclf-record {self.path}, or name another recording"
            )
        if not fitting:
            raise SettingsError(f"{self.path} has {has}, not {wanted}{self.cut_note}; {AGAIN}")
        raise SettingsError(
            f"{self.path} has several models: {has}; say which: replay:{self.path}#NAME or #DIGEST"
        )

    def answering(self, evaluation: str, told: Instructions) -> tuple[str, ...]:
        """The models that answered an evaluation, as people write them.

        Those that were told the same; where nobody was, those that answered one of its name, and
        else all of them, whose answers then say what differs.
        """
        specs = self.specs()
        same = {line["model"] for line in self.answers if asked_the_same(line["asked"], told)}
        named = {line["model"] for line in self.evaluations if line["evaluation"] == evaluation}
        for keys in (same, named):
            found = {self.models[key].spec for key in keys if key in self.models}
            if found:
                return tuple(spec for spec in specs if spec in found)
        return specs

    def best(self, keys: Sequence[str], told: Instructions | None) -> tuple[str, int]:
        """Who of several answered most questions that were put just so, and how many did at all.

        Of equals the last one: what was recorded later counts.
        """
        counts = dict.fromkeys(keys, 0)
        if told is not None:
            for line in self.answers:
                if line["model"] in counts and asked_the_same(line["asked"], told):
                    counts[line["model"]] += 1
        place = {key: number for number, key in enumerate(keys)}
        best = max(keys, key=lambda key: (counts[key], place[key]))
        return best, sum(bool(count) for count in counts.values())


def asked_the_same(asked: Mapping[str, Any], told: Instructions) -> bool:
    """Whether a recorded request goes by these instructions, whatever its image."""
    repeat = asked.get("repeat", 0)
    return bool(
        asked.get("system") == told.system
        and asked.get("prompt") == told.prompt
        and asked.get("examples") == [list(turn) for turn in told.turns]
        and asked.get("example_images", []) == [one.said() for one in told.examples]
        and asked.get("top_logprobs") == told.top_logprobs
        and asked.get("think") == told.think
        and (asked.get("answer_schema") is None) == (told.answer == "text")
        and isinstance(repeat, int)
        and asked.get("options") == told.options_of(repeat)
    )


def read_recording(path: Path) -> Recording:
    """Read a recording; one that was read before and did not change is not read again.

    Raises:
        SettingsError: There is none, or a line of it is damaged; says which.
    """
    try:
        state = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    return _read(path, state.st_mtime_ns, state.st_size)


def _unreadable(path: Path, error: OSError) -> SettingsError:
    return SettingsError(
        f"the recording {path} cannot be read ({error.strerror}); make it with --llmclf-record FILE"
    )


def check_header(path: Path) -> None:
    """Refuse a file that is no recording of this format.

    Raises:
        OSError: It cannot be read.
        SettingsError: It is something else.
    """
    deadline = time.monotonic() + _HEADER_WAIT_S
    while True:
        with require_plain(path).open("rb") as file:
            first = file.readline(_MOST_HEADER_BYTES)
        if first.endswith(b"\n") or time.monotonic() > deadline:
            break
        time.sleep(0.01)  # another process has just made the file
    try:
        found = json.loads(first)["llmclf_recording"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise SettingsError(
            f"{path} exists and is no recording; give another file, or remove it"
        ) from None
    if found != RECORDING_FORMAT:
        raise SettingsError(
            f"{path} is a recording of format {found}, this version reads {RECORDING_FORMAT}; "
            f"remove it and {AGAIN}"
        )


@lru_cache(maxsize=2)
def _read(path: Path, _changed: int, _size: int) -> Recording:
    models: dict[str, ModelIdentity] = {}
    answers: list[dict[str, Any]] = []
    evaluations: list[dict[str, Any]] = []
    doubtful: set[str] = set()
    checked: dict[str, bool] = {}
    try:
        check_header(path)
        # Not splitlines: answers may hold other line separators.
        *lines, last = path.read_bytes().split(b"\n")
    except OSError as error:
        raise _unreadable(path, error) from error
    cut = f"{path}:{len(lines) + 1}" if last and not is_json(last) else ""
    for number, line in enumerate(lines if cut else [*lines, last], 1):
        if not line:
            continue
        try:
            data = json.loads(line.decode("utf-8", "surrogatepass"))
            _take(data, models, answers, evaluations)
            _doubt(data, models, checked, doubtful)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise SettingsError(
                f"{path}:{number}: no line of a recording ({_problem(error)}); "
                f"remove the line or {AGAIN}"
            ) from error
    return Recording(
        path=path,
        models=models,
        answers=tuple(answers),
        doubtful=frozenset(doubtful),
        evaluations=tuple(evaluations),
        cut=cut,
    )


def _take(
    data: dict[str, Any],
    models: dict[str, ModelIdentity],
    answers: list[dict[str, Any]],
    evaluations: list[dict[str, Any]],
) -> None:
    """Add what one line says; an exception means that it is no line of a recording."""
    if data["type"] == "model":
        models[data["key"]] = ModelIdentity.from_json(data["identity"])
    elif data["type"] == "answer":
        Answer.from_json(data["answer"])
        fields = {"request": str(data["request"]), "model": str(data["model"])}
        answers.append({**data, **fields, "asked": dict(data["asked"])})
    elif data["type"] == "evaluation":
        evaluations.append(
            {**data, "model": str(data["model"]), "evaluation": str(data["evaluation"])}
        )


def _doubt(
    data: dict[str, Any],
    models: Mapping[str, ModelIdentity],
    checked: dict[str, bool],
    doubtful: set[str],
) -> None:
    """Note whether an answer may be an error; each process says first whether it tells them."""
    if data["type"] == "model":
        checked[data["key"]] = data.get(TELLS_ERRORS) is True
    elif data["type"] == "answer":
        model = models.get(data["model"])
        doubtful.discard(data["request"])  # a later answer counts
        if model is None or checked[data["model"]]:
            return
        if Answer.from_json(data["answer"]).may_be_an_error(model.backend):
            doubtful.add(data["request"])


def _problem(error: Exception) -> str:
    return f"it lacks {error}" if isinstance(error, KeyError) else str(error)
