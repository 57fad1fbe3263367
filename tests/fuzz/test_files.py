"""Files of earlier runs, however damaged: read whole, or refused with the place."""

# ruff: noqa: PT017 -- most inputs raise nothing

from __future__ import annotations

import json
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_llmclf.analysis.comparison.paired_comparison import Change, Comparison
from pytest_llmclf.errors import LlmclfError, SettingsError
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.models.recording import Recorder, ReplayBackend
from pytest_llmclf.prompting.labels import Label, LabelSet
from pytest_llmclf.prompting.prompt import Instructions
from pytest_llmclf.prompting.readers import read_label
from pytest_llmclf.reporting import artifacts
from pytest_llmclf.reporting.columns import SCHEMA
from pytest_llmclf.reporting.comparison import baseline_lines
from pytest_llmclf.reporting.run_folder import find_run, read_run
from pytest_llmclf.runner.answer_cache import AnswerStore
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.outcome import Outcome
from pytest_llmclf.values.provenance import Difference, ProvenanceChange
from pytest_llmclf.values.request import ModelIdentity, Request
from tests.fuzz.effort import assert_says, effort

LABELS = LabelSet.of(("cat", "dog"))
QUESTION = Request(system=None, prompt="?", image=b"p", media_type="image/png")


@cache
def scratch() -> Path:
    """A folder for the examples of this module."""
    return Path(tempfile.mkdtemp(prefix="fuzz-"))


odd: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1, 1, 1.5, 10**400, 2**53, "", "a", "cat", "error", "\ud800", "\x1b[2J", [],
     {}, [1], {"a": 1}, [[]], float("nan"), float("inf"), "x" * 3000, "correct", [["cat", -1.0]]]
)  # fmt: skip


def answer(**more: Any) -> dict[str, Any]:
    """An answer as JSON."""
    token = {"token": "cat", "logprob": -0.1, "top": [["cat", -0.1], ["dog", -2.0]]}
    return {**Answer.from_json({"text": "cat", "logprobs": [token]}).to_json(), **more}


def outcome(case_: str, **more: Any) -> dict[str, Any]:
    """An outcome as JSON."""
    made = Outcome(
        evaluation="pets", model="ollama:llava", model_digest="", case=case_, sha256="",
        expected="cat", kind="correct", predicted="cat", answer=Answer.from_json(answer()),
        tags={"style": "photo"}, probabilities={"cat": 0.9, "dog": 0.1}, label_mass=1.0,
    )  # fmt: skip
    return {**made.to_json(), **more}


BASELINE = Comparison(
    cases=("a", "b"),
    correct=1,
    changes=(Change(case="b", kind="fixed", expected="cat", was="dog", now="cat"),),
    unanswered=("c",),
    notes=("another prompt",),
    provenance=ProvenanceChange(
        differing=(Difference(what="instructions", before="a", now="b", diff=("-a", "+b")),),
        same=("images",),
        unknown=("model",),
    ),
)
TOLD = Instructions(
    system="Be brief.",
    turns=(("user", "Hi"),),
    question="Which?",
    labels=(Label("cat", synonyms=("kitten",)), Label("dog")),
    prompt="Which?",
    options={"seed": 1},
)


@cache
def summary() -> str:
    """``run.json`` of a sound run of two images."""
    report = build(
        evaluation="pets",
        model="ollama:llava",
        dataset=DatasetFacts(name="pets", content_hash="abc", labels=("cat", "dog")),
        outcomes=[Outcome.from_json(outcome("a")), Outcome.from_json(outcome("b"))],
        identity=ModelIdentity(backend="ollama", name="llava", digest="sha256:1"),
        collected=2,
        full_instructions=TOLD,
    )
    return json.dumps(
        {
            "schema": SCHEMA,
            "settings": {},
            "environment": {},
            "reports": [artifacts.report_json(report)],
            "gates": [{"word": "PASS", "text": "x", "evaluation": "pets", "model": "ollama:llava"}],
            "baselines": [{"evaluation": "pets", "model": "ollama:llava", **asdict(BASELINE)}],
        }
    )


def handled(outcomes: bytes, told: bytes) -> bool:
    """Whether a folder is read; then everything that follows from it can be written, too."""
    folder = scratch() / "run"
    folder.mkdir(exist_ok=True)
    (folder / "outcomes.jsonl").write_bytes(outcomes)
    (folder / "run.json").write_bytes(told)
    try:
        run = read_run(folder)
    except LlmclfError as error:
        assert_says(error)
        assert "run" in str(error)
        return False
    assert list(artifacts.outcomes_jsonl(run.reports))
    assert list(artifacts.outcomes_csv(run.reports))
    artifacts.report_text(run.reports, run.verdicts)
    for report in run.reports:
        json.dumps(artifacts.report_json(report), allow_nan=False)
    for comparison in run.baselines.values():
        comparison.summary()
        baseline_lines(comparison, None, "")
    return True


def lines(*outcomes: dict[str, Any]) -> bytes:
    """``outcomes.jsonl``."""
    return "".join(json.dumps({"schema": SCHEMA, **each}) + "\n" for each in outcomes).encode()


