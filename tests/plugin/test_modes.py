"""Every mode beside every other: what must hold whichever features meet in one run.

A new mode is one more entry of `MODES`: it then meets all others.
"""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_llmclf.data.decisions import Decision, append_decisions
from tests.plugin.colour_server import THOUGHT, Odd, png
from tests.plugin.layouts import DATASET, LAYOUTS, Layout
from tests.plugin.packages import install
from tests.plugin.test_groups import manifest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_llmclf.data.decisions import DecisionKind
    from tests.plugin.conftest import Colours

EACH: Final = 4
SAMPLE: Final = 3
COLOURS: Final = ("red", "green", "blue")
IMAGES: Final = tuple(f"{colour}/{number}.png" for colour in COLOURS for number in range(EACH))
GATE: Final = "accuracy >= 0.5"
BY_CONTENT: Final = {
    hashlib.sha256(png(colour, number)).hexdigest(): f"{colour}/{number}"
    for colour in COLOURS
    for number in range(EACH)
}
RECORDING: Final = "recording.jsonl"
BASELINE: Final = "assert report.predictions == baseline"
OWN_METRIC: Final = "metrics={'wrong': lambda report: 1 - report.accuracy}"
VARIANTS: Final = "variants={'as it is': Variant()}"
SHORT: Final = "--llmclf-variant=short: prompt=Which?"
IMPORTING: Final = ("llmclf import", "llmclf import Variant,")
BLIND: Final = "openai:colour-blind"
YARDSTICK: Final = "yardstick:knn"
PREDICTIONS: Final = "predictions:others.csv"
"""Written with backslashes and below another folder."""
TELL_THEMSELVES: Final = (YARDSTICK, PREDICTIONS)
"""What the server has no part in."""
SHOWN: Final = "Examples(count=1, choose='first')"
IMPORTED: Final = ("import Evaluation,", "import Evaluation, Examples,")


def _decided(colour: str, number: int, kind: DecisionKind, *labels: str) -> Decision:
    return Decision(
        image=f"{colour}/{number}.png",
        sha256=hashlib.sha256(png(colour, number)).hexdigest(),
        was=(colour,),
        kind=kind,
        labels=labels,
        by="anna",
        at=datetime(2026, 2, 28, tzinfo=UTC),
    )


DECISIONS: Final = (
    _decided("green", 1, "also", "green", "blue"),
    _decided("red", 2, "accept", "red"),
)


@dataclass(frozen=True, kw_only=True)
class Mode:
    """One way in which a run can differ from the plainest one.

    Attributes:
        name: How test ids call it.
        args: What it adds to the command line.
        odd: What the server does to single images.
        evaluation: What it replaces in the evaluation's file, in pairs.
        arguments: Fixtures that the gate test takes besides the report.
        body: What the gate test does with them.
        repeats: Askings of each image.
    """

    name: str
    args: tuple[str, ...] = ()
    odd: dict[str, Odd] = field(default_factory=dict)
    evaluation: tuple[tuple[str, str], ...] = ()
    arguments: str = ""
    body: str = "pass"
    repeats: int = 1


