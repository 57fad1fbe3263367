"""Exactly what is sent to a model, and its digest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.values.json_values import is_text, is_texts_by_name, require
from pytest_llmclf.values.thinking import LEVELS, Think, least, think_word

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_llmclf.values.example_image import ExampleImage

DIGEST_FORMAT = 1
"""Raised when the meaning of a field of the digest changes; old answers are then asked anew."""
BASE_DIGEST: Final = "base digest"
"""In the details of a derived model: digest of what it was derived from."""
MODELS_OWN_SYSTEM: Final = "system text of its own"
"""In the details of a derived model: the SYSTEM text that it has of its base, if any."""
NAME_ONLY: Final = "digest"
"""In the details of a model whose server tells no digest: what its digest stands for instead."""
ADDRESS: Final = "address"
"""In the details of a model on a server: host and port, or several."""
REPLAYED: Final = "replayed from"
"""In the details of a model that was played back: the recording."""
THINKS: Final = "thinking"
"""In the details of a model whose server says that it can think: what it can be told about that."""
TOLD_NOTHING: Final = frozenset(("yardstick", "sklearn", "predictions"))
"""Backends to which instructions are nothing."""
NO_VERSION: Final = ", version unknown"
"""Ends the name of a server that tells no version."""
SHORT_DIGEST: Final = 12
"""Digits of a digest that people are shown."""
_UNTOLD: Final = "can think"
"""What stands under `THINKS` where the server does not list the values."""
_IDENTITY_FITS: Final = {
    **dict.fromkeys(("backend", "name", "digest", "server", "called"), is_text),
    "details": is_texts_by_name,
}


def thinks_text(values: Iterable[object]) -> str:
    """What stands under `THINKS` for the values that a server lists; none: it lists none."""
    listed = list(values)
    words = (think_word(value) for value in (False, True, *LEVELS) if value in listed)
    return ", ".join(words) or _UNTOLD


def bare_digest(digest: str) -> str:
    """A digest without its kind (``sha256:``)."""
    return digest.rpartition(":")[2]


def short_digest(digest: str) -> str:
    """A digest as people compare it: its first digits, without its kind."""
    return bare_digest(digest)[:SHORT_DIGEST]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelIdentity:
    """Who answers.

    Attributes:
        backend: ``ollama``, ``openai``, ``llamacpp``, ``replay`` or ``baseline``.
        name: The name that people use, such as ``llava:7b`` or ``micro-llava``.
        digest: Content digest of the model (weights, template, parameters); where a server
            does not tell one, the best that identifies it, said in `details`.
        server: Server and version, such as ``ollama 0.33.0``.
        details: Further facts for people (quantisation, family, address without secrets).
        called: The model as it was asked for, where backend and name do not say that.
    """

    backend: str
    name: str
    digest: str
    server: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    called: str = ""

    @property
    def spec(self) -> str:
        """What tests, reports and baselines call the model, such as ``ollama:llava:7b``."""
        return self.called or f"{self.backend}:{self.name}"

    @property
    def told(self) -> str:
        """Digest and server as people read them, such as ``digest 8dd30f6b0cb1, ollama 0.33.0``.

        What is not known is left out, so that it may be empty.
        """
        digest = f"digest {short_digest(self.digest)}" if self.digest else ""
        return ", ".join(part for part in (digest, self.server) if part)

    @property
    def weights(self) -> str:
        """Digest of the model without what it is told; empty where nobody tells one.

        A model that was derived from another one to hold the instructions has a `digest` that
        changes with them; this one stays.
        """
        if NAME_ONLY in self.details:
            return ""
        return self.details.get(BASE_DIGEST, "") if self.backend == "ollama" else self.digest

    @property
    def thinks(self) -> tuple[Think, ...] | None:
        """What the model can be told about thinking; empty where that is not told.

        ``None`` where its server does not say that it can think at all.
        """
        told = self.details.get(THINKS)
        if told is None:
            return None
        known = {think_word(value): value for value in (False, True, *LEVELS)}
        return tuple(known[word] for word in told.split(", ") if word in known)

    @property
    def server_version(self) -> str:
        """Server and version; one that tells no version is said to have an unknown one."""
        told = " " in self.server and self.backend != "openai"
        return self.server if told or not self.server else f"{self.server}{NO_VERSION}"

    def to_json(self) -> dict[str, Any]:
        """As JSON built-ins."""
        return {
            "backend": self.backend,
            "name": self.name,
            "digest": self.digest,
            "server": self.server,
            "details": dict(self.details),
            **({"called": self.called} if self.called else {}),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ModelIdentity:
        """Rebuild from `to_json`.

        Raises:
            TypeError: A field is missing, or there is one that identities do not have.
            ValueError: A field holds what it cannot hold.
        """
        require(data, _IDENTITY_FITS)
        return cls(**data)


def shown_images(examples: Iterable[ExampleImage]) -> dict[str, Any]:
    """What a request's summary says of example images; nothing where there are none."""
    said = [example.said() for example in examples]
    return {"example_images": said} if said else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One question about one image.

    Attributes:
        system: System text, or ``None``.
        examples: Earlier turns from the Modelfile's MESSAGE lines, as (role, text).
        example_images: Images that are shown with their labels, as turns between those and the
            question, each with the same text as the question.
        prompt: The user's text.
        image: Bytes of the image as sent (already upright, RGB, of bounded size).
        media_type: MIME type of `image`.
        known_sha256: Hex sha256 of `image` where it is known beforehand, or empty.
        options: Sampling options under Ollama's names (``temperature``, ``seed``,
            ``num_predict``, ``num_ctx``, ``stop``, ...).
        answer_schema: JSON schema that the answer must obey, or ``None`` for free text.
        top_logprobs: How many alternatives a token to ask for; 0 asks for none.
        repeat: 0 for the first asking of the same question, 1 for the second, ...
        think: Whether the model is to think before it answers. ``None``: not, where the server can
            say so, which is what `told_think` and the backends make of it.
        case: `Case.id` of the image, for backends that look an answer up instead of asking; it is
            not sent and in no digest.
    """

    system: str | None
    examples: tuple[tuple[str, str], ...] = ()
    example_images: tuple[ExampleImage, ...] = ()
    prompt: str
    image: bytes
    media_type: str
    options: Mapping[str, Any] = field(default_factory=dict)
    answer_schema: Mapping[str, Any] | None = None
    top_logprobs: int = 0
    repeat: int = 0
    known_sha256: str = ""
    think: Think | None = None
    case: str = ""

    def image_sha256(self) -> str:
        """Hex sha256 of the image as sent."""
        return self.known_sha256 or hashlib.sha256(self.image).hexdigest()

    def told_think(self, identity: ModelIdentity) -> Think | None:
        """What is said about thinking to whoever answers; ``None``: nothing.

        To a model that cannot think by what its server says, "do not" needs no saying. One that
        can is told not to unless something else is wished, or else to think as little as it can.
        Where a server does not say what its model can, nothing is said unless it is wished.
        """
        if identity.thinks is not None:
            return least(identity.thinks) if self.think is None else self.think
        if identity.backend == "ollama":
            return self.think or None
        return self.think

    def summary(self) -> dict[str, Any]:
        """What is asked, as JSON built-ins, the image as the sha256 of its bytes."""
        return {
            "system": self.system,
            "examples": [list(example) for example in self.examples],
            "prompt": self.prompt,
            "image": self.image_sha256(),
            "media_type": self.media_type,
            "options": dict(self.options),
            "answer_schema": None if self.answer_schema is None else dict(self.answer_schema),
            "top_logprobs": self.top_logprobs,
            "repeat": self.repeat,
            "think": self.think,
            # Left out where there are none, as in answers of earlier versions, which stay known.
            **shown_images(self.example_images),
        }

    def digest(self, identity: ModelIdentity) -> str:
        """Hex sha256 over canonical JSON of everything sent and of who answers.

        Left out on purpose: `ModelIdentity.details` (prose for people), addresses and time-outs
        (they do not change an answer). What is said about thinking is there only where something
        is said, so that answers of earlier versions, which said nothing, stay known.
        """
        told = self.told_think(identity)
        content = {
            "format": DIGEST_FORMAT,
            **self.summary(),
            "backend": identity.backend,
            "model": identity.digest,
            "server": identity.server,
        }
        if told is None:
            del content["think"]
        else:
            content["think"] = told
        canonical = json.dumps(
            content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
        return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def is_told(model: str) -> bool:
    """Whether a model, by its name in reports, is told anything: no classifier is, and no file."""
    return model.partition(":")[0] not in TOLD_NOTHING
