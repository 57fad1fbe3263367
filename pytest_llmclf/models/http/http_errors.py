"""What a failed HTTP request means, as one typed error with a remedy.

Servers word the same trouble differently; `RULES` knows the wordings that were seen. A rule goes
before the status, since servers answer 500 for a bad option and 400 for a full context. What a
server says is cut before it is searched, and a pattern looks ahead for a bounded distance only: an
error text of megabytes costs no more than one of a page.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llmclf import errors
from pytest_llmclf.models.http.payload import parse_json
from pytest_llmclf.models.http.payload import shown as shown_json
from pytest_llmclf.models.http.redact import as_text
from pytest_llmclf.values.text import shorten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MESSAGE_WIDTH = 300
"""Characters of a server's own words that go into a message."""
MOST_SEARCHED = 4000
"""Characters of a server's words that are searched for what they mean: their beginning and end."""
GARBAGE_WIDTH = 80
"""Characters of an answer that is no JSON that go into a message."""
GARBAGE_SEARCHED = 65536
"""Characters at the end of an answer that is no JSON that are searched for an error."""


_CHARGE = "add credit or raise the limit of the account, then run again: what is answered is kept"
_WORD = 100
"""Characters of a code or type that are looked at."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A wording and what it means.

    Attributes:
        pattern: Searched in the server's message, ignoring case.
        error: What to raise.
        remedy: What the user can do; ``{model}`` is filled in.
    """

    pattern: str
    error: type[errors.BackendError]
    remedy: str


_PASSES = r"(?![\s\S]{0,2000}?(?:(?:retry|try again|wait)[^.]{0,20} (?:in|after|for) |per minute))"
RULES: tuple[Rule, ...] = (
    # Before what is too much for now, which is worded alike: that one says when to come back.
    Rule(
        r"(?:insufficient[_ ](?:quota|credit|balance|funds)|balance is too low|out of credits?\b"
        r"|billing_hard_limit|(?:key|spend(?:ing)?|monthly) limit (?:exceeded|reached)"
        r"|exceeded your current quota)" + _PASSES,
        errors.QuotaUsedUp,
        _CHARGE,
    ),
    Rule(
        r"exceed_context_size|exceeds the available context|longer than the context"
        r"|context[ _]length|maximum context|input length exceeds|context window"
        r"|longer than the max|prompt is too long|prompt too long|maximum input length"
        r"|exceeds the maximum number of tokens|reduce the length of the (?:messages|prompt|input)",
        errors.ContextTooSmall,
        "raise num_ctx (PARAMETER num_ctx 8192 in a Modelfile), or shorten the prompt",
    ),
    Rule(
        r"(?:not|n't) support (?:multimodal|vision|images?(?:_url)?\b(?! ?(?:type|format)))"
        r"|missing data required for image|not a multimodal model|mmproj|at most 0 image"
        r"|support image input|image_url is only supported|unknown variant .image_url"
        r"|content[\]'\"`]{0,2} must be a string"
        r"|(?:images?|vision) (?:inputs?|modality)[\w ]{0,20} not (?:enabled|supported|available)",
        errors.ModelCannotSee,
        "choose a model with vision, such as llava",
    ),
    Rule(
        r"illegal base64|failed to (load|decode|process) (the )?image|invalid image"
        r"|image: unknown format|unsupported image|cannot identify image",
        errors.ImageRejected,
        "look at the image; PNG and JPEG work everywhere",
    ),
    Rule(
        r"model .{1,200}? (not found|does not exist)|no such model|model_not_found"
        r"|not a valid model|invalid model\b|unknown model|no models? loaded|DeploymentNotFound"
        r"|model_not_exist|no endpoints found for|models/\S{1,200} is not found",
        errors.ModelMissing,
        "check the name of the model: {model}",
    ),
    Rule(
        r"server busy|maximum pending requests|overloaded|rate.limit",
        errors.ServerOverloaded,
        "the request is sent again later; fewer at once: --llmclf-in-flight",
    ),
    Rule(
        r"requires more (system )?memory|out of memory|insufficient memory",
        errors.RequestRejected,
        "free memory, lower num_ctx, or choose a smaller model",
    ),
)

_QUESTION = re.compile(
    r"request \((\d{1,9}) tokens\)|resulted in (\d{1,9}) tokens|requested (\d{1,9}) tokens"
    r"|contains (?:at least )?(\d{1,9}) (?:input )?tokens",
    re.IGNORECASE,
)
"""How servers tell the size of a question that is too long for them."""
_ROOM = re.compile(
    r"context size \((\d{1,9}) tokens\)|context length (?:is|of) (\d{1,9}) tokens", re.IGNORECASE
)
"""How they tell what they have room for."""
_USUAL_CONTEXT = 8192
_FOR_ANSWER = 256
_CONTEXT_STEP = 1024

