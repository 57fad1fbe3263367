"""Example images: which are shown with their labels, and which images cannot be judged for it.

An image whose label a model was just shown measures nothing, and neither does a copy of it or
another image of its group. So they are taken out of the cases, whoever shows them: where several
instructions are compared, all of them are judged on the same images.

Which image of a class is shown never depends on what was answered to it. Otherwise the images
that are left would be easier, or harder, than those that were there.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from itertools import chain, compress, islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, get_args

from pytest_llmclf.data.entry import natural_key
from pytest_llmclf.data.image import prepare
from pytest_llmclf.errors import (
    DatasetError,
    ImageError,
    SettingsError,
    naming_variant,
    nearest,
    some_of,
)
from pytest_llmclf.files import require_plain
from pytest_llmclf.prompting.prompt import answer_form
from pytest_llmclf.values.case import Case
from pytest_llmclf.values.example_image import ExampleImage
from pytest_llmclf.values.seeded import seeded_sample
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from pytest_llmclf.data.dataset import Dataset
    from pytest_llmclf.data.image import ImageLimits
    from pytest_llmclf.prompting.prompt import AnswerMode

Choose = Literal["first", "random", "by class", "confusable"]
"""How example images are chosen among those of a dataset."""
Pairs = tuple[tuple[str, str], ...]
"""Labels that are taken for one another, the most frequent pair first."""

USUAL: Final = 4
_PURPOSE: Final = "example"
_DOUBTED: Final = ("unsure", "disputed")
"""What people may have said of a label that is then no example."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Images that a model is shown with their labels before it is asked about another one.

    Each is an earlier turn: the image with the question, answered by its label. They, their
    copies and the rest of their groups are not judged.

    Attributes:
        count: How many; default: all of `files`, else 4. A larger number contains the smaller
            one, so that a curve over numbers adds examples and exchanges none.
        choose: ``"by class"`` (the default) takes one image of each class in turn, ``"random"``
            any, ``"first"`` the first ones by name, ``"confusable"`` one image of each class in
            turn of those that are confused. All but ``"first"`` go by the seed and the content of
            the images, whatever they are called and in whatever order they come.
        seed: Another one gives other images.
        split: The part of a split dataset that they are taken from, such as ``"train"``; default:
            the images of the evaluation itself.
        confused: For ``"confusable"``: pairs of labels, or the folder of a finished run whose
            mistakes count.
        files: Images to show instead, as (path, label), paths counted from the project's folder.
        near_copies: Whether images that look almost like an example count as copies of it. Each
            image is decoded once for that when it is collected first.
    """

    count: int | None = None
    choose: Choose | None = None
    seed: int = 0
    split: str = ""
    confused: Sequence[tuple[str, str]] | str | Path = ()
    files: Sequence[tuple[str | Path, str]] = ()
    near_copies: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be meant.

        Raises:
            SettingsError: Which argument, and what to write.
        """
        for name in ("confused", "files"):
            if getattr(self, name) is None:
                raise SettingsError(f"Examples({name}=None): write a list, or leave it out")
        count = self.count
        if count is not None and (type(count) is not int or count < 1):
            raise SettingsError(
                f"Examples(count={count!r}): write a whole number from 1 on; no examples at all "
                "is Evaluation(examples=0)"
            )
        if self.choose is not None and self.choose not in get_args(Choose):
            raise SettingsError(
                f"Examples(choose={self.choose!r}) is not one of {', '.join(get_args(Choose))}"
                f"{nearest(str(self.choose), get_args(Choose))}"
            )
        if self.confused and self.choose != "confusable":
            raise SettingsError('Examples(confused=...) is for choose="confusable": write both')
        if self.choose == "confusable" and not self.confused:
            raise SettingsError(
                'Examples(choose="confusable") does not say which classes are confused: name a '
                'finished run, confused="FOLDER" (pytest --llmclf-run FOLDER writes one), or the '
                'pairs, confused=[("cat", "dog")]'
            )
        if not isinstance(self.confused, str | Path) and not all(map(_is_pair, self.confused)):
            raise SettingsError(
                f"Examples(confused={self.confused!r}): write pairs of labels, "
                'confused=[("cat", "dog")], or the folder of a finished run'
            )
        self._check_files()

    def _check_files(self) -> None:
        if not all(map(_is_pair, self.files)):
            raise SettingsError(
                f'Examples(files={self.files!r}): write pairs, files=[("shown/cat.png", "cat")]'
            )
        if self.files and (self.choose or self.split):
            raise SettingsError("Examples(files=...) leaves nothing to choose: drop choose, split")
        if self.files and (self.count or 0) > len(self.files):
            raise SettingsError(
                f"Examples(count={self.count}) names {len(self.files)} "
                f"{noun(len(self.files), 'file')}: name more, or drop count"
            )

    @property
    def wanted(self) -> int:
        """How many are shown."""
        return self.count or len(self.files) or USUAL


