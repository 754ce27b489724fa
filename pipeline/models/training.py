"""Training a reward model: Bradley–Terry on preference pairs, with a penalty on the size of the scores.

Loss of a pair: −log σ(r_chosen − r_rejected) + β·(r_chosen² + r_rejected²) (Wen et al., Table 8; Hou et al. 2024).
The penalty pins down the scores' offset and scale, which the first term leaves free. AdamW, linear warm-up, cosine.
Departs from the paper in what is trained: the head and at most the top blocks, on cached trunk features.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import logsigmoid

from pipeline.config import RewardModelSettings
from pipeline.models.reward_model import RewardModel
from pipeline.models.trunk import Features

_CLIP_NORM = 1.0


@dataclass(frozen=True)
class Point:
    """One point of a training curve."""

    metric: str
    step: int
    value: float


def pair_loss(chosen: Tensor, rejected: Tensor, regularisation: float) -> Tensor:
    """Mean loss over pairs; `chosen` and `rejected` are scores `[pairs]`."""
    return (-logsigmoid(chosen - rejected) + regularisation * (chosen**2 + rejected**2)).mean()


def train(
    reward_model: RewardModel,
    features: Features,
    train_pairs: NDArray[np.int64],
    validation_pairs: NDArray[np.int64],
    settings: RewardModelSettings,
    seed: int,
) -> list[Point]:
    """Train in place; pairs are `[pairs, 2]` text numbers, the chosen first, flips already made.

    Returns the curve: training loss and accuracy (on the labels it was given) and validation loss and accuracy (on the
    true ones), from before the first step to after the last, once an epoch.
    """
    parameters = [parameter for parameter in reward_model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    batches = math.ceil(len(train_pairs) / settings.batch_pairs)
    steps = settings.epochs * batches
    warmup = max(1, round(settings.warmup_share * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, warmup, steps))
    rng = np.random.default_rng(seed)
    curve = _measure(reward_model, features, validation_pairs, settings, 0)
    reward_model.train()
    for epoch in range(settings.epochs):
        losses, right = [], 0
        for batch in np.array_split(rng.permutation(len(train_pairs)), batches):
            pairs = torch.from_numpy(train_pairs[batch])
            scores = reward_model(features, pairs.T.reshape(-1))
            chosen, rejected = scores.chunk(2)
            loss = pair_loss(chosen, rejected, settings.regularisation)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, _CLIP_NORM)
            optimiser.step()
            schedule.step()
            losses.append(loss.item() * len(batch))
            right += int((chosen > rejected).sum())
        step = (epoch + 1) * batches
        curve.append(Point("train_loss", step, sum(losses) / len(train_pairs)))
        curve.append(Point("train_accuracy", step, right / len(train_pairs)))
        curve += _measure(reward_model, features, validation_pairs, settings, step)
    reward_model.eval()
    return curve


@torch.inference_mode()
def _measure(
    reward_model: RewardModel,
    features: Features,
    pairs: NDArray[np.int64],
    settings: RewardModelSettings,
    step: int,
) -> list[Point]:
    used, places = np.unique(pairs, return_inverse=True)
    batches = torch.from_numpy(used).split(256)
    scores = torch.cat([reward_model(features, texts) for texts in batches])
    chosen, rejected = scores[torch.from_numpy(places.reshape(pairs.shape))].T
    accuracy = ((chosen > rejected).float() + 0.5 * (chosen == rejected).float()).mean()
    return [
        Point("validation_loss", step, pair_loss(chosen, rejected, settings.regularisation).item()),
        Point("validation_accuracy", step, accuracy.item()),
    ]


def _rate(step: int, warmup: int, steps: int) -> float:
    """Share of the learning rate at a step: linear up, cosine down to zero."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1.0 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
