"""The tables of the Overoptimisation page. Pure functions: results → Polars frames; undefined figures are null."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from app.access.frames import figures_of, floats, pair_rows
from warehouse.metrics.policies.worst_picks import WorstPicks
from warehouse.metrics.roles import Roles
from warehouse.stats.bootstrap import Estimate
from warehouse.study.curves.gain_curves import CURVES, DegreeMap, FittedCurve, GainCurves
from warehouse.study.curves.strength_curves import LengthDrift, NdrCurve
from warehouse.study.goodhart import GoodhartSlopes, slope_of_accuracy

OWN = "Own reward, itself optimised"
LEFT_OVER = "Golden reward without length"
ALL = "mean of all"
_LINE_POINTS = 60


def labelled(result: GainCurves, averaged: bool) -> Mapping[str, FittedCurve]:
    """The curves by title. Averaged over all pairs of the same goldens and proxies, their own gains are one curve."""
    if averaged:
        return {OWN: result.curves["own"], CURVES["golden"]: result.curves["golden"]}
    return {title: result.curves[name] for name, title in CURVES.items()}


def gains(curves: Mapping[str, FittedCurve], strengths: Sequence[float]) -> pl.DataFrame:
    """One row per curve and strength: `curve, strength, distance, gain, low, high`."""
    rows = [
        {"curve": label, "strength": strength, "distance": distance, **figures_of("gain", estimate)}
        for label, curve in curves.items()
        for strength, distance, estimate in zip(strengths, curve.distances, curve.gains, strict=True)
    ]
    return pl.DataFrame(rows, schema={"curve": pl.String, **floats("strength", "distance", "gain", "low", "high")})


def with_left_over(points: pl.DataFrame, left: Sequence[Estimate] | None) -> pl.DataFrame:
    """`gains` with a further curve: what length and finishing do not explain of the golden reward; None: not known."""
    if left is None:
        return points
    golden = points.filter(curve=CURVES["golden"]).select("strength", "distance")
    rows = [
        {"curve": LEFT_OVER, "strength": strength, "distance": distance, **figures_of("gain", estimate)}
        for (strength, distance), estimate in zip(golden.iter_rows(), left, strict=True)
    ]
    return pl.concat([points, pl.DataFrame(rows, schema=points.schema)])


def fitted_lines(curves: Mapping[str, FittedCurve]) -> pl.DataFrame:
    """The fits as lines from no optimisation to the greatest distance: `curve, distance, gain`."""
    lines = [pl.DataFrame(schema={"curve": pl.String, **floats("distance", "gain")})]
    for label, curve in curves.items():
        if curve.fit is not None:
            distances = np.linspace(0.0, max(curve.distances), _LINE_POINTS)
            line = pl.DataFrame({"distance": distances, "gain": np.asarray(curve.fitted_at(distances), float)})
            lines.append(line.select(pl.lit(label).alias("curve"), pl.all()))
    return pl.concat(lines)


def fits(curves: Mapping[str, FittedCurve]) -> pl.DataFrame:
    """One row per fitted curve: α, β and the peak with their intervals, and in what share of replicates it bends."""
    rows = [
        {"curve": label}
        | figures_of("alpha", curve.alpha, "alpha_low", "alpha_high")
        | figures_of("beta", curve.beta, "beta_low", "beta_high")
        | figures_of("peak", curve.peak, "peak_low", "peak_high")
        | {"bends": curve.peaks, "farthest": max(curve.distances)}
        for label, curve in curves.items()
        if curve.fit is not None
    ]
    columns = [f"{name}{end}" for name in ("alpha", "beta", "peak") for end in ("", "_low", "_high")]
    return pl.DataFrame(rows, schema={"curve": pl.String, **floats(*columns, "bends", "farthest")})


def ndr(result: NdrCurve) -> pl.DataFrame:
    """One row per strength: `strength, ndr, low, high, undefined_pairs`."""
    rows = [
        {"strength": strength, **figures_of("ndr", estimate), "undefined_pairs": undefined}
        for strength, estimate, undefined in zip(result.strengths, result.ndr, result.undefined, strict=True)
    ]
    return pl.DataFrame(rows, schema={**floats("strength", "ndr", "low", "high"), "undefined_pairs": pl.Int64})


def slopes(result: GoodhartSlopes, names: Sequence[str]) -> pl.DataFrame:
    """One row per pair with a slope: `golden, proxy, accuracy, slope, predicted`."""
    figures = {"accuracy": result.accuracy_MM, "slope": result.slope_MM, "predicted": result.curve_MM}
    return pair_rows(names, result.defined_MM, figures).drop_nulls("slope")


def slope_bins(result: GoodhartSlopes) -> pl.DataFrame:
    """Bins of pairs of similar accuracy: `accuracy, slope, low, high, predicted, pairs`."""
    rows = [(b.accuracy, b.slope, b.low, b.high, b.curve, b.pairs) for b in result.bins]
    figures = floats("accuracy", "slope", "low", "high", "predicted")
    return pl.DataFrame(rows, schema={**figures, "pairs": pl.Int64}, orient="row")


def slope_line(pairs: pl.DataFrame) -> pl.DataFrame:
    """What accuracy predicts, over the accuracies of these pairs, or from 0.5 to 1 without any: `accuracy, slope`."""
    measured = [0.5, 1.0] if pairs.is_empty() else pairs["accuracy"].to_list()
    accuracy = np.linspace(max(0.0, min(measured) - 0.03), min(1.0, max(measured) + 0.03), _LINE_POINTS)
    return pl.DataFrame({"accuracy": accuracy, "slope": slope_of_accuracy(accuracy)})


def degrees(result: DegreeMap, names: Sequence[str]) -> pl.DataFrame:
    """γ of every ordered pair: `golden, proxy, value, low, high`, null where undefined."""
    figures = {"value": result.degree_MM, "low": result.low_MM, "high": result.high_MM}
    return pair_rows(names, result.defined_MM, figures)


def lengths(result: LengthDrift, strengths: Sequence[float], names: Sequence[str]) -> pl.DataFrame:
    """Mean length at each strength, of all reward models and of each: `policies, strength, length, low, high`."""
    rows = [
        {"policies": label, "strength": strength, **figures_of("length", estimate)}
        for strength, mean, of_each in zip(strengths, result.mean, result.of_each, strict=True)
        for label, estimate in zip((ALL, *names), (mean, *of_each), strict=True)
    ]
    return pl.DataFrame(rows, schema={"policies": pl.String, **floats("strength", "length", "low", "high")})


def finished(endings: pl.DataFrame, optimizer: str, penalty: float | None) -> pl.DataFrame:
    """An optimiser's policies with one KL penalty of which it is known how many of their responses end.

    Columns `policies` (the reward model, or ALL for the mean of a strength), `strength, finished, tokens`.
    """
    own = endings.filter(pl.col("kl_coefficient").eq_missing(penalty), optimizer=optimizer)
    own = own.drop_nulls("finished_share")
    figures = {"finished": pl.col("finished_share").mean(), "tokens": pl.col("mean_tokens").mean()}
    of_each = own.group_by("reward_model_id", "strength").agg(**figures).rename({"reward_model_id": "policies"})
    mean = own.group_by("strength").agg(**figures).select(pl.lit(ALL).alias("policies"), pl.all())
    return pl.concat([mean, of_each]).sort(pl.col("policies") != ALL, "policies", "strength")


def ppo_training(curves: pl.DataFrame, reward_models: pl.DataFrame, metric: str) -> pl.DataFrame:
    """One metric of the policies' training: `reward_model` (the policy's id), `kind, flip_rate, step, value`.

    Kind and flip rate are those of the reward model that the policy was optimised against.
    """
    against = reward_models.select("kind", "flip_rate", against="reward_model_id")
    return (
        curves.filter(metric=metric)
        .with_columns(against=pl.col("model_id").str.split_exact("/", 1).struct[1])
        .join(against, on="against", maintain_order="left")
        .select("kind", "flip_rate", "step", "value", reward_model="model_id")
    )


def most_hacked(
    picks: WorstPicks, names: Sequence[str], golden: str | None, proxy: str | None, roles: Roles | None = None
) -> tuple[str, str]:
    """The chosen pair; where golden or proxy is open, the one with most prompts on which the proxy picks the worst.

    What is open is a golden, or a proxy, of these roles (None: any).
    """
    count_MM = picks.count_MM + 0.0
    np.fill_diagonal(count_MM, -np.inf)
    if golden is not None:
        count_MM[[name != golden for name in names], :] = -np.inf
    if proxy is not None:
        count_MM[:, [name != proxy for name in names]] = -np.inf
    if roles is not None and golden is None:
        count_MM[~roles.golden_M] = -np.inf
    if roles is not None and proxy is None:
        count_MM[:, ~roles.proxy_M] = -np.inf
    g, m = np.unravel_index(int(count_MM.argmax()), count_MM.shape)
    return names[int(g)], names[int(m)]
