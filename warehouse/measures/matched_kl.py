"""Values of policies that are equally far from the initial policy, whatever number of steps or samples took them there.

Along its strengths, in their order, each policy's value is taken as linear in d = √KL between neighbours, from the
initial policy's at d = 0 on; it is read where the policy first gets as far as asked. A policy that never does has no
value there. Best-of-n's KL is the bound log n − (n−1)/n, the same for every reward model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice
from warehouse.measures.cube import PolicyValues

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def strengths_read(kl_SM: Floats, there_SM: Bools, kl: float) -> list[int]:
    """The strengths that `values_at_kl` reads: where some policy first gets as far, and the one before.

    Where none does, the strength that gets farthest, by which it says so.
    """
    found = set()
    for m in range(kl_SM.shape[1]):
        there = np.flatnonzero(there_SM[:, m])
        far = np.flatnonzero(kl_SM[there, m] >= kl)
        if len(far):
            found |= set(map(int, there[max(0, far[0] - 1) : far[0] + 1]))
    return sorted(found) or [int(np.where(there_SM, kl_SM, -1.0).max(axis=1).argmax())]


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
    optimised_MMQ = np.repeat(first.initial_MQ[:, None], M, axis=1)
    reached_M = np.zeros(M, dtype=bool)
    for m in range(M):
        before_MQ, distance_before = first.initial_MQ, 0.0
        for s in map(int, np.flatnonzero(there_SM[:, m])):
            here_MQ, distance = values[s].optimised_MMQ[:, m], np.sqrt(max(kl_SM[s, m], 0.0))
            if kl_SM[s, m] >= kl:
                share = (np.sqrt(kl) - distance_before) / (distance - distance_before)
                optimised_MMQ[:, m] = (1 - share) * before_MQ + share * here_MQ
                reached_M[m] = True
                break
            before_MQ, distance_before = here_MQ, distance
    if not reached_M.any():
        farthest = float(kl_SM[there_SM].max(initial=0.0))
        raise InvalidChoice(f"KL is {kl:g} nats; no policy gets that far: the farthest is at {farthest:.3g}")
    return replace(first, optimised_MMQ=optimised_MMQ, optimised_M=None if reached_M.all() else reached_M)
