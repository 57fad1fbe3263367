"""What counts is the address that is connected to, and a key goes nowhere in clear unasked."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf.errors import AccessRefused, BackendError, RemoteRefused
from pytest_llmclf.models.http.address import Access, Address
from pytest_llmclf.models.http.client import HttpClient
from pytest_llmclf.models.ollama.listing import list_models
from pytest_llmclf.models.ollama.ollama_backend import OllamaBackend
from pytest_llmclf.models.ollama.status import probe
from pytest_llmclf.models.openai.openai_backend import OpenAIBackend
from pytest_llmclf.prompting.modelfile import parse
from tests.ollama_replay import OllamaReplay
from tests.unit.models.ollama_models import MICRO, question
from tests.unit.models.raw_replies import RawReplies, http

if TYPE_CHECKING:
    from pathlib import Path

ELSEWHERE = "192.0.2.7"
KEY = "sk-Qx7-secret-key-9Z"
UNAUTHORIZED = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno"


def ask_openai(address: Address, **settings: Any) -> Any:
    """A chat."""
    backend = OpenAIBackend(model="m", address=address, timeout_s=2, **settings)
    try:
        return backend.ask(question(b"p"))
    finally:
        backend.close()


def ask_ollama(address: Address, **settings: Any) -> Any:
    """Everything from the first look to a chat."""
    backend = OllamaBackend(modelfile=MICRO, address=address, timeout_s=2, **settings)
    try:
        return backend.ask(question(b"p"))
    finally:
        backend.close()


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every connection leads to another machine, as far as the system tells."""
    monkeypatch.setattr(socket.socket, "getpeername", lambda _: (ELSEWHERE, 80))


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> str:
    """A host name of this machine that is not ``localhost``."""
    found = socket.getaddrinfo

    def resolve(host: Any, *arguments: Any, **more: Any) -> Any:
        return found("127.0.0.1" if host == "gpu.example" else host, *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return "gpu.example"


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("ask", [ask_openai, ask_ollama])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_name_of_this_machine_that_leads_elsewhere(ask: Any, host: str) -> None:
    """Is left before a byte is sent: neither the image, nor a key, nor a first look."""
    with RawReplies(http(b"{}")) as server:
        address = Address(host=host, port=server.address.port)
        with pytest.raises(RemoteRefused, match=f"{host} leads to {ELSEWHERE}") as caught:
            ask(address)
        assert isinstance(probe(address, 1), RemoteRefused)
        assert list_models(address, 1) == ()
        assert server.requests == []
    assert caught.value.remedy.endswith(f"--llmclf-allow-remote {ELSEWHERE}")


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("allowed", [ELSEWHERE, "localhost"])
def test_what_the_message_advises_works(allowed: str) -> None:
    """Naming the name, or the address that it leads to, lets the request through."""
    with RawReplies(http(b"{}")) as server:
        address = Address(host="localhost", port=server.address.port)
        client = HttpClient(address, where="it", access=Access(remote={allowed}))
        assert client.request("GET", "/", timeout_s=2).ok
        client.close()


def test_the_official_client_is_held_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It opens connections of its own, for ``create``: those are looked at, too."""
    with OllamaReplay() as server:
        address = Address(host="localhost", port=server.address.port)
        backend = OllamaBackend(modelfile=MICRO, address=address, timeout_s=2)
        looked = HttpClient.require_peer

        def rebound(client: HttpClient, ip: str) -> None:
            looked(client, ELSEWHERE if server.sent("/api/tags") else ip)

        monkeypatch.setattr(HttpClient, "require_peer", rebound)
        # Our own connection is kept; only what is opened from here on leads elsewhere.
        with pytest.raises(RemoteRefused, match=ELSEWHERE):
            backend.identify()
        backend.close()
        assert server.sent("/api/create") == []


def sent_keys(server: OllamaReplay) -> dict[str, set[str]]:
    """What each path was sent as ``Authorization``."""
    found: dict[str, set[str]] = {}
    for seen in server.seen:
        found.setdefault(seen.path, set()).add(seen.headers.get("authorization", ""))
    return found


PATHS = {"/api/version", "/api/tags", "/api/create", "/api/show", "/api/chat"}


def test_the_key_of_ollama_goes_with_every_request(
    monkeypatch: pytest.MonkeyPatch, image: bytes
) -> None:
    """With the chat as with ``create``, to a server on this machine."""
    monkeypatch.setenv("OLLAMA_API_KEY", KEY)
    with OllamaReplay() as server:
        backend = OllamaBackend(modelfile=MICRO, address=server.address, timeout_s=2)
        backend.ask(question(image))
        backend.close()
    assert sent_keys(server) == {path: {f"Bearer {KEY}"} for path in PATHS}


def test_a_password_of_the_address_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was written for this very server, and the key for some."""
    monkeypatch.setenv("OLLAMA_API_KEY", KEY)
    with OllamaReplay() as server:
        address = Address(host="127.0.0.1", port=server.address.port, user=("u", "pw"))
        backend = OllamaBackend(modelfile=MICRO, address=address, timeout_s=2)
        backend.identify()
        backend.close()
    assert {key for keys in sent_keys(server).values() for key in keys} == {"Basic dTpwdw=="}


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("user", [None, ("u", "pass-word-1")])
def test_no_key_goes_to_another_machine_in_clear(
    named: str, monkeypatch: pytest.MonkeyPatch, user: tuple[str, str] | None
) -> None:
    """Not with the first look, the chat or ``create``, though the host may have images."""
    monkeypatch.setenv("OLLAMA_API_KEY", KEY)
    with OllamaReplay() as server:
        address = Address(host=named, port=server.address.port, user=user)
        for allowed, sent in ((set(), False), ({named}, True)):
            server.seen.clear()
            server._models.pop("llmclf-micro-llava-", None)
            backend = OllamaBackend(
                modelfile=parse(MICRO_TEXT.format(number=len(allowed)), "m.Modelfile"),
                address=address,
                timeout_s=2,
                access=Access(remote={named}, clear_key=allowed),
            )
            backend.identify()
            backend.close()
            assert server.sent("/api/create")
            keys = {key for found in sent_keys(server).values() for key in found}
            assert all(keys) if sent else keys == {""}


MICRO_TEXT = "FROM micro-llava\nPARAMETER num_predict 8{number}\n"


@pytest.mark.usefixtures("elsewhere")
def test_a_key_that_was_left_out_is_said(named: str) -> None:
    """A server that wants one gets none, and the message says why and what to do."""
    with RawReplies(UNAUTHORIZED) as server:
        address = Address(host=named, port=server.address.port)
        with pytest.raises(AccessRefused, match="would not be encrypted") as caught:
            ask_openai(address, api_key=KEY, access=Access(remote={named}))
        assert all(KEY.encode() not in request for request in server.requests)
        assert f"--llmclf-allow-clear-key {named}" in caught.value.remedy
        with pytest.raises(AccessRefused, match="refuses the key"):
            ask_openai(address, api_key=KEY, access=Access(remote={named}, clear_key={named}))
        assert KEY.encode() in server.requests[-1]


def test_a_name_that_leads_to_this_machine_is_this_machine(named: str) -> None:
    """A key goes there in clear: nobody else can read it."""
    with RawReplies(http(b"{}")) as server, pytest.raises(BackendError):
        ask_openai(
            Address(host=named, port=server.address.port),
            api_key=KEY,
            access=Access(remote={named}),
        )
    assert KEY.encode() in server.requests[-1]


def test_no_key_goes_through_a_proxy_in_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even through one on this machine, which passes it on to another one."""
    with RawReplies(UNAUTHORIZED) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.address.port}")
        monkeypatch.setenv("OLLAMA_API_KEY", KEY)
        address = Address(host="models.example", port=80)
        for ask, more in ((ask_openai, {"api_key": KEY}), (ask_ollama, {})):
            with pytest.raises(AccessRefused, match="would not be encrypted"):
                ask(address, access=Access(remote={"models.example"}), **more)
            assert KEY.encode() not in b"".join(proxy.requests)
        for ask, more in ((ask_openai, {"api_key": KEY}), (ask_ollama, {})):
            proxy.requests.clear()
            with pytest.raises(AccessRefused):
                ask(
                    address,
                    access=Access(remote={"models.example"}, clear_key={"models.example"}),
                    **more,
                )
            assert KEY.encode() in b"".join(proxy.requests)


@pytest.mark.parametrize("content", [b"", b"GGU", b"root:x:0:0:", b"\0" * 64, b"gguf....", b"FUGG"])
@pytest.mark.parametrize("keyword", ["FROM", "FROM micro-llava\nFROM", "FROM micro-llava\nADAPTER"])
def test_only_models_are_uploaded(
    server: OllamaReplay, tmp_path: Path, keyword: str, content: bytes
) -> None:
    """A file that does not begin as a GGUF does is sent nowhere, whatever its name is."""
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    modelfile = parse(f"{keyword} {path}\n", "m.Modelfile")
    backend = OllamaBackend(modelfile=modelfile, address=server.address, timeout_s=2)
    with pytest.raises(BackendError, match=r"model\.gguf, which is no GGUF file") as caught:
        backend.identify()
    backend.close()
    assert "ollama create NAME" in caught.value.remedy
    assert [seen.method for seen in server.seen] == ["GET"] * len(server.seen)


@pytest.mark.skipif(not hasattr(__import__("os"), "mkfifo"), reason="Windows has none")
def test_what_is_no_plain_file_is_not_opened(server: OllamaReplay, tmp_path: Path) -> None:
    """A FIFO would never answer; nor is a folder a model."""
    import os

    os.mkfifo(tmp_path / "a.gguf")
    (tmp_path / "b.gguf").mkdir()
    for name in ("a.gguf", "b.gguf"):
        modelfile = parse(f"FROM micro-llava\nADAPTER {tmp_path / name}\n", "m.Modelfile")
        backend = OllamaBackend(modelfile=modelfile, address=server.address, timeout_s=2)
        with pytest.raises(BackendError, match="no GGUF file"):
            backend.identify()
        backend.close()


def test_a_model_is_uploaded(server: OllamaReplay, tmp_path: Path) -> None:
    """The check lets through what it should."""
    path = tmp_path / "adapter.gguf"
    path.write_bytes(b"GGUF and so on")
    modelfile = parse(f"FROM micro-llava\nADAPTER {path}\n", "m.Modelfile")
    backend = OllamaBackend(modelfile=modelfile, address=server.address, timeout_s=2)
    backend.identify()
    backend.close()
    assert next(seen.body for seen in server.seen if seen.method == "POST") == b"GGUF and so on"
