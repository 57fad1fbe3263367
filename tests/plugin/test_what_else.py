"""Whether anything but the model's answers changed: in every output, however the run goes."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.stub_ollama import StubOllama
from pytest_llmclf.cli.main import main
from tests.plugin.colour_server import Odd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.plugin.conftest import Colours

MODEL = "ollama:llava:7b"
SAME = "the same instructions, model, server version, images"
HOSTILE = "\x1b[2J::error title=x::y ```\u202e<script>alert(1)</script> @all"


@pytest.fixture(scope="module")
def stub() -> Iterator[StubOllama]:
    """An Ollama that says one of the colours, whatever it is told."""
    with StubOllama(service_ms=1, labels=("red", "green", "blue"), model="llava:7b") as running:
        yield running


@pytest.fixture
def committed(colours: Colours, stub: StubOllama, monkeypatch: pytest.MonkeyPatch) -> Colours:
    """Predictions of a model on Ollama, committed."""
    monkeypatch.setenv("OLLAMA_HOST", stub.netloc)
    colours.evaluation(
        "accuracy >= 0", arguments=", baseline", body="assert report.predictions == baseline"
    )
    system(colours, "You name colours.")
    assert colours.run("--snapshot-update", model=MODEL).ret == pytest.ExitCode.OK
    return colours


def system(colours: Colours, text: str) -> None:
    """Tell the model something else."""
    path = colours.root / "modelfiles" / "colours.Modelfile"
    path.write_text(f'FROM llava:7b\nSYSTEM """{text}"""\n', "utf-8")


def predictions(colours: Colours) -> Path:
    """The committed file."""
    (path,) = (colours.root / "__predictions__").rglob("*.txt")
    return path


def baseline(colours: Colours) -> dict[str, Any]:
    """What the last run says of the committed predictions besides their images."""
    (found,) = colours.summary()["baselines"]
    change: dict[str, Any] = found["provenance"]
    return change


def verdict(colours: Colours) -> tuple[str, str]:
    """Word and text of the baseline's verdict."""
    gate = colours.summary()["gates"][-1]
    return gate["word"], gate["text"]


def test_nothing_changed_is_said(committed: Colours) -> None:
    """In the terminal and the record; the file stays."""
    before = predictions(committed).read_bytes()
    result = committed.run(model=MODEL)
    result.stdout.fnmatch_lines(["since the committed predictions", f"*{SAME}"])
    assert baseline(committed)["differing"] == []
    word, text = verdict(committed)
    assert word == "PASS"
    assert text.startswith("baseline: 9 predictions as committed; ")
    assert predictions(committed).read_bytes() == before


@pytest.mark.parametrize("processes", [(), ("-n2",)], ids=["one", "two"])
def test_an_edited_prompt_is_shown_as_a_diff_and_fails_nothing(
    committed: Colours, processes: tuple[str, ...]
) -> None:
    """Everywhere; the derived model's other digest is nobody's business."""
    system(committed, "You name hues.")
    result = committed.run(*processes, model=MODEL)
    assert result.ret == pytest.ExitCode.OK
    word, text = verdict(committed)
    assert word == "PASS"
    assert text.startswith("baseline: instructions changed; 9 predictions as committed; ")
    (difference,) = baseline(committed)["differing"]
    assert difference["what"] == "instructions"
    assert baseline(committed)["same"] == ["model", "server version", "images"]
    run = committed.root / "run"
    page = (run / "page.html").read_text("utf-8")
    summary = (run / "summary.md").read_text("utf-8")
    for shown in (result.stdout.str(), (run / "report.txt").read_text("utf-8"), summary):
        assert re.search(r"^\s*-  You name colours\.$", shown, re.MULTILINE)
        assert re.search(r"^\s*\+  You name hues\.$", shown, re.MULTILINE)
        assert "model changed" not in shown
    assert "```diff\n" in summary
    assert "instructions changed:" in page
    assert "+  You name hues." in page


