"""What people decided about the labels of a dataset, as far as results depend on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from pytest_llmclf.values.json_values import is_count, is_flag, is_text, is_texts, require

if TYPE_CHECKING:
    from collections.abc import Mapping

ReviewStatus = Literal["confirmed", "corrected", "unsure", "disputed"]
"""The label is right; another one is, or further ones are; nobody could tell; people disagree, so
that the label is as it was."""
REVIEW_STATUSES: Final[tuple[str, ...]] = get_args(ReviewStatus)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReview:
    """What people decided about the label of one image.

    Attributes:
        status: What it came to.
        original: The right labels before, the first one first.
        followed: Models whose answer a correction took over, which was proposed from it.
        control: Whether the image was drawn at random, whatever a model said.
    """

    status: ReviewStatus
    original: tuple[str, ...]
    followed: tuple[str, ...] = ()
    control: bool = False

    @property
    def settled(self) -> bool:
        """Whether people found the label right, or made it right."""
        return self.status in ("confirmed", "corrected")

    def to_json(self) -> dict[str, Any]:
        """As JSON built-ins."""
        return {
            "status": self.status,
            "original": list(self.original),
            "followed": list(self.followed),
            "control": self.control,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ImageReview:
        """Rebuild from `to_json`.

        Raises:
            KeyError: A field is missing.
            ValueError: A field holds what it cannot hold.
        """
        require(
            data,
            {"status": is_text, "original": is_texts, "followed": is_texts, "control": is_flag},
        )
        if data["status"] not in REVIEW_STATUSES or not data["original"]:
            raise ValueError(f"review is {data!r}")
        models = {name: tuple(data[name]) for name in ("original", "followed")}
        return cls(status=data["status"], control=data["control"], **models)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetReview:
    """What people decided about the labels of a whole dataset.

    Attributes:
        confirmed: Images whose label was found right.
        confirmers: People who found them so.
        corrected: Images that have other or further right labels than before.
        reviewers: People who corrected them or left images out.
        left_out: Ids of images that are not in the set any more.
        disputed: Ids of images about which people disagree; their labels are as they were.
        unsure: Ids of images of which nobody could tell.
        gone: Ids of decisions about images that the dataset does not have any more.
        control: Images drawn at random, whatever a model said, that somebody decided about.
        control_wrong: How many of those were corrected or left out.
    """

    confirmed: int = 0
    confirmers: int = 0
    corrected: int = 0
    reviewers: int = 0
    left_out: tuple[str, ...] = ()
    disputed: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    control: int = 0
    control_wrong: int = 0

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> DatasetReview:
        """Rebuild from what `dataclasses.asdict` gives; what a later version added is left out.

        Raises:
            ValueError: A field holds what it cannot hold.
        """
        known = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
        lists = [name for name in known if isinstance(getattr(cls(), name), tuple)]
        require(known, {name: is_texts if name in lists else is_count for name in known})
        return cls(**{**known, **{name: tuple(known[name]) for name in lists}})
