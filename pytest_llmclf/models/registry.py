"""Which backends there are: those of this package, and those of installed packages by entry point.

A package declares one in its ``pyproject.toml``::

    [project.entry-points."pytest_llmclf.backends"]
    mine = "my_package:connect"

and ``--llmclf-model mine:ANYTHING`` finds it.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

GROUP: Final = "pytest_llmclf.backends"
"""The group of entry points."""
_HERE: Final = "pytest_llmclf.models"
BUILT_IN: Final = {
    name: EntryPoint(name=name, value=f"{_HERE}.{module}:connect", group=GROUP)
    for name, module in (
        ("ollama", "ollama.ollama_connect"),
        ("openai", "openai.openai_connect"),
        ("llamacpp", "llamacpp.llamacpp_connect"),
        ("replay", "recording"),
        ("yardstick", "yardstick.yardstick_backend"),
        ("sklearn", "yardstick.yardstick_backend"),
        ("predictions", "predictions.predictions_backend"),
    )
}
"""Those of this package; another package cannot take their names."""


def installed() -> dict[str, list[EntryPoint]]:
    """The backends of other packages, by name in order; reads what is installed."""
    found: dict[str, list[EntryPoint]] = {}
    for one in sorted(entry_points(group=GROUP), key=lambda one: (one.name, one.value)):
        if one.name not in BUILT_IN:
            found.setdefault(one.name, []).append(one)
    return found


def load(name: str) -> Callable[[Any], Any]:
    """What makes a backend from a `Reach`.

    Raises:
        SettingsError: There is none of that name, there are several, or it cannot be imported.
    """
    known = installed() if name not in BUILT_IN else {name: [BUILT_IN[name]]}
    values = {one.value: one for one in known.get(name, ())}
    if not values:
        there = ", ".join([*BUILT_IN, *known])
        raise SettingsError(f"{name!r} is no backend; there are {there}")
    if len(values) > 1:
        raise SettingsError(
            f"{name!r} is the backend of several packages, {' and '.join(values)}: uninstall one"
        )
    (entry,) = values.values()
    try:
        found: Callable[[Any], Any] = entry.load()
    except Exception as error:
        if name in BUILT_IN:
            raise
        raise SettingsError(
            f"backend {name}: {entry.value} cannot be imported, "
            f"{type(error).__name__}: {error}; mend or uninstall its package"
        ) from error
    return found
