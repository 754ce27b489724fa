"""How far apart the policies of reward models end that measure alike: what a measure cannot see.

Two proxies of one golden are alike if their measures are within a window. Their difference in regret is taken in units
of the golden's own gain in the sample, so that it is a plain mean over RL-test prompts whose sampling variance the
bootstrap gives. Squared differences are freed of it: it is taken off once from the sample's, and twice from a
replicate's, which has it twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warehouse.metrics.cube import PolicyValues
from warehouse.stats import bootstrap
from warehouse.stats.bootstrap import Estimate
from warehouse.study.evaluate import Evaluation
from warehouse.study.value_curves import draws, gains

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class AlikeRegret:
    """Pairs of proxies that measure alike, over all goldens.

    `difference` is the root mean square of their differences in NDR, freed of the noise of the prompts; `expected` what
    it would be if NDR followed the measure in a straight line; `clear` how many differ by more than chance has it,
    each by its own 95 % interval, of which one in twenty would by chance alone.
    """

    difference: Estimate
    expected: float | None
    clear: int
    pairs: int
    window: float


def regret_of_alike(
    evaluation: Evaluation, values: PolicyValues, window: float, *, replicates: int = 1000, seed: int = 0
) -> AlikeRegret:
    """Compare the NDR of proxies whose measure under the same golden differs by no more than `window`."""
    defined_MM = evaluation.ndr_defined_MM & evaluation.value_defined_MM
    golden, one, other = _alike(evaluation.value_MM, defined_MM, window)
    if len(golden) == 0:
        return AlikeRegret(Estimate(None, None, None, 0), None, 0, 0, window)
    counts_BQ, models_BM = draws(len(values.prompts), len(defined_MM), replicates, seed)
    gain_BMM = gains(values, np.arange(len(values.prompts)), counts_BQ)
    own_M = gain_BMM[0].diagonal()
    difference_BT = (gain_BMM[:, golden, one] - gain_BMM[:, golden, other]) / own_M[golden]
    noise_T = difference_BT[1:].var(axis=0, ddof=1) if replicates > 1 else np.zeros(len(golden))
    low_T, high_T = bootstrap.interval(difference_BT[1:])
    weight_BT = models_BM[:, golden] * models_BM[:, one] * models_BM[:, other]
    excess_BT = difference_BT**2 - 2 * noise_T
    excess_BT[0] += noise_T
    total_B = weight_BT.sum(axis=1)
    square_B = np.divide((weight_BT * excess_BT).sum(axis=1), total_B, out=np.zeros_like(total_B), where=total_B > 0)
    size_B = np.sqrt(np.maximum(square_B, 0.0))
    return AlikeRegret(
        difference=bootstrap.first_with_interval(size_B, total_B > 0),
        expected=_expected(evaluation, defined_MM, golden, one, other),
        clear=int(((low_T > 0) | (high_T < 0)).sum()),
        pairs=len(golden),
        window=window,
    )


def _alike(value_MM: Floats, defined_MM: NDArray[np.bool_], window: float) -> tuple[NDArray[np.int64], ...]:
    """Golden and two proxies `[T]` each."""
    M = len(value_MM)
    both = defined_MM[:, :, None] & defined_MM[:, None, :] & np.triu(np.ones((M, M), dtype=bool), 1)
    near = np.abs(value_MM[:, :, None] - value_MM[:, None, :]) <= window
    return np.nonzero(both & near)


def _expected(evaluation: Evaluation, defined_MM: NDArray[np.bool_], *alike: NDArray[np.int64]) -> float | None:
    """Root mean square of the differences that a least-squares line of NDR on the measure gives."""
    value, ndr = evaluation.value_MM[defined_MM], evaluation.ndr_MM[defined_MM]
    spread = value.var()
    if spread == 0:
        return None
    slope = float(((value - value.mean()) * (ndr - ndr.mean())).mean() / spread)
    golden, one, other = alike
    apart_T = evaluation.value_MM[golden, one] - evaluation.value_MM[golden, other]
    return float(np.sqrt(np.mean((slope * apart_T) ** 2)))
