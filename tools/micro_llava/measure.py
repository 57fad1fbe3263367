"""Ask the real llama-server about every fixture and write down how it did.

    python tools/micro_llava/measure.py

The questions are the ones that the evaluations ask: the system text of the Modelfile, the
question, the list of labels. Accuracy goes into model.json and MODEL_CARD.md.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw

import card
from config import DECODER, ROOT, TASKS, UNKNOWN
from export import MMPROJ_FILE, TEXT_FILE
from facts import Case, Findings, Row, Tally, tally
from server import Server, picture_bytes, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MODEL = ROOT / "pytest_llmclf" / "models" / "micro_llava"
MODELFILES = {"mnist": "mnist-digits", "chess": "chess-pieces", "animals": "animals"}
QUESTIONS = {
    "mnist": "Which digit is in this picture?",
    "chess": "Which chess piece is in this picture?",
    "animals": "Which animal is in this picture?",
}
TEXT_ENDING = "Answer with exactly one label from this list."
JSON_ENDING = 'Answer as JSON: {"label": "<one label from this list>"}'
FOREIGN = {
    "vehicle": ("car", "bus", "truck", "bicycle"),
    "instrument": ("piano", "violin", "flute", "drum"),
    "planet": ("mercury", "venus", "mars", "jupiter"),
}
ASKED_TOGETHER = 4
HOW = (
    "llama-server, one thread, four slots, greedy, on every picture of fixtures/, asked with the "
    "Modelfile's system text, the picture, the evaluation's question and the list of labels; "
    "correct: free text, the answer is exactly the label; correct_json: under a JSON schema"
)


def read_cases(task: str) -> list[Case]:
    """The fixtures of a task in the order of their manifest."""
    with (ROOT / "fixtures" / task / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [Case(task, r["path"], r["label"], r.get("style") or r.get("view") or "") for r in rows]


def system_text(task: str) -> str:
    """The SYSTEM text of the task's Modelfile."""
    text = (ROOT / "modelfiles" / f"{MODELFILES[task]}.Modelfile").read_text(encoding="utf-8")
    match = re.search(r'^SYSTEM\s+"""(.*?)"""', text, re.DOTALL | re.MULTILINE)
    if match is None:
        msg = f"no SYSTEM text in {MODELFILES[task]}.Modelfile"
        raise ValueError(msg)
    return match[1].strip()


def user_text(question: str, labels: Iterable[str], ending: str) -> str:
    """The question, the list, and how to answer."""
    return "\n".join((question, "", "Labels:", *(f"- {label}" for label in labels), "", ending))


def json_format(labels: Iterable[str]) -> dict[str, Any]:
    """The schema that the JSON mode sends."""
    schema = {
        "type": "object",
        "properties": {"label": {"type": "string", "enum": list(labels)}},
        "required": ["label"],
        "additionalProperties": False,
    }
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": True},
    }


def together(ask: Callable[[Any], str], items: list[Any]) -> tuple[list[str], float]:
    """Answers in order, asked several at a time, and the seconds it took."""
    started = time.monotonic()
    with ThreadPoolExecutor(ASKED_TOGETHER) as pool:
        answers = list(pool.map(ask, items))
    return answers, time.monotonic() - started


def load(case: Case) -> bytes:
    """A fixture as it is sent."""
    return picture_bytes(Image.open(ROOT / "fixtures" / case.task / case.path))


def ask_text(server: Server, case: Case) -> str:
    """The free answer, as it is."""
    user = user_text(QUESTIONS[case.task], TASKS[case.task], TEXT_ENDING)
    answer: str = server.ask(system_text(case.task), user, load(case))["message"]["content"]
    return answer.strip()


def ask_json(server: Server, case: Case) -> str:
    """The label out of an answer under a schema; nothing when the answer was cut short."""
    labels = TASKS[case.task]
    user = user_text(QUESTIONS[case.task], labels, JSON_ENDING)
    picture = load(case)
    choice = server.ask(system_text(case.task), user, picture, response_format=json_format(labels))
    try:
        answer: str = json.loads(choice["message"]["content"])["label"]
    except json.JSONDecodeError:
        return ""
    return answer


def ask_foreign(server: Server, case: Case, noun: str) -> str:
    """The answer when none of the labels is the model's."""
    user = user_text(f"Which {noun} is in this picture?", FOREIGN[noun], TEXT_ENDING)
    answer: str = server.ask(f"You sort pictures of {noun}s.", user, load(case))["message"][
        "content"
    ]
    return answer.strip()


def ask_other_task(server: Server, case: Case, task: str) -> str:
    """The answer when the picture is of another task."""
    user = user_text(QUESTIONS[task], TASKS[task], TEXT_ENDING)
    answer: str = server.ask(system_text(task), user, load(case))["message"]["content"]
    return answer.strip()


