"""One server over HTTP: connections kept, every wait bounded, every failure told apart."""

from __future__ import annotations

import base64
import socket
import threading
import time

import pytest

from pytest_llmclf import errors
from pytest_llmclf.models.http import client as clients
from pytest_llmclf.models.http.address import Address, parse_address
from pytest_llmclf.models.http.client import ConnectionBroken, HttpClient
from pytest_llmclf.models.http.proxy import proxy_for
from pytest_llmclf.models.ollama.ollama_backend import OllamaBackend
from pytest_llmclf.models.openai.openai_backend import OpenAIBackend
from pytest_llmclf.prompting.modelfile import parse
from pytest_llmclf.values.request import Request
from tests.unit.models.raw_replies import NOTHING, SILENCE, RawReplies, http

QUESTION = Request(system=None, prompt="?", image=b"p", media_type="image/png")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\n"
DRIPS = {
    "headers": HEAD + b"X-A: ",
    "body": HEAD + b"Content-Length: 999\r\n\r\n",
    "chunks": CHUNKED,
}


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def wire_to(server: RawReplies, *, keep: bool = True) -> HttpClient:
    """Connections to a server of the test."""
    return HttpClient(server.address, where="the stub", keep=keep)


def get(client: HttpClient, timeout_s: float = 5.0) -> bytes:
    """One request and its body."""
    return client.request("GET", "/x", timeout_s=timeout_s).body


def test_a_connection_is_used_again() -> None:
    """Several requests in turn share one connection, whole and in chunks."""
    whole = CHUNKED + b"2\r\nhi\r\n0\r\n\r\n"
    with RawReplies(http(b"one"), whole, http(b""), http(b"two")) as server:
        client = wire_to(server)
        assert [get(client) for _ in range(4)] == [b"one", b"hi", b"", b"two"]
        client.close()
        assert server.connections == 1
        assert server.requests[0].startswith(b"GET /v1/x HTTP/1.1\r\nHost: 127.0.0.1:")


def test_a_connection_that_ended_meanwhile_is_replaced() -> None:
    """A server may close what is idle: the next request does not see it."""
    with RawReplies(http(b"a"), ends=True) as server:
        client = wire_to(server)
        for _ in range(3):
            assert get(client) == b"a"
            time.sleep(0.1)  # the end has arrived
        client.close()
        assert server.connections == 3


def test_connections_can_be_given_up_at_once() -> None:
    """For servers that keep a thread for each idle connection."""
    with RawReplies(http(b"a")) as server:
        client = wire_to(server, keep=False)
        assert get(client) + get(client) == b"aa"
        client.close()
        assert server.connections == 2
        assert b"Connection: close" in server.requests[0]


@pytest.mark.parametrize(
    "reply",
    [NOTHING, b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
     CHUNKED + b"9\r\nhalf"],
    ids=["nothing", "half-head", "half-body", "half-chunk"],
)  # fmt: skip
def test_a_cut_answer_is_a_broken_connection(reply: bytes) -> None:
    """Whatever is missing, the same question may be asked again."""
    with RawReplies(reply, ends=True) as server:
        client = wire_to(server)
        with pytest.raises(ConnectionBroken) as caught:
            get(client)
        client.close()
    assert caught.value.retryable


@pytest.mark.parametrize(
    "reply", [b"SSH-2.0-OpenSSH_9.6\r\n", b"\x00\xff" * 40, b"HTTP/1.1 abc\r\n\r\n"]
)
def test_what_is_not_http_is_a_bad_answer(reply: bytes) -> None:
    """Another protocol at the port is said to be one."""
    with RawReplies(reply, ends=True) as server:
        client = wire_to(server)
        with pytest.raises(errors.BadAnswer, match="not its protocol"):
            get(client)
        client.close()


