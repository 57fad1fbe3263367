"""The models of the server: the one that it starts with, and those derived from it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

VERSION = "0.33.0"
_TEMPLATE = "{{ .System }} {{ .Prompt }}"
_PASSED_ON = ("system", "template", "parameters", "messages")


def full_name(name: str) -> str:
    """A model's name with its tag."""
    return name if ":" in name else f"{name}:latest"


class Models:
    """By full name, what was said when each was created.

    Args:
        name: The model that is there from the start.
        state: File that keeps them when the server is killed; ``None`` keeps nothing.
    """

    def __init__(self, name: str, state: Path | None) -> None:
        self._state = state
        self._models: dict[str, dict[str, Any]] = {full_name(name): {}}
        if state is not None and state.exists() and (text := state.read_text("utf-8")):
            self._models.update(json.loads(text))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and full_name(name) in self._models

    def __iter__(self) -> Any:
        return iter(self._models)

    def tags(self) -> list[dict[str, Any]]:
        """The body of ``/api/tags``."""
        return [
            {
                "name": name,
                "model": name,
                "modified_at": "2026-01-01T00:00:00Z",
                "size": 4_733_363_377,
                "digest": _digest(name, said),
                "details": _DETAILS,
                "capabilities": ["completion", "vision"],
            }
            for name, said in self._models.items()
        ]

    def show(self, name: str) -> dict[str, Any]:
        """The body of ``/api/show``; the Modelfile reads back as what was created."""
        said = self._models[full_name(name)]
        template = said.get("template") or _TEMPLATE
        pairs = [
            (key, value)
            for key, values in sorted((said.get("parameters") or {}).items())
            for value in (values if isinstance(values, list) else [values])
        ]
        lines = ["FROM /models/blobs/sha256-0", f'TEMPLATE """{template}"""']
        if said.get("system") is not None:
            lines.append(f'SYSTEM """{said["system"]}"""')
        lines += [f"PARAMETER {key} {_plain(value)}" for key, value in pairs]
        lines += [
            f'MESSAGE {turn["role"]} """{turn["content"]}"""' for turn in said.get("messages") or ()
        ]
        return {
            "modelfile": "\n".join(lines) + "\n",
            "parameters": "\n".join(f"{key:<30} {_quoted(value)}" for key, value in pairs),
            "template": template,
            "system": said.get("system") or "",
            "details": _DETAILS,
            "model_info": {"general.architecture": "llama", "llama.context_length": 4096},
            "capabilities": ["completion", "vision"],
            "modified_at": "2026-01-01T00:00:00Z",
        }

    def create(self, said: dict[str, Any]) -> list[dict[str, str]]:
        """Derive a model; the lines of the answer's stream."""
        base = said.get("from")
        if base and base not in self:
            return [{"error": "pull model manifest: file does not exist"}]
        inherited = self._models[full_name(base)] if base else {}
        own = {key: said[key] for key in _PASSED_ON if said.get(key) is not None}
        self._models[full_name(said["model"])] = {**inherited, **own}
        self._keep()
        return [{"status": "writing manifest"}, {"status": "success"}]

    def delete(self, name: str) -> None:
        """Forget a model; what was derived from it stays."""
        del self._models[full_name(name)]
        self._keep()

    def _keep(self) -> None:
        if self._state is not None:
            self._state.write_text(json.dumps(self._models), "utf-8")


_DETAILS = {
    "parent_model": "",
    "format": "gguf",
    "family": "llama",
    "families": ["llama", "clip"],
    "parameter_size": "7B",
    "quantization_level": "Q4_0",
}


def _digest(name: str, said: dict[str, Any]) -> str:
    content = said or {"base": name}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _quoted(value: Any) -> str:
    return json.dumps(value) if isinstance(value, str) else _plain(value)
