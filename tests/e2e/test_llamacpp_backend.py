"""The embedded model in a real `llama-server`: asked, killed, and never left behind."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf import errors
from pytest_llmclf.data.image import ImageLimits
from pytest_llmclf.models.connect import Connections
from pytest_llmclf.models.llamacpp.llama_binary import find_llama_server
from pytest_llmclf.models.llamacpp.llama_server import LlamaServer, ServerPlan
from pytest_llmclf.models.llamacpp.llamacpp import embedded_pair
from pytest_llmclf.models.openai.openai_backend import OpenAIBackend
from pytest_llmclf.models.reach import ConnectSettings
from pytest_llmclf.models.recording import Recorder, ReplayBackend
from pytest_llmclf.models.spec import parse_spec
from pytest_llmclf.prompting.labels import LabelSet
from pytest_llmclf.prompting.modelfile import parse
from pytest_llmclf.prompting.prompt import compose
from pytest_llmclf.runner.examples import as_shown
from pytest_llmclf.values.case import Case
from pytest_llmclf.values.request import Request
from tests.processes import gone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmclf.models.base import Backend

try:
    PROGRAM = find_llama_server()
    PAIR = embedded_pair()
except errors.BackendError as missing:
    pytest.skip(str(missing), allow_module_level=True)

SEVEN = min((Path(__file__).parents[2] / "fixtures" / "mnist" / "7").glob("*.png"))
DIGITS = [str(digit) for digit in range(10)]
MODELFILE = parse("FROM llava\nPARAMETER temperature 0\nPARAMETER num_predict 8\n", "e2e")
REQUEST = Request(
    system=None,
    prompt=compose("Which digit is in this picture?", LabelSet.of(DIGITS), "text"),
    image=SEVEN.read_bytes(),
    media_type="image/png",
    options=MODELFILE.options(),
)

posix_only = pytest.mark.skipif(
    sys.platform == "win32" or shutil.which("pgrep") is None,
    reason="needs POSIX signals, and pgrep to find the keeper's child",
)


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    """The embedded model, one server for the module."""
    connections = Connections(ConnectSettings(timeout_s=60, llama_server=str(PROGRAM)))
    yield connections.connect(parse_spec("micro-llava"), MODELFILE)
    connections.close()


def test_it_answers(backend: Backend) -> None:
    """A question about an image of a digit gets an answer with counts and times."""
    answer = backend.ask(REQUEST)
    assert answer.text == "7"
    assert answer.finish == "stop"
    assert answer.prompt_tokens is not None
    assert answer.answer_tokens is not None
    assert answer.server_s is not None
    assert answer.prompt_tokens > 10
    assert backend.ask(REQUEST).text == answer.text


def test_it_identifies_itself(backend: Backend) -> None:
    """The digest is that of the files, the server tells its build."""
    identity = backend.identify()
    assert identity.spec == "llamacpp:micro-llava"
    assert identity.server.startswith("llama.cpp ")
    assert len(identity.digest) == 64
    assert backend.in_flight == 8 * min(2, os.cpu_count() or 1)


def test_it_gives_log_probabilities(backend: Backend) -> None:
    """As many alternatives as were asked for, likeliest first."""
    answer = backend.ask(replace(REQUEST, top_logprobs=5))
    assert answer.logprobs is not None
    first = answer.logprobs[0]
    values = [value for _, value in first.top]
    assert len(values) == 5
    assert values == sorted(values, reverse=True)
    assert first.top[0] == (first.token, first.logprob)


def test_it_is_shown_examples(backend: Backend) -> None:
    """Each takes the tokens of one more question; what is shown changes what it says."""
    paths = [min(SEVEN.parents[1].joinpath(digit).glob("*.png")) for digit in ("1", "4")]
    cases = [
        Case(
            id=path.name,
            root=path.parent,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            label=path.parent.name,
        )
        for path in paths
    ]
    shown = as_shown(cases, "text", ImageLimits())
    plain, one, two, again = (
        backend.ask(replace(REQUEST, example_images=examples, top_logprobs=5))
        for examples in ((), shown[:1], shown, shown)
    )
    counts = [answer.prompt_tokens or 0 for answer in (plain, one, two)]
    assert counts[2] - counts[1] == counts[1] - counts[0] > 40
    assert two.logprobs is not None
    assert again.logprobs is not None
    assert two.logprobs != plain.logprobs
    assert two.text == again.text
    assert two.finish == "stop"


@pytest.mark.parametrize("label", ["3", "5"])
def test_a_schema_is_obeyed(backend: Backend, label: str) -> None:
    """An answer format with one label leaves no choice."""
    schema = {"type": "string", "enum": [label]}
    assert backend.ask(replace(REQUEST, answer_schema=schema)).text.strip() == f'"{label}"'


def test_an_answer_at_the_limit_says_so(backend: Backend) -> None:
    """One token is not enough for a label in quotes."""
    schema = {"type": "string", "enum": ["elephant"]}
    answer = backend.ask(replace(REQUEST, answer_schema=schema, options={"num_predict": 1}))
    assert answer.finish == "length"


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        (replace(REQUEST, image=b"no image"), errors.ImageRejected),
        (replace(REQUEST, prompt="word " * 3000), errors.ContextTooSmall),
        (replace(REQUEST, answer_schema={"type": "nonsense"}), errors.RequestRejected),
        (replace(REQUEST, options={"temperature": "hot"}), errors.RequestRejected),
    ],
    ids=["image", "context", "schema", "option"],
)
def test_a_real_error_has_its_type(
    backend: Backend, request_: Request, kind: type[errors.BackendError]
) -> None:
    """llama.cpp's own wordings are known, and the server lives on."""
    with pytest.raises(errors.BackendError) as caught:
        backend.ask(request_)
    assert type(caught.value) is kind
    assert backend.ask(REQUEST).text in DIGITS


