"""Load what micro-llava is trained on: MNIST's training split and the committed pictures."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from config import CLASSES, HERE, ROOT, TASKS, UNKNOWN

if TYPE_CHECKING:
    from pathlib import Path

PICTURE_SIZE = 64


@dataclass(frozen=True)
class Pictures:
    """Pictures of one task as tensors.

    Attributes:
        rgba: Bytes, [count, 4, 64, 64]; opaque pictures have a full alpha channel.
        labels: Indices into CLASSES.
        weights: How often each is drawn.
        opaque: Whether the picture brings its own background.
    """

    rgba: Tensor
    labels: Tensor
    weights: Tensor
    opaque: Tensor


def load_mnist(folder: Path) -> tuple[Tensor, Tensor]:
    """The 60,000 training digits and their labels, without any that is a fixture."""
    raw = np.fromfile(folder / "train-images-idx3-ubyte", dtype=np.uint8)[16:].reshape(-1, 28, 28)
    labels = np.fromfile(folder / "train-labels-idx1-ubyte", dtype=np.uint8)[8:]
    tests = {
        np.asarray(Image.open(path).convert("L")).tobytes()
        for path in sorted((ROOT / "fixtures" / "mnist").glob("*/*.png"))
    }
    keep = np.array([image.tobytes() not in tests for image in raw])
    return torch.from_numpy(raw[keep].copy()), torch.from_numpy(labels[keep].astype(np.int64))


def read_rows(task: str) -> list[dict[str, str]]:
    """The manifest of a folder of training pictures."""
    with (HERE / "pictures" / task / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def load_pictures(task: str, side: str) -> Pictures:
    """The committed pictures of a task, every class and every set with a fair share."""
    rows = [row for row in read_rows(task) if row["side"] == side]
    images, weights = [], []
    for row in rows:
        image = Image.open(HERE / "pictures" / task / row["path"]).convert("RGBA")
        images.append(np.asarray(image.resize((PICTURE_SIZE, PICTURE_SIZE))).transpose(2, 0, 1))
        mates = sum(
            1 for other in rows if other["label"] == row["label"] and other["set"] == row["set"]
        )
        weights.append(mates**-0.5)
    labels = torch.tensor([CLASSES.index(row["label"]) for row in rows])
    weight = torch.tensor(weights, dtype=torch.float64)
    for label in labels.unique():
        weight[labels == label] /= weight[labels == label].sum()
    opaque = torch.tensor([row["view"] == "3d" for row in rows])
    return Pictures(torch.from_numpy(np.stack(images)), labels, weight, opaque)


def task_of(label: str) -> str | None:
    """The task that a label belongs to."""
    if label == UNKNOWN:
        return None
    return next(task for task, labels in TASKS.items() if label in labels)
