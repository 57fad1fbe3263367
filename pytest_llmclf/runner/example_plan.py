"""From what evaluations say of example images to which images are shown, and what is judged."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_llmclf.data import dataset as datasets
from pytest_llmclf.data.decision_files import decision_files, decisions_file
from pytest_llmclf.errors import DatasetError, SettingsError
from pytest_llmclf.runner.examples import ExampleSources, draw

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pytest_llmclf.data.dataset import Dataset
    from pytest_llmclf.runner.evaluation import Evaluation
    from pytest_llmclf.runner.examples import Drawn, Pairs
    from pytest_llmclf.values.case import Case


def drawn(
    asked: Sequence[tuple[str, Evaluation]],
    whole: Dataset,
    root: Path,
    *,
    links: Sequence[Path] = (),
    confused: Callable[[Path], Pairs] | None = None,
    home: Path | None = None,
    pool: Sequence[Case] | None = None,
) -> Drawn:
    """The example images of an evaluation in all its variants, and what they all are judged on.

    Args:
        asked: The evaluation as it is asked, by the name of its variant; all of the same dataset
            and labels.
        whole: The dataset, before a sample is drawn from it.
        root: Of the project.
        links: Folders outside of the dataset that links in it may lead into.
        confused: Reads which labels a finished run confused from its folder.
        home: Folder where it is kept how images look; ``None``: nowhere.
        pool: The images that may be shown; default: all of the dataset.

    Raises:
        DatasetError: There are too few images, or none would be left to judge.
        SettingsError: What is wished names a label or a file that there is not.
    """
    first = asked[0][1]

    def part(split: str) -> Dataset:
        source = datasets.locate(str(first.dataset), root)
        return datasets.load(
            source,
            labels=first.label_names,
            verify_images=False,
            options=replace(first.source_options(links, root), split=split),
            decisions=decision_files(decisions_file(source, root, split=split)),
        )

    sources = ExampleSources(root=root, part=part, confused=confused or _no_runs, home=home)
    names = [name for name, _ in asked]
    wishes = [one.given_examples for _, one in asked]
    try:
        return draw(
            wishes, whole, whole.labels, sources, group=first.group or "", pool=pool, names=names
        )
    except (DatasetError, SettingsError) as error:
        raise type(error)(f"Evaluation({first.title!r}): {error}") from error


def _no_runs(folder: Path) -> Pairs:
    raise SettingsError(f"{folder}: no run is read here; write the pairs, confused=[(...)]")
