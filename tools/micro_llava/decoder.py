"""Stage 2: train the projector and the decoder on what the frozen vision tower sees."""

from __future__ import annotations

import copy
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import prompts
import tokenizer as bpe
from config import CLASSES, DECODER, TASKS, UNKNOWN, VISION, DecoderRun, Schedule
from network import Classifier, Decoder, Projector
from pictures import task_of
from tokenizer import Tokenizer
from vision import Album, blend, draw, load_album, make_optimisers, rate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

BANK_BATCH = 128
CORPUS = 3000
FORM_WEIGHT = 0.3
"""How much writing the form of an answer counts beside writing the label."""


class Speaker(nn.Module):
    """What stage 2 trains: the projector and the decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.projector = Projector(VISION, DECODER)
        self.decoder = Decoder(DECODER)


@dataclass(frozen=True)
class Sample:
    """One conversation as tokens.

    Attributes:
        before: Tokens up to the picture.
        after: Tokens from the picture to the end of the answer.
        weights: For each token of `after`, how much predicting it counts.
        picture: Which picture of the bank it is about.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    weights: tuple[float, ...]
    picture: int


def random_prompt(rng: random.Random, truth: str) -> tuple[prompts.Prompt, str]:
    """A prompt about a picture, and the right answer to it."""
    task = task_of(truth)
    kind = rng.random()
    if kind < 0.1:
        return prompts.make_prompt(rng, None, truth), UNKNOWN
    if task is None or kind < 0.16:
        asked = rng.choice([name for name in TASKS if name != task])
        return prompts.make_prompt(rng, asked, rng.choice(TASKS[asked])), UNKNOWN
    return prompts.make_prompt(rng, task, truth), truth


def make_sample(
    rng: random.Random, tokenizer: Tokenizer, truth: str, picture: int, usual_share: float
) -> Sample:
    """A random conversation about one picture."""
    prompt, answer = random_prompt(rng, truth)
    after = tokenizer.encode(prompt.after)
    weights = [0.0] * len(after)
    name = tokenizer.id(answer)
    for piece in prompts.answer_pieces(rng, prompt, answer, usual_share):
        ids = tokenizer.encode(piece.text)
        after += ids
        weights += [piece.taught * (1.0 if token == name else FORM_WEIGHT) for token in ids]
    after.append(tokenizer.id("<|im_end|>"))
    weights.append(FORM_WEIGHT)
    return Sample(tuple(tokenizer.encode(prompt.before)), tuple(after), tuple(weights), picture)


def train_tokenizer(seed: int) -> Tokenizer:
    """Learn the tokens from the prompts themselves."""
    rng = random.Random(seed)
    texts = []
    for _ in range(CORPUS):
        prompt, answer = random_prompt(rng, rng.choice(CLASSES))
        pieces = prompts.answer_pieces(rng, prompt, answer, usual_share=0.7)
        texts.append(prompt.before + prompt.after + "".join(piece.text for piece in pieces))
    return bpe.train(texts, prompts.whole_words(), DECODER.vocabulary)


def fill_bank(tower: nn.Module, album: Album, count: int, threads: int) -> tuple[Tensor, list[str]]:
    """Features of many random views, so that the tower runs once for all of a run."""

    def look(pixels: Tensor) -> Tensor:
        with torch.no_grad():
            features: Tensor = tower(pixels).half()
        return features

    truths: list[str] = []
    with ThreadPoolExecutor(threads, "look", torch.set_num_threads, (1,)) as pool:
        waiting = []
        for _ in range(count):
            pixels, classes = draw(album, BANK_BATCH)
            waiting.append(pool.submit(look, pixels))
            truths += [CLASSES[index] for index in classes.tolist()]
        return torch.cat([future.result() for future in waiting]), truths


def batches(
    rng: random.Random, tokenizer: Tokenizer, truths: Sequence[str], run: DecoderRun
) -> Iterator[list[Sample]]:
    """Endless batches of conversations of about the same length."""
    size = run.batch // 2
    while True:
        chosen = [rng.randrange(len(truths)) for _ in range(size * 12)]
        samples = [
            make_sample(rng, tokenizer, truths[index], index, run.usual_share) for index in chosen
        ]
        samples.sort(key=lambda sample: len(sample.before) + len(sample.after))
        parts = [samples[start : start + size] for start in range(0, len(samples), size)]
        rng.shuffle(parts)
        yield from parts


