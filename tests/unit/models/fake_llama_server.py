"""Stands in for llama-server where a test needs it to misbehave.

Run as the real one is. The model file's stem is the behaviour: ``well``, ``die`` (while starting),
``die-once-asked``, ``never-ready``, ``port-taken``, ``stubborn`` (ignores SIGTERM).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

arguments = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=False))
model = Path(arguments["--model"])
behaviour = model.stem
with model.with_suffix(".starts").open("a") as starts:
    starts.write(json.dumps({"pid": os.getpid(), "arguments": sys.argv[1:],
                             "environment": dict(os.environ)}) + "\n")  # fmt: skip
sys.stderr.write("0.00.001 I srv: loading\n")
if behaviour == "die":
    sys.stderr.write("0.00.002 E srv: invalid magic characters\n0.00.003 I srv: bye\n")
    sys.exit(3)
if behaviour == "port-taken" and model.with_suffix(".starts").read_text().count("\n") == 1:
    sys.stderr.write("0.00.002 E srv: couldn't bind HTTP server socket\n")
    sys.exit(1)
if behaviour == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/health" and behaviour == "never-ready":
            self.answer(503, {"error": {"message": "Loading model"}})
        elif self.path == "/health":
            self.answer(200, {"status": "ok"})
        elif self.headers.get("Authorization") != f"Bearer {os.environ['LLAMA_API_KEY']}":
            self.answer(401, {"error": {"message": "Invalid API Key"}})
        else:
            self.answer(200, {"build_info": "b1-fake"})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if behaviour == "die-once-asked":
            os._exit(4)
        choice = {"message": {"content": "7"}, "finish_reason": "stop"}
        self.answer(200, {"choices": [choice]})

    def answer(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited name
        pass


server = ThreadingHTTPServer((arguments["--host"], int(arguments["--port"])), Handler)
time.sleep(0.05)
server.serve_forever()
