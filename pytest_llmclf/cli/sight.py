"""Whether a model can see: it is shown known images and must tell them apart."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING

from pytest_llmclf.cli.checks import Check
from pytest_llmclf.cli.single_image import THINKING_TOKENS, ask, connected, only_thinking
from pytest_llmclf.errors import LlmclfError
from pytest_llmclf.models.http.address import without_user
from pytest_llmclf.models.predictions.predictions_backend import predictions_in
from pytest_llmclf.models.spec import EMBEDDED, parse_spec
from pytest_llmclf.models.yardstick.learner_process import LearnerProcess
from pytest_llmclf.prompting.labels import Label, LabelSet
from pytest_llmclf.prompting.prompt import compose
from pytest_llmclf.prompting.readers import read_answer
from pytest_llmclf.reporting.numbers import plural
from pytest_llmclf.values.request import TOLD_NOTHING
from pytest_llmclf.values.text import shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image

    from pytest_llmclf.cli.single_image import Connected
    from pytest_llmclf.models.reach import ConnectSettings
    from pytest_llmclf.models.spec import ModelSpec

TOKENS = 24
_COLOURS = {"red": (215, 25, 25), "green": (25, 160, 40), "blue": (25, 45, 215)}
_COLOUR_SIDE = 336  # what a LLaVA 1.5 looks at
_DIGIT_SIDE = 28
_FINER = 8
_SAID = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Exam:
    """Images whose content is known.

    Attributes:
        question: What is asked about each.
        labels: The answers to choose from.
        images: (what it shows, the image).
    """

    question: str
    labels: LabelSet
    images: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One image and the answer to it.

    Attributes:
        expected: What it shows.
        said: The answer.
        read: The label in it, or ``None``.
        seconds: Until it came; ``None``: its backend does not tell.
        thought: Tokens of an answer with thinking before it; 0 where there was none.
    """

    expected: str
    said: str
    read: str | None
    seconds: float | None
    thought: int = 0


def exam_for(name: str) -> Exam:
    """Plain colours; digits for the embedded model, which knows no colours."""
    if name == EMBEDDED:
        return Exam(
            question="Which digit is in this picture?",
            labels=_label_set("0123456789"),
            images=tuple((digit, _png(_digit(digit))) for digit in "017"),
        )
    from PIL import Image

    side = (_COLOUR_SIDE, _COLOUR_SIDE)
    return Exam(
        question="Which colour is this picture?",
        labels=_label_set(_COLOURS),
        images=tuple(
            (name, _png(Image.new("RGB", side, colour))) for name, colour in _COLOURS.items()
        ),
    )


def check_sight(spec: str, settings: ConnectSettings) -> Check:
    """Ask a model, and say whether it sees; every failure is a check, too."""
    try:
        parsed = parse_spec(spec)
        if parsed.backend in TOLD_NOTHING:
            return Check("ok", spec, _told_nothing(parsed))
        with connected(spec, settings, tokens=TOKENS) as model:
            if model.identity.backend == "replay" or spec.startswith("replay:"):
                return _recorded(model)
            check = judged(model, examine(model))
            # Why this one answers, where it was the choice of ``auto``.
            return replace(check, advice=check.advice or model.reason)
    except LlmclfError as error:
        return Check(
            "problem",
            without_user(spec),
            getattr(error, "message", str(error)),
            advice=getattr(error, "remedy", ""),
        )


def _told_nothing(spec: ModelSpec) -> str:
    """What is there of a classical classifier or a file of predictions, which are not asked here.

    Raises:
        BackendError: The classifier cannot be made.
        SettingsError: The file cannot be read.
    """
    if spec.backend == "predictions":
        rows = len(predictions_in(spec, ()).records)
        return f"{plural(rows, 'row')}, put to their images in a pytest run"
    if spec.backend == "sklearn":
        learner = LearnerProcess()
        try:
            learner.do(do="describe", name=spec.name)
        finally:
            learner.close()
    return f"scikit-learn {version('scikit-learn')}; it learns from labelled images in a pytest run"


