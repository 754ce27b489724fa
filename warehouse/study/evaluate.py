"""A measure on a test set against an optimiser: values, NDR and their correlations over all golden–proxy pairs.

METHOD, "Correlation with regret". Every figure has a 95 % percentile bootstrap interval in which reward models, RM-test
prompts and RL-test prompts are drawn with replacement together. Per-prompt values are computed once (`prepare`); a
replicate, a category or a number of prompts only re-weights them.

What intervals do not correct: with few prompts, their noise pulls a correlation towards 0, and that of a replicate, in
which prompts repeat, more so. The interval is then lower than with more prompts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice
from warehouse.metrics.catalogue import measure_named
from warehouse.metrics.cube import PolicyValues, ScoreCube
from warehouse.metrics.preparation import prepare_all
from warehouse.metrics.prompt_values import PromptValues
from warehouse.metrics.test_set import TestSet, check, chosen_prompts, prompts_in
from warehouse.stats import bootstrap
from warehouse.stats.across_pairs import EVERY, Figures, PairValues, Selected, correlate
from warehouse.stats.bootstrap import Bools, Estimate, Floats
from warehouse.study.regret import drawn_regret

RESAMPLED = "reward models × prompts"


@dataclass(frozen=True)
class Evaluation:
    """The result of `evaluate`. Matrices are `[M golden, M proxy]`; undefined entries are 0, never NaN.

    `value` is the measure's value, larger for a better proxy; `ndr_low`, `ndr_high` the 95 % interval of NDR over
    RL-test prompts. `correlations` are over all defined pairs, `within` are computed within each golden and then
    averaged (MRR is that by definition). `undefined_pairs` counts off-diagonal pairs without NDR or value,
    `undefined_prompts` the (prompt, pair) cells on which the measure is undefined and which weigh 0.
    """

    measure: str
    value_MM: Floats
    value_defined_MM: Bools
    ndr_MM: Floats
    ndr_low_MM: Floats
    ndr_high_MM: Floats
    ndr_defined_MM: Bools
    correlations: Mapping[str, Estimate]
    within: Mapping[str, Estimate]
    undefined_pairs: int
    undefined_prompts: int
    prompts_used: int
    rl_prompts_used: int
    replicates: int
    seed: int
    resampled: str


@dataclass(frozen=True)
class Replicated:
    """An evaluation with its correlations in every replicate: what a paired comparison starts from."""

    evaluation: Evaluation
    pooled: Figures
    within: Figures


def evaluate(
    cube: ScoreCube,
    values: PolicyValues,
    *,
    measure: str = "accuracy",
    test_set: TestSet | None = None,
    rl_categories: tuple[str, ...] | None = None,
    replicates: int = 1000,
    seed: int = 0,
    prepared: PromptValues | None = None,
) -> Evaluation:
    """Measure every proxy on the test set, value every policy on the RL-test prompts, and correlate the two.

    `prepared` are the values of `prepare(cube, measure, test_set)`, computed here if not given.
    Raises UnknownName and InvalidChoice for choices that the arrays cannot satisfy.
    """
    (part,) = replicated(
        cube,
        values,
        [(measure, test_set or TestSet())],
        rl_categories=rl_categories,
        replicates=replicates,
        seed=seed,
        prepared=[prepared],
    )
    return part.evaluation


def replicated(
    cube: ScoreCube,
    values: PolicyValues,
    jobs: Sequence[tuple[str, TestSet]],
    *,
    rl_categories: tuple[str, ...] | None = None,
    replicates: int = 1000,
    seed: int = 0,
    prepared: Sequence[PromptValues | None] | None = None,
    selected: Selected = EVERY,
    among: Bools | None = None,
) -> list[Replicated]:
    """Measures on test sets, all on the same draws of reward models and of RL-test prompts.

    Test sets of the same prompts share their draws too; of other prompts, those with equally many share the places
    that are drawn. `among` `[M]` restricts to pairs of these reward models, as they come up in draws of all M: that is
    how a part is compared with the whole.
    """
    M = len(cube.reward_models)
    if cube.reward_models != values.reward_models:
        raise InvalidChoice(f"scores are of {cube.reward_models}, values of {values.reward_models}; they have to agree")
    if M < 2:
        raise InvalidChoice(f"there is {M} reward model; a golden and a proxy take two")
    rl_chosen = prompts_in(values, "RL-test", categories=rl_categories)
    plans = _planned(cube, jobs, prepared or [None] * len(jobs))
    among_M = np.ones(M, dtype=bool) if among is None else among
    models_BM = bootstrap.counts(M, replicates, seed, bootstrap.REWARD_MODELS) * among_M
    regret = drawn_regret(values, rl_chosen, replicates, seed)
    on_sample = [plan.overall(np.ones((1, len(plan.chosen)))) for plan in plans]
    on_drawn = _drawn(plans, replicates, seed)
    once_M = among_M[None].astype(np.float64)
    figures = correlate(on_sample, regret.ndr_MM[None], regret.defined_MM[None], once_M, selected)
    figures_B = correlate(on_drawn, regret.ndr_BMM, regret.defined_BMM, models_BM, selected)
    pair_MM = among_M[:, None] & among_M & ~np.eye(M, dtype=bool)
    parts = []
    for plan, measured, sample, drawn in zip(plans, on_sample, figures, figures_B, strict=True):
        defined_MM = measured.defined_BC[0][measured.column_MM] & pair_MM
        pooled, within = (
            {
                name: bootstrap.estimate(float(value[0]), bool(defined[0]), *level_B[name])
                for name, (value, defined) in level.items()
            }
            for level, level_B in zip(sample, drawn, strict=True)
        )
        evaluation = Evaluation(
            measure=plan.values.measure.name,
            value_MM=np.where(defined_MM, measured.values_BC[0][measured.column_MM], 0.0),
            value_defined_MM=defined_MM,
            ndr_MM=regret.ndr_MM,
            ndr_low_MM=regret.low_MM,
            ndr_high_MM=regret.high_MM,
            ndr_defined_MM=regret.defined_MM & pair_MM,
            correlations=pooled,
            within=within,
            undefined_pairs=int((pair_MM & ~(defined_MM & regret.defined_MM)).sum()),
            undefined_prompts=plan.values.undefined_cells(plan.chosen),
            prompts_used=len(plan.chosen),
            rl_prompts_used=len(rl_chosen),
            replicates=replicates,
            seed=seed,
            resampled=RESAMPLED,
        )
        parts.append(Replicated(evaluation, *drawn))
    return parts


@dataclass(frozen=True)
class _Plan:
    """A measure's values and the prompts of them that are chosen."""

    values: PromptValues
    chosen: NDArray[np.int64]

    @staticmethod
    def of(cube: ScoreCube, measure: str, test_set: TestSet, prepared: PromptValues) -> _Plan:
        """With values that were prepared, which have to be of this choice."""
        needed = check(cube, test_set).seen()
        if prepared.measure != measure_named(measure) or prepared.test_set != needed:
            raise InvalidChoice(
                f"the prepared values are {prepared.measure.name} of {prepared.test_set}, the choice is {measure} of "
                f"{needed}; prepare them for the same"
            )
        if prepared.values_TPC.shape[1] != len(cube.prompts) or len(prepared.column_MM) != len(cube.reward_models):
            raise InvalidChoice("the prepared values are of another score cube; prepare them for this one")
        return _Plan(prepared, chosen_prompts(cube, test_set))

    def overall(self, counts_BP: NDArray[np.floating]) -> PairValues:
        return PairValues(*self.values.overall(counts_BP, self.chosen), self.values.column_MM)


