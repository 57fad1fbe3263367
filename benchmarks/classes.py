"""What a report of many classes costs after the last answer: processor time and memory by stage.

    python -m benchmarks.classes                      100, 300 and 1,000 classes of 10 images
    python -m benchmarks.classes --classes 10 --images 50 --profile "70% right"

Every row is a process of its own, so that its peak of memory is its own. Processor time is that of
the process with all its threads (``time.process_time``), which a busy machine changes little; the
clock on the wall is not looked at. The models answer with known chances, seeded:

perfect         every answer is right
70% right       a wrong answer names any other label
one attractor   as before, but half of all images are called by the first label
guessing        any label, whatever is shown
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_llmclf.metrics import report, report_build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llmclf.metrics.report import Report

PROFILES: Final = ("perfect", "70% right", "one attractor", "guessing")
CLASSES: Final = (100, 300, 1000)
MOST_S: Final = 5.0
"""Seconds of processor time that everything after the last answer may take."""
MOST_MB: Final = 300
"""Megabytes that the process may ever have held."""
GATES: Final = ("accuracy >= 0.5 with 95% confidence", "macro_f1 >= 0.5 with 95% confidence",
                "recall[*] >= 0.1 with 95% confidence")  # fmt: skip
_RIGHT: Final = 0.7
_DRAWN: Final = 0.5


def said(profile: str, actual: int, classes: int, chance: random.Random) -> int:
    """The class that a model of this kind names."""
    other = (actual + 1 + chance.randrange(classes - 1)) % classes
    match profile:
        case "perfect":
            return actual
        case "70% right":
            return actual if chance.random() < _RIGHT else other
        case "one attractor":
            if chance.random() < _DRAWN:
                return 0
            return actual if chance.random() < _RIGHT else other
        case _:
            return chance.randrange(classes)


def answers(profile: str, classes: int, images: int, folder: Path | None) -> Report:
    """A report of so many classes and so many images of each, with a tag of ten values."""
    chance = random.Random(f"{profile} {classes} {images}")  # noqa: S311 - a seeded simulation
    labels = tuple(f"kind of thing {place:04d}" for place in range(classes))
    outcomes = []
    for actual, expected in enumerate(labels):
        for place in range(images):
            predicted = labels[said(profile, actual, classes, chance)]
            case = f"{expected}/{place:04d}.png"
            sha256 = hashlib.sha256(case.encode()).hexdigest()
            if folder is not None:
                data = _image(actual * images + place)
                sha256 = hashlib.sha256(data).hexdigest()
                (folder / f"{sha256}.png").write_bytes(data)
            outcomes.append(
                Outcome(
                    evaluation="things",
                    model="ollama:llava:7b",
                    model_digest="sha256:0",
                    case=case,
                    sha256=sha256,
                    expected=expected,
                    kind="correct" if predicted == expected else "misclassified",
                    predicted=predicted,
                    answer=Answer(text=predicted, wall_s=0.1, server_s=0.1),
                    tags={"style": f"style {chance.randrange(10)}"},
                    request_digest=hashlib.sha256(f"request {case}".encode()).hexdigest(),
                    attempts=1,
                )
            )
    facts = DatasetFacts(name="things", content_hash="", labels=labels)
    return report_build.build(
        evaluation="things", model="ollama:llava:7b", dataset=facts, outcomes=outcomes
    )


def _image(number: int) -> bytes:
    """A small PNG like no other."""
    from PIL import Image

    image = Image.new("L", (28, 28), 255)
    for place, digit in enumerate(f"{number:016b}"):
        image.putpixel((place, 7), 255 * (digit == "0"))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def stages(profile: str, classes: int, images: int) -> dict[str, float]:
    """Seconds of processor time by stage, in the order of a run, and the sizes that they leave."""
    from pytest_llmclf.analysis.diagnosis.diagnose import diagnose
    from pytest_llmclf.gates.gate import Gate
    from pytest_llmclf.gates.judging import judge
    from pytest_llmclf.reporting import terminal
    from pytest_llmclf.reporting.artifacts import report_json, report_text, write_run
    from pytest_llmclf.reporting.html.document import write_page
    from pytest_llmclf.reporting.html.page import page_of
    from pytest_llmclf.reporting.markdown import markdown_summary
    from pytest_llmclf.reporting.matrix_svg import confusion_svg
    from pytest_llmclf.reporting.style import Style

    found: dict[str, float] = {}

    def timed(name: str, work: Callable[[], object]) -> object:
        begun = time.process_time()
        made = work()
        found[name] = time.process_time() - begun
        return made

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = folder / "images"
        files.mkdir()
        made = answers(profile, classes, images, files)
        outcomes = made.outcomes
        by_case = {one.case: files / f"{one.sha256}.png" for one in outcomes}

        def build() -> Report:
            return report_build.build(
                evaluation=made.evaluation,
                model=made.model,
                dataset=made.dataset,
                outcomes=outcomes,
            )

        judged = timed("report", build)
        assert isinstance(judged, report.Report)  # noqa: S101 - for the reader of types
        gates = [Gate(text) for text in GATES]
        timed("gates", lambda: judge(judged, gates))
        timed("diagnosis", lambda: diagnose(judged))
        timed(
            "run folder", lambda: write_run(folder / "run", [judged], settings={}, environment={})
        )
        timed(
            "page",
            lambda: write_page(
                folder / "page.html", page_of([judged], images=lambda _, case: by_case[case])
            ),
        )
        timed("terminal", lambda: list(terminal.lines([judged], (), Style(width=100))))
        found["everything"] = sum(found.values())
        found["page MB"] = (folder / "page.html").stat().st_size / 1e6
        found["run.json MB"] = (folder / "run" / "run.json").stat().st_size / 1e6
        found["peak MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        # Parts of the run folder, each by itself, on a report that nothing is known of yet.
        judged = build()
        timed("- report.txt", lambda: report_text([judged], ()))
        judged = build()
        timed("- summary.md", lambda: markdown_summary([judged]))
        judged = build()
        timed("- run.json's report", lambda: report_json(judged))
        timed("- SVG", lambda: confusion_svg(judged))
    return found


def main() -> int:
    """Measure every size and profile, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--classes", type=int, nargs="+", default=list(CLASSES))
    parser.add_argument("--images", type=int, default=10, help="of each class")
    parser.add_argument("--profile", nargs="+", choices=PROFILES, default=list(PROFILES))
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        print(json.dumps(stages(options.profile[0], options.classes[0], options.images)))
        return 0
    missed = False
    for classes in options.classes:
        for profile in options.profile:
            one = ("--classes", str(classes), "--images", str(options.images), "--profile", profile)
            command = [sys.executable, "-m", "benchmarks.classes", "--inside", *one]
            done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
            found = json.loads(done.stdout)
            over = found["everything"] > MOST_S or found["peak MB"] > MOST_MB
            missed |= over
            print(f"{classes} classes, {profile}{': MISSED' if over else ''}")
            for name, value in found.items():
                print(f"  {name:<22}{value:9.3f}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
