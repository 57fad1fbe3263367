"""Language models, classical classifiers and files of predictions in one run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours

pytestmark = pytest.mark.usefixtures("one_learner")

YARDSTICK = "yardstick:logistic"


def predicted(colours: Colours) -> dict[str, str | None]:
    """By image, what the yardstick of the last run said."""
    text = (colours.root / "run" / "outcomes.jsonl").read_text("utf-8")
    lines = map(json.loads, text.splitlines())
    return {line["case"]: line["predicted"] for line in lines if line["model"] == YARDSTICK}


def probabilities(colours: Colours) -> dict[str, dict[str, float]]:
    """By image, how sure the yardstick of the last run was."""
    text = (colours.root / "run" / "outcomes.jsonl").read_text("utf-8")
    lines = map(json.loads, text.splitlines())
    return {line["case"]: line["probabilities"] for line in lines if line["model"] == YARDSTICK}


def test_three_kinds_meet_in_one_run(colours: Colours) -> None:
    """Each is judged; gates without a model spare the yardstick; a missing row is an error."""
    rows = [f"{colour}/{number}.png,{colour}" for colour in ("red", "green") for number in range(3)]
    rows += ["blue/0.png,red", "blue/1.png,turquoise", "pink/1.png,red"]
    (colours.root / "others.csv").write_text("\n".join(["path,predicted", *rows]), "utf-8")
    result = colours.run(
        "--llmclf-model=predictions:others.csv", f"--llmclf-model={YARDSTICK}", "--llmclf-parquet"
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    reports = {report["model"]: report for report in colours.summary()["reports"]}
    assert list(reports) == ["openai:colours", "predictions:others.csv", YARDSTICK]
    counted = {
        name: count for name, count in reports["predictions:others.csv"]["ledger"].items() if count
    }
    assert counted == {"collected": 9, "correct": 6, "misclassified": 1, "unparsed": 1, "error": 1}
    assert reports[YARDSTICK]["ledger"]["correct"] == 9
    assert reports[YARDSTICK]["calibration"] is not None
    text = (colours.root / "run" / "report.txt").read_text("utf-8")
    for said in (
        "others.csv has no row of blue/2.png",
        "lacks 1 of 9 images of colours, which end without an answer: blue/2.png",
        "has 1 image beside those of colours that are asked about, not used: pink/1.png",
        f"{YARDSTICK}, logistic regression, is right on as many of 9 images",
        f"{YARDSTICK}, logistic regression, is right on 2 more of 8 images",
    ):
        assert said in " ".join(text.split()), said
    words = {gate["model"]: gate["word"] for gate in colours.summary()["gates"]}
    assert words["openai:colours"] == "PASS"
    assert words["predictions:others.csv"] == "INCONCLUSIVE"


def test_a_yardstick_is_judged_by_gates_alone_that_name_it(colours: Colours) -> None:
    """What a gate test asserts, or holds against committed predictions, names no model."""
    colours.evaluation(arguments=", baseline", body="assert not report.predictions == baseline")
    path = colours.root / "test_colours.py"
    named = "gates=[Gate('accuracy >= 0.1', model='*:knn'), "
    path.write_text(path.read_text("utf-8").replace("gates=[", named), "utf-8")
    result = colours.run(
        "--llmclf-model=yardstick:majority", "--llmclf-require-baseline", "-rs",
        model="yardstick:knn",
    )  # fmt: skip
    assert result.ret == pytest.ExitCode.OK
    assert result.parseoutcomes()["skipped"] == 1
    words = {gate["model"]: gate["word"] for gate in colours.summary()["gates"]}
    assert words == {"yardstick:knn": "PASS"}
    said = "only a gate that names it judges it, such as"
    result.stdout.fnmatch_lines([f"*UNGATED*yardstick:majority*{said}*", f"SKIPPED*{said}*"])


def test_an_answer_depends_neither_on_what_is_asked_nor_on_whether_it_was(
    colours: Colours,
) -> None:
    """A part, a sample, and known answers are those of the whole; another label is learnt anew."""
    colours.run(model=YARDSTICK)
    whole, sure = predicted(colours), probabilities(colours)
    digest = colours.written()["identity"]["digest"]
    for args in (("-k", "red/ or gate"), ("--llmclf-sample=2",), ()):
        colours.run(*args, "--llmclf-fresh" if args else "-q", model=YARDSTICK)
        found = predicted(colours)
        assert found.items() <= whole.items()
        assert probabilities(colours).items() <= sure.items()
        assert colours.written()["identity"]["digest"] == digest
        assert len(found) == (9 if not args else 3 if "-k" in args else 6)
    lines = (colours.root / "run" / "outcomes.jsonl").read_text("utf-8").splitlines()
    assert all(json.loads(line)["cached"] for line in lines)
    blue = colours.root / "fixtures" / "colours" / "blue"
    (blue / "0.png").rename(blue.parent / "red" / "9.png")
    colours.run(model=YARDSTICK)
    assert colours.written()["identity"]["digest"] != digest


def test_what_is_not_there_is_told_before_anybody_is_asked(colours: Colours) -> None:
    """A file, a folder to learn from, a kind; and a dataset that the file is not of."""
    (colours.root / "others.csv").write_text("path,predicted\nx.png,red\n", "utf-8")
    for model, said in (
        ("predictions:none.csv", "none.csv cannot be read"),
        ("predictions:others.csv", "others.csv has no image of colours: it has x.png"),
        ("yardstick:knn?train=nowhere", "there is no dataset 'nowhere'"),
        ("yardstick:logistik", "did you mean 'logistic'"),
        ("sklearn:nowhere:SVC", "sklearn:nowhere:SVC: nowhere cannot be imported"),
        ("sklearn:sklearn.svm:SVCC", "sklearn.svm has no 'SVCC'; did you mean 'SVC'?"),
        ("sklearn:sklearn.svm:SVR", "SVR() makes no classifier, but SVR; name one that is"),
    ):
        result = colours.run(f"--llmclf-model={model}")
        assert (result.stdout.str() + result.stderr.str()).count(said) == 1
        assert colours.server.questions == 0


def test_one_image_of_a_label_is_an_error_of_the_yardstick_alone(colours: Colours) -> None:
    """It says what to do; the model beside it is asked, and the majority answers."""
    folder = colours.root / "fixtures" / "colours" / "blue"
    for number in (1, 2):
        (folder / f"{number}.png").unlink()
    colours.run(f"--llmclf-model={YARDSTICK}", "--llmclf-model=yardstick:majority")
    asked, learnt, most = (report["ledger"] for report in colours.summary()["reports"])
    assert (asked["correct"], learnt["error"], most["error"]) == (7, 7, 0)
    text = " ".join((colours.root / "run" / "report.txt").read_text("utf-8").split())
    assert "blue: fewer than 2 different images of colours" in text
