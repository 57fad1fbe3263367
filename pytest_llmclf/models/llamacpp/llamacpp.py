"""Models in GGUF files, run by a `llama-server` of our own."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_llmclf.errors import (
    ModelMissing,
    RequestRejected,
    ServerFailed,
    ServerUnreachable,
    SettingsError,
)
from pytest_llmclf.files import file_digest
from pytest_llmclf.models.http.http_errors import RULES
from pytest_llmclf.models.llamacpp.embedded import MODELS_FOLDER
from pytest_llmclf.models.llamacpp.llama_binary import build_of
from pytest_llmclf.models.llamacpp.llama_server import LlamaServer, LlamaServers, ServerPlan
from pytest_llmclf.models.openai.openai_backend import OpenAIBackend
from pytest_llmclf.models.openai.openai_thinking import OpenAIThinking
from pytest_llmclf.values.request import ModelIdentity

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_llmclf.models.http.address import Address
    from pytest_llmclf.models.reach import ConnectSettings
    from pytest_llmclf.values.answer import Answer
    from pytest_llmclf.values.request import Request

DEFAULT_CONTEXT = 4096
_EMBEDDED_CONTEXT = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufPair:
    """A language model and its projector.

    Attributes:
        name: How people call it.
        text: GGUF file of the language model.
        mmproj: GGUF file of the projector.
        version: Its version, or empty.
        context: Tokens of context that suit it, unless ``num_ctx`` says otherwise.
        embedded: Whether it is the tiny model of this package.
    """

    name: str
    text: Path
    mmproj: Path
    version: str = ""
    context: int = DEFAULT_CONTEXT
    embedded: bool = False


def embedded_pair(folder: Path | None = None) -> GgufPair:
    """The model in this package.

    Args:
        folder: Folder with its ``model.json``; default: the package's.

    Raises:
        ModelMissing: The files are not there or are not the ones that belong to it.
    """
    folder = folder or MODELS_FOLDER / "micro_llava"
    remedy = "install pytest-llmclf anew"
    try:
        card = json.loads((folder / "model.json").read_text("utf-8"))
        files = {part: folder / card[part]["file"] for part in ("text", "mmproj")}
        for part, path in files.items():
            if file_digest(path) != card[part]["sha256"]:
                raise ModelMissing(f"{path} is not the file that belongs there", remedy=remedy)
        limit = int(card.get("context_length", _EMBEDDED_CONTEXT))
        return GgufPair(
            name=str(card["name"]),
            **files,
            version=str(card["version"]),
            context=min(limit, _EMBEDDED_CONTEXT),
            embedded=True,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelMissing(
            f"the embedded model in {folder} cannot be read ({error})", remedy=remedy
        ) from error


def file_pair(text: Path, mmproj: Path) -> GgufPair:
    """A pair of files of the user's.

    Raises:
        ModelMissing: One of them is not there.
    """
    for path in (text, mmproj):
        if not path.is_file():
            raise ModelMissing(f"there is no file {path}", remedy="correct the path")
    return GgufPair(name=f"{text.name}+{mmproj.name}", text=text.resolve(), mmproj=mmproj.resolve())


@dataclass(slots=True, kw_only=True)
class _Seat:
    """One server, its client, and how many questions it has; guarded by the backend's lock."""

    server: LlamaServer
    speaker: tuple[Address, OpenAIBackend] | None = None
    asked: int = 0


