"""How much each reward model's score changes when a response is edited, in its own units.

The reaction to an edit is the mean over prompts of the edited response's score minus the original's, in the reward
model's standard deviation within prompts under π_0.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from warehouse.schema import EDITS
from warehouse.stats.bootstrap import Estimate, Floats, prompt_means


@dataclass(frozen=True)
class Reactions:
    """Changes of the scores of M reward models by the edits of one response to each of P prompts, `[E, M, P]`.

    In standard deviations within prompts; edits are in the order of `schema.EDITS`. `left_out` are reward models that
    did not score all edited responses, or give all responses to a prompt the same score.
    """

    reward_models: tuple[str, ...]
    prompts: tuple[str, ...]
    change_EMP: Floats
    left_out: tuple[str, ...] = ()

    def of_reward_models(self, names: Sequence[str]) -> Reactions:
        """Those of these reward models, in their order."""
        rows = [self.reward_models.index(name) for name in names]
        return replace(self, reward_models=tuple(names), change_EMP=self.change_EMP[:, rows])

    def of_prompts(self, names: Collection[str]) -> Reactions:
        """Those on these prompts, as far as their responses were edited."""
        columns = [place for place, prompt in enumerate(self.prompts) if prompt in names]
        prompts = tuple(self.prompts[place] for place in columns)
        return replace(self, prompts=prompts, change_EMP=self.change_EMP[:, :, columns])

    def means(self, *, replicates: int = 1000, seed: int = 0) -> Mapping[str, tuple[Estimate, ...]]:
        """The reactions by edit, one for each reward model, with intervals over the prompts."""
        return {
            edit: prompt_means(change_MP.T, replicates=replicates, seed=seed)
            for edit, change_MP in zip(EDITS, self.change_EMP, strict=True)
        }
