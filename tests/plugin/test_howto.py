"""What the pages of the documentation show is written down and called as it stands there."""

from __future__ import annotations

import hashlib
import re
import shlex
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from pytest_llmclf.cli.main import main
from pytest_llmclf.data.decisions import Decision
from pytest_llmclf.reference import __main__ as reference
from tests.plugin.colour_server import Odd

if TYPE_CHECKING:
    from tests.plugin.conftest import Colours

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = sorted((ROOT / "docs" / "howto").glob("*.md"))
BLOCK: Final = re.compile(
    r"(?:^<!-- not run: (?P<why>\w[^\n]*) -->\n)?^```(?P<language>\S+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
SHELLS: Final = {"sh", "console", "bat", "powershell"}
SILENT: Final = {"python", "text", "csv", "toml", "yaml", "json", "groovy", "{toctree}"}
"""Languages of what is no command; Python runs, and workflows have a test of their own."""
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


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and text of what is shown and can run; of what runs for minutes the page says so."""
    return [
        (found["language"], found["text"])
        for found in BLOCK.finditer(page.read_text("utf-8"))
        if found["why"] is None
    ]


def project(colours: Colours) -> None:
    """Pets that are told apart by their colour, as photos and as a dataset, and an evaluation.

    Beside them what people bring along: a decision about a label, a manifest, predictions.
    """
    colours.images(each=8)
    colours.server.odd = {colour: Odd(says=pet) for colour, pet in PETS.items()}
    (colours.root / "test_colours.py").unlink()
    fixtures = colours.root / "fixtures"
    (colours.root / "modelfiles").mkdir(exist_ok=True)
    (fixtures / "colours").rename(fixtures / "pets")
    for colour, pet in PETS.items():
        (fixtures / "pets" / colour).rename(fixtures / "pets" / pet)
    paths = [f"{pet}/{number}.png" for pet in PETS.values() for number in range(8)]
    manifest = [f"fixtures/pets/{path},{path.partition('/')[0]}" for path in paths]
    predictions = [f"{path},{path.partition('/')[0]}" for path in paths]
    (colours.root / "all.csv").write_text("\n".join(["path,label", *manifest]))
    (colours.root / "resnet.csv").write_text("\n".join(["path,predicted", *predictions]))
    seen = hashlib.sha256((fixtures / "pets" / "cat" / "7.png").read_bytes()).hexdigest()
    decided = Decision(
        image="cat/7.png", sha256=seen, was=("cat",), kind="accept", labels=("cat",), by="anna",
        at=datetime(2026, 1, 2, tzinfo=UTC),
    )  # fmt: skip
    for name in ("decisions.jsonl", "decisions-anna.jsonl"):
        (colours.root / name).write_text(decided.line + "\n", "utf-8")


def downloaded(images: Path, folder: Path) -> None:
    """Images as data sets are published: in a Parquet file, which stands for a part."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    folder.mkdir(parents=True)
    paths = sorted(images.glob("*/*.png"))
    data = {
        "image": [{"bytes": path.read_bytes(), "path": path.name} for path in paths],
        "label": [path.parent.name for path in paths],
    }
    parquet.write_table(pyarrow.table(data), folder / "test-00000-of-00001.parquet")


def test_every_page_has_its_place() -> None:
    """In the index, by its title."""
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    for page in PAGES:
        title = page.read_text("utf-8").splitlines()[0].removeprefix("# ")
        assert f"- [{title}](howto/{page.name})" in index


@pytest.mark.usefixtures("one_learner")
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
    if "import parquet" in text:
        downloaded(colours.root / "fixtures" / "pets", colours.root / "downloads" / "pets")
    for language, block in blocks(page):
        file = FILE.match(block)
        if file is not None:
            path = colours.root / file[1]
            path.parent.mkdir(exist_ok=True)
            head = file[0] if language == "csv" else ""
            path.write_text(block.removeprefix(head), "utf-8")
        elif language == "python":
            ours = block.replace("ollama:llava", colours.server.spec)
            exec(compile(ours, str(page), "exec"), {})  # noqa: S102 - our own page
        else:
            shell(colours, language, block)


def shell(colours: Colours, language: str, block: str) -> None:
    """Call every line of a block that is one for a shell; with prompts there is output between."""
    lines = block.replace("\\\n", " ").splitlines() if language in SHELLS else []
    if language == "console":
        lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    for line in lines:
        called(colours, line)


def called(colours: Colours, line: str) -> None:
    """Call one line of a shell, asking the project's own server whatever model it names."""
    spec = colours.server.spec
    other = spec.replace("colours", "colour-blind", 1)
    words = shlex.split(line, comments=True)
    with pytest.MonkeyPatch.context() as patch:
        while words and re.match(r"[A-Z_]+=", words[0]):
            patch.setenv(*words.pop(0).split("=", 1))
        for short, meant in (
            (r"\|ollama:llava\]", f"|{spec.partition('@')[0]}]"), ("ollama:llava:7b-q4", other),
            (r"ollama:llava[\w:.-]*|micro-llava", spec),
            ("=(llava:13b|[*]q8)$", "=*colours*"), ("=(llava:7b|[*]q4)$", "=*blind*"),
        ):  # fmt: skip
            words = [re.sub(short, meant, word) for word in words]
        match words:
            case ["pytest", *given] | ["python", "-m", "pytest", *given]:
                plain = [one for one in colours.command(model="") if one.startswith(("-p", "no:"))]
                given = [*plain, f"--rootdir={colours.root}", *given]
                found = colours.pytester.runpytest_inprocess(*given)
                assert found.ret == 0, f"{line}\n{found.stdout.str()}{found.stderr.str()}"
            case ["python", "-m", "pytest_llmclf.reference", *given]:
                assert reference.main(given) == 0
            case ["llmclf", *given]:
                assert main(given) in (0, 2 if "compare" in given else 0), line
            case _:
                assert words == [], line


OTHERS: Final = sorted((*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "reference").glob("*.md")))
TESTED_APART: Final = {"extending", "statistics"}
"""Python on these pages has tests of its own: `test_extending` and `test_docs`."""
VARIED: Final = PLAIN.replace("import Evaluation", "import Evaluation, Variant").replace(
    "gates=", 'holdout=0.3, variants={"brief": Variant(prompt="Pet?")}, gates='
)
"""What the page on evaluations has told of when it runs a part of one."""


