"""Stage 1: train the vision tower as a plain classifier over every label."""

from __future__ import annotations

import copy
import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import augment
from config import CLASSES, TASKS, UNKNOWN, VISION, Schedule
from network import Classifier
from pictures import Pictures, fetch_mnist, load_mnist, load_pictures

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

SHARES = {"mnist": 0.25, "chess": 0.41, "animals": 0.26, "unknown": 0.08}


@dataclass(frozen=True)
class Album:
    """Everything that is trained on."""

    digits: Tensor
    digit_labels: Tensor
    chess: Pictures
    animals: Pictures
    unknown: Pictures


def load_album(work: Path) -> Album:
    """MNIST and the committed training pictures."""
    digits, labels = load_mnist(fetch_mnist(work))
    parts = [load_pictures(name, "training") for name in ("chess", "animals", "unknown")]
    return Album(digits, labels, *parts)


def draw(album: Album, batch: int) -> tuple[Tensor, Tensor]:
    """A batch of random views with their classes."""
    count = {name: round(batch * share) for name, share in SHARES.items()}
    pick = torch.randint(len(album.digits), (count["mnist"],))
    views = [augment.view_digits(album.digits[pick])]
    classes = [album.digit_labels[pick]]
    for name, wild in (("chess", 1.0), ("animals", 0.6), ("unknown", 0.6)):
        pictures: Pictures = getattr(album, name)
        amount = count[name] if name != "unknown" else count[name] // 2
        chosen = torch.multinomial(pictures.weights, amount, replacement=True)
        views.append(augment.view_pictures(pictures.rgba[chosen], pictures.opaque[chosen], wild))
        classes.append(pictures.labels[chosen])
    nothing = count["unknown"] - count["unknown"] // 2
    views.append(augment.no_picture(nothing))
    classes.append(torch.full((nothing,), CLASSES.index(UNKNOWN)))
    return torch.cat(views), torch.cat(classes)


def rate(step: int, steps: int, peak: float) -> float:
    """Warm up over the first steps, then fall along a cosine."""
    warm = 150
    if step < warm:
        return peak * (step + 1) / warm
    return peak * (
        0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))
    )


def blend(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the running average a little towards the model."""
    with torch.no_grad():
        for kept, new in zip(average.parameters(), model.parameters(), strict=True):
            kept.lerp_(new, 1 - decay)


def validate(model: Classifier) -> dict[str, float]:
    """Accuracy on the held-out training-side sets, among the task's own labels."""
    found = {}
    for task in ("chess", "animals"):
        held = load_pictures(task, "validation")
        index = torch.tensor([CLASSES.index(label) for label in TASKS[task]])
        with torch.no_grad():
            scores = model(augment.plain_view(held.rgba))
        guess = index[scores[:, index].argmax(1)]
        found[task] = (guess == held.labels).float().mean().item()
    return found


def gradients(
    model: Classifier, weights: Sequence[Tensor], pixels: Tensor, classes: Tensor
) -> tuple[float, tuple[Tensor, ...]]:
    """The loss of a part of a batch and its gradients."""
    loss = F.cross_entropy(model(pixels), classes, label_smoothing=0.05)
    return loss.item(), torch.autograd.grad(loss, weights)


def step_together(
    pool: ThreadPoolExecutor,
    model: Classifier,
    weights: Sequence[Tensor],
    album: Album,
    batch: tuple[Tensor, Tensor],
) -> tuple[float, tuple[Tensor, Tensor]]:
    """Set the gradients of one batch and draw the next one meanwhile.

    Several threads with one part of the batch each are faster than one operation on
    several threads. Random numbers are drawn in this thread alone, so that a seed
    always gives the same batches.
    """
    order = torch.randperm(len(batch[1]))
    parts = [(batch[0][part], batch[1][part]) for part in order.chunk(2)]
    waiting = [pool.submit(gradients, model, weights, *part) for part in parts]
    following = draw(album, len(batch[1]))
    results = [future.result() for future in waiting]
    for weight, *found in zip(weights, *(result[1] for result in results), strict=True):
        weight.grad = torch.stack(found).mean(0)
    return sum(result[0] for result in results) / len(results), following


def make_optimisers(
    model: nn.Module, inner: Iterable[nn.Parameter], muon_rate: float, adam_rate: float
) -> list[tuple[torch.optim.Optimizer, float]]:
    """Muon for the matrices inside the blocks, AdamW for the rest, each with its peak rate."""
    matrices = [p for p in inner if p.ndim == 2]
    chosen = {id(p) for p in matrices}
    rest = [p for p in model.parameters() if id(p) not in chosen]
    groups = [
        {"params": [p for p in rest if p.ndim > 1], "weight_decay": 0.05},
        {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return [
        (torch.optim.Muon(matrices, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"), muon_rate),
        (torch.optim.AdamW(groups, betas=(0.9, 0.98)), adam_rate),
    ]


def train(work: Path, schedule: Schedule) -> Classifier:
    """Train and return the averaged classifier; a checkpoint is kept in the work folder."""
    torch.manual_seed(schedule.seed)
    torch.set_num_threads(1)
    album = load_album(work)
    model = Classifier(VISION, len(CLASSES))
    average = copy.deepcopy(model).eval()
    weights = list(model.parameters())
    inner = model.tower.blocks.parameters()
    optimisers = make_optimisers(model, inner, schedule.muon_rate, schedule.vision_rate)
    started, running = time.monotonic(), 0.0
    batch = draw(album, schedule.vision_batch)
    with ThreadPoolExecutor(
        schedule.threads, initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        for step in range(schedule.vision_steps):
            for optimiser, peak in optimisers:
                for group in optimiser.param_groups:
                    group["lr"] = rate(step, schedule.vision_horizon, peak)
            loss, batch = step_together(pool, model, weights, album, batch)
            nn.utils.clip_grad_norm_(weights, 1.0)
            for optimiser, _ in optimisers:
                optimiser.step()
            blend(average, model, min(schedule.ema, (step + 1) / (step + 10)))
            running = loss if step == 0 else 0.98 * running + 0.02 * loss
            if step % 100 == 99 or step + 1 == schedule.vision_steps:
                checked = validate(average) if step % 500 == 499 else {}
                torch.save(average.state_dict(), work / "vision.pt")
                spent = time.monotonic() - started
                print(f"vision {step + 1} loss {running:.3f} {checked} {spent:.0f} s", flush=True)
    return average
