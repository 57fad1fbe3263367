"""A dataset asked in one way: what one file under ``evals/`` declares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args

from pytest_llmclf.data.dataset import locate
from pytest_llmclf.data.entry import LABEL_FOLDERS, LabelFolder, SourceOptions
from pytest_llmclf.data.given import source_name
from pytest_llmclf.data.image import ImageLimits
from pytest_llmclf.errors import SettingsError, nearest, some_of
from pytest_llmclf.gates.gate import Gate
from pytest_llmclf.metrics.own_metrics import own_metrics
from pytest_llmclf.prompting.labels import NONE_LABEL, Label
from pytest_llmclf.prompting.modelfile import PARAMETERS
from pytest_llmclf.prompting.prompt import DEFAULT_PROMPT, AnswerMode
from pytest_llmclf.prompting.readers import EXACT, STRICT, check_reader
from pytest_llmclf.runner.examples import Examples, given_examples
from pytest_llmclf.runner.marks import DECORATORS, GATE_ATTRIBUTE, IMAGES_ATTRIBUTE
from pytest_llmclf.runner.variant import check_variants
from pytest_llmclf.values.thinking import check_think

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_llmclf.data.given import DataSource
    from pytest_llmclf.metrics.metric import ImageMean, Metric
    from pytest_llmclf.metrics.own_metrics import MetricFunction
    from pytest_llmclf.prompting.readers import ReaderFunction
    from pytest_llmclf.runner.variant import Variant
    from pytest_llmclf.values.thinking import Think

MOST_LOGPROBS: Final = 20
"""What servers give at most."""

F = TypeVar("F", bound="Callable[..., object]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """How one dataset is put to a model.

    Attributes:
        dataset: Name of a dataset under ``fixtures/`` (or of an imported one), or a path; or a
            function that gives (path or bytes, label) or (path or bytes, label, tags) of each
            image, or a list of those.
        modelfile: Name of a file under ``modelfiles/`` without its ending, or a path; ``None``: one
            for any images, a built-in one of ``llava`` that asks for one label and nothing else.
        prompt: The question about each image; the label list is added to it.
        name: How reports call it; default: the dataset's name.
        labels: Labels with synonyms and descriptions, or plain names; default: the dataset's.
        pattern: For a flat folder: regular expression with a group ``label`` for file names.
        split: The part of a split dataset that is asked about, such as ``"test"``: a folder of
            that name or a usual one for it, or a value of the manifest's column ``split``.
        label_folder: Where folders lie in folders: ``"first"`` for the outermost as the label,
            ``"last"`` for the one that the image lies in.
        label_column: Column of the label in a manifest; default: the one with a usual name.
        none_label: The label of images of no class, where the dataset has such images; any other
            answer to one of them is a false accept.
        strangers: A folder of further such images: its path, or its name under ``fixtures/``.
        answer: ``text`` reads free text; ``enum`` makes the server force one of the labels.
        options: Sampling options over those of the Modelfile.
        top_logprobs: Alternatives a token to ask for (0: none), where the server has them.
        reader: What turns an answer's text into a label: ``strict`` guesses nothing; ``first``,
            ``last`` and ``contains`` take the first, the last or the only label named; ``exact``
            takes a whole answer, and labels may differ in upper and lower case alone; or a
            function of text and label names that gives back a label, a reason such as
            ``refusal``, or ``None``.
        think: Whether a model is to think before it answers: ``False``, ``True``, or how much,
            ``"low"``, ``"medium"`` or ``"high"``; its thinking is kept apart and never read as the
            answer. ``None``: not, as far as the server can be told so, for a label needs no essay.
        examples: Images that are shown with their labels before each question: a number of them,
            or `Examples` for which ones. They, their copies and the rest of their groups are not
            judged.
        gates: Thresholds that a model must reach, such as ``"accuracy >= 0.8"``; as `Gate` with
            the models and images that they are for.
        group: Tag whose values are groups of images that are not independent, such as ``scene``,
            ``patient`` or ``video``; what is said of other images then counts groups.
        metrics: Metrics of its own for gates and reports, by name: a function of the report that
            gives back a number or ``None``, or an `ImageMean`.
        system: SYSTEM text instead of the Modelfile's; ``""``: none, not even the model's own.
        image_size: Longest side in pixels of an image as sent; larger ones are scaled down.
        holdout: Share of the images that is held out, such as 0.3, of each label alike, groups and
            copies together: only ``--llmclf-final`` asks about these, and about no others.
        variants: What is tried instead, by name: each is asked, reported and judged by itself, on
            the same images. Exactly these run: an empty `Variant()` is the evaluation as it is.
    """

    dataset: str | Path | DataSource
    modelfile: str | Path | None = None
    prompt: str = DEFAULT_PROMPT
    name: str = ""
    labels: Sequence[Label | str] | None = None
    pattern: str | None = None
    split: str = ""
    label_folder: LabelFolder | None = None
    label_column: str = ""
    none_label: str = NONE_LABEL
    strangers: str | Path | None = None
    answer: AnswerMode = "text"
    options: Mapping[str, Any] = field(default_factory=dict)
    top_logprobs: int = 0
    reader: str | ReaderFunction = STRICT
    think: Think | None = None
    examples: Examples | int = 0
    gates: Sequence[Gate | str] = ()
    group: str | None = None
    metrics: Mapping[str, MetricFunction | ImageMean] = field(default_factory=dict)
    system: str | None = None
    image_size: int | None = None
    holdout: float = 0.0
    variants: Mapping[str, Variant] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what cannot be meant.

        Raises:
            SettingsError: Which argument, and what was probably meant.
        """
        self._check_source()
        place = f"Evaluation({self.title!r})"
        for name in ("options", "top_logprobs", "gates", "metrics", "none_label"):
            if getattr(self, name) is None:
                raise SettingsError(f"{place}: {name}=None: write what is meant, or leave it out")
        self._check_words(place)
        if self.group is not None and not str(self.group).strip():
            raise SettingsError(
                f'{place}: group={self.group!r} names no tag; write group="scene", or leave it out'
            )
        if not str(self.none_label).strip():
            raise SettingsError(
                f"{place}: none_label={self.none_label!r} is no label; write none_label="
                f"{NONE_LABEL!r}, or leave it out"
            )
        if isinstance(self.labels, str):
            raise SettingsError(f"{place}: labels={self.labels!r} is one text; write a list")
        if isinstance(self.gates, Gate | str) or not all(
            isinstance(gate, Gate | str) for gate in self.gates
        ):
            raise SettingsError(
                f'{place}: gates={self.gates!r}: write a list, gates=["accuracy >= 0.8"]'
            )
        try:
            _ = self.given_gates  # a slip in an expression is known by now
        except SettingsError as error:
            raise SettingsError(f"{place}: {error}") from error
        try:
            check_reader(self.reader)
            check_think(self.think)
            self._check_examples()
            check_variants(self.variants)
        except SettingsError as error:
            raise SettingsError(f"{place}: {error}") from error
        self._check_sent(place)
        for name, variant in self.variants.items():
            _ = self.varied(name, variant)  # so is a slip in a variant

    def _check_source(self) -> None:
        """Refuse a source of images that can be read once only, or is read otherwise."""
        if isinstance(self.dataset, str | Path):
            return
        if isinstance(self.dataset, Iterator) or not (
            callable(self.dataset) or isinstance(self.dataset, Iterable)
        ):
            raise SettingsError(
                f"Evaluation(dataset={self.dataset!r}): give a name, a path, or a function that "
                "gives images; what is gone through once only is used up then"
            )
        if not self.title:
            raise SettingsError("Evaluation(dataset=...) of this kind has no name: give it name=")
        for name in ("pattern", "split", "label_folder", "label_column"):
            if getattr(self, name):
                raise SettingsError(
                    f"Evaluation({self.title!r}): {name}= is for folders and manifests: let the "
                    "function give what is meant"
                )

    def _check_examples(self) -> None:
        wish = given_examples(self.examples)
        if wish is not None and wish.split and not isinstance(self.dataset, str | Path):
            raise SettingsError(
                "Examples(split=...) is for folders and manifests: write files=[(path, label)]"
            )

    def _check_words(self, place: str) -> None:
        for name, one_of in (("answer", get_args(AnswerMode)), ("label_folder", LABEL_FOLDERS)):
            value = getattr(self, name)
            if value not in one_of and (name == "answer" or value is not None):
                raise SettingsError(f"{place}: {name}={value!r} is not one of {', '.join(one_of)}")

    def _check_sent(self, place: str) -> None:
        """Refuse what cannot be sent with an image."""
        if self.system is not None and not isinstance(self.system, str):
            raise SettingsError(f"{place}: system={self.system!r} is no text")
        share = self.holdout
        if type(share) not in (int, float) or not 0 <= share < 1:
            raise SettingsError(
                f"{place}: holdout={share!r} is no share of the images: write 0.3, or leave it out"
            )
        size = self.image_size
        if size is not None and (type(size) is not int or size < 1):
            raise SettingsError(
                f"{place}: image_size={size!r} is no number of pixels: write 336, or leave it out"
            )
        if not 0 <= self.top_logprobs <= MOST_LOGPROBS:
            raise SettingsError(
                f"{place}: top_logprobs={self.top_logprobs} is not from 0 to {MOST_LOGPROBS}"
            )
        for option in self.options:
            if option not in PARAMETERS:
                raise SettingsError(
                    f"{place}: {option!r} is no option of a model{nearest(option, PARAMETERS)}"
                )

    def varied(self, name: str, variant: Variant) -> Evaluation:
        """The evaluation as a variant asks it, which is one without variants.

        Args:
            name: What the variant is called.
            variant: What it changes.

        Raises:
            SettingsError: What cannot be meant; names the variant.
        """
        changes = variant.changes()
        place = f"Evaluation({self.title!r})"
        try:
            if "options" in changes:
                changes["options"] = {**self.options, **changes["options"]}
            if "labels" in changes:
                changes["labels"] = self._relabelled(changes["labels"])
            return replace(self, variants={}, **changes)
        except SettingsError as error:
            slip = str(error).removeprefix(f"{place}: ")
            raise SettingsError(f"{place}, variant {name!r}: {slip}") from error

    def _relabelled(self, labels: Sequence[Label | str]) -> tuple[Label | str, ...]:
        """The labels of a variant: a plain name is the label that is declared under it."""
        if isinstance(labels, str):
            raise SettingsError(f"labels={labels!r} is one text; write a list")
        known = {label.name: label for label in self.given_labels or ()}
        found = tuple(
            label if isinstance(label, Label) else known.get(str(label), label) for label in labels
        )
        if known:
            check_same_labels([str(getattr(one, "name", one)) for one in found], tuple(known))
        return found

    @property
    def title(self) -> str:
        """The name that reports use."""
        if not isinstance(self.dataset, str | Path):
            return self.name or source_name(self.dataset)
        return self.name or str(self.dataset).replace("\\", "/").rstrip("/").rpartition("/")[2]

    @property
    def image_limits(self) -> ImageLimits:
        """How large an image may be, as sent and at all."""
        size = self.image_size
        return ImageLimits() if size is None else ImageLimits(max_side=size)

    @property
    def case_matters(self) -> bool:
        """Whether labels that differ only in upper and lower case are two."""
        return self.reader == EXACT

    def source_options(self, links: Sequence[Path] = (), root: Path | None = None) -> SourceOptions:
        """How its dataset is read.

        Args:
            links: Folders outside of the dataset that links in it may lead into.
            root: Of the project, where its images of no class are looked for.

        Raises:
            DatasetError: There is no folder of such images.
        """
        strangers = self.strangers
        return SourceOptions(
            pattern=self.pattern,
            split=self.split,
            label_folder=self.label_folder,
            label_column=self.label_column,
            links=tuple(links),
            case_matters=self.case_matters,
            strangers=None if strangers is None else locate(str(strangers), root or Path.cwd()),
            none_label=self.none_label,
        )

    @property
    def given_labels(self) -> tuple[Label, ...] | None:
        """The declared labels, plain names made into `Label`, or ``None`` for the dataset's."""
        if self.labels is None:
            return None
        given = tuple(
            label if isinstance(label, Label) else Label(name=str(label)) for label in self.labels
        )
        if self.strangers is None or self.none_label in (label.name for label in given):
            return given
        return (*given, Label(name=self.none_label))

    @property
    def label_names(self) -> tuple[str, ...] | None:
        """The names of the declared labels, or ``None`` for the dataset's."""
        given = self.given_labels
        return None if given is None else tuple(label.name for label in given)

    @property
    def given_gates(self) -> tuple[Gate, ...]:
        """The declared gates, plain expressions made into `Gate`."""
        own = self.own_metrics
        gates = (gate if isinstance(gate, Gate) else Gate(gate) for gate in self.gates)
        return tuple(gate.knowing(own) for gate in gates)

    @property
    def given_examples(self) -> Examples | None:
        """The declared example images, a plain number made into `Examples`, or ``None``."""
        return given_examples(self.examples)

    @property
    def own_metrics(self) -> dict[str, Metric]:
        """The declared metrics by name."""
        return own_metrics(self.metrics)

    def images(self, function: F) -> F:
        """Make a test function run once an image and model, with its `Outcome` as ``outcome``.

        Raises:
            SettingsError: It is no function, or belongs to an evaluation already.
        """
        return self._mark(function, IMAGES_ATTRIBUTE)

    def gate(self, function: F) -> F:
        """Make a test function run once a model after its images, with ``report``.

        Raises:
            SettingsError: It is no function, or belongs to an evaluation already.
        """
        return self._mark(function, GATE_ATTRIBUTE)

    def _mark(self, function: F, attribute: str) -> F:
        decorator = f"@Evaluation({self.title!r}).{DECORATORS[attribute]}"
        if isinstance(function, type) or not hasattr(function, "__name__"):
            raise SettingsError(
                f"{decorator} stands over {function!r}; put it over a test function"
            )
        for other, name in DECORATORS.items():
            there = getattr(function, other, None)
            if there is not None and (there is not self or other != attribute):
                raise SettingsError(
                    f"{decorator} stands over {function.__name__}, which has "
                    f"@Evaluation({there.title!r}).{name} already, and only one of them could "
                    "run: write a test function for each"
                )
        setattr(function, attribute, self)
        return function


def check_same_labels(names: Sequence[str], declared: Sequence[str]) -> None:
    """Refuse a variant that asks for other labels: its answers could not be compared.

    Args:
        names: The variant's.
        declared: Those of the evaluation, in any order.

    Raises:
        SettingsError: Which labels are missing or too many.
    """
    if sorted(names) == sorted(declared):
        return
    missing = some_of([name for name in declared if name not in names])
    more = some_of([name for name in names if name not in declared])
    twice = some_of(sorted({name for name in names if names.count(name) > 1}))
    said = (("lacks", missing), ("adds", more), ("repeats", twice))
    slips = " and ".join(f"{word} {found}" for word, found in said if found)
    raise SettingsError(
        f"labels= {slips}: a variant is asked for the labels of the evaluation, in any order and "
        "with other descriptions; for other labels write another evaluation"
    )
