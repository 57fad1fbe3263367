"""Recorded answers: written while a model answers, played back without it.

A recording is JSON lines. The first says the format; a ``model`` line introduces whoever
answered; an ``evaluation`` line says what an evaluation tells it; each ``answer`` line holds one
answer, the digest of its request, and enough of the request in readable form to say why another
one is not the same. Several models, several evaluations, and several processes writing at once,
share one file.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
import time
from contextlib import contextmanager, suppress
from errno import ETIMEDOUT
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmclf.errors import ReplayMismatch, SettingsError
from pytest_llmclf.files import lock_byte, unlock_byte
from pytest_llmclf.models.base import LocalBackend
from pytest_llmclf.models.recording_file import (
    AGAIN,
    RECORDING_FORMAT,
    TELLS_ERRORS,
    check_header,
    read_recording,
)
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.json_values import is_json
from pytest_llmclf.values.request import REPLAYED, ModelIdentity, short_digest
from pytest_llmclf.values.text import shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pytest_llmclf.models.base import Backend
    from pytest_llmclf.models.reach import Reach
    from pytest_llmclf.models.recording_file import Recording
    from pytest_llmclf.prompting.prompt import Instructions
    from pytest_llmclf.values.outcome import TaskName
    from pytest_llmclf.values.request import Request

_SHOWN = 60
_BLOCK_BYTES = 65536
LOCK_S = 10.0
"""Longest wait for another process that writes a line; as long as Windows itself waits."""
_LOOK_S = 0.005
_LOCKED_BYTE = 0x7FFF_FFFE


class Recorder:
    """Appends answers to a recording. Thread-safe, and safe for several processes.

    Each answer is one write under a lock of the file, so that a crash can cut at most the last
    line; a reader skips it, and the next recorder removes it.

    Args:
        path: The recording; made if missing, continued if it is one.

    Attributes:
        notice: That the recording is incomplete since it could not be written any more, or
            ``None``. A full disk costs the recording, never an answer.

    Raises:
        SettingsError: The file exists and is no recording of this format, or cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._introduced: set[str] = set()
        self._tasks: set[tuple[str, TaskName]] = set()
        self.notice: str | None = None
        self._file: int | None = _open_recording(self.path)

    def record(
        self,
        request_digest: str,
        request_summary: Mapping[str, Any],
        identity: ModelIdentity,
        answer: Answer,
    ) -> None:
        """Write one answer down.

        Args:
            request_digest: `Request.digest` for this identity.
            request_summary: `Request.summary`.
            identity: Who answered.
            answer: What was answered.
        """
        key = _identity_key(identity)
        with self._lock:
            if self._file is None:
                raise SettingsError(f"the recording {self.path} is closed already")
            lines = self._introduction(key, identity)
            lines.append(
                {
                    "type": "answer",
                    "model": key,
                    "request": request_digest,
                    "asked": dict(request_summary),
                    "answer": answer.to_json(),
                }
            )
            self._write(lines, key)

    def introduce(
        self, identity: ModelIdentity, task: TaskName, facts: Callable[[], Mapping[str, Any]]
    ) -> None:
        """Write down, once, what a task tells its model.

        Args:
            identity: Who answers.
            task: The evaluation and its variant.
            facts: Gives instructions, dataset and version of this package, as JSON built-ins.
        """
        key = _identity_key(identity)
        with self._lock:
            if self._file is None:
                raise SettingsError(f"the recording {self.path} is closed already")
            if (key, task) in self._tasks:
                return
            named = {"evaluation": task.evaluation}
            if task.variant:
                named["variant"] = task.variant
            lines = [
                *self._introduction(key, identity),
                {"type": "evaluation", "model": key, **named, **facts()},
            ]
            self._write(lines, key)
            self._tasks.add((key, task))

    def _introduction(self, key: str, identity: ModelIdentity) -> list[dict[str, Any]]:
        if key in self._introduced:
            return []
        told = {"identity": identity.to_json(), TELLS_ERRORS: True}
        return [{"type": "model", "key": key, **told}]

    def _write(self, lines: list[dict[str, Any]], key: str) -> None:
        """Write lines down, or say that they are missing; the lock is held."""
        if self._file is None or self.notice is not None:
            return
        try:
            _append(self._file, lines)
        except OSError as error:
            self._fail(error)
        else:
            self._introduced.add(key)

    def _fail(self, error: OSError) -> None:
        self.notice = (
            f"{self.path}: the recording is incomplete ({error.strerror or error}): what was "
            "answered from then on is not in it; free disk space and run again, which asks nothing "
            "that is known"
        )

    def close(self) -> None:
        """Bring everything to the disk; may be called twice."""
        with self._lock:
            file, self._file = self._file, None
            if file is not None:
                try:
                    os.fsync(file)
                except OSError as error:
                    self._fail(error)
                finally:
                    os.close(file)


