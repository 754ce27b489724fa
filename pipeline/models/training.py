"""Training a reward model: Bradley–Terry on preference pairs, with a penalty on the size of the scores.

Loss of a pair: −log σ(r_chosen − r_rejected) + β·(r_chosen² + r_rejected²) (Wen et al., Table 8; Hou et al. 2024).
The penalty pins down the scores' offset and scale, which the first term leaves free. AdamW, linear warm-up, cosine.

What is trained is up to the reward model: its head, its top blocks, or all of them. One loop serves trunk features that
were read before (`Features`) and texts whose trunk outputs are made as they are asked for (`Tokens`), and one process
as well as several (`Team`). Departs from the paper where the trunk, at the least the token embedding, stays frozen.
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
from pipeline.errors import InvalidConfig
from pipeline.models.reward_model import RewardModel
from pipeline.models.trunk import Features, Tokens

_CLIP_NORM = 1.0


@dataclass(frozen=True)
class Point:
    """One point of a training curve."""

    metric: str
    step: int
    value: float


class Team:
    """The processes that train one reward model together: here the one that trains alone.

    Each of them takes its part of every batch; what they learn is the sum. `training_process.py` has several.
    """

    rank = 0
    processes = 1

    def share(self, reward_model: RewardModel) -> None:
        """Make the reward model, in place, one that learns from what all processes read; before its optimiser."""

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a loss, of which every process has a part; the loss of all is their sum."""
        loss.backward()

    def total(self, values: Tensor) -> Tensor:
        """The sum of a tensor over the processes, on the CPU."""
        return values.cpu()


def pair_loss(chosen: Tensor, rejected: Tensor, regularisation: float) -> Tensor:
    """Mean loss over pairs; `chosen` and `rejected` are scores `[pairs]`."""
    return (-logsigmoid(chosen - rejected) + regularisation * (chosen**2 + rejected**2)).mean()


def train(
    reward_model: RewardModel,
    features: Features | Tokens,
    train_pairs: NDArray[np.int64],
    validation_pairs: NDArray[np.int64],
    settings: RewardModelSettings,
    seed: int,
    team: Team | None = None,
) -> list[Point]:
    """Train in place; pairs are `[pairs, 2]` text numbers, the chosen first, flips already made.

    A step is one batch of about `batch_pairs` pairs, whatever the number of processes and of the parts that each of
    them takes one after the other (`gradient_accumulation`): the gradient is that of the batch's mean loss.

    Returns the curve: training loss and accuracy (on the labels it was given) and validation loss and accuracy (on the
    true ones), from before the first step to after the last, once an epoch. Raises InvalidConfig where a batch has
    fewer pairs than there are processes.
    """
    team = team or Team()
    if settings.gradient_checkpointing:
        reward_model.checkpoint_gradients()
    team.share(reward_model)
    parameters = [parameter for parameter in reward_model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    batches = math.ceil(len(train_pairs) / settings.batch_pairs)
    if len(train_pairs) // batches < team.processes:
        raise InvalidConfig(
            f"reward_models.processes is {team.processes} and a batch has {len(train_pairs) // batches} of the "
            f"{len(train_pairs)} training pairs; give fewer processes or more pairs"
        )
    steps = settings.epochs * batches
    warmup = max(1, round(settings.warmup_share * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, warmup, steps))
    rng = np.random.default_rng(seed)
    curve = _measure(reward_model, features, validation_pairs, settings, 0, team)
    for epoch in range(settings.epochs):
        losses, right = [], 0
        reward_model.train()
        for batch in np.array_split(rng.permutation(len(train_pairs)), batches):
            optimizer.zero_grad()
            for part in _own_parts(batch, settings.gradient_accumulation, team):
                pairs = torch.from_numpy(train_pairs[part])
                chosen, rejected = reward_model(features, pairs.T.reshape(-1)).chunk(2)
                loss = pair_loss(chosen, rejected, settings.regularisation)
                team.backward(loss * (len(part) / len(batch)))
                losses.append(loss.item() * len(part))
                right += int((chosen > rejected).sum())
            torch.nn.utils.clip_grad_norm_(parameters, _CLIP_NORM)
            optimizer.step()
            schedule.step()
        step = (epoch + 1) * batches
        lost, ordered = team.total(torch.tensor([sum(losses), right], dtype=torch.float64)).tolist()
        curve.append(Point("train_loss", step, lost / len(train_pairs)))
        curve.append(Point("train_accuracy", step, ordered / len(train_pairs)))
        curve += _measure(reward_model, features, validation_pairs, settings, step, team)
    return curve


def _own_parts(batch: NDArray[np.int64], accumulation: int, team: Team) -> list[NDArray[np.int64]]:
    """This process's parts of a batch: as many as every other one has, and none of them empty."""
    parts = min(accumulation, len(batch) // team.processes)
    return np.array_split(batch, parts * team.processes)[team.rank :: team.processes]


@torch.no_grad()
def _measure(
    reward_model: RewardModel,
    features: Features | Tokens,
    pairs: NDArray[np.int64],
    settings: RewardModelSettings,
    step: int,
    team: Team,
) -> list[Point]:
    reward_model.eval()
    used, places = np.unique(pairs, return_inverse=True)
    batches, scores = torch.arange(len(used)).split(features.at_once), torch.zeros(len(used))
    for first in range(0, len(batches), team.processes):  # all processes read as often: they share the weights
        number = first + team.rank
        own = batches[min(number, len(batches) - 1)]
        read = reward_model(features, torch.from_numpy(used)[own]).cpu()
        if number < len(batches):
            scores[own] = read
    chosen, rejected = team.total(scores)[torch.from_numpy(places.reshape(pairs.shape))].T
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
