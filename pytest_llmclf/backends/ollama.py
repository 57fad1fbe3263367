"""Models on an Ollama server."""

from __future__ import annotations

import base64
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmclf import errors
from pytest_llmclf.answer import Answer, Finish
from pytest_llmclf.backends import http_errors, ollama_errors, said
from pytest_llmclf.backends import wire as wires
from pytest_llmclf.backends.ollama_base import BaseWatch
from pytest_llmclf.backends.ollama_derive import Derived, Deriver, full_name, is_gguf
from pytest_llmclf.backends.wire import Wire
from pytest_llmclf.outcome import shorten
from pytest_llmclf.request import BASE_DIGEST, ModelIdentity

if TYPE_CHECKING:
    from collections.abc import Collection

    from pytest_llmclf.backends.address import Address
    from pytest_llmclf.modelfile import Modelfile
    from pytest_llmclf.request import Request

PROBE_TIMEOUT_S = 0.5
"""How long `probe` waits for a connection."""

MOST_LOSSES = 3
"""So often a derived model that the server lost is derived anew; whoever removes it wins then."""

_NANOSECOND = 1e-9
_OK, _BROKE = 200, 500
_SHOWN = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class OllamaStatus:
    """What a running Ollama tells at once.

    Attributes:
        version: Its version, such as ``0.33.0``.
        models: Full names of its models, such as ``llava:latest``.
    """

    version: str
    models: tuple[str, ...]


def probe(address: Address, timeout_s: float = PROBE_TIMEOUT_S) -> OllamaStatus | None:
    """Ask whether an Ollama listens at an address, quickly; ``None`` if not.

    Args:
        address: Where to look; the caller has checked that it is allowed.
        timeout_s: Longest wait for the connection; each answer may take four times that.
    """
    wire = open_wire(address, connect_timeout_s=timeout_s)
    try:
        return status_of(wire, 4 * timeout_s)
    except errors.BackendError:
        return None
    finally:
        wire.close()


def status_of(wire: Wire, timeout_s: float) -> OllamaStatus | None:
    """Version and models of the server at the other end; ``None`` if it is no Ollama.

    Raises:
        BackendError: There is no answer.
    """
    _, version = wire.json("GET", "/api/version", timeout_s=timeout_s)
    _, tags = wire.json("GET", "/api/tags", timeout_s=timeout_s)
    try:
        names = tuple(full_name(str(model["name"])) for model in tags["models"] or [])
        return OllamaStatus(version=str(version["version"]), models=names)
    except (LookupError, TypeError):
        return None


def open_wire(address: Address, *, connect_timeout_s: float = wires.CONNECT_TIMEOUT_S) -> Wire:
    """Connections to an Ollama; the caller closes them."""
    return Wire(
        address,
        where=f"Ollama at {address.netloc}",
        remedy=ollama_errors.START_REMEDY,
        connect_timeout_s=connect_timeout_s,
    )


def has_model(status: OllamaStatus, name: str) -> bool:
    """Whether the server has a model; ``llava`` means ``llava:latest``."""
    return full_name(name) in status.models


