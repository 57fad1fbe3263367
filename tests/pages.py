"""Pages for tests of what a page holds and of how it behaves in a browser."""

from __future__ import annotations

import hashlib
import io
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageDraw

from pytest_llmclf.analysis.comparison.paired_comparison import compare_predictions
from pytest_llmclf.analysis.comparison.prediction import prediction
from pytest_llmclf.gates.gate import Gate
from pytest_llmclf.metrics import report_build as report
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.prompting.labels import Label
from pytest_llmclf.prompting.prompt import Instructions
from pytest_llmclf.reporting.html.page import page_of
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.outcome import Outcome, TaskName
from pytest_llmclf.values.provenance import Difference, ProvenanceChange
from pytest_llmclf.values.request import ModelIdentity
from pytest_llmclf.values.verdict import Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.reporting.html.page import Page

LABELS = ("cat", "cow", "dog")
COLORS = {"cat": (40, 90, 160), "cow": (190, 110, 40), "dog": (60, 140, 90)}
STYLES = ("drawing", "photo")

HOSTILE = (
    "<script>window.__pwned = 1</script>",
    "</script><img src=x onerror='window.__pwned = 2'>",
    "<!--<script>",
    "--><svg/onload=window.__pwned=3>",
    "\"'` onmouseover=window.__pwned=4 x='",
    "javascript:window.__pwned=5",
    "{{script}} ${window.__pwned=6} &lt;b&gt; &amp;",
    "null\0byte \x1b[31mred \x07",
    "right \N{RIGHT-TO-LEFT OVERRIDE}to left\N{POP DIRECTIONAL ISOLATE}",
    "half \ud83d surrogate \udc00",
    "line\u2028para\u2029end\r\n\ttab",
    "__proto__",
    "]]>",
    "",
    "   ",
)
"""Texts that a model, a file name or a label may hold."""


