"""Servers asked over TLS: who is trusted, what is said where one is not, and what a key is sent on.

The certificates lie in ``tests/tls``: nothing trusts who signed them, unless a test says so.
"""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf.errors import BackendError, RequestRejected
from pytest_llmclf.models.http.address import Access, Address, parse_address
from pytest_llmclf.models.http.client import ConnectionBroken, HttpClient
from pytest_llmclf.models.ollama.ollama_backend import OllamaBackend
from pytest_llmclf.models.openai.openai_backend import OpenAIBackend
from tests.ollama_replay import OllamaReplay
from tests.served import TLS
from tests.unit.models.chat_server import ChatServer
from tests.unit.models.ollama_models import MICRO, question
from tests.unit.models.raw_replies import RawReplies, http

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "sk-Qx7-secret-key-9Z"


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """What messages advise: the authority's certificate is named in the environment."""
    monkeypatch.setenv("SSL_CERT_FILE", str(TLS / "authority.pem"))


@pytest.fixture
def chat() -> Iterator[ChatServer]:
    """A server with a good certificate."""
    with ChatServer().encrypt("here") as server:
        yield server


def ask(address: Address, **settings: Any) -> str:
    """What a model says to an image."""
    backend = OpenAIBackend(model="llava", address=address, timeout_s=2, api_key=KEY, **settings)
    try:
        return backend.ask(question(b"p")).text
    finally:
        backend.close()


def refused(address: Address) -> BackendError:
    """Why it is not asked."""
    with pytest.raises(BackendError) as caught:
        ask(address)
    return caught.value


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_certificate_that_is_trusted(chat: ChatServer, host: str) -> None:
    """Is asked, with the key."""
    assert ask(replace(chat.address, host=host)) == "7"
    assert {each.headers.get("Authorization") for each in chat.arrived} == {f"Bearer {KEY}"}


@pytest.mark.usefixtures("trusted")
def test_ollama_and_its_official_client(image: bytes) -> None:
    """Both ways to it trust the same authorities."""
    with OllamaReplay().encrypt("here") as server:
        backend = OllamaBackend(modelfile=MICRO, address=server.address, timeout_s=2)
        assert backend.ask(question(image)).text
        backend.close()
        assert server.sent("/api/create")


def test_a_certificate_that_nobody_trusts(chat: ChatServer) -> None:
    """Nothing is sent, and the remedy is the one that the tests above make use of."""
    error = refused(chat.address)
    assert isinstance(error, RequestRejected)
    assert not error.retryable
    assert "is not trusted (" in error.message
    assert "SSL_CERT_FILE" in error.remedy
    assert chat.arrived == []


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("certificate", "host", "said", "remedy"),
    [
        ("elsewhere", "127.0.0.1", "is for another host", "the name that is in it"),
        ("elsewhere", "localhost", "is for another host", "the name that is in it"),
        ("expired", "127.0.0.1", "has expired", "renew"),
    ],
)
def test_a_certificate_that_is_wrong(certificate: str, host: str, said: str, remedy: str) -> None:
    """Whoever signed it: of another host, or too old; no authority would mend that."""
    with ChatServer().encrypt(certificate) as chat:
        error = refused(replace(chat.address, host=host))
        assert said in error.message
        assert remedy in error.remedy
        assert "SSL_CERT_FILE" not in error.remedy
        assert chat.arrived == []


@pytest.mark.usefixtures("trusted")
def test_the_name_that_is_in_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the message advises."""
    find = socket.getaddrinfo

    def resolve(host: Any, *arguments: Any, **more: Any) -> Any:
        return find("127.0.0.1" if host == "elsewhere.example" else host, *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with ChatServer().encrypt("elsewhere") as chat:
        address = replace(chat.address, host="elsewhere.example")
        assert ask(address, access=Access(remote={"elsewhere.example"})) == "7"


@pytest.mark.usefixtures("trusted")
def test_plain_http_where_tls_is_spoken(chat: ChatServer) -> None:
    """Is said to be just that, at once; what is advised works."""
    error = refused(replace(chat.address, scheme="http"))
    assert not error.retryable
    assert "speaks TLS, and http:// asks without" in error.message
    assert error.remedy.startswith("write https://")
    assert ask(parse_address(error.remedy.split()[1])) == "7"


def test_a_server_that_breaks_is_not_taken_for_one() -> None:
    """It is looked at once, and what broke is told as ever; one that answered is not looked at."""
    for first in ((), (http(b"{}"),)):
        with RawReplies(*first, b"", b"", b"") as server:
            client = HttpClient(server.address, where="it", keep=False)
            for _ in first:
                assert client.request("GET", "/", timeout_s=2).ok
            with pytest.raises(ConnectionBroken):
                client.request("GET", "/", timeout_s=2)
            client.close()


def test_tls_where_plain_http_is_spoken() -> None:
    """The other way round; no key went out."""
    with ChatServer() as chat:
        error = refused(replace(chat.address, scheme="https"))
        assert not error.retryable
        assert "not over TLS as https:// asks for" in error.message
        assert chat.arrived == []
        assert ask(parse_address(error.remedy.split()[-1])) == "7"


@pytest.mark.usefixtures("trusted")
def test_a_key_goes_to_other_machines_over_tls_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same server, as far as the system tells on another machine."""
    monkeypatch.setattr(socket.socket, "getpeername", lambda _: ("192.0.2.7", 443))
    found = {}
    for scheme in ("https", "http"):
        with ChatServer() as chat:
            if scheme == "https":
                chat.encrypt("here")
            client = HttpClient(
                chat.address, where="it", key=KEY, access=Access(remote={"127.0.0.1", "192.0.2.7"})
            )
            assert client.request("GET", "/models", timeout_s=2).ok
            client.close()
            found[scheme] = chat.arrived[0].headers.get("Authorization")
    assert found == {"https": f"Bearer {KEY}", "http": None}
