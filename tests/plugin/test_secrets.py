"""Keys and passwords are in nothing that a run writes or prints, whatever a server does."""

from __future__ import annotations

import base64
import os
import subprocess
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.forkserver import fresh_or_forked
from tests.fuzz.raw_server import RawServer, http

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.plugin.conftest import Colours

KEY = "sk-Qx7/secret+key=9Z"
USER, PASSWORD = "somebody", "pass/word+&=7Q"
FORMS = {
    form
    for secret in (KEY, PASSWORD)
    for form in (
        secret,
        secret.replace("/", "\\/"),
        quote(secret, safe=""),
        base64.b64encode(secret.encode()).decode().rstrip("="),
    )
} | {base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}
EVERYTHING = (
    "-vv", "-l", "--tb=long", "-rA", "--junitxml=j.xml", "--report-log=log.jsonl", "--html=x.html",
    "--json-report", "--json-report-file=j.json", "--llmclf-record=rec.jsonl",
    "--llmclf-summary=s.md", "--llmclf-attempts=1", "-o", "cache_dir=cache",
    *(("--llmclf-parquet",) if find_spec("pyarrow") else ()),
)  # fmt: skip
FAILS = """
import os

from pytest_llmclf import Evaluation, Gate

colours = Evaluation(
    dataset="colours", modelfile="colours", prompt="Which colour?", gates=[Gate("accuracy >= 0.9")]
)

@colours.images
def test_image(outcome):
    here = outcome
    outcome.check()
    assert not here, "so that everything around it is shown"

@colours.gate
def test_gate(report):
    numbers = report
    assert not numbers
"""
LIST = http(b'{"data": [{"id": "colours", "owned_by": "me"}]}')


def said(text: str, status: int) -> bytes:
    """An answer in which a server repeats what it was sent."""
    return http(b'{"error": {"message": "' + text.encode() + b'"}}', status)


BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
REPEATS = f"no such key: Bearer {KEY}, Basic {BASIC}, {PASSWORD}"
TROUBLES = {
    "fine": http(b'{"choices": [{"message": {"content": "red"}, "finish_reason": "stop"}]}'),
    "an answer": http(
        b'{"choices": [{"message": {"content": "red %s"}, "finish_reason": "stop"}]}' % KEY.encode()
    ),
    "401": said(REPEATS, 401),
    "401, escaped": said(REPEATS.replace("/", "\\/"), 401),
    "403, in a page": http(f"<html>{REPEATS} {quote(KEY, safe='')}</html>".encode(), 403),
    "500": said(REPEATS, 500),
    "307": http(b"", 307, f"Location: http://192.0.2.1/{KEY}"),
    "no protocol": f"{REPEATS}\r\n\r\n".encode(),
    "200 and an error": said(REPEATS, 200),
    "404": said(REPEATS, 404),
    "cut": b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + REPEATS.encode(),
    "413": said(REPEATS, 413),
}


@pytest.fixture
def server_that_repeats() -> Iterator[RawServer]:
    """A server whose answers hold the key that it was sent."""
    with RawServer() as running:
        yield running


def found_in(root: Path) -> list[str]:
    """Every place below a folder, and every form, in which a secret stands."""
    found = []
    for path in root.rglob("*"):
        if path.is_file():
            data = path.read_bytes() + str(path).encode("utf-8", "replace")
            found += [f"{path.name}: {form}" for form in FORMS if form.encode() in data]
    return found


def assert_silent(root: Path, *printed: str) -> None:
    """Nothing that was written or printed holds a secret."""
    assert found_in(root) == []
    for text in printed:
        assert [form for form in FORMS if form in text] == []


def environment(**more: str) -> dict[str, str]:
    """This process's environment with a key in it."""
    return {**os.environ, "LLMCLF_OPENAI_API_KEY": KEY, "OPENAI_API_KEY": KEY, **more}


