"""Recordings: written by many, played back exactly or not at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf.errors import ReplayMismatch, SettingsError
from pytest_llmclf.models import recording
from pytest_llmclf.models.recording import Recorder, ReplayBackend
from pytest_llmclf.models.recording_file import TELLS_ERRORS
from pytest_llmclf.prompting.labels import Label
from pytest_llmclf.prompting.prompt import Instructions
from pytest_llmclf.values.answer import Answer, TokenLogprob
from pytest_llmclf.values.example_image import ExampleImage
from pytest_llmclf.values.request import ModelIdentity, Request
from tests.forkserver import fresh_or_forked

if TYPE_CHECKING:
    from pathlib import Path

LLAVA = ModelIdentity(backend="ollama", name="llava", digest="d1" * 32, server="ollama 0.33.0")
SMALL = ModelIdentity(backend="llamacpp", name="micro-llava", digest="e2" * 32)
REQUEST = Request(
    system="One word.", prompt="Which digit?", image=b"image", media_type="image/png",
    options={"temperature": 0, "stop": ["x"]}, examples=(("user", "Hi"),),
)  # fmt: skip
ANSWER = Answer(
    text="7\u2028\x85 \ud800", prompt_tokens=3, wall_s=0.5,
    logprobs=(TokenLogprob(token="7", logprob=-0.1, top=(("7", -0.1), ("1", -2.5))),),  # noqa: S106
)  # fmt: skip


def _write(path: Path, *identities: ModelIdentity, request: Request = REQUEST) -> None:
    recorder = Recorder(path)
    for identity in identities:
        recorder.record(request.digest(identity), request.summary(), identity, ANSWER)
    recorder.close()


def test_an_answer_comes_back_as_it_was(tmp_path: Path) -> None:
    """Text with odd characters, counts and log-probabilities survive."""
    path = tmp_path / "run.jsonl"
    _write(path, LLAVA)
    replay = ReplayBackend(path)
    assert replay.ask(REQUEST) == ANSWER
    replay.close()


def test_identity_is_the_recorded_one(tmp_path: Path) -> None:
    """Requests have the same digests as when they were recorded."""
    path = tmp_path / "run.jsonl"
    _write(path, LLAVA)
    identity = ReplayBackend(path).identify()
    assert REQUEST.digest(identity) == REQUEST.digest(LLAVA)
    assert identity.spec == "ollama:llava"
    assert identity.details["replayed from"] == "run.jsonl"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"prompt": "Which animal?"}, 'prompt differs (recorded "Which digit?", asked "Which a'),
        ({"image": b"other"}, "image bytes differ ("),
        ({"system": None}, "system differs"),
        ({"options": {"temperature": 1, "stop": ["x"]}}, "option temperature differs"),
        ({"options": {"temperature": 1}}, "options stop and temperature differ ("),
        ({"answer_schema": {"type": "string"}}, "answer schema differs"),
        ({"top_logprobs": 5}, "top logprobs differ"),
        ({"repeat": 1}, "repeat differs"),
        ({"examples": ()}, "examples differ ("),
        ({"media_type": "image/jpeg"}, "media type differs"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_mismatch_names_what_differs(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    """Any other request is refused, with the difference and the remedy."""
    path = tmp_path / "run.jsonl"
    _write(path, LLAVA)
    with pytest.raises(ReplayMismatch) as caught:
        ReplayBackend(path).ask(replace(REQUEST, **changes))
    assert named in str(caught.value)
    assert "record again" in caught.value.remedy
    assert str(caught.value).count("differ") == 1
    assert not caught.value.retryable


def test_every_field_of_a_request_is_summarised() -> None:
    """A new field of a request must be able to explain a mismatch."""
    # Only a shortcut to a figure that is in the summary.
    shown = ExampleImage(
        file="a", label="7", answer="7", sha256="1", sent="1", media_type="image/png"
    )
    summary = replace(REQUEST, example_images=(shown,)).summary()
    # What image it is is no part of what is sent, and a recording answers to what is sent.
    assert set(summary) == set(Request.__dataclass_fields__) - {"known_sha256", "case"}


def test_the_nearest_recording_explains(tmp_path: Path) -> None:
    """Of several recorded requests the one with the same image is compared."""
    path = tmp_path / "run.jsonl"
    _write(path, LLAVA, request=replace(REQUEST, image=b"other", repeat=0))
    _write(path, LLAVA, request=replace(REQUEST, prompt="Which figure?"))
    with pytest.raises(ReplayMismatch, match="Which figure"):
        ReplayBackend(path).ask(REQUEST)


def test_an_edited_digest_is_noticed(tmp_path: Path) -> None:
    """The same question under another digest is no match."""
    path = tmp_path / "run.jsonl"
    _write(path, LLAVA)
    path.write_text(path.read_text("utf-8", "surrogatepass").replace(
        REQUEST.digest(LLAVA), "0" * 64), "utf-8", "surrogatepass")  # fmt: skip
    with pytest.raises(ReplayMismatch, match="edited"):
        ReplayBackend(path).ask(REQUEST)


def test_several_models_share_a_file(tmp_path: Path) -> None:
    """One is chosen by spec, name or digest; without a choice the models are listed."""
    path = tmp_path / "run.jsonl"
    _write(path, LLAVA, SMALL)
    for chosen in ("llamacpp:micro-llava", "micro-llava", "e2e2"):
        assert ReplayBackend(path, chosen).identify().name == "micro-llava"
    with pytest.raises(SettingsError, match=r"several models: ollama:llava .*micro-llava"):
        ReplayBackend(path)
    with pytest.raises(SettingsError, match="not gemma"):
        ReplayBackend(path, "gemma")


def test_a_recording_is_continued(tmp_path: Path) -> None:
    """A later run adds to it; the later of two answers counts."""
    path = tmp_path / "run.jsonl"
    _write(path, LLAVA)
    recorder = Recorder(path)
    later = replace(ANSWER, text="8")
    recorder.record(REQUEST.digest(LLAVA), REQUEST.summary(), LLAVA, later)
    recorder.close()
    recorder.close()
    assert ReplayBackend(path).ask(REQUEST).text == "8"
    assert path.read_bytes().count(b"llmclf_recording") == 1


@pytest.mark.parametrize(
    "content", [b"precious notes\n", b"", b'{"a": 1}\n', b"[]\n", b"\xff\xfe", b"null\n"]
)
def test_another_file_is_not_overwritten(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is no recording stays as it is."""
    monkeypatch.setattr("pytest_llmclf.models.recording_file._HEADER_WAIT_S", 0.05)
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="no recording"):
        Recorder(path)
    with pytest.raises(SettingsError):
        ReplayBackend(path)
    assert path.read_bytes() == content


