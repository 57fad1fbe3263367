"""Any server that speaks OpenAI's chat protocol: llama.cpp, vLLM, LM Studio, hosted ones."""

from __future__ import annotations

import difflib
import hashlib
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_llmclf import errors
from pytest_llmclf.errors import some_of
from pytest_llmclf.models.http import http_errors, payload
from pytest_llmclf.models.http.address import NOWHERE
from pytest_llmclf.models.http.client import HttpClient, JsonReply
from pytest_llmclf.models.openai import openai_errors
from pytest_llmclf.models.openai.ollama_behind import require_not_passed_on
from pytest_llmclf.models.openai.openai_request import chat_body
from pytest_llmclf.models.openai.openai_thinking import OpenAIThinking, is_thought, thought_in
from pytest_llmclf.models.openai.refused_fields import THINK_WORD, RefusedFields
from pytest_llmclf.models.server_backend import ServerBackend
from pytest_llmclf.values.answer import Answer, Finish
from pytest_llmclf.values.request import NAME_ONLY, ModelIdentity
from pytest_llmclf.values.text import shorten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llmclf.models.http.address import Access, Address
    from pytest_llmclf.models.http.http_errors import Rule
    from pytest_llmclf.values.request import Request

KEY_VARIABLES = ("LLMCLF_OPENAI_API_KEY", "OPENAI_API_KEY")
"""Environment variables that may hold the key, the first one found is used."""

_SHOWN = 100
_LONGEST_NAME, _MOST_NAMES = 300, 1000
_SUCCESS = range(200, 300)
_NOBODY = frozenset({502, 503, 504})
_NOT_LET_IN = 401
_NO_LIST = frozenset({400, 403, 404, 405, 410, 422, 501})