class ReplayBackend(LocalBackend):
    """Answers from a recording, and nothing else.

    Args:
        path: The recording.
        model: Which model of it, as ``ollama:llava``, ``llava`` or the start of its digest;
            empty where there is only one.
        told: What the questions will be put with: of several digests and servers that the model
            has in the recording, whoever answered just these. ``None``: each question is looked
            for with all of them.

    Raises:
        SettingsError: There is no such recording, a line of it is damaged, or no such model
            is in it.
    """

    def __init__(self, path: str | Path, model: str = "", told: Instructions | None = None) -> None:
        self._path = Path(path)
        recording = read_recording(self._path)
        self._cut = recording.cut_note
        self._doubtful = recording.doubtful
        keys = recording.keys(model)
        best, fitting = recording.best(keys, told)
        self._identity = recording.models[best]
        self._notices = () if fitting < 2 else (_several(recording, best, fitting),)  # noqa: PLR2004
        self._models = recording.models
        self._searched = searched = keys if told is None else (best,)
        self._identities = tuple(recording.models[key] for key in searched)
        self._near = [line for line in recording.answers if line["model"] in keys]
        self._answers = {line["request"]: line for line in self._near if line["model"] in searched}

    @property
    def notices(self) -> tuple[str, ...]:
        """That others answered the same questions in this recording, if any did."""
        return self._notices

    def identify(self) -> ModelIdentity:
        """Whoever answered when it was recorded, so that digests are the same."""
        return ModelIdentity.from_json(
            {
                **self._identity.to_json(),
                "details": {**self._identity.details, REPLAYED: self._path.name},
            }
        )

    def ask(self, request: Request) -> Answer:
        """The recorded answer to this very request.

        Raises:
            ReplayMismatch: There is none; the message says what differs from the nearest one. Or
                what was recorded may be an error.
        """
        for identity in self._identities:
            line = self._answers.get(request.digest(identity))
            if line is not None:
                if line["request"] in self._doubtful:
                    raise ReplayMismatch(
                        f"{self._path} may hold an error of the server in place of this answer: it "
                        "broke off or has no count of tokens, and a version recorded it that kept "
                        "errors which came with HTTP 200",
                        remedy=AGAIN,
                    )
                return Answer.from_json(line["answer"])
        raise ReplayMismatch(
            f"{self._path} holds no answer to this request: {self._why(request)}{self._cut}",
            remedy=AGAIN,
        )

    def _why(self, request: Request) -> str:
        asked = json.loads(json.dumps(request.summary()))
        lines = self._near
        if not lines:
            return "it holds no answers of this model"
        weights = {"image": 4, "prompt": 2}
        nearest = max(
            lines,
            key=lambda line: sum(
                weights.get(name, 1) for name in asked if line["asked"].get(name) == asked[name]
            ),
        )
        model, nearest = nearest["model"], nearest["asked"]
        names = dict.fromkeys([*asked, *nearest])  # what only one of them has differs, too
        differing = [name for name in names if nearest.get(name) != asked.get(name)]
        if not differing and model not in self._searched:
            other = self._models[model]
            return (
                f"the same question was recorded of {short_digest(other.digest)} "
                f"({other.server or 'unknown server'}) alone, and answers of both cannot be mixed"
            )
        if not differing:
            return (
                "the same question was recorded under another digest: the recording was edited, "
                "or is of another version"
            )
        return ", ".join(
            _difference(name, nearest.get(name), asked.get(name)) for name in differing
        )


