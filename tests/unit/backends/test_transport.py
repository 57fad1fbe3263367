"""A request as a whole is bounded, however a server spreads its bytes."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING, Self

import httpx
import pytest

from pytest_llmclf import errors
from pytest_llmclf.backends import transport
from pytest_llmclf.backends.address import Address
from pytest_llmclf.backends.openai import OpenAIBackend
from pytest_llmclf.request import Request

if TYPE_CHECKING:
    from types import TracebackType

    from tests.unit.backends.ollama_models import Connect

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
GAP_S = 0.3
ENDS = {"headers": b"HTTP/1.1 200 OK\r\nX-A: ", "body": HEAD}


class DrippingServer:
    """Says a beginning at once, and from then on one byte every `GAP_S`."""

    def __init__(self, beginning: bytes, gap_s: float = GAP_S) -> None:
        self._beginning = beginning
        self._gap_s = gap_s
        self._ended = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def address(self) -> Address:
        return Address(host="127.0.0.1", port=self._socket.getsockname()[1], path="/v1")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        self._socket.settimeout(5)
        try:
            connection, _ = self._socket.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(self._beginning)
                while not self._ended.wait(self._gap_s):
                    connection.sendall(b"x")
        except OSError:
            pass  # the client has had enough


@pytest.fixture(params=ENDS)
def dripping(request: pytest.FixtureRequest) -> DrippingServer:
    return DrippingServer(ENDS[request.param])


def test_a_dripping_server_times_out(dripping: DrippingServer) -> None:
    """The time-out bounds the whole answer, not only the gaps within it."""
    with dripping:
        backend = OpenAIBackend(model="m", address=dripping.address, timeout_s=1.0)
        started = time.monotonic()
        with pytest.raises(errors.RequestTimedOut, match="--llmclf-timeout"):
            backend.ask(Request(system=None, prompt="?", image=b"p", media_type="image/png"))
        assert 0.9 < time.monotonic() - started < 1.9
        backend.close()


def test_a_dripping_ollama_times_out(
    dripping: DrippingServer, connect_ollama: Connect, picture: bytes
) -> None:
    """The same holds through Ollama's own client."""
    backend = connect_ollama(timeout_s=1.0)
    backend.identify()
    with dripping:
        assert backend._client is not None
        backend._client.close()  # type: ignore[no-untyped-call]
        backend._address = dripping.address
        backend._client = backend._open()
        started = time.monotonic()
        with pytest.raises(errors.RequestTimedOut):
            backend.ask(Request(system=None, prompt="?", image=picture, media_type="image/png"))
        assert 0.9 < time.monotonic() - started < 1.9


def test_without_a_deadline_only_gaps_count() -> None:
    """A pull or an upload may take as long as it goes on."""
    beginning = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
    with (
        DrippingServer(beginning, gap_s=0.1) as server,
        transport.open_client(server.address, 0.5) as client,
    ):
        assert client.get("x").text == "x" * 9


def test_an_end_in_the_past_reads_nothing() -> None:
    """What is over is over, whatever has arrived meanwhile."""
    with (
        DrippingServer(HEAD) as server,
        transport.open_client(server.address, 5) as client,
        transport.within(-1),
        pytest.raises(httpx.ReadTimeout),
    ):
        client.get("x")
