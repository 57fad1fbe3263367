"""README and docs as one whole: what is where, complete, in one word a thing, and working."""

from __future__ import annotations

import argparse
import pkgutil
import re
import shlex
from pathlib import Path

import pytest

import pytest_llmclf
from pytest_llmclf import reference
from pytest_llmclf.api import public
from pytest_llmclf.cli import main
from pytest_llmclf.gates.sequential.watch import EARLY_ERROR
from pytest_llmclf.models.registry import GROUP
from pytest_llmclf.runner import settings
from pytest_llmclf.runner.job import AWAY_S
from tools.arrows import layers

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
OPTIONS = (ROOT / "pytest_llmclf" / "plugin" / "options.py").read_text(encoding="utf-8")
SETTINGS = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
FENCES = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
IMAGE = re.compile(r"(?<![\w./-])[Pp]ictures?(?![\w/-]|\.\w)(?!`)")
"""The word in running text, and not as a part of an option, a module or a file."""


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def test_the_readme_is_short() -> None:
    """Who wants more finds it in the docs."""
    text = text_of(README)
    assert len(text.splitlines()) <= 150
    first_screen = text.split("\n## ")[0]
    assert len(first_screen.splitlines()) <= 30
    for door in ("llmclf try", "llmclf judge", "import evaluate", "llmclf new"):
        assert door in first_screen


def test_every_page_is_in_the_index() -> None:
    """With one line that says what for; nothing else is."""
    found = re.findall(
        r"^- \[[^]]+\]\(([^)]+)\)[:,] \S", text_of(ROOT / "docs" / "index.md"), re.MULTILINE
    )
    pages = {path.name for path in DOCS if path.name != "index.md"} | {"terminal.txt"}
    assert {name for name in found if "/" not in name} == pages
    assert len(found) == len(set(found))


def test_every_public_name_is_in_the_reference() -> None:
    """Sphinx then shows the signature and the docstring of each."""
    page = text_of(ROOT / "docs" / "api.md")
    found = re.findall(r"^\.\. auto\w+:: pytest_llmclf\.(\w+)$", page, re.MULTILINE)
    assert sorted(found) == sorted(pytest_llmclf.__all__)


def test_the_table_of_folders_is_the_order_of_imports() -> None:
    """The floors of the house from the bottom, as the contract on imports has them."""
    rows = text_of(ROOT / "docs" / "architecture.md").split("| folder |")[1].split("\n\n")[0]
    told = [
        set(re.findall(r"`(\w+)/?`", row))
        for row in re.findall(r"^\| (`.*?) \|", rows, re.MULTILINE)
    ]
    assert told == list(reversed(layers()))


def commented() -> list[Path]:
    files = [*(ROOT / "modelfiles").glob("*.Modelfile"), *(ROOT / "evals").glob("*.py")]
    beside = [ROOT / f"{name}.md" for name in ("CONTRIBUTING", "SECURITY", "CHANGELOG")]
    return [README, *DOCS, *beside, *files]


@pytest.mark.parametrize("page", commented(), ids=named)
def test_an_image_is_called_an_image(page: Path) -> None:
    """One word a thing; what a model is asked stays as it was, and so do its answers."""
    lines = text_of(page).splitlines()
    if page.suffix == ".Modelfile":
        lines = [line for line in lines if line.startswith("#")]
    lines = [line for line in lines if not line.lstrip().startswith("prompt=")]
    assert [line for line in lines if IMAGE.search(line)] == []


def rows() -> dict[str, tuple[str, str]]:
    """Ini key and default of every option that the page on settings has."""
    found = {}
    for line in SETTINGS.splitlines():
        if line.startswith("| `--llmclf-"):
            option, ini, default, _ = re.split(
                r"(?<!\\) \| ", line.strip("| ").replace("| |", "|  |"), maxsplit=3
            )
            found[option.strip("`").split()[0]] = (ini.strip("` "), default)
    return found


def test_every_option_is_in_the_settings(pytestconfig: pytest.Config) -> None:
    """And nothing that is no option; with the key that it has in the ini file."""
    names = [name for name in vars(pytestconfig.option) if name.startswith("llmclf_")]
    assert set(rows()) == {f"--{name.replace('_', '-')}" for name in names}
    keys = set(re.findall(r'addini\(\s*"(llmclf_\w+)"', OPTIONS))
    assert {ini for ini, _ in rows().values() if ini} == keys
    for option, (ini, _) in rows().items():
        assert not ini or ini.rstrip("s") == option.strip("-").replace("-", "_").rstrip("s")