def empty_pictures() -> dict[str, list[bytes]]:
    """Blank, noisy and scribbled pictures, twenty each."""
    rng = np.random.default_rng(5)
    kinds: dict[str, list[bytes]] = {"plain colour": [], "noise": [], "scribble": []}
    for _ in range(20):
        red, green, blue = (int(value) for value in rng.integers(0, 256, 3))
        kinds["plain colour"].append(picture_bytes(Image.new("RGB", (64, 64), (red, green, blue))))
        noise = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        kinds["noise"].append(picture_bytes(Image.fromarray(noise)))
        image = Image.new("RGB", (64, 64), "white")
        line = [int(value) for value in rng.integers(0, 64, 28)]
        ImageDraw.Draw(image).line(line, fill="black", width=2)
        kinds["scribble"].append(picture_bytes(image))
    return kinds


def ask_picture(server: Server, picture: bytes, task: str) -> str:
    """The answer about bytes that are no fixture."""
    user = user_text(QUESTIONS[task], TASKS[task], TEXT_ENDING)
    answer: str = server.ask(system_text(task), user, picture)["message"]["content"]
    return answer.strip()


def off_task(server: Server, cases: dict[str, list[Case]]) -> dict[str, Tally]:
    """How often the answer is `unknown` where it should be."""
    some = [case for task in TASKS for case in cases[task][:: max(1, len(cases[task]) // 40)]]
    nouns = [(case, noun) for case in some for noun in FOREIGN]
    answers, _ = together(lambda item: ask_foreign(server, *item), nouns)
    found = {"labels of no task": Tally(answers.count(UNKNOWN), len(answers))}
    for task in TASKS:
        others = [(case, task) for case in some if case.task != task]
        answers, _ = together(lambda item: ask_other_task(server, *item), others)
        name = f"picture of another task, asked as {task}"
        found[name] = Tally(answers.count(UNKNOWN), len(answers))
    for kind, pictures in empty_pictures().items():
        for task in TASKS:
            asked = [(picture, task) for picture in pictures]
            answers, _ = together(lambda item: ask_picture(server, *item), asked)
            found[f"{kind}, asked as {task}"] = Tally(answers.count(UNKNOWN), len(answers))
    return found


def measure(folder: Path) -> Findings:
    """Ask everything and sum it up."""
    cases = {task: read_cases(task) for task in TASKS}
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch) / "server.log"
        with running(folder / TEXT_FILE, folder / MMPROJ_FILE, log) as server:
            together(lambda case: ask_text(server, case), cases["mnist"][:20])
            rows: list[Row] = []
            seconds = 0.0
            for task in TASKS:
                texts, took = together(lambda case: ask_text(server, case), cases[task])
                forced, _ = together(lambda case: ask_json(server, case), cases[task])
                seconds += took
                rows += map(Row, cases[task], texts, forced)
            unknown = off_task(server, cases)
    return Findings(rows=tuple(rows), unknown=unknown, per_second=len(rows) / seconds)


def accuracy_table(found: Findings) -> dict[str, Any]:
    """The accuracy part of model.json."""
    table: dict[str, Any] = {}
    for task in TASKS:
        mine = [row for row in found.rows if row.case.task == task]
        text, forced = tally(mine), tally(mine, forced=True)
        entry: dict[str, Any] = {
            "correct": text.correct,
            "total": text.total,
            "correct_json": forced.correct,
        }
        tags = Counter(row.case.tag for row in mine if row.case.tag)
        if tags:
            parts = {tag: tally(row for row in mine if row.case.tag == tag) for tag in sorted(tags)}
            entry["by_tag"] = {
                tag: {"correct": part.correct, "total": part.total} for tag, part in parts.items()
            }
        table[task] = entry
    return table


def sha256(path: Path) -> str:
    """A file's digest."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_facts(folder: Path, version: str, found: Findings) -> None:
    """model.json."""
    facts = {
        "name": "micro-llava",
        "version": version,
        "text": {"file": TEXT_FILE, "sha256": sha256(folder / TEXT_FILE)},
        "mmproj": {"file": MMPROJ_FILE, "sha256": sha256(folder / MMPROJ_FILE)},
        "context_length": DECODER.context,
        "labels": {task: list(labels) for task, labels in TASKS.items()},
        "accuracy": accuracy_table(found),
        "measured": HOW,
    }
    (folder / "model.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def main(folder: Path = MODEL) -> None:
    """Measure the files in a folder and write what came out."""
    version = (Path(__file__).parent / "VERSION").read_text().strip()
    found = measure(folder)
    write_facts(folder, version, found)
    (folder / "MODEL_CARD.md").write_text(card.render(found, folder, version), encoding="utf-8")
    for task, entry in accuracy_table(found).items():
        print(task, json.dumps(entry))
    for name, part in found.unknown.items():
        print(f"unknown, {name}: {part.correct} of {part.total}")
    print(f"{found.per_second:.0f} pictures a second, {ASKED_TOGETHER} asked at a time")


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:2]))