def test_many_questions_at_once(backend: Backend) -> None:
    """More threads than slots all get the answer that one alone gets, without a stall."""
    alone = backend.ask(REQUEST).text
    texts: list[str] = []
    threads = [
        threading.Thread(target=lambda: texts.append(backend.ask(REQUEST).text)) for _ in range(12)
    ]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert texts == [alone] * 12
    assert time.monotonic() - started < 4, "idle connections would hold the server's threads for 5"


def test_a_recording_answers_without_the_model(backend: Backend, tmp_path: Path) -> None:
    """What was recorded is played back, and nothing else."""
    recorder = Recorder(tmp_path / "run.jsonl")
    request = replace(REQUEST, top_logprobs=3)
    answer = backend.ask(request)
    identity = backend.identify()
    recorder.record(request.digest(identity), request.summary(), identity, answer)
    recorder.close()
    replay = ReplayBackend(recorder.path)
    assert replay.ask(request) == answer
    with pytest.raises(errors.ReplayMismatch, match="prompt differ"):
        replay.ask(replace(request, prompt="Another question?"))


@pytest.fixture
def server() -> Iterator[LlamaServer]:
    """A server of the test's own."""
    plan = ServerPlan(
        program=PROGRAM, text=PAIR.text, mmproj=PAIR.mmproj, alias="micro-llava",
        parallel=1, context=512, threads=1, tiny=True,
    )  # fmt: skip
    server = LlamaServer(plan)
    yield server
    server.close()


def test_the_server_answers_only_to_its_key(server: LlamaServer) -> None:
    """Another program on this machine cannot use it."""
    for key, works in ((server.key, True), ("guessed", False)):
        speaker = OpenAIBackend(model="micro-llava", address=server.address(), api_key=key)
        try:
            if works:
                assert speaker.ask(REQUEST).text in DIGITS
                assert speaker.identify().server == "llamacpp"
            else:
                with pytest.raises(errors.AccessRefused, match="HTTP 401"):
                    speaker.ask(REQUEST)
        finally:
            speaker.close()


def _child_of(pid: int) -> int:
    done = subprocess.run(  # noqa: S603
        ["pgrep", "-P", str(pid)],  # noqa: S607
        capture_output=True, text=True, check=True, timeout=10,
    )  # fmt: skip
    return int(done.stdout.split()[0])


@posix_only
def test_a_killed_server_is_started_again() -> None:
    """Its death costs at most the requests in flight."""
    connections = Connections(ConnectSettings(timeout_s=60, llama_server=str(PROGRAM)))
    try:
        backend = connections.connect(parse_spec("micro-llava"), MODELFILE)
        before = backend.ask(REQUEST).text
        keeper = backend._seats[0].server._child.pid  # type: ignore[attr-defined]
        os.kill(_child_of(keeper), signal.SIGKILL)
        after = None
        with contextlib.suppress(errors.ServerFailed):  # the request that found it dead
            after = backend.ask(REQUEST).text
        after = after or backend.ask(REQUEST).text
        assert after == before
        assert backend._seats[0].server._child.pid != keeper  # type: ignore[attr-defined]
    finally:
        connections.close()


PARENT = """
import base64, sys, time
from pytest_llmclf.models.connect import Connections
from pytest_llmclf.models.reach import ConnectSettings
from pytest_llmclf.models.spec import parse_spec
from tests.e2e.test_llamacpp_backend import MODELFILE, PROGRAM, REQUEST
connections = Connections(ConnectSettings(llama_server=str(PROGRAM)))
backend = connections.connect(parse_spec("micro-llava"), MODELFILE)
backend.ask(REQUEST)
try:
    print(backend._seats[0].server._child.pid, flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted", backend.ask(REQUEST).text, flush=True)
    connections.close()
"""


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[str]]:
    """A process with a server, in a process group of its own as in a terminal."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, env=environment,
        start_new_session=True,
    )  # fmt: skip
    yield process
    process.kill()
    process.wait(10)
    if process.stdout is not None:
        process.stdout.close()


@posix_only
def test_a_killed_parent_leaves_no_server(parent: subprocess.Popen[str]) -> None:
    """SIGKILL runs no handler and no `finally`: the keeper sees the closed pipe."""
    assert parent.stdout is not None
    keeper = int(parent.stdout.readline())
    server = _child_of(keeper)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait(10)
    assert gone(server)
    assert gone(keeper)


@posix_only
def test_ctrl_c_does_not_reach_the_server(parent: subprocess.Popen[str]) -> None:
    """The whole foreground group is interrupted; the server answers until it is closed."""
    assert parent.stdout is not None
    keeper = int(parent.stdout.readline())
    server = _child_of(keeper)
    os.killpg(parent.pid, signal.SIGINT)
    word, answer = parent.stdout.readline().split()
    assert word == "interrupted"
    assert answer in DIGITS
    assert parent.wait(20) == 0
    assert gone(server)
