"""From an Ollama model as written to the servers that have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmclf.errors import BackendError, ModelMissing, RequestTimedOut, ServerUnreachable
from pytest_llmclf.models.ollama import status as ollama_status
from pytest_llmclf.models.ollama.derive import full_name
from pytest_llmclf.models.ollama.ollama_backend import OllamaBackend
from pytest_llmclf.models.ollama.ollama_errors import START_REMEDY
from pytest_llmclf.models.pool import Pool
from pytest_llmclf.models.spec import EMBEDDED, names_file

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llmclf.models.base import Backend
    from pytest_llmclf.models.http.address import Address
    from pytest_llmclf.models.reach import ConnectSettings, Reach

NOBODY = (ServerUnreachable, RequestTimedOut)
"""What is raised where nobody answers."""


def probed(
    addresses: Iterable[Address], settings: ConnectSettings, timeout_s: float
) -> tuple[dict[Address, ollama_status.OllamaStatus], dict[Address, BackendError]]:
    """What each Ollama that answers tells, and why the others do not."""
    found: dict[Address, ollama_status.OllamaStatus] = {}
    failed: dict[Address, BackendError] = {}
    for address in addresses:
        told = ollama_status.probe(address, timeout_s, settings.access)
        if isinstance(told, BackendError):
            failed[address] = told
        else:
            found[address] = told
    return found, failed


def remote_host(status: ollama_status.OllamaStatus, name: str) -> str:
    """The machine that a server passes a model's questions on to; empty where it answers itself."""
    return status.remote.get(full_name(name), "")


def netlocs(addresses: Iterable[Address]) -> str:
    """Hosts and ports on one line."""
    return ", ".join(address.netloc for address in addresses)


def own_system(name: str, settings: ConnectSettings) -> str:
    """The SYSTEM text that a model has by itself, if a server tells it at once; else empty.

    Whoever connects to the model later is told what is wrong with a server that does not.
    """
    for address in settings.ollama_addresses():
        try:
            address.require_allowed(settings.allow_remote)
            text = ollama_status.system_of(name, address, settings.probe_timeout_s, settings.access)
        except BackendError:
            continue
        if text:
            return text
    return ""


def connect(reach: Reach) -> Backend:
    """Ollama's servers as one backend.

    Raises:
        BackendError: None of them answers, or one that does lacks the model.
        SettingsError: An address is none.
    """
    spec, settings = reach.spec, reach.settings
    addresses = settings.ollama_addresses()
    for address in addresses:
        address.require_allowed(settings.allow_remote)
    found, failed = probed(addresses, settings, max(settings.probe_timeout_s, 2.0))
    other = f"or use the embedded model: --llmclf-model {EMBEDDED}"
    if not found:
        for error in failed.values():
            if not isinstance(error, NOBODY):
                raise error
        raise ServerUnreachable(
            f"no Ollama answers at {netlocs(addresses)}, which {spec} needs",
            remedy=f"{START_REMEDY}, {other}",
        )
    for address, status in found.items():
        known = names_file(spec.name) or ollama_status.has_model(status, spec.name)
        remote = remote_host(status, spec.name)
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
                OllamaBackend(
                    modelfile=reach.modelfile,
                    model=spec.name,
                    address=address,
                    access=settings.access,
                    timeout_s=settings.timeout_s,
                    pull=settings.pull,
                ),
            )
            for address in addresses
        ]
    )
