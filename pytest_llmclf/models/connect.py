"""From a model as written to a backend that answers."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmclf.errors import AccessRefused, BackendError, RemoteRefused
from pytest_llmclf.models import registry, third_party
from pytest_llmclf.models.ollama import status as ollama_status
from pytest_llmclf.models.ollama.ollama_connect import NOBODY, netlocs, probed, remote_host
from pytest_llmclf.models.ollama.ollama_connect import own_system as ollama_own_system
from pytest_llmclf.models.reach import ConnectSettings, Reach
from pytest_llmclf.models.recording import ReplayBackend
from pytest_llmclf.models.spec import EMBEDDED, ModelSpec, names_file
from pytest_llmclf.values.request import MODELS_OWN_SYSTEM

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from pytest_llmclf.models.base import Backend
    from pytest_llmclf.models.http.address import Address
    from pytest_llmclf.prompting.modelfile import Modelfile
    from pytest_llmclf.values.case import CaseSet

MICRO = ModelSpec(backend="llamacpp", name=EMBEDDED)
"""The embedded model."""


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


def own_system(spec: ModelSpec, settings: ConnectSettings) -> str:
    """The SYSTEM text that a model has by itself, as far as that is known before it is asked.

    Of a recorded model it is known where it was recorded, of one on Ollama where a server answers.
    """
    if spec.backend == "replay":
        return ReplayBackend(spec.file, spec.name).identify().details.get(MODELS_OWN_SYSTEM, "")
    if spec.backend == "ollama" and not names_file(spec.name):
        return ollama_own_system(spec.name, settings)
    return ""


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
    if names_file(base):
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
    found, failed = probed(addresses, settings, settings.probe_timeout_s)
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
    where = f"Ollama {versions} at {netlocs(found)}"
    elsewhere = [host for status in found.values() if (host := remote_host(status, base))]
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


def _stop_if_not_let_in(failed: Mapping[Address, BackendError]) -> None:
    for error in failed.values():
        if isinstance(error, AccessRefused):
            raise error


def _why_none(failed: Mapping[Address, BackendError]) -> str:
    """Why no Ollama can be asked: nobody answers, or whoever does is something else."""
    others = [error for error in failed.values() if not isinstance(error, NOBODY)]
    if others:
        return "; ".join(str(error) for error in others)
    return f"no Ollama at {netlocs(failed)}"


class Connections:
    """The backends of one run, and the servers that they share. Thread-safe.

    Args:
        settings: How servers are reached and started.
    """

    def __init__(self, settings: ConnectSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._backends: list[Backend] = []
        self._shared: dict[Hashable, object] = {}

    def connect(
        self, spec: ModelSpec, modelfile: Modelfile, images: CaseSet | None = None
    ) -> Backend:
        """A new backend for a model; close it, or close them all at the end.

        Nothing is asked of a server that a demanded model needs, except whether it is there.

        Args:
            spec: The model.
            modelfile: What it is told.
            images: What it is asked about, where that is known.

        Raises:
            BackendError: The server, the model, or the runtime is not there.
            SettingsError: Addresses or files make no sense.
        """
        resolved, _ = resolve(spec, modelfile, self._settings)
        backend = self._opened(
            Reach(
                spec=resolved,
                modelfile=modelfile,
                settings=self._settings,
                shared=self._once,
                images=images,
            )
        )
        with self._lock:
            self._backends.append(backend)
        return backend

    def close(self) -> None:
        """Close every backend and end every server that was started; may be called twice."""
        with self._lock:
            backends, self._backends = self._backends, []
            shared, self._shared = self._shared, {}
        try:
            for backend in backends:
                backend.close()
        finally:
            for one in shared.values():
                if hasattr(one, "close"):
                    one.close()

    def _opened(self, reach: Reach) -> Backend:
        name = reach.spec.backend
        found = registry.load(name)
        return found(reach) if name in registry.BUILT_IN else third_party.connect(reach, found)

    def _once(self, key: Hashable, make: Callable[[], object]) -> object:
        with self._lock:
            if key not in self._shared:
                self._shared[key] = make()
            return self._shared[key]