MODES: Final = (
    Mode(name="stop-early", args=("--llmclf-stop-early",)),
    Mode(name="xdist", args=("-n2",)),
    Mode(name="replay"),
    Mode(name="baseline", arguments=", baseline", body=BASELINE),
    Mode(name="two-models"),
    Mode(name="sample", args=(f"--llmclf-sample={SAMPLE}",)),
    Mode(name="subset", args=("-k", "red/ or green/ or test_gate")),
    Mode(name="repeats", args=("--llmclf-repeats=2",), repeats=2),
    Mode(name="unanswered", odd={"red/0": Odd(status=400)}),
    Mode(name="unparsed", odd={"red/1": Odd(says="no idea")}),
    Mode(name="misclassified", odd={"green/1": Odd(says="blue")}),
    Mode(name="path", evaluation=(('dataset="colours"', 'dataset="fixtures/colours"'),)),
    Mode(name="yardstick"),
    Mode(name="predictions"),
    # The server takes the question and tells no log-probabilities.
    Mode(name="no-log-probabilities", evaluation=(("gates=", "top_logprobs=5, gates="),)),
    Mode(name="reader", evaluation=(("gates=", "reader='contains', gates="),)),
    Mode(name="own-metric", evaluation=(("gates=", f"{OWN_METRIC}, gates="),)),
    Mode(name="third-party"),
    Mode(name="think", args=("--llmclf-think=on",)),
    Mode(name="price", args=("--llmclf-price=*: 2, 4",)),
    Mode(name="strict", args=("--llmclf-strict",)),
    # A blue image is shown, and not judged; with scenes neither is the other one of its scene.
    Mode(name="examples", evaluation=(("gates=", f"examples={SHOWN}, gates="), IMPORTED)),
    # Scenes of two images, from a manifest.
    Mode(name="group", evaluation=(("gates=", "group='scene', gates="),)),
    Mode(name="probe", args=("--llmclf-probe=order,blank,example,size",)),
    # People decided that one green image is blue as well, and that a red one is red.
    Mode(name="decisions"),
    # One blue image is green as well, says the table, and so does the model.
    Mode(name="several-labels", odd={"blue/2": Odd(says="green")}),
    # Yellow is none of the classes; one yellow image is taken for one.
    Mode(
        name="none-of-these",
        odd={"yellow": Odd(says="none of these"), "yellow/0": Odd(says="red")},
        evaluation=(("gates=", "strangers='strangers', gates="),),
    ),
    # A loss of 80 points is excluded by twelve images, and by six scenes.
    # An empty one is the evaluation as it is; the other is told something else, and answers alike.
    Mode(
        name="variants",
        args=(SHORT,),
        evaluation=(("prompt=", f"{VARIANTS}, prompt="), IMPORTING),
    ),
    # Of twice as many images half of each colour, in whole scenes, is not even collected.
    Mode(name="holdout", evaluation=(("gates=", "holdout=0.5, gates="),)),
    Mode(name="margin", args=("--llmclf-margin=80%",), arguments=", baseline", body=BASELINE),
)
MEETING: Final = 5
WRAPPED: Final = """
from dataclasses import replace
from pytest_llmclf.models.openai.openai_connect import connect
from pytest_llmclf.models.spec import parse_spec

def wrapped(reach):
    made = connect(replace(reach, spec=parse_spec(f"openai:colours@{reach.spec.name}")))
    made.sends_to = "this machine"
    made.shows_examples = True
    return made
"""


def _meetings() -> Iterator[tuple[Mode, ...]]:
    """So many modes a run that each meets each other one in some run."""
    unmet = {frozenset(pair) for pair in itertools.combinations(range(len(MODES)), 2)}
    while unmet:
        chosen = sorted(min(unmet, key=sorted))
        while len(chosen) < MEETING:
            rest = [place for place in range(len(MODES)) if place not in chosen]
            chosen.append(
                max(rest, key=lambda one: sum(frozenset((one, its)) in unmet for its in chosen))
            )
        unmet -= {frozenset(pair) for pair in itertools.combinations(chosen, 2)}
        yield tuple(MODES[place] for place in sorted(chosen))


MEETINGS: Final = tuple(_meetings())


