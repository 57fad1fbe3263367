"""What a script or notebook gives by mistake: told by its name and value, with what to write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf import Evaluation, Examples, Gate, evaluate, evaluate_all, read_run
from pytest_llmclf.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CALLS: list[tuple[Callable[..., object], dict[str, Any]]] = [
    (evaluate, {"model": None}),
    (evaluate, {"model": 5}),
    *((evaluate, {"sample": value}) for value in (0, "3")),
    *((evaluate, {"repeats": value}) for value in (None, 0, 1.5)),
    *((evaluate, {"allow_remote": value}) for value in (None, "gpu1", [None])),
    (evaluate, {"home": 5}),
    (evaluate, {"evaluation": None}),
    *((evaluate_all, {"models": value}) for value in (None, "auto", [], [None])),
]


@pytest.mark.parametrize(("called", "given"), CALLS)
def test_an_argument_of_another_kind_is_told(
    called: Callable[..., object], given: dict[str, Any], tmp_path: Path
) -> None:
    """Such as an unset variable of the environment; nothing is read before."""
    ((name, value),) = given.items()
    with pytest.raises(SettingsError) as told:
        called(**{"evaluation": tmp_path, **given})
    assert str(told.value).startswith(f"{name}={value!r}")
    assert any(word in str(told.value) for word in (": write ", ": name "))


@pytest.mark.parametrize("name", ["options", "top_logprobs", "gates", "metrics", "none_label"])
def test_a_field_that_is_none_is_told(name: str) -> None:
    """Where nothing has no meaning; elsewhere it is the default."""
    with pytest.raises(SettingsError, match=rf"^Evaluation\('pets'\): {name}=None: "):
        Evaluation(**{"dataset": "pets", name: None})  # type: ignore[arg-type]


def test_parts_of_an_evaluation_that_are_none_are_told() -> None:
    """In the same way."""
    for name in ("confused", "files"):
        with pytest.raises(SettingsError, match=rf"^Examples\({name}=None\): write a list"):
            Examples(**{name: None})  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=r"^Gate\(None\): write text"):
        Gate(None)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=r"^name=None is no path: name a folder"):
        read_run(None)  # type: ignore[arg-type]