def test_another_format_is_refused(tmp_path: Path) -> None:
    """A recording of a later version says so."""
    path = tmp_path / "run.jsonl"
    path.write_text('{"type":"header","llmclf_recording":99}\n', "utf-8")
    with pytest.raises(SettingsError, match="format 99"):
        Recorder(path)
    with pytest.raises(SettingsError, match="format 99"):
        ReplayBackend(path)


def test_a_missing_file_says_how_to_make_it(tmp_path: Path) -> None:
    """A replay of nothing names the option."""
    with pytest.raises(SettingsError, match="--llmclf-record FILE"):
        ReplayBackend(tmp_path / "none.jsonl")
    with pytest.raises(SettingsError, match="cannot be written"):
        Recorder(tmp_path)


def test_an_empty_recording_says_so(tmp_path: Path) -> None:
    """A run that asked nobody leaves one: there is no model to choose, whichever is named."""
    path = tmp_path / "run.jsonl"
    Recorder(path).close()
    for name in ("", "llava"):
        with pytest.raises(SettingsError, match=r"is empty: .*; record a run with --llmclf-record"):
            ReplayBackend(path, name)


def test_a_line_that_a_crash_cut_is_skipped(tmp_path: Path) -> None:
    """The rest is read, and the next recorder removes it."""
    path = tmp_path / "run.jsonl"
    _write(path, LLAVA)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    with pytest.raises(ReplayMismatch, match=r"no answers.*; .*run\.jsonl:3 is cut"):
        ReplayBackend(path).ask(REQUEST)
    _write(path, LLAVA)
    assert ReplayBackend(path).ask(REQUEST) == ANSWER
    assert b"".join(path.read_bytes().splitlines(keepends=True)[:3]).endswith(b"}\n")


@pytest.mark.parametrize("cut_at", ["\u00e9", "identity"], ids=["in-a-letter", "in-the-model"])
def test_every_mismatch_tells_of_the_cut(tmp_path: Path, cut_at: str) -> None:
    """Later mismatches name the line, also where the cut is inside a letter."""
    path = tmp_path / "run.jsonl"
    _write(path, LLAVA)
    _write(path, SMALL, request=replace(REQUEST, prompt="\u00e9"))
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex(cut_at.encode()) + 1])
    replay = ReplayBackend(path, "llava")
    assert replay.ask(REQUEST) == ANSWER
    for prompt in ("a", "b"):
        with pytest.raises(ReplayMismatch, match=r"run\.jsonl:\d is cut"):
            replay.ask(replace(REQUEST, prompt=prompt))