class LlamaCppBackend:
    """A GGUF pair behind a `llama-server` child.

    Args:
        pair: The model.
        program: The `llama-server` to run.
        servers: Where servers are shared; several backends over one pair use one child.
        settings: How it is started and how long an answer is waited for. Without a number of
            threads it has one for the embedded model, which more slow down on a busy machine, else
            llama.cpp's choice.
        options: Options of the Modelfile; ``num_ctx`` and ``num_thread`` say how to start.
        notes: Further facts for `ModelIdentity.details`.
        copies: Servers that are started when there is work for so many.
    """

    def __init__(
        self,
        *,
        pair: GgufPair,
        program: Path,
        servers: LlamaServers,
        settings: ConnectSettings,
        options: Mapping[str, object] | None = None,
        notes: Mapping[str, str] | None = None,
        copies: int = 1,
    ) -> None:
        options = options or {}
        self._pair = pair
        self._timeout_s = settings.timeout_s
        self._notes = dict(notes or {})
        self._servers = servers
        self._plan = ServerPlan(
            program=program,
            text=pair.text,
            mmproj=pair.mmproj,
            alias=pair.text.stem if not pair.embedded else pair.name,
            parallel=max(1, settings.llama_parallel),
            context=_positive(options, "num_ctx") or pair.context,
            threads=settings.llama_threads
            or _positive(options, "num_thread")
            or (1 if pair.embedded else None),
            tiny=pair.embedded,
        )
        self._seats = [
            _Seat(server=servers.acquire(replace(self._plan, copy=copy)))
            for copy in range(max(1, copies))
        ]
        self._thinking = OpenAIThinking(pair.name, "llama-server")
        self._lock = threading.Lock()
        self._retired: list[OpenAIBackend] = []
        self._identity: ModelIdentity | None = None

    @property
    def in_flight(self) -> int:
        """Twice the slots: with no more requests than slots a server idles between answers."""
        return 2 * self._plan.parallel * max(1, len(self._seats))

    @property
    def notices(self) -> tuple[str, ...]:
        """What was learnt about thinking."""
        return self._thinking.notices

    def identify(self) -> ModelIdentity:
        """Who answers; starts the server only where its program does not tell its build.

        Raises:
            RuntimeBroken: The server does not start.
        """
        with self._lock:
            if self._identity is None:
                self._identity = self._identified()
            return self._identity

    def ask(self, request: Request) -> Answer:
        """Ask one question; starts the server, or starts it again after it died.

        Raises:
            ServerFailed: The server died meanwhile; the next request starts it again.
            RuntimeBroken: It does not start, or died too often.
            RequestRejected: The request wants another context than the server has.
            BackendError: There is no answer for another reason.
        """
        context = _positive(request.options, "num_ctx")
        if context not in (None, self._plan.context):
            raise RequestRejected(
                f"num_ctx {context} is asked, the server for {self._pair.name} has "
                f"{self._plan.context}",
                remedy=f"write PARAMETER num_ctx {context} into the Modelfile",
            )
        with self._lock:
            seat = self._free_seat()
            seat.asked += 1
        try:
            speaker = self._speaker(seat)
            return speaker.ask(request)
        except (ServerFailed, ServerUnreachable) as error:
            failed = ServerFailed(error.message, remedy=error.remedy)
            raise seat.server.explain(failed) from error
        finally:
            with self._lock:
                seat.asked -= 1

    def close(self) -> None:
        """Give the server back; the last user's closing ends it."""
        with self._lock:
            seats, self._seats = self._seats, []
            speakers = [*self._retired, *(seat.speaker[1] for seat in seats if seat.speaker)]
            self._retired.clear()
        for speaker in speakers:
            speaker.close()
        for seat in seats:
            self._servers.release(seat.server)

    def _free_seat(self) -> _Seat:
        """The first server with a free slot, else the least busy one; the lock is held."""
        if not self._seats:
            raise ServerFailed(
                f"{self._pair.name} was closed", remedy="ask before the connections are closed"
            )
        free = (seat for seat in self._seats if seat.asked < self._plan.parallel)
        return next(free, None) or min(self._seats, key=lambda seat: seat.asked)

    def _speaker(self, seat: _Seat) -> OpenAIBackend:
        """The client for where a server listens now; a restarted one has another port."""
        server = seat.server
        address = server.address()
        with self._lock:
            if seat.speaker is not None and seat.speaker[0] == address:
                return seat.speaker[1]
            if seat.speaker is not None:
                # Other threads may still wait for its broken answers: closed at the end.
                self._retired.append(seat.speaker[1])
            speaker = OpenAIBackend(
                model=server.plan.alias,
                address=address,
                timeout_s=self._timeout_s,
                slots=self._plan.parallel,
                api_key=server.key,
                thinking=self._thinking,
                rules=RULES,
            )
            seat.speaker = address, speaker
            return speaker

    def _identified(self) -> ModelIdentity:
        pair = self._pair
        # Where the program tells its build, a run whose answers are all known starts no server.
        build = build_of(self._plan.program)
        if not build:
            server = self._free_seat().server
            server.address()
            build = server.build
        files = f"{file_digest(pair.text)} {file_digest(pair.mmproj)}"
        return ModelIdentity(
            backend="llamacpp",
            name=pair.name,
            digest=hashlib.sha256(files.encode()).hexdigest(),
            server=f"llama.cpp {build}".strip(),
            details={
                "program": self._plan.program.name,
                "slots": str(self._plan.parallel),
                "context": str(self._plan.context),
                **({"version": pair.version} if pair.version else {}),
                **self._notes,
            },
        )


def _positive(options: Mapping[str, object], name: str) -> int | None:
    value = options.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise SettingsError(f"{name} must be a whole number, not {value!r}")
    return value if value > 0 else None
