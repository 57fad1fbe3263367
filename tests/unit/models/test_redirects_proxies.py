"""Images go to the address given: not where a server points, nor through a stray proxy."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf.errors import BackendError, RemoteRefused
from pytest_llmclf.models.http.address import Access, Address
from pytest_llmclf.models.ollama.listing import list_models
from pytest_llmclf.models.ollama.ollama_backend import OllamaBackend
from pytest_llmclf.models.ollama.status import probe
from pytest_llmclf.models.openai.openai_backend import OpenAIBackend
from pytest_llmclf.prompting.modelfile import parse
from pytest_llmclf.values.request import Request
from tests.ollama_replay import OllamaReplay
from tests.served import Served

if TYPE_CHECKING:
    from pytest_llmclf.values.answer import Answer

IMAGE = b"\x89PNG an image that nobody else may see"
QUESTION = Request(system=None, prompt="Which?", image=IMAGE, media_type="image/png")
STATUSES = (301, 302, 303, 307, 308)
PROXIES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
COMPLETION = {"choices": [{"message": {"content": "7"}, "finish_reason": "stop"}]}


class CountingServer(Served):
    """Listens on a free port of 127.0.0.1 within a ``with`` block, and redirects if told to.

    Attributes:
        arrived: Method, path and body of every request.
        redirects: Status and place that every request is sent to, or `None`.
    """

    def __init__(self, redirects: tuple[int, str] | None = None) -> None:
        self.arrived: list[tuple[str, str, bytes]] = []
        self.redirects = redirects
        super().__init__(_handler(self))


def _handler(server: CountingServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            server.arrived.append((self.command, self.path, body))
            sent = json.dumps(COMPLETION).encode()
            self.send_response(200 if server.redirects is None else server.redirects[0])
            if server.redirects is not None:
                self.send_header("Location", server.redirects[1] + self.path)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_HEAD = do_CONNECT = _any  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited name
            pass

    return Handler


def ask_openai(address: Address, **settings: Any) -> Answer:
    """Ask an OpenAI-compatible server."""
    backend = OpenAIBackend(model="m", address=address, timeout_s=5, api_key="a-key", **settings)
    try:
        return backend.ask(QUESTION)
    finally:
        backend.close()


def ask_ollama(address: Address, **settings: Any) -> Answer:
    """Ask an Ollama server."""
    modelfile = parse("FROM micro-llava\n", "m.Modelfile")
    backend = OllamaBackend(modelfile=modelfile, address=address, timeout_s=5, **settings)
    try:
        return backend.ask(QUESTION)
    finally:
        backend.close()


Ask = Callable[[Address], Any]


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("ask", [ask_openai, ask_ollama])
def test_redirects_are_refused(ask: Ask, status: int) -> None:
    """Not one request reaches the place that a server points to, even on the same machine."""
    with (
        CountingServer() as other,
        CountingServer((status, other.address.url)) as first,
        pytest.raises(BackendError) as caught,
    ):
        ask(first.address)
    assert isinstance(caught.value, RemoteRefused)
    assert "redirects are not followed: give the final address" in str(caught.value)
    assert first.arrived
    assert other.arrived == []


@pytest.mark.parametrize("place", ["http://192.0.2.1:11434", "//192.0.2.1", "http://127.0.0.1:1"])
def test_no_place_is_followed(place: str) -> None:
    """It does not matter how the place is written."""
    with CountingServer((307, place)) as first, pytest.raises(RemoteRefused):
        ask_openai(first.address)


def test_a_redirect_to_itself_ends() -> None:
    """Nor does it when a server points to itself: it is asked once."""
    with CountingServer() as first:
        first.redirects = (307, first.address.url)
        with pytest.raises(RemoteRefused):
            ask_openai(first.address)
        assert len(first.arrived) == 1


def test_looking_does_not_follow_either() -> None:
    """An Ollama that points elsewhere is none that answers."""
    with CountingServer() as other, CountingServer((302, other.address.url)) as first:
        assert isinstance(probe(first.address, 2), RemoteRefused)
        assert list_models(first.address, 2) == ()
        assert other.arrived == []


def test_a_chat_that_is_redirected_midway() -> None:
    """A server that was sound until the image came, and then points elsewhere."""
    with CountingServer() as other, OllamaReplay() as server:
        modelfile = parse("FROM micro-llava\n", "m.Modelfile")
        backend = OllamaBackend(modelfile=modelfile, address=server.address, timeout_s=5)
        backend.identify()
        with CountingServer((307, other.address.url)) as first:
            late = OllamaBackend(modelfile=modelfile, address=first.address, timeout_s=5)
            with pytest.raises(RemoteRefused):
                late.ask(QUESTION)
            late.close()
        backend.close()
        assert other.arrived == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1.2.3"])
def test_proxies_are_not_used_for_this_machine(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment says, a server on this machine is reached directly."""
    with CountingServer() as proxy, CountingServer() as server:
        for name in PROXIES:
            monkeypatch.setenv(name, proxy.address.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        address = Address(host=host, port=server.address.port)
        try:
            assert ask_openai(address).text == "7"
        except BackendError:
            assert host == "127.1.2.3"  # not every system answers on all of 127.0.0.0/8
        probe(address, 2)
        list_models(address, 2)
        assert proxy.arrived == []


@pytest.mark.parametrize("ask", [ask_openai, ask_ollama])
def test_other_machines_are_asked_only_when_allowed(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither they nor the proxy on the way to them hear anything of an image."""
    with CountingServer() as proxy:
        for name in PROXIES:
            monkeypatch.setenv(name, proxy.address.url)
        with pytest.raises(RemoteRefused, match="--llmclf-allow-remote"):
            ask(Address(host="models.example", port=80))
        assert proxy.arrived == []


def test_allowed_machines_are_reached_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a proxy is where other machines are reached at all; NO_PROXY makes exceptions."""
    with CountingServer() as proxy:
        for name in PROXIES:
            monkeypatch.setenv(name, proxy.address.url)
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("no_proxy", "")
        address = Address(host="models.example", port=80, path="/v1")
        assert ask_openai(address, access=Access(remote={"models.example"})).text == "7"
        method, path, body = proxy.arrived[0]
        assert (method, path) == ("POST", "http://models.example:80/v1/chat/completions")
        assert b"data:image/png;base64," in body
