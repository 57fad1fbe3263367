"""From a model as written to a backend that answers."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from pytest_llmclf.errors import (
    AccessRefused,
    BackendError,
    ModelMissing,
    RemoteRefused,
    RequestTimedOut,
    RuntimeMissing,
    ServerUnreachable,
    SettingsError,
)
from pytest_llmclf.models.http.address import Address, parse_addresses, parse_chat_address
from pytest_llmclf.models.llamacpp.llama_binary import find_llama_server
from pytest_llmclf.models.llamacpp.llama_server import LlamaServers
from pytest_llmclf.models.llamacpp.llamacpp import LlamaCppBackend, embedded_pair, file_pair
from pytest_llmclf.models.ollama import ollama_backend
from pytest_llmclf.models.ollama import status as ollama_status
from pytest_llmclf.models.ollama.derive import full_name, is_gguf
from pytest_llmclf.models.ollama.ollama_errors import START_REMEDY
from pytest_llmclf.models.openai.openai_backend import OpenAIBackend
from pytest_llmclf.models.openai.openai_request import nothing_refused
from pytest_llmclf.models.openai.openai_thinking import OpenAIThinking
from pytest_llmclf.models.pool import Pool
from pytest_llmclf.models.recording import ReplayBackend
from pytest_llmclf.models.spec import EMBEDDED, ModelSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_llmclf.models.base import Backend
    from pytest_llmclf.models.openai.refused_fields import RefusedFields
    from pytest_llmclf.prompting.modelfile import Modelfile

_NOBODY = (ServerUnreachable, RequestTimedOut)

MICRO = ModelSpec(backend="llamacpp", name=EMBEDDED)
"""The embedded model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectSettings:
    """How servers are reached and started.

    Attributes:
        ollama_hosts: Addresses of Ollama; empty: ``OLLAMA_HOST``, else 127.0.0.1:11434. Several
            are one pool.
        allow_remote: Hosts outside this machine that images may be sent to.
        allow_clear_key: Hosts outside this machine that keys may be sent to unencrypted.
        timeout_s: Longest wait for one answer.
        probe_timeout_s: Longest wait for a connection when looking whether Ollama runs.
        start_timeout_s: Longest wait until a `llama-server` has loaded its model.
        llama_server: The `llama-server` to run; ``None`` looks for one.
        llama_parallel: Requests that it works on side by side.
        llama_threads: Its CPU threads; ``None``: one for the embedded model, else its choice.
        llama_copies: Most servers of the embedded model side by side; as each uses one processor,
            never more than there are.
        pull: Whether Ollama may download a missing model.
    """

    ollama_hosts: tuple[str, ...] = ()
    allow_remote: frozenset[str] = frozenset()
    allow_clear_key: frozenset[str] = frozenset()
    timeout_s: float = 120.0
    probe_timeout_s: float = ollama_status.PROBE_TIMEOUT_S
    start_timeout_s: float = 180.0
    llama_server: str | None = None
    llama_parallel: int = 4
    llama_threads: int | None = None
    llama_copies: int = 2
    pull: bool = False

    def ollama_addresses(self) -> tuple[Address, ...]:
        """Where Ollama is, each place once.

        Raises:
            SettingsError: One of the addresses is none.
        """
        text = ",".join(self.ollama_hosts) or os.environ.get("OLLAMA_HOST", "")
        return tuple({address.url: address for address in parse_addresses(text)}.values())


def resolve(
    spec: ModelSpec, modelfile: Modelfile, settings: ConnectSettings
) -> tuple[ModelSpec, str]:
    """The model that a spec means for a Modelfile, fully named, and why.

    Only ``auto`` looks for servers; the reason is empty for anything demanded.
    """
    if spec.backend == "auto":
        return resolve_auto(modelfile, settings)
    if spec.backend == "ollama" and not spec.name:
        return replace(spec, name=modelfile.from_), ""
    return spec, ""


