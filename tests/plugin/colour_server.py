"""An OpenAI-compatible server that really looks at the image and says its colour.

It listens on 127.0.0.1 alone, decodes what it is sent, and counts every question. `odd` makes it
misbehave for single images or whole colours.
"""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from PIL import Image

from tests.served import JsonHandler, RoomyServer

if TYPE_CHECKING:
    from collections.abc import Callable

COLOURS = {
    "red": (220, 20, 20),
    "green": (20, 180, 20),
    "blue": (20, 20, 220),
    "yellow": (230, 220, 20),
}
SMALLEST = 8
"""Width of the image with number 0; number n is n wider, so that no two are the same."""

THOUGHT = "Is it red, green or blue? Let me see"
"""What it thinks first where it is told to think."""

MODELS = ("colours", "colour-blind")
"""``colour-blind`` takes green for red."""


def png(colour: str, number: int) -> bytes:
    """The image with this number."""
    buffer = io.BytesIO()
    Image.new("RGB", (SMALLEST + number, SMALLEST), COLOURS[colour]).save(buffer, "PNG")
    return buffer.getvalue()


def seen(data: bytes) -> tuple[str, int]:
    """Colour and number of an image."""
    with Image.open(io.BytesIO(data)) as image:
        found = image.convert("RGB").getpixel((0, 0))
        number = image.width - SMALLEST
    assert isinstance(found, tuple)
    return min(COLOURS, key=lambda name: _apart(COLOURS[name], found)), number


