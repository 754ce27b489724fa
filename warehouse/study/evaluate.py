"""A measure on a test set against an optimiser: values, NDR and their correlations over all golden–proxy pairs.

METHOD, "Correlation with regret". Every figure carries a 95 % percentile bootstrap interval in which reward
models, RM-test prompts and RL-test prompts are drawn with replacement together. Per-prompt values are made once
(`prepare`); a replicate, a category or a number of prompts only re-weights them.

What intervals do not mend: with few prompts, their noise pulls a correlation towards 0, and that of a replicate, in
which prompts repeat, more so. An interval then lies low against what more prompts would show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice
from warehouse.metrics.catalogue import MEASURES, measure_named
from warehouse.metrics.cube import PolicyValues, ScoreCube
from warehouse.metrics.preparation import prepare_all
from warehouse.metrics.prompt_values import PromptValues
from warehouse.metrics.test_set import TestSet, check, chosen_prompts, prompts_in
from warehouse.stats import bootstrap
from warehouse.stats.across_pairs import EVERY, Figures, PairValues, Wanted, correlate
from warehouse.stats.bootstrap import Estimate
from warehouse.study.regret import Regret, drawn_regret

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

RESAMPLED = "reward models × prompts"


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` finds. Matrices are `[golden, proxy]`; entries that are not defined are 0, never NaN.

    `value` is the measure's value, larger for a better proxy; `ndr_low`, `ndr_high` the 95 % interval of NDR over
    RL-test prompts. `correlations` are over all defined pairs, `within` are taken within each golden and then averaged
    (MRR is that by definition); both hold what was wanted. `undefined_pairs` counts off-diagonal pairs without NDR or
    value, `undefined_prompts` the (prompt, pair) cells on which the measure says nothing and which weigh 0.
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

    `prepared` are the values of `prepare(cube, measure, test_set)`, made here if they are not given.
    Raises UnknownName and InvalidChoice for choices that the arrays cannot satisfy.
    """
    ready = {measure: prepared} if prepared is not None else {}
    found = evaluate_all(
        cube,
        values,
        measures=(measure,),
        test_set=test_set,
        rl_categories=rl_categories,
        replicates=replicates,
        seed=seed,
        prepared=ready,
    )
    return found[measure]


def evaluate_all(
    cube: ScoreCube,
    values: PolicyValues,
    *,
    measures: Sequence[str] = tuple(MEASURES),
    test_set: TestSet | None = None,
    rl_categories: tuple[str, ...] | None = None,
    replicates: int = 1000,
    seed: int = 0,
    prepared: Mapping[str, PromptValues] | None = None,
) -> dict[str, Evaluation]:
    """`evaluate` for several measures, which share the replicates and the NDR: `{measure: evaluation}`."""
    jobs = [(name, test_set or TestSet()) for name in measures]
    ready = [(prepared or {}).get(name) for name in measures]
    found = replicated(cube, values, jobs, rl_categories, replicates, seed, ready)
    return {name: one.evaluation for name, one in zip(measures, found, strict=True)}


def evaluate_each(
    cube: ScoreCube,
    values: PolicyValues,
    test_sets: Sequence[TestSet],
    *,
    measure: str = "accuracy",
    rl_categories: tuple[str, ...] | None = None,
    replicates: int = 1000,
    seed: int = 0,
    prepared: Sequence[PromptValues | None] | None = None,
    wanted: Wanted = EVERY,
) -> list[Evaluation]:
    """`evaluate` for one measure on several test sets, which share the draws of reward models and the NDR."""
    jobs = [(measure, test_set) for test_set in test_sets]
    found = replicated(cube, values, jobs, rl_categories, replicates, seed, prepared, wanted)
    return [one.evaluation for one in found]


