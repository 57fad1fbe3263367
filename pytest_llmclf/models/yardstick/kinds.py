"""Which yardsticks there are and how they are written, without scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pytest_llmclf.errors import SettingsError, nearest
from pytest_llmclf.models.query import read_query, split_query

MOST: Final = 10_000
"""Most images that a classifier learns from, so that a large set takes minutes and not hours."""
OPTIONS: Final = ("train", "most")


@dataclass(frozen=True, slots=True, kw_only=True)
class Classifier:
    """A classifier that is asked for by name.

    Attributes:
        title: What people call it.
        parameters: What it is made with.
        guesses: Whether it looks at no image, so that one class or one image is enough.
    """

    title: str
    parameters: dict[str, float | str]
    guesses: bool = False


KINDS: Final = {
    "majority": Classifier(title="the most frequent label", parameters={}, guesses=True),
    "knn": Classifier(
        title="the nearest neighbours", parameters={"n_neighbors": 3, "weights": "distance"}
    ),
    "logistic": Classifier(title="logistic regression", parameters={"C": 100.0, "max_iter": 1000}),
    "svm": Classifier(title="a support vector machine", parameters={"C": 10.0}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class YardstickOptions:
    """What stands behind the question mark.

    Attributes:
        train: Dataset or folder that is learnt from; empty: the images themselves, out of fold.
        most: Most images that are learnt from.
    """

    train: str = ""
    most: int = MOST


def options_of(query: str, place: str) -> YardstickOptions:
    """The options of a yardstick.

    Args:
        query: What stands behind the question mark.
        place: The model as written, for messages.

    Raises:
        SettingsError: There is no such option, or its value makes no sense.
    """
    given = read_query(query, OPTIONS, place)
    most = given.get("most", str(MOST))
    if not most.isdecimal() or int(most) < 2:  # noqa: PLR2004 - a classifier tells two apart
        raise SettingsError(f"{place}: most={most} is no whole number from 2 on: say most={MOST}")
    return YardstickOptions(train=given.get("train", ""), most=int(most))


def check_kind(name: str) -> None:
    """Refuse a yardstick that there is not.

    Raises:
        SettingsError: What was probably meant.
    """
    if name not in KINDS:
        known = ", ".join(f"yardstick:{kind}" for kind in KINDS)
        raise SettingsError(
            f"'yardstick:{name}' is no yardstick; there are {known}, and "
            f"sklearn:MODULE:FACTORY for any other classifier{nearest(name, KINDS)}"
        )


def yardstick_title(model: str) -> str | None:
    """What a yardstick is called in sentences; ``None`` for every other model.

    Args:
        model: The name in reports, such as ``yardstick:svm?train=digits``.
    """
    backend, _, rest = model.partition(":")
    name, _ = split_query(rest)
    if backend == "sklearn":
        return name.rpartition(":")[2]
    return KINDS[name].title if backend == "yardstick" and name in KINDS else None


def learnt_elsewhere(model: str) -> str:
    """The dataset that a yardstick has learnt from, by its name in reports; empty: the very set."""
    query = split_query(model)[1]
    return next((part[6:] for part in query.split("&") if part.startswith("train=")), "")
