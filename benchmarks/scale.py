"""What an image costs `llmclf predict`: CPU, bytes, memory; the figures of docs/scale.md.

    python benchmarks/scale.py [--images 500] [--rows 20000]

Starts the stub server, so that no figure holds what a model takes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from PIL import Image

from benchmarks.stub_ollama import StubOllama

_EVALUATION = """
from pytest_llmclf import Evaluation
pets = Evaluation(dataset="pets", modelfile="pets", prompt="Which animal?", top_logprobs={top})
"""


def project(root: Path, images: int, side: int, top: int) -> None:
    """A project with so many different images."""
    for folder in ("evals", "modelfiles", "fixtures/pets"):
        (root / folder).mkdir(parents=True)
    (root / "evals/test_pets.py").write_text(_EVALUATION.format(top=top))
    (root / "modelfiles/pets.Modelfile").write_text("FROM llava:7b\n")
    for number in range(images):
        noise = Image.effect_noise((side, side), 40).convert("RGB")
        noise.save(root / f"fixtures/pets/{number:05}.jpg", quality=85)
    write_manifest(root / "fixtures/pets/manifest.csv", images, images)


def write_manifest(path: Path, rows: int, images: int) -> None:
    """So many rows, over and over the same images."""
    with path.open("w") as file:
        file.write("path,label\n")
        for row in range(rows):
            file.write(f"{row % images:05}.jpg,{'cat' if row % 2 else 'dog'}\n")


def predict(root: Path, *arguments: str, host: str) -> dict[str, float]:
    """One call: wall and CPU seconds (with all that it started) and its peak memory in MB."""
    started = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "pytest_llmclf", "predict", "evals/test_pets.py",
         "--model", "ollama:llava:7b", *arguments],
        cwd=root, env={**os.environ, "OLLAMA_HOST": host},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"llmclf predict {' '.join(arguments)}: exit code {process.returncode}")
    per_mb = 1e6 if sys.platform == "darwin" else 1e3
    return {
        "wall_s": time.perf_counter() - started,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / per_mb,
    }


def store_bytes(root: Path) -> int:
    """Size of the store's files."""
    return sum(path.stat().st_size for path in (root / ".llmclf").glob("answers.sqlite*"))


def per_image(images: int, side: int, top: int) -> dict[str, Any]:
    """Cost of an image that is asked about, over a call that asks about one."""
    with tempfile.TemporaryDirectory() as folder, StubOllama(service_ms=0, slots=64) as stub:
        root = Path(folder)
        project(root, images, side, top)
        files = root / "fixtures/pets"
        bare = predict(root, "--limit", "1", host=stub.netloc)
        asked = predict(root, host=stub.netloc)
        return {
            "pixels": f"{side} x {side}",
            "top_logprobs": top,
            "image_bytes": sum(path.stat().st_size for path in files.glob("*.jpg")) // images,
            "manifest_bytes": (files / "manifest.csv").stat().st_size // images,
            "store_bytes": store_bytes(root) // images,
            "asked_cpu_ms": round(1e3 * (asked["cpu_s"] - bare["cpu_s"]) / images, 2),
            "start_cpu_s": round(bare["cpu_s"], 2),
        }


def memory(rows: int, images: int) -> list[dict[str, Any]]:
    """Peak memory and CPU over the length of a manifest whose answers are known."""
    found = []
    with tempfile.TemporaryDirectory() as folder, StubOllama(service_ms=0, slots=64) as stub:
        root = Path(folder)
        project(root, images, 64, 0)
        predict(root, host=stub.netloc)
        for share in (16, 4, 1):
            write_manifest(root / "long.csv", rows // share, images)
            (root / "long.csv").rename(root / "fixtures/pets/long.csv")
            call = predict(root, "--manifest", "fixtures/pets/long.csv", host=stub.netloc)
            found.append(
                {"rows": rows // share, "peak_mb": round(call["peak_mb"]),
                 "cpu_s": round(call["cpu_s"], 1), "wall_s": round(call["wall_s"], 1)}
            )  # fmt: skip
    return found


def engines(images: int) -> list[dict[str, Any]]:
    """Throughput with 20 ms an image on 4 slots, and how busy the server was."""
    found = []
    ways: list[tuple[str, ...]] = [("--engine", "local")]
    try:
        import ray  # noqa: F401 - whether it is there
    except ImportError:
        pass
    else:
        ways.append(("--engine", "ray", "--workers", "2"))
    for endpoint_key in ways:
        with tempfile.TemporaryDirectory() as folder, StubOllama(service_ms=20, slots=4) as stub:
            root = Path(folder)
            project(root, images, 224, 5)
            call = predict(root, *endpoint_key, host=stub.netloc)
            stats = stub.stats()
            found.append(
                {"engine": " ".join(endpoint_key[1:]), "images": images,
                 "wall_s": round(call["wall_s"], 1), "asking_s": round(stats["span_s"], 1),
                 "busy": round(stats["utilisation"], 3), "driver_mb": round(call["peak_mb"]),
                 "chats": stats["chats"]}
            )  # fmt: skip
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--rows", type=int, default=20_000)
    arguments = parser.parse_args()
    print(json.dumps({"python": platform.python_version(), "cores": os.cpu_count()}))
    for share, side, top in ((1, 224, 0), (1, 224, 5), (1, 224, 20), (10, 1024, 5), (10, 2048, 5)):
        images = max(20, arguments.images // share)
        print(json.dumps(per_image(images, side, top)), flush=True)
    for line in memory(arguments.rows, 50):
        print(json.dumps(line), flush=True)
    for line in engines(2 * arguments.images):
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
