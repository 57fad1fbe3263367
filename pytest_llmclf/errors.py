"""Everything that can go wrong, in one tree.

    LlmclfError
    ├── SettingsError              options that contradict each other or make no sense
    │   └── ExtraMissing           an optional package is needed and not installed
    ├── DatasetError               a dataset cannot be judged as it stands
    ├── ModelfileError             a Modelfile does not parse (line and column)
    ├── ImageError               one image cannot be sent as it is
    ├── StoreError                 the answer store cannot be used
    └── BackendError               a model did not answer
        ├── ServerUnreachable      nothing listens there              (retried)
        ├── RequestTimedOut        no answer in time                  (retried)
        ├── ServerOverloaded       429, 503                           (retried)
        ├── QuotaUsedUp            402, or 429 for an account that is used up
        ├── ServerFailed           other 5xx, connection cut          (retried)
        ├── BadAnswer              an answer that is not the protocol's (retried)
        ├── ModelMissing           the server does not have the model
        ├── LabelsUnknown          a model that was not trained on all of the labels
        ├── ModelCannotSee         a text-only model was sent an image
        ├── ImageRejected        the server cannot read the image
        ├── ContextTooSmall        prompt and image exceed the context
        ├── AccessRefused          401: no user and password or key, or the wrong one
        ├── RequestRejected        any other 4xx
        │   └── CannotThink        the model cannot be told so about thinking
        ├── ModelNotCreated        a derived model could not be made
        ├── RemoteRefused          images would leave this machine for a host not allowed
        │   └── Redirected         one request was sent on to another address
        ├── RuntimeMissing         no llama-server for a GGUF model
        ├── RuntimeBroken          llama-server does not start, or keeps dying
        ├── ReplayMismatch         the recording has no such request
        └── PredictionMissing      the file of predictions says nothing of the image

Every message names the value, the place and the remedy.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import islice
from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


_COMMAND: Final = re.compile(r"^([^\S\n]*)::", re.MULTILINE)
_LONGEST_WORD: Final = 200
_MOST_KNOWN: Final = 1000


class LlmclfError(Exception):
    """Base of every error that this package raises on purpose.

    As text it is safe to print: what a file, a server or a command line had in it that would move
    the cursor, reorder a line or not be encoded at all comes out escaped. Line ends stay, but no
    line begins as the commands of a CI runner do ("::error::").
    """

    def __str__(self) -> str:
        """The message, printable."""
        text = _COMMAND.sub(r"\1\\x3a:", super().__str__())
        if text.isprintable():
            return text
        return "".join(
            char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text
        )


class SettingsError(LlmclfError):
    """Options, environment variables or ini values that make no sense together."""


class ExtraMissing(SettingsError):
    """An optional package is needed and not installed; the message says how to install it."""


class DatasetError(LlmclfError):
    """A dataset cannot be judged as it stands; the message lists every problem found."""


class ModelfileError(LlmclfError):
    """A Modelfile does not parse.

    Attributes:
        source: Path or name of the text.
        line: 1-based line of the problem.
        column: 1-based column of the problem, in characters.
        problem: What is wrong and how to mend it.
    """

    def __init__(self, source: str, line: int, column: int, problem: str) -> None:
        super().__init__(f"{source}:{line}:{column}: {problem}")
        self.source = source
        self.line = line
        self.column = column
        self.problem = problem


class ImageError(LlmclfError):
    """One image cannot be sent: unreadable, cut, or too large to decode safely."""


class StoreError(LlmclfError):
    """The answer store cannot be opened, read or written."""


class BackendError(LlmclfError):
    """A model did not answer one request.

    Attributes:
        message: One line: value and place.
        remedy: One line: what the user can do about it; may be empty.
    """

    kind: ClassVar[str] = "backend-error"
    """Stable word for reports and files."""
    retryable: ClassVar[bool] = False
    """Whether the same request may succeed when asked again."""
    of_model: ClassVar[bool] = False
    """Whether it says something of the model or server rather than of one image: where no image
    was answered yet, none will be."""
    for_good: ClassVar[bool] = False
    """Whether no image will be answered from now on, also where some were before."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(f"{message} ({remedy})" if remedy else message)
        self.message = message
        self.remedy = remedy
        self.retry_after_s: float | None = None
        """Seconds for which the server asks to be left alone, where it says so."""


class ServerUnreachable(BackendError):
    """Nothing accepts connections at the address."""

    kind = "server-unreachable"
    retryable = True


