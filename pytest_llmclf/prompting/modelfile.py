"""Ollama's Modelfile as a value: read, checked, written back.

What Ollama itself does with a repeated instruction holds here: the last SYSTEM, TEMPLATE,
REQUIRES, DRAFT, RENDERER or PARSER wins; PARAMETER wins by name, except ``stop``, of which all
count; further FROM lines add files (a vision model's projector); ADAPTER, LICENSE and MESSAGE add
up. Stricter than Ollama on purpose: an empty value, a parameter that Ollama no longer knows and
text behind closing quotes are errors, since each of them is silently something else than it seems.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.errors import ModelfileError, SettingsError, nearest
from pytest_llmclf.files import require_plain
from pytest_llmclf.prompting.modelfile_lexer import Instruction, lex

if TYPE_CHECKING:
    from collections.abc import Callable

ParameterValue = int | float | bool | str
"""Value of one PARAMETER line."""

INT_PARAMETERS: Final = (
    "draft_num_predict",
    "main_gpu",
    "num_batch",
    "num_ctx",
    "num_gpu",
    "num_keep",
    "num_predict",
    "num_thread",
    "repeat_last_n",
    "seed",
    "top_k",
)
FLOAT_PARAMETERS: Final = (
    "frequency_penalty",
    "min_p",
    "presence_penalty",
    "repeat_penalty",
    "temperature",
    "top_p",
    "typical_p",
)
BOOL_PARAMETERS: Final = ("use_mmap",)
TEXT_PARAMETERS: Final = ("stop",)
PARAMETERS: Final = INT_PARAMETERS + FLOAT_PARAMETERS + BOOL_PARAMETERS + TEXT_PARAMETERS
"""Every parameter that Ollama knows."""

SYSTEM: Final = (
    "You sort images.\n"
    "Look at the image and decide which label fits it best.\n"
    "Answer with one label from the list you are given and nothing else."
)
"""What a model is told where nobody wrote anything else. It names no label as an example of an
answer: models lean towards one that is named."""
DEFAULT: Final = (
    "FROM llava\nPARAMETER temperature 0\nPARAMETER seed 1\nPARAMETER num_predict 64\n"
    f'SYSTEM """{SYSTEM}"""\n'
)
"""The Modelfile of an evaluation that names none: the likeliest answer, with room for a label."""

_RETIRED: Final = frozenset(
    (
        "f16_kv",
        "logits_all",
        "low_vram",
        "mirostat",
        "mirostat_eta",
        "mirostat_tau",
        "numa",
        "penalize_newline",
        "tfs_z",
        "use_mlock",
        "vocab_only",
    )
)
# What Go's strconv.ParseBool takes, which is what Ollama reads them with.
_TRUE: Final = frozenset(("1", "t", "T", "true", "TRUE", "True"))
_FALSE: Final = frozenset(("0", "f", "F", "false", "FALSE", "False"))
_INT: Final = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
_INT64_END: Final = 1 << 63
_FLOAT: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_VERSION: Final = re.compile(r"v?[0-9]+(?:\.[0-9]+){0,2}(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?")
_WEIGHTS: Final = (".gguf", ".safetensors", ".bin")
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DRIVE: Final = re.compile(r"[A-Za-z]:[\\/]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Modelfile:
    """A parsed Modelfile.

    Attributes:
        source: Path or name of the text, for messages.
        from_: The model that it builds on: a name such as ``llava:7b``, or a file's path.
        projectors: Values of further FROM lines: the projector of a vision model in two files.
        parameters: (name, value) in file order; ``stop`` may repeat.
        template: Prompt template, or ``None``.
        system: System text, or ``None``.
        adapters: LoRA files.
        licenses: Licence texts.
        messages: Earlier turns as (role, text).
        requires: Least version of Ollama, or ``None``.
        draft: Draft model for speculative decoding, or ``None``.
        renderer: Ollama's built-in prompt renderer by name, or ``None``.
        parser: Ollama's built-in answer parser by name, or ``None``.
    """

    source: str
    from_: str
    projectors: tuple[str, ...] = ()
    parameters: tuple[tuple[str, ParameterValue], ...] = ()
    template: str | None = None
    system: str | None = None
    adapters: tuple[str, ...] = ()
    licenses: tuple[str, ...] = ()
    messages: tuple[tuple[str, str], ...] = ()
    requires: str | None = None
    draft: str | None = None
    renderer: str | None = None
    parser: str | None = None

    def options(self) -> dict[str, Any]:
        """The parameters as a request's options; ``stop`` as a list, else the last value wins."""
        options: dict[str, Any] = {}
        for name, value in self.parameters:
            if name == "stop":
                options.setdefault("stop", []).append(value)
            else:
                options[name] = value
        return options

    def digest(self) -> str:
        """Hex sha256 over what the file says, not over how or where it is written.

        Left out: `source`, comments, order of the parameters, and the folders of local files (the
        same checkout has the same digest on every machine). The content of local files is not in
        it: whoever names a derived model by it adds their digests.
        """
        content = {
            "from": [_without_folder(name) for name in (self.from_, *self.projectors)],
            "options": self.options(),
            "template": self.template,
            "system": self.system,
            "adapters": [_without_folder(name) for name in self.adapters],
            "licenses": self.licenses,
            "messages": self.messages,
            "requires": self.requires,
            "draft": None if self.draft is None else _without_folder(self.draft),
            "renderer": self.renderer,
            "parser": self.parser,
        }
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(canonical.encode()).hexdigest()


