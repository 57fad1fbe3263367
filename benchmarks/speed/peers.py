"""The peers: how to install them, and how each is run, as its documentation says.

    python -m benchmarks.speed.peers FOLDER

makes a virtual environment a peer (and one with this package and nothing else), and a folder for
promptfoo, which needs npm.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.speed.workload import MODEL, ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

THIS = "pytest-llmclf"
FLOOR = "raw asyncio"
_ENVIRONMENTS = {
    "this": ("-e", f"{ROOT}[embedded]"),
    "pytest-evals": ("pytest-evals", "pytest-xdist", "ollama"),
    "inspect-ai": ("inspect-ai", "openai"),
    "deepeval": ("deepeval", "pytest-xdist", "ollama"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """Something that asks the same questions.

    Attributes:
        name: How the table calls it.
        how: What was chosen for it.
        commands: What is run, one after the other, all of it measured.
        env: Variables; `{server}` stands for the server's address, `{new}` for an empty folder.
        before: What is run once, not measured.
        codes: Exit codes that mean that it went well.
        version: Its version.
        missing: Why it cannot be run; empty if it can.
    """

    name: str
    how: str
    commands: tuple[tuple[str, ...], ...]
    env: Mapping[str, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    codes: tuple[int, ...] = (0,)
    version: str = ""
    missing: str = ""


def python_of(folder: Path | None, environment: str = "this") -> str:
    """The interpreter of an environment; without a folder, this one."""
    return sys.executable if folder is None else str(folder / environment / "bin" / "python")


def contenders(python: str) -> tuple[Contender, ...]:
    """The plugin, the floor, and plain pytest."""
    server = {"OLLAMA_HOST": "{server}"}
    plain = (python, "-m", "pytest", "-q", "-p", "no:pytest_llmclf.plugin", "test_plain.py")
    plugin = (python, "-m", "pytest", "evals", "--llmclf-home={new}")
    client = version(python, "ollama")
    return (
        Contender(
            name=FLOOR, how="`ollama.AsyncClient`, 8 in flight",
            commands=((python, "raw_asyncio.py"),), env=server, version=client,
        ),
        Contender(
            name=THIS, how="the defaults, one process, cold store",
            commands=((*plugin, "--llmclf-model", f"ollama:{MODEL}"),), env=server,
            version=version(python, "pytest-llmclf"),
        ),
        Contender(
            name="plain pytest", how="parametrize and `ollama.Client`, one at a time",
            commands=(plain,), env=server, version=version(python, "pytest"),
        ),
        Contender(
            name="plain pytest -n 4", how="the same, four workers",
            commands=((*plain, "-n", "4"),), env=server, version=version(python, "pytest"),
        ),
    )  # fmt: skip


def peers(folder: Path | None) -> tuple[Contender, ...]:
    """The peers; one that is not installed says so in `missing`."""
    server = {"OLLAMA_HOST": "{server}"}
    evals, inspect, deep = (
        python_of(folder or Path("nowhere"), name)
        for name in ("pytest-evals", "inspect-ai", "deepeval")
    )
    foo = (folder or Path("nowhere")) / "promptfoo" / "node_modules" / ".bin" / "promptfoo"
    analysis = (evals, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_evals.py")
    return (
        Contender(
            name="pytest-evals -n 4", how="both phases, four workers",
            commands=((*analysis, "--run-eval", "-n", "4"), (*analysis, "--run-eval-analysis")),
            env={**server, "PYTHONPATH": "."}, version=version(evals, "pytest-evals"),
            missing=_missing(evals),
        ),
        Contender(
            name="inspect-ai", how="`--max-connections 8`, through `/v1`",
            commands=(
                (
                    inspect, "-m", "inspect_ai", "eval", "inspect_task.py", "--model",
                    f"ollama/{MODEL}", "--max-connections", "8", "--temperature", "0",
                    "--log-dir", "{new}",
                ),
            ),
            env={"OLLAMA_BASE_URL": "http://{server}/v1"},
            version=version(inspect, "inspect-ai"), missing=_missing(inspect),
        ),
        Contender(
            name="promptfoo", how="`-j 8`",
            commands=(
                (
                    str(foo), "eval", "-c", "promptfooconfig.json", "-j", "8", "--no-table",
                    "--no-progress-bar",
                ),
            ),
            env={
                "OLLAMA_BASE_URL": "http://{server}", "PROMPTFOO_CONFIG_DIR": "{new}",
                "PROMPTFOO_DISABLE_TELEMETRY": "1", "PROMPTFOO_DISABLE_UPDATE": "1",
                "PROMPTFOO_DISABLE_REMOTE_GENERATION": "1",
            },
            before=(sys.executable, "promptfoo_tests.py"),
            codes=(0, 100),  # 100: some assertions failed, as they should
            version=_npm_version(foo), missing=_missing(str(foo)),
        ),
        Contender(
            name="deepeval -n 4", how="`deepeval test run`, four workers, exact match",
            commands=(
                (
                    deep, "-c", "from deepeval.cli.main import app; app()", "test", "run",
                    "test_deepeval.py", "-n", "4",
                ),
            ),
            env={
                **server, "DEEPEVAL_TELEMETRY_OPT_OUT": "1", "DEEPEVAL_RESULTS_FOLDER": "{new}",
                "DEEPEVAL_DISABLE_DOTENV": "1", "DEEPEVAL_FILE_SYSTEM": "READ_ONLY",
            },
            version=version(deep, "deepeval"), missing=_missing(deep),
        ),
    )  # fmt: skip


def version(python: str, package: str) -> str:
    """Version of a package in an environment; empty if it is not there."""
    script = f"from importlib.metadata import version; print(version({package!r}))"
    try:
        done = subprocess.run(  # noqa: S603 - an environment that the user named
            [python, "-c", script], capture_output=True, text=True, timeout=60, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip()


def _missing(program: str) -> str:
    return "" if Path(program).exists() else "not installed: see --peers-folder"


def _npm_version(program: Path) -> str:
    import json

    package = program.parent.parent / "promptfoo" / "package.json"
    return str(json.loads(package.read_text("utf-8"))["version"]) if package.exists() else ""


def install(folder: Path) -> int:
    """Install all of them; the number that could not be."""
    folder.mkdir(parents=True, exist_ok=True)
    failed = 0
    for name, packages in _ENVIRONMENTS.items():
        target = folder / name
        steps = [
            [sys.executable, "-m", "venv", str(target)],
            [str(target / "bin" / "python"), "-m", "pip", "install", "--quiet", *packages],
        ]
        failed += _done(name, steps, folder)
    npm = shutil.which("npm")
    foo = folder / "promptfoo"
    foo.mkdir(exist_ok=True)
    steps = [[npm or "npm", "install", "--prefix", str(foo), "--no-audit", "promptfoo"]]
    return failed + _done("promptfoo", steps, foo)


def _done(name: str, steps: list[list[str]], cwd: Path) -> int:
    for step in steps:
        try:
            subprocess.run(step, cwd=cwd, check=True)  # noqa: S603 - built from constants
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"{name}: not installed: {error}")
            return 1
    print(f"{name}: installed")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):  # noqa: PLR2004 - one argument
        sys.exit(__doc__)
    sys.exit(install(Path(sys.argv[1]).absolute()))
