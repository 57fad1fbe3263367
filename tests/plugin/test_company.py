"""In company: what other marks, plugins and fixtures do to the tests of an evaluation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from pytest_llmclf.plugin import options
from tests.plugin.colour_server import Odd

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours

OPTIONS: Final = Path(options.__file__)
PROCESSES = pytest.mark.parametrize("processes", [(), ("-n2",)], ids=["alone", "n2"])


def edit(colours: Colours, old: str, new: str) -> None:
    """Change the evaluation's file."""
    path = colours.root / "test_colours.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def words(colours: Colours) -> list[str]:
    """The verdicts of the last run."""
    return [gate["word"] for gate in colours.summary()["gates"]]


BODY = "    outcome.check()\n"
CALL = "    if outcome.expected == 'red':\n        pytest.xfail('known')\n" + BODY
FAILS = BODY + "    assert outcome.predicted == 'green'\n"


@pytest.mark.parametrize(
    ("mark", "body", "counts"),
    [
        ("", CALL, {"xfailed": 3, "passed": 7}),
        ("xfail(reason='bad')", FAILS, {"xfailed": 6, "xpassed": 3, "passed": 1}),
        ("xfail(strict=True)", FAILS, {"xfailed": 6, "failed": 3, "passed": 1}),
        ("xfail(raises=AssertionError)", FAILS, {"xfailed": 6, "xpassed": 3, "passed": 1}),
        ("xfail(raises=ValueError)", FAILS, {"failed": 6, "xpassed": 3, "passed": 1}),
        ("xfail(False, reason='not here')", BODY, {"passed": 10}),
    ],
)
def test_a_right_answer_may_be_expected_to_fail(
    colours: Colours, mark: str, body: str, counts: dict[str, int]
) -> None:
    """Its test is shown as pytest shows it; report and gate have every answer."""
    edit(colours, BODY, body)
    edit(colours, "from pytest_llmclf", "import pytest\nfrom pytest_llmclf")
    if mark:
        edit(colours, "@colours.images", f"@pytest.mark.{mark}\n@colours.images")
    result = colours.run("-v")
    assert result.parseoutcomes() == counts
    assert colours.ledger() == {"collected": 9, "correct": 9}
    assert words(colours) == ["PASS"]
    assert result.ret == int("failed" in counts)


@PROCESSES
def test_a_wrong_answer_may_be_expected_to_fail(
    colours: Colours, processes: tuple[str, ...]
) -> None:
    """The author's mark stands before our own word; what was found is counted all the same."""
    colours.server.odd = {"red/0": Odd(says="blue"), "red/1": Odd(says="?"), "red/2": Odd(says="")}
    edit(colours, "from pytest_llmclf", "import pytest\nfrom pytest_llmclf")
    edit(colours, "@colours.images", "@pytest.mark.xfail(reason='hard')\n@colours.images")
    result = colours.run("-rx", *processes)
    assert result.parseoutcomes() == {"xfailed": 3, "xpassed": 6, "passed": 1}
    assert result.stdout.str().count(" - hard") == 3
    assert colours.ledger() == {"collected": 9, "correct": 6, "misclassified": 1, "unparsed": 2}


def test_an_unanswered_image_may_be_expected_to_fail(colours: Colours) -> None:
    """The gate is INCONCLUSIVE nevertheless, and the run red."""
    colours.server.odd = {"red/0": Odd(status=400)}
    edit(colours, "from pytest_llmclf", "import pytest\nfrom pytest_llmclf")
    edit(colours, "@colours.images", "@pytest.mark.xfail(reason='hard')\n@colours.images")
    result = colours.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert words(colours) == ["INCONCLUSIVE"]


def test_a_gate_may_be_expected_to_fail(colours: Colours) -> None:
    """Its verdict is what it is; the run is green, as its author wants it."""
    colours.evaluation("accuracy <= 0.5")
    edit(colours, "from pytest_llmclf", "import pytest\nfrom pytest_llmclf")
    edit(colours, "@colours.gate", "@pytest.mark.xfail(reason='not yet')\n@colours.gate")
    result = colours.run()
    assert result.parseoutcomes() == {"passed": 9, "xfailed": 1}
    assert (result.ret, words(colours)) == (pytest.ExitCode.OK, ["FAIL"])


