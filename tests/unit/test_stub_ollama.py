"""The stub server: what benchmarks and fault tests stand on."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import math
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import ollama
import pytest

from benchmarks.stub_ollama import StubOllama
from benchmarks.stub_ollama.faults import REFUSALS
from pytest_llmclf.models.http.address import parse_address
from pytest_llmclf.models.ollama.ollama_backend import OllamaBackend
from pytest_llmclf.models.ollama.status import OllamaStatus, probe
from pytest_llmclf.prompting.modelfile import parse as parse_modelfile

if TYPE_CHECKING:
    from collections.abc import Iterator

LABELS = tuple("0123456789")
MODELFILE = 'FROM llava:7b\nPARAMETER temperature 0\nPARAMETER stop "a b"\nSYSTEM """Be brief."""\n'


@pytest.fixture(scope="module")
def running() -> Iterator[StubOllama]:
    with StubOllama(service_ms=5, slots=2, queue=6) as stub:
        yield stub


@pytest.fixture
def stub(running: StubOllama) -> StubOllama:
    running.fault(None)
    running.reset()
    return running


def expected(image: bytes) -> str:
    """The documented rule."""
    return LABELS[int.from_bytes(hashlib.sha256(image).digest()[:8], "big") % 10]


def chat(stub: StubOllama, image: bytes = b"one", **more: Any) -> Any:
    images = [base64.b64encode(image).decode()]
    body = {
        "model": "llava:7b",
        "stream": False,
        "messages": [{"role": "user", "content": "?", "images": images}],
        **more,
    }
    return post(stub, "/api/chat", body)


def post(stub: StubOllama, path: str, body: Any) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", stub.port, timeout=5)
    try:
        connection.request("POST", path, json.dumps(body))
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_client_asks_twice(stub: StubOllama) -> None:
    """The official client gets the image's label, whole, streamed, as JSON, with odds."""
    client = ollama.Client(host=stub.url, trust_env=False)
    message = {"role": "user", "content": "?", "images": [b"one"]}
    schema = {"type": "object", "properties": {"label": {"enum": ["x"]}}}
    whole = client.chat("llava:7b", [message], logprobs=True, top_logprobs=3)
    lines = list(client.chat("llava:7b", [message], stream=True))
    forced = client.chat("llava:7b", [message], format=schema)
    client.close()  # type: ignore[no-untyped-call]
    assert whole.message.content == expected(b"one")
    assert "".join(line.message.content or "" for line in lines) == expected(b"one")
    assert json.loads(forced.message.content or "") == {"label": "x"}
    assert whole.logprobs is not None
    assert len(whole.logprobs[0].top_logprobs or ()) == 3
    assert whole.logprobs[0].logprob == pytest.approx(math.log(0.9))


def test_backend_derives(stub: StubOllama) -> None:
    """This package's backend finds it, derives a model there and is satisfied with it."""
    address = parse_address(stub.url)
    status = probe(address)
    assert isinstance(status, OllamaStatus)
    assert "llava:7b" in status.models
    backend = OllamaBackend(modelfile=parse_modelfile(MODELFILE, "test"), address=address)
    try:
        assert backend.identify().details["derived"].startswith("llmclf-llava-7b-")
    finally:
        backend.close()


def test_models_can_be_taken_away(stub: StubOllama) -> None:
    """As `ollama rm` does: gone from the list, questions get 404; a stranger's name is told."""
    post(stub, "/api/create", {"model": "mine", "from": "llava:7b", "stream": False})
    assert "mine:latest" in stub.models()
    stub.delete("mine")
    assert "mine:latest" not in stub.models()
    assert chat(stub, model="mine")[0] == 404
    with pytest.raises(ValueError, match="model 'mine' not found"):
        stub.delete("mine")


def test_openai(stub: StubOllama) -> None:
    """The same image gets the same label through OpenAI's protocol."""
    url = "data:image/png;base64," + base64.b64encode(b"one").decode()
    content = [{"type": "image_url", "image_url": {"url": url}}]
    body = {"model": "llava:7b", "messages": [{"role": "user", "content": content}]}
    status, answer = post(stub, "/v1/chat/completions", body)
    assert status == 200
    assert json.loads(answer)["choices"][0]["message"]["content"] == expected(b"one")


