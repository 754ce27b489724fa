"""The tables that several pages share. Pure functions: result or frame → Polars frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from warehouse.stats.bootstrap import Estimate
from warehouse.study import Evaluation
from warehouse.study.correlation import Correlation


def pairs(evaluation: Evaluation, reward_models: pl.DataFrame) -> pl.DataFrame:
    """One row per golden–proxy pair of the evaluation; figures are null where undefined.

    `reward_models` is the table of the run in the order of the evaluation's axes. Columns `golden, proxy`, their
    `golden_flip_rate, proxy_flip_rate`, the measure's `value`, `ndr` with its 95% interval `ndr_low` to `ndr_high`,
    `regret`, and `defined`: whether both value and NDR are.
    """
    names = reward_models["reward_model_id"].to_list()
    value = pair_rows(names, evaluation.value_defined_MM, {"value": evaluation.value_MM})
    ndr_MM = {"ndr": evaluation.ndr_MM, "ndr_low": evaluation.ndr_low_MM, "ndr_high": evaluation.ndr_high_MM}
    ndr = pair_rows(names, evaluation.ndr_defined_MM, ndr_MM).drop("golden", "proxy")
    flip_rates = reward_models["flip_rate"]
    golden, proxy = np.nonzero(~np.eye(len(names), dtype=bool))
    frame = pl.concat([value, ndr], how="horizontal").select(
        "golden",
        "proxy",
        flip_rates.gather(golden).alias("golden_flip_rate"),
        flip_rates.gather(proxy).alias("proxy_flip_rate"),
        *("value", "ndr", "ndr_low", "ndr_high"),
        regret=1 - pl.col("ndr"),
        defined=pl.col("value").is_not_null() & pl.col("ndr").is_not_null(),
    )
    return frame.filter(pl.Series(evaluation.pair_MM[golden, proxy], dtype=pl.Boolean))


def pair_rows(
    names: Sequence[str],
    defined_MM: NDArray[np.bool_],
    figures_MM: Mapping[str, NDArray[np.float64]],
    columns: tuple[str, str] = ("golden", "proxy"),
) -> pl.DataFrame:
    """One row per ordered pair of reward models, the identity left out; figures are null where undefined.

    `defined_MM` and each of `figures_MM` are `[M, M]`; `columns` name their first and second axis.
    """
    first, second = np.nonzero(~np.eye(len(names), dtype=bool))
    labels = pl.Series(list(names), dtype=pl.String)
    frame = pl.DataFrame({columns[0]: labels.gather(first), columns[1]: labels.gather(second)})
    figures = [pl.Series(name, values[first, second], dtype=pl.Float64) for name, values in figures_MM.items()]
    is_defined = pl.Series("is_defined", defined_MM[first, second], dtype=pl.Boolean)
    frame = frame.with_columns(*figures, is_defined)
    return frame.with_columns(pl.when("is_defined").then(pl.col(*figures_MM))).drop("is_defined")


MOST_DRAWN = 60
"""Reward models beyond which a chart of pairs shows the first ones only, so that its marks can be told apart."""


def drawn(pairs: pl.DataFrame, names: Sequence[str], columns: tuple[str, str] = ("golden", "proxy")) -> pl.DataFrame:
    """The pairs among the first `MOST_DRAWN` of these reward models."""
    return pairs.filter(pl.all_horizontal(pl.col(*columns).is_in(list(names[:MOST_DRAWN]))))


def figures_of(name: str, estimate: Estimate, low: str = "low", high: str = "high") -> dict[str, float | None]:
    """A figure and the ends of its interval as the cells of a row."""
    return {name: estimate.value, low: estimate.low, high: estimate.high}


CORRELATION = (
    *("value", "low", "high"),
    *("measure_itself", "measure_itself_low", "measure_itself_high"),
    *("sample", "ceiling", "of_ceiling", "p_value"),
)
"""The columns of `correlation_of`."""


def correlation_of(correlation: Correlation) -> dict[str, float | None]:
    """All that is known of a correlation as the cells of a row: about this test set, about the measure itself, plain.

    `of_ceiling` is the plain correlation `sample` as a share of the noise `ceiling`, `p_value` that of no prediction.
    """
    return {
        **figures_of("value", correlation),
        **figures_of("measure_itself", correlation.measure_itself, "measure_itself_low", "measure_itself_high"),
        "sample": correlation.sample.value,
        "ceiling": correlation.ceiling.value,
        "of_ceiling": correlation.of_ceiling,
        "p_value": correlation.p_value,
    }


def floats(*names: str) -> dict[str, type[pl.DataType]]:
    """The schema of columns of figures."""
    return dict.fromkeys(names, pl.Float64)


def defined(pairs: pl.DataFrame) -> pl.DataFrame:
    """The pairs that enter the correlations."""
    return pairs.filter("defined")


def marked(pairs: pl.DataFrame, golden: str | None, proxy: str | None) -> pl.DataFrame:
    """The pairs with a column `chosen`: whether a row is the pair the user looks at."""
    is_chosen = (pl.col("golden") == pl.lit(golden)) & (pl.col("proxy") == pl.lit(proxy))
    return pairs.with_columns(chosen=is_chosen.fill_null(False))
