"""What a backend promises: one question in, one answer out.

Retries, caching and limits belong to the runner. A backend may be asked from several threads
at once. What makes one from a `Reach` is found by its name (`registry`); one of another package
says besides where it sends images, as `sends_to`, and, as `shows_examples`, that it sends a
request's example images too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from pytest_llmclf.values.answer import Answer
    from pytest_llmclf.values.request import ModelIdentity, Request


THIS_MACHINE: Final = "this machine"
"""As `sends_to` of a backend of another package: images go to no other machine."""


class LocalBackend:
    """What backends have in common that compute, or look answers up, on this machine."""

    @property
    def in_flight(self) -> int:
        """One: an answer is there before another could be started on."""
        return 1

    def close(self) -> None:
        """Nothing: what is shared by several ends with the run."""


class Backend(Protocol):
    """A model that can be asked."""

    @property
    def in_flight(self) -> int:
        """Requests that are worth having in flight at this moment; at least 1.

        More than the server works on side by side, so that it never waits for the next one.
        Backends that learn the number while they are asked change it after any answer.
        """
        ...

    @property
    def notices(self) -> tuple[str, ...]:
        """What people should know of the server by now, a sentence each; they end in reports."""
        ...

    def identify(self) -> ModelIdentity:
        """Who answers; reaches the server on first use.

        Raises:
            BackendError: The server or the model is not there.
        """
        ...

    def ask(self, request: Request) -> Answer:
        """Ask one question. Thread-safe.

        Raises:
            BackendError: There is no answer; `retryable` says whether asking again may help.
        """
        ...

    def close(self) -> None:
        """Free connections and end processes that this backend started; may be called twice."""
        ...