class Combination:
    """A project in which several modes meet, and what its last run left."""

    def __init__(
        self, colours: Colours, modes: tuple[Mode, ...], layout: Layout | None = None
    ) -> None:
        self.colours = colours
        self.modes = modes
        self.layout = layout
        self.names = {mode.name for mode in modes}
        self.odd = {case: odd for mode in modes for case, odd in mode.odd.items()}
        self.repeats = max(mode.repeats for mode in modes)

    def run(self) -> int:
        """Prepare what the modes need, run once, and return the exit code."""
        each = 2 * EACH if "holdout" in self.names else EACH
        self.colours.images(each)
        cases = [f"{colour}/{number}.png" for colour in COLOURS for number in range(each)]
        if "group" in self.names:
            folder = self.colours.root / "fixtures" / "colours"
            manifest(folder, {case: f"s{place // 2}" for place, case in enumerate(cases)})
        self._label(cases, each)
        if "third-party" in self.names:
            (self.colours.root / "wrapping.py").write_text(WRAPPED, "utf-8")
            install(self.colours.pytester, "wrapped = wrapping:wrapped")
        rows = [f"x\\colours\\{image},{image.partition('/')[0]}" for image in cases]
        if "none-of-these" in self.names:
            rows += [f"x\\colours\\strangers\\{number}.png,none of these" for number in range(each)]
        text = "\n".join(["image,predicted", *(row.replace("/", "\\") for row in rows)])
        (self.colours.root / "others.csv").write_text(text, "utf-8")
        arguments = "".join(dict.fromkeys(mode.arguments for mode in self.modes))
        bodies = dict.fromkeys(mode.body for mode in self.modes if mode.body != "pass")
        body = "; ".join(bodies) or "pass"
        self.colours.evaluation(GATE, arguments=arguments, body=body)
        path = self.colours.root / "test_colours.py"
        text = path.read_text("utf-8")
        for before, after in itertools.chain.from_iterable(mode.evaluation for mode in self.modes):
            text = text.replace(before, after)
        if self.layout is not None:
            self.layout.lay(self.colours.root / "fixtures" / "colours")
            text = text.replace(DATASET, self.layout.dataset)
        path.write_text(text, "utf-8")
        if self.baseline:
            # Of the same model on all images, before anything goes wrong.
            added = [SHORT] if "variants" in self.names else []
            assert self._pytest("--snapshot-update", *added).ret == pytest.ExitCode.OK
        self.colours.server.odd = dict(self.odd)
        args = [arg for mode in self.modes for arg in mode.args]
        if "replay" in self.names:
            recorded = [arg for arg in args if arg not in ("-n2", "--llmclf-stop-early")]
            self._pytest(f"--llmclf-record={RECORDING}", "--llmclf-fresh", *recorded)
            return int(self._pytest("--llmclf-home=elsewhere", *args, replayed=True).ret)
        args += ["--llmclf-fresh"] * self.baseline
        return int(self._pytest(*args).ret)

    def _label(self, cases: list[str], each: int) -> None:
        """What people say of labels beside the folders of the classes."""
        folder = self.colours.root / "fixtures" / "colours"
        if "several-labels" in self.names:
            if "group" not in self.names:
                manifest(folder, dict.fromkeys(cases, ""))
            table = (folder / "manifest.csv").read_text("utf-8")
            (folder / "manifest.csv").write_text(
                table.replace("blue/2.png,blue,", "blue/2.png,blue|green,"), "utf-8"
            )
        if "decisions" in self.names:
            append_decisions(folder / "decisions.jsonl", DECISIONS)
        if "none-of-these" in self.names:
            strangers = folder.parent / "strangers"
            strangers.mkdir()
            for number in range(each):
                (strangers / f"{number}.png").write_bytes(png("yellow", number))

    @property
    def whole(self) -> int:
        """Images of the dataset."""
        return len(IMAGES) + EACH * ("none-of-these" in self.names)

    def _pytest(self, *args: str, replayed: bool = False) -> pytest.RunResult:
        beside = {"two-models": self.blind, "yardstick": YARDSTICK, "predictions": PREDICTIONS}
        models = [
            f"--llmclf-model={model}"
            for name, model in beside.items()
            if name in self.names and not replayed
        ]
        laid = () if self.layout is None else self.layout.args
        model = f"wrapped:{self.colours.server.url}" if "third-party" in self.names else None
        model = f"replay:{RECORDING}" if replayed else model
        result = self.colours.run(*args, *laid, *models, model=model)
        shown = result.stdout.str() + result.stderr.str()
        assert "INTERNALERROR" not in shown, shown
        assert result.ret in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED), shown
        return result

    @property
    def baseline(self) -> bool:
        """Whether the gate test compares with committed predictions."""
        return any(mode.body == BASELINE for mode in self.modes)

    @property
    def blind(self) -> str:
        """The server's other model, which takes green for red."""
        return f"{BLIND}@{self.colours.server.url}"

    @property
    def reports(self) -> list[dict[str, Any]]:
        """The reports of the last run's run.json."""
        found: list[dict[str, Any]] = self.colours.summary()["reports"]
        return found

    def outcomes(self) -> list[dict[str, Any]]:
        """The lines of the last run's outcomes.jsonl."""
        text = (self.folder / "outcomes.jsonl").read_text("utf-8")
        return [json.loads(line) for line in text.splitlines()]

    @property
    def folder(self) -> Path:
        """The last run's folder."""
        return self.colours.root / "run"

    def truth(self, case: str, model: str) -> str:
        """How an image ends that is asked about, whatever else is switched on."""
        image = self.image(case)
        odd = None if model in TELL_THEMSELVES else self.odd.get(image)
        if (image == "green/1" and "decisions" in self.names and odd is not None) or (
            image == "blue/2" and "several-labels" in self.names
        ):
            return "correct"  # what the model says instead is right, too
        if odd is not None and odd.status is not None:
            return "error"
        if odd is not None:
            return "unparsed" if odd.says == "no idea" else "misclassified"
        return "misclassified" if model == BLIND and image.startswith("green/") else "correct"

    def image(self, case: str) -> str:
        """Colour and number of an image, wherever it lies: ``red/0``."""
        if self.layout is None:
            return case.removesuffix(".png").replace("strangers/", "yellow/")
        return next(BY_CONTENT[one["sha256"]] for one in self.outcomes() if one["case"] == case)


