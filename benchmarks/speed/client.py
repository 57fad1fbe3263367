"""What a question costs by itself, and how many must be in flight.

    python -m benchmarks.speed.client [--questions 500]

Asks the stub from threads of this process: through the official client, through `http.client` with
connections kept and without, and with 4 and 8 questions in flight on 4 slots.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import sys
import threading
import time
from typing import TYPE_CHECKING

from benchmarks.speed.workload import MODEL, SIDE, png
from benchmarks.stub_ollama import StubOllama

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SLOTS = 4
ROUNDS = 3


def through_ollama(stub: StubOllama) -> Callable[[bytes], None]:
    """The official client: one for all threads, as a test session has it."""
    import ollama  # noqa: TID251 - what is measured

    client = ollama.Client(host=stub.url, trust_env=False)

    def ask(image: bytes) -> None:
        message = {"role": "user", "content": "Which digit?", "images": [image]}
        client.chat(MODEL, [message])

    return ask


def through_sockets(stub: StubOllama, *, kept: bool) -> Callable[[bytes], None]:
    """The standard library's client: a connection a thread, or one a question."""
    local = threading.local()

    def ask(image: bytes) -> None:
        images = [base64.b64encode(image).decode()]
        message = {"role": "user", "content": "Which digit?", "images": images}
        body = json.dumps({"model": MODEL, "stream": False, "messages": [message]})
        connection = getattr(local, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", stub.port, timeout=30)
        connection.request("POST", "/api/chat", body)
        json.loads(connection.getresponse().read())
        if kept:
            local.connection = connection
        else:
            connection.close()

    return ask


def ask_all(ask: Callable[[bytes], None], questions: int, in_flight: int) -> float:
    """Ask from so many threads; CPU of this process in seconds."""
    images = (png(place.to_bytes(3 * SIDE, "big")) for place in range(questions))
    lock = threading.Lock()

    def following() -> Iterator[bytes]:
        while True:
            with lock:
                image = next(images, None)
            if image is None:
                return
            yield image

    def work() -> None:
        for image in following():
            ask(image)

    threads = [threading.Thread(target=work) for _ in range(in_flight)]
    started = time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.process_time() - started


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.client")
    parser.add_argument("--questions", type=int, default=500)
    count: int = parser.parse_args().questions
    with StubOllama(service_ms=0, slots=SLOTS) as stub:
        ways = {
            "ollama.Client": through_ollama(stub),
            "http.client, connections kept": through_sockets(stub, kept=True),
            "http.client, a new one each": through_sockets(stub, kept=False),
        }
        for turn in range(ROUNDS):
            for name, ask in ways.items():
                stub.reset()
                mine = ask_all(ask, count, 2 * SLOTS) / count
                theirs = stub.stats()["cpu_s"] / count
                print(f"{turn + 1} {name}: CPU {1e3 * mine:.2f} ms, server {1e3 * theirs:.2f} ms")
    with StubOllama(service_ms=20, slots=SLOTS) as stub:
        for in_flight in (SLOTS, SLOTS + 1, 2 * SLOTS):
            for name, ask in (
                ("ollama.Client", through_ollama(stub)),
                ("http.client", through_sockets(stub, kept=True)),
            ):
                stub.reset()
                ask_all(ask, count, in_flight)
                print(f"{in_flight} in flight, {name}: busy {stub.stats()['utilisation']:.1%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