def parse(text: str, source: str) -> Modelfile:
    """Read a Modelfile's text; paths in it stay as written.

    Args:
        text: The whole file.
        source: Path or name, for messages.

    Raises:
        ModelfileError: With line and column of the first problem.
    """
    return _assemble(lex(text, source), source, lambda instruction: instruction.value)


def load(path: Path) -> Modelfile:
    """Read a Modelfile: UTF-8 or, with a byte-order mark, UTF-16.

    Local files named by FROM, ADAPTER and DRAFT come out as absolute paths; relative ones count
    from the Modelfile's own folder. A value is a file when it looks like one (begins with ``./``,
    ``../``, ``/``, ``~`` or a drive, or ends in ``.gguf``, ``.safetensors`` or ``.bin``), never
    because something of that name happens to lie there.

    Raises:
        ModelfileError: The file cannot be read or does not parse, or a file that it names is
            missing.
    """
    source = str(path)
    try:
        data = require_plain(path).read_bytes()
    except OSError as exc:
        reason = exc.strerror or type(exc).__name__
        raise ModelfileError(source, 1, 1, f"cannot be read ({reason}){_siblings(path)}") from exc
    folder = path.parent.absolute()

    def resolve(instruction: Instruction) -> str:
        return _local_file(instruction, folder, source)

    return _assemble(lex(_decode(data, source), source), source, resolve)


def _assemble(
    instructions: list[Instruction], source: str, resolve: Callable[[Instruction], str]
) -> Modelfile:
    by: dict[str, list[Instruction]] = {}
    for instruction in instructions:
        by.setdefault(instruction.keyword, []).append(instruction)

    def last(keyword: str) -> str | None:
        return by[keyword][-1].value if keyword in by else None

    sources = [resolve(item) for item in by.get("FROM", ())]
    if not sources:
        line = instructions[0].line if instructions else 1
        raise ModelfileError(
            source, line, 1, "no FROM line: name the model to build on, such as FROM llava"
        )
    for item in by.get("REQUIRES", ()):
        if not _VERSION.fullmatch(item.value):
            raise ModelfileError(
                source,
                item.line,
                item.value_column,
                f"REQUIRES takes a version of Ollama such as 0.14.0, not {item.value[:40]!r}",
            )
    return Modelfile(
        source=source,
        from_=sources[0],
        projectors=tuple(sources[1:]),
        parameters=tuple((item.key, _parameter(item, source)) for item in by.get("PARAMETER", ())),
        template=last("TEMPLATE"),
        system=last("SYSTEM"),
        adapters=tuple(resolve(item) for item in by.get("ADAPTER", ())),
        licenses=tuple(item.value for item in by.get("LICENSE", ())),
        messages=tuple((item.key, item.value) for item in by.get("MESSAGE", ())),
        requires=last("REQUIRES"),
        draft=resolve(by["DRAFT"][-1]) if "DRAFT" in by else None,
        renderer=last("RENDERER"),
        parser=last("PARSER"),
    )


