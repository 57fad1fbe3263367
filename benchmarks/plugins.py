"""What other pytest plugins do to an evaluation, each alone, with the embedded model.

    python -m benchmarks.plugins [--only NAME,...] [--folder FOLDER]

Each plugin is installed into a folder of its own (with `uv` or `pip`; nothing is installed into
this environment), then a small evaluation is run without it and with it, in one process and in
two. With `--llmclf-strict` a misclassified image is a failing test, which retry plugins run again,
and a plain test beside it fails the first time. Prints a table in Markdown. Exits with 1 if a run
with a plugin ends in an internal error, or counts its images otherwise than the run without.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROCESSES = ("-n0", "-n2")
IMAGES = 3

EVALUATION = """
from pathlib import Path
from pytest_llmclf import Evaluation

digits = Evaluation(
    dataset="digits", modelfile="digits", prompt="Which digit is in this image?",
    gates=["accuracy >= 0.1"],
)

@digits.images
def test_image(outcome):
    outcome.check()

@digits.gate
def test_gate(report):
    assert report.accuracy <= 1

def test_flaky(tmp_path_factory):
    once = Path(__file__).parent / "once"
    if not once.exists():
        once.touch()
        assert False, "the first time"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """One plugin, and how it is used.

    Attributes:
        package: What is installed.
        args: Options that make it do its work.
        needs: What it needs beside pytest and this project.
        processes: Ways of running that it can be used with.
        refused: What an evaluation says where it cannot be run beside it.
    """

    package: str
    args: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    processes: tuple[str, ...] = PROCESSES
    refused: str = ""

    @property
    def title(self) -> str:
        """Package and options."""
        return " ".join((self.package, *(f"`{arg}`" for arg in self.args)))


PLUGINS = (
    Plugin(package="pytest-rerunfailures", args=("--reruns=2",)),
    Plugin(package="pytest-retry", args=("--retries=2",)),
    Plugin(package="flaky", args=("--force-flaky", "--max-runs=2", "--no-flaky-report")),
    Plugin(package="pytest-repeat", args=("--count=2",)),
    Plugin(package="pytest-randomly"),
    Plugin(package="pytest-random-order", args=("--random-order",)),
    Plugin(package="pytest-timeout", args=("--timeout=60",)),
    Plugin(package="pytest-sugar", needs=("termcolor",)),
    Plugin(package="pytest-html", args=("--html=tests.html",)),
    Plugin(package="pytest-json-report", args=("--json-report",)),
    Plugin(
        package="allure-pytest",
        args=("--alluredir=allure",),
        needs=("allure-python-commons", "attrs"),
    ),
    Plugin(package="pytest-cov", args=("--cov=digits",), needs=("coverage",)),
    Plugin(package="pytest-split", args=("--splits=1", "--group=1")),
    Plugin(package="pytest-socket", args=("--disable-socket", "--allow-hosts=127.0.0.1")),
    Plugin(package="pytest-instafail", args=("--instafail",)),
    Plugin(
        package="pytest-clarity",
        needs=("pprintpp", "rich", "markdown-it-py", "mdurl", "pygments"),
    ),
    Plugin(
        package="pytest-forked",
        args=("--forked",),
        needs=("py",),
        refused="--forked gives each test",
    ),
    Plugin(package="pytest-xdist", args=("--dist=loadfile",), processes=("-n2",)),
    Plugin(package="pytest-xdist", args=("--dist=worksteal",), processes=("-n2",)),
    Plugin(package="pytest-xdist", args=("--dist=each",), processes=("-n2",)),
)
HERE = frozenset({"pytest-html", "pytest-json-report", "pytest-xdist"})
"""In this environment already, as requirements of the tests."""


def install(plugin: Plugin, folder: Path) -> str:
    """Install a plugin into a folder of its own; returns what went wrong, if anything."""
    if plugin.package in HERE or folder.is_dir():
        return ""
    packages = ["--no-deps", "--target", str(folder), plugin.package, *plugin.needs]
    uv = shutil.which("uv")
    command = (
        [uv, "pip", "install", "--python", sys.executable]
        if uv
        else [sys.executable, "-m", "pip", "install"]
    )
    done = subprocess.run([*command, *packages], capture_output=True, text=True, check=False)  # noqa: S603 - ours
    return "" if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


def version(plugin: Plugin, folder: Path) -> str:
    """The version of an installed plugin."""
    code = "import sys, importlib.metadata as m; print(m.version(sys.argv[1]))"
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code, plugin.package],
        capture_output=True, text=True, check=False, env=_environment(folder),
    )  # fmt: skip
    return done.stdout.strip()


