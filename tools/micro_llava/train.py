"""Retrain micro-llava from scratch: data, tokenizer, vision, decoder, export, measure.

    python tools/micro_llava/train.py [WORK]

WORK (default: a folder `work` beside this file, which git ignores) keeps checkpoints and
MNIST. Stages that are already done there are not repeated: remove WORK to start over.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

import decoder
import measure
import vision
from config import CLASSES, HERE, VISION, Schedule
from export import MMPROJ_FILE, TEXT_FILE, write_mmproj, write_text
from network import Classifier
from tokenizer import Tokenizer

LICENCE = "Apache-2.0"


def get_tokenizer(work: Path, schedule: Schedule) -> Tokenizer:
    """The tokenizer, learnt once."""
    path = work / "tokenizer.json"
    if not path.exists():
        decoder.train_tokenizer(schedule.seed).save(path)
    return Tokenizer.load(path)


def get_classifier(work: Path, schedule: Schedule) -> Classifier:
    """Stage 1, from the checkpoint when it is complete."""
    done = work / "vision.done.pt"
    if not done.exists():
        torch.save(vision.train(work, schedule).state_dict(), done)
    classifier = Classifier(VISION, len(CLASSES))
    classifier.load_state_dict(torch.load(done))
    return classifier.eval()


def get_speaker(
    work: Path, classifier: Classifier, tokenizer: Tokenizer, schedule: Schedule
) -> decoder.Speaker:
    """Stage 2, from the checkpoint when it is complete."""
    done = work / "decoder.done.pt"
    if not done.exists():
        torch.save(decoder.train(work, classifier, tokenizer, schedule).state_dict(), done)
    speaker = decoder.Speaker()
    speaker.load_state_dict(torch.load(done))
    return speaker


def main(work: Path) -> None:
    """Run every stage."""
    work.mkdir(parents=True, exist_ok=True)
    schedule = Schedule()
    version = (HERE / "VERSION").read_text().strip()
    tokenizer = get_tokenizer(work, schedule)
    classifier = get_classifier(work, schedule)
    speaker = get_speaker(work, classifier, tokenizer, schedule)
    measure.MODEL.mkdir(parents=True, exist_ok=True)
    write_text(measure.MODEL / TEXT_FILE, speaker.decoder, tokenizer, version, LICENCE)
    write_mmproj(measure.MODEL / MMPROJ_FILE, classifier.tower, speaker.projector, version, LICENCE)
    measure.main()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "work")