def test_defaults_are_those_of_the_code(pytestconfig: pytest.Config) -> None:
    """Those that the parser has, and those that are chosen later."""
    default = {option: text for option, (_, text) in rows().items()}
    for name, value in vars(pytestconfig.option).items():
        if name.startswith("llmclf_") and type(value) in (int, float):
            assert float(default[f"--{name.replace('_', '-')}"]) == value
    assert default["--llmclf-stop-error"] == str(EARLY_ERROR)
    assert default["--llmclf-seed"] == str(settings.DEFAULT_SEED)
    assert default["--llmclf-inconclusive"] == f"`{settings.INCONCLUSIVE[0]}`"
    assert float(default["--llmclf-server-wait"]) == AWAY_S / 60


PATH = re.compile(r"`((?:[\w-]+/)+[\w.-]+\.(?:py|md|txt|toml|yml))(?:::\w+)?`")
EXAMPLES = ("evals/test_pets.py", "evals/test_NAME.py")


@pytest.mark.parametrize("page", commented(), ids=named)
def test_a_file_or_name_of_this_project_exists(page: Path) -> None:
    """Files, seen from the repository, its docs, tests or package, and names in the package."""
    text = text_of(page)
    places = [ROOT / name for name in ("", "docs", "tests", "pytest_llmclf")]
    missing = [
        path
        for path in PATH.findall(text)
        if path not in EXAMPLES and not any((place / path).is_file() for place in places)
    ]
    assert missing == []
    for name in re.findall(r"(?<![\w/:-])pytest_llmclf(?:\.[a-z]\w*)+", text):
        assert name == GROUP or pkgutil.resolve_name(name), name


def snippets(*languages: str) -> list[tuple[str, str]]:
    return [
        (named(page), text)
        for page in (README, *DOCS)
        for language, text in FENCES.findall(text_of(page))
        if language in languages
    ]


@pytest.mark.parametrize(("page", "text"), snippets("python"))
def test_python_on_a_page_is_python(
    page: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It compiles, and runs without an error; the file that it says it writes is there."""
    monkeypatch.chdir(tmp_path)
    if ".plot()" in text:
        pytest.importorskip("matplotlib").use("agg")
    code = compile(text, page, "exec")
    names = {name: getattr(pytest_llmclf, name) for name in pytest_llmclf.__all__}
    declared = pytest_llmclf.Evaluation(dataset="pets", modelfile="pets", prompt="Which?")
    if "read_run(" not in text:  # which needs a run
        known = {**names, "pets": declared, "report": public(reference.published("mnist"))}
        exec(code, known)  # noqa: S102 - our own page
    for name in re.findall(r'savefig\("([^"]+)"', text):
        assert (tmp_path / name).stat().st_size > 1000


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(prog="llmclf")
    commands = whole.add_subparsers(required=True, dest="chosen")
    for command in main._COMMANDS:
        command.add_parser(commands)
    return whole


def commands() -> list[str]:
    lines = [
        line.removeprefix("$ ")
        for _, text in snippets("sh", "console", "")
        for line in text.replace("\\\n", " ").splitlines()
    ]
    return [line for line in dict.fromkeys(lines) if line.startswith("llmclf ")]


@pytest.mark.parametrize("line", commands())
def test_a_command_on_a_page_is_understood(line: str) -> None:
    """With its options, by the parser that reads them."""
    words = shlex.split(line, comments=True)[1:]
    assert parser().parse_args(words).chosen == words[0]


def test_every_command_is_on_its_page() -> None:
    """In the table, and once in full."""
    page = text_of(ROOT / "docs" / "cli.md")
    (choices,) = (
        action.choices for action in parser()._actions if isinstance(action.choices, dict)
    )
    assert set(re.findall(r"^\| `llmclf (\w+)", page, re.MULTILINE)) == set(choices)
    assert {line.split()[1] for line in commands()} >= set(choices)


def test_a_plan_on_a_page_is_what_is_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every line of it, on a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    page = text_of(ROOT / "docs" / "gates.md")
    (shown,) = re.findall(r"^```console\n(\$ llmclf plan .*?)^```$", page, re.MULTILINE | re.DOTALL)
    line, _, output = shown.partition("\n")
    assert main.main(shlex.split(line)[2:]) == 0
    assert capsys.readouterr().out.rstrip() == output.rstrip()