@pytest.mark.usefixtures("one_learner")
def test_what_other_pages_show_works(colours: Colours, monkeypatch: pytest.MonkeyPatch) -> None:
    """All Python, then all commands, in a project with two runs; in the first one models err."""
    project(colours)
    monkeypatch.chdir(colours.root)
    monkeypatch.setenv("LLMCLF_MODEL", colours.server.spec)
    (colours.root / "evals").mkdir(exist_ok=True)
    pets = colours.root / "evals" / "test_pets.py"
    pets.write_text(PLAIN)
    (colours.root / "modelfiles" / "pets.Modelfile").write_text("FROM llava\n")
    colours.server.odd["red/0"] = Odd(says="dog", times=2)
    run = "pytest evals/test_pets.py --llmclf-model ollama:llava"
    called(colours, f"{run} --llmclf-model ollama:llava:7b-q4")
    called(colours, f"{run} --llmclf-model ollama:llava:7b-q4 --llmclf-fresh")
    for page in (one for one in OTHERS if one.stem not in TESTED_APART):
        known: dict[str, object] = {}
        exec(PLAIN, known)  # noqa: S102 - our own text
        for language, block in blocks(page):
            if language == "python":
                exec(compile(block, str(page), "exec"), known)  # noqa: S102 - our own page
    for page in OTHERS:
        # Evaluations of this repository that a page runs: here they ask about pets, too.
        run_here = re.findall(r"^pytest evals/test_(\w+)", page.read_text("utf-8"), re.MULTILINE)
        plain = VARIED if page.stem == "evaluations" else PLAIN
        bundled = [pets.with_stem(f"test_{name}") for name in {*run_here} - {"pets"}]
        for path in bundled:
            name = path.stem.removeprefix("test_")
            path.write_text(plain.replace("= Evaluation(", f'= Evaluation(name="{name}", '))
        for language, block in blocks(page):
            shell(colours, language, block)
        for path in bundled:
            path.unlink()


def test_every_command_runs_or_its_page_says_why_not() -> None:
    """Whatever is fenced is of a known language; commands alone are left out, and few of them."""
    left_out = []
    for page in sorted((ROOT / "docs").glob("**/*.md")):
        text = page.read_text("utf-8")
        found = list(BLOCK.finditer(text))
        assert len(re.findall(r"^\s*(?:```|~~~)", text, re.MULTILINE)) == 2 * len(found), page
        assert {one["language"] for one in found} <= SHELLS | SILENT, page
        left_out += [one for one in found if one["why"] is not None]
    assert all(one["language"] in SHELLS for one in left_out)
    assert len(left_out) <= 7
    for one in left_out:
        for module in re.findall(r"python -m (benchmarks[\w.]*)", one["text"]):
            assert find_spec(module) is not None
