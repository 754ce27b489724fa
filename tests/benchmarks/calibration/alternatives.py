"""Other intervals than the product's, on the same simulated studies: what was tried, and why it was not kept.

All are of Kendall τ over all pairs, for both estimands.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tests.helpers.planted import PlantedStudy
from warehouse.metrics.preparation import prepare
from warehouse.metrics.test_set import TestSet
from warehouse.stats import bootstrap, intervals
from warehouse.stats.across_pairs import PairValues, correlate
from warehouse.stats.noise import ways as ways_of_extrapolating
from warehouse.study.correlation import less_noise, noise_sides
from warehouse.study.evaluate import replicated
from warehouse.study.regret import regret_of

KENDALL = (("kendall", "pooled"),)
DRAWS = 200
Interval = tuple[float, float]


def alternatives(study: PlantedStudy, replicates: int) -> dict[str, dict[str, Interval]]:
    """`{name: {"this": (low, high), "itself": (low, high)}}` of one study."""
    (part,) = replicated(study.cube, study.values, [("accuracy", TestSet())], replicates=replicates, selected=KENDALL)
    rows, figure = part.rows, part.pooled["kendall"]
    sample = float(figure[0][0])
    left_out, prompts = intervals.without_each(rows, figure), figure[0][rows.prompts]
    models, over_prompts = intervals.jackknife(left_out), float(prompts.var())
    drawn = _joint(study)
    spread = intervals.spread_of(rows, figure)
    assert spread is not None
    M = len(left_out)
    results: dict[str, dict[str, Interval]] = {}
    for estimand, rm_noise in (("this", 1.0), ("itself", 0.0)):
        fixed = less_noise(rows, "kendall", figure, rm_noise)
        by_parabola, by_law = ways_of_extrapolating(sample, noise_sides(rows, figure, rm_noise), "kendall")
        plain = float(np.sqrt(models.variance + over_prompts))
        t_M, t_df = intervals.t_quantile(M - 1.0), intervals.t_quantile(spread.degrees)
        whole = t_df * float(np.hypot(np.sqrt(spread.variance) * fixed.factor, fixed.error))
        z = float(np.arctanh(np.clip(fixed.value, -0.999, 0.999)))
        half_z = t_M * plain / (1.0 - min(sample**2, 0.99))
        ways: dict[str, Interval] = {
            "kept: see the method": (fixed.value - whole, fixed.value + whole),
            "percentile bootstrap over reward models × prompts": tuple(np.percentile(drawn, [2.5, 97.5]).tolist()),
            "the same, bias-corrected and accelerated (BCa)": _bca(sample, drawn, models.influence),
            "noise taken off, ± 1.96 sd of joint draws": _around(fixed.value, 1.96 * float(drawn.std())),
            "noise taken off, jackknife alone, t of M − 1": _around(fixed.value, t_M * float(np.sqrt(models.variance))),
            "noise taken off, jackknife + prompts, t of M − 1": _around(fixed.value, t_M * plain),
            "the same on Fisher's z": (float(np.tanh(z - half_z)), float(np.tanh(z + half_z))),
            "extrapolated by the parabola alone": _around(by_parabola, whole),
            "extrapolated by the law of attenuation alone": _around(by_law, whole),
            "noise not taken off": _around(sample, t_df * float(np.sqrt(spread.variance))),
        }
        for name, (low, high) in ways.items():
            results.setdefault(name, {})[estimand] = max(low, -1.0), min(high, 1.0)
    return results


def _around(value: float, half: float) -> Interval:
    return value - half, value + half


def _bca(sample: float, drawn_B: NDArray[np.float64], influence_M: NDArray[np.float64]) -> Interval:
    """Efron's (1987) interval from the bootstrap's draws and the jackknife's influences."""
    half = 0.5 / len(drawn_B)
    bias = special.ndtri(np.clip((drawn_B < sample).mean(), half, 1 - half))
    total = float((influence_M**2).sum()) ** 1.5
    acceleration = float((influence_M**3).sum()) / (6 * total) if total > 0 else 0.0
    ends = bias + np.array([special.ndtri(0.025), special.ndtri(0.975)])
    low, high = np.quantile(drawn_B, special.ndtr(bias + ends / (1 - acceleration * ends)))
    return float(low), float(high)


def _joint(study: PlantedStudy) -> NDArray[np.float64]:
    """Kendall τ in draws of reward models, RM-test and RL-test prompts together, as the plain bootstrap has it."""
    prepared = prepare(study.cube)
    M, P, Q = len(study.cube.reward_models), len(study.cube.prompts), len(study.values.prompts)
    models, rm, rl = (bootstrap.counts(size, DRAWS, 1, stream) for stream, size in enumerate((M, P, Q)))
    regret = regret_of(study.values, np.arange(Q), rl)
    measured = PairValues(*prepared.overall(rm), prepared.column_MM)
    ((pooled, _),) = correlate([measured], regret.ndr_BMM, regret.defined_BMM, models, models, selected=KENDALL)
    value, defined = pooled["kendall"]
    return np.asarray(value[defined])
