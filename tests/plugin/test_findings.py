"""How outcomes are shown: letters, words, categories, other reporters, plain terminals."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.runner.settings import DEFAULT_SEED
from pytest_llmclf.values.seeded import seeded_order
from tests.plugin.colour_server import Odd

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours


@pytest.fixture
def mixed(colours: Colours) -> Colours:
    """One misclassified, one unparsed and one failing image among nine."""
    colours.server.odd = {
        "red/0": Odd(says="blue"),
        "green/1": Odd(says="I am not sure"),
        "blue/2": Odd(status=400),
    }
    return colours


@pytest.fixture
def findings(colours: Colours) -> Colours:
    """One misclassified and one unparsed image; the rest is right."""
    colours.server.odd = {"red/0": Odd(says="blue"), "green/1": Odd(says="I am not sure")}
    return colours


def letters() -> str:
    """Of the images in their random order, and of the gate."""
    ids = [f"{colour}/{n}.png" for colour in ("red", "green", "blue") for n in range(3)]
    odd = {"red/0.png": "m", "green/1.png": "u", "blue/2.png": "E"}
    return "".join(odd.get(id_, ".") for id_ in seeded_order(ids, DEFAULT_SEED)) + "F"


def test_every_kind_has_its_letter(mixed: Colours) -> None:
    """The progress line tells correct, misclassified, unparsed and errors apart."""
    result = mixed.run()
    result.stdout.fnmatch_lines([f"test_colours.py {letters()}*"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_every_kind_is_counted_in_the_last_line(mixed: Colours) -> None:
    """Categories are pytest's own, with the finding's name."""
    result = mixed.run("-q")
    (last,) = [line for line in result.outlines if re.search(r" in [0-9.]+s$", line)]
    counts = re.findall(r"(\d+) (\w+)", last.rpartition(" in ")[0])
    assert dict(map(reversed, counts)) == {
        "failed": "1", "passed": "6", "unanswered": "1", "unparsed": "1", "misclassified": "1",
    }  # fmt: skip


def test_quiet_runs_show_no_tables(mixed: Colours) -> None:
    """With -q accuracy, gates and the page are said, and nothing else, also with workers."""
    result = mixed.run("-q")
    said = [
        "colours · openai:colours: accuracy 0.750 (6/8), 95% interval *",
        "gates",
        "*INCONCLUSIVE*",
        f"llmclf: page for a browser: {Path('run', 'page.html')}",
    ]
    result.stdout.fnmatch_lines([f"{letters()}*", *said])
    result.stdout.no_fnmatch_line("*files of this run*")
    mixed.run("-q", "-n2").stdout.fnmatch_lines(said)
    result.stdout.no_fnmatch_line("*precision*")
    result.stdout.no_fnmatch_line("llmclf: colours: 9 images*")


def test_verbose_runs_show_what_was_expected_and_said(mixed: Colours) -> None:
    """With -v each image's line has its word, both labels and the answer."""
    result = mixed.run("-v")
    # In whatever order the images come.
    result.stdout.fnmatch_lines_random(
        [
            '*blue/0.png*PASSED expected blue, predicted blue, answered "blue"*',
            "*blue/2.png*UNANSWERED expected blue, no answer: *400*",
            '*green/1.png*UNPARSED*expected green, no label (refusal), answered "I am not sure"*',
            '*red/0.png*MISCLASSIFIED*expected red, predicted blue, answered "blue"*',
            "*test_gate*INCONCLUSIVE*",
        ]
    )