def given_examples(value: Examples | int | None) -> Examples | None:
    """What an evaluation says of examples; a plain number is so many by class.

    Raises:
        SettingsError: It is neither.
    """
    if isinstance(value, Examples):
        return value
    if value is not None and type(value) is not int:
        raise SettingsError(
            f'examples={value!r}: write a number, or Examples(count=4, choose="by class")'
        )
    return Examples(count=value) if value else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What examples leave of a dataset.

    Attributes:
        shown: For each wish the images that are shown, in order; none where none were wished.
        judged: The dataset without all of them, their copies and the rest of their groups.
        taken_out: Ids of the images that are missing there.
    """

    shown: tuple[tuple[Case, ...], ...]
    judged: Dataset
    taken_out: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleSources:
    """Where example images come from.

    Attributes:
        root: Folder that the paths of given files count from.
        part: Loads another part of the dataset, by the name of its split.
        confused: Reads the pairs that a finished run confused from its folder.
        home: Folder where it is kept how images look; ``None``: nowhere.
    """

    root: Path
    part: Callable[[str], Dataset]
    confused: Callable[[Path], Pairs]
    home: Path | None = None


def draw(
    wishes: Sequence[Examples | None],
    whole: Dataset,
    labels: Sequence[str],
    sources: ExampleSources,
    *,
    group: str = "",
    pool: Sequence[Case] | None = None,
    names: Sequence[str] = (),
) -> Drawn:
    """Choose the example images of one evaluation, and what is judged beside them.

    Args:
        wishes: What is wished; several where several instructions are judged side by side.
        whole: The dataset, before a sample is drawn from it.
        labels: Those that an answer may name.
        sources: Where images come from that are not the dataset's.
        group: Tag whose values are groups of images that are not independent; empty: none.
        pool: The images that may be shown; default: all of the dataset.
        names: Of the variants whose wishes these are, for messages; default: of none.

    Raises:
        DatasetError: There are too few images, or none would be left to judge.
        SettingsError: A wish names a label or a file that there is not.
    """
    pool = whole.cases if pool is None else pool
    chosen: list[tuple[Case, ...]] = []
    for name, wish in zip(names or [""] * len(wishes), wishes, strict=True):
        with naming_variant(name):
            chosen.append(() if wish is None else _chosen(wish, pool, labels, sources))
    shown = tuple(chosen)
    contents = {case.sha256 for case in chain.from_iterable(shown)}
    groups = {_group_of(case, group) for case in chain.from_iterable(shown)} - {""}
    groups |= {_group_of(case, group) for case in whole.cases if case.sha256 in contents} - {""}
    gone = {
        case.id
        for case in whole.cases
        if case.sha256 in contents or _group_of(case, group) in groups
    }
    looked_at = (wish is not None and wish.near_copies for wish in wishes)
    alike = chain.from_iterable(compress(shown, looked_at))
    rest = [case for case in whole.cases if case.id not in gone]
    gone |= _alike(alike, rest, sources.home)
    if not gone:
        return Drawn(shown=shown, judged=whole, taken_out=())
    out = tuple(case.id for case in whole.cases if case.id in gone)
    return Drawn(shown=shown, judged=_without(whole, gone, labels, group), taken_out=out)


def _without(whole: Dataset, gone: Collection[str], labels: Sequence[str], group: str) -> Dataset:
    """The dataset without images, and with a warning for each class of which none is left."""
    left = tuple(case for case in whole.cases if case.id not in gone)
    if not left:
        also = f" or another image of their {group}s" if group else ""
        raise DatasetError(
            f"every image of {whole.name} is an example, a copy of one{also}, so that none is "
            "left to judge: show fewer, or take them from elsewhere, Examples(split=...) or "
            "Examples(files=...)"
        )
    had, has = ({case.label for case in cases} for cases in (whole.cases, left))
    warnings = [
        f"all images of {label!r} are taken out for the examples: its recall is not measured"
        for label in labels
        if label in had - has
    ]
    return replace(whole, cases=left, warnings=(*whole.warnings, *warnings))


def _alike(shown: Iterable[Case], cases: Sequence[Case], home: Path | None) -> frozenset[str]:
    """The ids of cases that look almost like an image which is shown."""
    those = {case.sha256: case for case in shown}
    if not those:
        return frozenset()
    from pytest_llmclf.data.hash_cache import hashes_of
    from pytest_llmclf.data.perceptual_hash import near_to

    some = hashes_of(those.values(), home)
    return near_to(some.values(), hashes_of(cases, home)) if some else frozenset()


def as_shown(
    cases: Iterable[Case], mode: AnswerMode, limits: ImageLimits
) -> tuple[ExampleImage, ...]:
    """Example images as they are sent, each with its answer.

    Raises:
        DatasetError: One of them cannot be read or sent.
    """
    return tuple(_as_shown(case, mode, limits) for case in cases)


def _as_shown(case: Case, mode: AnswerMode, limits: ImageLimits) -> ExampleImage:
    data = _bytes_of(case.path)
    if hashlib.sha256(data).hexdigest() != case.sha256:
        raise DatasetError(f"{case.path}: the file changed since it was collected; run again")
    try:
        prepared = prepare(data, limits)
    except ImageError as error:
        raise DatasetError(f"example image {case.path}: {error}") from error
    return ExampleImage(
        file=case.id,
        label=case.label,
        answer=answer_form(case.label, mode),
        sha256=case.sha256,
        sent=hashlib.sha256(prepared.data).hexdigest(),
        media_type=prepared.media_type,
        image=prepared.data,
    )


def _bytes_of(path: Path) -> bytes:
    try:
        return require_plain(path).read_bytes()
    except OSError as error:
        raise DatasetError(
            f"example image {path} cannot be read ({error.strerror or error}): correct the path"
        ) from error


def _chosen(
    wish: Examples, pool: Sequence[Case], labels: Sequence[str], sources: ExampleSources
) -> tuple[Case, ...]:
    if wish.files:
        return tuple(_given(wish, labels, sources.root))
    if wish.split:
        pool = sources.part(wish.split).cases
    # Of copies one is shown: the first by name, whatever order they come in.
    ordered = sorted(pool, key=lambda case: natural_key(case.id))
    by_content = {case.sha256: case for case in reversed(ordered) if _is_clear(case)}
    sound = {sha256: by_content[sha256] for sha256 in sorted(by_content)}
    found = tuple(islice(_ranked(wish, sound, labels, sources), wish.wanted))
    if len(found) < wish.wanted:
        raise DatasetError(
            f"{wish.wanted} example images are wanted, and there {noun(len(found), 'is', 'are')} "
            f"only {len(found)} to choose from: show fewer"
        )
    return found


def _ranked(
    wish: Examples, sound: Mapping[str, Case], labels: Sequence[str], sources: ExampleSources
) -> Iterator[Case]:
    """All images that may be shown, those first that are."""
    match wish.choose or "by class":
        case "first":
            return iter(sorted(sound.values(), key=lambda case: natural_key(case.id)))
        case "random":
            return map(sound.__getitem__, _in_random_order(sound, wish.seed))
        case "by class":
            return _in_turn(_in_random_order(labels, wish.seed), sound, wish.seed)
        case "confusable":
            return _in_turn(_confused(wish, labels, sources), sound, wish.seed)


def _in_random_order(names: Iterable[str], seed: int) -> tuple[str, ...]:
    names = list(names)
    return seeded_sample(names, len(names), seed, purpose=_PURPOSE)


def _in_turn(labels: Iterable[str], sound: Mapping[str, Case], seed: int) -> Iterator[Case]:
    """One image of each class, then a second one of each, ..."""
    of: dict[str, list[Case]] = {label: [] for label in labels}
    for sha256 in _in_random_order(sound, seed):
        of.get(sound[sha256].label, []).append(sound[sha256])
    for place in range(max(map(len, of.values()), default=0)):
        yield from (cases[place] for cases in of.values() if place < len(cases))


def _confused(wish: Examples, labels: Sequence[str], sources: ExampleSources) -> tuple[str, ...]:
    pairs = wish.confused
    if isinstance(pairs, str | Path):
        pairs = sources.confused(sources.root / Path(pairs).expanduser())
    named = tuple(dict.fromkeys(chain.from_iterable(pairs)))
    for label in named:
        _require_label(label, labels, "confused")
    return named


def _given(wish: Examples, labels: Sequence[str], root: Path) -> Iterator[Case]:
    for path, label in wish.files[: wish.wanted]:
        _require_label(label, labels, "files")
        file = root / Path(path).expanduser()
        sha256 = hashlib.sha256(_bytes_of(file)).hexdigest()
        # Below the project's folder its place there is its name, as people wrote it elsewhere.
        near = file.is_relative_to(root)
        name = file.relative_to(root).as_posix() if near else file.as_posix()
        yield Case(id=name, root=root, sha256=sha256, label=label)


def _require_label(label: str, labels: Sequence[str], argument: str) -> None:
    if label not in labels:
        raise SettingsError(
            f"Examples({argument}=...) names {label!r}, which is none of the labels"
            f"{nearest(label, labels)} ({some_of(labels)})"
        )


def _group_of(case: Case, group: str) -> str:
    return case.tags.get(group, "") if group else ""


def _is_clear(case: Case) -> bool:
    """Whether an image can be sent and has one label that nobody doubts."""
    doubted = case.review is not None and case.review.status in _DOUBTED
    return case.problem is None and not case.also and not doubted


def _is_pair(value: object) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2 and isinstance(value[1], str)  # noqa: PLR2004
