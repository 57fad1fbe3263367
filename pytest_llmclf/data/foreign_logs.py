"""Answers that other evaluation tools wrote: promptfoo, Inspect and lmms-eval.

- promptfoo: the JSON of ``promptfoo eval --output results.json``. An answer is ``response.output``,
  the label that is expected a variable (``label``, ``expected``, ...) or the value of an assertion
  that compares (``equals``, ``contains``, ...).
- Inspect: a ``.eval`` log, which is a zip archive with ``header.json`` and ``samples/*.json``, or
  the same as one ``.json`` (``inspect log dump``). An answer is the content of the first choice,
  the label ``target``; where the sample has choices, target and answer are their letters.
- lmms-eval, lm-eval: ``samples_*.jsonl`` of ``--log_samples``. An answer is the last of
  ``filtered_resps``, the label ``target``.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.data.foreign_table import read_table, text_of
from pytest_llmclf.data.json_lines import object_of, read_json
from pytest_llmclf.data.manifest_columns import EXPECTED_NAMES, PATH_NAMES, usual_columns
from pytest_llmclf.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

_COMPARING: Final = ("equals", "contains", "icontains", "starts-with", "contains-any")
_LONGEST: Final = 40
_MOST_BYTES: Final = 1 << 30
_ZIP: Final = b"PK\x03\x04"
_DAMAGED: Final = (
    ValueError, LookupError, TypeError, AttributeError, RecursionError, zipfile.BadZipFile
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignAnswer:
    """One answer of another program.

    Attributes:
        place: Where it stands in its file, for messages.
        case: What the image is called there.
        expected: The label, as written.
        text: What was answered.
        predicted: The label that was predicted, where the file says that apart from the text.
        probabilities: Of each label; ``None`` where the file does not say.
        model: Who answered; empty where the file does not say.
        variant: Which prompt; likewise.
        repeat: Which asking of the same image.
        error: Why there is no answer; empty where there is one.
        seconds: That it took; ``None`` where the file does not say.
        read: Tokens read; likewise.
        written: Tokens written; likewise.
        also: Further right labels.
    """

    place: str
    case: str
    expected: str
    text: str = ""
    predicted: str = ""
    probabilities: Mapping[str, float] | None = None
    model: str = ""
    variant: str = ""
    repeat: int = 0
    error: str = ""
    seconds: float | None = None
    read: int | None = None
    written: int | None = None
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignLog:
    """A file of another evaluation tool.

    Attributes:
        tool: Which one.
        answers: What it says, in order.
        task: What was evaluated; empty where the file does not say.
        labels: Those that it lists, by which a sign in one is known to part no two.
    """

    tool: str
    answers: tuple[ForeignAnswer, ...]
    task: str = ""
    labels: tuple[str, ...] = ()


def read_log(path: Path, data: bytes) -> ForeignLog | None:
    """Read a file of another evaluation tool; ``None`` where it is none that is known.

    Args:
        path: Where it lies, for messages.
        data: Its bytes.

    Raises:
        SettingsError: It is such a file, and damaged or without what is needed.
    """
    try:
        if data.startswith(_ZIP):
            return _inspect_log(*_unzipped(path))
        if path.suffix.lower() == ".jsonl":
            lines = (line for line in io.StringIO(text_of(path, data)) if line.strip())
            if not {"doc_id", "target"} <= set(object_of(next(lines, ""), "", []) or ()):
                return None
            rows = read_table(path, data).rows
            return ForeignLog(tool="lmms-eval", answers=tuple(map(_sample, rows)))
        if path.suffix.lower() != ".json":
            return None
        whole = read_json(text_of(path, data))
        if isinstance(whole, dict) and "eval" in whole and "samples" in whole:
            return _inspect_log(whole, whole["samples"] or ())
        if isinstance(whole, dict) and "results" in whole:
            return ForeignLog(tool="promptfoo", answers=tuple(_promptfoo(whole)))
    except NotImplementedError as error:
        raise SettingsError(
            f"{path} is compressed with Zstandard, which Python reads from 3.14 on: convert it by "
            f"`inspect log dump {path} > {path.stem}.json`, and name that file"
        ) from error
    except _DAMAGED as bad:
        what = f"{bad} is missing" if isinstance(bad, KeyError) else str(bad)
        raise SettingsError(
            f"{path} cannot be read as a log of promptfoo, Inspect or lmms-eval: {what}; write a "
            "table with the columns path, label and predicted instead"
        ) from bad
    raise SettingsError(
        f"{path} is JSON, and no log of promptfoo or Inspect: write a table with the columns path, "
        "label and predicted instead"
    )


def _unzipped(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    with zipfile.ZipFile(path) as log:
        members = [one for one in log.infolist() if one.filename.endswith(".json")]
        if sum(one.file_size for one in members) > _MOST_BYTES:
            raise SettingsError(f"{path} unpacks to more than {_MOST_BYTES:,} bytes: split it")
        samples = [one for one in members if one.filename.startswith("samples/")]
        head = "header.json" if "header.json" in log.namelist() else "_journal/start.json"
        return read_json(log.read(head)), [read_json(log.read(one)) for one in samples]


def _inspect_log(head: Mapping[str, Any], samples: Iterable[Mapping[str, Any]]) -> ForeignLog:
    samples = list(samples)
    choices = (str(choice) for sample in samples for choice in sample.get("choices") or ())
    return ForeignLog(
        tool="Inspect",
        answers=tuple(_inspect(head, samples)),
        task=str(head["eval"].get("task", "")),
        labels=tuple(dict.fromkeys(choices)),
    )


def _listed(value: object) -> list[str]:
    """The labels of a value that is one, or a list of several right ones."""
    values = value if isinstance(value, list) else [value]
    return [str(one) for one in values if one is not None]


def _inspect(
    head: Mapping[str, Any], samples: Iterable[Mapping[str, Any]]
) -> Iterator[ForeignAnswer]:
    model = str(head["eval"]["model"])
    for sample in samples:
        target, *also = _listed(sample["target"]) or [""]
        output = sample.get("output") or {}
        choices = output.get("choices") or []
        text = _content(choices[0]["message"]["content"]) if choices else ""
        usage = output.get("usage") or {}
        letters = dict(zip(ascii_uppercase, sample.get("choices") or (), strict=False))
        said = [score.get("answer") for score in (sample.get("scores") or {}).values()]
        letter = next((one for one in said if isinstance(one, str) and one in letters), "")
        error = sample.get("error")
        yield ForeignAnswer(
            place=f"sample {sample['id']}",
            case=_image_of(sample) or str(sample["id"]),
            expected=letters.get(target, target),
            also=tuple(letters.get(one, one) for one in also),
            text=text,
            predicted=letters.get(letter, ""),
            model=model,
            repeat=int(sample.get("epoch") or 1) - 1,
            error=str(error["message"] if isinstance(error, dict) else error or ""),
            seconds=output.get("time"),
            read=usage.get("input_tokens"),
            written=usage.get("output_tokens"),
        )


def _content(content: str | list[dict[str, Any]]) -> str:
    """The text of a message; thinking stands in parts of its own and is left out."""
    if isinstance(content, str):
        return content
    return "\n".join(str(part["text"]) for part in content if part.get("type") == "text")


def _image_of(sample: Mapping[str, Any]) -> str:
    """The path of a sample's image; empty where it has none, or holds its bytes."""
    messages = sample.get("input")
    parts = [
        part
        for message in (messages if isinstance(messages, list) else ())
        for part in (message["content"] if isinstance(message["content"], list) else ())
    ]
    images = [str(part["image"]) for part in parts if part.get("type") == "image"]
    # Bytes stand in the log itself, inline or as an attachment.
    return images[-1] if images and not images[-1].startswith(("data:", "attachment:")) else ""


