"""The noise ceiling: the greatest correlation with NDR that any measure could have, given noisy policy values.

METHOD, "Noise ceiling". NDR comes from few RL-test prompts and few responses, so even a measure that knew every
policy's true worth would not correlate perfectly with it. How much the truth correlates with what is seen of it cannot
be observed, but the same in a world with more noise can: take NDR with its noise added λ times for the truth, add the
noise once more to see it, and correlate the two. Extrapolated from λ = 0, 1, 2, 3 back to −1, where the truth is the
truth (as SIMEX does; Cook and Stefanski 1994).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from warehouse.stats import intervals
from warehouse.stats.across_pairs import LEVELS, PairValues, Selected, correlate
from warehouse.stats.bootstrap import NOTHING, Estimate
from warehouse.stats.noise import Side, parabola
from warehouse.stats.resampling import NOISE_LEVELS, Rows
from warehouse.study.regret import Regret

_EACH = 20
_JACKKNIFED = 3


def ceilings(regret: Regret, rows: Rows, selected: Selected) -> Mapping[tuple[str, str], Estimate]:
    """The ceiling of each selected (correlation, level); cached in `regret`, since it does not depend on measures."""
    ready = regret.ceilings.setdefault(rows, {})
    missing = tuple(key for key in selected if key not in ready)
    if missing:
        ready |= _ceilings(regret, rows, missing)
    return ready


def _ceilings(regret: Regret, rows: Rows, selected: Selected) -> dict[tuple[str, str], Estimate]:
    each = min(_EACH, rows.draws // 2)
    if each < 1:
        return dict.fromkeys(selected, NOTHING)
    signs = np.repeat([1.0, -1.0], each)
    base, extra = np.tile(np.arange(each), 2), np.tile(np.arange(each, 2 * each), 2)
    levels = (0, *NOISE_LEVELS)
    left_out = int(rows.inside.sum())
    again = min(_JACKKNIFED, each)
    level_B = np.concatenate([np.repeat(levels, 2 * each), np.zeros(left_out * again)])
    draw_B = np.concatenate([np.tile(base, len(levels)), np.tile(np.arange(again), left_out)])
    extra_B = np.concatenate([np.tile(extra, len(levels)), each + np.tile(np.arange(again), left_out)])
    sign_B = np.concatenate([np.tile(signs, len(levels)), np.ones(left_out * again)])
    other_B = np.concatenate([np.tile(np.roll(signs, each // 2), len(levels)), np.ones(left_out * again)])
    goldens_BM, proxies_BM = (
        np.concatenate(
            [
                np.repeat(side[:1], len(levels) * 2 * each, axis=0),
                side[rows.left_out][rows.inside].repeat(again, axis=0),
            ]
        )
        for side in (rows.goldens, rows.proxies)
    )
    if rows.goldens is rows.proxies:
        goldens_BM = proxies_BM

    deviation_BMM = regret.gains_BMM[: 2 * each] - regret.gains_MM
    truth_BMM = regret.gains_MM + (sign_B * np.sqrt(level_B))[:, None, None] * deviation_BMM[draw_B]
    seen_BMM = truth_BMM + other_B[:, None, None] * deviation_BMM[extra_B]
    (truth_BMM, truth_defined), (seen_BMM, seen_defined) = regret.ndr_of(truth_BMM), regret.ndr_of(seen_BMM)
    B, M, _ = truth_BMM.shape
    measured = PairValues(truth_BMM.reshape(B, M * M), truth_defined.reshape(B, M * M), np.arange(M * M).reshape(M, M))
    (figures,) = correlate([measured], seen_BMM, seen_defined, goldens_BM, proxies_BM, selected=selected)
    parts = [slice(2 * each * place, 2 * each * (place + 1)) for place in range(len(levels))]
    estimates = {}
    for name, level in selected:
        value_B, defined_B = figures[LEVELS.index(level)][name]
        means = [intervals.mean_over(part, (value_B, defined_B)) for part in parts]
        estimates[name, level] = NOTHING
        if None in means or not defined_B[parts[-1].stop :].all() or left_out < 3:
            continue
        first, *rest = (mean for mean in means if mean is not None)
        value = float(np.clip(parabola(first, Side(rest, noise=0.0)), 0.0, 1.0))
        models = intervals.jackknife(value_B[parts[-1].stop :].reshape(left_out, again).mean(axis=1))
        between, within = (float(value_B[part][defined_B[part]].var()) for part in (parts[1], parts[0]))
        spread = intervals.Spread(models.variance + max(0.0, between - within), models.degrees, 2 * each)
        estimates[name, level] = intervals.around(value, spread, low=0.0)
    return estimates