class RequestTimedOut(BackendError):
    """The server accepted the request but did not answer in time."""

    kind = "timed-out"
    retryable = True


class ServerOverloaded(BackendError):
    """The server refuses work for now (HTTP 429 or 503)."""

    kind = "server-overloaded"
    retryable = True


class QuotaUsedUp(BackendError):
    """The account has no credit or quota left; that does not change by waiting."""

    kind = "quota-used-up"
    of_model = True
    for_good = True


class ServerFailed(BackendError):
    """The server broke while answering (HTTP 5xx, connection cut, half an answer)."""

    kind = "server-failed"
    retryable = True


class BadAnswer(BackendError):
    """The server answered something that is not its own protocol.

    In the middle of a run that is a mishap like a cut connection. On first contact it is the
    address of something else, and nobody waits for that to change.
    """

    kind = "bad-answer"
    retryable = True


class ModelMissing(BackendError):
    """The server does not have the model."""

    kind = "model-missing"
    of_model = True


class ModelCannotSee(BackendError):
    """The model takes text only."""

    kind = "model-cannot-see"
    of_model = True


class LabelsUnknown(BackendError):
    """The model was not trained on all of the labels that are asked for, and knows no others."""

    kind = "labels-unknown"
    of_model = True


class ImageRejected(BackendError):
    """The server could not decode the image."""

    kind = "image-rejected"


class ContextTooSmall(BackendError):
    """Prompt and image together exceed the model's context."""

    kind = "context-too-small"
    context: int | None = None
    """Tokens that the server has room for, where it says so."""


class AccessRefused(BackendError):
    """The server, or a proxy before it, wants to know who asks."""

    kind = "access-refused"
    of_model = True


class RequestRejected(BackendError):
    """The server refused the request for another reason (other 4xx)."""

    kind = "request-rejected"


class CannotThink(RequestRejected):
    """The model cannot think, or not as it was told to."""

    kind = "cannot-think"
    of_model = True


class ModelNotCreated(BackendError):
    """A model could not be derived from a Modelfile."""

    kind = "model-not-created"


class RemoteRefused(BackendError):
    """Images would go to a host that is not this machine and was not allowed."""

    kind = "remote-refused"
    of_model = True


class Redirected(RemoteRefused):
    """The server sent one request on to another address; requests before and after may be fine."""

    kind = "redirected"
    of_model = False


class RuntimeMissing(BackendError):
    """There is no `llama-server` to run a GGUF model with."""

    kind = "runtime-missing"


class RuntimeBroken(BackendError):
    """The `llama-server` that was started does not come up, or died again and again."""

    kind = "runtime-broken"


class ReplayMismatch(BackendError):
    """A recording does not hold an answer to this very request."""

    kind = "replay-mismatch"


class PredictionMissing(BackendError):
    """A file of predictions has no row of this image."""

    kind = "prediction-missing"


def need_extra(package: str, extra: str, what: str) -> None:
    """Make sure that an optional package is there, before anything is done with it.

    Args:
        package: As it is imported.
        extra: The extra of this package that brings it.
        what: What needs it.

    Raises:
        ExtraMissing: It is not installed.
    """
    if find_spec(package) is None:
        raise ExtraMissing(
            f"{what} needs {package}, which is not installed: "
            f"python -m pip install 'pytest-llmclf[{extra}]'"
        )


NAMED_AT_MOST: Final = 20
"""Names that a message lists; a dataset may have thousands of classes, and a server of models."""


def some_of(names: Iterable[str], most: int = NAMED_AT_MOST) -> str:
    """``a, b, c and 7 more``: the first of some names, in their order, for messages.

    Args:
        names: All of them; without any the text is empty.
        most: How many are listed.
    """
    listed = tuple(names)
    more = f" and {len(listed) - most:,} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a message about a `word` that is not among the `known` ones.

    Returns:
        ``; did you mean 'cat'?``, or nothing where none is like it.
    """
    from difflib import get_close_matches

    # Both may come from files of others, and the search takes time by their product.
    near = [name[:_LONGEST_WORD] for name in islice(known, _MOST_KNOWN)]
    found = get_close_matches(word[:_LONGEST_WORD], near, n=1)
    return f"; did you mean {found[0]!r}?" if found else ""


@contextmanager
def naming_variant(name: str) -> Iterator[None]:
    """Say which variant it is of which something makes no sense; empty: the evaluation itself."""
    try:
        yield
    except (DatasetError, SettingsError) as error:
        raise type(error)(f"variant {name!r}: {error}" if name else str(error)) from error
