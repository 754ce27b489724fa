"""How well each subset of a test set predicts what policies lose, or an outcome: corrected for the number of subsets.

METHOD, "Audit of a test set". All subsets and the whole test set are evaluated in the same altered studies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from warehouse.metrics.cube import PolicyValues, ScoreCube
from warehouse.metrics.preparation import prepare_all
from warehouse.metrics.test_set import TestSet
from warehouse.stats import bootstrap
from warehouse.stats.bootstrap import Estimate, Floats
from warehouse.study.audit.subsets import FEWEST_ITEMS, Group
from warehouse.study.correlation import Correlation
from warehouse.study.evaluate import Evaluation, Replicated, replicated
from warehouse.study.outcomes import Outcome, predict_all
from warehouse.study.together import simultaneous, stepdown

MEASURE = "accuracy"

_RENAMINGS = 1999


@dataclass(frozen=True)
class Prediction:
    """How well accuracy on a group of items predicts NDR or an outcome: Kendall τ on a test set of these items.

    `p_value` is that of no prediction at all, adjusted for the number of groups. `difference` is from the
    τ of all items, its interval and `p_difference` hold for all groups at once; None for all items themselves, and for
    an outcome. `quantity` is what is predicted: `ndr`, `gain`, or the outcome's name. `evaluation` is the study's own,
    None for an outcome.
    """

    correlation: Correlation
    p_value: float | None
    difference: Estimate | None
    p_difference: float | None
    quantity: str
    evaluation: Evaluation | None = None


def predictions(
    cube: ScoreCube, values: PolicyValues, of: Sequence[Group], *, replicates: int = 1000, seed: int = 0
) -> list[Prediction | None]:
    """One for each group, the first of which is all items; None for one of fewer than FEWEST_ITEMS."""
    places = [number for number, group in enumerate(of) if number == 0 or len(group.items_P) >= FEWEST_ITEMS]
    parts = replicated(
        cube,
        values,
        [(MEASURE, _test_set(of[number])) for number in places],
        replicates=replicates,
        seed=seed,
        selected=(("kendall", "pooled"),),
    )
    together = simultaneous(parts[1:], parts[0], seed)
    predicted: list[Prediction | None] = [None] * len(of)
    columns = (
        places,
        parts,
        [parts[0].evaluation.correlations["kendall"].p_value, *_permutation_p(parts[1:])],
        [None, *together.differences],
        [None, *together.p_values],
    )
    for place, part, p_value, difference, p_difference in zip(*columns, strict=True):
        predicted[place] = Prediction(
            part.evaluation.correlations["kendall"],
            p_value,
            difference=difference,
            p_difference=p_difference,
            quantity=part.evaluation.quantity,
            evaluation=part.evaluation,
        )
    return predicted


def outcome_predictions(
    cube: ScoreCube, outcome: Outcome, of: Sequence[Group], *, replicates: int = 1000, seed: int = 0
) -> list[Prediction | None]:
    """The same for an outcome, over the reward models that have it."""
    places = [number for number, group in enumerate(of) if number == 0 or len(group.items_P) >= FEWEST_ITEMS]
    prepared = prepare_all(cube, (MEASURE,), TestSet())
    predicted_by = [
        predict_all(
            cube,
            outcome,
            (MEASURE,),
            MEASURE,
            test_set=_test_set(of[number]),
            replicates=replicates,
            seed=seed,
            prepared=prepared,
        ).predictions[MEASURE]
        for number in places
    ]
    value_SK = np.stack([part.value_K for part in predicted_by])
    outcome_K = predicted_by[0].outcome.value_K
    p_values = [*_renamed_p(value_SK[:1], outcome_K, seed), *_renamed_p(value_SK[1:], outcome_K, seed)]
    predicted: list[Prediction | None] = [None] * len(of)
    for place, part, p_value in zip(places, predicted_by, p_values, strict=True):
        predicted[place] = Prediction(
            part.correlations["kendall"], p_value, difference=None, p_difference=None, quantity=outcome.name
        )
    return predicted


def _renamed_p(value_SK: Floats, outcome_K: Floats, seed: int) -> list[float | None]:
    """p-values of no Kendall τ of S subsets' accuracies with an outcome of K reward models, for all S at once.

    The stepdown of Westfall and Young over outcomes that are renamed at random; None where a side is constant.
    """
    first, second = np.triu_indices(len(outcome_K), k=1)
    sign_SL = np.sign(np.nan_to_num(value_SK[:, first] - value_SK[:, second]))
    order_BK = bootstrap.generator(seed, bootstrap.PERMUTATIONS, "outcome").permuted(
        np.tile(np.arange(len(outcome_K)), (_RENAMINGS, 1)), axis=1
    )
    drawn_BK = np.concatenate([outcome_K[None], outcome_K[order_BK]])
    outcome_BL = np.sign(drawn_BK[:, first] - drawn_BK[:, second])
    scale_S = np.sqrt(np.abs(sign_SL).sum(axis=1) * np.abs(outcome_BL[0]).sum())
    defined = np.flatnonzero(scale_S > 0)
    p_values: list[float | None] = [None] * len(value_SK)
    if len(defined):
        size_BS = np.abs(outcome_BL @ sign_SL[defined].T) / scale_S[defined]
        for place, p_value in zip(defined, stepdown(size_BS[0] - 1e-9, size_BS[1:]), strict=True):
            p_values[place] = p_value
    return p_values


def _permutation_p(parts: Sequence[Replicated]) -> list[float | None]:
    """p-values of no prediction at all for several test sets at once: the stepdown of Westfall and Young 1993.

    Reward models are renamed alike in all of them, so the greatest |τ| of a renaming allows for how they go together.
    """
    defined = [place for place, part in enumerate(parts) if part.pooled["kendall"][1][0]]
    p_values: list[float | None] = [None] * len(parts)
    if defined:
        size_BL = np.stack([_sizes(parts[place]) for place in defined], axis=1)
        sample_L = np.array([abs(float(parts[place].pooled["kendall"][0][0])) for place in defined])
        for place, p_value in zip(defined, stepdown(sample_L - 1e-12, size_BL), strict=True):
            p_values[place] = p_value
    return p_values


def _sizes(part: Replicated) -> Floats:
    """|τ| under each renaming of reward models, `[B]`; 0 where undefined."""
    value, is_defined = (array[part.rows.permuted] for array in part.pooled["kendall"])
    return np.where(is_defined, np.abs(value), 0.0)


def _test_set(group: Group) -> TestSet:
    return TestSet(
        categories=None if group.category is None else (group.category,),
        subsets=None if group.subset is None else (group.subset,),
    )
