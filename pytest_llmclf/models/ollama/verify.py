"""Whether a model on an Ollama server is what a Modelfile says."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Any

from pytest_llmclf import errors
from pytest_llmclf.models.http import payload
from pytest_llmclf.prompting import modelfile as modelfiles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llmclf.prompting.modelfile import Modelfile


def differences(wanted: Modelfile, shown: Mapping[str, Any]) -> list[str]:
    """What the server's ``show`` gives otherwise than the Modelfile, in words; none if nothing."""
    template, parameters, text = (
        str(shown.get(name) or "") for name in ("template", "parameters", "modelfile")
    )
    found = []
    if wanted.template is not None and _trimmed(template) != _trimmed(wanted.template):
        found.append("TEMPLATE")
    given = _shown_parameters(parameters)
    found.extend(
        f"PARAMETER {key} is {', '.join(given.get(key, [])) or 'missing'}, not {value!r}"
        for key, value in wanted.options().items()
        if not _same(given.get(key, []), value)
    )
    try:
        got = modelfiles.parse(text, "the server's Modelfile")
    except errors.ModelfileError:
        # Base models carry licences and templates of every kind, and servers quote them
        # loosely. Then the text is searched for what was asked instead of being read.
        if wanted.system is not None and _trimmed(wanted.system) not in text:
            found.append("SYSTEM")
        return found
    if wanted.system is not None and _trimmed(got.system) != _trimmed(wanted.system):
        found.append("SYSTEM")
    if wanted.messages and got.messages != wanted.messages:
        found.append("MESSAGE")
    return found


def _trimmed(text: str | None) -> str:
    return (text or "").replace("\r\n", "\n").strip()


def _shown_parameters(text: str) -> dict[str, list[str]]:
    """The parameters as `show` prints them: a name and a value a line, text in quotes."""
    parameters: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _, value = line.strip().partition(" ")
        value = value.strip()
        if value.startswith('"'):
            with contextlib.suppress(ValueError):
                value = str(payload.parse_json(value))
        parameters.setdefault(name, []).append(value)
    return parameters


def _same(given: list[str], wanted: Any) -> bool:
    """Whether the server has a parameter's value; it holds numbers as 32-bit floats."""
    if isinstance(wanted, list):
        return sorted(given) == sorted(map(str, wanted))
    if len(given) != 1:
        return False
    if isinstance(wanted, bool):
        return given[0] == str(wanted).lower()
    if isinstance(wanted, int | float):
        try:
            return math.isclose(float(given[0]), wanted, rel_tol=1e-5, abs_tol=1e-9)
        except ValueError:
            return False
    return given[0] == str(wanted)