@pytest.mark.usefixtures("one_learner")
@pytest.mark.parametrize("modes", MEETINGS, ids=lambda met: "+".join(mode.name for mode in met))
def test_whichever_modes_meet(colours: Colours, modes: tuple[Mode, ...]) -> None:
    """Every image ends once, as it ends alone; verdicts, files and exit code agree with that."""
    combination = Combination(colours, modes)
    code = combination.run()
    _every_image_ends_once(combination)
    _every_image_ends_as_it_ends_alone(combination)
    _verdicts_follow_from_the_outcomes(combination, code)
    _the_files_say_the_same(combination)
    _a_leaderboard_counts_common_images(combination)
    _probes_are_told_apart(combination)
    _doubts_are_about_answers(combination)
    _a_run_equals_itself(combination)


def test_a_baseline_of_another_package_s_backend_is_that_of_its_recording(colours: Colours) -> None:
    """It is committed, recorded and played back under one name: the model as it was asked for."""
    names = ("baseline", "replay", "third-party")
    combination = Combination(colours, tuple(mode for mode in MODES if mode.name in names))
    assert combination.run() == 0
    (compared,) = [
        gate for gate in colours.summary()["gates"] if gate["text"].startswith("baseline")
    ]
    assert compared["word"] == "PASS"
    assert compared["model"] == f"wrapped:{colours.server.url}"


_LAID_MEETINGS: Final = (
    ("stop-early", "baseline", "sample"),
    ("replay", "repeats", "subset"),
    ("xdist", "unparsed", "misclassified"),
)
IN_WORKERS: Final = ("split", "label_folder", "links", "coco")
"""Layouts that are told apart by more than the file that lists them."""
LAID: Final = tuple(
    (layout, names)
    for layout in LAYOUTS
    for names in _LAID_MEETINGS
    if "xdist" not in names or layout.name in IN_WORKERS
)


@pytest.mark.parametrize(
    ("layout", "names"), LAID, ids=[f"{layout.name}-{'+'.join(names)}" for layout, names in LAID]
)
def test_however_images_lie(colours: Colours, layout: Layout, names: tuple[str, ...]) -> None:
    """The same images end as ever in every mode, whatever layout they come in."""
    modes = tuple(mode for mode in MODES if mode.name in names)
    combination = Combination(colours, modes, layout)
    code = combination.run()
    _every_image_ends_once(combination)
    _every_image_ends_as_it_ends_alone(combination)
    _verdicts_follow_from_the_outcomes(combination, code)
    _the_files_say_the_same(combination)
    _a_leaderboard_counts_common_images(combination)
    _probes_are_told_apart(combination)
    _doubts_are_about_answers(combination)
    _a_run_equals_itself(combination)


