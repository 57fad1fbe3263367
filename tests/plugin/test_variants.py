"""Whole runs of an evaluation in several variants."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.cli.main import main
from tests.plugin.colour_server import Odd

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours

TWO = "variants={'plain': Variant(), 'no example': Variant(prompt='Which? Green is one.')}"

SMALL = {f"{colour}/-4" for colour in ("red", "green", "blue")}

SYSTEM = {"role": "system", "content": "Look well."}


@pytest.fixture
def two(colours: Colours) -> Colours:
    """Two variants of nine images, with a gate and a baseline each."""
    return varied(colours, TWO)


def varied(colours: Colours, variants: str, **evaluation: str) -> Colours:
    """An evaluation that declares these variants."""
    colours.evaluation(**evaluation)
    path = colours.root / "test_colours.py"
    text = path.read_text("utf-8").replace("Evaluation, Gate", "Evaluation, Gate, Variant")
    path.write_text(text.replace("gates=", f"{variants}, gates="), "utf-8")
    return colours


def by_variant(colours: Colours) -> dict[str, int]:
    """How many are right in each variant of the last run."""
    reports = colours.summary()["reports"]
    return {report["variant"]: report["ledger"]["correct"] for report in reports}


def test_each_variant_is_asked_judged_and_named_by_itself(two: Colours) -> None:
    """Image for image, in ids, reports, gates, tables, JUnit and diagrams."""
    result = two.run("-v", "--junitxml=junit.xml")
    assert result.ret == pytest.ExitCode.OK
    assert result.parseoutcomes() == {"passed": 20}
    for place in ("red/0.png|openai:colours|plain", "openai:colours|no example"):
        result.stdout.fnmatch_lines([f"*[[]{place}[]] PASSED*"])
    assert by_variant(two) == {"plain": 9, "no example": 9}
    assert set(two.server.asked.values()) == {2}
    assert sum("Green is one." in prompt for prompt in two.server.prompts) == 9
    gates = two.summary()["gates"]
    assert [gate["variant"] for gate in gates] == ["plain", "no example"]
    junit = (two.root / "junit.xml").read_text("utf-8")
    assert junit.count('name="variant" value="no example"') == 10
    lines = (two.root / "run" / "outcomes.jsonl").read_text("utf-8").splitlines()
    assert sum(json.loads(line)["variant"] == "no example" for line in lines) == 9
    diagrams = {path.name for path in (two.root / "run").glob("*.svg")}
    assert "confusion-colours-openai-colours-no-example.svg" in diagrams


def test_what_variants_ask_alike_is_asked_once(colours: Colours) -> None:
    """The digest of the request decides; so it does for what an earlier run asked."""
    colours.run()
    variants = "variants={'a': Variant(), 'b': Variant(reader='first')}"
    assert varied(colours, variants).run().ret == 0
    assert set(colours.server.asked.values()) == {1}
    assert by_variant(colours) == {"a": 9, "b": 9}


def test_one_variant_can_be_chosen(two: Colours) -> None:
    """By its name in the ids, as everything in pytest is."""
    assert two.run("-k", "plain").parseoutcomes()["passed"] == 10
    assert by_variant(two) == {"plain": 9}


def test_predict_says_how_pytest_chooses_its_variant(
    colours: Colours, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a product, too, whose names have a sign that -k does not take; images called 0 are not."""
    varied(colours, "variants={'n=0': Variant(), 'n=2': Variant(prompt='Which?')}")
    monkeypatch.chdir(colours.root)
    call = ["predict", "test_colours.py", "--model", colours.server.spec, "--variant", "n=0"]
    assert main(call) == 0
    words = shlex.split(capsys.readouterr().out.partition("to judge: ")[2])
    colours.run("-k", words[words.index("-k") + 1])
    assert by_variant(colours) == {"n=0": 9}


