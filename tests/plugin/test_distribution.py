"""The same report however the tests are spread, and nothing green when something is lost."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf.runner.answer_cache import AnswerStore
from tests.forkserver import fresh_or_forked, workers_forked
from tests.plugin.colour_server import ColourServer, Odd

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plugin.conftest import Colours

EACH = 6
ALL = 3 * EACH

WAYS = {
    "alone": (),
    "n0": ("-n0",),
    "n1": ("-n1",),
    "load": ("-n3", "--dist=load"),
    "worksteal": ("-n2", "--dist=worksteal"),
    "loadfile": ("-n2", "--dist=loadfile"),
}


@pytest.fixture(params=WAYS.values(), ids=list(WAYS))
def options(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """How tests are spread over processes."""
    args: tuple[str, ...] = request.param
    return args


@pytest.fixture(params=[(), ("-n2",)], ids=["alone", "n2"])
def short_way(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """One process, or two."""
    args: tuple[str, ...] = request.param
    return args


@pytest.fixture
def spread(colours: Colours) -> Colours:
    """Eighteen images, one misclassified, one unparsed."""
    colours.images(each=EACH)
    colours.server.odd = {"red/0": Odd(says="blue"), "green/5": Odd(says="Hm.")}
    return colours


def gate_words(colours: Colours) -> list[str]:
    """The verdicts of the last run."""
    return [gate["word"] for gate in colours.summary()["gates"]]


def test_every_way_has_the_same_report(spread: Colours, options: tuple[str, ...]) -> None:
    """Ledger, confusion, accuracy and verdict do not depend on the processes."""
    result = spread.run(*options)
    assert result.ret == pytest.ExitCode.OK
    assert result.parseoutcomes() == {"passed": 17, "misclassified": 1, "unparsed": 1}
    report = spread.written()
    assert spread.ledger() == {"collected": 18, "correct": 16, "misclassified": 1, "unparsed": 1}
    assert report["accuracy"] == 16 / 18
    assert report["confusion"] == {
        "labels": ["blue", "green", "red"],
        "counts": [[6, 0, 0], [0, 5, 0], [1, 0, 5]],
        "unparsed": [0, 1, 0],
        "error": [0, 0, 0],
        "not_needed": 0,
        "lost": 0,
        "not_run": 0,
    }
    assert spread.summary()["gates"] == [
        {
            "word": "PASS",
            "text": "accuracy >= 0.6: 0.8889 (16/18) on these 18 images",
            "evaluation": "colours",
            "model": "openai:colours",
            "undecided": None,
            "variant": "",
        }
    ]
    assert set(spread.server.asked.values()) == {1}
    result.stdout.fnmatch_lines(["*gates*", "*PASS*"])
    assert result.stdout.str().count("llmclf: colours: 18 images, 3 classes") == 1


def test_a_failing_gate_is_red_every_way(spread: Colours, short_way: tuple[str, ...]) -> None:
    """Two gates of two models, one of them failing, in one process or several."""
    spread.evaluation("accuracy >= 0.85")
    other = f"openai:colour-blind@{spread.server.url}"
    result = spread.run(*short_way, "--llmclf-model", other)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert gate_words(spread) == ["PASS", "FAIL"]
    assert result.parseoutcomes()["failed"] == 1


def test_a_subset_says_so_every_way(spread: Colours, short_way: tuple[str, ...]) -> None:
    """-k and --deselect are the user's will: judged, and called a subset."""
    deselected = "test_colours.py::test_image[blue/0.png|openai:colours]"
    result = spread.run(*short_way, "-k", "blue or test_gate", "--deselect", deselected)
    assert result.ret == pytest.ExitCode.OK
    assert spread.ledger() == {"collected": 5, "correct": 5, "deselected": 13}
    assert "on 5 of 18 images, a subset" in spread.summary()["gates"][0]["text"]


def test_a_gate_alone_is_red_every_way(spread: Colours, short_way: tuple[str, ...]) -> None:
    """Zero images never give a green gate, nor a green run."""
    result = spread.run(*short_way, "-k", "test_gate")
    assert result.ret != pytest.ExitCode.OK
    assert spread.server.questions == 0


