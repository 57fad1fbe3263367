"""One evaluation put to one model: from case to request, and from answer to outcome."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from pytest_llmclf.data.image import ImageLimits, SentImage, prepare
from pytest_llmclf.errors import BackendError, ImageError
from pytest_llmclf.files import require_plain
from pytest_llmclf.models.yardstick.kinds import yardstick_title
from pytest_llmclf.prompting.answer_meaning import with_answer
from pytest_llmclf.prompting.prompt import Instructions, answer_schema, compose
from pytest_llmclf.prompting.readers import reader_name
from pytest_llmclf.values.example_image import TUNED, ExampleImage, taken_out_note
from pytest_llmclf.values.outcome import Outcome, TaskName
from pytest_llmclf.values.provenance import tool_version
from pytest_llmclf.values.request import Request
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from pytest_llmclf.data.dataset import Dataset
    from pytest_llmclf.data.image import Prepared
    from pytest_llmclf.gates.gate import Gate
    from pytest_llmclf.metrics.report_facts import Part
    from pytest_llmclf.models.spec import ModelSpec
    from pytest_llmclf.prompting.labels import LabelSet
    from pytest_llmclf.prompting.modelfile import Modelfile
    from pytest_llmclf.runner.evaluation import Evaluation
    from pytest_llmclf.values.answer import Answer
    from pytest_llmclf.values.case import Case, CaseSet
    from pytest_llmclf.values.thinking import Think


def instruct(
    evaluation: Evaluation,
    modelfile: Modelfile,
    labels: LabelSet,
    model: str,
    *,
    think: Think | None = None,
    examples: tuple[ExampleImage, ...] = (),
) -> Instructions:
    """Everything that an evaluation tells a model beside the image.

    Args:
        evaluation: What is asked.
        modelfile: System text, example turns, options, template.
        labels: The labels that an answer may name.
        model: The model as people write it; a template reaches those on Ollama alone.
        think: What a run says about thinking instead of the evaluation; ``None``: nothing.
        examples: Images that are shown with their labels.
    """
    return Instructions(
        system=modelfile.system if evaluation.system is None else evaluation.system,
        turns=modelfile.messages,
        question=evaluation.prompt.strip(),
        labels=labels.labels,
        prompt=compose(evaluation.prompt, labels, evaluation.answer),
        answer=evaluation.answer,
        options={**modelfile.options(), **evaluation.options},
        top_logprobs=evaluation.top_logprobs,
        template=modelfile.template if model.startswith("ollama:") else None,
        reader=reader_name(evaluation.reader),
        think=evaluation.think if think is None else think,
        examples=examples,
        image_size=evaluation.image_size,
    )


class HowAsked(TypedDict, total=False):
    """How a case was asked, in the words of `Outcome`; what is left out is as there."""

    model_digest: str
    request_digest: str
    cached: bool
    attempts: int
    repeat: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One evaluation put to one model.

    Attributes:
        evaluation: What is asked.
        dataset: The cases, sampled already.
        labels: The labels that an answer may name.
        modelfile: System text, options, template.
        spec: How the model is reached.
        model: What it is called in reports, gates and baselines: without addresses and folders,
            and for a recording whoever was recorded.
        reason: Why this model, in one line; empty when it was demanded.
        whole: Cases in the dataset before sampling, without those that are taken out.
        class_sizes: Those of each label.
        limits: How large an image may be.
        verified: Whether every image was decoded when the dataset was loaded.
        gates: Those of the evaluation, then those that the run adds.
        unfit: Why nobody needs to be asked: the answers would measure nothing.
        think: What the run says about thinking instead of the evaluation; ``None``: nothing.
        examples: Images that are shown with their labels before each question.
        taken_out: Ids of the images of the dataset that are not judged since an example, of this
            task or of one beside it, is one of them, a copy, or of their group.
        images: All images of the dataset, for models that learn from them or have answers to
            them; ``None`` where they are not known beforehand.
        probe: Whether it only looks into what answers hang on: no model is given up for that.
        connects_as: The task whose connection to the model it uses, too; ``None``: its own.
        variant: Name of the variant that `evaluation` is asked in; empty: as it is declared.
        part: Which part of the images these are, where some are held out.
        other_part: How many images the other part has.
    """

    evaluation: Evaluation
    dataset: Dataset
    labels: LabelSet
    modelfile: Modelfile
    spec: ModelSpec
    model: str
    reason: str = ""
    whole: int
    limits: ImageLimits
    verified: bool
    gates: tuple[Gate, ...] = ()
    class_sizes: tuple[int, ...] = ()
    unfit: BackendError | None = None
    think: Think | None = None
    examples: tuple[ExampleImage, ...] = ()
    taken_out: tuple[str, ...] = ()
    images: CaseSet | None = None
    probe: bool = False
    connects_as: TaskName | None = None
    variant: str = ""
    part: Part = ""
    other_part: int = 0

    def __repr__(self) -> str:
        """Short: other reporters write the parameters of every test into their files."""
        title = self.evaluation.title
        cases = f"{len(self.dataset.cases)} {noun(len(self.dataset.cases), 'case')}"
        return f"Task({title!r}, {self.key.configuration!r}, {cases})"

    @property
    def key(self) -> TaskName:
        """Evaluation, model and variant, as outcomes name them."""
        return TaskName(self.evaluation.title, self.model, self.variant)

    @property
    def connection(self) -> TaskName:
        """What its connection to the model is known by: a model is reached once for several."""
        return self.connects_as or self.key

    @property
    def is_yardstick(self) -> bool:
        """Whether it is there to be compared with: only gates that name it judge it."""
        return yardstick_title(self.model) is not None

    @property
    def meant_gates(self) -> list[Gate]:
        """The gates that are for its model, variant and images."""
        imported = self.dataset.imported
        return [
            gate
            for gate in self.gates
            if gate.applies(self.model, imported=imported, variant=self.variant)
        ]

    @property
    def part_sizes(self) -> tuple[int, int]:
        """How many images there are to tune on, and how many are held out."""
        sizes = (self.whole, self.other_part)
        return sizes if self.part == "tuning" else sizes[::-1]

    @property
    def recorded(self) -> bool:
        """Whether answers come from a recording or another file, which keeps itself."""
        return self.spec.backend in ("replay", "predictions")

    @property
    def instructions(self) -> Instructions:
        """Everything that goes with every image."""
        return instruct(
            self.evaluation,
            self.modelfile,
            self.labels,
            self.model,
            think=self.think,
            examples=self.examples,
        )

    @property
    def about_examples(self) -> tuple[str, ...]:
        """What people must know of example images, a line each; nothing where none are shown."""
        if not self.examples and not self.taken_out:
            return ()
        group = self.evaluation.group or ""
        labels, wish = len(self.labels.names), self.evaluation.given_examples
        near = wish is None or wish.near_copies
        gone, varied = len(self.taken_out), bool(self.variant)
        note = taken_out_note(self.examples, labels, gone, group, near=near, varied=varied)
        tuned = wish is not None and wish.choose == "confusable"
        return (note, TUNED) if tuned else (note,)

    def facts(self) -> dict[str, Any]:
        """What its answers depend on besides the images and the model, as JSON built-ins."""
        told = self.instructions
        return {
            "instructions": {"digest": told.digest(), **told.to_json()},
            "dataset": {"name": self.dataset.name, "content_hash": self.dataset.content_hash()},
            "pytest-llmclf": tool_version(),
        }

    def request(self, case: Case, repeat: int = 0) -> Request:
        """What is sent for a case; reads and prepares the image.

        Raises:
            ImageError: The image cannot be sent; the message names file and remedy.
        """
        prepared = self._prepared(case)
        sha256 = "" if prepared.changes else case.sha256
        sent = SentImage(sha256=sha256, media_type=prepared.media_type)
        return self._request(case, prepared.data, sent, repeat)

    def outline(self, case: Case, sent: SentImage, repeat: int = 0) -> Request:
        """What `request` gives, but without the image: for its digest alone.

        Raises:
            ImageError: It is known that the image cannot be sent.
        """
        if case.problem is not None:
            raise ImageError(f"{case.path}: {case.problem}")
        return self._request(case, b"", sent, repeat)

    def about_room(self, image: ExampleImage, shown: tuple[ExampleImage, ...]) -> Request:
        """A question about an example image, for what it takes: one token is answered.

        Args:
            image: What is asked about.
            shown: The examples before it.
        """
        sent = SentImage(sha256=image.sent, media_type=image.media_type)
        request = self._request(None, image.image, sent, 0)
        options = {**request.options, "num_predict": 1}
        return replace(request, example_images=shown, options=options, top_logprobs=0)

    def _request(self, case: Case | None, image: bytes, sent: SentImage, repeat: int) -> Request:
        told = self.instructions
        return Request(
            system=told.system,
            examples=told.turns,
            example_images=told.examples,
            prompt=told.prompt,
            image=image,
            media_type=sent.media_type,
            known_sha256=sent.sha256,
            options=told.options_of(repeat),
            answer_schema=answer_schema(self.labels, told.answer),
            top_logprobs=told.top_logprobs,
            repeat=repeat,
            think=told.think,
            case="" if case is None else case.id,
        )

    def _prepared(self, case: Case) -> Prepared:
        if case.problem is not None:
            raise ImageError(f"{case.path}: {case.problem}")
        try:
            data = require_plain(case.path).read_bytes()
        except OSError as error:
            raise ImageError(
                f"{case.path}: cannot be read ({error}); restore the file or drop the case"
            ) from error
        if hashlib.sha256(data).hexdigest() != case.sha256:
            raise ImageError(f"{case.path}: the file changed since it was collected; run again")
        try:
            return prepare(data, self.limits, checked=self.verified)
        except ImageError as error:
            raise ImageError(f"{case.path}: {error}") from error

    def judge(self, case: Case, answer: Answer, **more: Unpack[HowAsked]) -> Outcome:
        """What an answer means for a case; an error where the evaluation's own reader fails.

        Args:
            case: What was asked about.
            answer: What came back.
            **more: How it was asked.
        """
        answered = Outcome.of(self.key, case, "unparsed", **more)
        return with_answer(answered, answer, self.labels, self.evaluation.reader)

    def no_answer(
        self, case: Case, error: BackendError | ImageError, **more: Unpack[HowAsked]
    ) -> Outcome:
        """The outcome of a case that got no answer; `more` as for `judge`."""
        reason = error.kind if isinstance(error, BackendError) else "image"
        return Outcome.of(self.key, case, "error", reason=reason, message=str(error), **more)

    def not_set_up(self, case: Case, why: str) -> Outcome:
        """The outcome of a case whose test broke before its answer was there."""
        message = f"its test could not be set up: {why}"
        return Outcome.of(self.key, case, "error", reason="setup", message=message)

    def not_needed(self, case: Case) -> Outcome:
        """The outcome of a case that was not asked about, its gates being decided."""
        return Outcome.of(self.key, case, "not_needed")
