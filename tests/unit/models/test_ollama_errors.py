"""Every error that was recorded, and every exception that clients raise, has one meaning."""

from __future__ import annotations

import httpx
import ollama
import pytest

from pytest_llmclf import errors
from pytest_llmclf.models.http import http_errors
from pytest_llmclf.models.http.address import Address
from pytest_llmclf.models.http.redact import Redactor
from pytest_llmclf.models.ollama import ollama_errors
from tests.ollama_replay import Exchange, all_exchanges

ADDRESS = Address(host="127.0.0.1", port=11434)

EXPECTED: dict[str, type[errors.BackendError]] = {
    "005": errors.RequestRejected,  # HEAD has no body; an upload takes it as "not there"
    "006": errors.ModelNotCreated,
    "007": errors.ModelNotCreated,
    "014": errors.ModelNotCreated,
    "015": errors.ModelNotCreated,
    "016": errors.ModelNotCreated,
    "017": errors.ModelNotCreated,
    "018": errors.ModelNotCreated,
    "019": errors.ModelNotCreated,
    "024": errors.ModelMissing,
    "031": errors.RequestRejected,
    "032": errors.RequestRejected,
    "033": errors.RequestRejected,
    "038": errors.RequestRejected,
    "041": errors.RequestRejected,
    "045": errors.ModelMissing,
    "046": errors.ModelMissing,
    "047": errors.ModelMissing,
    "048": errors.RequestRejected,
    "049": errors.RequestRejected,
    "050": errors.RequestRejected,
    "051": errors.RequestRejected,
    "053": errors.CannotThink,
    "054": errors.RequestRejected,
    "055": errors.ModelCannotSee,
    "056": errors.ModelCannotSee,
    "057": errors.ImageRejected,
    "058": errors.ImageRejected,
    "059": errors.ImageRejected,
    "061": errors.ContextTooSmall,
    "062": errors.ContextTooSmall,
    "066": errors.ModelMissing,
    "067": errors.ModelCannotSee,
    "069": errors.ModelMissing,
    "073": errors.ModelMissing,
    "074": errors.BadAnswer,
    "075": errors.BadAnswer,
    "112": errors.ImageRejected,
    "117": errors.ImageRejected,
    "118": errors.ImageRejected,
    "119": errors.ImageRejected,
    "121": errors.ImageRejected,
    "122": errors.ImageRejected,
    "123": errors.ImageRejected,
    "128": errors.ContextTooSmall,
    "133": errors.ServerFailed,
    "136": errors.ModelNotCreated,
    "138": errors.ModelNotCreated,
    "145": errors.ContextTooSmall,
    "201": errors.ServerOverloaded,
    "308": errors.ContextTooSmall,
}

REMEDIES = {
    "045": "ollama pull",
    "055": "vision",
    "117": "image",
    "128": "num_ctx",
    "133": "ollama stop llava",
    "136": "pair",
    "051": "PARAMETER",
    "014": "Modelfile",
}

FAILED = list({item.file: item for item in all_exchanges() if item.failed}.values())


def _doing(item: Exchange) -> ollama_errors.Doing:
    made = item.path == "/api/create" or item.path.startswith("/api/blobs/")
    return "create" if made and item.method == "POST" else "ask"


def _mapped(item: Exchange) -> errors.BackendError:
    """As the client hands it over: the status, or -1 for an error inside a stream."""
    status = -1 if item.streamed else item.status
    return ollama_errors.from_status(
        status, item.error, address=ADDRESS, model="llava", doing=_doing(item)
    )


def test_no_recorded_error_is_forgotten() -> None:
    """The table names every recorded error, and no other."""
    assert {item.file[:3] for item in FAILED} == set(EXPECTED)


@pytest.mark.parametrize("item", FAILED, ids=lambda item: item.file[:3])
def test_a_recorded_error_has_its_type_and_a_remedy(item: Exchange) -> None:
    """Each one maps to one type, says where it happened and what to do."""
    mapped = _mapped(item)
    assert type(mapped) is EXPECTED[item.file[:3]]
    assert mapped.remedy
    assert "127.0.0.1:11434" in mapped.message
    assert "\n" not in str(mapped)
    assert REMEDIES.get(item.file[:3], "") in mapped.remedy


def test_what_cannot_help_is_not_sent_again() -> None:
    """Only the busy, the broken and what is no Ollama at all are worth another try."""
    retried = {item.file[:3] for item in FAILED if _mapped(item).retryable}
    assert retried == {"074", "075", "133", "201"}


def _families(base: type[Exception]) -> list[type[Exception]]:
    return [base, *(kind for child in base.__subclasses__() for kind in _families(child))]


