"""The folder of a run."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pytest_llmclf import reference
from pytest_llmclf.metrics import report, report_build
from pytest_llmclf.metrics.confusion import Confusion
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.reporting import artifacts
from pytest_llmclf.reporting.columns import COLUMN_NAMES, SCHEMA
from pytest_llmclf.values.answer import Answer, TokenLogprob
from pytest_llmclf.values.outcome import Outcome
from pytest_llmclf.values.request import ModelIdentity
from pytest_llmclf.values.verdict import Verdict

FORMULAS = ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", " =1", "\N{FULLWIDTH EQUALS SIGN}1"]


def built(*outcomes: Outcome, model: str = "ollama:llava") -> report.Report:
    """A report on two animals."""
    return report_build.build(
        evaluation="pets",
        model=model,
        dataset=DatasetFacts(name="pets", content_hash="abc", labels=("cat", "dog", "=1")),
        identity=ModelIdentity(backend="ollama", name="llava", digest="sha256:1"),
        outcomes=outcomes,
        duration_s=2.0,
    )


def ended(case: str, **more: Any) -> Outcome:
    """An outcome, correct if nothing else is said."""
    given: dict[str, Any] = {
        "evaluation": "pets",
        "model": "ollama:llava",
        "model_digest": "sha256:1",
        "case": case,
        "sha256": "00",
        "expected": "cat",
        "kind": "correct",
        "predicted": "cat",
        "answer": Answer(text="Cat.", wall_s=0.25, answer_tokens=2),
    }
    return Outcome(**{**given, **more})


def unparsed(case: str, text: str, **more: Any) -> Outcome:
    """An answer without a label."""
    return ended(
        case, kind="unparsed", predicted=None, reason="refusal", answer=Answer(text=text), **more
    )


def written(folder: Path, *reports: report.Report, **more: Any) -> Path:
    """The folder of a run with these reports."""
    artifacts.write_run(
        folder / "deep" / "run", reports, **{"settings": {}, "environment": {}, **more}
    )
    return folder / "deep" / "run"


def rows(folder: Path) -> list[dict[str, str]]:
    """The rows of the CSV file."""
    text = (folder / "outcomes.csv").read_bytes().decode("utf-8")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_all_files_are_there(tmp_path: Path) -> None:
    """The paths come back as written, the summary last, and nothing else is left."""
    found = artifacts.write_run(
        tmp_path / "run", [built(ended("a.png"))], settings={}, environment={}
    )
    assert [path.name for path in found] == [
        "outcomes.jsonl",
        "outcomes.csv",
        "report.txt",
        "summary.md",
        "confusion-pets-ollama-llava.svg",
        "run.json",
    ]
    assert sorted(found) == sorted((tmp_path / "run").iterdir())


def test_json_lines_are_complete(tmp_path: Path) -> None:
    """Every outcome comes back equal, log-probabilities and half surrogate pairs included."""
    word = TokenLogprob(token="Cat", logprob=-0.1, top=(("Cat", -0.1),))  # noqa: S106 - a word
    outcomes = (
        ended("a.png", answer=Answer(text="Cat", logprobs=(word,)), tags={"style": "photo"}),
        unparsed("b.png", "\ud800 \x1b[2J\u202e\n\u2028 猫"),
        ended("c.png", kind="error", predicted=None, answer=None, reason="timed-out", message="m"),
    )
    lines = (written(tmp_path, built(*outcomes)) / "outcomes.jsonl").read_bytes().split(b"\n")
    assert lines.pop() == b""
    found = [json.loads(line) for line in lines]
    assert [data.pop("schema") for data in found] == [SCHEMA] * 3
    assert tuple(Outcome.from_json(data) for data in found) == outcomes


def test_csv_is_flat_and_keeps_texts(tmp_path: Path) -> None:
    """Line breaks and quotes in an answer survive, tags are columns, absent values are empty."""
    folder = written(
        tmp_path,
        built(
            ended("a.png", tags={"style": "photo"}),
            unparsed("b.png", 'He said "no",\nthen\r\nleft'),
        ),
    )
    first, second = rows(folder)
    assert first["predicted"] == first["expected"] == "cat"
    assert (first["wall_s"], first["answer_tokens"], first["server_s"]) == ("0.25", "2", "")
    assert (first["tag:style"], second["tag:style"]) == ("photo", "")
    assert second["answer"] == 'He said "no",\nthen\r\nleft'
    assert (second["predicted"], second["reason"]) == ("", "refusal")
    assert list(first) == [*COLUMN_NAMES, "tag:style"]


@pytest.mark.parametrize("formula", FORMULAS, ids=ascii)
def test_csv_computes_nothing(tmp_path: Path, formula: str) -> None:
    """Text that a spreadsheet would compute has an apostrophe before it, in every column."""
    outcome = unparsed(formula, formula, message=formula, tags={"style": formula, formula: "x"})
    folder = written(tmp_path, built(outcome))
    (row,) = rows(folder)
    quoted = f"'{formula}"
    assert row["case"] == row["answer"] == row["message"] == row["tag:style"] == quoted
    assert row[f"tag:{formula}"] == "x"


def test_csv_leaves_plain_text_alone(tmp_path: Path) -> None:
    """An equals sign within a text harms nobody."""
    (row,) = rows(written(tmp_path, built(unparsed("a=b.png", "1-1 = 0"))))
    assert (row["case"], row["answer"]) == ("a=b.png", "1-1 = 0")


def test_pandas_reads_it(tmp_path: Path) -> None:
    """The accuracy that pandas finds in the CSV file is the report's."""
    folder = written(tmp_path, reference.published("chess"))
    frame = pd.read_csv(folder / "outcomes.csv")
    assert (frame["expected"] == frame["predicted"]).sum() == 77
    assert len(frame) == 465


