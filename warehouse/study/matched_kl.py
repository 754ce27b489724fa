"""Values of policies that are equally far from the initial policy, whatever number of steps or samples took them there.

Along its strengths, in their order, each policy's value is taken as linear in d = √KL between neighbours, starting from
the initial policy's at d = 0; it is read where the policy first gets as far as asked. A policy that never does has no
value there. Best-of-n's KL is the bound log n − (n−1)/n, the same for every reward model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice
from warehouse.metrics.cube import PolicyValues
from warehouse.study.value_curves import distance

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def strengths_read(kl_SM: Floats, there_SM: Bools, kl: float) -> list[int]:
    """The strengths that `values_at_kl` reads: where some policy first gets as far, and the one before.

    Where none does, the strength that gets farthest, by which it says so.
    """
    crossings = [_crossing(kl_SM[:, m], there_SM[:, m], kl) for m in range(kl_SM.shape[1])]
    read = {s for crossing in crossings if crossing for s in crossing if s is not None}
    return sorted(read) or [int(np.where(there_SM, kl_SM, -np.inf).max(axis=1).argmax())]


def values_at_kl(values: Sequence[PolicyValues], kl_SM: Floats, kl: float) -> PolicyValues:
    """The policies' values where each has diverged by `kl` nats, from those at its S strengths, ascending.

    `kl_SM[s, m]` is the divergence at strength s of the policy optimised against reward model m, in nats; it is not
    looked at where `values[s].optimised_M` says there is no such policy. Raises InvalidChoice for a `kl` that is not
    above 0, or that no policy reaches.
    """
    if not kl > 0:
        raise InvalidChoice(f"KL is {kl:g}; give nats above 0")
    first = values[0]
    M = len(first.reward_models)
    there_SM = np.stack([np.ones(M, dtype=bool) if one.optimised_M is None else one.optimised_M for one in values])
    distance_SM = distance(kl_SM)
    optimised_MMQ = np.repeat(first.initial_MQ[:, None], M, axis=1)
    reached_M = np.zeros(M, dtype=bool)
    for m in range(M):
        crossing = _crossing(kl_SM[:, m], there_SM[:, m], kl)
        if crossing is None:
            continue
        before, reached = crossing
        before_MQ = first.initial_MQ if before is None else values[before].optimised_MMQ[:, m]
        start = 0.0 if before is None else distance_SM[before, m]
        share = (np.sqrt(kl) - start) / (distance_SM[reached, m] - start)
        optimised_MMQ[:, m] = (1 - share) * before_MQ + share * values[reached].optimised_MMQ[:, m]
        reached_M[m] = True
    if not reached_M.any():
        farthest = float(kl_SM[there_SM].max(initial=0.0))
        raise InvalidChoice(f"KL is {kl:g} nats; no policy gets that far: the farthest is at {farthest:.3g}")
    return replace(first, optimised_MMQ=optimised_MMQ, optimised_M=None if reached_M.all() else reached_M)


def _crossing(kl_S: Floats, there_S: Bools, kl: float) -> tuple[int | None, int] | None:
    """The strength at which a policy first gets as far, behind the last one before it (None: the initial policy).

    None for a policy that never does. Strengths at which there is no policy are passed over.
    """
    strengths = np.flatnonzero(there_S)
    far = np.flatnonzero(kl_S[strengths] >= kl)
    if not len(far):
        return None
    place = int(far[0])
    return (int(strengths[place - 1]) if place else None), int(strengths[place])