def _planned(
    cube: ScoreCube, jobs: Sequence[tuple[str, TestSet]], prepared: Sequence[PromptValues | None]
) -> list[_Plan]:
    """A plan per job. What is not prepared is computed here, of the chosen prompts only, a test set at a time."""
    missing: dict[TestSet, list[str]] = {}
    for (measure, test_set), ready in zip(jobs, prepared, strict=True):
        if ready is None:
            missing.setdefault(test_set, []).append(measure)
    plans: dict[tuple[str, TestSet], _Plan] = {}
    for test_set, measures in missing.items():
        chosen = chosen_prompts(cube, test_set)
        for measure, values in prepare_all(cube, measures, test_set, chosen).items():
            plans[measure, test_set] = _Plan(values, np.arange(len(chosen)))
    return [
        plans[job] if ready is None else _Plan.of(cube, *job, ready) for job, ready in zip(jobs, prepared, strict=True)
    ]


def _drawn(plans: Sequence[_Plan], replicates: int, seed: int) -> list[PairValues]:
    """Values in every replicate; plans with equally many prompts one after another, while their draws are cached."""
    drawn: dict[int, PairValues] = {}
    for place in sorted(range(len(plans)), key=lambda place: len(plans[place].chosen)):
        values = plans[place].values
        drawn[place] = PairValues(*values.drawn_overall(plans[place].chosen, replicates, seed), values.column_MM)
    return [drawn[place] for place in range(len(plans))]
