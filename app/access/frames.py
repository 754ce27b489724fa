"""Results as tables for charts, tables and downloads. Pure functions: evaluation or frame → Polars frame."""

from __future__ import annotations

import numpy as np
import polars as pl

from warehouse.study import Evaluation


def pairs(evaluation: Evaluation, reward_models: pl.DataFrame) -> pl.DataFrame:
    """One row per golden–proxy pair, the identity left out; figures are null where undefined.

    `reward_models` is the table of the run in the order of the evaluation's axes. `value` is the
    measure's value, `ndr_low` to `ndr_high` the 95 % interval of NDR.
    """
    names = reward_models["reward_model_id"].to_numpy()
    flips = reward_models["flip_rate"]
    golden, proxy = np.nonzero(~np.eye(len(names), dtype=bool))
    frame = pl.DataFrame(
        {
            "golden": names[golden],
            "proxy": names[proxy],
            "golden_flip_rate": flips.gather(golden),
            "proxy_flip_rate": flips.gather(proxy),
            "value": evaluation.value_MM[golden, proxy].astype(np.float64),
            "ndr": evaluation.ndr_MM[golden, proxy].astype(np.float64),
            "ndr_low": evaluation.ndr_low_MM[golden, proxy].astype(np.float64),
            "ndr_high": evaluation.ndr_high_MM[golden, proxy].astype(np.float64),
            "value_defined": evaluation.value_defined_MM[golden, proxy],
            "ndr_defined": evaluation.ndr_defined_MM[golden, proxy],
        }
    )
    return frame.with_columns(
        pl.when("ndr_defined").then(pl.col("ndr", "ndr_low", "ndr_high")),
        value=pl.when("value_defined").then("value"),
        regret=pl.when("ndr_defined").then(1 - pl.col("ndr")),
        defined=pl.col("value_defined") & pl.col("ndr_defined"),
    ).drop("value_defined", "ndr_defined")


def defined(pairs: pl.DataFrame) -> pl.DataFrame:
    """The pairs that enter the correlations."""
    return pairs.filter("defined")


def marked(pairs: pl.DataFrame, golden: str | None, proxy: str | None) -> pl.DataFrame:
    """The pairs with a column `chosen`: whether a row is the pair the user looks at."""
    is_chosen = (pl.col("golden") == pl.lit(golden)) & (pl.col("proxy") == pl.lit(proxy))
    return pairs.with_columns(chosen=is_chosen.fill_null(False))
