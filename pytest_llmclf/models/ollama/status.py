"""What a running Ollama tells of itself at once: its version, its models, and where those run.

Some of its models are run by another machine: Ollama's cloud models, and models derived from them,
which a server on this machine only passes questions on to.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_llmclf import errors
from pytest_llmclf.models.http import client as clients
from pytest_llmclf.models.http import payload
from pytest_llmclf.models.http.address import NOWHERE, parse_address
from pytest_llmclf.models.http.client import HttpClient
from pytest_llmclf.models.http.http_errors import unwrap
from pytest_llmclf.models.ollama import ollama_errors
from pytest_llmclf.models.ollama.derive import full_name, remote_host
from pytest_llmclf.values.text import shorten

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pytest_llmclf.models.http.address import Access, Address

PROBE_TIMEOUT_S = 0.5
"""How long `probe` waits for a connection."""
KEY_VARIABLE = "OLLAMA_API_KEY"
"""Environment variable that may hold the key of Ollama, or of a proxy before it."""

_OK = 200
_SHOWN = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class OllamaStatus:
    """What a running Ollama tells at once.

    Attributes:
        version: Its version, such as ``0.33.0``.
        models: Full names of its models, such as ``llava:latest``.
        remote: Where the models run that it does not run itself, by full name.
    """

    version: str
    models: tuple[str, ...]
    remote: Mapping[str, str] = field(default_factory=dict)


def probe(
    address: Address, timeout_s: float = PROBE_TIMEOUT_S, access: Access = NOWHERE
) -> OllamaStatus | errors.BackendError:
    """Ask whether an Ollama listens at an address, quickly; else why that cannot be said.

    Args:
        address: Where to look; the caller has checked that it is allowed.
        timeout_s: Longest wait for the connection; each answer may take four times that.
        access: Where keys may go.
    """
    try:
        with contextlib.closing(open_wire(address, access, timeout_s)) as client:
            return status_of(client, address, 4 * timeout_s)
    except errors.BackendError as error:
        return error


def status_of(client: HttpClient, address: Address, timeout_s: float) -> OllamaStatus:
    """Version and models of the server at the other end.

    Raises:
        AccessRefused: It does not let us in.
        BadAnswer: What answers is no Ollama.
        BackendError: There is no answer.
    """
    version = _told(client, address, "/api/version", timeout_s)
    tags = _told(client, address, "/api/tags", timeout_s)
    try:
        models = {full_name(str(model["name"])): model for model in tags["models"] or []}
        return OllamaStatus(
            version=str(version["version"]),
            models=tuple(models),
            remote={name: host for name, model in models.items() if (host := remote_host(model))},
        )
    except payload.MISREAD as error:
        raise _no_ollama(address, "what it answers is not Ollama's protocol") from error


def system_of(name: str, address: Address, timeout_s: float, access: Access) -> str:
    """The SYSTEM text that a server's model has; empty if it has none, or there is no such model.

    Raises:
        BackendError: There is no answer.
    """
    with contextlib.closing(open_wire(address, access, timeout_s)) as client:
        told = client.json("POST", "/api/show", {"model": name}, timeout_s=4 * timeout_s).value
    text = told.get("system") if isinstance(told, dict) else None
    return text if isinstance(text, str) else ""


def has_model(status: OllamaStatus, name: str) -> bool:
    """Whether the server has a model; ``llava`` means ``llava:latest``."""
    return full_name(name) in status.models


def open_wire(
    address: Address, access: Access, connect_timeout_s: float = clients.CONNECT_TIMEOUT_S
) -> HttpClient:
    """Connections to an Ollama; the caller closes them."""
    return HttpClient(
        address,
        where=f"Ollama at {address.netloc}",
        remedy=ollama_errors.START_REMEDY,
        key=os.environ.get(KEY_VARIABLE, ""),
        access=access,
        connect_timeout_s=connect_timeout_s,
    )


def require_here(name: str, host: str, address: Address, allow_remote: Collection[str]) -> None:
    """Refuse a model that a server passes on to a host which is not allowed.

    Args:
        name: The model.
        host: What `remote_host` gives for it.
        address: The server that passes questions on.
        allow_remote: Hosts the user allowed.

    Raises:
        RemoteRefused: Images would go there.
    """
    if not host:
        return
    problem = f"{name} on Ollama at {address.netloc} is run by {host}"
    try:
        place = parse_address(host)
    except errors.SettingsError:
        raise errors.RemoteRefused(
            f"{problem}, and images would be sent there", remedy="choose a model that runs here"
        ) from None
    try:
        place.require_allowed(allow_remote)
    except errors.RemoteRefused as error:
        raise errors.RemoteRefused(f"{problem}: {error.message}", remedy=error.remedy) from None


def _told(client: HttpClient, address: Address, path: str, timeout_s: float) -> Any:
    reply = client.json("GET", path, timeout_s=timeout_s)
    status, told = reply.status, reply.value
    if status == _OK and isinstance(told, dict):
        return told
    if status in (401, 403) or status // 100 in (3, 5):
        raise client.explained(ollama_errors.from_status(status, told, address=address, model=""))
    words = unwrap(told)
    shown = f": {shorten(words, _SHOWN)}" if words else ""
    raise _no_ollama(address, f"HTTP {status} for {path}{shown}")


def _no_ollama(address: Address, why: str) -> errors.BadAnswer:
    return errors.BadAnswer(
        f"something answers at {address.url}, but not as Ollama does ({why})",
        remedy="check http:// or https://, port and path of OLLAMA_HOST",
    )