def _parameter(item: Instruction, source: str) -> ParameterValue:
    name = item.key
    if name in _RETIRED:
        problem = f"Ollama no longer has the parameter {name!r}: remove the line"
        raise ModelfileError(source, item.line, item.key_column, problem)
    if name not in PARAMETERS:
        hint = nearest(name.lower(), PARAMETERS)
        known = ", ".join(sorted(PARAMETERS))
        problem = f"unknown parameter {name[:40]!r}{hint} (known: {known})"
        raise ModelfileError(source, item.line, item.key_column, problem)
    try:
        return parameter_value(name, item.value)
    except SettingsError as error:
        raise ModelfileError(source, item.line, item.value_column, str(error)) from error


def parameter_value(name: str, text: str) -> ParameterValue:
    """The value of one of `PARAMETERS` as people write it.

    Raises:
        SettingsError: It takes another kind of value.
    """
    kind = ""
    if name in INT_PARAMETERS:
        kind = "a whole number"
        if _INT.fullmatch(text) and -_INT64_END <= int(text) < _INT64_END:
            return int(text)
    elif name in FLOAT_PARAMETERS:
        kind = "a number"
        if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
            # + 0.0 turns -0.0 into 0.0: one value, one digest.
            return float(text) + 0.0
    elif name in BOOL_PARAMETERS:
        kind = "true or false"
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
    else:
        return text
    raise SettingsError(f"parameter {name} takes {kind}, not {text[:40]!r}")


def _decode(data: bytes, source: str) -> str:
    encoding = "utf-8"
    for mark, name in _MARKS:
        if data.startswith(mark):
            encoding, data = name, data[len(mark) :]
            break
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as exc:
        before = data[: exc.start].decode(encoding, "replace")
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        problem = f"not {encoding.upper()} text: save the file as UTF-8"
        raise ModelfileError(source, line, column, problem) from exc
    if "\0" in text:
        problem = "holds NUL characters (UTF-16 without a byte-order mark?): save it as UTF-8"
        raise ModelfileError(source, 1, 1, problem)
    return text


def _is_file(value: str) -> bool:
    return (
        value.startswith(("./", "../", "/", "~", ".\\", "..\\", "\\"))
        or value in {".", ".."}
        or _DRIVE.match(value) is not None
        or value.lower().endswith(_WEIGHTS)
    )


def _without_folder(value: str) -> str:
    return re.split(r"[\\/]", value)[-1] if _is_file(value) else value


def _local_file(instruction: Instruction, folder: Path, source: str) -> str:
    value = instruction.value
    if not _is_file(value) and instruction.keyword != "ADAPTER":
        return value
    try:
        path = Path(value).expanduser()
    except RuntimeError:  # ~user of nobody known here
        path = Path(value)
    path = folder / path
    # Not `Path.exists`, which raises for a name that is too long for the file system.
    if not os.path.exists(path):  # noqa: PTH110
        problem = (
            f"{instruction.keyword} names {value!r}, but there is no {path}{_siblings(path)}; "
            f"relative paths count from the Modelfile's folder"
        )
        raise ModelfileError(source, instruction.line, instruction.value_column, problem)
    return str(path.resolve())


def _siblings(path: Path) -> str:
    try:
        names = tuple(sorted(item.name for item in path.parent.iterdir()))
    except OSError:
        return ""
    return nearest(path.name, names)
