"""Advice of commands names options that they have; a closed pipe is no error."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pytest_llmclf
from pytest_llmclf.cli import cache, describe, doctor, main, predict
from pytest_llmclf.cli.command import ExitCode, own_options
from pytest_llmclf.errors import AccessRefused, RemoteRefused
from tests.unit.cli.command import parse
from tests.unit.models.raw_replies import RawReplies

if TYPE_CHECKING:
    from pytest_llmclf.models.reach import ConnectSettings

COMMANDS = {
    "doctor": (doctor, ()), "describe": (describe, ("x.png",)), "predict": (predict, ("x.py",)),
    "cache": (cache, ()),
}  # fmt: skip
UNAUTHORIZED = (
    b"HTTP/1.1 401 Authorization Required\r\nContent-Length: 78\r\n\r\n"
    b"<html><head><title>401 Authorization Required</title></head></html>           "
)


def advised() -> set[str]:
    """Every option that backends and the store advise anywhere."""
    root = Path(pytest_llmclf.__file__).parent
    paths = [
        *root.glob("models/**/*.py"),
        *root.glob("runner/answer_cache*.py"),
        root / "cli/checks.py",
    ]
    return {
        option
        for path in paths
        for option in re.findall(r"--llmclf-[a-z]+(?:-[a-z]+)*", path.read_text("utf-8"))
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_advice_is_in_options_of_the_command(name: str) -> None:
    """Whatever a backend advises: it can be given to this very command, or is not said."""
    module, arguments = COMMANDS[name]
    chosen = parse(module, name, *arguments)
    known = chosen.command._option_string_actions
    assert advised()
    for option in advised():
        said = own_options(f"do this: {option} X, or do that; see {option}", chosen)
        assert all(word in known for word in re.findall(r"--[a-z-]+", said)), said
        assert "do that" in said


@pytest.mark.parametrize("name", ["doctor", "describe", "predict"])
def test_what_lets_images_and_keys_go_can_be_said(name: str) -> None:
    """Under the name that messages have for it, and under the command's own."""
    module, arguments = COMMANDS[name]
    for prefix in ("--", "--llmclf-"):
        hosts = (f"{prefix}allow-remote", "gpu", f"{prefix}allow-clear-key", "gpu")
        chosen = parse(module, name, *arguments, *hosts, f"{prefix}pull", f"{prefix}timeout", "9")
        assert (chosen.allow_remote, chosen.allow_clear_key) == (["gpu"], ["gpu"])
        assert (chosen.pull, chosen.timeout) == (True, 9)


def test_an_error_of_a_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Has the command's own option in its remedy."""
    from tests.plugin.colour_server import png

    (tmp_path / "x.png").write_bytes(png("red", 0))
    code = main.main(
        ["describe", str(tmp_path / "x.png"), "--model", "openai:m@http://192.0.2.1/v1"]
    )
    assert code == ExitCode.NOT_DONE
    assert "say --allow-remote 192.0.2.1)" in capsys.readouterr().err
    assert RemoteRefused.of_model


def test_a_pipe_that_is_closed(tmp_path: Path) -> None:
    """``| head`` ends the command without a trace."""
    code = (
        "import os, sys; r, w = os.pipe(); os.close(r); os.dup2(w, 1); os.close(w)\n"
        "from pytest_llmclf.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code, "cache", "--home", str(tmp_path)],
        capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.returncode == ExitCode.PIPE_CLOSED


def settings() -> ConnectSettings:
    """Those that nobody changed."""
    found: ConnectSettings = import_module("pytest_llmclf.models.reach").ConnectSettings()
    return found


def test_a_server_behind_a_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The doctor says what it wants, and ``auto`` stops instead of asking another model."""
    connect = import_module("pytest_llmclf.models.connect")
    modelfile = import_module("pytest_llmclf.prompting.modelfile").parse("FROM llava\n", "m")
    with RawReplies(UNAUTHORIZED) as server:
        monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{server.address.port}")
        for spec in ("auto", "ollama:llava"):
            connections = connect.Connections(settings())
            with pytest.raises(AccessRefused, match="needs a user and password or key") as caught:
                connections.connect(
                    import_module("pytest_llmclf.models.spec").parse_spec(spec), modelfile
                )
            connections.close()
            assert "OLLAMA_API_KEY" in caught.value.remedy
        from pytest_llmclf.cli import checks

        (found,) = checks.ollama(settings())
    assert found.state == "problem"
    assert "needs a user and password or key (HTTP 401)" in found.found


@pytest.mark.parametrize("host", ["https://127.0.0.1:{port}", "http://127.0.0.1:{port}/api/ollama"])
def test_an_address_that_is_nearly_right(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody answers there, and the message says so and what to look at."""
    connect = import_module("pytest_llmclf.models.connect")
    modelfile = import_module("pytest_llmclf.prompting.modelfile").parse("FROM llava\n", "m")
    reply = b"HTTP/1.1 404 Not Found\r\nContent-Length: 18\r\n\r\n404 page not found"
    with RawReplies(reply) as server:
        monkeypatch.setenv("OLLAMA_HOST", host.format(port=server.address.port))
        spec, reason = connect.resolve_auto(modelfile, settings())
    assert spec == connect.MICRO
    assert "no Ollama at" not in reason
    assert "answers" in reason
    assert "http://" in reason