_UNREACHABLE = "check that the server runs and listens there"


def from_status(
    status: int,
    body: Any,
    *,
    where: str,
    model: str,
    rules: Sequence[Rule] = RULES,
    note: str = "",
) -> errors.BackendError:
    """The error of an HTTP answer that is none.

    Args:
        status: HTTP status.
        body: What came with it: parsed JSON, or text.
        where: The server, without secrets.
        model: Name of the model that was asked.
        rules: Wordings known for this kind of server, most telling first.
        note: Shown instead of the status, where the server sent another one.
    """
    said = cut(unwrap(body))
    searched = f"{said}\n{code_of(body)}"
    shown = (
        f"{where} said {shorten(said, MESSAGE_WIDTH)} ({note or f'HTTP {status}'})"
        if said
        else (f"{where} answered HTTP {status}")
    )
    for rule in rules:
        if re.search(rule.pattern, searched, re.IGNORECASE):
            remedy = rule.remedy.format(model=model)
            if rule.error is errors.ContextTooSmall:
                remedy = remedy.replace("8192", str(_fitting(said)))
            error = rule.error(shown, remedy=remedy)
            if isinstance(error, errors.ContextTooSmall):
                error.context = _tokens(_ROOM, said)
            return error
    kind, remedy = by_status(status)
    return kind(shown, remedy=remedy.format(model=model))


def _tokens(told: re.Pattern[str], said: str) -> int | None:
    """The number of tokens that a message tells; ``None`` where it tells none."""
    found = told.search(said)
    return None if found is None else int(next(filter(None, found.groups())))