def test_the_summary_holds_everything(tmp_path: Path) -> None:
    """Settings, environment, identities, ledgers, counts and gates are in run.json."""
    verdict = Verdict(word="PASS", text="accuracy 1 >= 0.5", evaluation="pets", model="m")
    folder = written(
        tmp_path,
        built(ended("a.png"), unparsed("b.png", "")),
        settings={"model": ["ollama:llava"], "cache": Path("c")},
        environment={"python": "3.11"},
        verdicts=[verdict],
    )
    found = json.loads((folder / "run.json").read_bytes())
    assert found["schema"] == SCHEMA
    assert found["settings"] == {"model": ["ollama:llava"], "cache": "c"}
    assert found["environment"] == {"python": "3.11"}
    assert found["gates"] == [
        {
            "word": "PASS",
            "text": "accuracy 1 >= 0.5",
            "evaluation": "pets",
            "model": "m",
            "undecided": None,
            "variant": "",
        }
    ]
    (one,) = found["reports"]
    assert one["identity"]["digest"] == "sha256:1"
    assert one["ledger"]["unparsed"] == 1
    assert one["accuracy"] == 0.5
    assert one["classes"][1] == {
        "label": "dog",
        "precision": None,
        "recall": None,
        "f1": None,
        "support": 0,
    }
    assert (folder / one["confusion_svg"]).exists()


def test_the_summary_rebuilds_the_counts(tmp_path: Path) -> None:
    """The counts in run.json are those of the outcomes beside it."""
    folder = written(tmp_path, reference.published("animals"))
    (one,) = json.loads((folder / "run.json").read_bytes())["reports"]
    lines = (folder / "outcomes.jsonl").read_text("utf-8").splitlines()
    data = [json.loads(line) for line in lines]
    outcomes = [Outcome.from_json({k: v for k, v in one.items() if k != "schema"}) for one in data]
    found = Confusion.from_outcomes(one["dataset"]["labels"], outcomes)
    assert [list(row) for row in found.counts] == one["confusion"]["counts"]


def test_the_text_has_six_digits() -> None:
    """report.txt is the terminal's text with six digits and every class."""
    found = artifacts.report_text([reference.published("mnist")], ())
    assert "0.857410" in found
    assert "0.434783" in found


def test_a_second_run_replaces_the_first(tmp_path: Path) -> None:
    """Files are replaced as a whole, and no draft is left."""
    written(tmp_path, built(*(ended(f"{number}.png") for number in range(50))))
    folder = written(tmp_path, built(ended("a.png")))
    assert [row["case"] for row in rows(folder)] == ["a.png"]
    assert not list(folder.glob(".*"))


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full the old file stays whole and no draft is left."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    folder = written(tmp_path, built(ended("a.png")))
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        written(tmp_path, built(ended("b.png")))
    assert [row["case"] for row in rows(folder)] == ["a.png"]
    assert not list(folder.glob(".*"))


def test_a_folder_with_a_summary_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The summary is written last: a run cut short has none."""

    def broken(_: report.Report) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("pytest_llmclf.reporting.artifacts.confusion_svg", broken)
    with pytest.raises(KeyboardInterrupt):
        written(tmp_path, built(ended("a.png")))
    assert not (tmp_path / "deep" / "run" / "run.json").exists()


def test_names_of_images_are_safe_and_differ() -> None:
    """A model's name cannot leave the folder, and equal names get a number."""
    reports = [
        built(model="ollama:../../etc/passwd"),
        built(model="ollama:llava"),
        built(model="ollama?llava"),
        built(model="Ollama llava"),
        built(model="x" * 300),
    ]
    found = artifacts.image_names(reports)
    assert found[0] == "confusion-pets-ollama-..-..-etc-passwd"
    assert found[1:4] == (
        "confusion-pets-ollama-llava",
        "confusion-pets-ollama-llava-2",
        "confusion-pets-ollama-llava-3",
    )
    assert len(found[4]) < 120


def test_a_run_without_reports_is_written(tmp_path: Path) -> None:
    """Nothing found is a run too."""
    folder = written(tmp_path)
    assert json.loads((folder / "run.json").read_bytes())["reports"] == []
    assert (folder / "outcomes.jsonl").read_bytes() == b""


@pytest.mark.parametrize("text", ["x" * 1_000_000, "=1+1" + "\n" * 500_000, '"' * 200_000])
def test_a_long_answer_is_cut_in_the_table_alone(text: str) -> None:
    """Python's own reader refuses a cell of more than 131072 characters, spreadsheets far fewer."""
    reports = [built(unparsed("a.png", text))]
    (row,) = csv.DictReader(artifacts.outcomes_csv(reports))
    assert len(row["answer"]) < 32_767
    assert row["answer"].endswith(f"[cut: {len(text)} characters, whole in outcomes.jsonl]")


def test_an_answer_that_fits_is_whole() -> None:
    """The mark stands on none that was not cut."""
    text = "x" * artifacts.MOST_CELL
    (row,) = csv.DictReader(artifacts.outcomes_csv([built(unparsed("a.png", text))]))
    assert row["answer"] == text
