"""Deriving a model from a Modelfile on an Ollama server.

The derived model's name is made from its content, so that the same Modelfile over the same base
is made once and found again, another base or another text gives another model, and no model of
the user's is ever written to. A file is sent only where it is a GGUF by its own first bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmclf import errors
from pytest_llmclf.models.http import payload
from pytest_llmclf.models.ollama import official_client, ollama_errors
from pytest_llmclf.models.ollama.modelfile_files import blob_digest, by_file_name, require_gguf
from pytest_llmclf.models.ollama.verify import differences
from pytest_llmclf.models.spec import names_file
from pytest_llmclf.values.request import thinks_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import ollama

    from pytest_llmclf.models.http.address import Address
    from pytest_llmclf.models.http.client import HttpClient
    from pytest_llmclf.models.ollama.ollama_errors import Doing
    from pytest_llmclf.prompting.modelfile import Modelfile

PREFIX = "llmclf-"
"""Every derived model's name starts so; nothing else is ever created."""

_SHORT_DIGEST = 12
_OK = 200
_UNNAMED = "a machine that the server does not name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """A model that was derived, or found as derived before.

    Attributes:
        name: Its name on the server.
        digest: Its content digest as the server tells it.
        base: Name of the model that it is derived from.
        base_digest: Content digest of that model, with adapters and projectors added to it.
        remote: The machine that the server passes questions on to; empty where it answers itself.
        own_system: SYSTEM text that it has of that model, the Modelfile having none; else empty.
        thinks: What it can be told about thinking, in words, as `request.thinks_text` writes it;
            empty where the server does not say that it can think.
    """

    name: str
    digest: str
    base: str
    base_digest: str
    remote: str = ""
    own_system: str = ""
    thinks: str = ""


def full_name(name: str) -> str:
    """A model's name with its tag, as the server lists it: ``llava`` is ``llava:latest``."""
    name = name.casefold()
    for prefix in ("registry.ollama.ai/library/", "registry.ollama.ai/", "library/"):
        name = name.removeprefix(prefix)
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


