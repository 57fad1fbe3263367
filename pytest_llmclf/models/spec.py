"""Which model answers, as written on the command line."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from pytest_llmclf.errors import SettingsError
from pytest_llmclf.models import registry
from pytest_llmclf.models.http.address import parse_chat_address, without_user
from pytest_llmclf.models.query import PREDICTION_OPTIONS, read_query, split_query
from pytest_llmclf.models.yardstick.kinds import KINDS, check_kind, options_of

if TYPE_CHECKING:
    from collections.abc import Callable

AUTO = "auto"
"""What chooses a backend, and is none."""
EMBEDDED = "micro-llava"
"""The model in this package; the name alone is enough."""

FORMS = (
    "auto",
    "ollama[:NAME[:TAG]]",
    "openai:NAME@http://HOST:PORT/v1",
    "llamacpp:TEXT.gguf+MMPROJ.gguf",
    EMBEDDED,
    "replay:FILE[#MODEL]",
    f"yardstick:{'|'.join(KINDS)}[?train=FOLDER]",
    "sklearn:MODULE:FACTORY[?train=FOLDER]",
    "predictions:FILE.csv",
)
"""How a model can be written, for messages and help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """A backend and a model; `str` gives it as people write it.

    Attributes:
        backend: Which backend, a name of the registry, or ``auto``.
        name: The model: Ollama's or the OpenAI server's name, ``micro-llava``, the model within
            a recording, what stands behind the name of another package's backend. Empty where
            the Modelfile (``ollama``) or the file (``replay``) says it.
        address: URL of an OpenAI-compatible server.
        text: GGUF file of the language model.
        mmproj: GGUF file of the projector.
        file: A recording, or a file of predictions.
        query: What stands behind a question mark, such as ``train=FOLDER``.
    """

    backend: str
    name: str = ""
    address: str = ""
    text: str = ""
    mmproj: str = ""
    file: str = ""
    query: str = ""

    def __str__(self) -> str:
        """The model as written on the command line, without user and password of a URL."""
        match self.backend:
            case "openai":
                return f"openai:{self.name}@{without_user(self.address)}"
            case "llamacpp" if self.text:
                return f"llamacpp:{self.text}+{self.mmproj}"
            case "replay":
                return f"replay:{self.file}{'#' if self.name else ''}{self.name}"
            case "predictions":
                return f"predictions:{self.file}{'?' if self.query else ''}{self.query}"
            case _ if self.query:
                return f"{self.backend}:{self.name}?{self.query}"
            case _:
                return f"{self.backend}:{without_user(self.name)}" if self.name else self.backend

    def __repr__(self) -> str:
        """Without user and password of a URL, like `str`."""
        return f"ModelSpec({str(self)!r})"


def parse_spec(text: str) -> ModelSpec:
    """Read a model as written on the command line.

    Raises:
        SettingsError: It is none; the message says the nearest form.
    """
    text = text.strip()
    if text in (AUTO, EMBEDDED):
        return ModelSpec(backend=AUTO) if text == AUTO else _llamacpp(text)
    backend, _, rest = text.partition(":")
    read = _READ.get(backend)
    found = None if read is None else read(rest)
    if found is None and backend in registry.installed():
        found = ModelSpec(backend=backend, name=rest)
    if found is None or text == "ollama:":
        shown = without_user(text)
        near = _suggestion(shown)
        end = "" if near.endswith("?") else ";"
        raise SettingsError(f"{shown!r} is no model{near}{end} {_forms()}")
    return found


def _openai(rest: str) -> ModelSpec:
    split = re.match(r"(?P<name>.+?)@(?P<url>https?://.+)$", rest, re.IGNORECASE)
    if split is None:
        other = re.match(r".+?@(?P<scheme>[a-z][a-z0-9+.-]*)://", rest, re.IGNORECASE)
        if other is not None and other["scheme"].casefold() not in ("http", "https"):
            raise SettingsError(
                f"'openai:{without_user(rest)}' has an address of scheme {other['scheme']!r}, "
                "it must be http or https: write openai:NAME@http://HOST:PORT/v1"
            )
        raise SettingsError(
            f"'openai:{without_user(rest)}' lacks a name or an address: "
            "write openai:NAME@http://HOST:PORT/v1"
        )
    if "?" in split["url"]:
        parse_chat_address(split["url"])  # before it is shown anywhere: a query may hold a key
    return ModelSpec(backend="openai", name=split["name"], address=split["url"])