def png(color: tuple[int, int, int] = (90, 90, 90), size: tuple[int, int] = (120, 90)) -> bytes:
    """An image with a box on it."""
    image = Image.new("RGB", size, (240, 240, 240))
    draw = ImageDraw.Draw(image)
    draw.rectangle((size[0] // 4, size[1] // 4, size[0] // 2, size[1] // 2), fill=color)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def images(folder: Path, count: int) -> dict[str, tuple[Path, str]]:
    """So many images, by case: the file and its SHA-256."""
    found = {}
    for place in range(count):
        label = LABELS[place % 3]
        data = png(COLORS[label], (120 + place % 7, 90 + place // 7))
        path = folder / f"{place:03}-{label}.png"
        path.write_bytes(data)
        found[f"{label}/{path.name}"] = (path, hashlib.sha256(data).hexdigest())
    return found


def outcome(case: str, expected: str, said: str | None, **more: Any) -> Outcome:
    """What a model said to an image; ``None``: nothing that is a label."""
    given: dict[str, Any] = {
        "evaluation": "pets",
        "model": "ollama:llava:7b",
        "model_digest": "sha256:12",
        "case": case,
        "sha256": "",
        "expected": expected,
        "kind": "unparsed" if said is None else "correct" if said == expected else "misclassified",
        "predicted": said,
        "reason": "refusal" if said is None else None,
        "answer": Answer(text="I cannot tell." if said is None else said, wall_s=0.2, server_s=0.1),
        "request_digest": "ab" * 32,
        "attempts": 1,
    }
    return Outcome(**{**given, **more})


def built(outcomes: list[Outcome], **more: Any) -> Report:
    """A report on three animals."""
    given: dict[str, Any] = {
        "evaluation": "pets",
        "model": outcomes[0].model if outcomes else "ollama:llava:7b",
        "dataset": DatasetFacts(name="pets", content_hash="cd" * 32, labels=LABELS),
        "outcomes": outcomes,
        "identity": ModelIdentity(
            backend="ollama", name="llava:7b", digest="sha256:12", server="ollama 0.33.0"
        ),
        "duration_s": 12.5,
    }
    return report.build(**{**given, **more})


def answers(files: dict[str, tuple[Path, str]], seed: int, **more: Any) -> list[Outcome]:
    """A model's answers to all images: mostly right, some wrong, some without a label."""
    chance = random.Random(seed)  # noqa: S311 - made-up answers, nothing secret
    found = []
    for place, (case, (_, sha256)) in enumerate(files.items()):
        expected = case.partition("/")[0]
        sure = round(0.5 + 0.5 * chance.random(), 4)
        said: str | None = expected if chance.random() < 0.7 else chance.choice(LABELS)
        if place % 11 == 10:
            said = None
        rest = round((1 - sure) / 2, 5)
        given = {
            "sha256": sha256,
            "tags": {"style": STYLES[place % 2]},
            "probabilities": None
            if said is None
            else {label: sure if label == said else rest for label in LABELS},
            "label_mass": None if said is None else 0.9,
            "answer": Answer(
                text="I cannot tell." if said is None else f"It is a {said}.",
                wall_s=0.1 + chance.random(),
                server_s=0.1,
            ),
        }
        found.append(outcome(case, expected, said, **{**given, **more}))
    return found


def demo(folder: Path, count: int = 60) -> Page:
    """Two models, a committed baseline, repeats, a stopped run, a slice and broken images."""
    files = images(folder, count)
    first = answers(files, 1)
    error = {"kind": "error", "predicted": None, "reason": "timeout", "answer": None}
    first[4] = outcome(
        first[4].case, first[4].expected, "", **error, message="no answer within 300 s"
    )
    second = answers(files, 2, model="ollama:llava:13b")
    second += answers(files, 3, model="ollama:llava:13b", repeat=1)
    digits = [
        outcome(one.case, one.expected, None, evaluation="early", sha256=one.sha256,
                kind="not_needed", reason=None, answer=None)
        if place > 20 else outcome(one.case, one.expected, one.expected, evaluation="early",
                                   sha256=one.sha256)
        for place, one in enumerate(first)
    ]  # fmt: skip
    reports = [
        built(first, instructions='Answer with one word, such as "cat".'),
        built(second),
        built(digits, evaluation="early", order=[one.case for one in first], stop_error=0.05),
    ]
    old = {one.case: prediction(one) for one in answers(files, 5)}
    now = {one.case: prediction(one) for one in reports[0].outcomes}
    # One file is gone, another one was changed since.
    known = {case: path for case, (path, _) in files.items()}
    gone, changed, *_ = known
    known[gone].unlink()
    known[changed].write_bytes(png((1, 2, 3)))
    return page_of(
        reports,
        [
            Verdict(
                word="FAIL",
                text="accuracy >= 0.9: 0.7627 (45/59)",
                evaluation="pets",
                model="ollama:llava:7b",
            ),
            Verdict(
                word="PASS",
                text="accuracy >= 0.5: 0.8 (48/60)",
                evaluation="pets",
                model="ollama:llava:13b",
            ),
        ],
        title="Pets",
        baselines={TaskName("pets", "ollama:llava:7b"): compare_predictions(old, now)},
        gates={"early": [Gate("accuracy >= 0.75")]},
        settings={"seed": 20, "strict": False, "models": ["ollama:llava:7b"]},
        environment={"python": "3.13.1"},
        images=lambda _, case: known.get(case),
    )


def hostile() -> Page:
    """A page where everything that comes from outside is hostile."""
    labels = tuple(dict.fromkeys(HOSTILE))
    outcomes = [
        Outcome(
            evaluation="<i>pets</i>",
            model="<script>window.__pwned = 'model'</script>",
            model_digest="<b>",
            case=f"{text}/{place}.png",
            sha256="<x>",
            expected=text,
            kind="correct" if place % 2 else "misclassified",
            predicted=text if place % 2 else labels[(place + 1) % len(labels)],
            answer=Answer(text=text * 3),
            tags={text: HOSTILE[-place], "__proto__": text, "style": text},
            request_digest=text,
            attempts=1,
        )
        for place, text in enumerate(labels)
    ]
    large = ("<script>window.__pwned = 'large'</script>" * 25_000)[:1_000_000]
    outcomes += [
        Outcome(
            evaluation="<i>pets</i>",
            model="<script>window.__pwned = 'model'</script>",
            model_digest="",
            case=f"x{place}",
            sha256="",
            expected=labels[0],
            kind="unparsed",
            reason=text or "refusal",
            answer=Answer(text=large),
        )
        for place, text in enumerate(HOSTILE)
    ]
    found = report.build(
        evaluation="<i>pets</i>",
        model="<script>window.__pwned = 'model'</script>",
        dataset=DatasetFacts(name=HOSTILE[1], content_hash=HOSTILE[0], labels=labels),
        outcomes=outcomes,
        identity=ModelIdentity(
            backend="x", name=HOSTILE[4], digest=HOSTILE[2], server=HOSTILE[1],
            details=dict(zip(HOSTILE, reversed(HOSTILE), strict=True)),
        ),
        notes=HOSTILE,
        instructions="\n".join(HOSTILE),
        full_instructions=Instructions(
            system="\n".join(HOSTILE), turns=tuple(zip(HOSTILE, HOSTILE, strict=True)),
            question=HOSTILE[0], labels=tuple(map(Label, labels)), prompt="\n".join(HOSTILE),
            options=dict.fromkeys(HOSTILE, HOSTILE[0]), reader=HOSTILE[1],
        ),
    )  # fmt: skip
    other = replace(
        found,
        model=HOSTILE[1],
        outcomes=tuple(replace(one, model=HOSTILE[1]) for one in found.outcomes),
    )
    changed = {one.case: prediction(one) for one in outcomes}
    first = outcomes[0].case
    changed[first] = prediction(
        outcome(first, labels[0], labels[0], evaluation="<i>pets</i>", model=found.model)
    )
    return page_of(
        [found, other],
        [
            Verdict(word="FAIL", text=text, evaluation=found.evaluation, model=found.model)
            for text in HOSTILE
        ],
        title=HOSTILE[1],
        baselines={
            found.task: replace(
                compare_predictions(changed, {one.case: prediction(one) for one in outcomes}),
                notes=HOSTILE,
                provenance=ProvenanceChange(
                    differing=(
                        Difference(what=HOSTILE[0], before="a", now=HOSTILE[1], diff=HOSTILE),
                    ),
                    same=HOSTILE,
                ),
            )
        },
        settings=dict(zip(HOSTILE, HOSTILE, strict=True)),
        environment={HOSTILE[0]: list(HOSTILE)},
    )
