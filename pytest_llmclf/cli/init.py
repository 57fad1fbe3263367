"""``llmclf init``: what CI needs to run the evaluations of a project."""

from __future__ import annotations

import re
import shlex
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_llmclf.cli.command import CommandHelp
from pytest_llmclf.cli.console import style_of, write
from pytest_llmclf.cli.project import from_here, project_above
from pytest_llmclf.errors import SettingsError, some_of
from pytest_llmclf.files import HOME_FOLDER
from pytest_llmclf.runner.settings import project_root
from pytest_llmclf.values.text import command_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from pytest_llmclf.reporting.style import Line, Style

RECORDING: Final = "recordings/answers.jsonl"
_GITHUB: Final = """\
name: evaluations
on: [push, pull_request]
permissions:
  contents: read
jobs:
  evaluate:
    runs-on: ubuntu-latest
    timeout-minutes: 30
    steps:
      - uses: actions/checkout@v6
      - uses: actions/setup-python@v6
        with:
          python-version: "3.13"
      - run: {install}
      # Known answers: what was asked once is not asked again.
      - uses: actions/cache@v5
        with:
          path: {home}
          key: llmclf-${{{{ github.run_id }}}}
          restore-keys: llmclf-
      - run: >-
          {command}
      - uses: actions/upload-artifact@v6
        if: always()
        with:
          name: llmclf-run
          path: |
            llmclf-run/
            junit.xml
"""
_GITLAB: Final = """\
evaluate:
  image: python:3.13
  # Known answers: what was asked once is not asked again.
  cache:
    key: llmclf
    paths:
      - {home}/
  script:
    - {install}
    - >-
      {command}
  artifacts:
    when: always
    paths:
      - llmclf-run/
    reports:
      junit: junit.xml
"""
_FILES: Final = {
    "github": (".github/workflows/llmclf.yml", _GITHUB, 10),
    "gitlab": (".gitlab-ci.yml", _GITLAB, 6),
}
"""By service: the file, its text, and how far its command is indented."""
_PACKAGE: Final = "pytest-llmclf"
_INSTALLING: Final = {"requirements.txt": "-r requirements.txt", "pyproject.toml": "-e ."}
"""What says how a project is installed, and what pip is told then; the first one counts."""
HELP = CommandHelp(
    name="init",
    summary="write the files that CI needs",
    description="Write a workflow for GitHub or GitLab that runs the evaluations of this project.",
    about=f"""\
Without SERVICE it is the one whose files are here already, else github. Without --model CI judges
recorded answers: those of the only file in recordings/, else of {RECORDING}, which is yet to be
recorded. The folder of known answers, {HOME_FOLDER}, is cached between runs. A file that is there
already is not changed: what is to be added to it is printed.""",
    examples="""\

gitlab --model ollama:llava""",
)


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "service", metavar="SERVICE", nargs="?", choices=tuple(_FILES), help="github or gitlab"
    )
    parser.add_argument("--model", metavar="MODEL", help="who is asked, as --llmclf-model has it")


def run(arguments: argparse.Namespace) -> int:
    """Write the file, say what is left to do and return the exit code.

    Raises:
        SettingsError: The model is none, or the file is there already or cannot be written.
    """
    from pytest_llmclf.models.spec import parse_spec

    root = project_root(Path.cwd())
    service = arguments.service or ("gitlab" if (root / ".gitlab-ci.yml").exists() else "github")
    model = arguments.model or f"replay:{_recording(root)}"
    parse_spec(model)
    name, text, indent = _FILES[service]
    text = text.format(install=_install(root), home=HOME_FOLDER, command=_command(model, indent))
    path = root / name
    style = style_of(sys.stdout)
    if path.exists():
        if path.read_bytes() == text.encode():
            write(sys.stdout, [style.line(f"{name} is there already, as it would be written")])
            return 0
        sys.stdout.write(text)
        raise SettingsError(f"{path} is there already: add to it what is printed above")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise SettingsError(f"{path} cannot be written ({error.strerror or error})") from error
    write(sys.stdout, _lines(root, name, model, style))
    return 0


def _recording(root: Path) -> str:
    """The recording that CI plays back, relative to the project.

    Raises:
        SettingsError: There are several.
    """
    there = sorted(path.relative_to(root).as_posix() for path in root.glob("recordings/*.jsonl"))
    if len(there) > 1:
        raise SettingsError(
            f"there are several recordings, {some_of(there)}: say --model replay:{there[0]}"
        )
    return there[0] if there else RECORDING


def _install(root: Path) -> str:
    """How this project is installed, by the files that it has."""
    there = (how for name, how in _INSTALLING.items() if (root / name).is_file())
    return f"python -m pip install {next(there, _PACKAGE)}"


def _lacking(root: Path, name: str) -> str:
    """What CI would lack after `_install` in the file of that name; empty: nothing known."""
    there = next((one for one in _INSTALLING if (root / one).is_file()), None)
    if there is not None:
        text = (root / there).read_text(encoding="utf-8", errors="replace")
        if _PACKAGE in re.sub(r"[-_.]+", "-", text).lower():
            return ""
        return f"CI installs what {there} names, and {_PACKAGE} is not in it: add it"
    if distribution(_PACKAGE).read_text("direct_url.json") is None:
        return ""
    lines = (root / name).read_text("utf-8").splitlines()
    number = next(place for place, line in enumerate(lines, 1) if _install(root) in line)
    return (
        f"CI installs {_PACKAGE} from the package index; here it came from a file: write where CI "
        f"finds it instead of {_PACKAGE} in line {number} of {name}"
    )


def _command(model: str, indent: int) -> str:
    words = (
        "python -m pytest evals/",
        f"--llmclf-model {shlex.quote(model)}",
        "--llmclf-require-baseline",
        "--llmclf-run llmclf-run",
        "--junitxml=junit.xml",
    )
    return f"\n{' ' * indent}".join(words)


def _lines(root: Path, name: str, model: str, style: Style) -> Iterator[Line]:
    yield style.line(("written  ", "green"), name)
    for text in filter(None, (project_above(root), _lacking(root, name))):
        yield from style.paragraph(text, "yellow")
    if not model.startswith("replay:"):
        yield from style.paragraph(
            f"CI asks {model}: it must reach it, and a host that is not its own has to be named "
            "with --llmclf-allow-remote HOST"
        )
        return
    recording = model.removeprefix("replay:")
    if (root / recording).is_file():
        yield style.line(f"CI judges the answers of {style.safe(recording)}.")
        return
    yield style.line("CI judges recorded answers. Record them where the model is, and commit them:")
    evals, kept = f"{from_here(root / 'evals')}/", from_here(root / recording)
    command = command_line(
        "pytest", evals, "--llmclf-model", "ollama:llava", "--llmclf-record", kept
    )
    yield style.line("      ", (style.safe(command), "bold"))
