"""Files, labels and tags of any name: every image once, nothing runs, nothing is garbled."""

# ruff: noqa: RUF001 -- look-alikes are what is tested

from __future__ import annotations

import csv
import json
import re
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.cli import main
from tests.plugin.colour_server import png

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plugin.conftest import Colours

NAMES = (
    "plain.png", "with space.png", "-rf.png", "--llmclf-strict.png", "=cmd|calc.png",
    "@sum.png", "+1.png", "%s%n%41.png", "100%.png", "a'b.png", "a`b`.png", "$(id).png",
    "a;b&c.png",
    "[x].png", "a,b.png", "ab::c.png", "é.png", "日本語.png", "😀🇩🇪.png", "CON.png",
    "nul", "aux.tar.png", "dots...png", "..hidden..png", "~user.png", "#1.png", "a{b}.png",
    "<script>alert(1)</script>.png".replace("/", "∕"), '"onerror=alert(1) x=".png', "a|b.png",
    "x" * 251 + ".png", "Straße.png", "CaSe.png", "!important.png", "a -> b.png", "# x.png",
    "x  y.png", "\\u0041.png".replace("\\", "＼"), "{{7*7}}.png", "${x}.png", "::error::x.png",
    "]]>.png", "&amp;.png", "ends with space .png", "‐.png",
)  # fmt: skip
"""What file systems of Linux take and a dataset may hold; those of Windows take fewer."""

REFUSED = {
    "line\nbreak.png": r"line\nbreak.png",
    "red\x1b[31m.png": r"red\x1b[31m.png",
    "right\u202eto-left.png": r"right\u202eto-left.png",
    "zero\u200bwidth.png": r"zero\u200bwidth.png",
    "back\\slash.png": "back",
    "\udcff\udcfe.png": r"\udcff\udcfe.png",
    "family 👩\u200d👧.png": r"family 👩\u200d👧.png",
    "bell\x07.png": r"bell\x07.png",
}
"""Names that cannot be shown, or are another path elsewhere; and how the refusal shows them."""

LABELS = ("red", "=cmd", "<b>", "a|b", "é", 'say "x"')
HEAD = {"red": "red"}

posix = pytest.mark.skipif(sys.platform == "win32", reason="such names cannot be made on Windows")


class Scripts(HTMLParser):
    """Counts what a browser would run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note elements and the attributes that run something."""
        self.tags.append(tag)
        self.found += [f"{tag} {name}" for name, _ in attrs if name.startswith("on")]


def make(colours: Colours) -> list[str]:
    """Write the images and a manifest of them; the ids."""
    folder = colours.root / "fixtures" / "colours"
    import shutil

    shutil.rmtree(folder)
    folder.mkdir()
    rows = []
    for number, name in enumerate(NAMES):
        (folder / name).write_bytes(png(("red", "green", "blue")[number % 3], number))
        style = ("=1+1", "<i>", "a::b", "é\u0301")[number % 4]
        rows.append((name, LABELS[number % len(LABELS)], style))
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label", "=style<i>"))
        writer.writerows(rows)
    # Declared, "a|b" is one label and no list of two.
    listed = f"labels = {json.dumps(LABELS, ensure_ascii=False)}\n"
    (folder / "dataset.toml").write_text(listed, "utf-8")
    return [name.removeprefix("./").strip() for name in NAMES]


def garbled(text: str) -> set[str]:
    """Signs that would do something to a terminal."""
    return {char for char in text if not char.isprintable() and char not in "\n\r\t"}


@posix
@pytest.mark.parametrize("processes", [(), ("-n2",)])
def test_all_of_them_in_one_run(colours: Colours, processes: tuple[str, ...]) -> None:
    """Each image is asked about once, has an id of its own, and is in every file, whole."""
    ids = make(colours)
    arguments = (*processes, "-v", "--color=no", "--junitxml=j.xml", "--html=x.html")
    colours.reporters = True
    result = colours.run(*arguments)
    printed = result.stdout.str() + result.stderr.str()
    assert colours.ledger()["collected"] == len(ids), printed
    assert "lost" not in colours.ledger()
    assert colours.server.questions == len(ids)
    assert garbled(printed) == set()
    run = colours.root / "run"
    # Only a line feed ends a line: JSON leaves other separators inside strings.
    text = (run / "outcomes.jsonl").read_text("utf-8")
    lines = [json.loads(line) for line in text.split("\n") if line]
    assert sorted(line["case"] for line in lines) == sorted(ids)
    in_table(run / "outcomes.csv", ids)
    in_junit(colours.root / "j.xml", ids)
    for page in (run / "page.html", colours.root / "x.html"):
        in_page(page)
    for name in ("report.txt", "summary.md"):
        assert garbled((run / name).read_text("utf-8")) == set()
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", path.name) for path in run.iterdir())
    ET.parse(next(run.glob("*.svg")))  # noqa: S314 - our own file
    read_back(run, colours.root / "again")


