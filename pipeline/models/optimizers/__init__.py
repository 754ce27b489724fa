"""The optimisers that train a policy in process: one interface, `trained_policy`; a file for each algorithm."""

from collections.abc import Mapping

from pipeline.config import Algorithm
from pipeline.models.optimizers.grpo import GRPO
from pipeline.models.optimizers.ppo import PPO
from pipeline.models.optimizers.rloo import RLOO
from pipeline.models.optimizers.sft import SFT
from pipeline.models.optimizers.trained_policy import TrainedPolicy

OPTIMIZERS: Mapping[Algorithm, type[TrainedPolicy]] = {"ppo": PPO, "rloo": RLOO, "grpo": GRPO, "sft": SFT}
"""By the name of the algorithm in the profile."""
