"""Models on an Ollama server."""

from __future__ import annotations

import base64
import contextlib
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmclf import errors
from pytest_llmclf.models.http import http_errors, payload
from pytest_llmclf.models.http.address import NOWHERE
from pytest_llmclf.models.http.client import CONNECT_TIMEOUT_S
from pytest_llmclf.models.ollama import ollama_errors
from pytest_llmclf.models.ollama.base_model import BaseWatch
from pytest_llmclf.models.ollama.derive import Derived, Deriver, full_name, remote_host
from pytest_llmclf.models.ollama.ollama_thinking import OllamaThinking
from pytest_llmclf.models.ollama.status import open_wire, require_here, status_of
from pytest_llmclf.models.server_backend import ServerBackend
from pytest_llmclf.models.spec import names_file
from pytest_llmclf.values.answer import Answer, Finish
from pytest_llmclf.values.request import BASE_DIGEST, MODELS_OWN_SYSTEM, THINKS, ModelIdentity
from pytest_llmclf.values.text import shorten

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llmclf.models.http.address import Access, Address
    from pytest_llmclf.models.http.client import HttpClient
    from pytest_llmclf.prompting.modelfile import Modelfile
    from pytest_llmclf.values.request import Request

MOST_LOSSES = 3
"""So often a derived model that the server lost is derived anew; whoever removes it wins then."""

_NANOSECOND = 1e-9
_OK = 200
_IN_ANSWER = -1
_REPEATS = 25
"""The server gives up after 30 equal tokens, of which the first may stand apart."""
_LONGEST_TOKEN = 64
_SHOWN = 120


