"""What surrounds the package: what is built from it, how CI runs it, what people fill in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
WORKFLOW = GITHUB / "workflows" / "ci.yml"
FORMS = sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.yml"))
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]


def tracked() -> set[str]:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(  # noqa: S603 - git as found on PATH
        [git, "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, check=True,
    )  # fmt: skip
    names = listed.stdout.decode("utf-8").rstrip("\0").split("\0")
    return {name for name in names if (ROOT / name).is_file()}


def built(kind: str) -> dict[str, Path]:
    """What a build would put into an archive, by its path there; nothing is written."""
    pytest.importorskip("hatchling", reason="hatchling is not installed")
    from hatchling.builders.sdist import SdistBuilder
    from hatchling.builders.wheel import WheelBuilder

    builder = {"sdist": SdistBuilder, "wheel": WheelBuilder}[kind](str(ROOT))
    return {
        Path(one.distribution_path).as_posix(): Path(one.path)
        for one in builder.recurse_included_files()
    }


def test_the_sdist_is_the_whole_repository() -> None:
    """Its own tests find in it whatever they find in a checkout, and nothing else is there."""
    assert set(built("sdist")) == tracked()


def test_the_wheel_is_the_package_alone() -> None:
    """Every tracked file of it, the embedded model and the marker of types included."""
    package = {name for name in tracked() if name.startswith("pytest_llmclf/")}
    found = set(built("wheel"))
    assert found == package
    assert "pytest_llmclf/py.typed" in found
    assert sum(name.endswith(".gguf") for name in found) == 2
    assert sum(path.stat().st_size for path in built("wheel").values()) < 8_000_000


def workflow() -> dict[Any, Any]:
    read: dict[Any, Any] = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    return read


def test_ci_runs_on_every_system_and_python() -> None:
    """Three systems, each Python that the package says it is for, in bash, with few rights."""
    job = workflow()["jobs"]["run"]
    matrix = job["strategy"]["matrix"]
    assert matrix["os"] == ["ubuntu-latest", "macos-latest", "windows-latest"]
    classifiers = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert matrix["python"] == PYTHONS
    assert all(f'"Programming Language :: Python :: {one}"' in classifiers for one in PYTHONS)
    assert job["defaults"]["run"]["shell"] == "bash"
    assert ".ci/run" in [step.get("run") for step in job["steps"]]
    assert workflow()["permissions"] == {"contents": "read"}


def test_what_ci_runs_is_there() -> None:
    """Scripts that can be started, and actions of a fixed major version."""
    steps = [step for job in workflow()["jobs"].values() for step in job["steps"]]
    for script in {step["run"] for step in steps if "run" in step}:
        assert (ROOT / script).is_file()
        assert sys.platform == "win32" or os.access(ROOT / script, os.X_OK)
    for action in (step["uses"] for step in steps if "uses" in step):
        _, _, version = action.partition("@")
        assert version.removeprefix("v").isdigit(), action
        name = re.escape(action.partition("@")[0])
        told = re.findall(rf"{name}@(v\d+)", (ROOT / "docs" / "ci.md").read_text(encoding="utf-8"))
        assert set(told) <= {version}


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_a_form_can_be_filled_in(path: Path) -> None:
    """As GitHub wants it: every question has an id of its own and a label."""
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path.name == "config.yml":
        return
    assert form["name"]
    assert form["description"]
    questions = [one for one in form["body"] if one["type"] != "markdown"]
    assert {one["type"] for one in questions} <= {"input", "textarea"}
    assert len({one["id"] for one in questions}) == len(questions)
    assert all(one["attributes"]["label"] for one in questions)


STUB = """#!{sh}
echo "$@" >> "{log}"
case "$1 $2" in
"-m venv")
    mkdir -p .venv/{folder}
    for name in python lint-imports; do cp "$0" .venv/{folder}/$name; done ;;
esac
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
@pytest.mark.parametrize("folder", ["bin", "Scripts"])
def test_ci_works_wherever_an_environment_has_its_python(folder: str, tmp_path: Path) -> None:
    """With the interpreter asked for, which puts its own into `bin` or, on Windows, `Scripts`."""
    bash, sh = shutil.which("bash"), shutil.which("sh")
    if bash is None or sh is None:
        pytest.skip("there is no bash")
    log = tmp_path / "log"
    stub = tmp_path / "a python"
    stub.write_text(STUB.format(sh=sh, log=log, folder=folder), encoding="utf-8")
    stub.chmod(0o755)
    # With one there, nothing is installed.
    chromium = tmp_path / "path" / "chromium"
    chromium.parent.mkdir()
    chromium.touch(mode=0o755)
    place = tmp_path / "checkout"
    (place / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", place / ".ci" / "run")
    shutil.copy(ROOT / "README.md", place)
    done = subprocess.run(  # noqa: S603 - our own script
        [bash, place / ".ci" / "run"], capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "PYTHON": str(stub), "PATH": f"{chromium.parent}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    called = log.read_text(encoding="utf-8").splitlines()
    called.remove("-m mypy pytest_llmclf tests")  # beside what follows: at no set place
    assert called == [
        "-m venv .venv",
        "-m pip install --quiet --require-hashes -r .ci/requirements.txt",
        "-m venv .venv",
        "-m pip install -q -e .[embedded]",
        "-m pytest evals/",
        "-m venv .venv",
        "-m pip install -q -e .[embedded,test]",
        "-m pytest tests/ -n 3 --dist worksteal",
        "-m ruff check .",
        "-m ruff format --check .",
        "--no-cache",
        "tools/arrows.py",
        (
            "-m pytest -q evals/test_animals.py --llmclf-model micro-llava "
            "--llmclf-html docs/_live/page.html"
        ),
        "-m sphinx -q -W --keep-going -b html docs docs/_build",
    ]


def test_contributing_names_every_folder() -> None:
    """The layout that newcomers read is that of the package, from the top of the house down."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `(\w+)(?:/|\.py)` \|", text, re.MULTILINE)
    package = ROOT / "pytest_llmclf"
    folders = {path.parent.name for path in package.glob("*/__init__.py")}
    assert set(named) == folders | {"api"}
    house = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    floors = re.findall(r"^\| (`.*?) \|", house, re.MULTILINE)
    height = {name: -level for level, row in enumerate(floors) for name in re.findall(r"\w+", row)}
    assert [height[name] for name in named] == sorted(height[name] for name in named)
    paths = re.findall(
        r"`((?:tests|docs|gates|metrics|models|plugin|tools|benchmarks)/[\w/.]+)`", text
    )
    made = {"docs/_build/index.html"}  # by the command above it
    paths = [one for one in paths if one not in made]
    assert paths
    assert all((ROOT / one).exists() or (package / one).exists() for one in paths), paths