def test_a_sound_run_is_read() -> None:
    """What the tests below damage is a run to begin with."""
    assert handled(lines(outcome("a"), outcome("b")), summary().encode())


fields = st.sampled_from(sorted({*outcome("a"), "schema"}))


@effort(125)
@given(st.dictionaries(fields, odd, max_size=2), st.dictionaries(st.sampled_from(sorted(answer())),
                                                                odd, max_size=2))  # fmt: skip
@example({"evaluation": []}, {})
@example({"tags": [1]}, {})
@example({"tags": {"a": 1}}, {})
@example({"message": 1}, {})
@example({"probabilities": {"cat": float("nan")}}, {})
@example({"probabilities": {"cat": "x"}}, {})
@example({"label_mass": "x"}, {})
@example({"expected": 10**400}, {})
@example({"case": None}, {})
@example({"predicted": ["cat"]}, {})
@example({"repeat": "x"}, {})
@example({"repeat": -1}, {})
@example({}, {"text": 7})
@example({}, {"wall_s": "x"})
@example({}, {"logprobs": [{"token": 1, "logprob": "x", "top": []}]})
@example({}, {"finish": []})
def test_outcomes_of_any_values(changed: dict[str, Any], said: dict[str, Any]) -> None:
    """An outcome with any value in any field is refused with its line, or does no harm."""
    given_ = outcome("a", **{**changed, **({"answer": answer(**said)} if said else {})})
    handled(lines(given_, outcome("b")), summary().encode())


@effort(75)
@given(st.lists(st.tuples(st.integers(0, 6000), st.binary(max_size=3)), min_size=1, max_size=3),
       st.booleans(), st.floats(0, 1))  # fmt: skip
def test_damaged_files(changes: list[tuple[int, bytes]], first: bool, kept: float) -> None:  # noqa: FBT001 -- drawn
    """Bytes changed anywhere, and either file cut."""
    made = [lines(outcome("a"), outcome("b")), summary().encode()]
    data = bytearray(made[first])
    for at, piece in changes:
        place = at % len(data)
        data[place : place + len(piece)] = piece
    made[first] = bytes(data[: max(1, int(len(data) * kept))])
    handled(*made)


keys = st.sampled_from(["evaluation", "model", "identity", "dataset", "ledger", "order", "notes",
                        "duration_s", "instructions", "full_instructions", "tool", "stop_error",
                        "stop_rule",
                        "modelfile_digest"])  # fmt: skip


@effort(100)
@given(keys, odd)
@example("ledger", {"collected": "2"})
@example("dataset", {"name": 1, "content_hash": [], "labels": "cat"})
@example("order", ["a", "a"])
@example("order", [["a"]])
@example("notes", [1])
@example("notes", "abc")
@example("stop_error", "x")
@example("stop_rule", "x")
@example("stop_rule", {"after": 1, "tests": 0, "gates": "ab", "baselines": [1]})
@example("identity", {"backend": 1, "name": [], "digest": None})
def test_summary_of_any_values(key: str, value: Any) -> None:
    """``run.json`` with any value in any field of a report."""
    told = json.loads(summary())
    told["reports"][0][key] = value
    handled(lines(outcome("a"), outcome("b")), json.dumps(told).encode())


@effort(100)
@given(st.sampled_from(["evaluation", "model", *asdict(BASELINE)]), odd)
@example("cases", ["a", "a"])
@example("cases", "ab")
@example("correct", 2)
@example("changes", [{"case": "b", "kind": "fixed", "expected": 1, "was": None, "now": []}])
@example("changes", [{"case": "b", "kind": "odd", "expected": "", "was": "", "now": ""}])
@example("changes", [asdict(BASELINE)["changes"][0]] * 2)
def test_baseline_of_any_values(key: str, value: Any) -> None:
    """``run.json`` with any value in any field of a baseline."""
    told = json.loads(summary())
    told["baselines"][0][key] = value
    handled(lines(outcome("a"), outcome("b")), json.dumps(told).encode())


@pytest.mark.parametrize(
    "text",
    [b"[" * 100_000, b'{"schema":' * 50_000, b"\xff", b"", b"null", b"[]", b"{}", b"9" * 5000,
     b'{"schema": 1, "reports": {}}', b'{"schema": 1, "reports": [[]], "gates": 1}'],
)  # fmt: skip
def test_other_files_of_that_name(text: bytes) -> None:
    """A file that is something else altogether is refused, whichever it is."""
    assert not handled(lines(outcome("a"), outcome("b")), text)
    if text:
        assert not handled(text, summary().encode())


@pytest.mark.parametrize(
    "name", ["a" * 300, "\0", "\ud800", "a/" * 3000, "", "..", "~x/y", "[", "*"]
)
def test_name_of_a_run(name: str, tmp_path: Path) -> None:
    """A name that no folder can have is no run."""
    with pytest.raises(LlmclfError) as caught:
        read_run(find_run(name, tmp_path))
    assert_says(caught.value)


