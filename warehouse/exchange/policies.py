"""Policies of an imported run and what they are worth: the initial one, best-of-n, and those whose values were given.

Best-of-n has policies for n = 2, 4, 8 … and all N samples but no rows of values: with many reward models there would be
far more of them than scores, and `reads.values.policy_values` has them from the scores sooner than from a table.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from warehouse.errors import InvalidRows
from warehouse.exchange.sheet import Sheet, invalid, shown
from warehouse.schema import INITIAL
from warehouse.study import best_of_n_kl_bound

Cube = NDArray[np.float32]


def strengths_for(N: int) -> list[int]:
    """The n that best-of-n is valued at: powers of two, and N."""
    powers = [2**power for power in range(1, N.bit_length()) if 2**power < N]
    return [*powers, N]


def policies(
    sheets: Sequence[Sheet], given: pl.DataFrame, models: list[str], prompts: list[str], scores_MPN: Cube
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Tables `policy` and `policy_value`, without `run_id`; `prompts` names axis P, `given` has the same ids.

    What was given stands in place of what would be computed for the same policies.
    """
    given = _named(given)
    _check(sheets, given, models, prompts)
    taken = set(given.filter(optimizer="bon")["strength"])
    strengths = [n for n in strengths_for(scores_MPN.shape[2]) if n not in taken]
    rows = [_policy(INITIAL, "none")]
    rows += [_policy(f"bon-{n}/{model}", "bon", model, float(n)) for model in models for n in strengths]
    others = given.filter(pl.col("optimizer") != "none").unique("policy_id", keep="first", maintain_order=True)
    rows += [
        _policy(row["policy_id"], row["optimizer"], row["reward_model"], row["strength"], row["kl"])
        for row in others.to_dicts()
    ]
    values = given.select("policy_id", "prompt_id", "value", golden_id="golden")
    if given.filter(optimizer="none").is_empty():
        initial = _values(INITIAL, models, prompts, scores_MPN.mean(axis=2, dtype=np.float64))
        values = pl.concat([initial.select(values.columns), values])
    return pl.DataFrame(rows, infer_schema_length=None), values


def _named(given: pl.DataFrame) -> pl.DataFrame:
    optimizer, strength = pl.col("optimizer"), pl.col("strength")
    shown_strength = pl.when(strength == strength.round()).then(
        strength.cast(pl.Int64(), strict=False).cast(pl.String())
    )
    name = pl.format("{}-{}/{}", optimizer, pl.coalesce(shown_strength, strength.cast(pl.String())), "reward_model")
    named = pl.when(optimizer == "none").then(pl.lit(INITIAL)).otherwise(pl.coalesce("policy_id", name))
    return given.with_columns(policy_id=named)


def _check(sheets: Sequence[Sheet], given: pl.DataFrame, models: list[str], prompts: list[str]) -> None:
    """Raises InvalidRows for unknown ids, keys that are there twice, and policies not valued for all."""
    for column, known, what in (
        ("golden", models, "reward models"),
        ("reward_model", models, "reward models"),
        ("prompt_id", prompts, "RL-test prompts"),
    ):
        stray = given.filter(pl.col(column).is_not_null() & ~pl.col(column).is_in(known))
        if stray.height:
            raise _wrong(
                sheets,
                stray,
                column,
                f"{what} are {shown([name.removesuffix('#rl') for name in known])}: score it or leave it out",
            )
    no_n = given.filter((pl.col("optimizer") == "bon") & ((pl.col("strength") < 1) | (pl.col("strength") % 1 != 0)))
    if no_n.height:
        raise _wrong(sheets, no_n, "strength", "best-of-n draws a whole number of samples: give n, 1 or more")
    group = ("optimizer", "strength", "reward_model")
    repeated = given.filter(~pl.struct(*group, "golden", "prompt_id").is_first_distinct())
    if repeated.height:
        raise _wrong(sheets, repeated, "prompt_id", "this policy has a value for this golden and prompt already")
    for column in ("optimizer", "strength", "reward_model", "kl"):
        mixed = given.filter(pl.col(column).n_unique().over("policy_id") > 1)
        if mixed.height:
            raise _wrong(sheets, mixed, "policy_id", f"the policy has several values of {column}: give each its own id")
    several = given.filter(pl.col("policy_id").n_unique().over(group) > 1)
    if several.height:
        raise _wrong(sheets, several, "policy_id", "one optimiser, strength and reward model is one policy: name it so")
    initial = given.filter(optimizer="none")
    if initial.height and initial.height != len(models) * len(prompts):
        raise _wrong(
            sheets, initial, "value", f"the initial policy has {initial.height} values: {_all(models, prompts)}"
        )
    wanted = len(models) ** 2 * len(prompts)
    few = given.filter(pl.col("optimizer") != "none").filter(pl.len().over("optimizer", "strength") != wanted)
    if few.height:
        got = few.filter(optimizer=few["optimizer"][0], strength=few["strength"][0]).height
        place = f"{few['optimizer'][0]} at {few['strength'][0]:g} has {got} values, wanted {wanted}"
        raise _wrong(sheets, few, "value", f"{place}, for all {len(models)} reward models and {_all(models, prompts)}")


def _all(models: list[str], prompts: list[str]) -> str:
    return f"a value for all {len(models)} goldens and {len(prompts)} RL-test prompts"


def _wrong(sheets: Sequence[Sheet], rows: pl.DataFrame, column: str, remedy: str) -> InvalidRows:
    got = rows[column][0]
    got = got.removesuffix("#rl") if isinstance(got, str) and column == "prompt_id" else got
    return invalid(f"{sheets[rows['file'][0]].at(rows['row'][0])}, column {column}: got {shown(got)}; {remedy}")


def _policy(
    policy_id: str, optimizer: str, model: str | None = None, strength: float | None = None, kl: float | None = None
) -> dict[str, object]:
    bound = best_of_n_kl_bound(int(strength)) if kl is None and optimizer == "bon" and strength else None
    return {
        "policy_id": policy_id,
        "optimizer": optimizer,
        "reward_model_id": model,
        "strength": strength,
        "kl": 0.0 if optimizer == "none" else kl if bound is None else bound,
        "kl_estimator": None if bound is None else "bound",
        "kl_coefficient": None,
        "temperature": None,
        "system_prompt": None,
        "base_model": "unknown",
    }


def _values(policy_id: str, models: list[str], prompts: list[str], values_MP: NDArray[np.float64]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "policy_id": [policy_id] * values_MP.size,
            "golden_id": np.repeat(np.array(models, dtype=object), len(prompts)),
            "prompt_id": prompts * len(models),
            "value": values_MP.ravel(),
        },
        schema_overrides={"golden_id": pl.String()},
    )