class OpenAIBackend(ServerBackend):
    """A model behind ``/chat/completions``.

    Args:
        model: The model's name on the server.
        address: The server with its path prefix, such as ``http://127.0.0.1:8080/v1``.
        access: Where images and keys may go besides this machine.
        timeout_s: Longest wait for one answer.
        slots: Requests that the server works on side by side, where the caller knows it.
        api_key: Key to send; ``None`` takes it from the environment, empty sends none.
        notes: Further facts for `ModelIdentity.details`.
        refused: Fields that this server is known not to take; shared by all that ask it.
        thinking: What is known of how the model thinks; ``None``: nothing yet.
        rules: What its errors mean, most telling first.

    Raises:
        RemoteRefused: The server is not on this machine and not allowed.
    """

    def __init__(
        self,
        *,
        model: str,
        address: Address,
        access: Access = NOWHERE,
        timeout_s: float = 120.0,
        slots: int = 1,
        api_key: str | None = None,
        notes: Mapping[str, str] | None = None,
        refused: RefusedFields | None = None,
        thinking: OpenAIThinking | None = None,
        rules: Sequence[Rule] = openai_errors.OPENAI_RULES,
    ) -> None:
        super().__init__(model, address, access, timeout_s)
        self._slots = max(1, slots)
        self._key = key_from_environment() if api_key is None else api_key
        self._notes = dict(notes or {})
        self._refused = refused or RefusedFields()
        self._thinking = thinking or OpenAIThinking(model, address.netloc)
        self._rules = rules
        self._unlisted: tuple[str, ...] | None = None
        self._notices: list[str] = []
        self._told: tuple[str, ...] = ()
        self._identity: ModelIdentity | None = None

    def __repr__(self) -> str:
        """Name and address; never the key."""
        return f"OpenAIBackend(model={self._model!r}, address={self._address.url!r})"

    @property
    def in_flight(self) -> int:
        """Twice the slots: with no more requests than slots a server idles between answers."""
        return 2 * self._slots

    @property
    def notices(self) -> tuple[str, ...]:
        """What was learnt of server and thinking, and that an unlisted model was answered for."""
        return (*self._told, *self._thinking.notices, *self._notices)

    @property
    def netloc(self) -> str:
        """Host and port of the server."""
        return self._address.netloc

    def is_there(self, timeout_s: float) -> bool:
        """Whether the server answers at this moment, and not something in its place.

        A proxy whose server is gone says so itself, and a server says that it is still loading.

        Args:
            timeout_s: Longest wait.
        """
        try:
            reply = self._opened().request("GET", "/models", timeout_s=timeout_s)
        except errors.BackendError:
            return False
        return reply.status not in _NOBODY

    def forget(self) -> None:
        """Look again who answers before the next question."""
        self._identity = None

    def identify(self) -> ModelIdentity:
        """Who answers.

        The protocol tells no digest of a model: the digest stands for name and server only, and
        `details` says so.

        Raises:
            BackendError: The server is not there, or lists models but not this one.
            RemoteRefused: It is an Ollama that has another machine run the model.
        """
        if self._identity is None:
            identity = self._identified()
            notice = require_not_passed_on(
                self._model,
                self._address,
                owner=identity.server,
                key=self._key,
                access=self._access,
                timeout_s=self._timeout_s,
            )
            self._told = (notice,) if notice else ()
            self._identity = identity
        return self._identity

    def ask(self, request: Request) -> Answer:
        """Ask one question; without what the server refuses, which the answer then says.

        Raises:
            BackendError: There is no answer.
            RemoteRefused: Another machine gave an answer; no further question is sent.
        """
        self._require_asked_here()
        body = chat_body(self._model, request)
        silent = False
        while True:
            about = {} if silent else self._thinking.fields(request)
            sent, without = self._refused.fitted({**body, **about})
            about = {name: sent[name] for name in about if name in sent}
            started = time.perf_counter()
            told = self._send("POST", "chat/completions", sent)
            status, value = told.status, told.value
            self._look_where_it_ran(value)
            # Each refusal leaves something out or tries another word, so this comes to an end.
            if self._thinking.tries_another_word(status, value, about) or self._refused.learn(
                status, value, sent
            ):
                continue
            filtered = openai_errors.is_filtered(status, value)
            if not filtered and self._thinking.may_be_refused(status, about):
                silent = True
                continue
            wall_s = time.perf_counter() - started
            if filtered:
                answer = Answer(text="", finish="filtered", wall_s=wall_s)
                break
            answer = self._answer(self._read(told, sent), wall_s)
            if silent:
                self._refused.leave_out(self._thinking.fields(request))
                without = (*without, THINK_WORD)
            if not self._thinking.wants_again(about, request, answer, self._refused):
                break
        self._note_unlisted()
        return self._opened().redactor.answer(replace(answer, asked_without=without))

    def get(self, path: str) -> Any:
        """The parsed JSON at a path below the address.

        Raises:
            BackendError: There is none.
        """
        return self._read(self._send("GET", path))

    @property
    def _where(self) -> str:
        return f"the server at {self._address.netloc}"

    def _open(self) -> HttpClient:
        return HttpClient(
            self._address,
            where=self._where,
            key=self._key,
            access=self._access,
            # A llama-server thread stays with an idle connection for five seconds, and it has few:
            # with more connections than threads the others starve. Opening one on this machine
            # costs next to nothing.
            keep=not self._address.is_loopback,
        )

    def _send(self, method: str, path: str, content: Any = None) -> JsonReply:
        return self._opened().json(method, f"/{path}", content, timeout_s=self._timeout_s)

    def _read(self, told: JsonReply, sent: Mapping[str, Any] | None = None) -> Any:
        """What was told; raises the error that it is instead."""
        where, model, value = self._where, self._model, told.value
        if told.status == _NOT_LET_IN:
            raise self._not_let_in(value)
        if told.status not in _SUCCESS:
            error = http_errors.from_status(
                told.status, value, where=where, model=model, rules=self._rules
            )
            raise told.mark(self._explained(error, value, sent))
        if isinstance(value, str):
            streamed = http_errors.error_in_stream(value, where=where, model=model)
            raise streamed or http_errors.not_json(value, where=where)
        # Whatever text stands beside an error: it is that of an answer which broke.
        if isinstance(value, dict) and (value.get("error") or value.get("object") == "error"):
            error = http_errors.from_error_body(value, where=where, model=model, rules=self._rules)
            raise told.mark(self._explained(error, value, sent))
        return value

    def _explained(
        self, error: errors.BackendError, value: Any, sent: Mapping[str, Any] | None
    ) -> errors.BackendError:
        """An error with the remedy that what was asked, and what the server lists, allow."""
        if sent is None:
            return error
        if isinstance(error, errors.ModelMissing) and self._unlisted:
            return errors.ModelMissing(error.message, remedy=self._near(self._unlisted))
        return openai_errors.naming(error, self._refused.blamed(value, sent))

    def _not_let_in(self, told: Any) -> errors.BackendError:
        words = http_errors.unwrap(told)
        payload = f" and said {shorten(words, http_errors.MESSAGE_WIDTH)}" if words else ""
        given = "refuses the key" if self._opened().authorization else "needs a key"
        refused = errors.AccessRefused(
            f"{self._where} {given}{payload} (HTTP {_NOT_LET_IN})",
            remedy=f"put the right one into the environment ({KEY_VARIABLES[-1]})",
        )
        return self._opened().explained(refused)

    def _identified(self) -> ModelIdentity:
        owner = ""
        told = self._send("GET", "models")
        # A server may have no list, or keep it to itself; then the first answer will tell.
        listed = None if told.status in _NO_LIST else self._read(told)
        if isinstance(listed, dict) and isinstance(listed.get("data"), list):
            models = [model for model in listed["data"] if isinstance(model, dict)]
            # Of a list as long as a server likes: the search below takes time by its product.
            names = [str(model.get("id"))[:_LONGEST_NAME] for model in models]
            # A list is not always whole: gateways know more names than they list.
            if names and self._model not in names:
                near = difflib.get_close_matches(self._model, names[:_MOST_NAMES], n=3, cutoff=0.3)
                self._unlisted = tuple(name[:_SHOWN] for name in near or names[:3])
            owner = next((str(m.get("owned_by") or "") for m in models), "")
        content = f"{self._model}\n{self._address.url}"
        return ModelIdentity(
            backend="openai",
            name=self._model,
            digest=hashlib.sha256(content.encode()).hexdigest(),
            server=owner[:_SHOWN] or "openai-compatible",
            details={
                NAME_ONLY: "name only: the server tells no digest",
                "address": self._address.netloc,
                **self._notes,
            },
        )

    def _near(self, names: Sequence[str]) -> str:
        """What to write instead of a name that the server does not know."""
        return f"it has {some_of(names)}; write openai:{names[0]}@{self._address.url}"

    def _note_unlisted(self) -> None:
        """Say once that whoever answers may be another model than the one that is meant."""
        if self._unlisted and not self._notices:
            self._notices.append(
                f"{self._where} does not list {self._model} ({', '.join(self._unlisted)}) and "
                "answered all the same: make sure that it is the model which you mean"
            )

    def _answer(self, data: Any, wall_s: float) -> Answer:
        if isinstance(data, dict) and data.get("choices") == []:
            raise errors.BadAnswer(
                f"{self._where} answered without an answer in it (no choices)",
                remedy="look at the log of the server, or of a gateway or filter in front of it",
            )
        try:
            choice = data["choices"][0]
            broke = http_errors.error_of_choice(choice, where=self._where, model=self._model)
            if broke is not None:
                raise broke
            message = choice["message"]
            usage = _dict(data.get("usage"))
            return Answer(
                text=_text(message),
                thinking=thought_in(message),
                thinking_tokens=payload.count(
                    _dict(usage.get("completion_tokens_details")).get("reasoning_tokens")
                ),
                finish=_finish(choice.get("finish_reason")),
                prompt_tokens=payload.count(usage.get("prompt_tokens")),
                answer_tokens=payload.count(usage.get("completion_tokens")),
                server_s=_server_s(data.get("timings")),
                wall_s=wall_s,
                logprobs=payload.logprobs(_dict(choice.get("logprobs")).get("content")),
            )
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise errors.BadAnswer(
                f"{self._where} answered no chat completion: {shorten(payload.shown(data), 120)}",
                remedy="check that the address ends in the API's prefix, such as /v1",
            ) from error


def key_from_environment() -> str:
    """The key for the server, or an empty string."""
    return next((value for name in KEY_VARIABLES if (value := os.environ.get(name, ""))), "")


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(part.get("text", "") for part in content if not is_thought(part))
    if content is None:
        # Hosted models put a refusal beside the content; it is what the model said.
        content = message.get("refusal") or ""
    if not isinstance(content, str):
        msg = f"the content is {type(content).__name__} and not text"
        raise TypeError(msg)
    return content


def _dict(value: object) -> dict[str, Any]:
    """What is told beside an answer; nothing where it is something else."""
    return value if isinstance(value, dict) else {}


def _finish(reason: Any) -> Finish:
    match reason:
        case "stop" | "length":
            return "stop" if reason == "stop" else "length"
        case "content_filter":
            return "filtered"
        case _:
            return "other"


def _server_s(timings: Any) -> float | None:
    """Seconds of work as llama.cpp tells them; no other server does."""
    told = _dict(timings)
    parts = [payload.seconds(told.get(name), 1e-3) for name in ("prompt_ms", "predicted_ms")]
    spent = [part for part in parts if part is not None]
    return sum(spent) if spent else None
