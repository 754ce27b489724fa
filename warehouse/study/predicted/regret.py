"""The regret of a reward model's policy, predicted before any policy is optimised against it.

METHOD, "Predicting regret". Over the reward models that have policies, NDR under a golden is regressed on what the RM
test says of them: ridge regression on three features, and for comparison a line on accuracy, and the mean. A further
question is NDR averaged over the goldens. Each reward model is predicted without itself, and without all of its kind,
also where its own NDR is known: that shows what predictions are worth. A reward model that is left out is no golden
either. Shapes: A predictors, U = 1 + G questions (the mean over goldens, then each of G goldens), M reward models.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from warehouse.stats.bootstrap import Bools, Floats
from warehouse.stats.jackknife_plus import jackknife_plus, outside
from warehouse.study.predicted.known import ACCURACY, FEATURES, USED, Known

LEVEL = 0.9
"""Level of the intervals; at 95 % they would be infinite below 19 reward models."""

FEWEST = 12
"""The fewest reward models to learn from. Nine give a finite interval, from their largest misses."""

PREDICTORS: dict[str, tuple[str, ...]] = {"features": FEATURES, "accuracy": (ACCURACY,), "mean": ()}
"""By name, the features that each uses: the prediction, and the two simpler ones that it is compared with."""

RIDGE = 1.0
_RIDGES = {"features": RIDGE, "accuracy": 0.0, "mean": 0.0}

_FREE = 1e-9

WhyNot = Literal["", "few", "undefined", "outside"]


class HeldOut(NamedTuple):
    """Every reward model as predicted without it, or without its kind, beside what was measured.

    `value_AUM`, `low_AUM`, `high_AUM` are predictions, `truth_UM` what was measured (NaN where it is not),
    `examples_UM` from how many reward models. `outside_UM`: their features do not cover it. `feature_KUM` are its own
    features (NaN where undefined), `least_KUM` and `greatest_KUM` the ends of theirs.
    """

    value_AUM: Floats
    low_AUM: Floats
    high_AUM: Floats
    truth_UM: Floats
    examples_UM: NDArray[np.int64]
    outside_UM: Bools
    feature_KUM: Floats
    least_KUM: Floats
    greatest_KUM: Floats

    @property
    def defined_UM(self) -> Bools:
        """Which are predicted."""
        return np.asarray((self.examples_UM >= FEWEST) & ~self.outside_UM & ~np.isnan(self.feature_KUM[0]))


class Record(NamedTuple):
    """How predictions did where NDR was measured.

    How many were `predicted`, how many of these intervals `covered`, their median `width`, and the root mean square
    `error`, None with none. `outside` were not predicted as their features are not covered, `few` for want of reward
    models to learn from.
    """

    predicted: int
    covered: int
    width: float | None
    error: float | None
    outside: int
    few: int

    @property
    def coverage(self) -> float | None:
        """The share of intervals that cover; None with none."""
        return self.covered / self.predicted if self.predicted else None


@dataclass(frozen=True)
class PredictedRegret:
    """The NDR of each reward model's policy under an optimiser, predicted without it (`each`) and its kind (`kind`)."""

    known: Known
    each: HeldOut
    kind: HeldOut

    @property
    def predicts(self) -> bool:
        """Whether there are enough reward models to predict any, averaged over goldens."""
        return bool((self.each.examples_UM[0] >= FEWEST).any())

    def record(self, predictor: str, *, kind: bool = False, by_golden: bool = False) -> Record:
        """How a predictor did without each reward model, or each kind: for the mean over goldens, or all their pairs.

        All predictors are judged where the first one predicts, so that they are compared on the same ones.
        """
        held, place = self.kind if kind else self.each, list(PREDICTORS).index(predictor)
        rows = slice(1, None) if by_golden else slice(0, 1)
        truth_UM, defined_UM = held.truth_UM[rows], held.defined_UM[rows]
        measured_UM = ~np.isnan(truth_UM) & ~np.isnan(held.feature_KUM[0, rows])
        few_UM = measured_UM & (held.examples_UM[rows] < FEWEST)
        used_UM = measured_UM & defined_UM
        value, low, high = (part[place, rows][used_UM] for part in (held.value_AUM, held.low_AUM, held.high_AUM))
        truth = truth_UM[used_UM]
        count = len(truth)
        return Record(
            predicted=count,
            covered=int(((low <= truth) & (truth <= high)).sum()),
            width=float(np.median(high - low)) if count else None,
            error=float(np.sqrt(((value - truth) ** 2).mean())) if count else None,
            outside=int((measured_UM & ~few_UM & held.outside_UM[rows]).sum()),
            few=int(few_UM.sum()),
        )

    def guess(self, reward_model: str, golden: str | None = None, predictor: str = "features") -> Guess:
        """The prediction for a reward model, without it: averaged over goldens, or under one."""
        m = self.known.reward_models.index(reward_model)
        u = 0 if golden is None else 1 + self.known.goldens.index(golden)
        place, held = list(PREDICTORS).index(predictor), self.each
        why: WhyNot = ""
        if held.examples_UM[u, m] < FEWEST:
            why = "few"
        elif np.isnan(held.feature_KUM[0, u, m]):
            why = "undefined"
        elif held.outside_UM[u, m]:
            why = "outside"
        ends = (None, None, None) if why else (float(part[place, u, m]) for part in held[:3])
        value, low, high = ends
        truth = float(held.truth_UM[u, m])
        return Guess(value, low, high, None if np.isnan(truth) else truth, int(held.examples_UM[u, m]), why)

    def beyond(self, reward_model: str, golden: str | None = None) -> Beyond | None:
        """The feature of a reward model that is farthest beyond the range of the others; None if none is."""
        m = self.known.reward_models.index(reward_model)
        u = 0 if golden is None else 1 + self.known.goldens.index(golden)
        own_K, least_K, greatest_K = (part[:, u, m] for part in self.each[-3:])
        size_K = np.maximum(least_K - own_K, own_K - greatest_K) / np.maximum(greatest_K - least_K, 1e-12)
        if not (size_K > 0).any():
            return None
        k = int(np.argmax(size_K))
        return Beyond(FEATURES[k], float(own_K[k]), float(least_K[k]), float(greatest_K[k]))