def _apart(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    return sum((mine - theirs) ** 2 for mine, theirs in zip(one, other, strict=True))


@dataclass(slots=True, kw_only=True)
class Odd:
    """What happens instead of a good answer.

    Attributes:
        says: This text; with a status, in its error.
        status: This HTTP status.
        drops: The connection is cut without an answer.
        waits_s: The answer comes so much later.
        thinks: It thinks for so many tokens first, whatever it is told.
        times: Only so many times; ``None``: always.
    """

    says: str | None = None
    status: int | None = None
    drops: bool = False
    waits_s: float = 0.0
    thinks: int = 0
    times: int | None = None


class ColourServer:
    """Runs in threads of this process.

    Attributes:
        odd: By ``red/3`` (one image), ``red`` (a colour) or ``*``.
        asked: How often each image was asked about, answered or not.
        prompts: Every text that came with an image.
        bodies: Every request, without its image.
        refuses: Fields that it does not take; it names the first one that it meets.
        context: Tokens that a question may take, 20 an image; ``None``: any number.
        sways: Of the whole request's text and the image, what is answered; ``None``: its colour.
    """

    def __init__(self) -> None:
        self.odd: dict[str, Odd] = {}
        self.asked: Counter[str] = Counter()
        self.prompts: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.refuses: frozenset[str] = frozenset()
        self.context: int | None = None
        self.sways: Callable[[str, str, int], str] | None = None
        self.in_flight = 0
        self.most_in_flight = 0
        self.die_after: int | None = None
        self.lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where it listens, with the API's prefix."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    @property
    def spec(self) -> str:
        """As given to ``--llmclf-model``."""
        return f"openai:colours@{self.url}"

    @property
    def questions(self) -> int:
        """Questions that arrived."""
        with self.lock:
            return self.asked.total()

    def wait_for(self, questions: int, patience_s: float = 30.0) -> None:
        """Wait until so many questions have arrived."""
        deadline = time.monotonic() + patience_s
        while self.questions < questions:
            assert time.monotonic() < deadline, f"{self.questions} questions, not {questions}"
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop listening; may be called twice."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def oddity(self, colour: str, number: int) -> Odd | None:
        """What to do instead of answering well, and count the question."""
        case = f"{colour}/{number}"
        with self.lock:
            self.asked[case] += 1
            if self.die_after is not None and self.asked.total() > self.die_after:
                return Odd(drops=True)
            for name in (case, colour, "*"):
                odd = self.odd.get(name)
                if odd is not None and (odd.times is None or odd.times > 0):
                    if odd.times is not None:
                        odd.times -= 1
                    return odd
        return None


class _Server(RoomyServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], colours: ColourServer) -> None:
        super().__init__(address, _Handler)
        self.colours = colours

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a client that was killed is what some tests are about."""


class _Handler(JsonHandler):
    server: _Server

    def do_GET(self) -> None:  # noqa: N802 - called by http.server
        """List the models."""
        models = [{"id": name, "object": "model", "owned_by": "colour-server"} for name in MODELS]
        known = self.path == "/v1/models"
        self.answer(200 if known else 404, {"object": "list", "data": models})

    def do_POST(self) -> None:  # noqa: N802 - called by http.server
        """Look at the image and say its colour."""
        colours = self.server.colours
        body = self.body()
        if self.path != "/v1/chat/completions":
            self.answer(404, {"error": {"message": f"no {self.path} here"}})
            return
        refused = [field for field in body if field in colours.refuses]
        if refused:
            message = f"Unsupported parameter: '{refused[0]}' is not supported with this model."
            error = {"message": message, "param": refused[0], "code": "unsupported_parameter"}
            self.answer(400, {"error": error})
            return
        if body["model"] not in MODELS:
            missing = f"The model `{body['model']}` does not exist."
            self.answer(404, {"error": {"message": missing, "code": "model_not_found"}})
            return
        parts = body["messages"][-1]["content"]  # what stands before are examples
        data = next(part["image_url"]["url"] for part in parts if part["type"] == "image_url")
        colour, number = seen(base64.b64decode(data.partition(",")[2]))
        with colours.lock:
            colours.prompts += [part["text"] for part in parts if part["type"] == "text"]
            colours.bodies.append({**body, "messages": body["messages"][:-1]})
            colours.in_flight += 1
            colours.most_in_flight = max(colours.most_in_flight, colours.in_flight)
        odd = colours.oddity(colour, number) or Odd()
        tokens = 20 * _images(body)
        if colours.context is not None and tokens > colours.context:
            longer = f"request ({tokens} tokens) exceeds the available context size"
            odd = Odd(status=400, says=f"{longer} ({colours.context} tokens), try increasing it")
        time.sleep(odd.waits_s)
        with colours.lock:
            colours.in_flight -= 1  # before the answer: the next question may follow at once
        if colours.sways is not None and odd.says is None:
            odd = replace(odd, says=colours.sways(_texts(body), colour, number))
        self._react(body, colour, odd)

    def _react(self, body: dict[str, Any], colour: str, odd: Odd) -> None:
        if odd.drops:
            self.close_connection = True
            return
        if odd.status is not None:
            words = odd.says or f"made to answer {odd.status}"
            self.answer(odd.status, {"error": {"message": words}})
            return
        said = "red" if body["model"] == "colour-blind" and colour == "green" else colour
        if "response_format" in body:
            said = json.dumps({"label": said})
        message = {"role": "assistant", "content": said if odd.says is None else odd.says}
        finish, tokens = "stop", 1
        if body.get("chat_template_kwargs", {}).get("enable_thinking") or odd.thinks:
            message["reasoning_content"] = THOUGHT
            tokens += odd.thinks
        if tokens > body.get("max_tokens", tokens):
            message["content"], finish, tokens = "", "length", body["max_tokens"]
        self.answer(
            200,
            {
                "object": "chat.completion",
                "choices": [{"index": 0, "message": message, "finish_reason": finish}],
                "usage": {"prompt_tokens": 20 * _images(body), "completion_tokens": tokens},
            },
        )


def _texts(body: dict[str, Any]) -> str:
    """All that is said beside the images."""
    contents = [message["content"] for message in body["messages"]]
    plain = [content for content in contents if isinstance(content, str)]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    return "\n".join((*plain, *(part["text"] for part in parts if part["type"] == "text")))


def _images(body: dict[str, Any]) -> int:
    return sum(isinstance(message["content"], list) for message in body["messages"])
