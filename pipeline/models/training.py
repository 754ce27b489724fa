"""Training a reward model: Bradley–Terry on preference pairs, with a penalty on the size of the scores.

Loss of a pair: −log σ(r_chosen − r_rejected) + β·(r_chosen² + r_rejected²) (Wen et al., Table 8; Hou et al. 2024).
The penalty fixes the offset and scale of the scores, which the first term leaves free. AdamW, linear warm-up, cosine.

The reward model decides what is trained: its head, its top blocks, or all of them. One loop serves stored trunk outputs
(`Features`) and those computed on demand (`Tokens`), one process and several (`Team`). Departs from the paper in that
the trunk, or at least the token embedding, stays frozen.
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
    """The processes that train one reward model together: here a single one, several in `training_processes`.

    Each takes its part of every batch; the gradient is the sum over the processes.
    """

    rank = 0
    processes = 1

    def share(self, reward_model: RewardModel) -> None:
        """Prepare the reward model, in place and before its optimiser, for training by all processes."""

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of this process's part of the loss, a scalar (shape `[]`)."""
        loss.backward()

    def total(self, values: Tensor) -> Tensor:
        """The sum of a tensor over the processes, on the CPU, of the same shape."""
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
    *,
    seed: int,
    team: Team | None = None,
) -> list[Point]:
    """Train in place; pairs are text numbers `[pairs, 2]`, the chosen first, after flips.

    A step is one batch of about `batch_pairs` pairs, however many processes share it and in however many parts each
    reads its share (`gradient_accumulation`): the gradient is that of the batch's mean loss.

    Returns the curve, once per epoch: training loss and accuracy (on the given labels), validation loss and accuracy
    (on the true ones, also before the first step). Raises InvalidConfig if a batch has fewer pairs than processes.
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

    def measure(step: int) -> list[Point]:
        chosen, rejected = _scores(reward_model, features, validation_pairs, team)
        accuracy = ((chosen > rejected).float() + 0.5 * (chosen == rejected).float()).mean()
        return [
            Point("validation_loss", step, pair_loss(chosen, rejected, settings.regularisation).item()),
            Point("validation_accuracy", step, accuracy.item()),
        ]

    curve = measure(0)
    for epoch in range(settings.epochs):
        losses, correct = [], 0
        reward_model.train()
        for batch in np.array_split(rng.permutation(len(train_pairs)), batches):
            optimizer.zero_grad()
            for part in _own_parts(batch, settings.gradient_accumulation, team):
                pairs = torch.from_numpy(train_pairs[part])
                chosen, rejected = reward_model(features, pairs.T.reshape(-1)).chunk(2)
                loss = pair_loss(chosen, rejected, settings.regularisation)
                team.backward(loss * (len(part) / len(batch)))
                losses.append(loss.item() * len(part))
                correct += int((chosen > rejected).sum())
            torch.nn.utils.clip_grad_norm_(parameters, _CLIP_NORM)
            optimizer.step()
            schedule.step()
        step = (epoch + 1) * batches
        lost, ordered = team.total(torch.tensor([sum(losses), correct], dtype=torch.float64)).tolist()
        curve.append(Point("train_loss", step, lost / len(train_pairs)))
        curve.append(Point("train_accuracy", step, ordered / len(train_pairs)))
        curve += measure(step)
    return curve


def _own_parts(batch: NDArray[np.int64], accumulation: int, team: Team) -> list[NDArray[np.int64]]:
    """This process's parts of a batch: as many as every other process has, none of them empty."""
    parts = min(accumulation, len(batch) // team.processes)
    return np.array_split(batch, parts * team.processes)[team.rank :: team.processes]


@torch.no_grad()
def _scores(
    reward_model: RewardModel, features: Features | Tokens, pairs: NDArray[np.int64], team: Team
) -> tuple[Tensor, Tensor]:
    """Scores of the chosen and of the rejected texts, `[pairs]` each, on the CPU."""
    reward_model.eval()
    used, places = np.unique(pairs, return_inverse=True)
    batches, scores = torch.arange(len(used)).split(features.at_once), torch.zeros(len(used))
    for first in range(0, len(batches), team.processes):  # every process reads equally often: they share the weights
        number = first + team.rank
        own = batches[min(number, len(batches) - 1)]
        own_scores = reward_model(features, torch.from_numpy(used)[own]).cpu()
        if number < len(batches):
            scores[own] = own_scores
    chosen, rejected = team.total(scores)[torch.from_numpy(places.reshape(pairs.shape))].T
    return chosen, rejected


def _rate(step: int, warmup: int, steps: int) -> float:
    """Share of the learning rate at a step: linear up, cosine down to zero."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1.0 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
