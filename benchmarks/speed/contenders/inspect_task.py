"""inspect-ai, as its documentation shows images: a task of samples, `generate`, `match`."""

import csv
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageUser, ContentImage, ContentText
from inspect_ai.scorer import exact
from inspect_ai.solver import generate


@task
def digits() -> Task:
    """Handwritten digits."""
    prompt = Path("prompt.txt").read_text("utf-8")
    with Path("cases.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    samples = [
        Sample(
            input=[
                ChatMessageUser(
                    content=[
                        ContentText(text=prompt),
                        ContentImage(image=str(Path(row["path"]).absolute())),
                    ]
                )
            ],
            target=row["label"],
        )
        for row in rows
    ]
    return Task(dataset=MemoryDataset(samples), solver=generate(), scorer=exact())
