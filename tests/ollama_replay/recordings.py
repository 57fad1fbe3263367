"""The recorded exchanges, as they were recorded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("exchanges")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request to a real Ollama 0.33 and its answer.

    Attributes:
        file: Name of its file.
        method: HTTP method.
        path: Path of the request.
        sent: JSON body of the request, or ``None``.
        status: HTTP status of the answer.
        content_type: Media type of the answer, or empty.
        body: JSON body or text of the answer; a list for a stream's lines.
        streamed: Whether the answer is JSON lines.
    """

    file: str
    method: str
    path: str
    sent: Any
    status: int
    content_type: str
    body: Any
    streamed: bool

    @property
    def error(self) -> Any:
        """What the answer says went wrong: the body of a failed one, the error line of a stream."""
        if self.streamed:
            return next((line["error"] for line in self.body if "error" in line), None)
        return self.body if self.status >= 400 else None

    @property
    def failed(self) -> bool:
        """Whether this is an error, inside a stream or outside."""
        return self.status >= 400 or self.error is not None


@cache
def all_exchanges() -> tuple[Exchange, ...]:
    """Every recording; a burst of requests gives one exchange a row."""
    found: list[Exchange] = []
    for path in sorted(FOLDER.glob("*.json")):
        data = json.loads(path.read_text("utf-8"))
        if "rows" in data:
            found.extend(_row(path.name, row) for row in data["rows"])
        else:
            found.append(_single(path.name, data))
    return tuple(found)


def exchange(prefix: str) -> Exchange:
    """The recording whose file name starts so, such as ``055``."""
    return next(item for item in all_exchanges() if item.file.startswith(prefix))


def _single(file: str, data: dict[str, Any]) -> Exchange:
    request, response = data["request"], data["response"]
    streamed = "body_lines" in response
    body = response["body_lines"] if streamed else response.get("body", response.get("body_text"))
    return Exchange(
        file=file,
        method=request["method"],
        path=request["path"],
        sent=request.get("body"),
        status=response["status"],
        content_type=dict(response["headers"]).get("Content-Type", ""),
        body=body,
        streamed=streamed,
    )


def _row(file: str, row: dict[str, Any]) -> Exchange:
    return Exchange(
        file=file,
        method="POST",
        path="/api/chat",
        sent=None,
        status=row["status"],
        content_type="application/json; charset=utf-8",
        body={"error": row["error"]} if row["error"] else {},
        streamed=False,
    )