def run(root: Path, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a module of ours in a process of its own."""
    return subprocess.run(  # noqa: S603 - our own interpreter
        [fresh_or_forked(), "-m", *command],
        capture_output=True, text=True, check=False, timeout=120, cwd=root,
        env=environment(**more),
    )  # fmt: skip


def test_a_server_that_repeats_its_key(colours: Colours, server_that_repeats: RawServer) -> None:
    """A key and a password, against a server that repeats them in every way, in every report."""
    (colours.root / "test_colours.py").write_text(FAILS)
    server_that_repeats.otherwise = LIST
    # A good answer after each trouble, so that the server is not given up before the last one.
    troubles = [reply for trouble in TROUBLES.values() for reply in (trouble, TROUBLES["fine"])]
    server_that_repeats.replies = {"/chat/completions": troubles}
    colours.images(each=8)
    colours.reporters = True
    # The address is in the environment: a command line is the user's own to show.
    address = f"{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{server_that_repeats.port}"
    done = run(
        colours.root, "pytest", *colours.command(*EVERYTHING, model=""),
        LLMCLF_MODEL=f"openai:colours@http://{address}/v1",
    )  # fmt: skip
    assert len(server_that_repeats.arrived) > len(troubles), done.stdout + done.stderr
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    for name in ("run/run.json", "run/page.html", "j.xml", "log.jsonl", "x.html", "rec.jsonl"):
        assert (colours.root / name).is_file()
    assert "(hidden)" in done.stdout
    assert_silent(colours.root, done.stdout, done.stderr)


def test_ollama_and_workers(colours: Colours, server_that_repeats: RawServer) -> None:
    """A password in ``OLLAMA_HOST``, in worker processes, against a server that refuses it."""
    (colours.root / "test_colours.py").write_text(FAILS)
    server_that_repeats.otherwise = TROUBLES["401"]
    server_that_repeats.replies = {
        "/api/version": http(b'{"version": "0.33.0"}'),
        "/api/tags": http(b'{"models": [{"name": "llava:latest", "model": "llava:latest"}]}'),
    }
    # The server repeats what it was sent, and OLLAMA_HOST has no key.
    address = f"http://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{server_that_repeats.port}"
    done = run(
        colours.root, "pytest",
        *colours.command("-n1", "-l", "--llmclf-attempts=1", model="ollama:llava"),
        OLLAMA_HOST=address, OLLAMA_API_KEY=PASSWORD,
    )  # fmt: skip
    assert server_that_repeats.arrived
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    found = [place for place in found_in(colours.root) if KEY not in place]
    assert found == []
    assert PASSWORD not in done.stdout + done.stderr


@pytest.mark.parametrize("host", ["http://{user}@127.0.0.1:1", "http://{user}@models.example"])
def test_addresses_that_fail(colours: Colours, host: str) -> None:
    """Nobody there, or another machine: the message has the address, and not the password."""
    address = host.format(user=f"{USER}:{quote(PASSWORD, safe='')}")
    model = f"openai:m@{address}/v1"
    done = run(
        colours.root, "pytest", *colours.command("-l", "--llmclf-attempts=1", model=""),
        LLMCLF_MODEL=model,
    )  # fmt: skip
    assert done.returncode not in {0, pytest.ExitCode.INTERNAL_ERROR}
    assert_silent(colours.root, done.stdout, done.stderr)


def test_doctor(colours: Colours, server_that_repeats: RawServer) -> None:
    """``llmclf doctor`` names servers, not how one gets in."""
    server_that_repeats.otherwise = http(b"", 401)
    user = f"{USER}:{quote(PASSWORD, safe='')}"
    done = run(
        colours.root, "pytest_llmclf", "doctor", "--timeout", "5", "--json",
        OLLAMA_HOST=f"http://{user}@127.0.0.1:{server_that_repeats.port}",
        LLMCLF_MODEL=f"openai:m@http://{user}@127.0.0.1:{server_that_repeats.port}/v1",
        LLMCLF_LLAMA_SERVER="nothing",
    )  # fmt: skip
    assert str(server_that_repeats.port) in done.stdout
    assert_silent(colours.root, done.stdout, done.stderr)