def test_each_variant_has_predictions_of_its_own(colours: Colours) -> None:
    """In a file of its own; what gets worse is told of the variant that did."""
    body = "assert report.predictions == baseline"
    varied(colours, TWO, arguments=", baseline", body=body)
    assert colours.run("--snapshot-update").ret == pytest.ExitCode.OK
    folder = colours.root / "__predictions__" / "test_colours"
    heads = {
        path.name: [line for line in path.read_text("utf-8").splitlines() if "# variant" in line]
        for path in folder.iterdir()
    }
    assert "test_gate[openaicolours~plain].txt" in heads
    assert sorted(heads.values()) == [["# variant: no example"], ["# variant: plain"]]
    colours.server.odd = {"red": Odd(says="blue")}
    path = colours.root / "test_colours.py"
    path.write_text(path.read_text("utf-8").replace("Green is one.", "Blue is one."), "utf-8")
    colours.run("--llmclf-tolerance=0")
    words = {gate["variant"]: gate["word"] for gate in colours.summary()["gates"]}
    assert words == {"plain": "PASS", "no example": "FAIL"}
    colours_run = {one["variant"]: len(one["changes"]) for one in colours.summary()["baselines"]}
    assert colours_run == {"plain": 0, "no example": 3}


def test_a_recording_plays_every_variant_back(two: Colours) -> None:
    """Without a server, and without the answers of the run that made it."""
    two.run("--llmclf-record=answers.jsonl")
    two.server.stop()
    assert two.run("--llmclf-home=other", model="replay:answers.jsonl").ret == pytest.ExitCode.OK
    assert by_variant(two) == {"plain": 9, "no example": 9}
    lines = map(json.loads, (two.root / "answers.jsonl").read_text("utf-8").splitlines())
    told = [line for line in lines if line["type"] == "evaluation"]
    assert [line["variant"] for line in told] == ["plain", "no example"]


def test_runs_are_compared_variant_by_variant(two: Colours) -> None:
    """A run has each of them; one can be held against another by name."""
    from pytest_llmclf.cli.main import main

    two.run()
    folder = str(two.root / "run")
    assert main(["compare", folder, folder, "--json"]) == 0
    assert main(["compare", folder, folder, "--model", "A=*|plain", "--model", "B=*|no *"]) == 0


def test_a_gate_that_is_for_one_variant_judges_that_one(colours: Colours) -> None:
    """The other one has none."""
    varied(colours, TWO)
    path = colours.root / "test_colours.py"
    text = path.read_text("utf-8").replace("'accuracy >= 0.6'", "'accuracy >= 0.6', variant='no *'")
    path.write_text(text, "utf-8")
    colours.run()
    words = {gate["variant"]: gate["word"] for gate in colours.summary()["gates"]}
    assert words == {"plain": "UNGATED", "no example": "PASS"}


def test_system_text_and_size_are_sent_as_a_variant_says(colours: Colours) -> None:
    """The text goes in front, and an image that is larger is scaled down."""
    four = "'a': Variant(system='Look well.'), 'b': Variant(image_size=4)"
    assert varied(colours, f"variants={{{four}}}").run().ret == pytest.ExitCode.OK
    reports = colours.summary()["reports"]
    told = {report["variant"]: report["full_instructions"] for report in reports}
    assert told["a"]["system"] == "Look well."
    assert "image size: at most 4 pixels" in told["b"]["text"]
    assert sum(SYSTEM in body["messages"] for body in colours.server.bodies) == 9
    # The server counts images by their width: those of four pixels are none of the nine.
    assert set(colours.server.asked) >= SMALL


