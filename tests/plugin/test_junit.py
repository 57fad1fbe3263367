"""What other reporters learn: JUnit XML, JSON reports, report logs, pytest-html."""

from __future__ import annotations

import base64
import json
import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest

from tests.plugin.colour_server import Odd, png

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plugin.conftest import Colours

HOSTILE = "<img src=x onerror=alert(1)>"
TESTCASE = {"name", "classname", "time", "file", "line"}
CHILDREN = ["properties", "skipped", "error", "failure", "system-out", "system-err"]


def cases(project: Colours) -> dict[str, ET.Element]:
    """The test cases of the JUnit file, by name."""
    root = ET.parse(project.root / "junit.xml").getroot()  # noqa: S314 - our own file
    return {str(case.get("name")): case for case in root.iter("testcase")}


def properties(case: ET.Element) -> dict[str, str]:
    """The properties of a test case."""
    found = case.findall("properties/property")
    return {str(each.get("name")): str(each.get("value")) for each in found}


@pytest.mark.parametrize("args", [(), ("-n2",)], ids=["-n0", "-n2"])
def test_images_have_properties(colours: Colours, args: tuple[str, ...]) -> None:
    """Expected, predicted, outcome, duration and model of each image, wherever it ran."""
    colours.server.odd = {"red/0": Odd(says="blue"), "green/1": Odd(says="I am not sure")}
    colours.run("--junitxml=junit.xml", *args)
    found = cases(colours)
    red = properties(found["test_image[red/0.png|openai:colours]"])
    assert float(red.pop("duration")) > 0
    assert red == {
        "evaluation": "colours", "model": "openai:colours", "image": "red/0.png",
        "outcome": "misclassified", "expected": "red", "predicted": "blue",
    }  # fmt: skip
    green = properties(found["test_image[green/1.png|openai:colours]"])
    assert (green["outcome"], green["reason"]) == ("unparsed", "refusal")
    # No log-probability came with any answer: nothing is known of confidence.
    assert not {"predicted", "confidence"} & set(green)
    assert sum("outcome" in properties(case) for case in found.values()) == 9


@pytest.mark.parametrize("family", ["xunit1", "xunit2"])
def test_the_file_is_valid(colours: Colours, family: str) -> None:
    """Elements and attributes are those that JUnit's readers know, in their order, once each."""
    colours.server.odd = {"red/0": Odd(says="\x00\x1b]0;\ud7ff"), "blue/1": Odd(status=400)}
    colours.run("--junitxml=junit.xml", "-o", f"junit_family={family}")
    for name, case in cases(colours).items():
        tags = [child.tag for child in case]
        assert tags == sorted(tags, key=CHILDREN.index), name
        assert len(set(tags)) == len(tags)
        assert set(case.attrib) <= (TESTCASE if family == "xunit1" else TESTCASE - {"file", "line"})
        names = [each.get("name") for each in case.iter("property")]
        assert len(set(names)) == len(names)
        assert all(set(each.attrib) == {"name", "value"} for each in case.iter("property"))


def test_gates_are_test_cases_with_their_verdict(colours: Colours) -> None:
    """A gate that passes says so in its properties, one that fails in its failure, too."""
    colours.run("--junitxml=junit.xml")
    passed = cases(colours)["test_gate[openai:colours]"]
    assert properties(passed)["verdict"] == "PASS"
    assert properties(passed)["gates"].startswith("PASS: accuracy >= 0.6: ")
    colours.server.odd = {"red": Odd(says="blue")}
    colours.evaluation("recall[red] >= 0.5")
    colours.run("--junitxml=junit.xml", "--llmclf-fresh")
    failed = cases(colours)["test_gate[openai:colours]"]
    assert properties(failed)["verdict"] == "FAIL"
    failure = failed.find("failure")
    assert failure is not None
    assert "recall[red] >= 0.5" in str(failure.get("message"))


@pytest.mark.parametrize("allowed", [False, True])
@pytest.mark.parametrize(
    ("gate", "tag"), [("accuracy >= 0.6", None), ("accuracy <= 0.1", "failure"),
                      ("accuracy >= 0.9 with 95% confidence", "undecided")],
)  # fmt: skip
def test_a_gate_without_a_test_is_a_test_case_too(
    colours: Colours, gate: str, tag: str | None, *, allowed: bool
) -> None:
    """Declared gates that nobody wrote a test for stand in the file as what they came to."""
    colours.evaluation(gate)
    path = colours.root / "test_colours.py"
    path.write_text(path.read_text().split("@colours.gate")[0])
    option = ["--llmclf-inconclusive=allow"] if allowed else []
    colours.run("--junitxml=junit.xml", *option)
    (case,) = [case for name, case in cases(colours).items() if name.startswith("gates[")]
    if tag == "undecided":
        tag = "skipped" if allowed else "failure"
    assert case.get("name") == "gates[colours|openai:colours]"
    assert [child.tag for child in case] == ["properties", *([tag] if tag else [])]
    assert gate in properties(case)["gates"]


