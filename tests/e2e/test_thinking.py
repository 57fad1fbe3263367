"""A real llama-server whose model thinks, since its chat template opens a thought."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf.cli.main import main
from pytest_llmclf.errors import BackendError
from pytest_llmclf.models.http.address import Address
from pytest_llmclf.models.http.client import HttpClient
from pytest_llmclf.models.llamacpp.llama_binary import find_llama_server, library_environment
from pytest_llmclf.models.llamacpp.llamacpp import embedded_pair

if TYPE_CHECKING:
    from collections.abc import Iterator

try:
    PROGRAM = find_llama_server()
    PAIR = embedded_pair()
except BackendError as missing:
    pytest.skip(str(missing), allow_module_level=True)

MNIST = Path(__file__).resolve().parents[2] / "fixtures" / "mnist"
THINKS = """\
{% for message in messages %}<|im_start|>{{ message.role }}
{% if message.reasoning_content %}<think>
{{ message.reasoning_content }}
</think>

{% endif %}{{ message.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% if enable_thinking is not defined or enable_thinking %}<think>
{% endif %}{% endif %}"""
"""The server knows the tags from it, and sends everything as thinking that it has not closed."""
ECHOES = """\
{% for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% if enable_thinking is not defined or enable_thinking %}<think>{% endif %}{% endif %}"""
"""The server knows no tags: the opening one comes back in the content, and the model ends."""
EVALUATION = """
from pytest_llmclf import Evaluation

digits = Evaluation(
    dataset="digits", modelfile="digits", prompt="Which digit is in this image?",
    labels=list("0123456789"), top_logprobs=3,
)

@digits.images
def test_image(outcome):
    outcome.check()
"""


@contextmanager
def running(template: Path) -> Iterator[Address]:
    """A server of the embedded model with this template."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # fmt: off
    command = [
        str(PROGRAM), "--model", str(PAIR.text), "--mmproj", str(PAIR.mmproj), "--alias", "micro",
        "--host", "127.0.0.1", "--port", str(port), "--ctx-size", "2048", "--parallel", "2",
        "--threads", "1", "--n-gpu-layers", "0", "--no-mmproj-offload", "--jinja",
        "--chat-template-file", str(template),
    ]
    # fmt: on
    environment = {**os.environ, **library_environment(PROGRAM)}
    process = subprocess.Popen(  # noqa: S603 - the program that evaluations run, too
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    address = Address(host="127.0.0.1", port=port, path="/v1")
    client = HttpClient(Address(host="127.0.0.1", port=port), where="llama-server", keep=False)
    try:
        for _ in range(600):
            assert process.poll() is None, "llama-server ended while starting"
            try:
                if client.request("GET", "/health", timeout_s=5).ok:
                    break
            except BackendError:  # not listening yet
                pass
            time.sleep(0.05)
        yield address
    finally:
        client.close()
        process.terminate()
        process.wait(10)


class Project:
    """Three digits and an evaluation of them."""

    def __init__(self, pytester: pytest.Pytester, address: Address) -> None:
        self.pytester = pytester
        self.model = f"openai:micro@{address.url}"
        for digit in "017":
            folder = pytester.path / "fixtures" / "digits" / digit
            folder.mkdir(parents=True)
            shutil.copy(min((MNIST / digit).glob("*.png")), folder / "a.png")
        (pytester.path / "modelfiles").mkdir()
        text = "FROM llava\nPARAMETER temperature 0\nPARAMETER num_predict 8\n"
        (pytester.path / "modelfiles" / "digits.Modelfile").write_text(text)
        (pytester.path / "test_digits.py").write_text(EVALUATION)

    def run(self, *args: str) -> tuple[str, list[dict[str, Any]]]:
        """What a run prints, and its outcomes."""
        folder = self.pytester.path / "run"
        spare = [a for n in ("cacheprovider", "hypothesispytest") for a in ("-p", f"no:{n}")]
        result = self.pytester.runpytest_inprocess(
            *spare, f"--rootdir={self.pytester.path}", "--llmclf-model", self.model,
            "--llmclf-run", str(folder), *args,
        )  # fmt: skip
        lines = (folder / "outcomes.jsonl").read_text("utf-8").splitlines()
        return result.stdout.str(), [json.loads(line) for line in lines]


@pytest.mark.parametrize(
    "template",
    [THINKS, ECHOES, THINKS.replace("enable_thinking", "thinking")],
    ids=["field", "text", "other name of the switch"],
)
def test_a_thinking_server(
    pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str], template: str
) -> None:
    """Off unless wished; on, its thinking is kept and not read; and each cause is told."""
    path = pytester.path / "think.jinja"
    path.write_text(template)
    with running(path) as address:
        project = Project(pytester, address)

        shown, outcomes = project.run()
        assert {one["kind"] for one in outcomes} == {"correct"}
        assert not any("thinking" in one["answer"] for one in outcomes)
        assert all(one["probabilities"] for one in outcomes)
        assert "thinks, as its first answer shows" in shown

        # What is known is known, and off is another request than nothing said.
        _, known = project.run()
        assert all(one["cached"] for one in known)
        _, off = project.run("--llmclf-think=off")
        assert {one["kind"] for one in off} == {"correct"}
        assert not any(one["cached"] for one in off)

        shown, on = project.run("--llmclf-think=on")
        assert {one["reason"] for one in on} == {"thinking-only"}
        assert {one["answer"]["text"] for one in on} == {""}
        thoughts = ["0", "1", "7"] if template != ECHOES else ["<think>"] * 3
        assert sorted(one["answer"]["thinking"] for one in on) == thoughts
        assert "turn thinking off" in shown

        capsys.readouterr()
        assert main(["doctor", "--model", project.model]) in (0, 1)
        assert "thinks first" not in capsys.readouterr().out
        assert main(["describe", str(min((MNIST / "7").glob("*.png"))), "--model", project.model,
                     "--prompt", "Which digit is in this picture?"]) == 0  # fmt: skip
        assert capsys.readouterr().out.strip()