def test_the_command_line_adds_to_what_is_declared(colours: Colours) -> None:
    """Beside the evaluation as it is, or beside its variants."""
    added = "--llmclf-variant=short: prompt=Which?; options.seed=3"
    assert colours.run(added).ret == pytest.ExitCode.OK
    assert by_variant(colours) == {"": 9, "short": 9}
    assert {body.get("seed") for body in colours.server.bodies} == {None, 3}
    (colours.root / "pytest.ini").write_text("[pytest]\nllmclf_variants = system: system=Look.\n")
    varied(colours, TWO).run(added)
    assert list(by_variant(colours)) == ["plain", "no example", "system", "short"]
    told = {one["variant"]: one["full_instructions"] for one in colours.summary()["reports"]}
    assert told["short"]["question"] == "Which?"
    assert told["system"]["system"] == "Look."


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("short", "--llmclf-variant: 'short' has no colon behind a name: write NAME: KEY=VALUE"),
        ("a: promt=Which?", "--llmclf-variant: variant 'a': there is no 'promt'; there are "),
        ("plain: prompt=Which?", "--llmclf-variant: two variants are called 'plain' and 'plain'"),
        ("a: labels=red, green", "variant 'a': labels= lacks blue"),
    ],
)
def test_what_the_command_line_cannot_mean_is_refused(
    two: Colours, option: str, message: str
) -> None:
    """Before anything is asked, with place, value and remedy."""
    result = two.run(f"--llmclf-variant={option}")
    assert result.ret in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERRUPTED)
    assert message in " ".join((result.stdout.str() + result.stderr.str()).split())
    assert two.server.questions == 0


def test_variants_are_refused_at_collection(colours: Colours) -> None:
    """Before anything is asked, with evaluation, variant and remedy."""
    result = varied(colours, "variants={'a': Variant(modelfile='missing')}").run()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*Modelfile 'missing' is neither*"])
    assert colours.server.questions == 0


HELD = "holdout=0.5, variants={'a': Variant(), 'b': Variant(prompt='Which?')}"


def test_held_out_images_are_asked_by_a_final_run_alone(colours: Colours) -> None:
    """Either part by itself, with a word on the other one."""
    colours.images(4)
    varied(colours, HELD)
    assert colours.run("--llmclf-seed=7").ret == pytest.ExitCode.OK
    tuned = set(colours.server.asked)
    assert len(tuned) == 6
    facts = colours.written()["dataset"]
    assert (facts["part"], facts["cases_in_dataset"], facts["other_part"]) == ("tuning", 6, 6)
    said = "6 images held out, which only --llmclf-final asks about; on the 6 to tune on "
    assert any(said + "no earlier result is known" in note for note in colours.written()["notes"])
    colours.server.asked.clear()
    result = colours.run("--llmclf-final")
    said = "llmclf: colours: these are the 6 images held out; the 6 to tune on are not asked about"
    result.stdout.fnmatch_lines([said])
    assert result.ret == pytest.ExitCode.OK
    assert len(set(colours.server.asked)) == 6
    assert not tuned & set(colours.server.asked)
    (note,) = [note for note in colours.written()["notes"] if "held out" in note]
    assert "these are the 6 images held out; on them no earlier result is known" in note
    assert "on the 6 to tune on 2 earlier results are known, of 2 different instructions" in note
    for name in ("report.txt", "summary.md", "page.html"):
        text = " ".join((colours.root / "run" / name).read_text("utf-8").split())
        assert "2 earlier results are known" in text, name
    colours.server.asked.clear()
    colours.run()
    assert not colours.server.asked
    assert any("2 earlier results are known" in note for note in colours.written()["notes"])


def test_predictions_on_held_out_images_are_written_of_the_chosen_variant_alone(
    colours: Colours,
) -> None:
    """The command chooses as the run did, or all the others would see those images, too."""
    body = "assert report.predictions == baseline"
    colours.images(4)
    varied(colours, HELD, arguments=", baseline", body=body)
    result = colours.run("--llmclf-final", "-k", "a]")
    assert by_variant(colours) == {"a": 6}
    result.stdout.fnmatch_lines(['*--llmclf-final -k "a[]]" --snapshot-update*'])
    result = colours.run("--llmclf-final", "-k", "a] and (red or gate)")
    assert "--llmclf-final --snapshot-update" in result.stdout.str()


