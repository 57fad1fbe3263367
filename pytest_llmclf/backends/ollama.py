"""Models on an Ollama server, through its official client."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmclf import errors
from pytest_llmclf.answer import Answer, Finish, TokenLogprob
from pytest_llmclf.backends import ollama_errors, transport
from pytest_llmclf.backends.ollama_derive import Derived, Deriver, full_name, is_gguf
from pytest_llmclf.request import ModelIdentity

if TYPE_CHECKING:
    from collections.abc import Collection

    import ollama

    from pytest_llmclf.backends.address import Address
    from pytest_llmclf.modelfile import Modelfile
    from pytest_llmclf.request import Request

PROBE_TIMEOUT_S = 0.5
"""How long `probe` waits for a connection."""

_NANOSECONDS = 1e-9


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
    import httpx

    settings = transport.client_settings(address, 4 * timeout_s)
    settings["timeout"] = httpx.Timeout(4 * timeout_s, connect=timeout_s)
    try:
        with httpx.Client(base_url=address.url, **settings) as client:
            version = client.get("/api/version").raise_for_status().json()["version"]
            models = client.get("/api/tags").raise_for_status().json()["models"] or []
            names = tuple(full_name(str(model["name"])) for model in models)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, KeyError, TypeError):
        return None
    return OllamaStatus(version=str(version), models=names)


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
        self._client: ollama.Client | None = None
        self._ready: tuple[Derived, ModelIdentity] | None = None

    @property
    def slots(self) -> int:
        """``OLLAMA_NUM_PARALLEL`` if this process sees it, else 1, the server's default."""
        value = os.environ.get("OLLAMA_NUM_PARALLEL", "")
        return max(1, int(value)) if value.isdecimal() else 1

    def identify(self) -> ModelIdentity:
        """Who answers; derives the model on first use.

        Raises:
            BackendError: The server or the model is not there, or cannot be derived.
        """
        return self._prepared()[2]

    def ask(self, request: Request) -> Answer:
        """Ask one question.

        Raises:
            BackendError: There is no answer.
        """
        client, derived, _ = self._prepared()
        messages = self._messages(request)
        started = time.perf_counter()
        try:
            with transport.within(self._timeout_s):
                response = client.chat(
                    model=derived.name,
                    messages=messages,
                    stream=False,
                    format=dict(request.answer_schema) if request.answer_schema else None,
                    logprobs=True if request.top_logprobs else None,
                    top_logprobs=request.top_logprobs or None,
                    options=self._options(request) or None,
                )
        except Exception as error:
            raise ollama_errors.from_exception(
                error, address=self._address, model=self._model
            ) from error
        return self._answer(response, time.perf_counter() - started)

    def close(self) -> None:
        """Close the connections; the derived model stays for the next run."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()  # type: ignore[no-untyped-call]

    def _prepared(self) -> tuple[ollama.Client, Derived, ModelIdentity]:
        with self._lock:
            client = self._client or self._open()
            self._client = client
            if self._ready is None:
                status = probe(self._address, transport.CONNECT_TIMEOUT_S)
                version = status.version if status else ""
                derived = Deriver(
                    client,
                    address=self._address,
                    modelfile=self._modelfile,
                    version=version,
                    pull=self._pull,
                    timeout_s=self._timeout_s,
                ).derive()
                self._ready = derived, self._identity(derived, version)
            return client, *self._ready

    def _open(self) -> ollama.Client:
        import ollama

        settings = transport.client_settings(self._address, self._timeout_s)
        return ollama.Client(host=self._address.url, **settings)

    def _identity(self, derived: Derived, version: str) -> ModelIdentity:
        return ModelIdentity(
            backend="ollama",
            name=Path(self._model).name if is_gguf(self._model) else self._model,
            digest=derived.digest,
            server=f"ollama {version}".strip(),
            details={
                "derived": derived.name,
                "base digest": derived.base_digest[:12],
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
        messages: list[dict[str, Any]] = []
        if request.system is not None and request.system != self._modelfile.system:
            messages.append({"role": "system", "content": request.system})
        messages.append({"role": "user", "content": request.prompt, "images": [request.image]})
        return messages

    def _options(self, request: Request) -> dict[str, Any]:
        """The options that differ from the derived model's own."""
        own = self._modelfile.options()
        return {
            key: value
            for key, value in request.options.items()
            if key not in own or own[key] != value
        }

    def _answer(self, response: ollama.ChatResponse, wall_s: float) -> Answer:
        if response.done_reason in ("load", "unload"):
            raise errors.BadAnswer(
                f"Ollama at {self._address.netloc} only answered {response.done_reason!r}",
                remedy="ask again; if it stays, look at the server's log",
            )
        finish: Finish = "other"
        # No reason, and no "done", where the server gave up on a model that repeats itself: that
        # is how this model answers, not an error.
        if response.done_reason in ("stop", "length"):
            finish = "stop" if response.done_reason == "stop" else "length"
        return Answer(
            text=response.message.content or "",
            finish=finish,
            prompt_tokens=response.prompt_eval_count,
            answer_tokens=response.eval_count,
            server_s=_seconds(response.total_duration),
            load_s=_seconds(response.load_duration),
            wall_s=wall_s,
            logprobs=_logprobs(response),
        )


def _seconds(nanoseconds: int | None) -> float | None:
    return None if nanoseconds is None else nanoseconds * _NANOSECONDS


def _logprobs(response: ollama.ChatResponse) -> tuple[TokenLogprob, ...] | None:
    if response.logprobs is None:
        return None
    return tuple(
        TokenLogprob(
            token=item.token,
            logprob=item.logprob,
            top=tuple((other.token, other.logprob) for other in item.top_logprobs or ()),
        )
        for item in response.logprobs
    )