def test_an_update_writes_the_head_anew(committed: Colours) -> None:
    """Though no prediction changed; then nothing differs any more."""
    before = predictions(committed).read_text("utf-8").splitlines()
    system(committed, "You name hues.")
    assert committed.run("--snapshot-update", model=MODEL).ret == pytest.ExitCode.OK
    after = predictions(committed).read_text("utf-8").splitlines()
    changed = {line.partition(":")[0] for line in after if line not in before}
    assert changed == {"# modelfile", "# instructions", "# |   You name hues."}
    committed.run(model=MODEL)
    assert baseline(committed)["differing"] == []


def test_another_question_label_option_or_server_is_named(committed: Colours) -> None:
    """What the Modelfile does not hold changed unseen."""
    path = committed.root / "test_colours.py"
    text = path.read_text("utf-8")
    for changed, line in (
        ('prompt="Which hue is this?"', "+  Which hue is this?"),
        ('prompt="Which colour is this?", options={"seed": 4}', "+option seed: 4"),
        ('prompt="Which colour is this?", labels=["red", "green", "blue"]', "+  - red"),
        ('prompt="Which colour is this?", top_logprobs=3', "+top_logprobs: 3"),
    ):
        path.write_text(text.replace('prompt="Which colour is this?"', changed), "utf-8")
        committed.run(model=MODEL)
        found = committed.summary()["baselines"]
        assert found[0]["refused"] is None
        differences = found[0]["provenance"]["differing"]
        assert [each["what"] for each in differences] == ["instructions"]
        assert line in differences[0]["diff"]
    path.write_text(text, "utf-8")
    file = predictions(committed)
    file.write_text(file.read_text("utf-8").replace("ollama 0.33.0", "ollama 0.32.9"), "utf-8")
    committed.run(model=MODEL)
    expected = "baseline: server version changed (ollama 0.32.9 -> ollama 0.33.0); 9 predictions"
    assert verdict(committed)[1].startswith(expected)


def test_a_head_of_an_earlier_version_is_read(committed: Colours) -> None:
    """What it does not tell is unknown, not the same."""
    file = predictions(committed)
    lines = file.read_text("utf-8").splitlines()
    new = ("# server", "# pytest-llmclf", "# instructions", "# |")
    old = [line for line in lines if not line.startswith(new)]
    file.write_text("\n".join(old) + "\n", "utf-8")
    result = committed.run(model=MODEL)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*unknown whether the same: instructions, model, server version*"])
    word, text = verdict(committed)
    assert word == "PASS"
    assert text.startswith("baseline: 9 predictions as committed; ")


def test_a_failure_begins_with_what_broke_and_what_differs(colours: Colours) -> None:
    """Before the reason and the images, in terminal and JUnit, and hostile text stays text."""
    colours.evaluation(
        "accuracy >= 0", arguments=", baseline", body="assert report.predictions == baseline"
    )
    colours.run("--snapshot-update")
    system(colours, HOSTILE)
    colours.server.odd = {"red": Odd(says="blue"), "green": Odd(says="blue")}
    result = colours.run("--llmclf-fresh", "--junit-xml=junit.xml")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    junit = ET.parse(colours.root / "junit.xml").getroot()  # noqa: S314 - our own file
    (failure,) = junit.iter("failure")
    first, second, *rest = (failure.text or "").splitlines()
    assert first == "6 broken, 0 fixed since the committed predictions"
    assert second == "instructions changed:"
    assert any("a net loss of 6" in line for line in rest)
    run = colours.root / "run"
    for shown in (
        result.stdout.str(), failure.text or "", (run / "summary.md").read_text("utf-8"),
        (run / "report.txt").read_text("utf-8"), predictions(colours).read_text("utf-8"),
        (run / "page.html").read_text("utf-8"),
    ):  # fmt: skip
        assert "\x1b[2J" not in shown
        assert "\u202e" not in shown
        assert not re.search(r"^\s*::error", shown, re.MULTILINE)
    assert "<script>alert" not in (run / "page.html").read_text("utf-8")
    summary = (run / "summary.md").read_text("utf-8")
    start = summary.index("````diff")
    assert summary.index("<script>") > start
    assert summary.rindex("<script>") < summary.index("\n````\n", start)


