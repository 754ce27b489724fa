"""What a plan assumes beside the settings: the GPU, how well it is used, how long texts are. All can be overridden."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.config import Config

_TOKEN_CHARACTERS = 4
_LONGEST_PROMPT_TOKENS = 1024
_OWN_PROMPT_TOKENS = 60
"""The project's own prompts in the embedded model's chat template; `pipeline/workload.py` counts so many too."""


@dataclass(frozen=True)
class Gpu:
    """Its peak in dense bfloat16 products, by the maker's data sheet, and its memory."""

    name: str
    tflops: float
    memory_gb: float


GPUS: Mapping[str, Gpu] = {
    gpu.name: gpu
    for gpu in (
        Gpu("h100", 989, 80),
        Gpu("h200", 989, 141),
        Gpu("a100", 312, 80),
        Gpu("l40s", 362, 48),
    )
}


@dataclass(frozen=True)
class Assumptions:
    """`…_share` is the share of the GPU's peak that is reached: in training, in reading texts, in sampling.

    Lengths are in tokens: a prompt, a response, and a text of a preference pair with its prompt. `ray`: whether parts
    of a stage are made side by side by Ray's tasks, a GPU each; otherwise one process makes them one after the other.
    """

    gpu: Gpu
    gpus: int
    ray: bool
    training_share: float
    reading_share: float
    sampling_share: float
    prompt_tokens: int
    response_tokens: int
    pair_tokens: int


def longest_pair_tokens(config: Config) -> int:
    """The most that the settings let through."""
    if config.preferences.files:
        return config.preferences.max_characters // _TOKEN_CHARACTERS
    return _OWN_PROMPT_TOKENS + config.policy.max_new_tokens


def longest_prompt_tokens(config: Config) -> int:
    """As many as OpenRLHF is told to take; of the project's own prompts, as many as they have."""
    if not config.prompts.files:
        return _OWN_PROMPT_TOKENS
    return config.ppo.openrlhf.max_prompt_tokens if config.ppo else _LONGEST_PROMPT_TOKENS
