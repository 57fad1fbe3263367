"""What the how-tos show is written down and called as it stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from pytest_llmclf.cli.main import main
from tests.plugin.colour_server import Odd

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = sorted((ROOT / "docs" / "howto").glob("*.md"))
BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE: Final = re.compile(r"# ([\w./-]+\.\w+)\n")
PETS: Final = {"red": "cat", "green": "dog", "blue": "horse"}
PLAIN: Final = """
from pytest_llmclf import Evaluation

pets = Evaluation(dataset="pets", gates=["accuracy >= 0.8"])


@pets.images
def test_image(outcome):
    outcome.check()


@pets.gate
def test_gate(report, baseline):
    assert report.predictions == baseline
"""


def project(colours: Colours) -> None:
    """Pets that are told apart by their colour, as photos and as a dataset, and an evaluation."""
    colours.images(each=8)
    colours.server.odd = {colour: Odd(says=pet) for colour, pet in PETS.items()}
    (colours.root / "test_colours.py").unlink()
    fixtures = colours.root / "fixtures"
    (colours.root / "modelfiles").mkdir(exist_ok=True)
    (fixtures / "colours").rename(fixtures / "pets")
    for colour, pet in PETS.items():
        (fixtures / "pets" / colour).rename(fixtures / "pets" / pet)


def test_every_page_has_its_place() -> None:
    """In the index, by its title."""
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    for page in PAGES:
        title = page.read_text("utf-8").splitlines()[0].removeprefix("# ")
        assert f"- [{title}](howto/{page.name})" in index


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_shows_works(
    colours: Colours, page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order: files are written, Python runs, and commands end well."""
    text = page.read_text("utf-8")
    project(colours)
    monkeypatch.chdir(colours.root)
    written = colours.root / "evals" / "test_pets.py"
    if "llmclf new" in text:
        (colours.root / "fixtures" / "pets").rename(colours.root / "photos")
    else:
        written.parent.mkdir(exist_ok=True)
        written.write_text(PLAIN)
    for language, block in BLOCK.findall(text):
        file = FILE.match(block)
        if file is not None:
            path = colours.root / file[1]
            path.parent.mkdir(exist_ok=True)
            head = file[0] if language == "csv" else ""
            path.write_text(block.removeprefix(head), "utf-8")
        elif language == "python":
            ours = block.replace("ollama:llava", colours.server.spec)
            exec(compile(ours, str(page), "exec"), {})  # noqa: S102 - our own page
        elif language == "sh":
            for line in block.replace("\\\n", " ").splitlines():
                called(colours, line)


def called(colours: Colours, line: str) -> None:
    """Call one line of a shell: pytest and our own command; others are not ours to test."""
    words = shlex.split(line, comments=True)
    spec = colours.server.spec
    words = [
        word.replace("ollama:llava:7b-q4", spec.replace("colours", "colour-blind", 1))
        if word == "ollama:llava:7b-q4"
        else spec
        if word.startswith("ollama:llava")
        else word.replace("*q8", "*colours").replace("*q4", "*blind")
        for word in words
    ]
    if words[:1] == ["pytest"]:
        plain = [one for one in colours.command(model="") if one.startswith(("-p", "no:"))]
        found = colours.pytester.runpytest_inprocess(
            *plain, f"--rootdir={colours.root}", *words[1:]
        )
        assert found.ret == 0, f"{line}\n{found.stdout.str()}{found.stderr.str()}"
    elif words[:1] == ["llmclf"]:
        assert main(words[1:]) in (0, 2 if "compare" in words else 0), line
    else:
        assert words[:1] in ([], ["ollama"], ["git"]), line


OTHERS: Final = [
    page
    for page in sorted((ROOT / "docs").glob("*.md"))
    # These have tests of their own: `test_extending` and `test_docs`.
    if page.stem not in {"extending", "statistics"} and "```python" in page.read_text("utf-8")
]


def test_python_on_other_pages_works(colours: Colours, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of each page in order, in a project with two runs: first two models err on one image."""
    project(colours)
    monkeypatch.chdir(colours.root)
    (colours.root / "evals").mkdir(exist_ok=True)
    (colours.root / "evals" / "test_pets.py").write_text(PLAIN)
    (colours.root / "modelfiles" / "pets.Modelfile").write_text("FROM llava\n")
    colours.server.odd["red/0"] = Odd(says="dog", times=2)
    run = "pytest evals/test_pets.py --llmclf-model ollama:llava"
    called(colours, f"{run} --llmclf-model ollama:llava:7b-q4")
    called(colours, f"{run} --llmclf-fresh")
    for page in OTHERS:
        known: dict[str, object] = {}
        exec(PLAIN, known)  # noqa: S102 - our own text
        for language, block in BLOCK.findall(page.read_text("utf-8")):
            if language == "python":
                exec(compile(block, str(page), "exec"), known)  # noqa: S102 - our own page
