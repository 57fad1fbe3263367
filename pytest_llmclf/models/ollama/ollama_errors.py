"""What each error of an Ollama server means.

Seen on Ollama 0.33: errors of the runner arrive as JSON inside the error string, errors of
``create`` and ``pull`` in the last line of a stream that began with HTTP 200, and bad options as
500 although sending them again cannot help.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pytest_llmclf import errors
from pytest_llmclf.models.http import http_errors
from pytest_llmclf.models.http.http_errors import RULES, Rule
from pytest_llmclf.models.ollama import official_client

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llmclf.models.http.address import Address
    from pytest_llmclf.models.http.redact import Redactor

Doing = Literal["ask", "look", "create", "pull"]
"""What was being done: asking a question, reading facts, deriving a model, pulling one."""

_NOT_LET_IN = frozenset((401, 403))
_BROKE = 500

START_REMEDY = "start it with `ollama serve`"

OLLAMA_RULES: tuple[Rule, ...] = (
    Rule(
        r"mismatch between text model .{1,200}? and mmproj",
        errors.ModelNotCreated,
        "the projector belongs to another model: give the GGUF pair that fits",
    ),
    Rule(
        r"does not support chat",
        errors.ModelNotCreated,
        "FROM must name a language model; a projector alone cannot answer",
    ),
    Rule(
        r"illegal base64|failed to load image",
        errors.ImageRejected,
        "look at the image; PNG, JPEG, WebP, GIF and BMP work",
    ),
    Rule(
        r"^model '[^']{1,300}' not found|model .{1,200}? not found, try pulling",
        errors.ModelMissing,
        "run `ollama pull {model}`",
    ),
    Rule(
        r"option \"[^\"]{1,100}\" must be of type|invalid option",
        errors.RequestRejected,
        "correct the PARAMETER in the Modelfile or the option",
    ),
    Rule(
        r"invalid format:|json schema conversion failed|json_schema",
        errors.RequestRejected,
        "the answer format is no JSON schema that the server understands",
    ),
    Rule(
        r"does not support thinking|invalid think value|think value",
        errors.CannotThink,
        "leave thinking off: Evaluation(think=False) or --llmclf-think off",
    ),
    Rule(
        r"top_logprobs must be",
        errors.RequestRejected,
        "ask for at most 20 alternatives a token",
    ),
    # What a chat got once that was under way while its model was removed.
    Rule(r"^model is required$", errors.ModelMissing, "run `ollama pull {model}`"),
    Rule(
        r"invalid model name",
        errors.ModelMissing,
        "{model!r} is no model name; write NAME or NAME:TAG",
    ),
    Rule(
        r"page not found|method not allowed",
        errors.BadAnswer,
        "check that the address is that of an Ollama server, and that it is not too old",
    ),
    # Some builds of the runner answer nothing else after two images side by side.
    Rule(
        r"chunk not found",
        errors.ServerFailed,
        "run `ollama stop {model}`, so that it forgets the images that it keeps, or update Ollama",
    ),
    *RULES,
)


def from_status(
    status: int, body: object, *, address: Address, model: str, doing: Doing = "ask"
) -> errors.BackendError:
    """The error of an answer with an HTTP status, or of an error line in a stream.

    Args:
        status: HTTP status, or -1 for an error line after HTTP 200, as the ollama client says it.
        body: What the server said.
        address: The server.
        model: Name of the model, as the user wrote it.
        doing: What was being done.
    """
    where = f"Ollama at {address.netloc}"
    if status in _NOT_LET_IN:
        return not_let_in(status, address)
    mapped = http_errors.from_status(
        status if status > 0 else _BROKE,
        body,
        where=where,
        model=model,
        rules=OLLAMA_RULES,
        note="" if status > 0 else "HTTP 200 with an error in it",
    )
    passing = isinstance(mapped, errors.ServerOverloaded | errors.RemoteRefused)
    if doing == "create" and not passing:
        return errors.ModelNotCreated(
            f"no model could be derived from {model}: {mapped.message}",
            remedy="check the Modelfile and the GGUF files that it names",
        )
    if doing == "pull" and not passing:
        return errors.ModelMissing(
            f"{model} could not be pulled: {mapped.message}",
            remedy=f"check the name and the network, then run `ollama pull {model}`",
        )
    return mapped


def no_more_room(error: errors.BackendError, options: Mapping[str, object]) -> errors.BackendError:
    """An error, without a remedy that was tried: a model has no more context than it was made with.

    Args:
        error: What a question came to.
        options: What was sent with it.
    """
    asked = options.get("num_ctx")
    if not isinstance(error, errors.ContextTooSmall) or not isinstance(asked, int):
        return error
    if error.context is None or asked <= error.context:
        return error
    mended = errors.ContextTooSmall(
        error.message,
        remedy=f"num_ctx {asked} does not give this model more than {error.context}: shorten the "
        "prompt, or take a model with a larger context",
    )
    mended.context = error.context
    return mended


def not_let_in(status: int, address: Address) -> errors.AccessRefused:
    """The error of a server, or a proxy before it, that does not let us in."""
    given = "refuses the user and password" if address.user else "needs a user and password or key"
    return errors.AccessRefused(
        f"Ollama at {address.netloc} {given} (HTTP {status})",
        remedy="write OLLAMA_HOST=http://USER:PASSWORD@HOST:PORT, or put the key into "
        "OLLAMA_API_KEY",
    )


def from_exception(
    error: Exception, *, address: Address, model: str, doing: Doing = "ask", redactor: Redactor
) -> errors.BackendError:
    """The error behind anything that the ollama client raises, without secrets."""
    ollama = official_client.official()
    where = f"Ollama at {address.netloc}"
    match error:
        case ollama.ResponseError():
            return from_status(
                error.status_code,
                redactor.value(http_errors.unwrap(error.error)),
                address=address,
                model=model,
                doing=doing,
            )
        case ollama.RequestError():
            return errors.RequestRejected(
                f"the request to {where} could not be made: "
                f"{http_errors.cut(redactor.text(error.error))}",
                remedy="check the Modelfile and the prompt",
            )
        case _:
            return http_errors.from_exception(error, where=where, remedy=START_REMEDY)