def test_two_models_of_one_run_are_told_the_same(committed: Colours) -> None:
    """Their comparison begins with it."""
    result = committed.run("--llmclf-model", committed.server.spec, model=MODEL)
    result.stdout.fnmatch_lines(
        [
            "compared in pairs",
            "*ollama:llava:7b and openai:colours",
            "*model changed: ollama:llava:7b -> openai:colours",
            "*server version changed: ollama 0.33.0 -> colour-server, version unknown",
            "*the same instructions, images",
        ]
    )


@pytest.mark.parametrize(
    ("args", "agreement"),
    [
        (("-k", "red"), {"same": ["model", "server version", "images"], "unknown": []}),
        (("--llmclf-sample=1",), {"same": ["model", "server version"], "unknown": ["images"]}),
        (("--llmclf-stop-early",), {"same": ["model", "server version", "images"], "unknown": []}),
    ],
    ids=["subset", "sample", "stop-early"],
)
def test_part_of_the_images_says_it_too(
    committed: Colours, args: tuple[str, ...], agreement: dict[str, list[str]]
) -> None:
    """A sample is another image set: whether its files are the committed ones, nobody knows."""
    system(committed, "You name hues.")
    selected = args if args[0] != "-k" else ("-k", "red or test_gate")
    committed.run(*selected, model=MODEL)
    found = baseline(committed)
    assert {part: found[part] for part in agreement} == agreement
    assert [each["what"] for each in found["differing"]] == ["instructions"]


def test_a_dataset_by_path_is_the_same_elsewhere(committed: Colours) -> None:
    """The folder's name is no part of what was asked."""
    path = committed.root / "test_colours.py"
    text = path.read_text("utf-8").replace(
        'dataset="colours"', 'dataset="fixtures/colours", name="colours"'
    )
    path.write_text(text, "utf-8")
    committed.run(model=MODEL)
    assert baseline(committed)["differing"] == []
    assert baseline(committed)["unknown"] == []


def test_two_runs_are_compared_from_what_differs_on(
    committed: Colours, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``llmclf compare``: text and JSON."""
    monkeypatch.chdir(committed.root)
    first, second = committed.root / "run", committed.root / "second"
    system(committed, "You name hues.")
    committed.run("--llmclf-run", str(second), model=MODEL)
    capsys.readouterr()
    assert main(["compare", str(first), str(second)]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    place = lines.index("colours · ollama:llava:7b")
    assert lines[place + 1] == "instructions changed:"
    assert "-  You name colours." in lines
    assert "the same model, server version, images" in lines
    assert not any("model changed" in line for line in lines)
    assert main(["compare", "--markdown", "-", str(first), str(second)]) == 0
    assert "- instructions changed:\n\n```diff\n" in capsys.readouterr().out


def test_what_stayed_of_a_list_never_looks_removed(
    committed: Colours, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the run, ``llmclf report`` and ``llmclf compare``: each line's sign is in one column."""
    monkeypatch.chdir(committed.root)
    system(committed, "- cat\n- cow")
    committed.run("--snapshot-update", model=MODEL)
    second = committed.root / "second"
    system(committed, "- Kat\n- cow")
    shown = [committed.run("--llmclf-run", str(second), model=MODEL).stdout.str()]
    capsys.readouterr()
    assert main(["report", str(second), "--out", str(committed.root / "out")]) == 0
    shown.append(capsys.readouterr().out)
    assert main(["compare", str(committed.root / "run"), str(second)]) == 0
    shown.append(capsys.readouterr().out)
    for text in shown:
        found = re.search(r"^( *)-  - cat\n\1\+  - Kat\n\1   - cow$", text, re.MULTILINE)
        assert found is not None, text