@pytest.mark.parametrize("options", [("-x",), ("--maxfail=2", "-n2")], ids=" ".join)
def test_stopping_early_is_never_green(spread: Colours, options: tuple[str, ...]) -> None:
    """What was not run is said to be so, and no gate passes."""
    spread.server.odd["blue/0"] = spread.server.odd["blue/1"] = Odd(status=400)
    # Late enough for the stop to come first, however the images are spread.
    spread.server.odd["green"] = spread.server.odd["red"] = Odd(waits_s=0.4)
    result = spread.run(*options)
    assert result.ret not in (pytest.ExitCode.OK, pytest.ExitCode.INTERNAL_ERROR)
    ledger: dict[str, Any] = spread.written()["ledger"]
    assert ledger["not_run"] >= 1
    assert ledger["lost"] == 0
    assert ledger["collected"] == ALL
    assert ledger["collected"] == sum(
        ledger[kind] for kind in ("correct", "misclassified", "unparsed", "error", "not_run")
    )
    assert "PASS" not in gate_words(spread)
    result.stdout.fnmatch_lines(["*images not run*"])


KILLER = """
import os, signal, pytest

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item):
    at_it = "green/3" in item.name and not item.name.endswith("|short]")
    if at_it and "PYTEST_XDIST_WORKER" in os.environ:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("dist", ["load", "worksteal"])
def test_a_killed_worker_is_never_green(spread: Colours, dist: str) -> None:
    """Its image is lost, of its variant alone, whose gate is INCONCLUSIVE; all others are there."""
    (spread.root / "conftest.py").write_text(KILLER)
    tried = ["--llmclf-variant=short: prompt=Which?"] * (dist == "load")
    result = spread.run("-n2", f"--dist={dist}", *tried)
    if dist == "worksteal" and result.ret == pytest.ExitCode.INTERNAL_ERROR:
        # Rarely xdist 3.8 steals from a worker just when it dies, and then gives up itself: red.
        result.stdout.fnmatch_lines(["INTERNALERROR*send_steal*", "*cannot send*"])
        return
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    ledger = spread.ledger()
    assert ledger["collected"] == ALL
    assert ledger["lost"] == 1
    assert not any(report["ledger"]["lost"] for report in spread.summary()["reports"][1:])
    assert gate_words(spread) == ["INCONCLUSIVE", *["PASS"] * len(tried)]
    result.stdout.fnmatch_lines(["*worker 'gw?' crashed*green/3.png*"])
    result.stdout.fnmatch_lines(["*lost images*", "*green/3.png*", "*INCONCLUSIVE*"])


def test_what_a_killed_worker_asked_is_known(spread: Colours) -> None:
    """The next run asks only what never got its answer."""
    if sys.platform == "win32":
        pytest.skip("Windows has no SIGKILL")
    (spread.root / "conftest.py").write_text(KILLER)
    spread.run("-n1")
    (spread.root / "conftest.py").unlink()
    before = spread.server.questions
    assert spread.run().ret == pytest.ExitCode.OK
    assert before + ALL - len(spread.server.asked) <= spread.server.questions <= ALL + 1


def test_workers_agree_on_a_damaged_store(spread: Colours) -> None:
    """Several processes find it damaged at once; one sets it aside and all go on."""
    home = spread.root / ".llmclf"
    home.mkdir()
    (home / "answers.sqlite").write_bytes(b"no database" * 1000)
    assert spread.run("-n2").ret == pytest.ExitCode.OK
    assert [path.name for path in home.glob("*set-aside*")] == ["answers.sqlite.set-aside-1"]
    assert spread.run().ret == pytest.ExitCode.OK
    assert set(spread.server.asked.values()) == {1}


def test_a_dataset_error_is_said_under_xdist(spread: Colours) -> None:
    """The run is red and the message is there."""
    path = spread.root / "test_colours.py"
    path.write_text(path.read_text().replace('dataset="colours"', 'dataset="colors"'))
    result = spread.run("-n2")
    assert result.ret != pytest.ExitCode.OK
    assert "did you mean 'colours'?" in " ".join(result.stdout.str().split())


def test_ordinary_tests_are_spread_as_ever(spread: Colours) -> None:
    """Plain tests beside an evaluation run once, on the workers."""
    (spread.root / "test_other.py").write_text(
        "import os\n\ndef test_worker():\n    assert 'PYTEST_XDIST_WORKER' in os.environ\n"
    )
    result = spread.run("-n2")
    assert result.ret == pytest.ExitCode.OK
    assert result.parseoutcomes() == {"passed": 18, "misclassified": 1, "unparsed": 1}


def test_xdist_without_evaluations_is_left_alone(pytester: pytest.Pytester) -> None:
    """A run of plain tests has nothing of this plugin in it."""
    pytester.makepyfile("def test_one():\n    pass\n\ndef test_two():\n    assert 0\n")
    with workers_forked():
        result = pytester.runpytest_inprocess("-n2", "-p", "no:hypothesispytest")
    assert result.parseoutcomes() == {"passed": 1, "failed": 1}
    assert "llmclf:" not in result.stdout.str()


def test_collecting_only_is_quiet_where_warnings_are_errors(colours: Colours) -> None:
    """Workers that end without a word to syrupy cost neither the listing nor the exit code."""
    result = colours.run("--collect-only", "-q", "-n2", "-W", "error")
    assert result.ret == pytest.ExitCode.OK
    assert "Traceback" not in result.stdout.str() + result.stderr.str()
    result.stdout.fnmatch_lines(["test_colours.py::test_gate[[]openai:colours]"])


NOTE_FOLDER = """
import os

