"""Everything that reads what others wrote, with sound inputs to it and ways to change them."""

from __future__ import annotations

import base64
import contextlib
import html
import io
import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from PIL import Image

from benchmarks.stub_ollama import answers as stub_answers
from pytest_llmclf import errors
from pytest_llmclf.data.image import check
from pytest_llmclf.data.manifest import manifest_entries
from pytest_llmclf.gates import expression as gates
from pytest_llmclf.metrics.metric_table import METRICS
from pytest_llmclf.models.http import http_errors, payload
from pytest_llmclf.models.http.address import parse_address, parse_addresses
from pytest_llmclf.models.http.redact import Redactor
from pytest_llmclf.models.ollama import ollama_errors
from pytest_llmclf.models.recording_file import RECORDING_FORMAT, TELLS_ERRORS, read_recording
from pytest_llmclf.models.spec import parse_spec
from pytest_llmclf.prompting.labels import LabelSet
from pytest_llmclf.prompting.modelfile import parse
from pytest_llmclf.prompting.readers import read_label
from pytest_llmclf.runner.answer_cache import AnswerStore
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.request import ModelIdentity

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence
    from pathlib import Path

_LONGEST = 64 * 1024
_FOREIGN = (
    b"\x00", b"\xff", b"\xff\xfe", b"\xed\xa0\x80", b'"', b"'", b"\\", b"\\u0000", b"\\ud800", b"{",
    b"}", b"[", b"]", b",", b":", b"\n", b"\r\n", b" ", b"null", b"NaN", b"-Infinity", b"1e999",
    b"9" * 30, b"-1", b"true", b"\xe2\x80\xa8", b"\xe2\x80\xae", b"::error", b"\x1b[31m", b"%25",
    b"FROM ", b"PARAMETER ", b'"""', b">=", b"path,label", b"sha256", b"model", b"error",
)  # fmt: skip
_ADDRESS = parse_address("127.0.0.1:11434")
KEY = 'sk-Qx7/s+cret&k"y=9Z'
_REDACTOR = Redactor([KEY])
_CODINGS: tuple[Callable[[str], str], ...] = (
    lambda text: base64.b64encode(text.encode()).decode(),
    lambda text: base64.b32encode(text.encode()).decode(),
    json.dumps, html.escape, quote, lambda text: text.encode("utf-7").decode(),
    lambda text: text.encode().hex(), lambda text: "".join(f"\\{ord(c):x} " for c in text),
    lambda text: str(list(text.encode())), lambda text: text.encode("unicode_escape").decode(),
)  # fmt: skip
_LABELS = LabelSet.of(("cat", "dog", "caterpillar", "1", "10"))
_IDENTITY = ModelIdentity(backend="ollama", name="llava", digest="abc", server="ollama 1")
_ANSWER = Answer(text="It is a cat.", prompt_tokens=5, wall_s=0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Something that reads what others wrote.

    Attributes:
        name: What it reads.
        corpus: Sound inputs.
        read: Reads one; raises what it documents where it is not sound.
        share: How often it is tried, among all.
        refuses: What it documents.
        make: Makes an input by itself, where changes of bytes would leave little that is read.
    """

    name: str
    read: Callable[[bytes], object]
    share: int
    corpus: tuple[bytes, ...] = ()
    refuses: tuple[type[Exception], ...] = (errors.LlmclfError,)
    make: Callable[[random.Random], bytes] | None = None

    def one(self, rng: random.Random) -> bytes:
        """An input: made as the target says, or a sound one of the corpus with a few changes."""
        return changed(rng, self.corpus) if self.make is None else self.make(rng)


def changed(rng: random.Random, corpus: Sequence[bytes]) -> bytes:
    """One of the inputs with a few changes."""
    data = bytearray(rng.choice(corpus))
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.choice((1, 2, 4, 16)))
        match rng.randrange(6):
            case 0 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                del data[at:end]
            case 2:
                data[at:at] = rng.choice(_FOREIGN)
            case 3:
                data[at:end] = rng.choice(_FOREIGN)
            case 4:
                data[at:at] = rng.choice(corpus)[: rng.randrange(64)]
            case _:
                times = rng.choice((2, 3, 9)) if rng.random() < 0.998 else _LONGEST  # noqa: PLR2004
                data[at:at] = (bytes(data[at:end]) * times)[:_LONGEST]
    return bytes(data)


def gate(rng: random.Random) -> bytes:
    """A gate, sound but for one in ten: up to nine thresholds, odd names, a long row of blanks."""
    rows = [" " * rng.choice((30, 900, 5000)), *("" for _ in range(rng.randrange(40)))]
    sure = rng.random() < 0.2  # noqa: PLR2004
    metrics = [name for name, metric in METRICS.items() if metric.bound or not sure]

    def blanks() -> str:
        return rng.choice(("", " ", "\t", "\n ")) + (rows.pop() if rows else "")

    def word() -> str:
        text = "".join(rng.choices("abcXYZ019 _-é€=,:@", k=rng.choice((1, 3, 12))))
        return json.dumps(text + rng.choice(("", '"', "\\", "{", "]", "\u2028")) + "x")

    def threshold() -> str:
        metric = rng.choice(metrics)
        label = ""
        if METRICS[metric].by_class:
            label = f"[{blanks()}{rng.choice(('*', 'cat', '7 x', word()))}{blanks()}]"
        elif metric == "accuracy" and rng.random() < 0.2:  # noqa: PLR2004
            label = f"@{blanks()}coverage0.{rng.randrange(1, 10)}"
        tags = [f"t{n}{rng.choice('xé-')}" for n in range(rng.choice((0, 0, 1, 2, 20)))]
        pairs = [f"{tag}{blanks()}={blanks()}{rng.choice(('v w', word()))}" for tag in tags]
        where = f"{blanks()}{{{','.join(pairs)}}}" if tags else ""
        bound = rng.choice((round(rng.uniform(0.1, 0.9), rng.randrange(1, 17)), "5e-1", "00.5"))
        sign = rng.choice((">=", "<=", ">", "<"))
        return f"{blanks()}{metric}{blanks()}{label}{where}{blanks()}{sign}{blanks()}{bound}"

    text = ",".join(threshold() for _ in range(rng.choice((1, 1, 2, 3, 9))))
    if sure:
        text += f" with {blanks()}9{rng.randrange(10)}% {blanks()}confidence"
    data = text.encode()
    return changed(rng, (data,)) if rng.random() < 0.1 else data  # noqa: PLR2004


def coded(rng: random.Random) -> bytes:
    """A text with a key in it, coded in up to four ways one after the other."""
    text = rng.choice(("", "key ", "Bearer ")) + KEY + rng.choice(("", " is wrong", '"}'))
    for _ in range(rng.randrange(4)):
        text = rng.choice(_CODINGS)(text)
    noise = "".join(rng.choices("aZ9+/\\%&;u-= ", k=rng.choice((0, 3, 40, 4000))))
    text = f"{noise} {text} {noise}"
    return changed(rng, (text.encode(),)) if rng.random() < 0.3 else text.encode()  # noqa: PLR2004


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _error_text(data: bytes) -> None:
    body: Any = _text(data)
    with contextlib.suppress(ValueError):
        body = payload.parse_json(data)
    for status in (200, 400, 404, 500, 503):
        ollama_errors.from_status(status, body, address=_ADDRESS, model="llava")
        http_errors.from_status(status, body, where="x", model="m", rules=http_errors.RULES)


def _redacted(data: bytes) -> None:
    found = _REDACTOR.text(_text(data))
    if KEY in found:
        raise AssertionError("the key is still there")


def _answer(data: bytes) -> None:
    Answer.from_json(json.loads(data))


def _label(data: bytes) -> None:
    read_label(_text(data), _LABELS)


def _in_file(path: Path, read: Callable[[Path], object], data: bytes) -> None:
    path.write_bytes(data)
    read(path)


def _manifest(path: Path) -> None:
    list(manifest_entries(path, []))


def _row(store: AnswerStore, column: str, data: bytes) -> None:
    """A row of the store with a value that nobody wrote."""
    value: object = data if data[:1] < b"@" else _text(data).encode("utf-8", "replace").decode()
    connection = store._connection  # noqa: SLF001 - what no caller would write
    if column == "answer":
        connection.execute("INSERT OR REPLACE INTO answers VALUES ('d', 'm', 0, ?)", (value,))
        store.get("d")
        store.put("d", _IDENTITY, _ANSWER)
        if store.get("d") is None:
            raise AssertionError("a row that cannot be read was not replaced")
    elif column == "sent":
        connection.execute(
            "INSERT OR REPLACE INTO pictures VALUES ('s', ?, 'image/png', 0)", (value,)
        )
        store.sent_image("s")
    else:
        connection.execute("INSERT OR REPLACE INTO models VALUES ('w', ?, 0)", (value,))
        store.remembered("w")


def _images() -> tuple[bytes, ...]:
    made = []
    for kind in ("PNG", "JPEG", "GIF", "BMP", "WebP"):
        buffer = io.BytesIO()
        Image.new("RGB", (9, 7), (10, 200, 30)).save(buffer, kind)
        made.append(buffer.getvalue())
    return tuple(made)


def _dumped(*values: object) -> tuple[bytes, ...]:
    return tuple(json.dumps(value).encode() for value in values)


def targets(folder: Path) -> tuple[Target, ...]:
    """Everything that is tried; files lie in `folder`."""
    labels = ("cat", "dog")
    whole = stub_answers.ollama("llava", "cat", labels, 3, 1000)[False]
    spoilt = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
    store = AnswerStore(None)
    answer = _ANSWER.to_json()
    logprobs = {**answer, "logprobs": [{"token": "c", "logprob": -0.1, "top": [["c", -0.1]]}]}
    header = {"type": "header", "llmclf_recording": RECORDING_FORMAT}
    model = {"type": "model", "key": "k", "identity": _IDENTITY.to_json(), TELLS_ERRORS: True}
    line = {"type": "answer", "model": "k", "request": "d", "asked": {}, "answer": answer}
    recording = b"\n".join(_dumped(header, model, line)) + b"\n"
    here = _in_file
    return (
        Target(name="answers", corpus=_dumped(answer, logprobs), read=_answer, share=6,
               refuses=spoilt),
        Target(name="protocol", corpus=(whole, *_dumped(answer)), read=payload.parse_json, share=4,
               refuses=(ValueError,)),
        Target(name="labels", corpus=(b"It is a cat.", b"caterpillar", b'{"label": "10"}',
               b"The answer is: **dog**\n"), read=_label, share=6),
        Target(name="error texts", share=4, read=_error_text, corpus=(
            b'{"error": "model \'llava\' not found, try pulling it first"}',
            b'{"error": "{\\"error\\":{\\"code\\":400,\\"message\\":\\"exceed_context_size\\"}}"}',
            b"<html><h1>502 Bad Gateway</h1>", b"server busy, please try again.")),
        Target(name="modelfiles", share=4, read=lambda data: parse(_text(data), "m"), corpus=(
            b'FROM llava\nSYSTEM """Be brief."""\nPARAMETER temperature 0\n',
            b"FROM a\nMESSAGE user hi\nMESSAGE assistant 7\nPARAMETER stop x\n")),
        Target(name="gates", share=3, read=lambda data: gates.parse(_text(data)), make=gate),
        Target(name="texts with keys", share=4, read=_redacted, make=coded),
        Target(name="addresses", share=2, corpus=(b"http://[::1]:11434,gpu1", b"0.0.0.0"),
               read=lambda data: parse_addresses(_text(data))),
        Target(name="models", share=2, corpus=(b"openai:m@http://127.0.0.1:1/v1", b"ollama:a:7b"),
               read=lambda data: parse_spec(_text(data))),
        Target(name="manifests", share=2, read=partial(here, folder / "m.csv", _manifest), corpus=(
            b'path,label,sha256,size\na.png,cat,,big\n"b,c.png",dog,,\n',)),
        Target(name="manifests (JSON)", share=2, corpus=(
            b'{"path": "a.png", "label": "cat", "size": 3}\n{"path": "b.png", "label": "dog"}\n',),
            read=partial(here, folder / "m.jsonl", _manifest)),
        Target(name="recordings", share=2, corpus=(recording,),
               read=partial(here, folder / "r.jsonl", read_recording)),
        Target(name="stores: answers", corpus=_dumped(answer, logprobs), share=3,
               read=partial(_row, store, "answer")),
        Target(name="stores: images", corpus=(b"0" * 64,), share=2,
               read=partial(_row, store, "sent")),
        Target(name="stores: models", corpus=_dumped(_IDENTITY.to_json()), share=2,
               read=partial(_row, store, "models")),
        Target(name="images", corpus=_images(), read=check, share=2),
    )  # fmt: skip
