"""Recorded answers: written while a model answers, played back without it.

A recording is JSON lines. The first says the format; a ``model`` line introduces whoever
answered; each ``answer`` line holds one answer, the digest of its request, and enough of the
request in readable form to say why another one is not the same. Several models, and several
processes writing at once, share one file.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmclf.answer import Answer
from pytest_llmclf.errors import ReplayMismatch, SettingsError
from pytest_llmclf.outcome import shorten
from pytest_llmclf.request import REPLAYED, ModelIdentity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_llmclf.request import Request

RECORDING_FORMAT = 1
"""Raised when the meaning of a line changes; recordings of another format are refused."""

_HEADER_WAIT_S = 2.0
_SHOWN = 60
_BLOCK_BYTES = 65536
_LOCKED_BYTE = 0x7FFF_FFFE
_AGAIN = "record again with --llmclf-record"


class Recorder:
    """Appends answers to a recording. Thread-safe, and safe for several processes.

    Each answer is one write under a lock of the file, so that a crash can cut at most the last
    line; a reader skips it, and the next recorder removes it.

    Args:
        path: The recording; made if missing, continued if it is one.

    Raises:
        SettingsError: The file exists and is no recording of this format, or cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._introduced: set[str] = set()
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
        lines: list[dict[str, Any]] = []
        key = _identity_key(identity)
        with self._lock:
            if self._file is None:
                raise SettingsError(f"the recording {self.path} is closed already")
            if key not in self._introduced:
                lines.append({"type": "model", "key": key, "identity": identity.to_json()})
            lines.append(
                {
                    "type": "answer",
                    "model": key,
                    "request": request_digest,
                    "asked": dict(request_summary),
                    "answer": answer.to_json(),
                }
            )
            _append(self._file, lines)
            self._introduced.add(key)

    def close(self) -> None:
        """Bring everything to the disk; may be called twice."""
        with self._lock:
            file, self._file = self._file, None
        if file is not None:
            os.fsync(file)
            os.close(file)


