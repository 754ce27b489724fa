"""Tables of the Overoptimisation page. Pure functions: results → Polars frames; undefined figures are null."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from warehouse.metrics.worst_picks import WorstPicks
from warehouse.stats.bootstrap import Estimate
from warehouse.study import GoodhartSlopes, slope_of_accuracy
from warehouse.study.gain_curves import CURVES, DegreeMap, FittedCurve, GainCurves
from warehouse.study.strength_curves import LengthDrift, NdrCurve

OWN = "Own reward, itself optimised"
ALL = "mean of all"
_LINE_POINTS = 60


def labelled(found: GainCurves, averaged: bool) -> Mapping[str, FittedCurve]:
    """The curves by what they are of. Averaged over all pairs, what a golden and a proxy gain of their own is one."""
    if averaged:
        return {OWN: found.curves["own"], CURVES["golden"]: found.curves["golden"]}
    return {title: found.curves[name] for name, title in CURVES.items()}


def gains(curves: Mapping[str, FittedCurve], strengths: Sequence[float]) -> pl.DataFrame:
    """One row per curve and strength: `curve, strength, distance, gain, low, high`."""
    rows = [
        {"curve": label, "strength": strength, "distance": distance, **_figures("gain", estimate)}
        for label, curve in curves.items()
        for strength, distance, estimate in zip(strengths, curve.distances, curve.gains, strict=True)
    ]
    return pl.DataFrame(rows, schema={"curve": pl.String, **_floats("strength", "distance", "gain", "low", "high")})


def fitted_lines(curves: Mapping[str, FittedCurve]) -> pl.DataFrame:
    """The fits as lines from no optimisation to the farthest: `curve, distance, gain`."""
    rows = []
    for label, curve in curves.items():
        if curve.fit is not None:
            distances = np.linspace(0.0, max(curve.distances), _LINE_POINTS)
            rows += [
                {"curve": label, "distance": float(d), "gain": float(gain)}
                for d, gain in zip(distances, curve.fitted_at(distances), strict=True)
            ]
    return pl.DataFrame(rows, schema={"curve": pl.String, **_floats("distance", "gain")})


def fits(curves: Mapping[str, FittedCurve]) -> pl.DataFrame:
    """One row per fitted curve: α, β and the peak with their intervals, and in what share of replicates it bends."""
    rows = [
        {
            "curve": label,
            **_figures("alpha", curve.alpha, "alpha_low", "alpha_high"),
            **_figures("beta", curve.beta, "beta_low", "beta_high"),
            **_figures("peak", curve.peak, "peak_low", "peak_high"),
            "bends": curve.peaks,
            "farthest": max(curve.distances),
        }
        for label, curve in curves.items()
        if curve.fit is not None
    ]
    columns = [f"{name}{end}" for name in ("alpha", "beta", "peak") for end in ("", "_low", "_high")]
    return pl.DataFrame(rows, schema={"curve": pl.String, **_floats(*columns, "bends", "farthest")})


def ndr(found: NdrCurve) -> pl.DataFrame:
    """One row per strength: `strength, ndr, low, high, undefined_pairs`."""
    rows = [
        {"strength": strength, **_figures("ndr", estimate), "undefined_pairs": undefined}
        for strength, estimate, undefined in zip(found.strengths, found.ndr, found.undefined, strict=True)
    ]
    return pl.DataFrame(rows, schema={**_floats("strength", "ndr", "low", "high"), "undefined_pairs": pl.Int64})


def slopes(found: GoodhartSlopes, names: Sequence[str]) -> pl.DataFrame:
    """One row per pair with a slope: `golden, proxy, accuracy, slope, predicted`."""
    golden, proxy = np.nonzero(found.defined_MM)
    labels = np.array(names, dtype=object)
    return pl.DataFrame(
        {
            "golden": labels[golden].tolist(),
            "proxy": labels[proxy].tolist(),
            "accuracy": found.accuracy_MM[golden, proxy],
            "slope": found.slope_MM[golden, proxy],
            "predicted": found.curve_MM[golden, proxy],
        },
        schema_overrides={"golden": pl.String, "proxy": pl.String},
    )


def slope_bins(found: GoodhartSlopes) -> pl.DataFrame:
    """Pairs of like accuracy: `accuracy, slope, low, high, predicted, pairs`."""
    rows = [
        {"accuracy": b.accuracy, "slope": b.slope, "low": b.low, "high": b.high, "predicted": b.curve, "pairs": b.pairs}
        for b in found.bins
    ]
    return pl.DataFrame(rows, schema={**_floats("accuracy", "slope", "low", "high", "predicted"), "pairs": pl.Int64})


def slope_line(pairs: pl.DataFrame) -> pl.DataFrame:
    """What accuracy predicts, over the accuracies of these pairs, or from 0.5 to 1 without any: `accuracy, slope`."""
    measured = [0.5, 1.0] if pairs.is_empty() else pairs["accuracy"].to_list()
    least, greatest = min(measured), max(measured)
    accuracy = np.linspace(max(0.0, least - 0.03), min(1.0, greatest + 0.03), _LINE_POINTS)
    return pl.DataFrame({"accuracy": accuracy, "slope": slope_of_accuracy(accuracy)})


def degrees(found: DegreeMap, names: Sequence[str]) -> pl.DataFrame:
    """γ of every ordered pair: `golden, proxy, value, low, high`, null where undefined."""
    golden, proxy = np.nonzero(~np.eye(len(names), dtype=bool))
    labels = np.array(names, dtype=object)
    there = pl.Series(found.defined_MM[golden, proxy])
    return pl.DataFrame(
        {
            "golden": labels[golden].tolist(),
            "proxy": labels[proxy].tolist(),
            "value": found.degree_MM[golden, proxy],
            "low": found.low_MM[golden, proxy],
            "high": found.high_MM[golden, proxy],
        },
        schema_overrides={"golden": pl.String, "proxy": pl.String},
    ).with_columns(pl.when(there).then(pl.col("value", "low", "high")))


def among(pairs: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """The rows whose golden and proxy are both among these."""
    return pairs.filter(pl.col("golden").is_in(list(names)) & pl.col("proxy").is_in(list(names)))


def lengths(found: LengthDrift, strengths: Sequence[float], names: Sequence[str]) -> pl.DataFrame:
    """Mean tokens at each strength, of all reward models and of each: `policies, strength, tokens, low, high`."""
    rows = []
    for s, strength in enumerate(strengths):
        for label, estimate in zip((ALL, *names), (found.mean[s], *found.of_each[s]), strict=True):
            rows.append({"policies": label, "strength": strength, **_figures("tokens", estimate)})
    return pl.DataFrame(rows, schema={"policies": pl.String, **_floats("strength", "tokens", "low", "high")})


def ppo_training(curves: pl.DataFrame, reward_models: pl.DataFrame, metric: str) -> pl.DataFrame:
    """One figure of PPO's training: `reward_model` (the policy's id), `kind, flip_rate, step, value`.

    Kind and flip rate are those of the reward model that the policy was optimised against.
    """
    against = reward_models.select("kind", "flip_rate", against="reward_model_id")
    return (
        curves.filter(metric=metric)
        .with_columns(against=pl.col("model_id").str.split_exact("/", 1).struct[1])
        .join(against, on="against", maintain_order="left")
        .select("kind", "flip_rate", "step", "value", reward_model="model_id")
    )


def most_hacked(found: WorstPicks, names: Sequence[str], golden: str | None, proxy: str | None) -> tuple[str, str]:
    """The chosen pair; where golden or proxy is open, the one with most prompts on which the proxy picks the worst."""
    counts = found.count_MM + 0.0
    np.fill_diagonal(counts, -np.inf)
    for axis, name in ((0, golden), (1, proxy)):
        if name is not None:
            others = np.arange(len(names)) != list(names).index(name)
            counts[others if axis == 0 else slice(None), slice(None) if axis == 0 else others] = -np.inf
    g, m = np.unravel_index(int(counts.argmax()), counts.shape)
    return names[int(g)], names[int(m)]


def _figures(name: str, estimate: Estimate, low: str = "low", high: str = "high") -> dict[str, float | None]:
    return {name: estimate.value, low: estimate.low, high: estimate.high}


def _floats(*names: str) -> dict[str, type[pl.DataType]]:
    return dict.fromkeys(names, pl.Float64)