class Deriver:
    """Derives one model on one server.

    Args:
        client: Connections to the server.
        address: The same server.
        modelfile: What to derive; its FROM is the base.
        version: The server's version, or empty if it told none.
        pull: Whether a missing base may be downloaded.
        timeout_s: Longest wait for one HTTP answer.
        require_here: Raises where a model of that name, told of so, runs on a host that is not
            allowed.
    """

    def __init__(
        self,
        client: HttpClient,
        *,
        address: Address,
        modelfile: Modelfile,
        version: str,
        pull: bool,
        timeout_s: float,
        require_here: Callable[[str, Mapping[str, Any]], None],
    ) -> None:
        self._require_here = require_here
        self._http = client
        self._address = address
        self._modelfile = modelfile
        self._version = version
        self._pull = pull
        self._timeout_s = timeout_s

    def derive(self) -> Derived:
        """Find or make the model, and check what the server made of it.

        Raises:
            ModelMissing: The server lacks the base model and it may not be pulled.
            ModelNotCreated: The server refused, or made something else.
            RemoteRefused: The server has another machine run the model, which was not allowed.
            BackendError: The server is not there or broke.
        """
        self._refuse_unsupported()
        base = self._modelfile.from_
        digests = self._digests(base)
        blobs = self._blobs()
        if names_file(base):
            base_digest = hashlib.sha256(" ".join(blobs.values()).encode()).hexdigest()
        else:
            base_digest = digests.get(full_name(base)) or self._pulled(base)
            if blobs:  # another adapter or projector makes another model of the same base
                content = " ".join((base_digest, *blobs.values()))
                base_digest = hashlib.sha256(content.encode()).hexdigest()
        name = derived_name(self._modelfile, base_digest)
        if full_name(name) not in digests:
            self._create(name, blobs)
            digests = self._digests()
        shown = self._verify(name)
        digest = digests.get(full_name(name))
        if not digest:
            raise errors.ModelNotCreated(
                f"{name} was created but Ollama at {self._address.netloc} does not list it",
                remedy="look at the server's log",
            )
        own = shown.get("system") if self._modelfile.system is None else None
        return Derived(
            name=name,
            digest=digest,
            base=base,
            base_digest=base_digest,
            remote=remote_host(shown),
            own_system=str(own or ""),
            thinks=_thinks(shown),
        )

    def digest_of(self, name: str) -> str:
        """Content digest of a model on the server; empty if it has none of that name.

        Raises:
            BackendError: There is no answer.
        """
        return self._digests().get(full_name(name), "")

    def _error(self, error: Exception, doing: Doing) -> errors.BackendError:
        found = ollama_errors.from_exception(
            error,
            address=self._address,
            model=self._modelfile.from_,
            doing=doing,
            redactor=self._http.redactor,
        )
        return self._http.explained(found)

    def _refuse_unsupported(self) -> None:
        modelfile = self._modelfile
        for word in ("draft", "renderer", "parser"):
            if getattr(modelfile, word) is not None:
                raise errors.ModelNotCreated(
                    f"{modelfile.source}: {word.upper()} cannot be sent through the ollama client",
                    remedy=f"remove the line, or run `ollama create NAME -f {modelfile.source}` "
                    "and put FROM NAME into the Modelfile",
                )
        wanted = modelfile.requires
        if wanted and self._version and _release(self._version) < _release(wanted):
            raise errors.ModelNotCreated(
                f"{modelfile.source} requires Ollama {wanted}, at {self._address.netloc} runs "
                f"{self._version}",
                remedy="update Ollama",
            )

    def _digests(self, base: str = "") -> dict[str, str]:
        """Digest of every model on the server, by full name.

        Raises:
            RemoteRefused: `base` is listed as run by a machine that is not allowed.
        """
        told = self._told("GET", "/api/tags")
        try:
            models = {
                full_name(str(model.get("model") or model["name"])): model
                for model in told["models"] or ()
            }
            digests = {name: str(model.get("digest") or "") for name, model in models.items()}
        except payload.MISREAD as error:
            raise self._no_protocol() from error
        if base and full_name(base) in models:
            self._require_here(base, models[full_name(base)])
        return digests

    def _told(self, method: str, path: str, content: Any = None) -> Any:
        """The JSON that the server answers to a look at it."""
        reply = self._http.json(method, path, content, timeout_s=self._timeout_s)
        if reply.status != _OK:
            error = ollama_errors.from_status(
                reply.status,
                reply.value,
                address=self._address,
                model=self._modelfile.from_,
                doing="look",
            )
            raise self._http.explained(error)
        return reply.value

    def _no_protocol(self) -> errors.BadAnswer:
        return errors.BadAnswer(
            f"Ollama at {self._address.netloc} answered something that is not its protocol",
            remedy="check that the address is that of an Ollama server",
        )

    @contextlib.contextmanager
    def _client(self) -> Iterator[ollama.Client]:
        """The official client, for what is done once a model: importing it takes a while."""
        settings = official_client.client_settings(self._http, self._address, self._timeout_s)
        client = official_client.official().Client(host=self._address.url, **settings)
        try:
            yield client
        finally:
            client.close()

    def _pulled(self, base: str) -> str:
        if not self._pull:
            raise errors.ModelMissing(
                f"Ollama at {self._address.netloc} does not have {base}",
                remedy=f"run `ollama pull {base}`, or say --llmclf-pull",
            )
        try:
            with self._client() as client:
                for _ in client.pull(base, stream=True):
                    pass
        except Exception as error:
            raise self._error(error, "pull") from error
        digest = self._digests(base).get(full_name(base))
        if not digest:
            raise errors.ModelMissing(
                f"{base} was pulled but Ollama at {self._address.netloc} does not list it",
                remedy=f"run `ollama pull {base}` and look at what it says",
            )
        return digest

    def _blobs(self) -> dict[str, str]:
        """Digest of every GGUF file that the Modelfile names, by path.

        Raises:
            ModelNotCreated: One of them is no GGUF: it is not sent anywhere.
        """
        names = [*self._modelfile.projectors, *self._modelfile.adapters]
        if names_file(self._modelfile.from_):
            names.insert(0, self._modelfile.from_)
        for name in names:
            require_gguf(Path(name), self._modelfile.source)
        return {name: blob_digest(Path(name)) for name in names}

    def _create(self, name: str, blobs: dict[str, str]) -> None:
        modelfile = self._modelfile
        for path, digest in blobs.items():
            self._upload(Path(path), digest)
        files = {path: digest for path, digest in blobs.items() if path not in modelfile.adapters}
        adapters = {path: blobs[path] for path in modelfile.adapters}
        last = None
        try:
            with self._client() as client:
                for progress in client.create(
                    model=name,
                    from_=None if names_file(modelfile.from_) else modelfile.from_,
                    files=by_file_name(files) or None,
                    adapters=by_file_name(adapters) or None,
                    template=modelfile.template,
                    license=list(modelfile.licenses) or None,
                    system=modelfile.system,
                    parameters=modelfile.options() or None,
                    messages=[{"role": role, "content": text} for role, text in modelfile.messages]
                    or None,
                    stream=True,
                ):
                    last = progress.status
        except Exception as error:
            raise self._error(error, "create") from error
        if last != "success":
            raise errors.ModelNotCreated(
                f"Ollama at {self._address.netloc} stopped creating {name} at {last!r}",
                remedy="look at the server's log",
            )

    def _upload(self, path: Path, digest: str) -> None:
        """Send a file unless the server has it.

        It answers a known one without reading it, and a large upload then meets a closed
        connection.
        """
        place = f"/api/blobs/{digest}"
        try:
            if self._has(place):
                return
            with self._client() as client:
                client.create_blob(path)
        except Exception as error:
            try:
                arrived = self._has(place)  # another process was faster
            except errors.BackendError:  # the first error is the one to tell
                arrived = False
            if not arrived:
                raise self._error(error, "create") from error

    def _has(self, place: str) -> bool:
        return self._http.request("HEAD", place, timeout_s=self._timeout_s).ok

    def _verify(self, name: str) -> Mapping[str, Any]:
        """Check that the model on the server is what the Modelfile says; what it shows of it."""
        shown = self._told("POST", "/api/show", {"model": name})
        if not isinstance(shown, dict):
            raise self._no_protocol()
        self._require_here(f"{self._modelfile.from_} ({name})", shown)
        found = differences(self._modelfile, shown)
        if found:
            raise errors.ModelNotCreated(
                f"{name} on Ollama at {self._address.netloc} is not what "
                f"{self._modelfile.source} says: {', '.join(found)}",
                remedy=f"run `ollama rm {name}`; it is made anew on the next run",
            )
        return shown


