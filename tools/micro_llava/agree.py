"""Compare PyTorch with llama.cpp on the fixtures: the same prompt, the same picture.

    python tools/micro_llava/agree.py [WORK]

Reads the checkpoints in WORK and the GGUF files in the package, and prints how many answers
agree and how far the log-probabilities of the labels are apart.
"""

from __future__ import annotations

import io
import math
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch import Tensor

import augment
import measure
import train
from config import HERE, PAD_RGB, TASKS, VISION, Schedule
from export import MMPROJ_FILE, TEXT_FILE
from server import Server, running

if TYPE_CHECKING:
    from decoder import Speaker
    from facts import Case
    from network import Classifier
    from tokenizer import Tokenizer


def pixels_of(png: bytes) -> Tensor:
    """What llama.cpp makes of a picture: aspect kept, bicubic, padded, normalised."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    side = VISION.image_size
    scale = side / max(image.size)
    size = (math.ceil(image.width * scale), math.ceil(image.height * scale))
    square = Image.new("RGB", (side, side), PAD_RGB)
    square.paste(
        image.resize(size, Image.Resampling.BICUBIC), ((side - size[0]) // 2, (side - size[1]) // 2)
    )
    values = torch.frombuffer(bytearray(square.tobytes()), dtype=torch.uint8).view(1, side, side, 3)
    return augment.normalise(values.permute(0, 3, 1, 2).float() / 255)


def torch_scores(
    tokenizer: Tokenizer, classifier: Classifier, speaker: Speaker, case: Case
) -> dict[str, float]:
    """Log-probabilities of the task's labels as the first token of the answer."""
    user = measure.user_text(measure.QUESTIONS[case.task], TASKS[case.task], measure.TEXT_ENDING)
    system = measure.system_text(case.task)
    head = f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n"
    tail = f"{user}<|im_end|>\n<|im_start|>assistant\n"
    before, after = tokenizer.encode(head), tokenizer.encode(tail)
    with torch.no_grad():
        picture = speaker.projector(classifier.tower(pixels_of(measure.load(case))))
        table = speaker.decoder.token_embd
        parts = (table(torch.tensor([before])), picture, table(torch.tensor([after])))
        hidden = speaker.decoder(torch.cat(parts, dim=1))[:, -1]
        scores = speaker.decoder.scores(hidden).log_softmax(-1)[0]
    return {label: scores[tokenizer.id(label)].item() for label in TASKS[case.task]}


def server_scores(server: Server, case: Case) -> dict[str, float]:
    """The same from the server."""
    user = measure.user_text(measure.QUESTIONS[case.task], TASKS[case.task], measure.TEXT_ENDING)
    choice = server.ask(
        measure.system_text(case.task), user, measure.load(case), logprobs=True, top_logprobs=20
    )
    return {
        item["token"]: item["logprob"] for item in choice["logprobs"]["content"][0]["top_logprobs"]
    }


def main(work: Path) -> None:
    """Compare on up to 120 fixtures a task."""
    schedule = Schedule()
    tokenizer = train.get_tokenizer(work, schedule)
    classifier = train.get_classifier(work, schedule)
    speaker = train.get_speaker(work, classifier, tokenizer, schedule)
    same = total = 0
    furthest = 0.0
    with tempfile.TemporaryDirectory() as scratch:
        files = (measure.MODEL / TEXT_FILE, measure.MODEL / MMPROJ_FILE)
        with running(*files, Path(scratch) / "log") as server:
            for task in TASKS:
                cases = measure.read_cases(task)
                for case in cases[:: max(1, len(cases) // 120)]:
                    ours, theirs = (
                        torch_scores(tokenizer, classifier, speaker, case),
                        server_scores(server, case),
                    )
                    best = max(ours, key=lambda label: ours[label])
                    known = {label: value for label, value in theirs.items() if label in ours}
                    total += 1
                    same += best == max(known, key=lambda label: known[label])
                    furthest = max(furthest, abs(ours[best] - known.get(best, -99.0)))
    print(
        f"{same} of {total} answers agree; log-probabilities of the answers within {furthest:.3f}"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "work")