class Guess(NamedTuple):
    """A predicted NDR with its interval, None where `why` says why not; what was `measured`, None where it was not."""

    value: float | None
    low: float | None
    high: float | None
    measured: float | None
    examples: int
    why: WhyNot


class Beyond(NamedTuple):
    """A feature of a reward model and its range among the others."""

    feature: str
    value: float
    least: float
    greatest: float


def predicted_regret(known: Known) -> PredictedRegret:
    """Predict every reward model without it, and without its kind."""
    M = len(known.reward_models)
    kinds = np.array(known.kinds, dtype=object)
    return PredictedRegret(
        known,
        _held_out(known, (np.arange(M) == m for m in range(M))),
        _held_out(known, (kinds == kind for kind in dict.fromkeys(known.kinds))),
    )


def _held_out(known: Known, parts: Iterator[Bools]) -> HeldOut:
    """Each of these parts `[M]` predicted from all reward models that are not in it."""
    G, M = known.defined_GM.shape
    A, K, U = len(PREDICTORS), len(FEATURES), 1 + G
    whole = HeldOut(
        value_AUM=np.full((A, U, M), np.nan),
        low_AUM=np.full((A, U, M), np.nan),
        high_AUM=np.full((A, U, M), np.nan),
        truth_UM=np.full((U, M), np.nan),
        examples_UM=np.zeros((U, M), dtype=np.int64),
        outside_UM=np.zeros((U, M), dtype=bool),
        feature_KUM=np.full((K, U, M), np.nan),
        least_KUM=np.full((K, U, M), np.nan),
        greatest_KUM=np.full((K, U, M), np.nan),
    )
    for left_out_M in parts:
        for target, source in zip(whole, _without(known, left_out_M), strict=True):
            target[..., left_out_M] = source
    return whole


