"""Policies of an imported run and their values: the initial one, by weighting, and those whose values were given.

Best-of-n has policies for n = 2, 4, 8 … and the largest n that at least two prompts have samples for, tilted policies
for each λ that the samples allow, but no rows of values: with many reward models there would be far more of them than
scores, and `reads.values` computes them from the scores faster than it could read them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import polars as pl

from warehouse.exchange.sheet import Sheet, shown, wrong_row
from warehouse.metrics.cube import ScoreCube, by_prompt
from warehouse.metrics.policies.best_of_n import best_of_n_kl_bound
from warehouse.metrics.policies.tilted import tilted_policies
from warehouse.schema import INITIAL, LABEL, SAME_PROMPT, TABLES

_GROUP = ("optimizer", "strength", "reward_model")


class PolicyRows(NamedTuple):
    """Tables `policy` and `policy_value`, without `run_id`."""

    policy: pl.DataFrame
    policy_value: pl.DataFrame


def policy_rows(
    sheets: Sequence[Sheet], given: pl.DataFrame, scorers: pl.DataFrame, sampled: pl.DataFrame
) -> PolicyRows:
    """All policies; given values replace what would be computed for the same policies.

    `sampled` has `reward_model, prompt_id, score`: the scores of all `scorers` for the samples of the RL-test prompts,
    sorted by both; `given` has the same ids. Raises InvalidRows for given values that are not whole.
    """
    given = _named(given)
    models = scorers["reward_model_id"].sort().to_list()
    counts = sampled.filter(reward_model=models[0]).group_by("prompt_id").len().sort("prompt_id")
    _check(sheets, given, scorers, counts["prompt_id"].to_list())
    given_n = set(given.filter(optimizer="bon")["strength"])
    N = int(counts["len"].sort(descending=True)[1])  # what two prompts reach
    powers = [2**power for power in range(1, N.bit_length()) if 2**power < N]
    strengths = [n for n in (*powers, N) if n not in given_n]
    rows: list[dict[str, Any]] = [{"policy_id": INITIAL, "optimizer": "none", "kl": 0.0}]
    rows += [
        {"policy_id": f"bon-{n}/{model}", "optimizer": "bon", "reward_model_id": model, "strength": float(n)}
        for model in models
        for n in strengths
    ]
    if "tilted" not in given["optimizer"]:
        rows += tilted_rows(_cube(sampled, models, counts))
    others = given.filter(pl.col("optimizer") != "none").unique("policy_id", keep="first", maintain_order=True)
    rows += others.select("policy_id", "optimizer", "strength", "kl", reward_model_id="reward_model").to_dicts()
    for row in rows:
        row["base_model"] = "unknown"
        if row["optimizer"] == "bon" and row.get("kl") is None:
            row |= {"kl": best_of_n_kl_bound(int(row["strength"])), "kl_estimator": "bound"}
    values = given.select("policy_id", "prompt_id", "value", golden_id="golden")
    initial_given = given.filter(optimizer="none")["golden"].unique().implode()
    means = sampled.filter(~pl.col("reward_model").is_in(initial_given))
    means = means.group_by("reward_model", "prompt_id", maintain_order=True).agg(
        pl.col("score").cast(pl.Float64()).mean()
    )
    initial = means.select("prompt_id", policy_id=pl.lit(INITIAL), golden_id="reward_model", value="score")
    values = pl.concat([initial.select(values.columns), values])
    return PolicyRows(TABLES["policy"].rows_of_one_run(rows), values)


def tilted_rows(cube: ScoreCube) -> list[dict[str, Any]]:
    """Rows of table `policy`: a policy tilted by each reward model, at each λ that the samples allow."""
    offered = tilted_policies(cube).offered()
    return [
        {
            "policy_id": f"tilted-{strength:g}/{model}",
            "optimizer": "tilted",
            "reward_model_id": model,
            "strength": strength,
            "kl": float(kl),
            "kl_estimator": "weights",
        }
        for strength, kl_M in zip(offered.strengths, offered.kl_SM, strict=True)
        for model, kl in zip(cube.reward_models, kl_M, strict=True)
    ]


def _cube(sampled: pl.DataFrame, models: list[str], counts: pl.DataFrame) -> ScoreCube:
    """The scores of the samples; `counts` has `prompt_id, len`, by the first."""
    counts_P = counts["len"].cast(pl.Int64).to_numpy()
    names = tuple(counts["prompt_id"])
    scores_MK = sampled["score"].to_numpy().reshape(len(models), -1)
    return ScoreCube(by_prompt(scores_MK, counts_P), tuple(models), names, names, names, counts_P)


def _named(given: pl.DataFrame) -> pl.DataFrame:
    """With an id for each policy: the given one, or optimiser, strength and reward model."""
    optimizer, strength = pl.col("optimizer"), pl.col("strength")
    whole = pl.when(strength == strength.round()).then(strength.cast(pl.Int64(), strict=False).cast(pl.String()))
    name = pl.format("{}-{}/{}", optimizer, pl.coalesce(whole, strength.cast(pl.String())), "reward_model")
    named = pl.when(optimizer == "none").then(pl.lit(INITIAL)).otherwise(pl.coalesce("policy_id", name))
    return given.with_columns(policy_id=named)


def _check(sheets: Sequence[Sheet], given: pl.DataFrame, scorers: pl.DataFrame, prompts: list[str]) -> None:
    """Raises InvalidRows for unknown ids, repeated keys, and policies that lack values.

    Policies are against all that are no goldens only, and have values of all that are no proxies only; those of labels
    may be missing, since nobody has them.
    """
    names = {
        role: scorers.filter(pl.col("role").is_null() | (pl.col("role") == role))["reward_model_id"].sort().to_list()
        for role in ("golden", "proxy")
    }
    goldens = [name for name in names["golden"] if name != LABEL or (given["golden"] == LABEL).any()]
    G, M, P = len(goldens), len(names["proxy"]), len(prompts)
    is_initial = pl.col("optimizer") == "none"
    checks: list[tuple[pl.Expr, str, str]] = []  # rows that are wrong, the column to name, what to do
    for column, known, what in (
        ("golden", scorers["reward_model_id"].sort().to_list(), "reward models"),
        ("reward_model", names["proxy"], "reward models"),
        ("prompt_id", prompts, "RL-test prompts"),
    ):
        listed = shown([name.removesuffix(SAME_PROMPT["rl_test"]) for name in known])
        unknown = pl.col(column).is_not_null() & ~pl.col(column).is_in(known)
        checks.append((unknown, column, f"{what} are {listed}: score it or leave it out"))
    no_n = (pl.col("optimizer") == "bon") & ((pl.col("strength") < 1) | (pl.col("strength") % 1 != 0))
    checks.append((no_n, "strength", "best-of-n draws a whole number of samples: give n, 1 or more"))
    again = ~pl.struct(*_GROUP, "golden", "prompt_id").is_first_distinct()
    checks.append((again, "prompt_id", "this policy has a value for this golden and prompt already"))
    for column in (*_GROUP, "kl"):
        mixed = pl.col(column).n_unique().over("policy_id") > 1
        checks.append((mixed, "policy_id", f"the policy has several values of {column}: give each its own id"))
    several = pl.col("policy_id").n_unique().over(_GROUP) > 1
    checks.append((several, "policy_id", "one optimiser, strength and reward model is one policy: give it one id"))
    every = f"a value for all {G} goldens and {P} RL-test prompts"
    needed = pl.col("golden").is_in(goldens)
    count = given.filter(is_initial & needed).height
    checks.append((is_initial & pl.lit(count != G * P), "value", f"the initial policy has {count} values: {every}"))
    for wrong, column, remedy in checks:
        rows = given.filter(wrong)
        if rows.height:
            got = rows[column][0]
            got = got.removesuffix(SAME_PROMPT["rl_test"]) if column == "prompt_id" else got
            raise wrong_row(sheets, rows, column, got, remedy)
    few = given.filter(~is_initial & needed).filter(pl.len().over("optimizer", "strength") != G * M * P)
    if few.height:
        optimizer, strength = few["optimizer"][0], few["strength"][0]
        got = few.filter(optimizer=optimizer, strength=strength).height
        place = f"{optimizer} at {strength:g} has {got} values, wanted {G * M * P}"
        raise wrong_row(sheets, few, "value", few["value"][0], f"{place}, for all {M} reward models and {every}")
