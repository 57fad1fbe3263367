"""``llmclf judge``: answers that exist already are judged like those of a model."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from sklearn.metrics import accuracy_score, f1_score

from pytest_llmclf import read_run
from pytest_llmclf.cli import judge_command
from pytest_llmclf.data.dataset import load
from pytest_llmclf.data.foreign_logs import read_log
from pytest_llmclf.data.manifest import manifest_entries
from pytest_llmclf.errors import DatasetError, SettingsError
from tests.plugin.colour_server import png
from tests.unit.cli.command import call

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_llmclf.metrics.report import Report

TABLE = """\
file;seen;predicted
a/1.png;cat;cat
a/2.png;cat;dog
b/1.png;dog;dog
b/2.png;dog;It is a dog.
b/3.png;dog;
"""


def judged(*arguments: str, code: int = 0) -> tuple[Report, ...]:
    assert call(judge_command, "judge", *arguments) == code
    return read_run("latest").reports


def test_a_table(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Columns named or usual; what is no label is read; an empty cell is an answer without one."""
    (project / "a.csv").write_text(TABLE)
    (report,) = judged("a.csv", "--expected", "seen", "--name", "pets")
    assert (report.evaluation, report.model) == ("pets", "a.csv")
    kinds = [one.kind for one in report.outcomes]
    assert kinds == ["correct", "misclassified", "correct", "correct", "unparsed"]
    truth, said = ["cat", "cat", "dog", "dog", "dog"], ["cat", "dog", "dog", "dog", "?"]
    assert report.accuracy.value == accuracy_score(truth, said)
    assert report.macro.f1.value == pytest.approx(
        f1_score(truth, said, labels=["cat", "dog"], average="macro")
    )
    assert "UNGATED" in capsys.readouterr().out
    judged("a.csv", "--expected", "seen", "--gate", "recall[dog] >= 0.9", code=1)
    judged("a.csv", "--expected", "seen", "--gate", "accuracy >= 0.6")


