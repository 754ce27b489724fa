"""Correlations over reward models of a measure with an outcome, in every altered study of `Rows`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from warehouse.stats.bootstrap import Bools, Floats
from warehouse.stats.correlation import Against, Figure, ProductMoment, varies
from warehouse.stats.ranks import middle_ranks
from warehouse.stats.resampling import Rows
from warehouse.study.outcomes.outcome import Outcome

CORRELATIONS = ("kendall", "spearman", "pearson")
"""METHOD's figures that are about reward models; MRR is about pairs."""

_FEWEST_POINTS = 3


def altered_outcome(outcome: Outcome, rows: Rows, seed: int) -> Floats:
    """The outcome in the altered studies `[rows, K]`: with its own error added, or renamed, or as it is."""
    value_BK = np.repeat(outcome.value_K[None], rows.count, axis=0)
    noisy = np.concatenate([np.arange(part.start, part.stop) for part in rows.rl_noise])
    deviation_DK = outcome.deviations(rows.draws, seed)
    value_BK[noisy] += rows.rl_scale[noisy, None] * deviation_DK[rows.draw[noisy]]
    return np.take_along_axis(value_BK, rows.order, axis=1)


def figures(values_BK: Floats, defined_BK: Bools, outcome_BK: Floats, rows: Rows) -> Mapping[str, Figure]:
    """Each of CORRELATIONS in all rows, of values `[rows, K]` that are `defined_BK` with the outcome.

    Undefined with fewer than three reward models, or if either side is constant.
    """
    weight_BK = rows.proxies * defined_BK
    values_BK = np.where(defined_BK, values_BK, 0.0)
    tau, tau_defined = (array[0] for array in Against(outcome_BK, weight_BK).tau(values_BK[None]))
    ranked = ProductMoment(*middle_ranks(outcome_BK, weight_BK), weight_BK)
    plain = ProductMoment(outcome_BK, varies(outcome_BK, weight_BK), weight_BK)
    by_name = {
        "kendall": (tau, tau_defined),
        "spearman": ranked.of(*middle_ranks(values_BK, weight_BK)),
        "pearson": plain.of(values_BK, varies(values_BK, weight_BK)),
    }
    enough = weight_BK.sum(axis=1) >= _FEWEST_POINTS
    return {name: (np.where(enough, value, 0.0), defined & enough) for name, (value, defined) in by_name.items()}
