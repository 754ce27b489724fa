"""What is known of reward models before and after policies were optimised: their features, and their NDR.

The features and everything else that decides a prediction were fixed before any run was looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from warehouse.errors import InvalidChoice
from warehouse.metrics.cube import PolicyValues, ScoreCube
from warehouse.metrics.preparation import prepare_all
from warehouse.metrics.prompt_values import PromptValues
from warehouse.metrics.test_set import TestSet
from warehouse.stats.bootstrap import Bools, Floats
from warehouse.study.regret import Quantity, drawn_regret, unit_of

FEATURES = ("pearson", "bo_r", "reward_variance")
"""How a reward model's scores go with the golden's within prompts; what its favourite of a prompt's responses is worth;
and how much its scores vary within prompts, whatever the golden. The first is the one that charts show."""

ACCURACY = "accuracy"
"""The feature of the line that the prediction is compared with."""

USED = (*FEATURES, ACCURACY)


@dataclass(frozen=True)
class Known:
    """Features `[F, G, M]` (those of `USED`) of M reward models under G goldens, and their NDR where it is known.

    `judged_GM` says of which pairs all features are defined, `defined_GM` of which pairs NDR is. `kinds`
    are those of the reward models, `has_policy_M` says which of them have policies. `undefined_goldens` have no policy
    of their own that clearly gains, so that no NDR is defined under them; they are not among the goldens.
    """

    reward_models: tuple[str, ...]
    goldens: tuple[str, ...]
    kinds: tuple[str, ...]
    features_FGM: Floats
    judged_GM: Bools
    ndr_GM: Floats
    defined_GM: Bools
    has_policy_M: Bools
    quantity: Quantity
    undefined_goldens: tuple[str, ...]

    @property
    def own_GM(self) -> Bools:
        """Which pairs are of a reward model with itself, `[G, M]`."""
        return np.array([[golden == name for name in self.reward_models] for golden in self.goldens], dtype=bool)

    def goldens_without(self, left_out_M: Bools) -> Bools:
        """Which goldens are none of these reward models, `[G]`."""
        return np.asarray(~self.own_GM[:, left_out_M].any(axis=1))


def known_of(
    cube: ScoreCube,
    values: PolicyValues,
    kinds: Mapping[str, str],
    *,
    prepared: Mapping[str, PromptValues] | None = None,
    replicates: int = 1000,
    seed: int = 0,
) -> Known:
    """What is known of the proxies of a run, by the RM-test scores and the values of an optimiser's policies.

    The goldens are those of the cube's roles. `prepared` are the features' values of all prompts, if they are ready.
    Raises InvalidChoice if no golden is left.
    """
    if cube.reward_models != values.reward_models:
        raise InvalidChoice(
            f"scores are of {cube.reward_models}, policies of {values.reward_models}; they have to agree"
        )
    roles = cube.roles
    proxies, goldens = np.flatnonzero(roles.proxy_M), np.flatnonzero(roles.golden_M)
    ready = prepared or prepare_all(cube, USED, TestSet())
    unit_M = unit_of(values, roles)
    regret = drawn_regret(values, np.arange(len(values.prompts)), replicates, seed, unit_M)
    pair_GM = np.ix_(goldens, proxies)
    defined_GM = (roles.pairs_MM & regret.defined_MM)[pair_GM]
    clear_G = defined_GM.any(axis=1)
    if not clear_G.any():
        raise InvalidChoice(
            "under no golden is there a defined NDR of such policies, so there is nothing to learn from"
        )
    features, judged_MM = [], roles.pairs_MM.copy()
    everything = np.ones((1, len(cube.prompts)))
    for name in USED:
        value_1C, defined_1C = ready[name].overall(everything)
        column_MM = ready[name].column_MM
        features.append(value_1C[0, column_MM].astype(np.float64))
        judged_MM &= defined_1C[0, column_MM]
    judged_GM = judged_MM[pair_GM][clear_G]
    names = cube.reward_models
    return Known(
        reward_models=tuple(names[m] for m in proxies),
        goldens=tuple(names[g] for g in goldens[clear_G]),
        kinds=tuple(kinds.get(names[m], "unknown") for m in proxies),
        features_FGM=np.where(judged_GM, np.stack([feature[pair_GM][clear_G] for feature in features]), 0.0),
        judged_GM=judged_GM,
        ndr_GM=np.where(defined_GM, regret.ndr_MM[pair_GM], 0.0)[clear_G],
        defined_GM=defined_GM[clear_G],
        has_policy_M=regret.optimised_M[proxies],
        quantity=regret.quantity,
        undefined_goldens=tuple(names[g] for g in goldens[~clear_G]),
    )