def _llamacpp(rest: str) -> ModelSpec:
    if rest == EMBEDDED:
        return ModelSpec(backend="llamacpp", name=EMBEDDED)
    # A plus may be part of a path: the one that counts stands between two GGUF files.
    split = re.match(r"(?P<text>.+?\.gguf)\+(?P<mmproj>.+\.gguf)$", rest, re.IGNORECASE)
    if split is None:
        near = difflib.get_close_matches(rest, [EMBEDDED], cutoff=0.6)
        hint = f"did you mean llamacpp:{EMBEDDED}? " if near else ""
        raise SettingsError(
            f"'llamacpp:{rest}' does not name two GGUF files: {hint}"
            "write llamacpp:TEXT.gguf+MMPROJ.gguf, the second one being the projector"
        )
    return ModelSpec(backend="llamacpp", text=split["text"], mmproj=split["mmproj"])


def _ollama(rest: str) -> ModelSpec:
    if rest and not names_file(rest) and not re.fullmatch(r"[\w][\w.:/-]*", rest):
        raise SettingsError(
            f"'ollama:{rest}': {rest!r} is no model name; write ollama:NAME or :NAME:TAG"
        )
    return ModelSpec(backend="ollama", name=rest)


def _replay(rest: str) -> ModelSpec | None:
    file, _, name = rest.partition("#")
    return ModelSpec(backend="replay", file=file, name=name) if file else None


def _yardstick(rest: str) -> ModelSpec:
    name, query = split_query(rest)
    check_kind(name)
    options_of(query, f"yardstick:{rest}")
    return ModelSpec(backend="yardstick", name=name, query=query)


def _sklearn(rest: str) -> ModelSpec:
    name, query = split_query(rest)
    if not re.fullmatch(r"[\w.]+:\w+", name):
        raise SettingsError(
            f"'sklearn:{rest}' does not name a module and a class or function of it: write "
            "sklearn:sklearn.ensemble:RandomForestClassifier"
        )
    options_of(query, f"sklearn:{rest}")
    return ModelSpec(backend="sklearn", name=name, query=query)


def _predictions(rest: str) -> ModelSpec | None:
    file, query = split_query(rest)
    read_query(query, PREDICTION_OPTIONS, f"predictions:{rest}")
    return ModelSpec(backend="predictions", file=file, query=query) if file else None


_READ: Final[dict[str, Callable[[str], ModelSpec | None]]] = {
    "ollama": _ollama,
    "openai": _openai,
    "llamacpp": _llamacpp,
    "replay": _replay,
    "yardstick": _yardstick,
    "sklearn": _sklearn,
    "predictions": _predictions,
}
"""By backend: what reads what stands behind the colon."""


def names_file(name: str) -> bool:
    """Whether a model's name is the path of its file, as the FROM of a Modelfile may be."""
    return name.casefold().endswith(".gguf") or PurePath(name).is_absolute()


def _suggestion(text: str) -> str:
    head = text.partition(":")[0]
    known = [AUTO, *registry.BUILT_IN, *registry.installed(), EMBEDDED]
    near = difflib.get_close_matches(head.casefold(), known, n=1, cutoff=0.75)
    if head in near and not text[len(head) + 1 :]:
        return ", nothing stands behind its colon"
    if near:
        return f", did you mean {near[0]}{text[len(head) :] if near[0] != EMBEDDED else ''}?"
    if re.fullmatch(r"[\w][\w.:/-]*", text):
        return f", did you mean ollama:{text.rstrip(':')}?"
    return ""


def _forms() -> str:
    forms = [*FORMS, *(f"{name}:..." for name in registry.installed())]
    return f"a model is written {', '.join(forms[:-1])} or {forms[-1]}"


def without_users(text: str) -> str:
    """A list of addresses as written, without users and passwords."""
    return ",".join(
        without_user(part) if "//" in part else part.rpartition("@")[2] for part in text.split(",")
    )
