"""The audit of a test set in one go: every subset and every item, what is wrong with it and how that is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warehouse.metrics.cube import PolicyValues, ScoreCube
from warehouse.stats.bootstrap import Bools
from warehouse.study.audit.items import FAULTS, FEWEST_MODELS, REASONS, Items, items
from warehouse.study.audit.prediction import Prediction, outcome_predictions, predictions
from warehouse.study.audit.redundant import Redundant, Texts, redundant
from warehouse.study.audit.right import Right, rights
from warehouse.study.audit.subsets import SubsetAudit, groups, subset_audits
from warehouse.study.evaluate import Evaluation
from warehouse.study.outcomes import Outcome


@dataclass(frozen=True)
class Audit:
    """What there is to say of a test set of P items (`prompts`, with `categories` and `subsets`, all `[P]`).

    `predictions` has one for each of `subsets`, None where there is none, as for a run without policies.
    """

    right: Right
    items: Items
    redundant: Redundant
    subsets: Sequence[SubsetAudit]
    predictions: Sequence[Prediction | None]
    prompts: tuple[str, ...]
    categories: tuple[str, ...]
    subset_names: tuple[str, ...]

    @property
    def evaluations(self) -> list[Evaluation]:
        """The study's own evaluations of the subsets; empty for an outcome, or without policies."""
        return [part.evaluation for part in self.predictions if part is not None and part.evaluation is not None]

    @property
    def enough_models(self) -> bool:
        """Whether there are reward models enough to say anything of single items."""
        return len(self.right.reward_models) >= FEWEST_MODELS

    @property
    def flags(self) -> dict[str, Bools]:
        """Which items `[P]` each of `items.REASONS` names."""
        of_texts = {"redundant": self.redundant.of_P >= 0, "same responses": self.redundant.same_responses_P}
        return {name: {**self.items.flags, **of_texts}[name] for name in REASONS}

    def reasons(self) -> list[tuple[str, ...]]:
        """Why each item is listed, the most urgent reason first; empty for one that is fine."""
        flags = self.flags
        return [tuple(name for name in REASONS if flags[name][p]) for p in range(len(self.prompts))]

    def worst(self) -> NDArray[np.int64]:
        """The numbers `[items]` of items with a fault, the surest first: by their first reason, then by its test."""
        order = {name: rank for rank, name in enumerate(REASONS)}
        certainty_P = np.minimum(self.items.suspect_q_P, self.items.contrary_q_P)
        reasons = self.reasons()
        faulty = [p for p, names in enumerate(reasons) if set(names) & set(FAULTS)]
        return np.array(sorted(faulty, key=lambda p: (order[reasons[p][0]], certainty_P[p], p)), dtype=np.int64)


def audited(
    cube: ScoreCube,
    values: PolicyValues | None = None,
    texts: Texts | None = None,
    *,
    outcome: Outcome | None = None,
    replicates: int = 1000,
    seed: int = 0,
) -> Audit:
    """Audit the prompts of a cube, with its goldens or those of `default_goldens`; `texts` are what items say.

    Subsets are to predict the outcome, or else the NDR of the policies whose `values` are given.
    """
    cube = cube.with_goldens(cube.goldens or default_goldens(cube))
    right = rights(cube)
    of = list(groups(cube.categories, cube.subsets))
    predicted: Sequence[Prediction | None] = [None] * len(of)
    if outcome is not None:
        predicted = outcome_predictions(cube, outcome, of, replicates=replicates, seed=seed)
    elif values is not None:
        predicted = predictions(cube, values, of, replicates=replicates, seed=seed)
    return Audit(
        right=right,
        items=items(right, seed),
        redundant=redundant(cube, texts),
        subsets=subset_audits(right, of, replicates=replicates, seed=seed),
        predictions=predicted,
        prompts=cube.prompts,
        categories=cube.categories,
        subset_names=cube.subsets,
    )


def default_goldens(cube: ScoreCube) -> tuple[str, ...]:
    """The scorers that are golden only, such as a benchmark's labels, which an audit is of; empty if there are none."""
    only = cube.only or ()
    return tuple(name for name, role in zip(cube.reward_models, only, strict=False) if role == "golden")
