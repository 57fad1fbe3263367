"""A backend of another package, held to what a backend promises.

Where it sends images is its own matter, so it has to say so: another machine needs
``--llmclf-allow-remote`` as for every other backend. Whatever it raises is an error of its image.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pytest_llmclf.errors import BackendError, LlmclfError, RequestRejected, SettingsError
from pytest_llmclf.models.base import THIS_MACHINE
from pytest_llmclf.models.http.address import parse_addresses
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.request import ModelIdentity

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llmclf.models.reach import Reach
    from pytest_llmclf.values.request import Request

_Kind = TypeVar("_Kind")
_NOT_SAID: Final = (
    'does not say where it sends images: give it sends_to = "this machine", or the host'
)


class BackendBroke(BackendError):
    """A backend of another package raised, or gave back what is no answer."""

    kind = "backend-broke"


def connect(reach: Reach, factory: Callable[[Reach], Any]) -> ThirdParty:
    """Make a backend of another package, and refuse one that sends images where it may not.

    Args:
        reach: What it is made from.
        factory: Makes it; it must send nothing yet.

    Raises:
        BackendError: It cannot be made.
        RemoteRefused: It sends images to a machine that was not allowed.
        SettingsError: It does not say where.
    """
    name = reach.spec.backend
    made = _guarded(name, "be made", lambda: factory(reach), object)
    backend = ThirdParty(name, made, str(reach.spec))
    try:
        _require_allowed(name, made, reach)
    except LlmclfError:
        backend.close()
        raise
    return backend


def _require_allowed(name: str, made: Any, reach: Reach) -> None:
    said = _guarded(name, "say where it sends", lambda: getattr(made, "sends_to", None), object)
    if not isinstance(said, str) or not said.strip():
        raise SettingsError(f"backend {name} {_NOT_SAID}")
    if said != THIS_MACHINE:
        for address in parse_addresses(said):
            address.require_allowed(reach.settings.allow_remote)


class ThirdParty:
    """What is asked instead of a backend of another package.

    Args:
        name: Its name in the registry.
        made: The backend.
        called: The model as it was asked for, by which reports and baselines call it: a recording
            must do so, too, whatever name the backend gives.
    """

    def __init__(self, name: str, made: Any, called: str = "") -> None:
        self._name = name
        self._made = made
        self._called = called

    @property
    def in_flight(self) -> int:
        """What it says is worth having in flight; 1 where it says nothing that can be meant."""
        with contextlib.suppress(Exception):
            return max(1, int(self._made.in_flight))
        return 1

    @property
    def notices(self) -> tuple[str, ...]:
        """What it says that people should know."""
        with contextlib.suppress(Exception):
            return tuple(map(str, self._made.notices))
        return ()

    def identify(self) -> ModelIdentity:
        """Who answers, under the backend's own name: no answer of it is taken for another's."""
        found = _guarded(self._name, "say who answers", self._made.identify, ModelIdentity)
        server = found.server or self._name
        return replace(found, backend=self._name, server=server, called=self._called)

    def ask(self, request: Request) -> Answer:
        """Ask one question.

        Raises:
            RequestRejected: It has example images, of which the backend does not say that it
                sends them: an answer without them would be taken for one with them.
        """
        if request.example_images and getattr(self._made, "shows_examples", False) is not True:
            raise RequestRejected(
                f"backend {self._name} does not say that it sends example images",
                remedy="give it shows_examples = True if it sends request.example_images, or drop "
                "examples= from the evaluation",
            )
        return _guarded(self._name, "answer", lambda: self._made.ask(request), Answer)

    def close(self) -> None:
        """Let it close; what it raises then costs nothing."""
        with contextlib.suppress(Exception):
            self._made.close()


def _guarded(name: str, what: str, work: Callable[[], object], kind: type[_Kind]) -> _Kind:
    try:
        found = work()
    except LlmclfError:
        raise
    except (Exception, SystemExit) as error:
        raise BackendBroke(
            f"backend {name} cannot {what}: it raised {type(error).__name__}: {error}",
            remedy="mend the backend, or tell those who make it",
        ) from error
    if not isinstance(found, kind):
        raise BackendBroke(
            f"backend {name} cannot {what}: it gave back {type(found).__name__}, not "
            f"{kind.__name__}",
            remedy="mend the backend, or tell those who make it",
        )
    return found