def recorded() -> list[dict[str, Any]]:
    """The lines of a recording of one answer."""
    path = scratch() / "whole.jsonl"
    path.unlink(missing_ok=True)
    identity = ModelIdentity(backend="ollama", name="llava", digest="abc")
    recorder = Recorder(path)
    recorder.record(QUESTION.digest(identity), QUESTION.summary(), identity, Answer(text="cat"))
    recorder.close()
    return [json.loads(line) for line in path.read_text().splitlines()]


def replayed(content: bytes) -> None:
    """Play a recording back: an answer that is one, or a refusal."""
    path = scratch() / "recording.jsonl"
    path.write_bytes(content)
    try:
        backend = ReplayBackend(path)
        json.dumps(backend.identify().to_json(), allow_nan=False)
        found = backend.ask(QUESTION)
    except LlmclfError as error:
        assert_says(error)
        return
    read_label(found.text, LABELS, found.finish)
    assert Answer.from_json(json.loads(json.dumps(found.to_json(), allow_nan=False))) == found


@effort(125)
@given(
    st.integers(0, 2),
    st.sampled_from(["type", "key", "identity", "model", "request", "asked", "answer",
                     "llmclf_recording"]),
    odd | st.dictionaries(st.sampled_from(sorted(answer())), odd, max_size=2).map(
        lambda said: answer(**said)
    ),
)  # fmt: skip
@example(1, "identity", {"backend": 1, "name": [], "digest": None})
@example(1, "identity", {"backend": "a", "name": "b", "digest": "c", "details": 7})
@example(2, "answer", {"text": 7})
@example(2, "answer", {"text": "a", "finish": []})
@example(2, "asked", {"options": []})
@example(0, "llmclf_recording", 10**400)
def test_recording(line: int, key: str, value: Any) -> None:
    """A recording with any value in any field of any line."""
    whole = recorded()
    whole[line][key] = value
    replayed("".join(json.dumps(each) + "\n" for each in whole).encode())


@effort(50)
@given(st.binary(max_size=40), st.floats(0, 1))
@example(b"[" * 100_000, 1.0)
@example(b'{"type":' * 50_000, 1.0)
@example(b"\xed\xa0\x80", 1.0)
def test_recording_of_any_bytes(junk: bytes, kept: float) -> None:
    """A recording that is cut and goes on with anything; and anything alone."""
    whole = "".join(json.dumps(each) + "\n" for each in recorded())
    # A first line without its end is waited for: another process may be writing it.
    head = whole.index("\n") + 1
    replayed(whole[: max(head, int(kept * len(whole)))].encode() + junk)
    replayed(junk + b"\n")
    path = scratch() / "recording.jsonl"
    try:
        Recorder(path).close()
    except SettingsError as error:
        assert_says(error)


@effort(75)
@given(odd | st.dictionaries(st.sampled_from(sorted(answer())), odd, max_size=2).map(
    lambda said: answer(**said)) | st.binary(max_size=9))  # fmt: skip
@example(b"[" * 100_000)
@example({"text": 7})
@example({"text": "a", "finish": []})
@example({"text": "a", "finish": "soon"})
@example({"text": "a", "wall_s": float("nan")})
@example({"text": "a", "logprobs": [{"token": 1, "logprob": "x", "top": []}]})
def test_row_of_a_store(value: Any) -> None:
    """A stored answer that is none is asked for anew; the store goes on."""
    with AnswerStore(None) as store:
        text = value if isinstance(value, bytes) else json.dumps(value)
        store._connection.execute("INSERT INTO answers VALUES (?, ?, ?, ?)", ("d", "m", 0.0, text))
        found = store.get("d")
        if found is None:
            assert store.notice is not None
        else:
            read_label(found.text, LABELS, found.finish)
            json.dumps(found.to_json(), allow_nan=False)
        identity = ModelIdentity(backend="ollama", name="llava", digest="abc")
        store.put("d", identity, Answer(text="cat"), replace=True)
        assert store.get("d") == Answer(text="cat")


@effort(40)
@given(st.lists(st.tuples(st.integers(0, 30_000), st.binary(min_size=1, max_size=40)), max_size=4),
       st.floats(0, 1))  # fmt: skip
def test_damaged_store(changes: list[tuple[int, bytes]], kept: float) -> None:
    """A store with bytes changed anywhere, or cut, opens; what it loses is asked for anew."""
    path = scratch() / "store.sqlite"
    for left in path.parent.glob("store.sqlite*"):
        left.unlink()
    identity = ModelIdentity(backend="ollama", name="llava", digest="abc")
    with AnswerStore(path) as store:
        for number in range(20):
            store.put(f"d{number}", identity, Answer(text="cat" * number))
    data = bytearray(path.read_bytes())
    for at, piece in changes:
        place = at % len(data)
        data[place : place + len(piece)] = piece
    path.write_bytes(data[: int(len(data) * kept)])
    with AnswerStore(path) as store:
        for number in range(20):
            found = store.get(f"d{number}")
            assert found in (None, Answer(text="cat" * number)) or store.notice or changes
        store.put("new", identity, Answer(text="dog"))
    try:
        with closing(sqlite3.connect(path)) as kept_file:
            kept_file.execute("PRAGMA quick_check")
    except sqlite3.Error:
        assert changes or kept < 1
