"""Small results made by hand, for tests of frames, charts and wording."""

from __future__ import annotations

import numpy as np
import polars as pl

from app.access import frames
from app.offers import Options
from warehouse.study import Estimate, Evaluation
from warehouse.study.correlation import Correlation

NAMES = ("flip-0.00", "flip-0.20", "flip-0.40")

REWARD_MODELS = pl.DataFrame(
    {
        "reward_model_id": NAMES,
        "flip_rate": [0.0, 0.2, 0.4],
        "validation_accuracy": [0.8, 0.7, 0.6],
        "train_pairs": [90, 90, 90],
    }
)

OPTIONS = Options(
    run="smoke-1",
    measures=("accuracy",),
    subsets={"Chat": ("advice",), "Safety": ("refuse",)},
    sizes={("Chat", "advice"): 10, ("Safety", "refuse"): 6},
    responses=5,
    strengths={"bon": (1.0, 2.0, 8.0)},
    rl_categories=("Chat", "Safety"),
    reward_models=NAMES,
)


def evaluation(undefined_golden: int | None = None) -> Evaluation:
    """Values 0.6 … and NDRs 0.1 …, counted up over the matrix; one golden may be without a defined NDR."""
    size = len(NAMES)
    off_diagonal = ~np.eye(size, dtype=bool)
    ndr_defined = np.ones((size, size), dtype=bool)
    if undefined_golden is not None:
        ndr_defined[undefined_golden] = False
    estimate = Correlation(
        *(0.5, 0.1, 0.8, 1000),
        sample=Estimate(0.45, 0.1, 0.75, 1000),
        measure_itself=Estimate(0.55, 0.12, 0.9, 1000),
        ceiling=Estimate(0.9, 0.8, 0.95, 1000),
        p_value=0.01,
    )
    return Evaluation(
        measure="accuracy",
        pair_MM=off_diagonal,
        value_MM=0.6 + np.arange(9.0).reshape(3, 3) / 100,
        value_defined_MM=off_diagonal,
        ndr_MM=np.arange(9.0).reshape(3, 3) / 10,
        ndr_low_MM=np.arange(9.0).reshape(3, 3) / 10 - 0.05,
        ndr_high_MM=np.arange(9.0).reshape(3, 3) / 10 + 0.05,
        ndr_defined_MM=ndr_defined,
        correlations=dict.fromkeys(("kendall", "spearman", "pearson", "mrr"), estimate),
        within={},
        undefined_pairs=int((off_diagonal & ~ndr_defined).sum()),
        undefined_prompts=0,
        prompts_used=16,
        rl_prompts_used=12,
        shared_prompts=0,
        replicates=1000,
        seed=0,
        resampled="reward models × prompts",
    )


def pairs(undefined_golden: int | None = None) -> pl.DataFrame:
    """The table of pairs, `flip-0.00` judged by `flip-0.20` chosen."""
    return frames.marked(frames.pairs(evaluation(undefined_golden), REWARD_MODELS), NAMES[0], NAMES[1])