def _fitting(said: str) -> int:
    """A size of context in which a question fits that was too long, as people write it."""
    tokens = _tokens(_QUESTION, said)
    if tokens is None:
        return _USUAL_CONTEXT
    return -(-(tokens + _FOR_ANSWER) // _CONTEXT_STEP) * _CONTEXT_STEP


def code_of(body: Any) -> str:
    """The codes that stand beside an error's message, such as ``insufficient_quota``."""
    error = body.get("error") if isinstance(body, dict) else None
    told = error if isinstance(error, dict) else body if isinstance(body, dict) else {}
    codes = (told.get("code"), told.get("type"))
    return " ".join(code[:_WORD] for code in codes if isinstance(code, str))


_BY_STATUS: dict[int, tuple[type[errors.BackendError], str]] = {
    401: (errors.AccessRefused, "it needs a user and password or key: check the one given"),
    402: (errors.QuotaUsedUp, _CHARGE),
    403: (errors.RequestRejected, "check what the key, or this address, is allowed to ask"),
    408: (errors.RequestTimedOut, "allow more time: --llmclf-timeout"),
    413: (errors.ImageRejected, "send a smaller image"),
    429: (errors.ServerOverloaded, "the request is sent again later"),
    503: (errors.ServerOverloaded, "the request is sent again later"),
    504: (errors.RequestTimedOut, "allow more time: --llmclf-timeout"),
}
_BY_CLASS: dict[int, tuple[type[errors.BackendError], str]] = {
    3: (errors.Redirected, "redirects are not followed: give the final address"),
    4: (errors.RequestRejected, "check the options and the address"),
    5: (errors.ServerFailed, "look at the server's log"),
}
_NO_PROTOCOL: tuple[type[errors.BackendError], str] = (
    errors.BadAnswer,
    "check that the address is that of a model server",
)
_TIMED_OUT, _FAILED = 408, 500


def by_status(status: int) -> tuple[type[errors.BackendError], str]:
    """What a status means where no words tell more, and the remedy."""
    return _BY_STATUS.get(status) or _BY_CLASS.get(status // 100) or _NO_PROTOCOL


def from_error_body(
    body: Mapping[str, Any], *, where: str, model: str, rules: Sequence[Rule] = RULES
) -> errors.BackendError:
    """The error of an answer that has HTTP 200 and is an error all the same.

    Proxies in front of several servers answer so: the status that was meant is in the body.
    """
    note = "HTTP 200 with an error in it"
    meant = _meant_status(body.get("error"), body)
    return from_status(meant, body, where=where, model=model, note=note, rules=rules)


def error_of_choice(
    choice: Mapping[str, Any], *, where: str, model: str
) -> errors.BackendError | None:
    """The error that stands in one choice of an answer with HTTP 200; ``None`` where none does.

    Gateways put it there when the server behind them failed after the first token; whatever text
    stands beside it is cut, and no answer.
    """
    message = choice.get("message")
    told = choice.get("error") or (message.get("error") if isinstance(message, dict) else None)
    if told:
        return from_error_body({"error": told}, where=where, model=model)
    if choice.get("finish_reason") == "error":
        return errors.ServerFailed(
            f"{where} broke off its answer (HTTP 200 with finish_reason error)",
            remedy="look at the server's log",
        )
    return None


def error_in_stream(text: str, *, where: str, model: str) -> errors.BackendError | None:
    """The error in a stream that was sent though none was asked for; ``None`` where none is.

    Lines of JSON as Ollama writes them, or events of ``data: {...}``; the last lines tell.
    """
    for line in reversed(text[-GARBAGE_SEARCHED:].splitlines()):
        piece = line.strip().removeprefix("data:").strip()
        if not piece.startswith("{"):
            continue
        try:
            told = parse_json(piece)
        except ValueError:
            continue
        if isinstance(told, dict) and told.get("error"):
            return from_error_body(told, where=where, model=model)
    return None


_MEANT: tuple[tuple[str, int], ...] = (
    (r"authentication|permission|api_key", 401),
    (r"rate_limit|quota", 429),
    (r"invalid|not_found|unsupported", 400),
)


def _meant_status(*told_of: Any) -> int:
    """The status that fits an error object or what is around it; 500 where they do not tell."""
    objects = [item for item in told_of if isinstance(item, dict)]
    told = [item.get(key) for item in objects for key in ("code", "status", "type")]
    words = [str(value)[:_WORD] for value in told if isinstance(value, str | int)]
    for word in words:
        if re.fullmatch(r"[45][0-9]{2}", word):
            return int(word)
    said = " ".join(words)
    return next((s for pattern, s in _MEANT if re.search(pattern, said, re.IGNORECASE)), 500)


def not_json(text: str, *, where: str) -> errors.BadAnswer:
    """The error of an answer that is a page, or anything else that is no JSON."""
    shown = shorten(text.strip(), GARBAGE_WIDTH) if text.strip() else "nothing"
    return errors.BadAnswer(
        f"{where} answered {shown} (not JSON)",
        remedy="check that the address is that of a model server, with its prefix such as /v1",
    )


def from_exception(
    error: Exception, *, where: str, remedy: str = _UNREACHABLE
) -> errors.BackendError:
    """The error behind an exception of httpx or of a client built on it.

    Args:
        error: What was raised.
        where: The server, without secrets.
        remedy: What to do when nothing listens there.
    """
    import httpx

    name = type(error).__name__
    match error:
        case errors.BackendError():
            return error
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.ProxyError() | ConnectionError():
            return errors.ServerUnreachable(f"nothing answers at {where}", remedy=remedy)
        case httpx.TimeoutException():
            found, remedy = by_status(_TIMED_OUT)
            return found(f"{where} did not answer in time", remedy=remedy)
        case httpx.UnsupportedProtocol() | httpx.LocalProtocolError() | httpx.InvalidURL():
            problem = f"the request to {where} could not be sent ({name})"
            return errors.RequestRejected(problem, remedy="check the server's address")
        case httpx.TransportError() | OSError():
            found, remedy = by_status(_FAILED)
            return found(f"the connection to {where} broke ({name})", remedy=remedy)
        case _:
            found, remedy = _NO_PROTOCOL
            return found(
                f"{where} answered something that is not its protocol ({name})", remedy=remedy
            )


def cut(text: str) -> str:
    """As much of a server's words as is searched; nothing that tells stands in the middle."""
    half = MOST_SEARCHED // 2
    return text if len(text) <= MOST_SEARCHED else f"{text[:half]} … {text[-half:]}"


def unwrap(body: Any) -> str:
    """The innermost message of an error body.

    Errors come as text, as ``{"error": "..."}``, as ``{"error": {"message": ...}}``, as a list of
    one of these, and as JSON inside the error string of JSON.
    """
    for _ in range(8):  # each step takes one wrapping off; nobody nests deeper
        match body:
            case {"error": inner} if inner:
                body = inner
            case {"message": inner} if inner:
                body = inner
            case {"detail": inner} if inner:
                body = inner
            case [{"error": inner}] if inner:
                body = inner
            case bytes():
                body = as_text(body)
            case str():
                try:
                    parsed = parse_json(body)
                except ValueError:
                    return body.strip()
                if not isinstance(parsed, dict):
                    return body.strip()
                body = parsed
            case _:
                break
    return body.strip() if isinstance(body, str) else shown_json(body)