def _every_image_ends_once(combination: Combination) -> None:
    models = 2 if "two-models" in combination.names else 1
    variants = 2 if "variants" in combination.names else 1
    # Yardsticks and files are told nothing, so that they have no variants.
    yardsticks = len(combination.names & {"yardstick", "predictions"})
    assert len(combination.reports) == models * variants + yardsticks
    for report in combination.reports:
        counts = dict(report["ledger"])
        left_out = counts.pop("deselected")
        collected = counts.pop("collected")
        assert collected == sum(counts.values())
        taken_out = report["dataset"]["taken_out"]
        assert collected + left_out + len(taken_out) == combination.whole
        shown = {"blue/0.png", "blue/1.png"} if "group" in combination.names else {"blue/0.png"}
        assert set(taken_out) == (shown if "examples" in combination.names else set())
        assert report["group"] == ("scene" if "group" in combination.names else "")
        assert counts["lost"] == 0
        kept = combination.whole if "holdout" in combination.names else 0
        assert report["dataset"]["other_part"] == kept
        if "own-metric" in combination.names:
            right = report["accuracy"]
            value = report["metrics"]["wrong"]["value"]
            assert value is None if right is None else value == pytest.approx(1 - right)
        # The sample is drawn before -k looks at it.
        each = SAMPLE if "sample" in combination.names else EACH
        blue = 0 if "subset" in combination.names else min(each, EACH - len(taken_out))
        whole = "subset" not in combination.names
        strangers = each * ("none-of-these" in combination.names and whole)
        assert collected == 2 * each + blue + strangers
        _labels_are_as_people_say(combination, report)


def _labels_are_as_people_say(combination: Combination, report: dict[str, Any]) -> None:
    review = report["dataset"]["review"]
    decided = "decisions" in combination.names
    assert (review or {}).get("corrected") == (1 if decided else None)
    own = [line for line in combination.outcomes() if line["model"] == report["model"]]
    also = {line["case"]: line["also"] for line in own if line["also"]}
    said = {"green/1.png": ["blue"]} if decided else {}
    said |= {"blue/2.png": ["green"]} if "several-labels" in combination.names else {}
    collected = {line["case"] for line in own}
    assert also == {case: labels for case, labels in said.items() if case in collected}
    asked = {line["case"]: line["kind"] for line in own if line["case"].startswith("strangers/")}
    kinds = [kind for kind in asked.values() if kind in ("correct", "misclassified")]
    if kinds:
        value = report["metrics"]["false_accept"]["value"]
        assert value == pytest.approx(kinds.count("misclassified") / len(kinds))
    else:
        assert report["metrics"].get("false_accept", {"value": None})["value"] is None


def _every_image_ends_as_it_ends_alone(combination: Combination) -> None:
    seen: Counter[tuple[str, str, str]] = Counter()
    for line in combination.outcomes():
        case, model = line["case"], line["model"]
        seen[model, line["variant"], case] += 1
        expected = combination.truth(case, model)
        may_stop = "stop-early" in combination.names
        assert line["kind"] == expected or (may_stop and line["kind"] == "not_needed"), line
    assert all(count <= combination.repeats for count in seen.values())


def _task(entry: dict[str, Any]) -> tuple[str, str]:
    return entry["model"], entry["variant"]


def _verdicts_follow_from_the_outcomes(combination: Combination, code: int) -> None:
    gates = combination.colours.summary()["gates"]
    declared = [gate for gate in gates if not gate["text"].startswith("baseline")]
    # Nobody judges a yardstick: no gate names it, and a gate test has no say about it.
    judged = [report for report in combination.reports if report["model"] != YARDSTICK]
    assert sorted(map(_task, declared)) == sorted(map(_task, judged))
    by_task = {_task(report): report["ledger"] for report in combination.reports}
    assert len(by_task) == len(combination.reports)
    for gate in declared:
        unanswered = by_task[_task(gate)]["error"]
        assert gate["word"] == ("INCONCLUSIVE" if unanswered else "PASS"), gate
    compared = [gate for gate in gates if gate["text"].startswith("baseline")]
    if combination.baseline:
        assert sorted(map(_task, compared)) == sorted(map(_task, judged)), gates
    complete = not any(report["ledger"]["error"] for report in combination.reports)
    for gate in compared:
        ledger = by_task[_task(gate)]
        whole = not ledger["not_needed"] and not ledger["deselected"]
        its = not ledger["error"]
        assert gate["word"] == "PASS" if its and whole else True, gate
        assert its or gate["word"] != "PASS", gate
    wrong = {
        line["kind"]
        for line in combination.outcomes()
        if line["kind"] in ("misclassified", "unparsed")
    }
    strict = "strict" in combination.names and wrong
    red = strict or any(gate["word"] in ("FAIL", "INCONCLUSIVE") for gate in gates)
    assert code == (1 if red or not complete else 0), gates


