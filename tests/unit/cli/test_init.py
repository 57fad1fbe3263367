"""``llmclf init`` writes workflows that run the evaluations of a project."""

from __future__ import annotations

import re
import shlex
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pytest_llmclf.cli import init, new
from pytest_llmclf.errors import LlmclfError
from tests.forkserver import fresh_or_forked
from tests.plugin.colour_server import png
from tests.unit.cli.command import call

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plugin.colour_server import ColourServer


def scripts(path: Path) -> list[str]:
    """What a workflow runs, in order."""
    job: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    if "evaluate" in job:
        assert job["evaluate"]["cache"]["paths"] == [".llmclf/"]
        found: list[str] = job["evaluate"]["script"]
        return found
    steps = job["jobs"]["evaluate"]["steps"]
    (cache,) = (step["with"] for step in steps if "actions/cache@" in step.get("uses", ""))
    assert cache["path"] == ".llmclf"
    assert cache["key"].startswith(cache["restore-keys"])
    return [step["run"] for step in steps if "run" in step]


@pytest.mark.parametrize(
    ("service", "file"), [("github", ".github/workflows/llmclf.yml"), ("gitlab", ".gitlab-ci.yml")]
)
def test_what_is_written_runs(
    project: Path,
    server: ColourServer,
    service: str,
    file: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The printed command records answers, and the workflow's own judges them."""
    for colour in ("red", "green"):
        folder = project / "fixtures" / "colours" / colour
        folder.mkdir(parents=True)
        (folder / "0.png").write_bytes(png(colour, 0))
    assert call(new, "new", str(project / "fixtures" / "colours")) == 0
    (project / "requirements.txt").write_text("pytest-llmclf\n")
    assert call(init, "init", service) == 0
    said = capsys.readouterr().out
    (record,) = (line.split() for line in said.splitlines() if "--llmclf-record" in line)
    record = [server.spec if word == "ollama:llava" else word for word in record]
    ran(project, [*record[1:], "--snapshot-update"])
    install, command = scripts(project / file)
    assert install == "python -m pip install -r requirements.txt"
    words = shlex.split(command)
    assert words[:3] == ["python", "-m", "pytest"]
    text = ran(project, words[3:])
    assert "2 predictions as committed" in " ".join(text.split())
    assert (project / "llmclf-run" / "run.json").is_file()
    assert (project / "junit.xml").is_file()


def ran(project: Path, words: list[str]) -> str:
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [fresh_or_forked(), "-m", "pytest", "-p", "no:xdist", f"--rootdir={project}", *words],
        cwd=project, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_service_is_seen(project: Path) -> None:
    """Who has a file of GitLab's is on GitLab, and keeps that file as it is."""
    (project / ".gitlab-ci.yml").write_text("mine: {}\n")
    with pytest.raises(LlmclfError, match="is there already: add to it what is printed above"):
        call(init, "init")
    assert (project / ".gitlab-ci.yml").read_text() == "mine: {}\n"


def test_it_may_be_called_again(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is there as it would be written is not refused."""
    assert call(init, "init", "github") == 0
    written = (project / ".github/workflows/llmclf.yml").read_bytes()
    assert call(init, "init", "github") == 0
    assert "is there already, as it would be written" in capsys.readouterr().out
    assert (project / ".github/workflows/llmclf.yml").read_bytes() == written


@pytest.mark.parametrize(
    ("name", "text", "lacks"),
    [
        ("requirements.txt", "numpy\n", True),
        ("requirements.txt", "Pytest_LLMCLF[embedded]==0.1\n", False),
        ("pyproject.toml", "[project]\nname = 'x'\n", True),
    ],
)
def test_a_project_that_does_not_name_this_package_is_told(
    project: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, *, lacks: bool
) -> None:
    """CI would have no such plugin."""
    (project / name).write_text(text)
    assert call(init, "init", "github") == 0
    said = capsys.readouterr().out
    assert (f"what {name} names, and pytest-llmclf is not in it" in said) is lacks


def test_where_a_package_from_a_file_is_installed_is_told(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line that is named is the one to change; here the package is one from a checkout."""
    for service in ("github", "gitlab"):
        assert call(init, "init", service) == 0
        said = " ".join(capsys.readouterr().out.split())
        found = re.search(r"instead of (\S+) in line (\d+) of (\S+)", said)
        assert found is not None
        line = (project / found[3]).read_text().splitlines()[int(found[2]) - 1]
        assert line.endswith(f"python -m pip install {found[1]}")


def test_a_model_is_asked_where_one_is_named(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And of several recordings none is chosen."""
    assert call(init, "init", "--model", "ollama:llava") == 0
    assert "--llmclf-allow-remote HOST" in " ".join(capsys.readouterr().out.split())
    workflow = project / ".github" / "workflows" / "llmclf.yml"
    assert "--llmclf-model ollama:llava" in scripts(workflow)[-1]
    workflow.unlink()
    (project / "recordings").mkdir()
    for name in ("a", "b"):
        (project / "recordings" / f"{name}.jsonl").write_text("")
    with pytest.raises(LlmclfError, match=r"say --model replay:recordings/a\.jsonl"):
        call(init, "init")
    with pytest.raises(LlmclfError):
        call(init, "init", "--model", "nobody:x")