def test_a_last_line_without_its_end_is_whole(tmp_path: Path) -> None:
    """An editor may leave the last line end out; nothing is lost, then or on recording on."""
    path = tmp_path / "run.jsonl"
    _write(path, LLAVA)
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    assert ReplayBackend(path).ask(REQUEST) == ANSWER
    _write(path, SMALL)
    assert ReplayBackend(path, "llava").ask(REQUEST) == ANSWER
    assert ReplayBackend(path, "micro-llava").ask(REQUEST) == ANSWER


def test_a_long_cut_line_is_removed(tmp_path: Path) -> None:
    """Also one that is longer than what is read at once."""
    path = tmp_path / "run.jsonl"
    _write(path, LLAVA)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"type":"answer","x":"' + b"x" * 200_000)
    Recorder(path).close()
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    "line",
    [
        '{"type":"answer","model":', "[]", "7", '{"type":"answer"}', "\udcff",
        '{"type":"answer","model":"x","request":"y","answer":{"text":"7"}}',
        '{"type":"answer","model":"x","request":"y","asked":1,"answer":{"text":"7"}}',
    ],
)  # fmt: skip
def test_another_broken_line_is_refused_on_loading(tmp_path: Path, line: str) -> None:
    """Whatever is wrong with it, file, line and remedy are named."""
    path = tmp_path / "run.jsonl"
    _write(path, LLAVA)
    with path.open("ab") as file:
        file.write(line.encode("utf-8", "surrogateescape") + b"\n")
    with pytest.raises(SettingsError, match=r"run\.jsonl:4: .*remove the line or record again"):
        ReplayBackend(path)


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    """Damage that no crash explains is not passed over."""
    path = tmp_path / "run.jsonl"
    _write(path, LLAVA)
    with path.open("a", encoding="utf-8") as file:
        file.write("rubbish\n")
    with pytest.raises(SettingsError, match=r"run\.jsonl:4: no line"):
        ReplayBackend(path)


