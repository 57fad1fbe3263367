"""An image of any name is chosen by what the report prints, and no parameter's repr is long."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from tests.plugin.colour_server import Odd, png

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours

CASES = ("red/kočka.png", "green/猫.png", "blue/e\u0301té 😀.png", "red/Straße.png")

WATCH = """
import pytest

@pytest.fixture(autouse=True)
def _watch(request):
    yield
    shown = [*getattr(request.node, "callspec", None).params.values()]
    shown += [request.node.funcargs[name] for name in ("outcome", "report")
              if name in request.node.funcargs]
    with open("reprs.txt", "a", encoding="utf-8") as file:
        for each in shown:
            file.write(repr(each).replace(chr(10), " ") + chr(10))
"""


def make(colours: Colours) -> None:
    """Images with such names beside the nine plain ones."""
    for number, case in enumerate(CASES, start=10):
        path = colours.root / "fixtures" / "colours" / case
        path.write_bytes(png(case.partition("/")[0], number))


def asked(colours: Colours) -> set[str]:
    """Ids of the images of the last run."""
    text = (colours.root / "run" / "outcomes.jsonl").read_text("utf-8")
    return {json.loads(line)["case"] for line in text.splitlines()}


@pytest.mark.parametrize("processes", [(), ("-n2",)])
def test_a_unicode_name_is_chosen_as_it_is_printed(
    colours: Colours, processes: tuple[str, ...]
) -> None:
    """By the whole node id, also under xdist."""
    make(colours)
    chosen = CASES[1:] if processes else CASES[:1]
    nodes = [f"test_colours.py::test_image[{case}|openai:colours]" for case in chosen]
    result = colours.run(*processes, *nodes)
    assert result.ret == pytest.ExitCode.OK, result.stdout.str()
    assert asked(colours) == set(chosen)


def test_by_keyword(colours: Colours) -> None:
    """``-k`` takes the name, a part of it, and any case, as for plain names."""
    make(colours)
    for words, expected in (
        ("kočka", {CASES[0]}), ("猫", {CASES[1]}), ("KOČKA or 猫.png", {*CASES[:2]}),
    ):  # fmt: skip
        colours.run("-k", words)
        assert asked(colours) == expected


def test_the_report_prints_what_selects(colours: Colours) -> None:
    """What the terminal says of a wrong answer can be pasted, and lists print it likewise."""
    make(colours)
    colours.server.odd["red/10"] = Odd(says="blue")
    result = colours.run("-v")
    result.stdout.fnmatch_lines(["*test_colours.py::test_image[[]red/kočka.png|openai:colours]*"])
    listed = colours.run("--collect-only", "-q").stdout.str()
    assert all(f"[{case}|openai:colours]" in listed for case in CASES)
    colours.server.asked.clear()
    colours.run("--llmclf-fresh", "--deselect", f"test_colours.py::test_image[{CASES[0]}|")
    assert CASES[0] not in asked(colours)


@pytest.mark.skipif(sys.platform == "win32", reason="an environment is Unicode on Windows")
def test_an_environment_that_cannot_hold_it(
    colours: Colours, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The id is put into the environment; where that has no such letters, the id has none."""
    from pytest_llmclf.plugin.items import image_id

    colours.run("--collect-only", "-q")

    def latin(text: str) -> bytes:
        return text.encode("latin-1")

    monkeypatch.setattr("os.fsencode", latin)
    found = image_id("red/kočka.png", "m")
    assert found.isascii()
    assert found != image_id("red/koćka.png", "m")


@pytest.mark.parametrize("processes", [(), ("-n2",)])
def test_what_tests_are_given_has_a_short_repr(
    colours: Colours, processes: tuple[str, ...]
) -> None:
    """Other reporters write it into their files, once a test."""
    colours.evaluation(arguments=", baseline", body="assert report.predictions == baseline")
    (colours.root / "conftest.py").write_text(WATCH)
    colours.images(each=6)
    colours.server.odd["red/3"] = Odd(says="thought " * 900)
    colours.run(*processes, "--snapshot-update")
    reprs = (colours.root / "reprs.txt").read_text("utf-8").splitlines()
    assert len(reprs) == 2 * 18 + 2
    assert max(map(len, reprs)) < 250, max(reprs, key=len)[:400]
    kinds = {each.partition("(")[0] for each in reprs}
    assert kinds >= {"Job", "Outcome", "Task", "Report"}
