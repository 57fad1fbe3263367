"""An Ollama that is asked by OpenAI's protocol, and may pass questions on to another machine."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.errors import BackendError, RemoteRefused, ServerFailed
from pytest_llmclf.models.http.client import HttpClient
from pytest_llmclf.models.ollama.derive import full_name, remote_host
from pytest_llmclf.models.ollama.status import require_here

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llmclf.models.http.address import Access, Address

_PREFIX: Final = "/v1"
_LOOK_S: Final = 5.0
_OWNER: Final = "library"
"""Who owns a model, as Ollama says in OpenAI's list."""
_RUNNING: Final = "Ollama is running"
_OK, _UNKNOWN = 200, frozenset({400, 404, 405, 501})
_BUSY, _BROKEN = 429, 500


def require_not_passed_on(
    model: str, address: Address, *, owner: str, key: str, access: Access, timeout_s: float
) -> str:
    """Refuse a model that an Ollama passes on: its own protocol says so, OpenAI's does not.

    Its facts of the model and its list are both looked at. An Ollama that does not say where the
    model runs is refused, too: images may be passed on. Whoever is no Ollama is asked: it has no
    such question. Where not even that can be told, the returned notice says so.

    Args:
        model: Its name on the server.
        address: The server with OpenAI's prefix.
        owner: Who owns the model, as the server's list says.
        key: Sent as with every question.
        access: Where images and keys may go besides this machine.
        timeout_s: Longest wait for an answer, never more than five seconds.

    Returns:
        What people should know; empty if there is nothing.

    Raises:
        RemoteRefused: Images would go, or for all that is known may go, to a host that is not
            allowed.
        ServerFailed: The same, where asking again may tell more.
    """
    if not address.path.endswith(_PREFIX):
        return ""

    def require(told: dict[str, Any]) -> None:
        require_here(model, remote_host(told), address, access.remote)

    wait_s = min(timeout_s, _LOOK_S)
    with contextlib.closing(_outside_of_prefix(address, key, access)) as client:
        unsaid = _unsaid(client, model, require, wait_s)
        if unsaid is None:
            return ""
        status, how = unsaid
        if owner == _OWNER or _is_ollama(client, wait_s):
            raise _silent(
                model, address, how, lasting=status in range(_OK, _BROKEN) and status != _BUSY
            )
    if status in _UNKNOWN or status == _OK:
        return ""
    return (
        f"the server at {address.netloc} did not say whether it is an Ollama ({how}), "
        f"so it is not known whether it passes images on to another machine"
    )


def _outside_of_prefix(address: Address, key: str, access: Access) -> HttpClient:
    """Connections to where an Ollama's own protocol would be spoken."""
    return HttpClient(
        replace(address, path=address.path.removesuffix(_PREFIX)),
        where=f"the server at {address.netloc}",
        key=key,
        access=access,
        keep=False,
    )


def _unsaid(
    client: HttpClient, model: str, require: Callable[[dict[str, Any]], None], wait_s: float
) -> tuple[int, str] | None:
    """Status and words of what did not say where a model runs; ``None`` where all is said."""
    place = "/api/show"
    status, told = _asked(client, "POST", place, {"model": model}, wait_s)
    if status == _OK:
        if not isinstance(told, dict):
            return None
        require(told)
        if "error" not in told:
            place = "/api/tags"
            status, told = _asked(client, "GET", place, None, wait_s)
            if status == _OK and isinstance(told, dict) and "error" not in told:
                for listed in _listed(told, model):
                    require(listed)
                return None
    return status, f"HTTP {status} for {place}" if status else f"{told} for {place}"


def _listed(tags: dict[str, Any], model: str) -> list[dict[str, Any]]:
    """What a list says of a model, under whichever of its names."""
    models = tags.get("models")
    entries = (
        [each for each in models if isinstance(each, dict)] if isinstance(models, list) else []
    )
    wanted = full_name(model).casefold()
    return [
        each
        for each in entries
        if wanted in [full_name(str(each.get(key) or "")).casefold() for key in ("name", "model")]
    ]


def _is_ollama(client: HttpClient, wait_s: float) -> bool:
    status, told = _asked(client, "GET", "/api/version", None, wait_s)
    if status == _OK and isinstance(told, dict) and isinstance(told.get("version"), str):
        return True
    return _RUNNING in str(_asked(client, "GET", "/", None, wait_s)[1])


def _asked(
    client: HttpClient, method: str, path: str, content: Any, wait_s: float
) -> tuple[int, Any]:
    """Status and content of an answer, or 0 and why there is none."""
    try:
        reply = client.json(method, path, content, timeout_s=wait_s)
    except RemoteRefused:
        raise
    except BackendError as error:
        return 0, error.message
    return reply.status, reply.value


def _silent(model: str, address: Address, how: str, *, lasting: bool) -> BackendError:
    kind = RemoteRefused if lasting else ServerFailed
    return kind(
        f"Ollama at {address.netloc} does not say where {model} runs ({how}), and "
        "may pass images on to another machine",
        remedy="let /api/show and /api/tags answer, or ask by its own protocol: "
        f"--llmclf-model ollama:{model}",
    )