class OllamaBackend(ServerBackend):
    """A model derived from a Modelfile on an Ollama server.

    Args:
        modelfile: What to derive.
        model: Base model to use instead of the Modelfile's FROM; empty for FROM.
        address: The server.
        access: Where images and keys may go besides this machine.
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
        access: Access = NOWHERE,
        timeout_s: float = 120.0,
        pull: bool = False,
    ) -> None:
        super().__init__(model or modelfile.from_, address, access, timeout_s)
        if model and full_name(model) != full_name(modelfile.from_):
            # The projector and the adapter belong to the FROM that is replaced.
            modelfile = replace(modelfile, from_=model, projectors=(), adapters=())
        self._modelfile = modelfile
        self._pull = pull
        self._ready: tuple[Derived, ModelIdentity] | None = None
        self._losses = 0
        self._notices: list[str] = []
        self._base = BaseWatch()
        self._thinking = OllamaThinking(self._model, f"Ollama at {address.netloc}")

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
        self._require_asked_here()
        while True:
            client, derived, identity = self._prepared()
            think, without = self._thinking.field(request, identity)
            try:
                answer = self._asked(client, derived, request, think)
            except errors.CannotThink:
                if not self._thinking.is_refused(think, request):
                    raise
            except errors.ModelMissing:
                if not self._made_good(derived, identity):
                    raise
            else:
                self._look_at_base(client, derived)
                return replace(answer, asked_without=without) if without else answer

    def _asked(
        self, client: HttpClient, derived: Derived, request: Request, think: Mapping[str, Any]
    ) -> Answer:
        content: dict[str, Any] = {
            "model": derived.name,
            "messages": self._messages(request),
            "stream": False,
            # Else turns are dropped without a word, by a count of 768 tokens for every image.
            "truncate": False,
            **think,
        }
        if request.answer_schema:
            content["format"] = dict(request.answer_schema)
        if request.top_logprobs:
            content |= {"logprobs": True, "top_logprobs": request.top_logprobs}
        if options := self._options(request):
            content["options"] = options
        started = time.perf_counter()
        reply = client.json("POST", "/api/chat", content, timeout_s=self._timeout_s)
        status, told = reply.status, reply.value
        wall_s = time.perf_counter() - started
        self._look_where_it_ran(told)
        # An error may come with HTTP 200 as well; it is one of the server's then.
        broke = status == _OK and isinstance(told, dict) and bool(told.get("error"))
        if status != _OK or broke:
            error = ollama_errors.from_status(
                _IN_ANSWER if broke else status, told, address=self._address, model=self._model
            )
            error = ollama_errors.no_more_room(client.explained(error), request.options)
            raise reply.mark(error)
        where = f"Ollama at {self._address.netloc}"
        if isinstance(told, str):
            streamed = http_errors.error_in_stream(told, where=where, model=self._model)
            raise streamed or http_errors.not_json(told, where=where)
        return client.redactor.answer(self._answer(told, wall_s))

    def is_there(self, timeout_s: float) -> bool:
        """Whether the server answers at this moment; asks for its version only.

        Args:
            timeout_s: Longest wait for a connection, and for the answer.
        """
        with contextlib.closing(self._open(timeout_s)) as client:
            try:
                return client.request("GET", "/api/version", timeout_s=timeout_s).ok
            except errors.BackendError:
                return False

    def forget(self) -> None:
        """Look again who answers before the next question: the server was started anew."""
        with self._lock:
            self._ready = None

    def _look_at_base(self, client: HttpClient, derived: Derived) -> None:
        if names_file(derived.base):
            return

        def current() -> str:
            try:
                return self._deriver(client, "").digest_of(derived.base)
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
            try:
                derived, found = self._derived(self._opened())
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

    def _prepared(self) -> tuple[HttpClient, Derived, ModelIdentity]:
        with self._lock:
            client = self._opened()
            if self._ready is None:
                self._ready = self._derived(client)
            return client, *self._ready

    def _derived(self, client: HttpClient) -> tuple[Derived, ModelIdentity]:
        status = status_of(client, self._address, self._timeout_s)
        derived = self._deriver(client, status.version).derive()
        return derived, self._identity(derived, status.version)

    def _deriver(self, client: HttpClient, version: str) -> Deriver:
        return Deriver(
            client,
            address=self._address,
            modelfile=self._modelfile,
            version=version,
            pull=self._pull,
            timeout_s=self._timeout_s,
            require_here=self._require_here,
        )

    def _open(self, connect_timeout_s: float = CONNECT_TIMEOUT_S) -> HttpClient:
        return open_wire(self._address, self._access, connect_timeout_s)

    def _require_here(self, name: str, told: Mapping[str, Any]) -> None:
        require_here(name, remote_host(told), self._address, self._access.remote)

    def _identity(self, derived: Derived, version: str) -> ModelIdentity:
        return ModelIdentity(
            backend="ollama",
            name=Path(self._model).name if names_file(self._model) else self._model,
            digest=derived.digest,
            server=f"ollama {version}".strip(),
            details={
                "derived": derived.name,
                BASE_DIGEST: derived.base_digest,
                "address": self._address.netloc,
                **({"run by": derived.remote} if derived.remote else {}),
                **({MODELS_OWN_SYSTEM: derived.own_system} if derived.own_system else {}),
                **({THINKS: derived.thinks} if derived.thinks else {}),
            },
        )

    def _messages(self, request: Request) -> list[dict[str, Any]]:
        """What the derived model does not hold already: example images, image and question.

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
        messages: list[dict[str, Any]] = []
        if request.system is not None and request.system != self._modelfile.system:
            messages.append({"role": "system", "content": request.system})
        for example in request.example_images:
            messages.append(_question(example.image, request.prompt))
            messages.append({"role": "assistant", "content": example.answer})
        return [*messages, _question(request.image, request.prompt)]

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
            reason, message = told.get("done_reason"), told["message"]
            text, thinking = message.get("content"), message.get("thinking")
            if not isinstance(text, str | None):
                raise TypeError("the answer is no text")
        except payload.MISREAD as error:
            raise errors.BadAnswer(
                f"{where} answered something that is not its protocol: "
                f"{shorten(payload.shown(told), _SHOWN)}",
                remedy="check that the address is that of an Ollama server",
            ) from error
        if reason in ("load", "unload"):
            raise errors.BadAnswer(
                f"{where} only answered {reason!r}",
                remedy="ask again; if it stays, look at the server's log",
            )
        if not told.get("done", True) and not _repeats_itself(told["message"]):
            raise errors.ServerFailed(
                f"{where} broke off its answer (HTTP 200 without done)",
                remedy="look at the server's log",
            )
        finish: Finish = "other"
        # No reason, and no "done", where the server gave up on a model that repeats itself: that
        # is how this model answers, not an error.
        if reason in ("stop", "length"):
            finish = "stop" if reason == "stop" else "length"
        return Answer(
            text=text or "",
            thinking=thinking if isinstance(thinking, str) else "",
            finish=finish,
            prompt_tokens=payload.count(told.get("prompt_eval_count")),
            answer_tokens=payload.count(told.get("eval_count")),
            server_s=payload.seconds(told.get("total_duration"), _NANOSECOND),
            load_s=payload.seconds(told.get("load_duration"), _NANOSECOND),
            wall_s=wall_s,
            logprobs=payload.logprobs(told.get("logprobs")),
        )


def _question(image: bytes, prompt: str) -> dict[str, Any]:
    """A turn of the user's: an image, and what is asked about it."""
    return {"role": "user", "content": prompt, "images": [base64.b64encode(image).decode()]}


def _repeats_itself(message: Mapping[str, Any]) -> bool:
    """Whether an answer, or the thinking before it, ends in one token again and again."""
    return any(map(_ends_in_repeats, (message.get("content"), message.get("thinking"))))


def _ends_in_repeats(text: object) -> bool:
    if not isinstance(text, str):
        return False
    end = text[-_REPEATS * 2 * _LONGEST_TOKEN :]
    packed = "".join(end.split())
    if len(end) - len(end.rstrip()) >= _REPEATS:
        return True
    return any(
        len(packed) >= _REPEATS * size and packed.endswith(packed[len(packed) - size :] * _REPEATS)
        for size in range(1, _LONGEST_TOKEN + 1)
    )