def pytest_collection_finish(session):
    if "PYTEST_XDIST_WORKER" in os.environ:
        (session.config.rootpath / "ran-here").write_text(str(session.items[0].path))
"""


def apart(colours: Colours, number: int, model: str) -> Path:
    """A folder elsewhere with a copy of the project, as on a machine with its own model."""
    folder = colours.root.parent / f"{colours.root.name}-host{number}"
    shutil.copytree(colours.root, folder)
    (folder / "conftest.py").write_text(NOTE_FOLDER)
    (folder / "pytest.ini").write_text(f"[pytest]\nllmclf_model = {model}\n")
    return folder


def run_on_hosts(colours: Colours, *folders: Path) -> pytest.RunResult:
    """Run with a worker in each folder.

    As over ssh, nothing but the channel of execnet connects the workers with the controller.
    """
    (colours.root / "pytest.ini").write_text(f"[pytest]\nllmclf_model = {colours.server.spec}\n")
    given = [f"--tx=popen//python={fresh_or_forked()}//chdir={folder}" for folder in folders]
    own = [arg for arg in colours.command(model="") if not arg.startswith("--rootdir")]
    with workers_forked():
        return colours.pytester.runpytest_subprocess(*own, "--dist=load", *given, timeout=60)


def answers_in(path: Path) -> int:
    """How many answers a store keeps."""
    assert path.is_file()
    with AnswerStore(path) as store:
        return len(store)


def test_workers_apart_have_the_same_report(spread: Colours) -> None:
    """Folders and stores of their own, nothing shared: what one process would report."""
    folders = [apart(spread, number, spread.server.spec) for number in (1, 2)]
    result = run_on_hosts(spread, *folders)
    assert result.ret == pytest.ExitCode.OK
    together, gates = spread.written(), gate_words(spread)
    assert spread.ledger() == {"collected": 18, "correct": 16, "misclassified": 1, "unparsed": 1}
    assert set(spread.server.asked.values()) == {1}
    for folder in folders:
        assert (folder / "ran-here").read_text() == str(folder / "test_colours.py")
    assert sum(answers_in(folder / ".llmclf" / "answers.sqlite") for folder in folders) == ALL

    spread.run("-n0", "--llmclf-home", str(spread.root / "alone"))
    alone = spread.written()
    assert gate_words(spread) == gates == ["PASS"]
    for same in ("ledger", "confusion", "accuracy", "identity", "notes"):
        assert together[same] == alone[same]


def test_two_models_of_one_name_are_never_one_report(spread: Colours) -> None:
    """Workers that ask two servers of which nobody knows that they have the same model."""
    with ColourServer() as other:
        servers = (spread.server, other)
        folders = [apart(spread, number, its.spec) for number, its in enumerate(servers)]
        result = run_on_hosts(spread, *folders)
        assert other.questions
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert gate_words(spread) == ["INCONCLUSIVE"]
    assert spread.ledger()["error"] >= 1
    result.stdout.fnmatch_lines(["*give all workers the same model*"])


def test_workers_with_another_model_than_here_are_red(spread: Colours) -> None:
    """What nobody here expected does not stand in for what was; the report says whose it is."""
    other = spread.server.spec.replace("colours@", "colour-blind@")
    result = run_on_hosts(spread, apart(spread, 1, other))
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*INCONCLUSIVE*18 of 18 images were lost*"])
    result.stdout.fnmatch_lines(["*workers put 18 images to openai:colour-blind*"])
