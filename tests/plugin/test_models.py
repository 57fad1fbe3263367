"""Which model is asked, and where images may go."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.plugin.colour_server import ColourServer, Odd

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours

REMOTE = "192.0.2.1"
"""TEST-NET-1: belongs to nobody."""


def answering(colours: Colours) -> list[str]:
    """Names of the models in the last run's report."""
    return [report["identity"]["name"] for report in colours.summary()["reports"]]


def blind(colours: Colours) -> str:
    """The other model of the same server."""
    return f"openai:colour-blind@{colours.server.url}"


def test_the_command_line_goes_before_the_environment_before_the_ini(
    colours: Colours, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each place replaces the next one."""
    ini = f"[pytest]\nllmclf_model = {blind(colours)}\n"
    (colours.root / "pytest.ini").write_text(ini)
    colours.run(model="")
    assert answering(colours) == ["colour-blind"]
    monkeypatch.setenv("LLMCLF_MODEL", colours.server.spec)
    colours.run(model="")
    assert answering(colours) == ["colours"]
    colours.run(model=blind(colours))
    assert answering(colours) == ["colour-blind"]


def test_several_models_in_one_run(colours: Colours) -> None:
    """Each has its images, its report, and its gate."""
    result = colours.run("--llmclf-model", blind(colours))
    assert result.ret == pytest.ExitCode.OK
    assert result.parseoutcomes() == {"passed": 17, "misclassified": 3}
    assert answering(colours) == ["colours", "colour-blind"]
    assert [report["ledger"]["correct"] for report in colours.summary()["reports"]] == [9, 6]
    assert [gate["word"] for gate in colours.summary()["gates"]] == ["PASS", "PASS"]


def test_one_model_failing_leaves_the_other_alone(colours: Colours) -> None:
    """A model that the server does not have is INCONCLUSIVE; the other one passes."""
    result = colours.run("--llmclf-model", f"openai:missing@{colours.server.url}")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert [gate["word"] for gate in colours.summary()["gates"]] == ["PASS", "INCONCLUSIVE"]
    result.stdout.fnmatch_lines(["*`missing` does not exist*it has colours*"])


def test_the_same_model_twice_is_asked_once(colours: Colours) -> None:
    """Repeating a model changes nothing."""
    colours.run("--llmclf-model", colours.server.spec)
    assert answering(colours) == ["colours"]
    assert set(colours.server.asked.values()) == {1}


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("olama:llava", "*'olama:llava' is no model, did you mean ollama:llava?*"),
        ("llava:7b", "*'llava:7b' is no model, did you mean ollama:llava:7b?*"),
        ("openai:x", "*lacks a name or an address: write openai:NAME@http://HOST:PORT/v1*"),
    ],
)
def test_a_model_that_is_none_is_a_usage_error(colours: Colours, model: str, message: str) -> None:
    """The message has the value and the nearest form, and nothing is asked."""
    result = colours.run(model=model)
    text = result.stdout.str() + result.stderr.str()
    assert result.ret in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERRUPTED)
    pytest.LineMatcher(text.splitlines()).fnmatch_lines([message])
    assert "INTERNALERROR" not in text
    assert colours.server.questions == 0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--llmclf-sample", "0"], "*0 is below 1*"),
        (["--llmclf-sample", "many"], "*'many' is not a whole number*"),
        (["--llmclf-timeout", "nan"], "*nan is below 0.1*"),
    ],
)
def test_an_option_that_makes_no_sense_is_a_usage_error(
    colours: Colours, args: list[str], message: str
) -> None:
    """The message has the value and the remedy."""
    result = colours.run(*args)
    text = result.stdout.str() + result.stderr.str()
    assert result.ret in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERRUPTED)
    pytest.LineMatcher(text.splitlines()).fnmatch_lines([message])


def test_no_image_leaves_this_machine(colours: Colours, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address elsewhere is refused with the remedy, and no connection is even tried."""
    tried: list[object] = []
    connect = socket.socket.connect

    def note(this: socket.socket, address: object) -> None:
        tried.append(address)
        assert REMOTE not in str(address)
        connect(this, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", note)
    result = colours.run(model=f"openai:colours@http://{REMOTE}:9/v1")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    text = " ".join(result.stdout.str().split())
    assert f"--llmclf-allow-remote {REMOTE}" in text
    assert colours.ledger() == {"collected": 9, "error": 9}
    assert {gate["word"] for gate in colours.summary()["gates"]} == {"INCONCLUSIVE"}
    assert tried == []


def test_an_allowed_host_is_said_in_the_header(colours: Colours) -> None:
    """Permission that was given is shown before anything is asked."""
    result = colours.run("--llmclf-allow-remote", REMOTE, "--collect-only")
    result.stdout.fnmatch_lines([f"llmclf: images may leave this machine for {REMOTE}"])


def test_the_header_says_who_is_asked(colours: Colours) -> None:
    """One line an evaluation and model, before the first image."""
    colours.run().stdout.fnmatch_lines(
        [f"llmclf: colours: 9 images, 3 classes -> {colours.server.spec}", "test_colours.py *"]
    )


def test_auto_without_ollama_says_so(colours: Colours, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an Ollama the embedded model answers, and the header says how to use the other."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{port}")
    monkeypatch.setenv("COLUMNS", "80")
    result = colours.run("--collect-only", model="auto")
    # The edge of the terminal breaks neither a command nor a word.
    result.stdout.fnmatch_lines(["llmclf: *:*;", "for llava: `ollama serve`, *ollama:llava"])
    header = " ".join(result.stdout.str().split())
    assert "-> llamacpp:micro-llava" in header
    assert f"no Ollama at 127.0.0.1:{port}" in header
    assert "ollama pull llava" in header


def test_keys_never_reach_output_or_files(
    colours: Colours, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a key in the environment nor a password in the address is written anywhere."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-key")
    address = colours.server.url.replace("http://", "http://user:very-secret-word@")
    colours.server.odd = {"red/0": Odd(status=401), "red/1": Odd(drops=True)}
    result = colours.run(
        "--llmclf-attempts=1", "--llmclf-record=record.jsonl", model=f"openai:colours@{address}"
    )
    text = result.stdout.str() + result.stderr.str()
    written = [path for path in colours.root.rglob("*") if path.is_file()]
    assert any(path.name == "answers.sqlite" for path in written)
    for secret in ("very-secret-key", "very-secret-word"):
        assert secret not in text
        assert not [path for path in written if secret.encode() in path.read_bytes()]


def test_a_second_server_is_another_model(colours: Colours) -> None:
    """The same name elsewhere shares no answers: nobody knows that it is the same model."""
    colours.run()
    with ColourServer() as other:
        colours.run(model=other.spec)
        assert other.questions == 9


def test_a_slip_in_a_model_is_said_before_collecting(colours: Colours) -> None:
    """A slip on the command line is said in one line, before anything is collected."""
    result = colours.run(model="ollma:llava")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--llmclf-model: 'ollma:llava' is no model, did you mean *"])
    assert "Traceback" not in result.stderr.str() + result.stdout.str()