def test_stats_count(stub: StubOllama) -> None:
    """Questions, different ones, repeated ones and slot time are counted exactly."""
    images = [b"one", b"two", b"three", b"four", b"five", b"six"]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda image: chat(stub, image), images))
    chat(stub, b"one")
    stats = stub.stats()
    assert [status for status, _ in answers] == [200] * 6
    assert (stats["chats"], stats["answered"]) == (7, 7)
    assert (stats["distinct"], stats["repeated"]) == (6, 1)
    assert stats["busy_s"] == pytest.approx(7 * 0.005)
    assert 2 <= stats["most_in_flight"] <= 6
    assert stats["utilisation"] == pytest.approx(stats["busy_s"] / (2 * stats["span_s"]))


def test_slots_are_a_queue(stub: StubOllama) -> None:
    """A question beyond slots and queue is refused as Ollama does; a client that went frees."""
    stub.fault("stall", 2)
    held = [asked_and_left(stub, str(number).encode()) for number in range(8)]
    deadline = time.monotonic() + 5
    while stub.stats()["most_waiting"] < 6 or stub.stats()["failed"] < 2:
        assert time.monotonic() < deadline
    status, answer = chat(stub, b"one more")
    assert (status, json.loads(answer)["error"]) == REFUSALS["503"]
    for connection in held:
        connection.close()
    assert chat(stub)[0] == 200


def asked_and_left(stub: StubOllama, image: bytes) -> socket.socket:
    """A question whose answer nobody waits for."""
    body = {"model": "llava:7b", "messages": [{"images": [base64.b64encode(image).decode()]}]}
    data = json.dumps(body).encode()
    connection = socket.create_connection(("127.0.0.1", stub.port), timeout=5)
    connection.sendall(b"POST /api/chat HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
    return connection


@pytest.mark.parametrize(
    ("mode", "status", "part"),
    [
        ("503", 503, b"server busy"),
        ("429", 429, b"too many"),
        ("500", 500, b"error"),
        ("bad-json", 200, b",]"),
        ("stream-error", 200, b'"error"'),
        ("wrong-type", 200, b"<!doctype html>"),
        ("redirect", 307, b""),
        ("empty", 200, b""),
    ],
)
def test_fault_answers(stub: StubOllama, mode: str, status: int, part: bytes) -> None:
    """A fault that answers comes so often as asked, then the server is well again."""
    stub.fault(mode, 1)
    seen, body = chat(stub)
    assert seen == status
    assert part in body
    assert bool(part) == bool(body)
    assert chat(stub)[0] == 200
    stats = stub.stats()
    assert (stats["answered"], stats["refused"] + stats["failed"]) == (1, 1)


@pytest.mark.parametrize(
    ("mode", "error"),
    [
        ("reset", ConnectionResetError),
        ("close", http.client.RemoteDisconnected),
        ("half", http.client.IncompleteRead),
    ],
)
def test_fault_cuts(stub: StubOllama, mode: str, error: type[Exception]) -> None:
    """A fault that cuts the connection shows as that, every second time if asked so."""
    stub.fault(mode, every=2)
    assert chat(stub)[0] == 200
    with pytest.raises(error):
        chat(stub)
    assert chat(stub)[0] == 200


def test_drip(stub: StubOllama) -> None:
    """An answer that drips arrives a byte at a time."""
    stub.fault("drip", 1)
    with asked_and_left(stub, b"one") as connection:
        assert connection.recv(100) == b"H"
        assert connection.recv(100) == b"T"


def test_unknown_fault(stub: StubOllama) -> None:
    """A fault that does not exist is refused by name."""
    with pytest.raises(ValueError, match="'flood' is not one of 503"):
        stub.fault("flood")


def test_restart() -> None:
    """Killed and started again it listens at the same port and still has derived models."""
    with StubOllama(service_ms=0, slots=1) as stub:
        port = stub.port
        post(stub, "/api/create", {"model": "mine", "from": "llava:7b"})
        stub.kill()
        with pytest.raises(ConnectionRefusedError):
            chat(stub)
        stub.start()
        assert stub.port == port
        assert chat(stub, model="mine")[0] == 200
        assert stub.stats()["chats"] == 1