def replicated(
    cube: ScoreCube,
    values: PolicyValues,
    jobs: Sequence[tuple[str, TestSet]],
    rl_categories: tuple[str, ...] | None,
    replicates: int,
    seed: int,
    prepared: Sequence[PromptValues | None] | None = None,
    wanted: Wanted = EVERY,
    among: Bools | None = None,
) -> list[Replicated]:
    """Measures on test sets, all on the same draws of reward models and of RL-test prompts.

    Test sets of the same prompts share their draws too; of others, those with equally many prompts share the places
    that are drawn. `among` `[M]` keeps to pairs of these reward models, as they come up in draws of all M: that is how
    a part is compared with the whole.
    """
    M = len(cube.reward_models)
    if cube.reward_models != values.reward_models:
        raise InvalidChoice(f"scores are of {cube.reward_models}, values of {values.reward_models}; they have to agree")
    if M < 2:
        raise InvalidChoice(f"there is {M} reward model; a golden and a proxy take two")
    rl_chosen = prompts_in(values.categories, values.subsets, rl_categories, None, "RL-test")
    plans = _planned(cube, jobs, prepared or [None] * len(jobs))
    kept_M = np.ones(M, dtype=bool) if among is None else among
    models_BM = bootstrap.counts(M, replicates, seed, bootstrap.REWARD_MODELS) * kept_M
    found = drawn_regret(values, rl_chosen, replicates, seed)

    sample = [plan.overall(np.ones((1, len(plan.chosen)))) for plan in plans]
    drawn = _drawn(plans, replicates, seed)
    on_sample = correlate(sample, found.ndr_MM[None], found.defined_MM[None], kept_M[None].astype(np.float64), wanted)
    on_drawn = correlate(drawn, found.ndr_BMM, found.defined_BMM, models_BM, wanted)

    return [
        Replicated(
            _evaluation(plan, measured, found, kept_M, figures, figures_B, len(rl_chosen), replicates, seed), *figures_B
        )
        for plan, measured, figures, figures_B in zip(plans, sample, on_sample, on_drawn, strict=True)
    ]


@dataclass(frozen=True)
class _Plan:
    """A measure's values and the prompts of them that are chosen."""

    values: PromptValues
    chosen: NDArray[np.int64]

    @staticmethod
    def of(cube: ScoreCube, measure: str, test_set: TestSet, given: PromptValues) -> _Plan:
        """With values that were prepared, which have to be of this choice."""
        wanted = check(cube, test_set).seen()
        if given.measure != measure_named(measure) or given.test_set != wanted:
            raise InvalidChoice(
                f"the prepared values are {given.measure.name} of {given.test_set}, the choice is {measure} of "
                f"{wanted}; prepare them for the same"
            )
        if given.values_TPC.shape[1] != len(cube.prompts) or len(given.column_MM) != len(cube.reward_models):
            raise InvalidChoice("the prepared values are of another score cube; prepare them for this one")
        return _Plan(given, chosen_prompts(cube, test_set))

    def overall(self, counts_BP: NDArray[np.floating]) -> PairValues:
        return PairValues(*self.values.overall(counts_BP, self.chosen), self.values.column_MM)

    def drawn_overall(self, replicates: int, seed: int) -> PairValues:
        return PairValues(*self.values.drawn_overall(self.chosen, replicates, seed), self.values.column_MM)


def _planned(
    cube: ScoreCube, jobs: Sequence[tuple[str, TestSet]], prepared: Sequence[PromptValues | None]
) -> list[_Plan]:
    """A plan per job. What is not prepared is made here, of the chosen prompts only, all of a test set together."""
    wanting: dict[TestSet, list[str]] = {}
    for (measure, test_set), given in zip(jobs, prepared, strict=True):
        if given is None:
            wanting.setdefault(test_set, []).append(measure)
    made: dict[tuple[str, TestSet], _Plan] = {}
    for test_set, measures in wanting.items():
        chosen = chosen_prompts(cube, test_set)
        for measure, values in prepare_all(cube, measures, test_set, chosen).items():
            made[measure, test_set] = _Plan(values, np.arange(len(chosen)))
    return [
        made[job] if given is None else _Plan.of(cube, *job, given) for job, given in zip(jobs, prepared, strict=True)
    ]


def _drawn(plans: Sequence[_Plan], replicates: int, seed: int) -> list[PairValues]:
    """Values in every replicate; plans of equally many prompts in a row, so that their draws are still at hand."""
    in_turn = sorted(range(len(plans)), key=lambda place: len(plans[place].chosen))
    found = {place: plans[place].drawn_overall(replicates, seed) for place in in_turn}
    return [found[place] for place in range(len(plans))]


def _evaluation(
    plan: _Plan,
    measured: PairValues,
    regret: Regret,
    kept_M: Bools,
    figures: tuple[Figures, Figures],
    figures_B: tuple[Figures, Figures],
    rl_prompts: int,
    replicates: int,
    seed: int,
) -> Evaluation:
    pair_MM = kept_M[:, None] & kept_M & ~np.eye(len(kept_M), dtype=bool)
    defined_MM = measured.defined_BC[0][measured.column_MM] & pair_MM
    pooled, within = (
        {name: _estimate(one[name], many[name]) for name in one} for one, many in zip(figures, figures_B, strict=True)
    )
    return Evaluation(
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
        rl_prompts_used=rl_prompts,
        replicates=replicates,
        seed=seed,
        resampled=RESAMPLED,
    )


def _estimate(sample: tuple[Floats, Bools], drawn: tuple[Floats, Bools]) -> Estimate:
    return bootstrap.estimate(float(sample[0][0]), bool(sample[1][0]), *drawn)