def examine(model: Connected) -> list[Shown]:
    """Show every image of the exam; with room for thinking where the model cannot do without.

    Raises:
        BackendError: There is no answer.
    """
    exam = exam_for(model.identity.name)
    prompt = compose(exam.question, exam.labels, "text")
    shown = []
    tokens = TOKENS
    for expected, image in exam.images:
        answer = ask(model, prompt, image, tokens=tokens)
        if only_thinking(answer) and tokens == TOKENS:
            tokens = THINKING_TOKENS
            answer = ask(model, prompt, image, tokens=tokens)
        shown.append(
            Shown(
                expected=expected,
                said=answer.text,
                thought=(answer.answer_tokens or tokens) if answer.thought else 0,
                read=read_answer(answer, exam.labels).label,
                seconds=answer.wall_s,
            )
        )
    return shown


def judged(model: Connected, shown: Sequence[Shown]) -> Check:
    """What the answers mean."""
    answers = ", ".join(f"{each.expected}: {shorten(each.said, _SAID)}" for each in shown)
    # The first answer may have waited for the model to be loaded.
    least = min((each.seconds for each in shown if each.seconds is not None), default=None)
    took = "" if least is None else f"{least:.2f} s an image"
    facts = [", ".join(part for part in (model.identity.told, took) if part)]
    name = model.spec
    thought = max(each.thought for each in shown)
    if thought:
        facts.append(f"thinks first, which took {plural(thought, 'token')} at most")
    about = "".join(f"; {fact}" for fact in facts if fact)
    if thought and not any(each.said.strip() for each in shown):
        return Check(
            "problem", name, f"gives no answer: all that it says is thinking{about}", advice=_THINKS
        )
    wrong = [each for each in shown if each.read != each.expected]
    if not wrong:
        advice = f"num_predict must have room for that: PARAMETER num_predict {2 * thought}"
        return Check(
            "note" if thought else "ok",
            name,
            f"sees ({answers}){about}",
            advice=advice if thought else "",
        )
    if len({each.read or each.said.strip() for each in shown}) == 1:
        return Check(
            "problem",
            name,
            f"does not see: it answers the same to all images ({answers}){about}",
            advice="choose a model for images, or check that its projector (mmproj) is loaded",
        )
    return Check(
        "note",
        name,
        f"sees something, but was wrong on {len(wrong)} of "
        f"{plural(len(shown), 'plain image')} ({answers}){about}",
        advice="expect little of it, or look at its prompt template",
    )


_THINKS = (
    "choose a model or tag that does not think, or update the server: its template for this model "
    "may lack the switch"
)


def _recorded(model: Connected) -> Check:
    return Check(
        "ok",
        model.spec,
        f"a recording of {model.identity.spec}: answers what was asked then and nothing else",
    )


def _label_set(names: str | dict[str, tuple[int, int, int]]) -> LabelSet:
    return LabelSet(labels=tuple(Label(name) for name in names))


def _digit(digit: str) -> Image:
    """A digit as MNIST has them: white strokes on black, 28 pixels square."""
    from PIL import Image, ImageDraw

    # Drawn larger and averaged, so that strokes have soft edges as handwriting has.
    fine = Image.new("L", (_DIGIT_SIDE * _FINER, _DIGIT_SIDE * _FINER), 0)
    draw, width = ImageDraw.Draw(fine), 3 * _FINER
    match digit:
        case "0":
            draw.ellipse([8 * _FINER, 5 * _FINER, 20 * _FINER, 23 * _FINER], 0, 255, width)
        case "1":
            draw.line([(14 * _FINER, 5 * _FINER), (14 * _FINER, 23 * _FINER)], 255, width)
        case _:
            corners = [(8, 6), (20, 6), (12, 23)]
            points = [(x * _FINER, y * _FINER) for x, y in corners]
            draw.line(points, 255, width, joint="curve")
    return fine.resize((_DIGIT_SIDE, _DIGIT_SIDE), Image.Resampling.BOX)


def _png(image: Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
