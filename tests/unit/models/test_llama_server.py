"""The child process: started, found dead, started again, ended with everything it started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf.errors import (
    ModelMissing,
    RequestRejected,
    RuntimeBroken,
    ServerFailed,
    SettingsError,
)
from pytest_llmclf.models.llamacpp import llama_server
from pytest_llmclf.models.llamacpp.llama_server import LlamaServer, LlamaServers, ServerPlan
from pytest_llmclf.models.llamacpp.llamacpp import (
    GgufPair,
    LlamaCppBackend,
    embedded_pair,
    file_pair,
)
from pytest_llmclf.models.reach import ConnectSettings
from pytest_llmclf.values.request import Request
from tests.processes import gone

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="the stand-in for llama-server is started by its first line"
)
FAKE = Path(__file__).with_name("fake_llama_server.py")
REQUEST = Request(system=None, prompt="?", image=b"x", media_type="image/png")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The stand-in as a program of its own."""
    path = tmp_path / "llama-server"
    path.write_text(f"#!{sys.executable}\n{FAKE.read_text('utf-8')}", "utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def servers() -> Iterator[LlamaServers]:
    pool = LlamaServers(start_timeout_s=20)
    yield pool
    pool.close()


def _plan(program: Path, behaviour: str, **changes: Any) -> ServerPlan:
    text = program.parent / f"{behaviour}.gguf"
    text.write_bytes(b"GGUF")
    return ServerPlan(program=program, text=text, mmproj=text, alias=behaviour, **changes)


def _starts(plan: ServerPlan) -> list[dict[str, Any]]:
    lines = plan.text.with_suffix(".starts").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_a_server_is_started_when_needed_and_ended(program: Path) -> None:
    """One child for any number of questions; none is left behind."""
    plan = _plan(program, "well", parallel=3, context=512, threads=1, tiny=True)
    server = LlamaServer(plan)
    assert server._child is None
    try:
        address = server.address()
        assert server.address() == address
        assert address.is_loopback
        assert server.build == "b1-fake"
    finally:
        server.close()
        server.close()
    (start,) = _starts(plan)
    given = dict(zip(start["arguments"][::2], start["arguments"][1::2], strict=False))
    assert given["--ctx-size"] == "1536", "the server divides it among its slots"
    assert (given["--parallel"], given["--host"], given["--threads"]) == ("3", "127.0.0.1", "1")
    assert gone(start["pid"])
    with pytest.raises(RuntimeBroken, match="is closed"):
        server.address()


def test_the_child_sees_no_keys_and_no_foreign_settings(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys of other services and settings for other servers are not handed on."""
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    monkeypatch.setenv("LLAMA_ARG_HOST", "0.0.0.0")  # noqa: S104 - to see that it is dropped
    plan = _plan(program, "well")
    server = LlamaServer(plan)
    try:
        server.address()
    finally:
        server.close()
    environment = _starts(plan)[0]["environment"]
    assert not {"OPENAI_API_KEY", "LLAMA_ARG_HOST"} & set(environment)
    assert environment["LLAMA_API_KEY"] == server.key
    assert server.key not in " ".join(_starts(plan)[0]["arguments"]), "others see arguments"


def test_a_server_that_does_not_start_shows_why(program: Path) -> None:
    """Status, the telling line and the last lines are in the error; it is not tried again."""
    plan = _plan(program, "die")
    server = LlamaServer(plan)
    try:
        for _ in range(2):
            with pytest.raises(RuntimeBroken) as caught:
                server.address()
            assert "exit status 3" in caught.value.message
            assert "invalid magic characters" in caught.value.message
            assert "\n" not in str(caught.value)
            assert "bye" in "".join(caught.value.__notes__)
            assert not caught.value.retryable
    finally:
        server.close()
    assert len(_starts(plan)) == 1


def test_a_server_that_is_never_ready_is_given_up(program: Path) -> None:
    """Loading is waited for only so long, and nothing is left running."""
    plan = _plan(program, "never-ready")
    server = LlamaServer(plan, start_timeout_s=1.0)
    with pytest.raises(RuntimeBroken, match="not ready after 1 s"):
        server.address()
    server.close()
    assert gone(_starts(plan)[0]["pid"])


def test_closing_ends_a_start_that_is_under_way(program: Path) -> None:
    """Ctrl-C while a large model loads does not wait for it."""
    plan = _plan(program, "never-ready")
    server = LlamaServer(plan, start_timeout_s=60)
    failures: list[BaseException] = []

    def start() -> None:
        try:
            server.address()
        except RuntimeBroken as error:
            failures.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    deadline = time.monotonic() + 10
    while server._child is None and time.monotonic() < deadline:
        time.sleep(0.02)
    began = time.monotonic()
    server.close()
    thread.join(10)
    assert time.monotonic() - began < 8
    assert "closed while starting" in str(failures[0])


def test_a_taken_port_is_tried_again(program: Path) -> None:
    """Between looking for a port and using it someone may have been faster."""
    plan = _plan(program, "port-taken")
    server = LlamaServer(plan)
    try:
        server.address()
    finally:
        server.close()
    assert len(_starts(plan)) == 2


def test_a_program_that_cannot_run_is_an_error(tmp_path: Path) -> None:
    """A file that is no program does not raise an operating system's error."""
    program = tmp_path / "llama-server"
    program.write_bytes(b"not a program")
    program.chmod(0o755)
    server = LlamaServer(_plan(program, "well"))
    with pytest.raises(RuntimeBroken, match="could not be started"):
        server.address()
    server.close()


def _backend(
    plan: ServerPlan,
    servers: LlamaServers,
    options: dict[str, Any] | None = None,
    copies: int = 1,
) -> LlamaCppBackend:
    pair = GgufPair(name=plan.alias, text=plan.text, mmproj=plan.mmproj)
    return LlamaCppBackend(
        pair=pair,
        program=plan.program,
        servers=servers,
        settings=ConnectSettings(),
        options=options,
        copies=copies,
    )


def test_a_dying_server_is_started_again_but_not_for_ever(
    program: Path, servers: LlamaServers
) -> None:
    """Each death is a failure worth another try, until the server is given up."""
    plan = _plan(program, "die-once-asked")
    backend = _backend(plan, servers)
    deaths = 0
    while True:
        with pytest.raises((ServerFailed, RuntimeBroken)) as caught:
            backend.ask(REQUEST)
        if isinstance(caught.value, RuntimeBroken):
            break
        deaths += 1
        assert caught.value.retryable
        assert "died, exit status 4" in caught.value.message
    backend.close()
    assert deaths == llama_server.MAX_STARTS
    assert "died 4 times" in caught.value.message
    assert len(_starts(plan)) == llama_server.MAX_STARTS


def test_a_death_after_a_long_life_does_not_count(
    program: Path, servers: LlamaServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of many hours is not given up for four accidents."""
    monkeypatch.setattr(llama_server, "STABLE_S", -1.0)
    backend = _backend(_plan(program, "die-once-asked"), servers)
    for _ in range(llama_server.MAX_STARTS + 2):
        with pytest.raises(ServerFailed):
            backend.ask(REQUEST)
    backend.close()


def test_backends_over_one_pair_share_a_server(program: Path, servers: LlamaServers) -> None:
    """One child serves both; the last one to close ends it."""
    plan = _plan(program, "well")
    first, second = _backend(plan, servers), _backend(plan, servers)
    assert first.ask(REQUEST).text == "7"
    assert second.ask(REQUEST).text == "7"
    (start,) = _starts(plan)
    first.close()
    first.close()
    assert second.ask(REQUEST).text == "7"
    second.close()
    assert gone(start["pid"])
    assert len(_starts(plan)) == 1
    with pytest.raises(ServerFailed, match="closed"):
        second.ask(REQUEST)


def test_another_context_is_another_server(program: Path, servers: LlamaServers) -> None:
    """`num_ctx` of the Modelfile is how the server is started."""
    plan = _plan(program, "well")
    for backend in (_backend(plan, servers), _backend(plan, servers, {"num_ctx": 100})):
        backend.ask(REQUEST)
    sizes = [s["arguments"][s["arguments"].index("--ctx-size") + 1] for s in _starts(plan)]
    assert sizes == [str(4 * 4096), "400"]
    with pytest.raises(RequestRejected, match="PARAMETER num_ctx 200"):
        backend.ask(replace(REQUEST, options={"num_ctx": 200}))
    with pytest.raises(SettingsError, match="num_ctx must be a whole number"):
        _backend(plan, servers, {"num_ctx": "much"})


def _asked_at_once(backend: LlamaCppBackend, times: int) -> list[str]:
    texts: list[str] = []
    threads = [
        threading.Thread(target=lambda: texts.append(backend.ask(REQUEST).text))
        for _ in range(times)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return texts


def test_many_threads_start_one_server(program: Path, servers: LlamaServers) -> None:
    """Questions that come together wait for one start."""
    plan = _plan(program, "well")
    assert _asked_at_once(_backend(plan, servers), 8) == ["7"] * 8
    assert len(_starts(plan)) == 1


def test_a_copy_is_started_when_there_is_work_for_it(program: Path, servers: LlamaServers) -> None:
    """Four slots serve four questions; the fifth at the same time goes to the second server."""
    few, many = _plan(program, "well"), _plan(program, "stubborn")
    backend = _backend(few, servers, copies=2)
    assert backend.in_flight == 16
    assert _asked_at_once(backend, 4) == ["7"] * 4
    assert len(_starts(few)) == 1
    backend = _backend(many, servers, copies=2)
    assert _asked_at_once(backend, 8) == ["7"] * 8
    assert len({start["pid"] for start in _starts(many)}) == 2
    backend.close()
    assert all(gone(start["pid"]) for start in _starts(many))


KEEPER = Path(llama_server.__file__).with_name("watchdog.py")


def _kept(program: Path, behaviour: str) -> tuple[subprocess.Popen[bytes], ServerPlan]:
    plan = _plan(program, behaviour)
    keeper = subprocess.Popen(  # noqa: S603
        [sys.executable, "-I", "-S", str(KEEPER), *plan.arguments(llama_server._free_port())],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "LLAMA_API_KEY": ""},
    )  # fmt: skip
    deadline = time.monotonic() + 20
    while not plan.text.with_suffix(".starts").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)  # the stand-in sets its signals up
    return keeper, plan


@pytest.mark.parametrize("behaviour", ["well", "stubborn"])
def test_a_closed_pipe_ends_the_program(program: Path, behaviour: str) -> None:
    """Also one that does not listen to the polite signal."""
    keeper, plan = _kept(program, behaviour)
    assert keeper.stdin is not None
    keeper.stdin.close()
    keeper.wait(15)
    assert gone(_starts(plan)[0]["pid"])


@pytest.mark.parametrize("word", ["terminate", "kill"])
def test_ending_the_keeper_ends_the_program(program: Path, word: str) -> None:
    """A keeper that is itself ended takes the program along (killed: Linux only)."""
    if word == "kill" and not sys.platform.startswith("linux"):
        pytest.skip("only Linux tells a process that its parent was killed")
    keeper, plan = _kept(program, "well")
    getattr(keeper, word)()
    keeper.wait(15)
    assert keeper.stdin is not None
    keeper.stdin.close()
    assert gone(_starts(plan)[0]["pid"])


def test_the_keeper_hands_the_exit_status_on(program: Path) -> None:
    """Its end is the program's end, with the program's status."""
    keeper, _ = _kept(program, "die")
    assert keeper.wait(15) == 3
    assert keeper.stdin is not None
    keeper.stdin.close()


def _model_folder(folder: Path, **changes: Any) -> Path:
    (folder / "t.gguf").write_bytes(b"text")
    (folder / "m.gguf").write_bytes(b"mmproj")
    card = {
        "name": "micro-llava",
        "version": "1.2",
        "text": {"file": "t.gguf", "sha256":
                 "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1"},
        "mmproj": {"file": "m.gguf", "sha256": ""},
        **changes,
    }  # fmt: skip
    (folder / "model.json").write_text(json.dumps(card), "utf-8")
    return folder


def test_a_damaged_embedded_model_is_refused(tmp_path: Path) -> None:
    """Files that are not the ones named in the card are not run."""
    with pytest.raises(ModelMissing, match=r"m\.gguf is not the file"):
        embedded_pair(_model_folder(tmp_path))
    with pytest.raises(ModelMissing, match="cannot be read"):
        embedded_pair(_model_folder(tmp_path, text={}))
    with pytest.raises(ModelMissing, match="cannot be read"):
        embedded_pair(tmp_path / "nowhere")


def test_a_missing_file_of_a_pair_is_named(tmp_path: Path) -> None:
    """The message says which of the two."""
    (tmp_path / "a.gguf").write_bytes(b"")
    with pytest.raises(ModelMissing, match=r"no file .*b\.gguf"):
        file_pair(tmp_path / "a.gguf", tmp_path / "b.gguf")
