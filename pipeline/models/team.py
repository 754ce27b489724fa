"""The processes that train one reward model together: here the one that is alone, in `accelerated.py` several.

Each of them takes its part of every batch; what they learn is the sum.
"""

from __future__ import annotations

from torch import Tensor

from pipeline.models.reward_model import RewardModel


class Team:
    """A process that trains alone."""

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