def _several(recording: Recording, best: str, fitting: int) -> str:
    played = recording.models[best]
    return (
        f"{recording.path} has answers of {fitting} digests or servers of {played.spec} to these "
        f"questions: those of {short_digest(played.digest)} ({played.server or 'unknown server'}) "
        "are played back"
    )


def _difference(name: str, recorded: object, asked: object) -> str:
    word = "image bytes" if name == "image" else name.replace("_", " ")
    several = name in ("image", "examples", "example_images", "top_logprobs")
    if name == "options" and isinstance(recorded, dict) and isinstance(asked, dict):
        keys = sorted(k for k in {*recorded, *asked} if recorded.get(k) != asked.get(k))
        several = len(keys) > 1
        word = f"option{'s' if several else ''} {' and '.join(keys)}"
        recorded = {key: recorded.get(key) for key in keys}
        asked = {key: asked.get(key) for key in keys}
    verb = "differ" if several else "differs"
    return f"{word} {verb} (recorded {_short(recorded)}, asked {_short(asked)})"


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shorten(text, _SHOWN)


def _identity_key(identity: ModelIdentity) -> str:
    """Short name of a model within one recording."""
    parts = [identity.backend, identity.name, identity.digest, identity.server]
    parts += [identity.called] if identity.called else []
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _open_recording(path: Path) -> int:
    header = {"type": "header", "llmclf_recording": RECORDING_FORMAT}
    binary = getattr(os, "O_BINARY", 0)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | binary, 0o644)
        except FileExistsError:
            check_header(path)
            file = os.open(path, os.O_RDWR | os.O_APPEND | binary)
            _end_line(file)
        else:
            _append(file, [header])
    except OSError as error:
        raise SettingsError(
            f"the recording {path} cannot be written ({error.strerror}); give another file"
        ) from error
    return file


def _end_line(file: int) -> None:
    """Remove a line that a crash cut, or end one that only lacks its line end."""
    with _locked(file):
        size = os.lseek(file, 0, os.SEEK_END)
        last = _last_line(file, size)
        if not last:
            return
        if is_json(last):
            os.write(file, b"\n")
        else:
            os.ftruncate(file, size - len(last))


def _last_line(file: int, size: int) -> bytes:
    """What stands after the last line end; empty in a whole file."""
    found, start = b"", size
    while start and b"\n" not in found:
        length = min(start, _BLOCK_BYTES)
        start -= length
        os.lseek(file, start, os.SEEK_SET)
        found = os.read(file, length) + found
    return found.rpartition(b"\n")[2]


def _append(file: int, lines: list[dict[str, Any]]) -> None:
    text = "".join(
        json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines
    )
    data = memoryview(text.encode("utf-8", "surrogatepass"))
    with _locked(file):
        whole = os.lseek(file, 0, os.SEEK_END)
        try:
            while data:
                data = data[os.write(file, data) :]
        except OSError:
            # Half a line would spoil what another process puts behind it.
            with suppress(OSError):
                os.ftruncate(file, whole)
            raise


@contextmanager
def _locked(file: int) -> Iterator[None]:
    """Hold the file against other processes; its end moves with every write."""
    if sys.platform == "win32":
        # Windows keeps readers off what is locked: a byte that no recording reaches.
        lock_byte(file, _LOCKED_BYTE, wait=True)
        try:
            yield
        finally:
            unlock_byte(file, _LOCKED_BYTE)
    else:
        import fcntl

        deadline = time.monotonic() + LOCK_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TimeoutError(ETIMEDOUT, "another process holds it") from None
                time.sleep(_LOOK_S)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)


def connect(reach: Reach) -> Backend:
    """Plays a recording back."""
    return ReplayBackend(reach.spec.file, reach.spec.name)
