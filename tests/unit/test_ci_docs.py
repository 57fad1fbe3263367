"""Every page of the documentation names only what there is, and its workflows can be read."""

from __future__ import annotations

import re
import runpy
import shlex
import sys
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from docs.generated import filled
from pytest_llmclf.gates.gate import parse_addressed
from pytest_llmclf.models.spec import parse_spec
from pytest_llmclf.runner.shared_options import SHARED_OPTIONS

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
BESIDE = tuple(ROOT / f"{name}.md" for name in ("CONTRIBUTING", "SECURITY", "CHANGELOG"))
PAGES = (README, *BESIDE, *sorted((ROOT / "docs").rglob("*.md")))
TEXT = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
OPTIONS = (ROOT / "pytest_llmclf" / "plugin" / "options.py").read_text(encoding="utf-8") + "".join(
    f'"--llmclf-{name}" "llmclf_{name.replace("-", "_")}"' for name in SHARED_OPTIONS
)
WORKFLOWS = re.findall(r"^```yaml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_options_exist(page: Path) -> None:
    """Whatever begins like an option of ours is one, and likewise in the ini file."""
    text = page.read_text(encoding="utf-8")
    # What a changelog says was removed is no more.
    text = re.sub(r"^### Removed\n.*?(?=^##|\Z)", "", text, flags=re.MULTILINE | re.DOTALL)
    assert {
        option
        for option in re.findall(r"--llmclf-[a-z]+(?:-[a-z]+)*", text)
        if f'"{option}"' not in OPTIONS
    } == set()
    ini = re.findall(r"(?:ini:? |ini file.*?)`(llmclf_\w+)`", text)
    assert {name for name in ini if f'addini("{name}"' not in OPTIONS} == set()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_and_images_lead_somewhere(page: Path) -> None:
    """Relative ones, to files and to headings."""
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        file, _, heading = link.partition("#")
        target = page.parent / PurePosixPath(file) if file else page
        assert target.exists(), link
        assert not heading or heading in headings(target), link


def headings(page: Path) -> set[str]:
    text = filled(page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return set(re.findall(r"^\(([\w-]+)\)=$", text, re.MULTILINE)) | {
        re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in titles
    }


def test_the_page_has_the_workflows_that_it_promises() -> None:
    """Three for GitHub, one for GitLab."""
    assert len(WORKFLOWS) == 4
    assert sum("runs-on:" in text for text in WORKFLOWS) == 3


@pytest.mark.parametrize("place", range(4))
def test_a_workflow_is_yaml_with_a_run_in_it(place: int) -> None:
    """It parses, installs before it runs, keeps the folder, and its run can be meant."""
    scripts, kept = taken_apart(yaml.safe_load(WORKFLOWS[place]))
    (run,) = (script for script in scripts if "-m pytest" in script)
    assert "pip install" in "".join(scripts[: scripts.index(run)])
    words = shlex.split(run)
    assert words[words.index("--llmclf-run") + 1] + "/" in kept
    assert "junit.xml" in kept
    assert "--junitxml=junit.xml" in words
    for before, word in pairwise(words):
        if before == "--llmclf-gate":
            parse_addressed(word)
        if before == "--llmclf-model":
            parse_spec(word.replace("$MODEL", "llava"))


def taken_apart(job: dict[str, Any]) -> tuple[list[str], str]:
    """What a workflow runs, and what it keeps."""
    if "evaluate" in job:
        gitlab = job["evaluate"]
        return gitlab["script"], str(gitlab["artifacts"])
    steps = job["jobs"]["evaluate"]["steps"]
    (upload,) = (step for step in steps if "upload-artifact" in step.get("uses", ""))
    assert upload["if"] == "always()"
    return [step["run"] for step in steps if "run" in step], upload["with"]["path"]


def test_the_recording_is_one_of_this_plugin() -> None:
    """It fits 80 columns, has no control characters, and its command's options exist."""
    text = (ROOT / "docs" / "terminal.txt").read_text(encoding="utf-8")
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in text
    command = lines[0].split()
    assert command[:2] == ["$", "pytest"]
    assert all(f'"{word}"' in OPTIONS for word in command if word.startswith("--llmclf"))
    assert any(line.startswith("  PASS  mnist") for line in lines)
    assert re.search(r"correct so far", text)


def test_the_images_are_small() -> None:
    """Each under 250 kB, all under 1 MB, nothing in them but the image."""
    images = sorted((ROOT / "docs" / "images").glob("*"))
    assert images
    sizes = [path.stat().st_size for path in images]
    assert max(sizes) < 250_000
    assert sum(sizes) < 1_000_000
    for path in images:
        content = path.read_bytes()
        if path.suffix == ".svg":
            assert content.startswith(b"<svg ")
            assert not any(part in content for part in (b"<script", b"<metadata", b"<!--"))
            continue
        assert content.startswith(b"\x89PNG\r\n\x1a\n")
        assert not any(chunk in content for chunk in (b"tEXt", b"iTXt", b"zTXt", b"eXIf"))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_the_showcase_refuses_what_names_a_machine(tmp_path: Path) -> None:
    """A folder in what would be shown stops it; a clean text does not."""
    pytest.importorskip("playwright", reason="playwright is not installed")
    tools = str(ROOT / "tools" / "showcase")
    sys.path.insert(0, tools)
    try:
        check = runpy.run_path(f"{tools}/make.py")["check_private"]
    finally:
        sys.path.remove(tools)
    check("3 passed", (tmp_path,))
    with pytest.raises(SystemExit, match=re.escape(str(tmp_path))):
        check(f"rootdir: {tmp_path}", (tmp_path,))