def _environment(folder: Path) -> dict[str, str]:
    path = os.pathsep.join((str(folder), str(ROOT)))
    return {**os.environ, "PYTHONPATH": path, "PYTEST_ADDOPTS": ""}


def project(folder: Path) -> Path:
    """A project with a few images of the bundled digits."""
    for label in "0123456789":
        there = folder / "fixtures" / "digits" / label
        there.mkdir(parents=True)
        for image in sorted((ROOT / "fixtures" / "mnist" / label).glob("*.*"))[:IMAGES]:
            shutil.copy(image, there)
    (folder / "modelfiles").mkdir()
    shutil.copy(ROOT / "modelfiles" / "mnist-digits.Modelfile", folder / "modelfiles")
    (folder / "modelfiles" / "mnist-digits.Modelfile").rename(
        folder / "modelfiles" / "digits.Modelfile"
    )
    (folder / "test_digits.py").write_text(EVALUATION)
    return folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One run.

    Attributes:
        code: Its exit code.
        counts: Where its images went, without zeros.
        words: Its verdicts.
        crashed: Whether it ended in an internal error.
        last: Its last line.
        text: All that it wrote.
    """

    code: int
    counts: dict[str, int]
    words: tuple[str, ...]
    crashed: bool
    last: str
    text: str


def run(folder: Path, plugins: Path, *args: str) -> Ran:
    """Run the evaluation anew in a folder."""
    shutil.rmtree(folder / "run", ignore_errors=True)
    (folder / "once").unlink(missing_ok=True)
    command = [
        sys.executable, "-m", "pytest", f"--rootdir={folder}", "--llmclf-strict",
        "--llmclf-model=llamacpp:micro-llava", "--llmclf-run=run", *args,
    ]  # fmt: skip
    done = subprocess.run(  # noqa: S603 - our own interpreter
        command, capture_output=True, text=True, check=False, cwd=folder, timeout=300,
        env=_environment(plugins),
    )  # fmt: skip
    text = done.stdout + done.stderr
    record = folder / "run" / "run.json"
    data = json.loads(record.read_text("utf-8")) if record.is_file() else {}
    reports = data.get("reports") or [{"ledger": {}}]
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return Ran(
        code=done.returncode,
        counts={name: count for name, count in reports[0]["ledger"].items() if count},
        words=tuple(sorted({gate["word"] for gate in data.get("gates", ())})),
        crashed="INTERNALERROR" in text,
        last=lines[-1].strip("= ") if lines else "",
        text=text,
    )


def main() -> int:
    """Run all, print the table, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", default="", help="names of packages, separated by commas")
    parser.add_argument("--folder", type=Path, help="where plugins are installed and kept")
    arguments = parser.parse_args()
    wanted = set(filter(None, arguments.only.split(",")))
    sound = True
    with tempfile.TemporaryDirectory(prefix="plugins-") as temporary:
        home = arguments.folder or Path(temporary) / "installed"
        evaluation = project(Path(temporary) / "project")
        plain = {each: run(evaluation, home / "none", each) for each in PROCESSES}
        sys.stdout.write("| plugin | version | processes | exit code | images | result |\n")
        sys.stdout.write("|---|---|---|--:|---|---|\n")
        for plugin in (one for one in PLUGINS if not wanted or one.package in wanted):
            folder = home / plugin.package
            trouble = install(plugin, folder)
            for processes in plugin.processes if not trouble else ():
                found = run(evaluation, folder, processes, *plugin.args)
                before = plain[processes]
                same = (found.counts, found.words) == (before.counts, before.words)
                if plugin.refused:
                    same = found.code != 0 and plugin.refused in found.text
                good = same and not found.crashed
                sound = sound and good
                counts = ", ".join(f"{count} {name}" for name, count in found.counts.items())
                result = (
                    ("refused at collection" if plugin.refused else "as without it")
                    if good
                    else f"**differs**: {found.last}"
                )
                sys.stdout.write(
                    f"| {plugin.title} | {version(plugin, folder)} | `{processes}` | {found.code} "
                    f"| {counts} | {result} |\n"
                )
                sys.stdout.flush()
            if trouble:
                sys.stdout.write(f"| {plugin.title} | | | | | not installed: {trouble} |\n")
        for processes, ran in plain.items():
            sys.stdout.write(f"\nwithout any, `{processes}`: exit code {ran.code}, {ran.last}\n")
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
