"""What a backend is made from: the model as written, its Modelfile, and how servers are reached."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pytest_llmclf.models.http.address import Access, Address, parse_addresses
from pytest_llmclf.models.ollama.status import PROBE_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from pytest_llmclf.models.spec import ModelSpec
    from pytest_llmclf.prompting.modelfile import Modelfile
    from pytest_llmclf.values.case import CaseSet

_Made = TypeVar("_Made")


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
    probe_timeout_s: float = PROBE_TIMEOUT_S
    start_timeout_s: float = 180.0
    llama_server: str | None = None
    llama_parallel: int = 4
    llama_threads: int | None = None
    llama_copies: int = 2
    pull: bool = False

    @property
    def access(self) -> Access:
        """Where images and keys may go besides this machine."""
        return Access(remote=self.allow_remote, clear_key=self.allow_clear_key)

    def ollama_addresses(self) -> tuple[Address, ...]:
        """Where Ollama is, each place once.

        Raises:
            SettingsError: One of the addresses is none.
        """
        text = ",".join(self.ollama_hosts) or os.environ.get("OLLAMA_HOST", "")
        return tuple({address.url: address for address in parse_addresses(text)}.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Everything that a backend is made from.

    Attributes:
        spec: The model; `ModelSpec.name` is what stands behind ``NAME:``.
        modelfile: System text, example turns, options.
        settings: Hosts that are allowed, time limits, how servers are started.
        shared: See `once`.
        images: What it is asked about, for backends that learn from it or have answers to it;
            ``None`` where that is not known.
    """

    spec: ModelSpec
    modelfile: Modelfile
    settings: ConnectSettings
    shared: Callable[[Hashable, Callable[[], object]], object]
    images: CaseSet | None = None

    @property
    def template_note(self) -> dict[str, str]:
        """Said where the Modelfile's TEMPLATE is not used: such servers bring their own."""
        if self.modelfile.template is None:
            return {}
        return {"template": "the model's own; TEMPLATE in the Modelfile is for Ollama"}

    def once(self, key: Hashable, make: Callable[[], _Made]) -> _Made:
        """What all backends of a run share under a key; made once, closed at the end if it can be.

        Args:
            key: Such as the name of what is shared, with the model that it is about.
            make: Makes it.
        """
        return self.shared(key, make)  # type: ignore[return-value]