def _the_files_say_the_same(combination: Combination) -> None:
    folder = combination.folder
    lines = combination.outcomes()
    with (folder / "outcomes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["case"], row["kind"]) for row in rows] == [
        (line["case"], line["kind"]) for line in lines
    ]
    firsts = [line for line in lines if not line.get("repeat")]
    assert len(firsts) == sum(report["ledger"]["collected"] for report in combination.reports)
    asked = [line for line in lines if line["model"] not in TELL_THEMSELVES]
    thinking = {line["answer"].get("thinking") for line in asked if line.get("answer")}
    assert thinking <= {THOUGHT if "think" in combination.names else None}
    for name in ("report.txt", "summary.md", "page.html"):
        text = (folder / name).read_text("utf-8")
        for report in combination.reports:
            assert report["model"] in text, name
            assert report["variant"] in text, name


def _a_leaderboard_counts_common_images(combination: Combination) -> None:
    boards = combination.colours.summary()["leaderboards"]
    ends: dict[str, dict[tuple[str, str], str]] = {}
    for line in combination.outcomes():
        if not line.get("repeat"):
            ends.setdefault(line["case"], {})[line["model"], line["variant"]] = line["kind"]
    answered = {"correct", "misclassified", "unparsed"}
    common = {
        case: set(kinds.values()) for case, kinds in ends.items() if {*kinds.values()} <= answered
    }
    if len(combination.reports) == 1:
        assert boards == []
        return
    (board,) = boards
    judged = set(itertools.chain(*board["right_by"].values()))
    stopped = any("not_needed" in kinds.values() for kinds in ends.values())
    # Of a run that stopped, answers that were under way then are left out, too.
    assert judged < set(ends) if stopped else judged == set(common)
    assert judged | set(board["left_out"]) == set(ends)
    assert board["images"] == len(judged)
    assert len(board["rows"]) == len(combination.reports)
    for row in board["rows"]:
        task = row["model"], row["variant"]
        right = sum(ends[case][task] == "correct" for case in judged)
        assert (row["correct"], row["interval"] is None) == (right, stopped)
    assert {case for case in judged if common[case] == {"correct"}} == {*board["right_by"]["all"]}


def _probes_are_told_apart(combination: Combination) -> None:
    """Each in a finding of its own, whatever else is on, and none where none was asked for."""
    told = ["order-probe", "blank-probe", "size-probe", "probe-not-run"]
    for report in combination.reports:
        kinds = [one["kind"] for one in report["diagnosis"] if "probe" in one["kind"]]
        expected = told if "probe" in combination.names else []
        if report["model"] in TELL_THEMSELVES:  # they are told nothing that could be changed
            expected = ["probe-not-run"] * len(expected)
        elif expected and "stop-early" in combination.names and report["ledger"]["not_needed"]:
            kinds = sorted({*told, *kinds}, key=told.index)  # some samples were not asked in full
        assert sorted(kinds) == sorted(expected), kinds


def _doubts_are_about_answers(combination: Combination) -> None:
    """Every image that a model answered is looked at, and no other label is in doubt."""
    answers: dict[str, str] = {}
    for line in combination.outcomes():
        if line["kind"] in ("correct", "misclassified", "unparsed"):
            answers[line["case"]] = line["expected"]
    reviews = combination.colours.summary()["label_review"]
    assert sum(review["looked_at"] for review in reviews) == len(answers)
    for one in (one for review in reviews for one in review["candidates"]):
        assert one["given"] == answers[one["case"]] != one["proposed"]
        assert one["reasons"]


def _a_run_equals_itself(combination: Combination) -> None:
    from pytest_llmclf.cli.main import main

    folder = str(combination.folder)
    assert main(["report", folder]) == 0
    complete = all(
        report["ledger"]["error"] == report["ledger"]["not_needed"] == 0
        for report in combination.reports
    )
    if complete:
        assert main(["compare", folder, folder]) == 0