def test_an_answer_has_a_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server cannot fill the memory; the connection is not used again."""
    monkeypatch.setattr(clients, "LARGEST_ANSWER", 100)
    with RawReplies(http(b"x" * 100), http(b"x" * 300), http(b"a")) as server:
        client = wire_to(server)
        assert len(get(client)) == 100
        with pytest.raises(errors.BadAnswer, match="more than"):
            get(client)
        assert get(client) == b"a"
        client.close()
        assert server.connections == 2


@pytest.mark.parametrize("beginning", DRIPS)
@pytest.mark.parametrize("kind", ["openai", "ollama"])
def test_a_dripping_server_times_out(kind: str, beginning: str) -> None:
    """The time-out bounds the whole answer, not only the gaps within it."""
    drip = b"1\r\nx\r\n" if beginning == "chunks" else b""
    with RawReplies(DRIPS[beginning] + drip, drip_s=0.05) as server:
        backend: OpenAIBackend | OllamaBackend
        if kind == "openai":
            backend = OpenAIBackend(model="m", address=server.address, timeout_s=0.4)
        else:
            modelfile = parse("FROM llava\n", "x.Modelfile")
            backend = OllamaBackend(modelfile=modelfile, address=server.address, timeout_s=0.4)
        started = time.monotonic()
        with pytest.raises(errors.BackendError) as caught:
            backend.ask(QUESTION)
        backend.close()
    assert isinstance(caught.value, errors.RequestTimedOut | errors.BadAnswer)
    if beginning != "chunks":  # those are no chunks, and may be told from some before the end
        assert "--llmclf-timeout" in caught.value.remedy
    assert time.monotonic() - started < 4


def test_silence_ends() -> None:
    """A server that says nothing is waited for as long as allowed."""
    with RawReplies(SILENCE) as server:
        client = wire_to(server)
        with pytest.raises(errors.RequestTimedOut):
            get(client, timeout_s=0.2)
        client.close()


def test_closing_ends_whoever_waits() -> None:
    """A request in flight ends with an error when the run does."""
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            get(client, timeout_s=30)
        except errors.BackendError as error:
            failures.append(error)

    with RawReplies(SILENCE) as server:
        client = wire_to(server)
        waiting = threading.Thread(target=ask)
        waiting.start()
        server.wait_for(1)
        client.close()
        client.close()
        waiting.join(5)
    assert isinstance(failures[0], ConnectionBroken)


def test_nobody_there_is_told_apart() -> None:
    """A refused connection has the remedy that the caller gave."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        address = Address(host="127.0.0.1", port=held.getsockname()[1])
        client = HttpClient(address, where="the stub", remedy="start it")
        with pytest.raises(errors.ServerUnreachable, match=r"at the stub.*start it"):
            get(client)
        client.close()


def test_a_key_cannot_add_a_header() -> None:
    """A line end in a secret is refused, and the secret not repeated."""
    with pytest.raises(errors.RequestRejected) as caught:
        HttpClient(parse_address("localhost"), where="it", key="a\r\nX: 1")
    assert "Bearer" not in str(caught.value)


def test_user_and_password_go_to_the_server() -> None:
    """Those of the URL are sent as basic authentication."""
    with RawReplies(http(b"")) as server:
        url = f"http://me:pa%20ss@127.0.0.1:{server.address.port}"
        client = HttpClient(parse_address(url), where="it")
        get(client)
        client.close()
        assert base64.b64encode(b"me:pa ss") in server.requests[0]


def test_a_proxy_is_for_other_machines_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback is reached directly; another host through the proxy, unless it is excepted."""
    with RawReplies(http(b"from the proxy")) as proxy, RawReplies(http(b"direct")) as server:
        monkeypatch.setenv("HTTP_PROXY", f"http://u:p@127.0.0.1:{proxy.address.port}")
        client = wire_to(server)
        assert get(client) == b"direct"
        client.close()
        remote = HttpClient(parse_address("http://gpu.example:99"), where="it")
        assert get(remote) == b"from the proxy"
        remote.close()
        assert proxy.requests[0].startswith(b"GET http://gpu.example:99/x HTTP/1.1\r\nHost: gpu.")
        assert b"Proxy-Authorization: Basic " in proxy.requests[0]
        monkeypatch.setenv("NO_PROXY", "gpu.example")
        assert proxy_for(parse_address("http://gpu.example:99")) is None


def test_an_encrypted_server_is_reached_through_a_tunnel(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy is told the host only; one that refuses is named, without its password."""
    with RawReplies(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://u:secret@127.0.0.1:{proxy.address.port}")
        client = HttpClient(parse_address("https://gpu.example"), where="it")
        with pytest.raises(errors.ServerUnreachable, match="through the proxy") as caught:
            get(client)
        client.close()
        assert proxy.requests[0].startswith(b"CONNECT gpu.example:443 HTTP/1.")
        assert "secret" not in str(caught.value)


def test_a_proxy_of_another_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Going around it would send images where they should not go."""
    monkeypatch.setenv("ALL_PROXY", "socks5://u:secret@127.0.0.1:1080")
    with pytest.raises(errors.SettingsError, match="NO_PROXY") as caught:
        HttpClient(parse_address("http://gpu.example:99"), where="it")
    assert "secret" not in str(caught.value)
