"""The results printed in the paper, shown next to a run's for comparison, never as an expectation.

Wen et al., Rethinking Reward Model Evaluation: Are We Barking up the Wrong Tree?, ICLR 2025, arXiv 2410.05584: ten
reward models from Llama-3-8B-Instruct, 2,733 RewardBench prompts. Its Table 1, which these figures are from, prints no
intervals; Tables 2 to 4 do.
"""

from __future__ import annotations

from collections.abc import Mapping

ACCURACY_AGAINST_NDR: Mapping[tuple[str, str], float] = {
    ("bon", "kendall"): 0.656,
    ("bon", "spearman"): 0.753,
    ("ppo", "kendall"): 0.465,
    ("ppo", "spearman"): 0.610,
}
"""Correlation of accuracy with NDR, by optimiser and kind of correlation."""

SETTING = (
    "The paper’s: 10 reward models from Llama-3-8B-Instruct on 2,733 RewardBench prompts "
    "([arXiv 2410.05584](https://arxiv.org/abs/2410.05584)), its Table 1, printed without intervals. "
    "Another setting, not a target."
)
