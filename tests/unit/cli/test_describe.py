"""``llmclf describe`` says what a model sees, and nothing that a terminal obeys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.cli import describe
from pytest_llmclf.errors import ImageError, RemoteRefused, ServerUnreachable, SettingsError
from tests.plugin.colour_server import THOUGHT, Odd, png
from tests.unit.cli.command import call

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plugin.colour_server import ColourServer


@pytest.fixture
def red(tmp_path: Path) -> Path:
    """A red image."""
    (tmp_path / "red.png").write_bytes(png("red", 0))
    return tmp_path / "red.png"


def test_says_what_is_seen(
    red: Path, server: ColourServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """The answer alone goes to standard output, who gave it to standard error."""
    assert call(describe, "describe", str(red), "--model", server.spec, "--prompt", "Why?") == 0
    said = capsys.readouterr()
    assert said.out == "red\n"
    assert said.err.startswith("openai:colours, digest ")
    assert server.prompts == ["Why?"]


def test_the_model_of_the_environment(
    red: Path,
    server: ColourServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Is asked where none is named, as for evaluations."""
    monkeypatch.setenv("LLMCLF_MODEL", server.spec)
    call(describe, "describe", str(red))
    assert capsys.readouterr().out == "red\n"


def test_an_answer_cannot_drive_the_terminal(
    red: Path, server: ColourServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Paragraphs stay; control characters and direction marks are shown, not obeyed."""
    server.odd["*"] = Odd(says="one\n\n\x1b[2Jtwo\r\x07\u202ethree\x9b")
    call(describe, "describe", str(red), "--model", server.spec)
    out = capsys.readouterr().out
    assert out == "one\n\n\\x1b[2Jtwo\n\\x07\\u202ethree\\x9b\n"


def test_an_empty_answer(
    red: Path, server: ColourServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Is an empty line."""
    server.odd["*"] = Odd(says="  ")
    assert call(describe, "describe", str(red), "--model", server.spec) == 0
    assert capsys.readouterr().out == "\n"


@pytest.mark.parametrize(
    ("content", "says"), [(b"", "empty"), (b"<svg/>", "SVG"), (png("red", 0)[:-15], "cut")]
)
def test_no_image(tmp_path: Path, server: ColourServer, content: bytes, says: str) -> None:
    """Is found before a model is asked."""
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=says):
        call(describe, "describe", str(path), "--model", server.spec)
    assert server.questions == 0


def test_no_file(tmp_path: Path) -> None:
    """Says the path."""
    with pytest.raises(ImageError, match=r"none\.png cannot be read"):
        call(describe, "describe", str(tmp_path / "none.png"))


def test_images_stay_on_this_machine(red: Path) -> None:
    """Unless the host is named, by the option that the message names."""
    elsewhere = "openai:x@http://192.0.2.1:9/v1"
    with pytest.raises(RemoteRefused, match="--llmclf-allow-remote") as caught:
        call(describe, "describe", str(red), "--model", elsewhere)
    option = caught.value.remedy.partition("say ")[2].split()
    assert option == ["--llmclf-allow-remote", "192.0.2.1"]
    allowed = describe_options(str(red), *option)
    assert allowed == ["192.0.2.1"]


def describe_options(*arguments: str) -> list[str]:
    """Hosts that a command line allows."""
    from tests.unit.cli.command import parse

    hosts: list[str] = parse(describe, "describe", *arguments).allow_remote
    return hosts


def test_no_model(red: Path, server: ColourServer) -> None:
    """Says what was probably meant, or what does not answer."""
    with pytest.raises(SettingsError, match="did you mean"):
        call(describe, "describe", str(red), "--model", "olama:llava")
    server.stop()
    with pytest.raises(ServerUnreachable):
        call(describe, "describe", str(red), "--model", server.spec)


@pytest.mark.parametrize(
    ("thinks", "args", "out", "limit"),
    [
        (300, (), "red\n", 2048),
        (300, ("--tokens", "100"), "\n", 100),
        (5000, (), "\n", 2048),
        (0, ("--think", "on"), "red\n", 2048),
    ],
)
def test_a_model_that_thinks(
    red: Path,
    server: ColourServer,
    capsys: pytest.CaptureFixture[str],
    *,
    thinks: int,
    args: tuple[str, ...],
    out: str,
    limit: int,
) -> None:
    """Gets room for it unless a limit was given; what it thinks is no answer."""
    server.odd["*"] = Odd(thinks=thinks)
    assert call(describe, "describe", str(red), "--model", server.spec, *args) == 0
    said = capsys.readouterr()
    assert said.out == out
    assert server.bodies[-1]["max_tokens"] == limit
    only = THOUGHT in said.err
    assert only == (out == "\n")
    assert (f"cut at {limit} tokens: --tokens allows more" in said.err) == only


def test_a_wrong_word_for_thinking(red: Path) -> None:
    """Is refused before anybody is asked."""
    with pytest.raises(SettingsError, match="'max' is not one of off, on, low, medium, high"):
        call(describe, "describe", str(red), "--think", "max")