def hostile(project: Colours) -> None:
    """A class whose name is markup."""
    folder = project.root / "fixtures" / "colours" / HOSTILE
    folder.mkdir()
    (folder / "0.png").write_bytes(png("red", 7))


def test_ids_are_harmless(colours: Colours) -> None:
    """A label that is markup is none in a test id, which some reporters write as it is."""
    hostile(colours)
    result = colours.run("--collect-only", "-q")
    (line,) = [line for line in result.outlines if "onerror" in line]
    assert not set("<>&\"'`") & set(line)


def html(project: Colours, *args: str) -> tuple[str, list[dict[str, object]]]:
    """The report of pytest-html, and its tests."""
    project.reporters = True
    project.run("--html=report.html", *args)
    text = (project.root / "report.html").read_text("utf-8")
    blob = re.search(r'data-jsonblob="([^"]*)"', text)
    assert blob is not None
    data = json.loads(blob[1].replace("&#34;", '"').replace("&#39;", "'").replace("&lt;", "<")
                      .replace("&gt;", ">").replace("&amp;", "&"))  # fmt: skip
    return text, [each for tests in data["tests"].values() for each in tests]


@pytest.mark.parametrize("args", [(), ("-n2",)], ids=["-n0", "-n2"])
def test_pytest_html_gets_thumbnails_and_safe_ids(colours: Colours, args: tuple[str, ...]) -> None:
    """Every image has its image on the page, and no label becomes markup."""
    pytest.importorskip("pytest_html")
    hostile(colours)
    text, tests = html(colours, "--self-contained-html", *args)
    images = [
        extra["content"]
        for test in tests
        for extra in test["extras"]  # type: ignore[attr-defined]
        if extra["format_type"] == "image"
    ]
    assert len(images) == 10
    assert all(content.startswith("data:image/") for content in images)
    assert base64.b64decode(images[0].split(",")[1])
    assert "<img src=x" not in text
    assert not any("<img" in str(test["resultsTableRow"]) for test in tests)


def test_report_logs_are_whole(colours: Colours) -> None:
    """pytest-reportlog writes every image with its properties and its outcome."""
    pytest.importorskip("pytest_reportlog")
    colours.reporters = True
    colours.run("--report-log=log.jsonl")
    text = (colours.root / "log.jsonl").read_text("utf-8")
    ends = [each for line in text.splitlines() if (each := json.loads(line)).get("when") == "call"]
    outcomes = [dict(each["user_properties"])["outcome"] for each in ends if "llmclf" in each]
    assert outcomes == ["correct"] * 9


def test_json_reports_are_whole(colours: Colours) -> None:
    """pytest-json-report writes every image with its properties."""
    pytest.importorskip("pytest_jsonreport")
    path: Path = colours.root / "report.json"
    colours.reporters = True
    colours.run("--json-report", f"--json-report-file={path}")
    data = json.loads(path.read_text("utf-8"))
    facts = [each for test in data["tests"] for each in test.get("user_properties", ())]
    assert sum(each == {"outcome": "correct"} for each in facts) == 9
    assert {"verdict": "PASS"} in facts


def test_reports_are_not_kept_with_properties(colours: Colours) -> None:
    """Kept reports are without what all reporters have had; what a test noted itself stays."""
    (colours.root / "conftest.py").write_text(
        """
import pytest

@pytest.fixture(autouse=True)
def own(record_property):
    record_property("own", "mine")

def pytest_terminal_summary(terminalreporter):
    kept = [one for some in terminalreporter.stats.values() for one in some]
    kept = [one for one in kept if isinstance(one, pytest.TestReport)]
    images = [one for one in kept if one.when != "setup" and "test_image" in one.nodeid]
    assert len(images) == 18
    assert all(one.user_properties == [("own", "mine")] for one in images)
    terminalreporter.line("only its own")
"""
    )
    result = colours.run_apart("--junit-xml=junit.xml")
    result.stdout.fnmatch_lines(["only its own"])
    xml = (colours.root / "junit.xml").read_text("utf-8")
    assert xml.count('name="outcome" value="correct"') == 9
