"""A model with a bias that was put in by hand, to show what a probe says of one.

    python -m benchmarks.swayed [--share 0.2] [--port 8099] [--minutes 10]

It answers by OpenAI's protocol on 127.0.0.1, as the embedded model answers, except that a share of
the images, chosen by their bytes, gets the label that its instructions give as an example ("for
example: cat"). That is no model that anybody trained: it is micro-llava with a thumb on the scale.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import re
import threading
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.models.connect import MICRO, Connections
from pytest_llmclf.models.reach import ConnectSettings
from pytest_llmclf.prompting.modelfile import parse
from pytest_llmclf.values.request import Request
from tests.served import JsonHandler

if TYPE_CHECKING:
    from pytest_llmclf.models.base import Backend

NAME: Final = "swayed-micro-llava"
_EXAMPLE: Final = re.compile(r"for example:? [\"']?(\w+)", re.IGNORECASE)


class SwayedServer(ThreadingHTTPServer):
    """Listens on 127.0.0.1 alone.

    Args:
        port: 0 for a free one.
        backend: Who answers by itself.
        share: Of the images that get the example.
    """

    daemon_threads = True

    def __init__(self, port: int, backend: Backend, share: float) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.backend = backend
        self.share = share

    @property
    def spec(self) -> str:
        """As given to ``--llmclf-model``."""
        return f"openai:{NAME}@http://127.0.0.1:{self.server_address[1]}/v1"

    def answer(self, body: dict[str, Any]) -> str:
        """What is said of the last image of a chat."""
        *before, last = body["messages"]
        image = next(part for part in last["content"] if part["type"] == "image_url")
        head, _, data = image["image_url"]["url"].partition(",")
        prompt = "".join(part["text"] for part in last["content"] if part["type"] == "text")
        system = next((one["content"] for one in before if one["role"] == "system"), None)
        asked = Request(
            system=system,
            prompt=prompt,
            image=base64.b64decode(data),
            media_type=head.removeprefix("data:").removesuffix(";base64"),
            options={"temperature": 0, "num_predict": 24},
        )
        example = _EXAMPLE.search(f"{system}\n{prompt}")
        lot = int.from_bytes(hashlib.sha256(asked.image).digest()[:4]) / 2**32
        if example is not None and lot < self.share:
            return example[1]
        return self.backend.ask(asked).text


class _Handler(JsonHandler):
    server: SwayedServer

    def do_GET(self) -> None:  # noqa: N802 - called by http.server
        """List the model."""
        self.answer(200, {"object": "list", "data": [{"id": NAME, "object": "model"}]})

    def do_POST(self) -> None:  # noqa: N802 - called by http.server
        """Answer a chat."""
        body = self.body()
        if not self.path.endswith("/chat/completions"):
            self.answer(404, {"error": {"message": f"no {self.path} here"}})
            return
        message = {"role": "assistant", "content": self.server.answer(body)}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1}
        self.answer(200, {"object": "chat.completion", "choices": [choice], "usage": usage})


def main() -> None:
    """Serve for some minutes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=0.2)
    parser.add_argument("--port", type=int, default=8099)
    parser.add_argument("--minutes", type=float, default=10.0)
    given = parser.parse_args()
    connections = Connections(ConnectSettings())
    backend = connections.connect(MICRO, parse("FROM llava\n", "swayed"))
    server = SwayedServer(given.port, backend, given.share)
    ends = threading.Timer(60 * given.minutes, server.shutdown)
    ends.daemon = True
    ends.start()
    print(f"--llmclf-model {server.spec}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
        connections.close()


if __name__ == "__main__":
    main()