class ReplayBackend:
    """Answers from a recording, and nothing else.

    Args:
        path: The recording.
        model: Which model of it, as ``ollama:llava``, ``llava`` or the start of its digest;
            empty where there is only one.

    Raises:
        SettingsError: There is no such recording, a line of it is damaged, or no such model
            is in it.
    """

    def __init__(self, path: str | Path, model: str = "") -> None:
        self._path = Path(path)
        models, answers, cut = _read(self._path)
        self._cut = f"; {cut} is cut" if cut else ""
        key = _chosen(self._path, models, model, self._cut)
        self._identity = models[key]
        self._answers = {line["request"]: line for line in answers if line["model"] == key}

    @property
    def in_flight(self) -> int:
        """One: a look-up is over before another could start."""
        return 1

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
            ReplayMismatch: There is none; the message says what differs from the nearest one.
        """
        line = self._answers.get(request.digest(self._identity))
        if line is None:
            raise ReplayMismatch(
                f"{self._path} holds no answer to this request: {self._why(request)}{self._cut}",
                remedy=_AGAIN,
            )
        return Answer.from_json(line["answer"])

    def close(self) -> None:
        """Nothing to free."""

    def _why(self, request: Request) -> str:
        asked = json.loads(json.dumps(request.summary()))
        lines = list(self._answers.values())
        if not lines:
            return "it holds no answers of this model"
        weights = {"image": 4, "prompt": 2}
        nearest = max(
            lines,
            key=lambda line: sum(
                weights.get(name, 1) for name in asked if line["asked"].get(name) == asked[name]
            ),
        )["asked"]
        differing = [name for name in asked if nearest.get(name) != asked[name]]
        if not differing:
            return (
                "the same question was recorded under another digest: the recording was edited, "
                "or is of another version"
            )
        return ", ".join(_difference(name, nearest.get(name), asked[name]) for name in differing)


def _difference(name: str, recorded: object, asked: object) -> str:
    word = "image bytes" if name == "image" else name.replace("_", " ")
    several = name in ("image", "examples", "top_logprobs")
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
    parts = (identity.backend, identity.name, identity.digest, identity.server)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _open_recording(path: Path) -> int:
    header = {"type": "header", "llmclf_recording": RECORDING_FORMAT}
    binary = getattr(os, "O_BINARY", 0)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | binary, 0o644)
        except FileExistsError:
            _check_header(path)
            file = os.open(path, os.O_RDWR | os.O_APPEND | binary)
            _end_line(file)
        else:
            _append(file, [header])
    except OSError as error:
        raise SettingsError(
            f"the recording {path} cannot be written ({error.strerror}); give another file"
        ) from error
    return file


def _check_header(path: Path) -> None:
    deadline = time.monotonic() + _HEADER_WAIT_S
    while True:
        with path.open("rb") as file:
            first = file.readline()
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
            f"remove it and {_AGAIN}"
        )


def _end_line(file: int) -> None:
    """Remove a line that a crash cut, or end one that only lacks its line end."""
    with _locked(file):
        size = os.lseek(file, 0, os.SEEK_END)
        last = _last_line(file, size)
        if not last:
            return
        if _is_json(last):
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


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return False
    return True


def _append(file: int, lines: list[dict[str, Any]]) -> None:
    text = "".join(
        json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines
    )
    data = memoryview(text.encode("utf-8", "surrogatepass"))
    with _locked(file):
        while data:
            data = data[os.write(file, data) :]


@contextmanager
def _locked(file: int) -> Iterator[None]:
    """Hold the file against other processes; its end moves with every write."""
    if sys.platform == "win32":
        import msvcrt

        # Windows keeps readers off what is locked: a byte that no recording reaches.
        os.lseek(file, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_LOCK, 1)
        try:
            yield
        finally:
            os.lseek(file, _LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(file, msvcrt.LK_UNLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)


def _read(path: Path) -> tuple[dict[str, ModelIdentity], list[dict[str, Any]], str]:
    """Models by key, answers, and where a crash cut the last line (else empty)."""
    models: dict[str, ModelIdentity] = {}
    answers: list[dict[str, Any]] = []
    try:
        _check_header(path)
        # Not splitlines: answers may hold other line separators.
        *lines, last = path.read_bytes().split(b"\n")
    except OSError as error:
        raise SettingsError(
            f"the recording {path} cannot be read ({error.strerror}); "
            "make it with --llmclf-record FILE"
        ) from error
    cut = f"{path}:{len(lines) + 1}" if last and not _is_json(last) else ""
    for number, line in enumerate(lines if cut else [*lines, last], 1):
        if not line:
            continue
        try:
            _take(json.loads(line.decode("utf-8", "surrogatepass")), models, answers)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise SettingsError(
                f"{path}:{number}: no line of a recording ({_problem(error)}); "
                f"remove the line or {_AGAIN}"
            ) from error
    return models, answers, cut


def _take(
    data: dict[str, Any], models: dict[str, ModelIdentity], answers: list[dict[str, Any]]
) -> None:
    """Add what one line says; an exception means that it is no line of a recording."""
    if data["type"] == "model":
        models[data["key"]] = ModelIdentity.from_json(data["identity"])
    elif data["type"] == "answer":
        Answer.from_json(data["answer"])
        fields = {"request": str(data["request"]), "model": str(data["model"])}
        answers.append({**data, **fields, "asked": dict(data["asked"])})


def _problem(error: Exception) -> str:
    return f"it lacks {error}" if isinstance(error, KeyError) else str(error)


def _chosen(path: Path, models: Mapping[str, ModelIdentity], wanted: str, cut: str) -> str:
    names = {key: identity.spec for key, identity in models.items()}
    fitting = [
        key
        for key, identity in models.items()
        if not wanted
        or wanted in (identity.spec, identity.name)
        or identity.digest.startswith(wanted)
    ]
    if len(fitting) == 1:
        return fitting[0]
    has = ", ".join(f"{names[key]} ({models[key].digest[:12]})" for key in models) or "no model"
    if not fitting:
        raise SettingsError(f"{path} has {has}, not {wanted or 'a model'}{cut}; {_AGAIN}")
    raise SettingsError(
        f"{path} has several models: {has}; say which: replay:{path}#NAME or #DIGEST"
    )