def in_table(path: Path, ids: list[str]) -> None:
    """The table has every image, and nothing in it is a formula."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["case"].removeprefix("'") for row in rows) == sorted(ids)
    cells = [cell for row in rows for cell in (*row, *row.values()) if cell]
    assert [cell for cell in cells if cell.lstrip()[:1] in "=+@"] == []


def in_junit(path: Path, ids: list[str]) -> None:
    """JUnit XML is well-formed, its names are short, and its properties hold the ids."""
    cases = list(ET.parse(path).iter("testcase"))  # noqa: S314 - our own file
    names = [case.get("name", "") for case in cases]
    assert len(set(names)) == len(names)
    assert all(len(name) < 250 for name in names)
    found = [
        each.get("value")
        for case in cases
        for each in case.iter("property")
        if each.get("name") == "image"
    ]
    assert sorted(filter(None, found)) == sorted(ids)


def in_page(path: Path) -> None:
    """No name becomes an element or runs anything."""
    scripts = Scripts()
    scripts.feed(path.read_text("utf-8"))
    assert [found for found in scripts.found if "alert" in found] == []
    assert "i" not in scripts.tags or path.name == "x.html"
    assert not re.search(r"<script>\s*alert\(1\)", path.read_text("utf-8"))


def read_back(run: Path, out: Path) -> None:
    """The folder is read by the commands, and what they write is the same."""
    assert main.main(["report", str(run), "--out", str(out), "--quiet", "--no-images"]) == 0
    assert (out / "outcomes.jsonl").read_bytes() == (run / "outcomes.jsonl").read_bytes()
    assert (out / "outcomes.csv").read_bytes() == (run / "outcomes.csv").read_bytes()
    assert main.main(["compare", str(run), str(out)]) == 0


@posix
def test_a_baseline_of_them(colours: Colours) -> None:
    """Committed predictions are read back: a second run finds nothing changed, case by case."""
    make(colours)
    body = "assert report.predictions == baseline"
    colours.evaluation(gate="", arguments=", baseline", body=body)
    colours.run("--snapshot-update", "-q")
    result = colours.run("-q")
    assert result.parseoutcomes().get("failed", 0) == 0, result.stdout.str()
    gates = {gate["text"].partition(":")[0]: gate for gate in colours.summary()["gates"]}
    gate = gates["baseline"]
    assert gate["word"] == "PASS", gate
    assert gate["text"].startswith(f"baseline: {len(NAMES)} predictions as committed; ")
    (written,) = (colours.root / "__predictions__").rglob("*.txt")
    assert garbled(written.read_text("utf-8")) == set()
    assert re.fullmatch(r"[ -~]+", written.name)


@posix
@pytest.mark.parametrize("name", REFUSED)
def test_names_that_cannot_be_shown(colours: Colours, name: str) -> None:
    """They are refused before anything is asked, by a message that shows them escaped."""
    folder = colours.root / "fixtures" / "colours" / "red"
    try:
        (folder / name).write_bytes(png("red", 40))
    except OSError:
        pytest.skip("the file system takes no such name")
    result = colours.run()
    printed = result.stdout.str() + result.stderr.str()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert REFUSED[name] in printed.replace("\\\\", "\\")
    assert garbled(printed) == set()
    assert colours.server.questions == 0


@posix
@pytest.mark.parametrize(("one", "other"), [("a.png", "A.png"), ("é.png", "e\u0301.png")])
def test_names_that_are_one_elsewhere(colours: Colours, one: str, other: str) -> None:
    """Two files that are one file on another system are refused, with both names."""
    folder = colours.root / "fixtures" / "colours" / "red"
    (folder / one).write_bytes(png("red", 40))
    (folder / other).write_bytes(png("red", 41))
    if len(list(folder.iterdir())) < 5:
        pytest.skip("they are one file on this system")
    result = colours.run()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*is the same file as*"])
    assert colours.server.questions == 0


@posix
@pytest.mark.parametrize("name", ["\x1b[2J", "a\nb", "\u202e", "\udcff", " "])
def test_labels_that_cannot_be_shown(colours: Colours, name: str) -> None:
    """A folder that is no name for a class is refused, too."""
    folder = colours.root / "fixtures" / "colours" / name
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("the file system takes no such name")
    (folder / "1.png").write_bytes(png("yellow", 40))
    result = colours.run()
    printed = result.stdout.str() + result.stderr.str()
    assert colours.server.questions == 0, printed
    assert garbled(printed) == set()