def _promptfoo(whole: Mapping[str, Any]) -> Iterator[ForeignAnswer]:
    inner = whole["results"]
    rows = inner if isinstance(inner, list) else inner["results"]
    prompts = list(dict.fromkeys(str((row.get("prompt") or {}).get("label") or "") for row in rows))
    asked: dict[tuple[str, str, str], int] = {}
    for number, row in enumerate(rows, start=1):
        given = {**((row.get("testCase") or {}).get("vars") or {}), **(row.get("vars") or {})}
        provider = row.get("provider") or {}
        model = str(provider if isinstance(provider, str) else provider.get("id", ""))
        label = str((row.get("prompt") or {}).get("label") or "")
        response = row.get("response") or {}
        usage = response.get("tokenUsage") or {}
        case = _first(given, (*PATH_NAMES, "id")) or f"test {row.get('testIdx', number)}"
        variant = _variant(label, prompts)
        repeat = asked.get((case, model, variant), 0)
        asked[case, model, variant] = repeat + 1
        output = response.get("output")
        first, *also = _expected(given) or _asserted(row) or [""]
        yield ForeignAnswer(
            place=f"result {number}",
            case=case.removeprefix("file://"),
            expected=first,
            also=tuple(also),
            text=output if isinstance(output, str) else "" if output is None else _dumped(output),
            model=model,
            variant=variant,
            repeat=repeat,
            error=str(row.get("error") or "") if output is None else "",
            seconds=None if row.get("latencyMs") is None else row["latencyMs"] / 1000,
            read=usage.get("prompt"),
            written=usage.get("completion"),
        )


def _variant(label: str, prompts: list[str]) -> str:
    """A prompt's name, which is the whole prompt where nobody gave it another one."""
    if len(prompts) == 1:
        return ""
    words = " ".join(label.split()).replace("|", "/")
    short = words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…"
    return f"{prompts.index(label) + 1}: {short}"


def _dumped(output: object) -> str:
    """An answer in JSON as the text that readers take apart."""
    return json.dumps(output, ensure_ascii=False)


def _first(given: Mapping[str, Any], names: Sequence[str]) -> str:
    """The first value with a usual name that is a short text, not an image's bytes."""
    values = (given[name] for name in usual_columns(given, names))
    return next((str(one) for one in values if not str(one).startswith("data:")), "")


def _expected(given: Mapping[str, Any]) -> list[str]:
    """The right labels that a variable of a test names."""
    named = usual_columns(given, EXPECTED_NAMES)
    return next((_listed(given[name]) for name in named if given[name] not in ("", None, [])), [])


def _asserted(row: Mapping[str, Any]) -> list[str]:
    """The labels that an assertion of the test compares the output with."""
    for one in (row.get("testCase") or {}).get("assert") or ():
        if one.get("type") in _COMPARING:
            return _listed(one.get("value"))
    return []


def _sample(line: Mapping[str, Any]) -> ForeignAnswer:
    answers = line.get("filtered_resps") or line.get("resps") or [""]
    text = answers[-1]
    while isinstance(text, list):
        text = text[0] if text else ""
    doc = line.get("doc") or {}
    first, *also = _listed(line["target"]) or [""]
    case = _first(doc, (*PATH_NAMES, "image_id", "id")) if isinstance(doc, dict) else ""
    return ForeignAnswer(
        place=f"doc_id {line['doc_id']}",
        case=case or str(line["doc_id"]),
        expected=first,
        also=tuple(also),
        text=str(text),
    )
