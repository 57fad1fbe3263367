"""The floor: nothing but the questions, eight in flight, through the official client."""

import asyncio
import csv
import os
import sys
from pathlib import Path

import ollama

IN_FLIGHT = 8


async def main() -> None:
    """Ask about every image and print how many were right."""
    prompt = Path("prompt.txt").read_text("utf-8")
    with Path("cases.csv").open(encoding="utf-8", newline="") as file:
        cases = [(row["path"], row["label"]) for row in csv.DictReader(file)]
    client = ollama.AsyncClient(host=os.environ["OLLAMA_HOST"])
    todo = iter(cases)
    right = 0

    async def work() -> None:
        nonlocal right
        for path, label in todo:
            message = {"role": "user", "content": prompt, "images": [Path(path).read_bytes()]}
            answer = await client.chat("llava:7b", [message], options={"temperature": 0})
            right += answer.message.content == label

    await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
    print(f"{right} of {len(cases)} right")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