REPEATER = """
import pytest
from _pytest.runner import runtestprotocol

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    first = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in first:
        item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logreport(report=report)
    {again}
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
"""
"""As plugins that run a test again do it."""


@pytest.mark.parametrize("again", ["pass", "runtestprotocol(item, nextitem=nextitem)"])
@pytest.mark.parametrize("args", [("-q",), ("-v",), ("-n2",)])
def test_a_report_may_be_shown_twice(colours: Colours, again: str, args: tuple[str, ...]) -> None:
    """By a plugin that repeats tests, of images and gates, with and without another run."""
    colours.server.odd = {"red/0": Odd(says="blue")}
    (colours.root / "conftest.py").write_text(REPEATER.format(again=again))
    colours.reporters = True
    result = colours.run("--junitxml=junit.xml", "--html=tests.html", *args)
    assert result.ret == pytest.ExitCode.OK
    assert colours.ledger() == {"collected": 9, "correct": 8, "misclassified": 1}
    assert set(words(colours)) == {"PASS"}


OWN = """
import pytest

@pytest.fixture
def {name}({argument}):
    return {value}
"""


@pytest.mark.parametrize("name", ["outcome", "report", "baseline"])
def test_a_fixture_that_hides_ours_is_named(colours: Colours, name: str) -> None:
    """At collection, with its place and the remedy; nobody is asked anything."""
    arguments = ", baseline" if name == "baseline" else ""
    colours.evaluation(arguments=arguments)
    (colours.root / "conftest.py").write_text(OWN.format(name=name, argument="", value=1))
    for processes in ((), ("-n2",)) if name == "report" else ((),):
        result = colours.run(*processes)
        assert result.ret != pytest.ExitCode.OK
        shown = " ".join(result.stdout.str().split())
        assert "INTERNALERROR" not in shown
        assert f"conftest.py:4 defines a fixture '{name}', which hides the one of" in shown
    assert colours.server.questions == 0


@pytest.mark.parametrize("name", ["outcome", "report", "baseline"])
def test_a_fixture_may_wrap_ours(colours: Colours, name: str) -> None:
    """Whatever it returns: report and gates go by our own."""
    arguments = ", baseline" if name == "baseline" else ""
    colours.evaluation(arguments=arguments)
    edit(colours, BODY, "    pass\n")
    own = OWN.format(name=name, argument=name, value=f"({name}, 1)")
    (colours.root / "conftest.py").write_text(own)
    result = colours.run("--snapshot-update")
    assert result.ret == pytest.ExitCode.OK
    assert colours.ledger() == {"collected": 9, "correct": 9}


def test_our_fixtures_without_an_evaluation_are_refused(colours: Colours) -> None:
    """A test that lacks its decorator says which one."""
    edit(colours, "@colours.images\n", "")
    result = colours.run()
    result.stdout.fnmatch_lines(
        ["*the fixture 'outcome' is for the tests of an evaluation: put @EVALUATION.images over*"]
    )


def test_a_snapshot_of_another_plugin_is_refused(colours: Colours) -> None:
    """The baseline says what it needs and what it found."""
    colours.evaluation(arguments=", baseline")
    (colours.root / "conftest.py").write_text(OWN.format(name="snapshot", argument="", value="{}"))
    result = colours.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*needs syrupy's fixture 'snapshot'*builtins.dict: rename*"])


@PROCESSES
def test_processes_of_their_own_are_refused(colours: Colours, processes: tuple[str, ...]) -> None:
    """A fork has no threads that ask: said at collection, and nobody is asked."""
    (colours.root / "conftest.py").write_text(
        "def pytest_addoption(parser):\n    parser.addoption('--forked', action='store_true')\n"
    )
    result = colours.run("--forked", *processes)
    assert result.ret != pytest.ExitCode.OK
    shown = " ".join(result.stdout.str().split())
    assert "--forked gives each test a process of its own" in shown
    assert colours.server.questions == 0


def test_help_lists_every_option(pytester: pytest.Pytester) -> None:
    """Pytest itself fails where a placeholder holds a comma and a blank."""
    shown = pytester.runpytest_inprocess("--help")
    assert shown.ret == pytest.ExitCode.OK, shown.stderr.str()
    listed = set(re.findall(r"--llmclf-[a-z-]+", shown.stdout.str()))
    assert listed >= set(re.findall(r'"(--llmclf-[a-z-]+)"', OPTIONS.read_text("utf-8")))