def test_scenes_are_held_out_whole_however_tests_are_spread(colours: Colours) -> None:
    """Two final runs ask the same images, whose tags are told; the second is no first look."""
    colours.images(6)
    varied(colours, f"{HELD}, group='scene'")
    cases = [f"{colour}/{number}.png" for colour in ("red", "green", "blue") for number in range(6)]
    rows = [
        f"{case},{case.partition('/')[0]},s{place // 2},{'day' if place % 4 < 2 else 'night'}"
        for place, case in enumerate(cases)
    ]
    manifest = colours.root / "fixtures" / "colours" / "manifest.csv"
    manifest.write_text("\n".join(["path,label,scene,light", *rows]) + "\n", "utf-8")
    asked: list[set[str]] = []
    for args in (("-n2",), ("--llmclf-final", "-n2"), ("--llmclf-final",)):
        assert colours.run(*args).ret == pytest.ExitCode.OK
        text = (colours.root / "run" / "outcomes.jsonl").read_text("utf-8")
        lines = [json.loads(line) for line in text.splitlines()]
        assert len(lines) == 2 * len({line["case"] for line in lines})
        asked.append({line["case"] for line in lines})
    tuning, first, second = asked
    assert first == second == set(cases) - tuning
    scenes = [{cases.index(case) // 2 for case in part} for part in (tuning, first)]
    assert not scenes[0] & scenes[1]
    assert set(colours.server.asked.values()) == {2}
    (note,) = [note for note in colours.written()["notes"] if "held out" in note]
    assert "on them 2 earlier results are known, of 2 different instructions" in note
    assert "accuracy by light" in (colours.root / "run" / "report.txt").read_text("utf-8")


def test_predictions_on_held_out_images_are_committed_apart(colours: Colours) -> None:
    """Those on the images to tune on are neither compared with them nor replaced."""
    body = "assert report.predictions == baseline"
    varied(colours, HELD, arguments=", baseline", body=body)
    for final in ((), ("--llmclf-final",)):
        assert colours.run("--snapshot-update", *final).ret == pytest.ExitCode.OK
        assert colours.run(*final).ret == pytest.ExitCode.OK
    folder = colours.root / "__predictions__" / "test_colours"
    names = ["test_gate[openaicolours~a].txt", "test_gate[openaicolours~b].txt"]
    assert sorted(path.name for path in folder.glob("*.txt")) == names
    assert sorted(path.name for path in (folder / "held-out").iterdir()) == names


def test_a_final_run_without_held_out_images_is_refused(colours: Colours) -> None:
    """It would be one like any other."""
    result = colours.run("--llmclf-final")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--llmclf-final: no evaluation holds images out: write*"])
    assert colours.server.questions == 0


def test_no_line_leaves_open_which_variant_it_is_of(two: Colours) -> None:
    """Whoever is named beside the evaluation is named with the variant, from run to run, too."""
    command = [one for one in two.command() if one not in ("--llmclf-run", str(two.root / "run"))]
    two.pytester.runpytest_inprocess(*command)
    lines = two.pytester.runpytest_inprocess(*command).stdout.lines
    named = [line for line in lines if "colours · openai:colours" in line]
    assert len(named) >= 6
    variants = ("· plain", "· no example")
    assert [line for line in named if not any(name in line for name in variants)] == []
    assert sum(line.startswith("llmclf: since") for line in named) == 2
    announced = [line for line in lines if " -> openai:colours@" in line]
    assert [line.split(": ")[1] for line in announced] == [
        "colours · plain",
        "colours · no example",
    ]


def test_the_command_that_commits_predictions_has_the_variant(
    colours: Colours, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that only the command line names would not be asked without it; and it stands whole."""
    monkeypatch.setenv("COLUMNS", "80")
    colours.evaluation(arguments=", baseline", body="assert report.predictions == baseline")
    result = colours.run("--llmclf-variant", "brief: prompt=Colour?; think=off")
    told = '--llmclf-variant "brief: prompt=Colour?; think=off" --snapshot-update'
    commands = [line.strip() for line in result.stdout.lines if "--snapshot-update" in line]
    assert len(commands) == 2
    assert all(one.startswith("pytest ") and one.endswith(told) for one in commands)
    said = " ".join(result.stdout.str().split())
    assert "no predictions are committed for this variant of the model; to write them" in said