@pytest.mark.parametrize("columns", [80, 100, 110, 120, 130, 140, 200])
def test_no_width_hides_what_was_said(
    findings: Colours, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    """A finding's line has the answer exactly once, on narrow and wide terminals."""
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = findings.run("-v").outlines
    (line,) = [line for line in lines if "MISCLASSIFIED" in line]
    assert line.count("expected red, predicted blue") == 1
    assert line.count('answered "blue"') == 1


def test_a_wrong_image_is_a_finding_not_a_failure(findings: Colours) -> None:
    """Misclassified and unparsed images leave the session green when the gate passes."""
    result = findings.run()
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*9 images: 7 correct, 1 misclassified, 1 unparsed, 0 errors*"])
    result.stdout.fnmatch_lines(["*PASS *accuracy >= 0.6: 0.7778 (7/9) on these 9 images*"])


def test_strict_makes_findings_failures(findings: Colours) -> None:
    """--llmclf-strict fails the image's test, with the answer as its only explanation."""
    result = findings.run("--llmclf-strict")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.parseoutcomes() == {"failed": 2, "passed": 8}
    result.stdout.fnmatch_lines(
        ["*= FAILURES =*", 'expected green, no label (refusal), answered "I am not sure"']
    )
    assert findings.ledger() == {"collected": 9, "correct": 7, "misclassified": 1, "unparsed": 1}


def test_a_failure_is_a_line_not_a_traceback(mixed: Colours) -> None:
    """The failure section has the gate's reason and no frame of this package."""
    text = mixed.run("--llmclf-strict").stdout.str()
    section = text.partition("= FAILURES =")[2].partition("= evaluations =")[0]
    assert "def " not in section
    assert ".py:" not in section
    assert len(section.splitlines()) <= 9


def test_junit_knows_findings_and_errors(mixed: Colours) -> None:
    """Findings are skipped with their reason, errors and gates are failures."""
    mixed.run("--junitxml=junit.xml")
    suite = ET.parse(mixed.root / "junit.xml").getroot()[0]  # noqa: S314 - our own file
    cases = {str(case.get("name")): case for case in suite.iter("testcase")}
    found = {
        name: [child.tag for child in case if child.tag != "properties"]
        for name, case in cases.items()
    }
    assert found["test_image[red/0.png|openai:colours]"] == ["skipped"]
    assert found["test_image[green/1.png|openai:colours]"] == ["skipped"]
    assert found["test_image[blue/2.png|openai:colours]"] == ["failure"]
    assert found["test_gate[openai:colours]"] == ["failure"]
    assert found["test_image[red/1.png|openai:colours]"] == []
    skipped = cases["test_image[red/0.png|openai:colours]"].find("skipped")
    assert skipped is not None
    assert skipped.get("type") == "pytest.xfail"
    assert skipped.get("message") == 'expected red, predicted blue, answered "blue"'


def test_strict_findings_are_failures_in_junit(findings: Colours) -> None:
    """With --llmclf-strict JUnit counts them as failures."""
    findings.run("--llmclf-strict", "--junitxml=junit.xml")
    suite = ET.parse(findings.root / "junit.xml").getroot()[0]  # noqa: S314 - our own file
    assert (suite.get("failures"), suite.get("skipped")) == ("2", "0")


def test_no_colour_where_nobody_sees_it(mixed: Colours) -> None:
    """Output that is not a terminal has no escape sequences."""
    assert "\x1b" not in mixed.run("-v").stdout.str()


def test_colour_where_it_is_wanted_and_none_with_no_color(
    mixed: Colours, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--color=yes colours the report; NO_COLOR in the environment does not."""
    coloured = mixed.run("--color=yes").stdout.str()
    assert re.search(r"\x1b\[[0-9;]*mINCONCLUSIVE", coloured)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in mixed.run().stdout.str()


def test_ascii_where_the_terminal_has_nothing_else(
    mixed: Colours, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An ASCII terminal gets ASCII, and the run is not lost to an encoding error."""
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    result = mixed.run_apart()
    text = result.stdout.str()
    assert text.isascii()
    assert "Traceback" not in text + result.stderr.str()
    result.stdout.fnmatch_lines(["*confusion matrix*", "*red > blue*", "*INCONCLUSIVE*"])


def test_an_answer_cannot_move_the_cursor(colours: Colours) -> None:
    """Control characters of an answer are shown, not obeyed."""
    colours.server.odd = {"red/0": Odd(says="\x1b[2Jred\r\u202egreen")}
    text = colours.run("-vv").stdout.str()
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\\x1b[2J" in text


def test_the_last_part_has_the_tables(mixed: Colours) -> None:
    """Scores, matrix, confusions, unparsed answers and errors are there, then the gates."""
    mixed.run().stdout.fnmatch_lines(
        [
            "*= evaluations =*",
            "*9 images: 6 correct, 1 misclassified, 1 unparsed, 1 error*",
            "*precision*recall*F1-score*support",
            "*accuracy*0.750 (6/8)*",
            "*confusion matrix*",
            "*most frequent confusions*",
            "*1*red*blue*red/0.png",
            "*answers without a label*",
            '*green/1.png*"I am not sure"',
            "*images without an answer*",
            "*blue/2.png*",
            "gates",
            "*INCONCLUSIVE*",
        ]
    )