def _without(known: Known, left_out_M: Bools) -> HeldOut:
    """The reward models that are left out, in their order, predicted from the others, and by goldens that stay."""
    stays_G1 = known.goldens_without(left_out_M)[:, None]
    judged_GM = known.judged_GM & stays_G1
    measured_GM = known.defined_GM & judged_GM
    features_FUM, judged_UM = _questions(known.features_FGM, judged_GM, ~left_out_M)
    (ndr_UM,), measured_UM = _questions(known.ndr_GM[None], measured_GM, ~left_out_M)
    examples_UM: Bools = np.asarray(measured_UM & judged_UM & ~left_out_M)
    features_UMF = np.moveaxis(features_FUM, 0, 2)
    predicted = []
    for name, uses in PREDICTORS.items():
        own_UMK = features_UMF[..., [USED.index(feature) for feature in uses]]
        new_UTK = own_UMK[:, left_out_M]
        predicted.append(jackknife_plus(own_UMK, ndr_UM, examples_UM, new_UTK, ridge=_RIDGES[name], level=LEVEL))
    value_AUT, low_AUT, high_AUT = (np.stack(parts) for parts in zip(*predicted, strict=True))
    main_UMK = features_UMF[..., [USED.index(feature) for feature in FEATURES]]
    outside_UT = outside(main_UMK, examples_UM, main_UMK[:, left_out_M], ridge=RIDGE)
    main_KUM = np.moveaxis(main_UMK, 2, 0)
    least_KU = np.where(examples_UM, main_KUM, np.inf).min(axis=2)
    greatest_KU = np.where(examples_UM, main_KUM, -np.inf).max(axis=2)
    new_KUT = np.where(judged_UM, main_KUM, np.nan)[..., left_out_M]
    return HeldOut(
        value_AUM=value_AUT,
        low_AUM=low_AUT,
        high_AUM=high_AUT,
        truth_UM=np.where(measured_UM, ndr_UM, np.nan)[:, left_out_M],
        examples_UM=np.broadcast_to(examples_UM.sum(axis=1)[:, None], outside_UT.shape),
        outside_UM=outside_UT,
        feature_KUM=new_KUT,
        least_KUM=np.broadcast_to(least_KU[..., None], new_KUT.shape),
        greatest_KUM=np.broadcast_to(greatest_KU[..., None], new_KUT.shape),
    )


class _Questions(NamedTuple):
    value_SUM: Floats
    defined_UM: Bools


def _questions(value_SGM: Floats, defined_GM: Bools, training_M: Bools) -> _Questions:
    """Values `[S, G, M]` with a first row before those of the goldens: the mean over goldens, as if all judged each.

    No reward model judges itself, so plain means would be over unlike goldens. Values of `training_M` are fitted by
    least squares as golden + reward model; the others are put on the scale of the goldens that were fitted.
    """
    used_GM = defined_GM & training_M
    fitted_G: Bools = np.asarray((used_GM if used_GM.any() else defined_GM).any(axis=1))
    among_GM = defined_GM & fitted_G[:, None]
    judged_M: Bools = np.asarray(among_GM.any(axis=0))
    G = len(used_GM)
    counts = used_GM.astype(np.float64)
    normal = np.block([[np.diag(counts.sum(axis=1)), counts], [counts.T, np.diag(counts.sum(axis=0))]])
    value_SGM = np.where(defined_GM, value_SGM, 0.0)
    sums_SC = np.concatenate([(value_SGM * counts).sum(axis=2), (value_SGM * counts).sum(axis=1)], axis=1)
    normal += _FREE * np.eye(len(normal))  # a constant may go from goldens to reward models, which changes nothing
    effect_SG = np.linalg.solve(normal, sums_SC.T).T[:, :G]
    mean_S1 = effect_SG[:, fitted_G].sum(axis=1, keepdims=True) / max(1, fitted_G.sum())
    above_SM = ((value_SGM - effect_SG[..., None]) * among_GM).sum(axis=1) / np.maximum(among_GM.sum(axis=0), 1)
    mean_SM = np.where(judged_M, mean_S1 + above_SM, 0.0)
    return _Questions(
        np.concatenate([mean_SM[:, None], value_SGM], axis=1), np.concatenate([judged_M[None], defined_GM])
    )
