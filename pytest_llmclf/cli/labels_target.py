"""Which dataset ``llmclf labels`` is about, and where the decisions about it stand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmclf.batch.declared import SEPARATOR, read_evaluation
from pytest_llmclf.cli.project import home_folder
from pytest_llmclf.data.dataset import locate
from pytest_llmclf.data.decision_files import decision_files, decisions_file
from pytest_llmclf.data.decisions import read_decisions
from pytest_llmclf.data.entry import SourceOptions
from pytest_llmclf.data.listed_images import listed_images
from pytest_llmclf.data.mending import mend
from pytest_llmclf.runner.plan import source_of
from pytest_llmclf.runner.settings import project_root

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.data.decisions import Decision
    from pytest_llmclf.data.given import Given
    from pytest_llmclf.data.validation import CheckedImage
    from pytest_llmclf.values.case import Case
    from pytest_llmclf.values.reviewed import DatasetReview


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A dataset and what people decided about its labels.

    Attributes:
        own: The file that decisions are added to.
        images: As the source labels them.
        labels: In order.
        elsewhere: Folder of the dataset of which they are a part; ``None`` where they are all.
        words: It as it was named, for a command.
        decisions: All that are known, in the order of their moments.
    """

    own: Path
    images: tuple[CheckedImage, ...]
    labels: tuple[str, ...]
    elsewhere: Path | None
    words: tuple[str, ...]
    decisions: tuple[Decision, ...]

    def mended(
        self, decisions: Sequence[Decision]
    ) -> tuple[dict[str, Case], DatasetReview | None, list[str]]:
        """The images by id with decisions, what those come to, and which are refused."""
        images, review, problems = mend(
            self.images, decisions, self.labels, self.elsewhere, self.words
        )
        return {image.case.id: image.case for image in images}, review, problems


def find_target(text: str, split: str) -> Target:
    """The dataset that is meant.

    Args:
        text: Its name or path; or the file of an evaluation, ``evals/test_pets.py::pets``.
        split: The part of a split dataset.

    Raises:
        LlmclfError: There is none, it cannot be read, or decisions about it cannot.
    """
    source: Path | Given
    title, labels = "", None
    if text.partition(SEPARATOR)[0].endswith(".py"):
        evaluation, file = read_evaluation(text)
        root = project_root(file, Path.cwd())
        source = source_of(evaluation, root, home_folder(None))
        options = evaluation.source_options(root=root)
        title, labels = evaluation.title, evaluation.label_names
    else:
        root = project_root(Path.cwd())
        source, options = locate(text, root), SourceOptions(split=split)
    own = decisions_file(source, root, split=options.split, title=title)
    # What is wrong with the dataset besides, a run says.
    listed = listed_images(source, title, labels, None, options, verify=False)
    return Target(
        own=own,
        images=tuple(listed.images),
        labels=listed.labels,
        elsewhere=listed.root if listed.split else None,
        words=(text, *(("--split", split) if split else ())),
        decisions=read_decisions(decision_files(own)),
    )