def test_images_are_shown_where_they_are(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Below the file's folder, or another one; a page without them is one all the same."""
    place = project / "photos" / "a" / "1.png"
    place.parent.mkdir(parents=True)
    place.write_bytes(png("red", 1))
    (project / "a.csv").write_text(TABLE.replace("seen", "label"))
    judged("a.csv")
    assert "0 of 5 images found in . (a/1.png is not there): the page" in capsys.readouterr().out
    judged("a.csv", "--images", "photos")
    assert "1 of 5 images found in photos (a/2.png is not" in capsys.readouterr().out
    with_images = read_run("latest")
    (known,) = (one for one in with_images.reports[0].outcomes if one.sha256)
    assert known.case == "a/1.png"
    sizes = [
        len((run.path / "page.html").read_text()) for run in (read_run("previous"), with_images)
    ]
    assert sizes[0] < sizes[1]
    with pytest.raises(SettingsError, match="there is no folder nothere: --images names"):
        call(judge_command, "judge", "a.csv", "--images", "nothere")
    for name in ("2.png", "../b/1.png", "../b/2.png", "../b/3.png"):
        other = place.parent / name
        other.parent.mkdir(exist_ok=True)
        other.write_bytes(png("red", 1))
    judged("a.csv", "--images", "photos")
    assert "images found in" not in capsys.readouterr().out


def test_a_table_can_be_told_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No advice is about a Modelfile, a prompt, or an evaluation: there is none of these."""
    rows = "".join(f"{n}.png,{'cat' if n % 2 else 'dog'},{said}\n" for n in range(40)
                   for said in ("a horse" if n < 20 else "",))  # fmt: skip
    (project / "a.csv").write_text(f"path,label,answer\n{rows}")
    (report,) = judged("a.csv")
    said = capsys.readouterr().out
    assert report.told_nothing
    assert "look at the texts in the file that they come from" in said
    for word in ("Modelfile", "prompt", "Evaluation(", "the evaluation"):
        assert word not in said


def test_columns_are_asked_for(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal; elsewhere the message has the option."""
    (project / "a.csv").write_text(TABLE)
    with pytest.raises(SettingsError, match=r"expected label is none of file, seen.*--expected"):
        call(judge_command, "judge", "a.csv")

    class Typed(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stderr", Typed())
    monkeypatch.setattr("sys.stdin", Typed("seen\n"))
    assert judged("a.csv")[0].accuracy.hits == 3
    monkeypatch.setattr("sys.stdin", Typed("nonsense\n"))
    with pytest.raises(SettingsError, match="'nonsense' is no column"):
        call(judge_command, "judge", "a.csv")
    (project / "b.csv").write_text(TABLE.replace("seen", "truth").replace("predicted", "said"))
    monkeypatch.setattr("sys.stdin", Typed("said\n"))
    assert judged("b.csv")[0].accuracy.hits == 3
    (project / "c.csv").write_text(TABLE.replace("file", "picture").replace("seen", "label"))
    for typed, case in (("picture\n", "a/1.png"), ("\n", "row 1")):
        monkeypatch.setattr("sys.stdin", Typed(typed))
        assert judged("c.csv")[0].outcomes[0].case == case
    (project / "d.csv").write_text("picture,label,answer,model\n1,a,a,m\n1,b,b,n\n")
    monkeypatch.setattr("sys.stdin", Typed("\n"))
    with pytest.raises(SettingsError, match=r"several models .* with --image COLUMN"):
        call(judge_command, "judge", "d.csv")


def test_a_column_with_another_name_names_the_images(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the note says, and as the message says where a folder of images is given in vain."""
    (project / "a.csv").write_text(TABLE.replace("file", "picture").replace("seen", "label"))
    (report,) = judged("a.csv")
    assert any("--image COLUMN" in note for note in report.notes)
    with pytest.raises(SettingsError, match=r"picture, label, predicted with --image COLUMN, or"):
        call(judge_command, "judge", "a.csv", "--images", ".")
    (report,) = judged("a.csv", "--images", ".", "--image", "picture")
    assert report.outcomes[0].case == "a/1.png"
    assert "0 of 5 images found in . (a/1.png" in capsys.readouterr().out


def test_rows_are_numbered_where_no_column_names_images(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As with the two lists that scikit-learn takes; the report says so."""
    (project / "a.csv").write_text("y_true,y_pred\n0,0\n1,1.0\n1,0\n0,\n")
    (report,) = judged("a.csv")
    assert [one.case for one in report.outcomes] == ["row 1", "row 2", "row 3", "row 4"]
    assert (report.accuracy.hits, report.accuracy.total) == (2, 4)
    assert any("rows are numbered" in note for note in report.notes)
    assert "images found in" not in capsys.readouterr().out
    with pytest.raises(SettingsError, match=r"one of y_true, y_pred with --image COLUMN, or leave"):
        call(judge_command, "judge", "a.csv", "--images", ".")
    (project / "b.csv").write_text("path,y_true,y_pred\na,0,0\nb,1,1\n")
    assert not any("rows are numbered" in note for note in judged("b.csv")[0].notes)


def test_labels_are_those_of_any_table(project: Path) -> None:
    """Several right ones, images of no class, whole numbers that a data frame made fractions."""
    (project / "a.csv").write_text(
        "path,label,pred\n1,cat|dog,dog\n2,dog,cat\n3,cat,cat\n"
        "4,none of these,cat\n5,none of these,"
    )
    (report,) = judged("a.csv", "--gate", "false_accept <= 0.5")
    assert report.dataset.labels == ("cat", "dog", "none of these")
    assert (report.accuracy.hits, report.accuracy.total) == (2, 5)
    assert (report.false_accept.hits, report.false_accept.total) == (1, 2)
    (other,) = judged("a.csv", "--none-label", "cat", "--gate", "false_accept <= 0.5")
    assert (other.false_accept.hits, other.false_accept.total) == (0, 1)
    (project / "b.csv").write_text("path,label,pred\n1,1.0,1\n2,0.0,1\n3,1.0,1.0\n")
    (numbers,) = judged("b.csv")
    assert numbers.dataset.labels == ("0", "1")
    assert numbers.accuracy.hits == 2


def promptfoo() -> dict[str, Any]:
    def result(number: int, prompt: str, output: str | None, **more: Any) -> dict[str, Any]:
        return {
            "testIdx": number,
            "provider": {"id": "openai:gpt-4o", "label": ""},
            "prompt": {"raw": prompt, "label": prompt},
            "response": {} if output is None else {
                "output": output, "tokenUsage": {"prompt": 600, "completion": 2},
            },
            "latencyMs": 1500,
            "error": "timed out" if output is None else "Expected output to equal",
            **more,
        }  # fmt: skip

    first: dict[str, Any] = {"vars": {"image": "file://a/1.png", "label": "cat"}, "testCase": {}}
    second: dict[str, Any] = {
        "vars": {"path": "b/1.png"},
        "testCase": {"assert": [{"type": "equals", "value": "dog"}]},
    }
    rows = [
        result(number, prompt, output, **test)
        for prompt, outputs in (("Which?", ["cat", "cat"]), ("Which | pet?", ["cat", None]))
        for number, (output, test) in enumerate(zip(outputs, (first, second), strict=True))
    ]
    return {"results": {"version": 3, "results": rows, "stats": {}}}


@pytest.mark.parametrize(
    ("encoding", "separator"), [("utf-8-sig", ";"), ("utf-16", ","), ("utf-16-be", "\t")]
)
def test_tables_as_spreadsheets_save_them(project: Path, encoding: str, separator: str) -> None:
    """Marked or not, with any usual separator, the same for answers and for a list of labels."""
    text = "path,label,predicted\nä,cat,cat\nb,dog,cat\n".replace(",", separator)
    (project / "a.csv").write_bytes(text.encode(encoding))
    (report,) = judged("a.csv")
    assert [one.case for one in report.outcomes] == ["b", "ä"]
    problems: list[str] = []
    found = [(one.id, one.label) for one in manifest_entries(project / "a.csv", problems)]
    assert (found, problems) == ([("ä", "cat"), ("b", "dog")], [])


@pytest.mark.parametrize("word", ["", "NaN", "nan", "None", "NA"])
def test_a_label_that_is_missing_is_no_class(project: Path, word: str) -> None:
    """It is told with its rows; where such a word is a class, that is said, and it is one."""
    rows = "".join(f"{place},{word},{word}\n" for place in range(3, 10))
    (project / "a.csv").write_text(f"path,label,predicted\n1,cat,cat\n2,dog,dog\n{rows}")
    with pytest.raises(SettingsError, match=r"row 3, row 4, .* and 2 more: which label") as told:
        call(judge_command, "judge", "a.csv")
    assert (f"--labels {word}" in str(told.value)) == bool(word)
    if word:
        (report,) = judged("a.csv", "--labels", word)
        assert (set(report.dataset.labels), report.accuracy.hits) == ({"cat", "dog", word}, 9)
        judged("a.csv", "--none-label", word)
        with pytest.raises(DatasetError, match=rf"a\.csv:4, .*: '{word}' is how programs"):
            load(project / "a.csv", verify_images=False)
        labels = ["cat", "dog", word]
        with pytest.raises(DatasetError) as other:  # for no image is there
            load(project / "a.csv", labels=labels, verify_images=False)
        assert "how programs" not in str(other.value)


def test_promptfoo(project: Path) -> None:
    """A report a prompt; labels from variables and assertions; a failed request is an error."""
    (project / "results.json").write_text(json.dumps(promptfoo()))
    plain, piped = judged("results.json", code=1)
    assert [one.task.variant for one in (plain, piped)] == ["1: Which?", "2: Which / pet?"]
    assert [one.case for one in plain.outcomes] == ["a/1.png", "b/1.png"]
    assert [one.kind for one in plain.outcomes] == ["correct", "misclassified"]
    assert [one.kind for one in piped.outcomes] == ["correct", "error"]
    answer = plain.outcomes[0].answer
    assert answer is not None
    assert (answer.wall_s, answer.prompt_tokens, answer.answer_tokens) == (1.5, 600, 2)


@pytest.mark.parametrize(("label", "read"), [("1e400", "1e400"), ("NaN", ""), ("2.5", "2.5")])
def test_numbers_of_a_log_are_labels_as_written(project: Path, label: str, read: str) -> None:
    """One that no float holds is not the class ``inf``; what is no number is no label."""
    whole = json.dumps(promptfoo()).replace('"dog"', label)
    (project / "results.json").write_text(whole)
    log = read_log(project / "results.json", (project / "results.json").read_bytes())
    assert log is not None
    assert {one.expected for one in log.answers} == {"cat", read}


def inspect(epochs: int = 1) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    said = {"digit-1": ("B", "ANSWER: B"), "digit-2": ("B", "ANSWER: A")}
    samples = [
        {
            "id": name,
            "epoch": epoch,
            "input": [{"role": "user", "content": [{"type": "image", "image": "attachment://1"}]}],
            "choices": ["seven", "eight"],
            "target": target,
            "output": {
                "choices": [{"message": {"content": [{"type": "text", "text": text}]}}],
                "usage": {"input_tokens": 600, "output_tokens": 5},
                "time": 0.5,
            },
            "scores": {"choice": {"value": "C", "answer": text[-1]}},
        }
        for name, (target, text) in said.items()
        for epoch in range(1, epochs + 1)
    ]
    return {"version": 2, "status": "success", "eval": {"task": "digits", "model": "m/x"}}, samples


@pytest.mark.parametrize("zipped", [True, False])
def test_inspect(project: Path, *, zipped: bool) -> None:
    """As archive or JSON; letters become labels, epochs repeats."""
    head, samples = inspect(epochs=2)
    if zipped:
        with zipfile.ZipFile(project / "log.eval", "w", zipfile.ZIP_DEFLATED) as log:
            log.writestr("header.json", json.dumps(head))
            for one in samples:
                log.writestr(f"samples/{one['id']}_epoch_{one['epoch']}.json", json.dumps(one))
    else:
        (project / "log.eval").write_text("")
        (project / "log.json").write_text(json.dumps({**head, "samples": samples}))
    (report,) = judged("log.eval" if zipped else "log.json", "--labels", "seven,eight,nine")
    assert (report.evaluation, report.model) == ("digits", "m/x")
    assert report.confusion.labels == ("eight", "nine", "seven")
    assert [one.predicted for one in report.outcomes] == ["eight", "seven"]
    assert len(report.repeats) == 2


def test_several_labels_of_a_log_are_right(project: Path) -> None:
    """As a list, or in one text; a sign within a label that is listed parts nothing."""
    targets = ["cat", "dog", "cat|dog", ["cat", "dog"]]
    said = ["cat", "dog", "dog", "cat"]
    head = {"eval": {"task": "pets", "model": "m"}}
    samples: list[dict[str, Any]] = [
        {"id": place, "target": target, "output": {"choices": [{"message": {"content": text}}]}}
        for place, (target, text) in enumerate(zip(targets, said, strict=True))
    ]
    rows = [
        {"vars": {"image": str(place)} | ({} if place % 2 else {"label": target}),
         "testCase": {"assert": [{"type": "contains-any", "value": target}]},
         "provider": "m", "response": {"output": text}}
        for place, (target, text) in enumerate(zip(targets, said, strict=True))
    ]  # fmt: skip
    documents = [
        json.dumps({"doc_id": place, "target": target, "filtered_resps": [text]})
        for place, (target, text) in enumerate(zip(targets, said, strict=True))
    ]
    (project / "a.json").write_text(json.dumps({**head, "samples": samples}))
    (project / "b.json").write_text(json.dumps({"results": {"results": rows}}))
    (project / "c.jsonl").write_text("\n".join(documents))
    for name in ("a.json", "b.json", "c.jsonl"):
        (report,) = judged(name)
        assert (report.dataset.labels, report.accuracy.hits) == (("cat", "dog"), 4), name
        assert [one.also for one in report.outcomes if one.case in "23"] == [("dog",)] * 2
    samples[2]["choices"] = ["cat|dog", "bird"]
    (project / "a.json").write_text(json.dumps({**head, "samples": samples}))
    assert judged("a.json")[0].dataset.labels == ("cat", "cat|dog", "dog")
    assert judged("c.jsonl", "--labels", "cat,dog,cat|dog")[0].accuracy.hits == 3


def test_lmms_eval(project: Path) -> None:
    """A line a document; the last filtered answer counts."""
    lines = [
        {"doc_id": 0, "doc": {"image": "a.png"}, "target": "cat", "filtered_resps": ["cat"]},
        {"doc_id": 1, "doc": {}, "target": "dog", "resps": [["I see a cat."]]},
    ]
    path = project / "samples_pets.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    (report,) = judged(str(path))
    assert [(one.case, one.predicted) for one in report.outcomes] == [
        ("1", "cat"),
        ("a.png", "cat"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", "{}", "no log of promptfoo or Inspect"),
        ("a.json", "{", "cannot be read as a log"),
        ("a.json", '{"eval": {}, "samples": []}', "'model' is missing|expects nothing"),
        ("a.json", '{"results": {"results": [{}]}}', "which label is expected is not said"),
        ("a.eval", "PK\x03\x04 cut", "cannot be read as a log"),
        ("a.csv", "path,label,predicted\n1.png,,cat\n", "row 1: which label is expected"),
        ("a.csv", "path,label,predicted\n1.png,cat,cat\n", "two labels or more"),
        ("a.csv", "path,label,predicted\n1,cat,cat\n1,dog,cat\n", "1 is there 2 times"),
        (
            "a.csv",
            "path,label\n1.png,cat\n",
            "which column holds the predicted labels.*--predicted COLUMN",
        ),
        ("a.csv", "model,label,pred\nm,cat,cat\nn,dog,dog\n", "several models.*--image COLUMN"),
        ("a.txt", "", "cannot be read"),
        ("a.json", "[" * 9999, "cannot be read as a log.*write a table"),
        ("a.json", '{"results": []}', "log of promptfoo without an answer: let its evaluation end"),
        ("a.jsonl", '{"path": "1", "label": "cat"}\nnot', r":2: not JSON .*one object a line"),
        ("a.jsonl", '{"doc_id": 1, "target": "a"}\nnot', r":2: not JSON .*one object a line"),
        ("a.csv", "label,answer\ncat\u202e,cat\ndog,dog\n", r"the label 'cat\\u202e' has control"),
        ("a.csv", "label,answer\nCat,cat\ncat,cat\n", r"means both .*\(--reader exact\)"),
        ("a.xlsx", "", "is no table by its ending"),
    ],
)
def test_what_cannot_be_judged_is_told(project: Path, name: str, text: str, said: str) -> None:
    """With the file, the place and what to do; nothing is written."""
    (project / name).write_text(text)
    with pytest.raises(SettingsError, match=f"{name}.*({said})"):
        call(judge_command, "judge", name)
    assert not list(project.rglob("run.json"))


def test_the_remedy_for_labels_told_by_case_works(project: Path) -> None:
    """With the reader that is named such labels are two, and an answer is one of them."""
    (project / "a.csv").write_text("label,answer\nCat,cat\ncat,cat\nCat,Cat\n")
    (report,) = judged("a.csv", "--reader", "exact")
    assert [one.kind for one in report.outcomes] == ["misclassified", "correct", "correct"]


def test_a_text_may_be_of_any_length(project: Path) -> None:
    """As long as a model thought aloud; what csv takes elsewhere in the process stays as it was."""
    before = csv.field_size_limit()
    text = "It looks so. " * 11_000
    assert len(text) > before
    (project / "a.csv").write_text(f"label,predicted,text\ncat,cat,{text}\ndog,dog,\n")
    (report,) = judged("a.csv")
    assert [one.kind for one in report.outcomes] == ["correct", "correct"]
    assert csv.field_size_limit() == before


def test_no_file_and_no_gate(project: Path) -> None:
    """Both are told before anything is written."""
    with pytest.raises(SettingsError, match="name a file of predictions"):
        call(judge_command, "judge", "nowhere.csv")
    (project / "a.csv").write_text(TABLE)
    with pytest.raises(SettingsError, match="accurcy"):
        call(judge_command, "judge", "a.csv", "--expected", "seen", "--gate", "accurcy >= 1")
    with pytest.raises(SettingsError, match="bird"):
        call(judge_command, "judge", "a.csv", "--expected", "seen", "--gate", "recall[bird] >= 1")
    with pytest.raises(SettingsError, match=r"'gues', which --predicted names, but file"):
        call(judge_command, "judge", "a.csv", "--expected", "seen", "--predicted", "gues")
    for option in ("--predicted", "--text"):
        with pytest.raises(SettingsError, match="every image would be right"):
            call(judge_command, "judge", "a.csv", "--expected", "seen", option, "seen")