EXCEPTIONS: dict[type[Exception], type[errors.BackendError]] = {
    httpx.HTTPError: errors.BadAnswer,
    httpx.RequestError: errors.BadAnswer,
    httpx.TransportError: errors.ServerFailed,
    httpx.TimeoutException: errors.RequestTimedOut,
    httpx.ConnectTimeout: errors.ServerUnreachable,
    httpx.ReadTimeout: errors.RequestTimedOut,
    httpx.WriteTimeout: errors.RequestTimedOut,
    httpx.PoolTimeout: errors.RequestTimedOut,
    httpx.NetworkError: errors.ServerFailed,
    httpx.ConnectError: errors.ServerUnreachable,
    httpx.ReadError: errors.ServerFailed,
    httpx.WriteError: errors.ServerFailed,
    httpx.CloseError: errors.ServerFailed,
    httpx.ProxyError: errors.ServerUnreachable,
    httpx.UnsupportedProtocol: errors.RequestRejected,
    httpx.ProtocolError: errors.ServerFailed,
    httpx.LocalProtocolError: errors.RequestRejected,
    httpx.RemoteProtocolError: errors.ServerFailed,
    httpx.DecodingError: errors.BadAnswer,
    httpx.TooManyRedirects: errors.BadAnswer,
    httpx.HTTPStatusError: errors.BadAnswer,
    ollama.RequestError: errors.RequestRejected,
    ollama.ResponseError: errors.ModelMissing,
    ConnectionError: errors.ServerUnreachable,
    ValueError: errors.BadAnswer,
    TypeError: errors.BadAnswer,
    AttributeError: errors.BadAnswer,
}


def _raised(kind: type[Exception]) -> Exception:
    if kind is httpx.HTTPStatusError:
        request = httpx.Request("GET", "http://127.0.0.1")
        return httpx.HTTPStatusError("", request=request, response=httpx.Response(500))
    if kind is ollama.ResponseError:
        return ollama.ResponseError("model 'x' not found", 404)
    return kind("trouble")


def test_no_exception_of_a_client_is_forgotten() -> None:
    """The table names every exception of httpx and of the ollama client."""
    own = {
        value
        for value in vars(ollama).values()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    assert {*_families(httpx.HTTPError), *own} <= set(EXCEPTIONS)


@pytest.mark.parametrize("kind", EXCEPTIONS, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_an_exception_has_its_type(kind: type[Exception]) -> None:
    """Each exception maps to one type with a remedy."""
    mapped = ollama_errors.from_exception(
        _raised(kind), address=ADDRESS, model="llava", redactor=Redactor()
    )
    assert type(mapped) is EXCEPTIONS[kind]
    assert mapped.remedy


def test_a_dead_server_says_how_to_start_it() -> None:
    """The remedy is a command."""
    mapped = ollama_errors.from_exception(
        ConnectionError(), address=ADDRESS, model="llava", redactor=Redactor()
    )
    assert "ollama serve" in mapped.remedy


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("plain", "plain"),
        ({"error": "text"}, "text"),
        ({"error": {"message": "deep", "code": 400}}, "deep"),
        ({"error": '{"error":{"code":400,"message":"deeper"}}'}, "deeper"),
        ('{"error":"{\\"error\\":{\\"message\\":\\"deepest\\"}}"}', "deepest"),
        ({"detail": "fastapi"}, "fastapi"),
        (b"bytes \xff", "bytes \ufffd"),
        ("[1]", "[1]"),
        ("", ""),
        (None, "null"),
        ([1], "[1]"),
    ],
)
def test_the_innermost_message_is_found(body: object, message: str) -> None:
    """Errors are unwrapped from JSON, and from JSON inside JSON."""
    assert http_errors.unwrap(body) == message


def test_a_server_cannot_move_the_cursor() -> None:
    """Control characters of an error message come out escaped, and a long one is cut."""
    mapped = http_errors.from_status(500, "\x1b[2J\n" + "x" * 9999, where="s", model="m")
    assert "\x1b" not in mapped.message
    assert "\n" not in mapped.message
    assert len(mapped.message) < 500


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, errors.Redirected),
        (401, errors.AccessRefused),
        (403, errors.RequestRejected),
        (408, errors.RequestTimedOut),
        (429, errors.ServerOverloaded),
        (500, errors.ServerFailed),
        (502, errors.ServerFailed),
        (503, errors.ServerOverloaded),
        (504, errors.RequestTimedOut),
        (418, errors.RequestRejected),
        (204, errors.BadAnswer),
    ],
)
def test_a_status_alone_has_a_meaning(status: int, kind: type[errors.BackendError]) -> None:
    """Without a known wording the status decides."""
    assert type(http_errors.from_status(status, "", where="s", model="m")) is kind