def resolve_auto(modelfile: Modelfile, settings: ConnectSettings) -> tuple[ModelSpec, str]:
    """Choose who answers for a Modelfile when nobody was demanded.

    A reachable Ollama that has the Modelfile's model and runs it itself; otherwise the embedded
    model.

    Returns:
        The model, and one line that says which one answers and how to use the other.

    Raises:
        AccessRefused: An Ollama, or a proxy before it, wants to know who asks: whoever put it
            there means it, and not the embedded model.
    """
    base = modelfile.from_
    if is_gguf(base):
        if not modelfile.projectors:
            through = ModelSpec(backend="ollama", name=base)
            return through, f"{Path(base).name} answers, through Ollama: it has no projector file"
        pair = ModelSpec(backend="llamacpp", text=base, mmproj=modelfile.projectors[0])
        return pair, f"{Path(base).name} answers, run by llama-server"
    embedded = f"{EMBEDDED} answers, the embedded model"
    wanted = f"--llmclf-model ollama:{base}"
    addresses = settings.ollama_addresses()
    try:
        for address in addresses:
            address.require_allowed(settings.allow_remote)
    except RemoteRefused as error:
        return MICRO, f"{embedded}: {error}"
    found, failed = _probed(addresses, settings, settings.probe_timeout_s)
    if not found:
        _stop_if_not_let_in(failed)
        return MICRO, (
            f"{embedded}: {_why_none(failed)}; for {base}: `ollama serve`, `ollama pull {base}`, "
            f"{wanted}"
        )
    return _here_or_embedded(base, found, settings)


def _here_or_embedded(
    base: str, found: Mapping[Address, ollama_status.OllamaStatus], settings: ConnectSettings
) -> tuple[ModelSpec, str]:
    """The model on the servers that answer if they have and run it, else the embedded one."""
    embedded = f"{EMBEDDED} answers, the embedded model"
    wanted = f"--llmclf-model ollama:{base}"
    versions = ", ".join(sorted({status.version for status in found.values()}))
    where = f"Ollama {versions} at {_netlocs(found)}"
    elsewhere = [host for status in found.values() if (host := _remote(status, base))]
    if elsewhere:
        return MICRO, (
            f"{embedded}: {where} has {base} run by {elsewhere[0]}, which is another machine; for "
            f"it: {wanted}"
        )
    # Where only some of several servers have it, asking says which lack it.
    if not settings.pull and not any(
        ollama_status.has_model(status, base) for status in found.values()
    ):
        return MICRO, (
            f"{embedded}: {where} does not have {base}; for it: `ollama pull {base}`, {wanted}"
        )
    return ModelSpec(backend="ollama", name=base), (
        f"ollama:{base} answers ({where}); for the embedded model: --llmclf-model {EMBEDDED}"
    )


def _probed(
    addresses: Iterable[Address], settings: ConnectSettings, timeout_s: float
) -> tuple[dict[Address, ollama_status.OllamaStatus], dict[Address, BackendError]]:
    """What each Ollama that answers tells, and why the others do not."""
    found: dict[Address, ollama_status.OllamaStatus] = {}
    failed: dict[Address, BackendError] = {}
    for address in addresses:
        told = ollama_status.probe(
            address,
            timeout_s,
            allow_remote=settings.allow_remote,
            allow_clear_key=settings.allow_clear_key,
        )
        if isinstance(told, BackendError):
            failed[address] = told
        else:
            found[address] = told
    return found, failed


def _stop_if_not_let_in(failed: Mapping[Address, BackendError]) -> None:
    for error in failed.values():
        if isinstance(error, AccessRefused):
            raise error


def _why_none(failed: Mapping[Address, BackendError]) -> str:
    """Why no Ollama can be asked: nobody answers, or whoever does is something else."""
    others = [error for error in failed.values() if not isinstance(error, _NOBODY)]
    if others:
        return "; ".join(str(error) for error in others)
    return f"no Ollama at {_netlocs(failed)}"


def _remote(status: ollama_status.OllamaStatus, name: str) -> str:
    """The machine that a server passes a model's questions on to; empty where it answers itself."""
    return status.remote.get(full_name(name), "")


def _netlocs(addresses: Iterable[Address]) -> str:
    return ", ".join(address.netloc for address in addresses)


