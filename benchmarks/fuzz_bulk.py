"""A great many damaged inputs to everything that reads what others wrote, each within a second.

    python -m benchmarks.fuzz_bulk --count 1000000 --seed 1 [--only answers,stores]

An input is a sound one with a few random changes: bits, cuts, repeated and foreign pieces, now and
then a piece repeated to 64 KB. Each must be read, or refused by the kind of error that its reader
documents, in a second of this thread's time (of the processor, so that a busy machine does not
count). The first one that is neither is printed as Python writes it and ends the run with 1. The
same seed and count make the same inputs.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from benchmarks.stub_ollama import answers as stub_answers
from pytest_llmclf import errors
from pytest_llmclf.data.image import check
from pytest_llmclf.data.manifest import manifest_entries
from pytest_llmclf.gates import expression as gates
from pytest_llmclf.models.http import http_errors, payload
from pytest_llmclf.models.http.address import parse_address, parse_addresses
from pytest_llmclf.models.ollama import ollama_errors
from pytest_llmclf.models.recording_file import RECORDING_FORMAT, read_recording
from pytest_llmclf.models.spec import parse_spec
from pytest_llmclf.prompting.labels import LabelSet
from pytest_llmclf.prompting.modelfile import parse
from pytest_llmclf.prompting.readers import read_label
from pytest_llmclf.runner.answer_cache import AnswerStore
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.request import ModelIdentity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BOUND_S = 1.0
"""Most time of the processor that one input may take."""
_LONGEST = 64 * 1024
_FOREIGN = (
    b"\x00", b"\xff", b"\xff\xfe", b"\xed\xa0\x80", b'"', b"'", b"\\", b"\\u0000", b"\\ud800", b"{",
    b"}", b"[", b"]", b",", b":", b"\n", b"\r\n", b" ", b"null", b"NaN", b"-Infinity", b"1e999",
    b"9" * 30, b"-1", b"true", b"\xe2\x80\xa8", b"\xe2\x80\xae", b"::error", b"\x1b[31m", b"%25",
    b"FROM ", b"PARAMETER ", b'"""', b">=", b"path,label", b"sha256", b"model", b"error",
)  # fmt: skip
_ADDRESS = parse_address("127.0.0.1:11434")
_GATES = tuple(
    f"{metric}{pad}{where}{pad}{sign}{pad}{bound}".encode()
    for metric in (
        "accuracy", "macro_f1", "recall[cat]", "recall[*]", 'precision["a long, odd class"]',
        "accuracy@coverage0.8", "unparsed_rate",
    )
    for where in ("", "{size=big}", '{size=big, "light, odd"="x=y"}')
    for sign in (">=", "<=")
    for bound in ("0.8", "0.5, recall[dog] >= 0.6", "0.75 with 95% confidence")
    for pad in ("", " ", "\t" * 12)
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
    """

    name: str
    corpus: tuple[bytes, ...]
    read: Callable[[bytes], object]
    share: int
    refuses: tuple[type[Exception], ...] = (errors.LlmclfError,)


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


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _error_text(data: bytes) -> None:
    body: Any = _text(data)
    with contextlib.suppress(ValueError):
        body = payload.parse_json(data)
    for status in (200, 400, 404, 500, 503):
        ollama_errors.from_status(status, body, address=_ADDRESS, model="llava")
        http_errors.from_status(status, body, where="x", model="m", rules=http_errors.RULES)


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
        store.sent_picture("s")
    else:
        connection.execute("INSERT OR REPLACE INTO models VALUES ('w', ?, 0)", (value,))
        store.remembered("w")


def _pictures() -> tuple[bytes, ...]:
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
    model = {"type": "model", "key": "k", "identity": _IDENTITY.to_json()}
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
        Target(name="gates", share=3, read=lambda data: gates.parse(_text(data)), corpus=_GATES),
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
        Target(name="images", corpus=_pictures(), read=check, share=2),
    )  # fmt: skip


def tried(target: Target, rng: random.Random) -> tuple[bool, float]:
    """Whether one input was read, and the seconds that it took.

    Raises:
        SystemExit: It was neither read nor refused, or took too long.
    """
    data = changed(rng, target.corpus)
    began = time.thread_time()
    try:
        target.read(data)
    except target.refuses:
        read = False
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the finding
        sys.exit(f"{target.name}: {type(error).__name__}: {error}\n{data[:2000]!r}")
    else:
        read = True
    spent = time.thread_time() - began
    if spent > BOUND_S:
        sys.exit(f"{target.name}: {spent:.1f} s for {len(data)} bytes\n{data[:2000]!r}")
    return read, spent


def main() -> None:
    """Try them all; print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=100_000, help="inputs (%(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="targets, separated by commas")
    options = parser.parse_args()
    wanted = {name for name in options.only.split(",") if name}
    began = time.monotonic()
    print("| what is read | inputs | read | refused | slowest |\n|---|---|---|---|---|")
    total = 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        chosen = [one for one in targets(Path(folder)) if not wanted or one.name in wanted]
        shares = sum(target.share for target in chosen)
        for target in chosen:
            rng = random.Random(f"{options.seed} {target.name}")  # noqa: S311 - no secrets
            count = -(-options.count * target.share // shares)
            good, slowest = 0, 0.0
            for _ in range(count):
                read, spent = tried(target, rng)
                good += read
                slowest = max(slowest, spent)
            total += count
            print(
                f"| {target.name} | {count} | {good} | {count - good} | {slowest * 1000:.0f} ms |",
                flush=True,
            )
    print(f"{total} inputs, seed {options.seed}, {time.monotonic() - began:.0f} s, 0 failures")


if __name__ == "__main__":
    main()
