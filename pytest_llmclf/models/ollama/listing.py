"""What an Ollama server has, for people: models with digests, and whether they take images."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llmclf.errors import BackendError
from pytest_llmclf.models.http import payload
from pytest_llmclf.models.http.address import NOWHERE
from pytest_llmclf.models.ollama.derive import PREFIX, full_name, remote_host
from pytest_llmclf.models.ollama.status import open_wire

if TYPE_CHECKING:
    from pytest_llmclf.models.http.address import Access, Address


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedModel:
    """A model of an Ollama server.

    Attributes:
        name: Full name, such as ``llava:latest``.
        digest: Hex digest of its manifest.
        size: Bytes on disk.
        parameters: Such as ``7B``; empty where the server does not say.
        sees: Whether it takes images; ``None`` where the server does not say.
        remote: The machine that the server passes its questions on to; empty where it answers.
    """

    name: str
    digest: str
    size: int
    parameters: str
    sees: bool | None
    remote: str = ""


def list_models(
    address: Address, timeout_s: float = 5.0, *, access: Access = NOWHERE
) -> tuple[ListedModel, ...]:
    """The models of a server, in the order of their names; none where it does not answer.

    Those that this package derived from Modelfiles are left out.

    Args:
        address: Where it listens; the caller has checked that it is allowed.
        timeout_s: Longest wait for each of the answers.
        access: Where keys may go.
    """
    try:
        with contextlib.closing(open_wire(address, access)) as client:
            told = client.json("GET", "/api/tags", timeout_s=timeout_s).value
        models = [_listed(entry) for entry in told["models"] or ()]
    except (BackendError, *payload.MISREAD):
        return ()
    own = (model for model in models if not model.name.startswith(PREFIX))
    return tuple(sorted(own, key=lambda model: model.name))


def _listed(entry: dict[str, Any]) -> ListedModel:
    details = entry.get("details") or {}
    return ListedModel(
        name=full_name(str(entry["name"])),
        digest=str(entry.get("digest") or ""),
        size=payload.count(entry.get("size")) or 0,
        parameters=str(details.get("parameter_size") or ""),
        sees=_sees(entry.get("capabilities"), details.get("families") or ()),
        remote=remote_host(entry),
    )


def _sees(capabilities: Any, families: Any) -> bool | None:
    if isinstance(capabilities, list):
        return "vision" in capabilities
    # Servers before capabilities were listed name the projector among the families.
    return True if {"clip", "mllama"}.intersection(families) else None