class Connections:
    """The backends of one run, and the servers that they share. Thread-safe.

    Args:
        settings: How servers are reached and started.
    """

    def __init__(self, settings: ConnectSettings) -> None:
        self._settings = settings
        self._servers = LlamaServers(start_timeout_s=settings.start_timeout_s)
        self._lock = threading.Lock()
        self._backends: list[Backend] = []
        self._refused: dict[str, RefusedFields] = {}
        self._thinking: dict[str, OpenAIThinking] = {}

    def connect(self, spec: ModelSpec, modelfile: Modelfile) -> Backend:
        """A new backend for a model; close it, or close them all at the end.

        Nothing is asked of a server that a demanded model needs, except whether it is there.

        Raises:
            BackendError: The server, the model, or the runtime is not there.
            SettingsError: Addresses or files make no sense.
        """
        resolved, _ = resolve(spec, modelfile, self._settings)
        backend = self._connected(resolved, modelfile)
        with self._lock:
            self._backends.append(backend)
        return backend

    def close(self) -> None:
        """Close every backend and end every server that was started; may be called twice."""
        with self._lock:
            backends, self._backends = self._backends, []
        try:
            for backend in backends:
                backend.close()
        finally:
            self._servers.close()

    def _connected(self, spec: ModelSpec, modelfile: Modelfile) -> Backend:
        match spec.backend:
            case "ollama":
                return self._ollama(spec, modelfile)
            case "openai":
                server = OpenAIBackend(
                    model=spec.name,
                    address=parse_chat_address(spec.address),
                    allow_remote=self._settings.allow_remote,
                    allow_clear_key=self._settings.allow_clear_key,
                    timeout_s=self._settings.timeout_s,
                    notes=_template_note(modelfile),
                    refused=self._refused_by(spec),
                    thinking=self._thinking_of(spec),
                )
                return Pool([(server.netloc, server)])
            case "llamacpp":
                return self._llamacpp(spec, modelfile)
            case "replay":
                return ReplayBackend(spec.file, spec.name)
            case "auto":  # resolved before
                raise SettingsError("auto is not a model of its own")
            case _ as unreachable:
                assert_never(unreachable)

    def _refused_by(self, spec: ModelSpec) -> RefusedFields:
        """What a model's server is known to refuse: learnt once for all evaluations of a run."""
        with self._lock:
            return self._refused.setdefault(str(spec), nothing_refused())

    def _thinking_of(self, spec: ModelSpec) -> OpenAIThinking:
        """What is known of how a model thinks: learnt once for all evaluations of a run."""
        with self._lock:
            new = OpenAIThinking(spec.name, parse_chat_address(spec.address).netloc)
            return self._thinking.setdefault(str(spec), new)

    def _ollama(self, spec: ModelSpec, modelfile: Modelfile) -> Backend:
        settings = self._settings
        addresses = settings.ollama_addresses()
        for address in addresses:
            address.require_allowed(settings.allow_remote)
        found, failed = _probed(addresses, settings, max(settings.probe_timeout_s, 2.0))
        other = f"or use the embedded model: --llmclf-model {EMBEDDED}"
        if not found:
            for error in failed.values():
                if not isinstance(error, _NOBODY):
                    raise error
            raise ServerUnreachable(
                f"no Ollama answers at {_netlocs(addresses)}, and {spec} was demanded",
                remedy=f"{START_REMEDY}, {other}",
            )
        for address, status in found.items():
            known = is_gguf(spec.name) or ollama_status.has_model(status, spec.name)
            remote = _remote(status, spec.name)
            ollama_status.require_here(spec.name, remote, address, settings.allow_remote)
            if not known and not settings.pull:
                there = f"OLLAMA_HOST={address.netloc} " if len(addresses) > 1 else ""
                raise ModelMissing(
                    f"Ollama at {address.netloc} does not have {spec.name}",
                    remedy=f"run `{there}ollama pull {spec.name}`, or say --llmclf-pull, {other}",
                )
        # Servers that do not answer now are members all the same: they may come back.
        return Pool(
            [
                (
                    address.netloc,
                    ollama_backend.OllamaBackend(
                        modelfile=modelfile,
                        model=spec.name,
                        address=address,
                        allow_remote=settings.allow_remote,
                        allow_clear_key=settings.allow_clear_key,
                        timeout_s=settings.timeout_s,
                        pull=settings.pull,
                    ),
                )
                for address in addresses
            ]
        )

    def _llamacpp(self, spec: ModelSpec, modelfile: Modelfile) -> Backend:
        settings = self._settings
        pair = file_pair(Path(spec.text), Path(spec.mmproj)) if spec.text else embedded_pair()
        try:
            program = find_llama_server(settings.llama_server)
        except RuntimeMissing as error:
            base = modelfile.from_
            other = (
                "" if is_gguf(base) else f", or use Ollama: `ollama serve`, `ollama pull {base}`"
            )
            raise RuntimeMissing(error.message, remedy=f"{error.remedy}{other}") from error
        return LlamaCppBackend(
            pair=pair,
            program=program,
            servers=self._servers,
            options=modelfile.options(),
            parallel=settings.llama_parallel,
            threads=settings.llama_threads,
            timeout_s=settings.timeout_s,
            notes=_template_note(modelfile),
            copies=min(settings.llama_copies, os.cpu_count() or 1) if pair.embedded else 1,
        )


def _template_note(modelfile: Modelfile) -> dict[str, str]:
    """Say where the Modelfile's TEMPLATE is not used: such servers bring their own."""
    if modelfile.template is None:
        return {}
    return {"template": "the model's own; TEMPLATE in the Modelfile is for Ollama"}
