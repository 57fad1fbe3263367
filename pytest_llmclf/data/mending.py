"""The images of a dataset with what people decided about their labels: right labels, left out."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_llmclf.data.decisions import decisions_of, settle
from pytest_llmclf.errors import nearest, some_of
from pytest_llmclf.values.reviewed import DatasetReview, ImageReview
from pytest_llmclf.values.text import command_line

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from pytest_llmclf.data.decisions import Decision, Settled
    from pytest_llmclf.data.validation import CheckedImage
    from pytest_llmclf.values.case import Case
    from pytest_llmclf.values.reviewed import ReviewStatus

_SHOWN = 12


def mend(
    images: Sequence[CheckedImage],
    decisions: Sequence[Decision],
    labels: Sequence[str],
    elsewhere: Path | None = None,
    target: Sequence[str] = (),
) -> tuple[list[CheckedImage], DatasetReview | None, list[str]]:
    """Apply decisions; the files and what is said in the source stay as they are.

    Args:
        images: As the source has them.
        decisions: In any order.
        labels: Those that an image may have.
        elsewhere: Folder of a dataset of which `images` are a part; decisions about images that
            lie there are about another part.
        target: The dataset as ``llmclf labels`` wants it, its options last; empty: not known.

    Returns:
        The images that are left, what was decided about all of them, and the decisions that are
        refused, each with its place and remedy.
    """
    by_image = decisions_of(decisions)
    if not by_image:
        return list(images), None, []
    work = _Work(by_image, labels, target)
    left = [mended for image in images if (mended := work.mended(image)) is not None]
    known = {image.case.id for image in images}
    gone = [
        id_
        for id_ in sorted(by_image)
        if id_ not in known
        and id_ not in work.moved
        and any(one.kind != "leave-out" for one in by_image[id_])
        and not (elsewhere is not None and (elsewhere / id_).is_file())
    ]
    return left, work.review(gone), work.problems


class _Work:
    """What decisions came to so far, image by image."""

    def __init__(
        self,
        by_image: Mapping[str, Sequence[Decision]],
        labels: Sequence[str],
        target: Sequence[str],
    ) -> None:
        self._target = target
        self.problems: list[str] = []
        self.moved: set[str] = set()
        self._by_image = by_image
        self._labels = labels
        self._by_bytes: defaultdict[str, list[Decision]] = defaultdict(list)
        for one in (one for found in by_image.values() for one in found):
            self._by_bytes[one.sha256].append(one)
        self._ids: defaultdict[str, list[str]] = defaultdict(list)
        self._people: defaultdict[str, set[str]] = defaultdict(set)
        self._control: Counter[bool] = Counter()

    def mended(self, image: CheckedImage) -> CheckedImage | None:
        """The image with its right labels; ``None`` where it is left out."""
        case = image.case
        if not case.sha256:  # it cannot be read, which is told
            return image
        own = self._by_image.get(case.id, ())
        # A copy, and a file that was moved, is the same image.
        asked = own or self._by_bytes.get(case.sha256, ())
        current = [
            one for one in asked if one.sha256 == case.sha256 and set(one.was) == set(case.labels)
        ]
        found = settle(current)
        self.moved.update(one.image for one in asked if one.sha256 == case.sha256)
        if found is None:
            self._refuse(own, case)
            return image
        return self._applied(image, found)

    def _applied(self, image: CheckedImage, found: Settled) -> CheckedImage | None:
        case, control = image.case, any(one.control for one in found.decisions)
        changes = found.kind in ("relabel", "also", "leave-out")
        people = {one.by for one in found.decisions}
        if changes or found.kind == "accept":
            self._people["changed" if changes else "confirmed"] |= people
            self._control[changes] += control
        if found.kind == "leave-out":
            self._ids["left_out"].append(case.id)
            return None
        unknown = [label for label in found.labels if label not in self._labels]
        if unknown:
            self.problems.append(self._unknown(unknown[0], found.decisions[0]))
            return image
        status: ReviewStatus
        match found.kind:
            case "accept":
                status = "confirmed"
            case "relabel" | "also":
                status = "corrected"
            case "unsure" | "disputed":
                status = found.kind
        self._ids[status].append(case.id)
        review = ImageReview(
            status=status,
            original=case.labels,
            followed=_followed(found) if changes else (),
            control=control,
        )
        first, *also = found.labels if changes else case.labels
        mended = replace(case, label=first, also=tuple(also), review=review)
        return replace(image, case=mended)

    def _refuse(self, own: Sequence[Decision], case: Case) -> None:
        """Say so where decisions about an image are about something that it is not any more."""
        for one in own:
            same = one.sha256 == case.sha256
            done = same and set(one.labels) == set(case.labels)  # in the source itself
            if one.kind == "unsure" or done:
                continue
            why = (
                f"its label was {' or '.join(map(repr, one.was))} then and is "
                f"{' or '.join(map(repr, case.labels))} now"
                if same
                else f"the file has changed since, sha256 {one.sha256[:_SHOWN]}... then and "
                f"{case.sha256[:_SHOWN]}... now"
            )
            dataset, *options = self._target or ("--help",)
            revert = ("revert", dataset, *([case.id] if self._target else []), *options)
            self.problems.append(
                f"{_at(one)}a decision of {one.by!r} about {case.id!r} is refused: {why}; look at "
                "the image again and decide anew, or take it back: "
                f"{command_line('llmclf', 'labels', *revert)}"
            )
            return

    def _unknown(self, label: str, one: Decision) -> str:
        return (
            f"{_at(one)}label {label!r} of {one.image!r} is not one of [{some_of(self._labels)}]: "
            f"add it to labels in dataset.toml or in the evaluation, or decide anew"
            f"{nearest(label, self._labels)}"
        )

    def review(self, gone: Collection[str]) -> DatasetReview:
        """What was decided about all images."""
        return DatasetReview(
            confirmed=len(self._ids["confirmed"]),
            confirmers=len(self._people["confirmed"]),
            corrected=len(self._ids["corrected"]),
            reviewers=len(self._people["changed"]),
            left_out=tuple(self._ids["left_out"]),
            disputed=tuple(self._ids["disputed"]),
            unsure=tuple(self._ids["unsure"]),
            gone=tuple(gone),
            control=self._control.total(),
            control_wrong=self._control[True],
        )


def _followed(found: Settled) -> tuple[str, ...]:
    """The models whose answer a correction took over: it is right now and was not before."""
    return tuple(
        sorted(
            {
                model
                for one in found.decisions
                for model, answer in one.followed.items()
                if answer in found.labels and answer not in one.was
            }
        )
    )


def _at(one: Decision) -> str:
    return f"{one.place}: " if one.place else ""
