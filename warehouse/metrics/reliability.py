"""The reliability diagram: how sure a proxy is of the order of two responses, and how often it is right.

METHOD's ECE bin by bin (`calibration.ece`), on the same terms: confidence is σ|b_i − b_j| over golden-ordered pairs,
in five bins of [½, 1]; a prompt weighs the same however many golden-ordered pairs it has; a proxy tie counts ½.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice, UnknownName
from warehouse.metrics.calibration import CONFIDENCE_EDGES, sigmoid
from warehouse.metrics.cube import ScoreCube
from warehouse.metrics.responses import Responses
from warehouse.stats import bootstrap
from warehouse.stats.bootstrap import Estimate
from warehouse.stats.prompt_means import prompt_sums

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ReliabilityBin:
    """Pairs of like confidence, from `least` to `greatest`: the mean confidence and the share ordered right."""

    least: float
    greatest: float
    confidence: float
    right: Estimate
    pairs: int


@dataclass(frozen=True)
class Reliability:
    """The bins that hold pairs, the ECE over all of them (larger is worse), and what was left out."""

    bins: tuple[ReliabilityBin, ...]
    error: Estimate
    pairs: int
    golden_ties: int


def reliability(cube: ScoreCube, golden: str, proxy: str, *, replicates: int = 1000, seed: int = 0) -> Reliability:
    """Hold a proxy's confidence against the golden's order of its pairs of responses to each prompt.

    Raises UnknownName for a reward model that is not in the cube, InvalidChoice for one against itself.
    """
    for name in (golden, proxy):
        if name not in cube.reward_models:
            raise UnknownName(f"no reward model {name!r}; there are {', '.join(cube.reward_models)}")
    if golden == proxy:
        raise InvalidChoice(f"golden and proxy are both {golden!r}; a reward model always orders as it does itself")
    truth, own = (Responses(cube.scores_MPR[cube.reward_models.index(name), :, None, :]) for name in (golden, proxy))
    ordered_PK = truth.signs[:, 0] != 0
    confidence_PK = sigmoid(np.abs(own.margins[:, 0]))
    right_PK = 0.5 * (1.0 + truth.signs[:, 0] * own.signs[:, 0])
    bin_PK = np.clip(np.digitize(confidence_PK, CONFIDENCE_EDGES) - 1, 0, len(CONFIDENCE_EDGES) - 2)

    pairs_P = ordered_PK.sum(axis=1)
    weight_PK = np.divide(ordered_PK, pairs_P[:, None], out=np.zeros(ordered_PK.shape), where=pairs_P[:, None] > 0)
    inside_PKB = (bin_PK[..., None] == np.arange(len(CONFIDENCE_EDGES) - 1)) & ordered_PK[..., None]
    parts = [
        np.einsum("pk,pkb->pb", weight_PK * factor_PK, inside_PKB)
        for factor_PK in (np.ones_like(weight_PK), confidence_PK, right_PK)
    ]
    sample = [part.sum(axis=0) for part in parts]
    drawn = [prompt_sums(part, replicates=replicates, seed=seed)[0] for part in parts]
    used_B = prompt_sums((pairs_P > 0)[:, None].astype(np.float64), replicates=replicates, seed=seed)[0][:, 0]
    return Reliability(
        bins=tuple(
            _bin(number, inside_PKB, sample, drawn) for number in range(len(sample[0])) if sample[0][number] > 0
        ),
        error=_error(sample, drawn, int((pairs_P > 0).sum()), used_B),
        pairs=int(pairs_P.sum()),
        golden_ties=int((~ordered_PK).sum()),
    )


def _bin(number: int, inside_PKB: NDArray[np.bool_], sample: list[Floats], drawn: list[Floats]) -> ReliabilityBin:
    (weight, confidence, right), (weight_B, _, right_B) = (
        [part[..., number] for part in parts] for parts in (sample, drawn)
    )
    share_B = np.divide(right_B, weight_B, out=np.zeros_like(right_B), where=weight_B > 0)
    return ReliabilityBin(
        least=float(CONFIDENCE_EDGES[number]),
        greatest=float(CONFIDENCE_EDGES[number + 1]),
        confidence=float(confidence / weight),
        right=bootstrap.estimate(float(right / weight), True, share_B, weight_B > 0),
        pairs=int(inside_PKB[..., number].sum()),
    )


def _error(sample: list[Floats], drawn: list[Floats], used: int, used_B: Floats) -> Estimate:
    total_B = np.abs(drawn[1] - drawn[2]).sum(axis=1)
    error_B = np.divide(total_B, used_B, out=np.zeros_like(total_B), where=used_B > 0)
    value = float(np.abs(sample[1] - sample[2]).sum()) / max(used, 1)
    return bootstrap.estimate(value, used > 0, error_B, used_B > 0)
