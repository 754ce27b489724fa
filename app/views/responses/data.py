"""What the Responses page shows: the prompts that match a search, the responses to one, and all their scores.

A score is shown in standard deviations of its reward model within prompts, from the mean over the initial policy's
responses to the prompt, so that 1 means the same for every reward model and policy.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
import streamlit as st

from app.access import warehouse
from app.access.warehouse import Snapshot
from app.views.responses import text
from warehouse import reads
from warehouse.metrics.cube import spread_within_prompts
from warehouse.schema import INITIAL, RL_ALGORITHMS

search_prompts = warehouse.cached(reads.responses.search_prompts, entries=64, spinner="Searching …")
prompt = warehouse.cached(reads.responses.prompt, entries=64)
answered_by = warehouse.cached(reads.responses.policies_answering, entries=64)
responses_to = warehouse.cached(reads.responses.responses_to, entries=512)
scores_of = warehouse.cached(reads.responses.scores_of, entries=512)


@st.cache_resource(max_entries=16, show_spinner="Reading the scores …")
def spreads(snapshot: Snapshot, run_id: str, split: str) -> dict[str, float]:
    """Standard deviation within prompts of each reward model's scores of the initial policy's responses."""
    with warehouse.cursor(snapshot) as connection:
        samples = reads.scores.initial_scores(connection, run_id, split)
    return dict(zip(samples.reward_models, spread_within_prompts(samples).tolist(), strict=True))


def standardised_scores(snapshot: Snapshot, run_id: str, prompt_id: str, split: str, policy_id: str) -> pl.DataFrame:
    """`standardised` of a policy's responses to a prompt."""
    scores, initial = (scores_of(snapshot, run_id, prompt_id, policy) for policy in (policy_id, INITIAL))
    return standardised(scores, initial, spreads(snapshot, run_id, split))


MOST_CELLS = 3000
"""The most cells of a heat strip that stay large enough to read."""

ORDERS = {"sample": "As sampled", "best": "Best first", "worst": "Worst first"}
"""How the responses to a prompt can be ordered; best and worst by the mean over the reward models."""


def standardised(scores: pl.DataFrame, initial: pl.DataFrame, spreads: Mapping[str, float]) -> pl.DataFrame:
    """The scores with `standard`, null for a reward model without any spread, and `pick`: the greatest of each model.

    `scores`, `initial`: columns `reward_model_id, sample, score` of one prompt; the means are of `initial`. A reward
    model that gives all of them the same score picks none.
    """
    means = initial.group_by("reward_model_id").agg(mean=pl.col("score").mean())
    spread = pl.col("reward_model_id").replace_strict(spreads, default=None, return_dtype=pl.Float64)
    greatest, least = pl.col("score").max().over("reward_model_id"), pl.col("score").min().over("reward_model_id")
    return scores.join(means, on="reward_model_id", how="left", maintain_order="left").select(
        "reward_model_id",
        "sample",
        "score",
        standard=pl.when(spread > 0).then((pl.col("score") - pl.col("mean")) / spread),
        pick=(pl.col("score") == greatest) & (greatest > least),
    )


def strip(standardised: pl.DataFrame, responses: pl.DataFrame) -> pl.DataFrame:
    """Cells of the heat strip: `reward_model, response, standard, score, pick, length`; responses count from 1."""
    lengths = pl.Series("length", [text.response_length(row) for row in responses.to_dicts()], dtype=pl.String())
    return standardised.join(
        responses.select("sample", lengths), on="sample", how="left", maintain_order="left"
    ).select(
        pl.col("reward_model_id").alias("reward_model"),
        (pl.col("sample") + 1).alias("response"),
        "standard",
        "score",
        "pick",
        "length",
    )


def names_shown(strip: pl.DataFrame) -> tuple[list[str], int]:
    """The first reward models of a strip for which the cells stay readable, and how many there are."""
    names: list[str] = strip["reward_model"].unique(maintain_order=True).to_list()
    responses = max(1, strip["response"].n_unique())
    return names[: max(1, MOST_CELLS // responses)], len(names)


def listed(responses: pl.DataFrame, standardised: pl.DataFrame, order: str, limit: int | None = None) -> pl.DataFrame:
    """The first responses in an order of `ORDERS`, with `mean` over reward models and `picked_by`, who picks it."""
    verdicts = standardised.group_by("sample").agg(
        mean=pl.col("standard").mean(), picked_by=pl.col("reward_model_id").filter(pl.col("pick"))
    )
    frame = responses.join(verdicts, on="sample", how="left", maintain_order="left")
    if order in ("best", "worst"):
        frame = frame.sort("mean", descending=order == "best", nulls_last=True, maintain_order=True)
    return frame if limit is None else frame.head(limit)


def trained_by(answered: pl.DataFrame) -> list[str]:
    """The algorithms that trained policies which answered."""
    answering = set(answered["optimizer"])
    return [name for name in RL_ALGORITHMS if name in answering]


def optimised_against(answered: pl.DataFrame, optimizer: str | None) -> list[str]:
    """Reward models that checkpoints of this algorithm with responses were optimised against; none without one."""
    if optimizer is None:
        return []
    names: list[str] = answered.filter(optimizer=optimizer)["reward_model_id"].drop_nulls().unique().sort().to_list()
    return names


def most_samples(answered: pl.DataFrame) -> int:
    """The greatest number of responses that a checkpoint gave, 1 without any."""
    counts: list[int] = answered.filter(pl.col("optimizer").is_in(RL_ALGORITHMS))["responses"].to_list()
    return max(counts, default=1)


def checkpoints(answered: pl.DataFrame, optimizer: str, reward_model: str, most: int = 12) -> pl.DataFrame:
    """Checkpoints against a reward model that answered, by step; of many, evenly spaced ones with both ends."""
    steps = answered.filter(optimizer=optimizer, reward_model_id=reward_model).sort("strength", "policy_id")
    if steps.height <= most:
        return steps
    return steps[np.unique(np.linspace(0, steps.height - 1, most).round().astype(int)).tolist()]


def own_and_others(standardised: pl.DataFrame, sample: int, reward_model: str) -> tuple[float | None, float | None]:
    """A response's standardised score by one reward model, and the mean over all others."""
    of_sample = standardised.filter(pl.col("sample") == sample)
    own = of_sample.filter(pl.col("reward_model_id") == reward_model)["standard"].mean()
    others = of_sample.filter(pl.col("reward_model_id") != reward_model)["standard"].mean()
    return own, others  # type: ignore[return-value]
