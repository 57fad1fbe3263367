"""An Ollama that is asked by OpenAI's protocol, and may pass questions on to another machine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pytest_llmclf.errors import BackendError
from pytest_llmclf.models.http.client import Wire
from pytest_llmclf.models.ollama.derive import remote_host
from pytest_llmclf.models.ollama.status import require_here

if TYPE_CHECKING:
    from collections.abc import Collection

    from pytest_llmclf.models.http.address import Address

_PREFIX: Final = "/v1"
_LOOK_S: Final = 5.0


def require_not_passed_on(
    model: str,
    address: Address,
    *,
    key: str,
    allow_remote: Collection[str],
    allow_clear_key: Collection[str],
    timeout_s: float,
) -> None:
    """Refuse a model that an Ollama passes on: its own protocol says so, OpenAI's does not.

    Whoever is no Ollama answers something else, or nothing, and is asked all the same.

    Args:
        model: Its name on the server.
        address: The server with OpenAI's prefix.
        key: Sent as with every question.
        allow_remote: Hosts other than this machine that images may be sent to.
        allow_clear_key: Hosts that a key may be sent to unencrypted.
        timeout_s: Longest wait for an answer, never more than five seconds.

    Raises:
        RemoteRefused: Images would go to a host that is not allowed.
    """
    if not address.path.endswith(_PREFIX):
        return
    wire = Wire(
        replace(address, path=address.path.removesuffix(_PREFIX)),
        where=f"the server at {address.netloc}",
        key=key,
        allow_remote=allow_remote,
        allow_clear_key=allow_clear_key,
        keep=False,
    )
    wait_s = min(timeout_s, _LOOK_S)
    try:
        _, told = wire.json("POST", "/api/show", {"model": model}, timeout_s=wait_s)
    except BackendError:
        return
    finally:
        wire.close()
    if isinstance(told, dict):
        require_here(model, remote_host(told), address, allow_remote)