def test_threads_do_not_mix_lines(tmp_path: Path) -> None:
    """Answers recorded at once all arrive whole."""
    path = tmp_path / "run.jsonl"
    recorder = Recorder(path)
    requests = [replace(REQUEST, prompt=f"{number} " * 500) for number in range(40)]

    def write(part: list[Request]) -> None:
        for request in part:
            recorder.record(request.digest(LLAVA), request.summary(), LLAVA, ANSWER)

    threads = [threading.Thread(target=write, args=(requests[i::4],)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    recorder.close()
    replay = ReplayBackend(path)
    assert all(replay.ask(request) == ANSWER for request in requests)


WRITER = """
import sys
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.models.recording import Recorder
from pytest_llmclf.values.request import ModelIdentity
path, name = sys.argv[1:]
recorder = Recorder(path)
for number in range(50):
    identity = ModelIdentity(backend="b", name="m", digest="d")
    recorder.record(f"{name}-{number}", {"prompt": name * 3000}, identity, Answer(text=name))
recorder.close()
"""


def test_processes_do_not_mix_lines(tmp_path: Path) -> None:
    """Workers that start together share one header and lose no line."""
    path = tmp_path / "run.jsonl"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    writers = [
        subprocess.Popen([fresh_or_forked(), "-c", WRITER, str(path), name], env=environment)  # noqa: S603
        for name in "abcd"
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0, 0]
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert sum("llmclf_recording" in line for line in lines) == 1
    answers = {line["request"] for line in lines if line["type"] == "answer"}
    assert answers == {f"{name}-{number}" for name in "abcd" for number in range(50)}


def test_a_closed_recording_takes_nothing_more(tmp_path: Path) -> None:
    """Writing after the end is refused, not lost."""
    recorder = Recorder(tmp_path / "run.jsonl")
    recorder.close()
    with pytest.raises(SettingsError, match="closed already"):
        recorder.record("0" * 64, REQUEST.summary(), LLAVA, Answer(text="7"))


OTHER = replace(LLAVA, digest="d2" * 32)
"""The same model with another text derived into it."""
TOLD = Instructions(
    system="Two words.", question="?", labels=(Label("7"), Label("8")), prompt="Which digit?",
    turns=REQUEST.examples, options=REQUEST.options,
)  # fmt: skip
ASKED = replace(REQUEST, system="Two words.")


def test_a_model_under_several_digests_is_one(tmp_path: Path) -> None:
    """Whoever was told the same answers, and nobody else."""
    path = tmp_path / "run.jsonl"
    _write(path, LLAVA)
    _write(path, OTHER, request=ASKED)
    replay = ReplayBackend(path, told=TOLD)
    assert replay.identify().digest == OTHER.digest
    assert replay.ask(ASKED) == ANSWER
    assert replay.notices == ()
    with pytest.raises(ReplayMismatch, match=r"recorded of d1d1.* alone, .* cannot be mixed"):
        replay.ask(REQUEST)
    first = ReplayBackend(path, told=replace(TOLD, system=REQUEST.system))
    assert first.identify().digest == LLAVA.digest


def test_without_instructions_every_digest_is_searched(tmp_path: Path) -> None:
    """Who asks one question has no evaluation."""
    path = tmp_path / "run.jsonl"
    _write(path, LLAVA)
    _write(path, OTHER, request=ASKED)
    replay = ReplayBackend(path, "llava")
    assert replay.ask(REQUEST) == replay.ask(ASKED) == ANSWER
    assert ReplayBackend(path, "d1d1").identify().digest == LLAVA.digest


def test_what_nobody_was_told_is_explained(tmp_path: Path) -> None:
    """By the nearest question that any of them was asked."""
    path = tmp_path / "run.jsonl"
    _write(path, LLAVA)
    _write(path, OTHER, request=ASKED)
    told = replace(TOLD, system=None)
    with pytest.raises(ReplayMismatch, match="system differs"):
        ReplayBackend(path, told=told).ask(replace(REQUEST, system=None))


def test_a_recording_that_was_continued_meanwhile_is_read_again(tmp_path: Path) -> None:
    """What was read once is kept only as long as the file is the same."""
    path = tmp_path / "run.jsonl"
    _write(path, LLAVA)
    ReplayBackend(path)
    _write(path, LLAVA, request=ASKED)
    assert ReplayBackend(path).ask(ASKED) == ANSWER


GATEWAY = ModelIdentity(backend="openai", name="m", digest="f3" * 32)
SOUND = Answer(text="green", answer_tokens=2)
DOUBTFUL = {
    "no count": (GATEWAY, Answer(text="green")),
    "broken off": (GATEWAY, Answer(text="green", finish="other", answer_tokens=1)),
    "empty": (GATEWAY, Answer(text="")),
    "Ollama's": (LLAVA, Answer(text="7", finish="other")),
}


def _earlier(path: Path) -> None:
    """Make a recording look as one of a version that kept errors for answers."""
    mark = json.dumps({TELLS_ERRORS: True}, separators=(",", ":"))[1:-1].encode()
    whole = path.read_bytes()
    assert mark in whole
    path.write_bytes(whole.replace(b"," + mark, b""))


@pytest.mark.parametrize(("who", "answer"), DOUBTFUL.values(), ids=DOUBTFUL)
def test_what_may_be_an_error_of_an_earlier_version_is_no_answer(
    tmp_path: Path, who: ModelIdentity, answer: Answer
) -> None:
    """It is said to be one and recorded anew; what this version recorded is sound."""
    path = tmp_path / "run.jsonl"
    other = replace(REQUEST, prompt="Which colour?")
    recorder = Recorder(path)
    recorder.record(REQUEST.digest(who), REQUEST.summary(), who, answer)
    recorder.record(other.digest(who), other.summary(), who, SOUND)
    recorder.close()
    assert ReplayBackend(path).ask(REQUEST) == answer
    _earlier(path)
    replay = ReplayBackend(path)
    with pytest.raises(ReplayMismatch, match="may hold an error of the server") as caught:
        replay.ask(REQUEST)
    assert "--llmclf-record" in caught.value.remedy
    assert replay.ask(other) == SOUND
    recorder = Recorder(path)  # continued by this version
    recorder.record(REQUEST.digest(who), REQUEST.summary(), who, answer)
    recorder.close()
    assert ReplayBackend(path).ask(REQUEST) == answer


def test_what_cannot_be_an_error_is_played_back(tmp_path: Path) -> None:
    """A model of this machine that counts nothing, in a file of an earlier version."""
    path = tmp_path / "run.jsonl"
    _write(path, SMALL, LLAVA)
    _earlier(path)
    assert ReplayBackend(path, "llamacpp:micro-llava").ask(REQUEST) == ANSWER
    assert ReplayBackend(path, "ollama:llava").ask(REQUEST) == ANSWER


@pytest.mark.skipif(sys.platform == "win32", reason="Windows waits by itself, for ten seconds")
def test_a_recording_that_another_process_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that was stopped within a write: the wait for it ends, and that is said."""
    import fcntl

    monkeypatch.setattr(recording, "LOCK_S", 0.05)
    path = tmp_path / "run.jsonl"
    _write(path, LLAVA)
    recorder = Recorder(path)
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        recorder.record(REQUEST.digest(SMALL), REQUEST.summary(), SMALL, ANSWER)
        with pytest.raises(SettingsError, match="another process holds it"):
            Recorder(path)
    assert "is incomplete (another process holds it)" in (recorder.notice or "")
    recorder.close()
    assert ReplayBackend(path).ask(REQUEST) == ANSWER
