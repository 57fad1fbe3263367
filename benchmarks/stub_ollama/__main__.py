"""`python -m benchmarks.stub_ollama`: run the server until it is stopped."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import threading
from pathlib import Path

from benchmarks.stub_ollama import faults
from benchmarks.stub_ollama.models import VERSION
from benchmarks.stub_ollama.server import Options, Server


def main() -> None:
    """Listen, say where, and serve."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stub_ollama", description=__doc__)
    add = parser.add_argument
    add("--port", type=int, default=0, help="where to listen (default: a free port)")
    add("--service-ms", type=float, default=20.0, help="milliseconds a question (%(default)s)")
    add("--slots", type=int, default=4, help="questions served side by side (%(default)s)")
    add("--queue", type=int, default=512, help="questions that may wait (%(default)s)")
    add("--labels", default="0,1,2,3,4,5,6,7,8,9", help="what it may say (%(default)s)")
    add("--model", default="llava:7b", help="the model that it has (%(default)s)")
    add("--version", default=VERSION, help="which Ollama it says it is (%(default)s)")
    add(
        "--fault", action="append", default=[], metavar="MODE[:COUNT]", type=faults.parse,
        help=f"what goes wrong: {', '.join(faults.MODES)}; may be repeated",
    )  # fmt: skip
    add("--state", type=Path, help="file that keeps derived models over a restart")
    add("--with-stdin", action="store_true", help="end when standard input ends")
    said = parser.parse_args()
    options = Options(
        port=said.port,
        service_ms=said.service_ms,
        slots=said.slots,
        queue=said.queue,
        labels=tuple(said.labels.split(",")),
        model=said.model,
        version=said.version,
        faults=tuple(said.fault),
        state=said.state,
    )
    if said.with_stdin:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(options))


async def _serve(options: Options) -> None:
    server, other = await Server(options).listen()
    async with server, other:
        port = server.sockets[0].getsockname()[1]
        print(f"listening on http://127.0.0.1:{port}", flush=True)
        await server.serve_forever()


def _end_with_stdin() -> None:
    """Whoever started this holds the other end, and closes it even when killed."""
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
