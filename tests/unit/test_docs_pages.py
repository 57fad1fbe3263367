"""README and docs as one whole: what is where, complete, in one word a thing, and working."""

from __future__ import annotations

import pkgutil
import re
import runpy
import shlex
import sys
from itertools import takewhile
from pathlib import Path

import pytest

import pytest_llmclf
from docs.generated import BLOCKS, MARK, filled
from pytest_llmclf import reference
from pytest_llmclf.api import public
from pytest_llmclf.cli import init, main
from pytest_llmclf.gates.expression import parse
from pytest_llmclf.gates.sequential.watch import EARLY_ERROR
from pytest_llmclf.gates.threshold import COMPARISONS
from pytest_llmclf.models.registry import GROUP
from pytest_llmclf.models.spec import FORMS
from pytest_llmclf.plugin.options import _GROUPS
from pytest_llmclf.runner import settings
from pytest_llmclf.runner.job import AWAY_S
from tools.arrows import layers

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = sorted((*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "reference").glob("*.md")))
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
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in DOCS}
    pages = pages - {"index.md"} | {"terminal.txt"}
    assert {name for name in found if not name.startswith(("../", "howto/"))} == pages
    assert len(found) == len(set(found))


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


def test_everything_generated_has_one_place() -> None:
    """A page asks for nothing that there is not, and nothing is made that no page shows."""
    asked = [name for page in DOCS for name in MARK.findall(text_of(page))]
    assert sorted(asked) == sorted(BLOCKS)
    assert sum(text_of(page).count("<!-- generated:") for page in DOCS) == len(asked)


PRINTS = r"`(pytest|llmclf COMMAND) --help`|`python -c \"([^`]+)\"`|python -m docs.generated (.+?)`"


@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_a_checkout_says_what_prints_what_is_generated(name: str) -> None:
    """By a command that there is, and how the site is made, which has none of that text."""
    for page in DOCS:
        for found in MARK.finditer(text_of(page)):
            if found[1] != name:
                continue
            assert "(../../CONTRIBUTING.md#the-site)" in found[0]
            ((_, code, printed), *_) = re.findall(PRINTS, found[0])
            assert printed.strip('"') in ("", name)
            compile(code, page.name, "exec")
            assert filled(found[0]) == BLOCKS[name]()
    assert "\n## The site\n" in text_of(ROOT / "CONTRIBUTING.md")


def test_a_name_that_is_no_block_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With those that there are."""
    monkeypatch.setattr("sys.argv", ["docs.generated"])
    with pytest.raises(SystemExit, match=f"NAME: name one of {', '.join(BLOCKS)}"):
        runpy.run_path(str(ROOT / "docs" / "generated.py"), run_name="__main__")


def test_without_the_extra_test_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When tests begin: `pytest --help` only configures, which needs no extra."""
    for name in ("hypothesis", "tests.fuzz.effort"):
        monkeypatch.setitem(sys.modules, name, None)
    loaded = runpy.run_path(str(ROOT / "tests" / "conftest.py"))
    loaded["pytest_configure"]()
    with pytest.raises(pytest.UsageError, match=r"\.\[embedded,test\]"):
        loaded["pytest_sessionstart"]()


def test_the_readme_installs_before_it_runs() -> None:
    """Its first commands run as typed in a clone, with no environment active."""
    block, *_ = re.findall(r"^```sh\n(.*?)^```$", text_of(README), re.MULTILINE | re.DOTALL)
    made, tried = block.splitlines()
    assert made.split(" && ")[:2] == ["python3 -m venv .venv", ". .venv/bin/activate"]
    assert made.endswith('python -m pip install -q -e ".[embedded]"')
    assert main.parser().parse_args(shlex.split(tried)[1:]).run
    assert (ROOT / shlex.split(tried)[-1]).is_dir()