class OllamaBackend:
    """A model derived from a Modelfile on an Ollama server.

    Args:
        modelfile: What to derive.
        model: Base model to use instead of the Modelfile's FROM; empty for FROM.
        address: The server.
        allow_remote: Hosts other than this machine that pictures may be sent to.
        timeout_s: Longest wait for one answer, queueing and loading included.
        pull: Whether a missing base model may be downloaded.

    Raises:
        RemoteRefused: The server is not on this machine and not allowed.
    """

    def __init__(
        self,
        *,
        modelfile: Modelfile,
        model: str = "",
        address: Address,
        allow_remote: Collection[str] = frozenset(),
        timeout_s: float = 120.0,
        pull: bool = False,
    ) -> None:
        address.require_allowed(allow_remote)
        if model and full_name(model) != full_name(modelfile.from_):
            # The projector and the adapter belong to the FROM that is replaced.
            modelfile = replace(modelfile, from_=model, projectors=(), adapters=())
        self._modelfile = modelfile
        self._model = model or modelfile.from_
        self._address = address
        self._timeout_s = timeout_s
        self._pull = pull
        self._lock = threading.Lock()
        self._wire: Wire | None = None
        self._ready: tuple[Derived, ModelIdentity] | None = None
        self._losses = 0
        self._notices: list[str] = []
        self._base = BaseWatch()

    @property
    def notices(self) -> tuple[str, ...]:
        """Losses of the derived model that were made good, in order."""
        return tuple(self._notices)

    @property
    def in_flight(self) -> int:
        """Enough for a server with four slots; `pool.Pool` learns what a server can use."""
        return 8

    def identify(self) -> ModelIdentity:
        """Who answers; derives the model on first use.

        Raises:
            BackendError: The server or the model is not there, or cannot be derived.
        """
        return self._prepared()[2]

    def ask(self, request: Request) -> Answer:
        """Ask one question.

        A derived model that the server has lost meanwhile (``ollama rm``, a restart with another
        store) is derived anew, once a loss and at most `MOST_LOSSES` times. Whether its base was
        replaced is looked at every few seconds, and told among the `notices`.

        Raises:
            BackendError: There is no answer.
        """
        while True:
            wire, derived, identity = self._prepared()
            try:
                answer = self._asked(wire, derived, request)
            except errors.ModelMissing:
                if not self._made_good(derived, identity):
                    raise
            else:
                self._look_at_base(wire, derived)
                return answer

    def _asked(self, wire: Wire, derived: Derived, request: Request) -> Answer:
        content: dict[str, Any] = {
            "model": derived.name,
            "messages": self._messages(request),
            "stream": False,
        }
        if request.answer_schema:
            content["format"] = dict(request.answer_schema)
        if request.top_logprobs:
            content |= {"logprobs": True, "top_logprobs": request.top_logprobs}
        if options := self._options(request):
            content["options"] = options
        started = time.perf_counter()
        status, told = wire.json("POST", "/api/chat", content, timeout_s=self._timeout_s)
        wall_s = time.perf_counter() - started
        # An error may come with HTTP 200 as well; it is one of the server's then.
        broke = status == _OK and isinstance(told, dict) and "error" in told
        if status != _OK or broke:
            raise ollama_errors.from_status(
                _BROKE if broke else status, told, address=self._address, model=self._model
            )
        if isinstance(told, str):
            raise http_errors.not_json(told, where=f"Ollama at {self._address.netloc}")
        return self._answer(told, wall_s)

    def is_there(self, timeout_s: float) -> bool:
        """Whether the server answers at this moment; asks for its version only.

        Args:
            timeout_s: Longest wait for a connection, and for the answer.
        """
        wire = open_wire(self._address, connect_timeout_s=timeout_s)
        try:
            return wire.request("GET", "/api/version", timeout_s=timeout_s).ok
        except errors.BackendError:
            return False
        finally:
            wire.close()

    def forget(self) -> None:
        """Look again who answers before the next question: the server was started anew."""
        with self._lock:
            self._ready = None

    def close(self) -> None:
        """Close the connections; the derived model stays for the next run."""
        with self._lock:
            wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    def _look_at_base(self, wire: Wire, derived: Derived) -> None:
        if is_gguf(derived.base):
            return

        def current() -> str:
            try:
                return self._deriver(wire, "").digest_of(derived.base)
            except errors.BackendError:  # whoever asks next will be told
                return ""

        sentence = self._base.look(derived, current, self._address.netloc)
        if sentence:
            self._notices.append(sentence)

    def _made_good(self, lost: Derived, identity: ModelIdentity) -> bool:
        """Derive a lost model anew; false if that was done too often.

        Raises:
            BackendError: It cannot be derived, or another model comes of it.
        """
        with self._lock:
            if self._ready is None or self._ready[0] is not lost:
                return True  # another thread was faster
            if self._losses >= MOST_LOSSES:
                return False
            wire = self._wire = self._wire or open_wire(self._address)
            try:
                derived, found = self._derived(wire)
            except errors.BackendError as error:
                self._losses += not error.retryable
                raise
            self._losses += 1
            if (found.digest, found.server) != (identity.digest, identity.server):
                raise errors.ModelMissing(
                    f"Ollama at {self._address.netloc} lost {lost.name}, and what is derived anew "
                    f"is another model: answers of both cannot be mixed",
                    remedy="run again",
                )
            self._ready = derived, identity
            self._notices.append(
                f"{self._address.netloc} lost {lost.name} during the run; it was derived anew"
            )
            return True

    def _prepared(self) -> tuple[Wire, Derived, ModelIdentity]:
        with self._lock:
            wire = self._wire = self._wire or open_wire(self._address)
            if self._ready is None:
                self._ready = self._derived(wire)
            return wire, *self._ready

    def _derived(self, wire: Wire) -> tuple[Derived, ModelIdentity]:
        status = status_of(wire, self._timeout_s)
        version = status.version if status else ""
        derived = self._deriver(wire, version).derive()
        return derived, self._identity(derived, version)

    def _deriver(self, wire: Wire, version: str) -> Deriver:
        return Deriver(
            wire,
            address=self._address,
            modelfile=self._modelfile,
            version=version,
            pull=self._pull,
            timeout_s=self._timeout_s,
        )

    def _identity(self, derived: Derived, version: str) -> ModelIdentity:
        return ModelIdentity(
            backend="ollama",
            name=Path(self._model).name if is_gguf(self._model) else self._model,
            digest=derived.digest,
            server=f"ollama {version}".strip(),
            details={
                "derived": derived.name,
                BASE_DIGEST: derived.base_digest,
                "address": self._address.netloc,
            },
        )

    def _messages(self, request: Request) -> list[dict[str, Any]]:
        """What the derived model does not hold already: the picture and the question.

        A system text of the request's own goes in front and replaces the model's. Examples
        cannot be replaced, only added to, so they must be the Modelfile's.
        """
        if request.examples != self._modelfile.messages or (
            request.system is None and self._modelfile.system is not None
        ):
            raise errors.RequestRejected(
                f"the request's examples or system text are not those of "
                f"{self._modelfile.source}, which {self._model} was derived from",
                remedy="make the request and the backend from the same Modelfile",
            )
        picture = base64.b64encode(request.image).decode()
        messages: list[dict[str, Any]] = []
        if request.system is not None and request.system != self._modelfile.system:
            messages.append({"role": "system", "content": request.system})
        messages.append({"role": "user", "content": request.prompt, "images": [picture]})
        return messages

    def _options(self, request: Request) -> dict[str, Any]:
        """The options that differ from the derived model's own."""
        own = self._modelfile.options()
        return {
            key: value
            for key, value in request.options.items()
            if key not in own or own[key] != value
        }

    def _answer(self, told: Any, wall_s: float) -> Answer:
        where = f"Ollama at {self._address.netloc}"
        try:
            reason, text = told.get("done_reason"), told["message"].get("content")
            if not isinstance(text, str | None):
                raise TypeError("the answer is no text")
        except said.MISREAD as error:
            raise errors.BadAnswer(
                f"{where} answered something that is not its protocol: "
                f"{shorten(said.shown(told), _SHOWN)}",
                remedy="check that the address is that of an Ollama server",
            ) from error
        if reason in ("load", "unload"):
            raise errors.BadAnswer(
                f"{where} only answered {reason!r}",
                remedy="ask again; if it stays, look at the server's log",
            )
        finish: Finish = "other"
        # No reason, and no "done", where the server gave up on a model that repeats itself: that
        # is how this model answers, not an error.
        if reason in ("stop", "length"):
            finish = "stop" if reason == "stop" else "length"
        return Answer(
            text=text or "",
            finish=finish,
            prompt_tokens=said.count(told.get("prompt_eval_count")),
            answer_tokens=said.count(told.get("eval_count")),
            server_s=said.seconds(told.get("total_duration"), _NANOSECOND),
            load_s=said.seconds(told.get("load_duration"), _NANOSECOND),
            wall_s=wall_s,
            logprobs=said.logprobs(told.get("logprobs")),
        )