def pack(samples: list[Sample], length: int, tokens: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Token ids with room for the pictures, where those go, targets and their weights."""
    ids = torch.zeros(len(samples), length, dtype=torch.long)
    places = torch.zeros(len(samples), tokens, dtype=torch.long)
    targets = torch.zeros(len(samples), length, dtype=torch.long)
    weights = torch.zeros(len(samples), length)
    for row, sample in enumerate(samples):
        first = len(sample.before) + tokens
        ids[row, : len(sample.before)] = torch.tensor(sample.before)
        ids[row, first : first + len(sample.after)] = torch.tensor(sample.after)
        places[row] = torch.arange(len(sample.before), first)
        # The token at one position is predicted from the position before it.
        targets[row, first - 1 : first - 1 + len(sample.after)] = torch.tensor(sample.after)
        weights[row, first - 1 : first - 1 + len(sample.after)] = torch.tensor(sample.weights)
    return ids, places, targets, weights


def loss_of(speaker: Speaker, samples: list[Sample], bank: Tensor) -> Tensor:
    """Weighted cross-entropy of the answers."""
    tokens = VISION.tokens
    length = max(len(s.before) + tokens + len(s.after) for s in samples)
    ids, places, targets, weights = pack(samples, length, tokens)
    embeddings = speaker.decoder.token_embd(ids)
    pictures = speaker.projector(bank[torch.tensor([s.picture for s in samples])].float())
    places = places.unsqueeze(-1).expand(-1, -1, embeddings.shape[-1])
    hidden = speaker.decoder(embeddings.scatter(1, places, pictures))
    taught = weights > 0
    losses = F.cross_entropy(
        speaker.decoder.scores(hidden[taught]), targets[taught], reduction="none"
    )
    return (losses * weights[taught]).sum() / weights.sum()


def gradients(
    speaker: Speaker, weights: Sequence[Tensor], samples: list[Sample], bank: Tensor
) -> tuple[float, tuple[Tensor, ...]]:
    """The loss of a part of a batch and its gradients."""
    loss = loss_of(speaker, samples, bank)
    return loss.item(), torch.autograd.grad(loss, weights)


def train(work: Path, classifier: Classifier, tokenizer: Tokenizer, schedule: Schedule) -> Speaker:
    """Train and return the averaged projector and decoder, run by run."""
    torch.set_num_threads(1)
    album = load_album(work)
    torch.manual_seed(schedule.seed + 1)
    speaker = Speaker()
    bank, truths = torch.empty(0), [""]
    for index, run in enumerate(schedule.decoder_runs, start=1):
        if run.bank:
            torch.manual_seed(schedule.seed + index)
            bank, truths = fill_bank(classifier.tower, album, run.bank, schedule.threads)
        stream = batches(random.Random(schedule.seed + index), tokenizer, truths, run)
        speaker = converse(speaker, bank, stream, run, schedule)
        torch.save(speaker.state_dict(), work / f"decoder{index}.pt")
    return speaker


def converse(
    speaker: Speaker,
    bank: Tensor,
    stream: Iterator[list[Sample]],
    run: DecoderRun,
    schedule: Schedule,
) -> Speaker:
    """One run from where a speaker stands; its average is returned."""
    average = copy.deepcopy(speaker)
    weights = list(speaker.parameters())
    inner = speaker.decoder.blocks.parameters()
    optimisers = make_optimisers(speaker, inner, run.muon_rate, run.rate)
    started, running = time.monotonic(), 0.0
    with ThreadPoolExecutor(
        schedule.threads, initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        for step in range(run.steps):
            for optimiser, peak in optimisers:
                for group in optimiser.param_groups:
                    group["lr"] = rate(step, run.steps, peak)
            waiting = [
                pool.submit(gradients, speaker, weights, next(stream), bank) for _ in range(2)
            ]
            results = [future.result() for future in waiting]
            for weight, *found in zip(weights, *(result[1] for result in results), strict=True):
                weight.grad = torch.stack(found).mean(0)
            nn.utils.clip_grad_norm_(weights, 1.0)
            for optimiser, _ in optimisers:
                optimiser.step()
            blend(average, speaker, min(schedule.decoder_ema, (step + 1) / (step + 10)))
            loss = sum(result[0] for result in results) / 2
            running = loss if step == 0 else 0.97 * running + 0.03 * loss
            if step % 100 == 99 or step + 1 == run.steps:
                spent = time.monotonic() - started
                print(f"decoder {step + 1} loss {running:.3f} {spent:.0f} s", flush=True)
    return average