def test_options_are_in_groups_and_every_kind_of_model_is_named() -> None:
    """Groups are those of `pytest --help`; kinds are those that an error lists."""
    text = BLOCKS["options"]()
    heads = [f"{about[0].upper()}{about[1:]}" for _, about, _ in _GROUPS]
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == heads
    help_of_model = re.search(r"^````{option} --llmclf-model .*\n(.*)$", text, re.MULTILINE)
    assert help_of_model is not None
    assert [form for form in FORMS if re.split(r"[:\[]", form)[0] not in help_of_model[1]] == []


def test_every_option_is_in_the_reference(pytestconfig: pytest.Config) -> None:
    """As pytest knows them, and the keys of the ini file."""
    names = [name for name in vars(pytestconfig.option) if name.startswith("llmclf_")]
    found = re.findall(r"^````{option} (--[\w-]+)", BLOCKS["options"](), re.MULTILINE)
    assert sorted(found) == sorted(f"--{name.replace('_', '-')}" for name in names)
    keys = re.findall(r"^\| `(\w+)`", BLOCKS["ini keys"](), re.MULTILINE)
    assert len(keys) > 10
    for key in keys:
        assert pytestconfig.getini(key) is not None
        assert any(name.rstrip("s") == key.rstrip("s") for name in names)


def test_help_has_the_defaults_that_are_chosen_later() -> None:
    """Those of argparse are in it as they are."""
    entry = re.compile(r"^````{option} --llmclf-([\w-]+).*\n(.*)$", re.MULTILINE)
    told = dict(entry.findall(BLOCKS["options"]()))
    assert f"(default: {EARLY_ERROR})" in told["stop-error"]
    assert f"(default: {AWAY_S / 60:g})" in told["server-wait"]
    assert f"{settings.INCONCLUSIVE[0]} (default)" in told["inconclusive"]
    assert "(default: `1`)" in told["repeats"]


def test_the_grammar_of_gates_has_gates() -> None:
    """Every example of it is one, and it has all the signs."""
    examples, grammar = re.findall(
        r"^```text\n(.*?)```", BLOCKS["grammar"](), re.MULTILINE | re.DOTALL
    )
    assert len([parse(line) for line in examples.splitlines()]) > 3
    signs = grammar[grammar.index("sign  ") :]
    assert set(re.findall('"([^"]+)"', signs)) == set(COMPARISONS)


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
        # Whole: runs in this process forget what they import, and a part of it would be left over.
        pytest.importorskip("matplotlib.pyplot")
    code = compile(text, page, "exec")
    names = {name: getattr(pytest_llmclf, name) for name in pytest_llmclf.__all__}
    declared = pytest_llmclf.Evaluation(dataset="pets", modelfile="pets", prompt="Which?")
    if "read_run(" not in text:  # which needs a run
        known = {**names, "pets": declared, "report": public(reference.published("mnist"))}
        exec(code, known)  # noqa: S102 - our own page
    for name in re.findall(r'savefig\("([^"]+)"', text):
        assert (tmp_path / name).stat().st_size > 1000


EXAMPLES_OF_HELP = re.findall(r"^```sh\n(.*?)^```$", BLOCKS["commands"](), re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    lines = [
        line.removeprefix("$ ")
        for text in (*(text for _, text in snippets("sh", "console", "")), *EXAMPLES_OF_HELP)
        for line in text.replace("\\\n", " ").splitlines()
    ]
    return [line for line in dict.fromkeys(lines) if line.startswith("llmclf ")]


@pytest.mark.parametrize("line", commands())
def test_a_command_on_a_page_is_understood(line: str) -> None:
    """With its options, by the parser that reads them; also every example of every help."""
    words = list(takewhile(lambda word: word not in (">", ">>"), shlex.split(line, comments=True)))
    assert main.parser().parse_args(words[1:]).run


def test_a_recording_has_one_name() -> None:
    """The one that `llmclf init` plays back, so that whoever follows two pages has one file."""
    pages = [README, *DOCS, *(ROOT / "docs" / "howto").glob("*.md")]
    named_so = re.compile(r"(?:--llmclf-record |replay:)([\w./-]+\.jsonl)")
    found = {name for page in pages for name in named_so.findall(text_of(page))}
    assert found == {init.RECORDING}


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