def _thinks(shown: Mapping[str, Any]) -> str:
    """What a model can be told about thinking, as its facts tell; empty: it cannot think.

    Older servers only say that it can; newer ones list the values that they take.
    """
    able = shown.get("capabilities")
    if not isinstance(able, list) or "thinking" not in able:
        return ""
    told = shown.get("thinking")
    values = told.get("values") if isinstance(told, dict) else None
    return thinks_text(values if isinstance(values, list) else ())


def remote_host(told: Mapping[str, Any]) -> str:
    """Where a model runs, as its list, facts or answer tell; empty: on the server itself."""
    host, model = told.get("remote_host"), told.get("remote_model")
    if not host and not model:
        return ""
    return host if isinstance(host, str) and host.strip() else _UNNAMED


def derived_name(modelfile: Modelfile, base_digest: str) -> str:
    """The name of the model that a Modelfile makes of a base with this digest."""
    stem = Path(modelfile.from_).stem if names_file(modelfile.from_) else modelfile.from_
    short = re.sub(r"[^a-z0-9]+", "-", stem.rpartition("/")[2].casefold()).strip("-")[:24]
    # Names of files and models do not make the model: the digest stands for what is in them.
    named = replace(modelfile, from_="base", projectors=(), adapters=())
    digest = hashlib.sha256(f"{named.digest()}\n{base_digest}".encode()).hexdigest()
    return f"{PREFIX}{short or 'model'}-{digest[:_SHORT_DIGEST]}"


def _release(version: str) -> tuple[int, ...]:
    """The numbers of a version; what comes behind them, such as ``-rc2``, does not count."""
    numbers = re.match(r"v?([0-9]{1,9}(?:\.[0-9]{1,9})*)", version)
    return tuple(int(part) for part in numbers[1].split(".")) if numbers else ()
