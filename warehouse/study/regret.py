"""What optimising a proxy loses on the golden reward model: the normalised drop ratio, and where it is undefined.

METHOD, "Value, regret, NDR": NDR(g, m) = (J_g(π_m) − J_g(π_0)) / (J_g(π_g) − J_g(π_0)); regret is 1 − NDR. If the
bootstrap interval (over prompts) of a golden's own gain reaches down to 0, all its pairs are undefined. A replicate
leaves out the goldens that do not gain in it.

No policy is optimised by PPO against labels, people or verifiers. Where such a golden has no policy of its own, the
gain J_g(π_m) − J_g(π_0) in the golden's standard deviations within prompts stands in the place of NDR, for all goldens.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice
from warehouse.metrics.cube import PolicyValues
from warehouse.metrics.prompt_values import BLOCK_ENTRIES, precision, settled, weighted_sums
from warehouse.metrics.roles import Roles
from warehouse.stats import bootstrap
from warehouse.stats.bootstrap import Bools, Estimate, Floats
from warehouse.stats.resampling import Rows
from warehouse.study.training_noise import training_noise

Quantity = Literal["ndr", "gain"]


class NoiseShares(NamedTuple):
    """Shares of the variance of NDR between pairs: due to the seeds of training (None: unknown), and to prompts."""

    training: float | None
    prompts: float


@dataclass(frozen=True)
class Regret:
    """NDR of the sample with its interval `[M golden, M proxy]`, and of the replicates `[B, M, M]`; 0 if undefined.

    `gains_MM`, `gains_BMM` are the golden gains that NDR is made of; `clear_M` says which goldens clearly gain from
    their own policy, `optimised_M` which reward models have one. `unit_M`: gains are divided by these standard
    deviations instead of the golden's own gain, so that it is no NDR (`quantity`). `training_BMM` is what the noise of
    training adds to `gains_BMM`; None where no policy was optimised twice.
    """

    ndr_MM: Floats
    low_MM: Floats
    high_MM: Floats
    defined_MM: Bools
    ndr_BMM: NDArray[np.floating]
    defined_BMM: Bools
    gains_MM: Floats
    gains_BMM: NDArray[np.floating]
    clear_M: Bools
    optimised_M: Bools
    prompts: int
    unit_M: Floats | None = None
    training_BMM: Floats | None = None
    ceilings: dict[Rows, dict[tuple[str, str], Estimate]] = field(default_factory=dict, repr=False)
    _altered: dict[Rows, tuple[NDArray[np.floating], Bools]] = field(default_factory=dict, repr=False)

    @property
    def quantity(self) -> Quantity:
        """What stands in `ndr_MM`: NDR, or the gain in standard deviations."""
        return "ndr" if self.unit_M is None else "gain"

    def altered(self, rows: Rows) -> tuple[NDArray[np.floating], Bools]:
        """NDR `[rows, M, M]` in the altered studies of `rows`, and where it is defined; cached, read only."""
        ready = self._altered.get(rows)
        if ready is None:
            ndr_BMM, defined_BMM = self.with_noise(rows.rl_scale, rows.draw)
            place = np.arange(rows.count)[:, None, None], rows.order[:, :, None], rows.order[:, None, :]
            renamed = rows.permuted
            ndr_BMM[renamed], defined_BMM[renamed] = (array[place][renamed] for array in (ndr_BMM, defined_BMM))
            ready = ndr_BMM, defined_BMM
            self._altered.clear()
            self._altered[rows] = ready
        return ready

    def with_noise(self, scale_B: Floats, draw_B: NDArray[np.int64]) -> tuple[NDArray[np.floating], Bools]:
        """NDR `[B, M, M]` with the deviations of these prompt draws added, each so many times."""
        gains_BMM = np.repeat(self.gains_MM[None], len(scale_B), axis=0)
        noisy = np.flatnonzero(scale_B)
        gains_BMM[noisy] += scale_B[noisy, None, None] * (self.gains_BMM[draw_B[noisy]] - self.gains_MM)
        return self.ndr_of(gains_BMM)

    def noise_shares(self, pair_MM: Bools) -> NoiseShares | None:
        """How much of the variance of NDR over these pairs `[M, M]` is noise; None with fewer than two defined."""
        defined_MM = pair_MM & self.defined_MM
        ndr = self.ndr_MM[defined_MM]
        if len(ndr) < 2 or not ndr.var() > 0:
            return None
        own_M = np.diagonal(self.gains_MM) if self.unit_M is None else self.unit_M

        def share(gains_BMM: NDArray[np.floating]) -> float:
            deviation_BMM = gains_BMM.astype(np.float64)
            if self.unit_M is None:  # NDR is a ratio of two gains, and either has noise
                deviation_BMM -= self.ndr_MM * np.diagonal(gains_BMM, axis1=1, axis2=2)[:, :, None]
            variance_MM = (deviation_BMM**2).mean(axis=0) / np.where(own_M > 0, own_M, 1.0)[:, None] ** 2
            return float(variance_MM[defined_MM].mean() / ndr.var())

        noise_BMM = self.gains_BMM - self.gains_MM
        if self.training_BMM is None:
            return NoiseShares(training=None, prompts=share(noise_BMM))
        return NoiseShares(share(self.training_BMM), share(noise_BMM - self.training_BMM))

    def training_share(self, pair_MM: Bools) -> float:
        """How much of the noise of NDR over these pairs is that of training; 0 where it is not known."""
        shares = None if self.training_BMM is None else self.noise_shares(pair_MM)
        if shares is None or not shares.training:
            return 0.0
        return shares.training / (shares.training + shares.prompts)

    def ndr_of(self, gains_BMM: NDArray[np.floating]) -> tuple[NDArray[np.floating], Bools]:
        """NDR of other golden gains `[B, M, M]` of these policies, and where it is defined."""
        return _ndr(gains_BMM, self.clear_M, self.optimised_M, self.unit_M)


def drawn_regret(
    values: PolicyValues, prompts: NDArray[np.int64], replicates: int, seed: int, unit: Floats | None = None
) -> Regret:
    """`regret_of` in bootstrap replicates of these prompts `[P]`; the last is cached in `values`, not to be written to.

    It does not depend on how reward models are measured, so another measure or test set finds it in the cache.
    """
    key = (replicates, seed, prompts.tobytes(), None if unit is None else unit.tobytes())
    regret: Regret | None = values.drawn.get(key)
    if regret is None:
        counts_BQ = bootstrap.counts(len(prompts), replicates, seed, bootstrap.RL_PROMPTS)
        regret = regret_of(values, prompts, counts_BQ, unit=unit, seed=seed)
        values.drawn.clear()
        values.drawn[key] = regret
    return regret


def unit_of(values: PolicyValues, roles: Roles) -> Floats | None:
    """By what gains are divided in NDR's place, `[M]`; None for NDR, if each golden that is no proxy has a policy.

    Raises InvalidChoice if it is needed and not known.
    """
    if values.optimised_M is None or bool(values.optimised_M[roles.golden_only_M].all()):
        return None
    if values.spread_M is None:
        names = [name for name, only in zip(values.reward_models, roles.golden_only_M, strict=True) if only]
        raise InvalidChoice(
            f"no policy was optimised against {', '.join(names)}, and how its scores vary within prompts is not known; "
            "give the policy values with spread_M"
        )
    return values.spread_M


def regret_of(
    values: PolicyValues,
    prompts: NDArray[np.int64],
    counts_BQ: NDArray[np.floating],
    clear: Bools | None = None,
    unit: Floats | None = None,
    *,
    seed: int = 0,
    noisy_M: Bools | None = None,
) -> Regret:
    """NDR of every pair over these RL-test prompts `[P]`, and over each bootstrap replicate of them.

    A replicate also draws the noise of training, where policies were optimised several times (`training_noise`); in
    `gains_BMM` that of each proxy's own repeats, in intervals and `ndr_BMM` that of any. `clear` `[M]` says which
    goldens clearly gain; if not given, the replicates do. With a `unit` `[M]`, gains in it. `noisy_M` `[M]`: whose
    policies' noise `ndr_BMM` has, where drawing reward models draws that of the others; all, if not given.
    """
    M, Q = values.initial_MQ.shape
    chosen = slice(None) if len(prompts) == Q else prompts
    kind = precision(len(counts_BQ), M * M * len(prompts))
    gains_MM, gains_BMM = np.empty((M, M)), np.empty((len(counts_BQ), M, M), dtype=kind)
    step = max(1, BLOCK_ENTRIES // (M * len(prompts)))
    for start in range(0, M, step):  # a copy of all goldens might not fit into memory
        goldens = slice(start, start + step)
        gains_gMQ = values.optimised_MMQ[goldens, :, chosen] - values.initial_MQ[goldens, None, chosen]
        gains_MM[goldens] = gains_gMQ.mean(axis=2)
        sums_BC = weighted_sums(counts_BQ, gains_gMQ.reshape(-1, len(prompts)).T, kind=kind)
        gains_BMM[:, goldens] = (sums_BC / np.maximum(counts_BQ.sum(axis=1, dtype=np.float64), 1.0)[:, None]).reshape(
            len(counts_BQ), -1, M
        )
    training = training_noise(values, prompts, len(counts_BQ), seed)
    drawn_BMM = quiet_BMM = gains_BMM
    if training is not None:
        any_BMM: NDArray[np.floating] = training.any_BMM.astype(kind)
        drawn_BMM = gains_BMM + any_BMM
        quiet_BMM = drawn_BMM if noisy_M is None else gains_BMM + any_BMM * noisy_M
        gains_BMM = gains_BMM + training.own_BMM.astype(kind)

    own_BM = np.diagonal(drawn_BMM, axis1=1, axis2=2)
    optimised_M = np.ones(M, dtype=bool) if values.optimised_M is None else values.optimised_M
    if unit is not None:
        clear_M = unit > 0
    else:
        clear_M = clear if clear is not None else (bootstrap.interval(own_BM)[0] > 0) & optimised_M
    own_BM = np.diagonal(quiet_BMM, axis1=1, axis2=2)
    ndr_BMM, defined_BMM = _ndr(quiet_BMM, clear_M, optimised_M, unit)
    ndr_MM, defined_MM = _ndr(gains_MM[None], clear_M, optimised_M, unit)
    low_MM, high_MM = np.zeros((M, M)), np.zeros((M, M))
    for golden in np.flatnonzero(clear_M):
        gaining = own_BM[:, golden] > (0 if unit is None else -np.inf)
        low_MM[golden], high_MM[golden] = bootstrap.interval(ndr_BMM[gaining, golden])
    low_MM[:, ~optimised_M] = high_MM[:, ~optimised_M] = 0.0
    return Regret(
        ndr_MM[0],
        low_MM,
        high_MM,
        defined_MM[0],
        ndr_BMM,
        defined_BMM,
        gains_MM=gains_MM,
        gains_BMM=gains_BMM,
        clear_M=clear_M,
        optimised_M=optimised_M,
        prompts=len(prompts),
        unit_M=unit,
        training_BMM=None if training is None else training.own_BMM,
    )


def _ndr(
    gains_BMM: NDArray[np.floating], clear_M: Bools, optimised_M: Bools, unit: Floats | None
) -> tuple[NDArray[np.floating], Bools]:
    """NDR `[B, M, M]` and where it is defined: off the diagonal, for clear goldens that gain in this replicate.

    A proxy has to have been optimised against. With a unit, gains in it, for all goldens whose unit is not 0.
    """
    own = np.diagonal(gains_BMM, axis1=1, axis2=2)
    M = own.shape[1]
    if unit is not None:
        own = np.broadcast_to(unit.astype(gains_BMM.dtype), own.shape)
    defined = np.repeat(((own > 0) & clear_M)[:, :, None], M, axis=2) & ~np.eye(M, dtype=bool) & optimised_M
    return settled(np.divide(gains_BMM, own[:, :, None], out=np.zeros_like(gains_BMM), where=defined)), defined
