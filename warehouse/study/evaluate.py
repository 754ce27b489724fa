"""A measure on a test set against an optimiser: values, NDR and their correlations over all golden–proxy pairs.

METHOD, "Intervals". A correlation answers two questions, which are never mixed (`Correlation`). What is resampled is in
`stats.resampling`, how noise is taken off in `stats.noise`, how intervals come about in `stats.intervals`; that they
cover what they claim is what `docs/calibration.md` shows. Per-prompt values are computed once (`prepare`); a resampled
study, a category or a number of prompts only re-weights them.
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
from warehouse.metrics.prompt_values import PromptValues, settled
from warehouse.metrics.roles import Roles
from warehouse.metrics.test_set import TestSet, check, chosen_prompts, prompts_in
from warehouse.stats.across_pairs import EVERY, LEVELS, Figures, PairValues, Selected, correlate
from warehouse.stats.bootstrap import Bools, Estimate, Floats
from warehouse.stats.resampling import Rows, rows_for
from warehouse.study.ceiling import ceilings
from warehouse.study.correlation import Correlation, correlation
from warehouse.study.folds import Fold, cross_fitted, shared_prompts
from warehouse.study.regret import Quantity, Regret, drawn_regret, regret_of, unit_of

RESAMPLED = "reward models × prompts"


@dataclass(frozen=True)
class Evaluation:
    """The result of `evaluate`. Matrices are `[M golden, M proxy]`; undefined entries are 0, never NaN.

    `pair_MM` are the pairs that count: of each golden and another reward model as its proxy. `value` is the measure's
    value, larger for a better proxy; `ndr_low`, `ndr_high` the 95 % interval of NDR over RL-test prompts.
    `correlations` are over all defined pairs, `within` are computed within each golden and then averaged (MRR is that
    by definition). `undefined_pairs` counts those of them without NDR or value, `undefined_prompts` the (prompt, pair)
    cells on which the measure is undefined and which weigh 0. `shared_prompts` counts prompts that are on both sides:
    if there are any, or are in a test set that this one is compared with, correlations are cross-fitted over halves of
    the prompts. `quantity` is `ndr`, or `gain` where gains in standard deviations stand in NDR's place
    (`study.regret`). Policies are means of `repeats` optimisations with different seeds, those of `single_repeats` of
    the proxies of one only; with one of each, the noise of training counts as regret (`study.training_noise`).
    """

    measure: str
    pair_MM: Bools
    value_MM: Floats
    value_defined_MM: Bools
    ndr_MM: Floats
    ndr_low_MM: Floats
    ndr_high_MM: Floats
    ndr_defined_MM: Bools
    correlations: Mapping[str, Correlation]
    within: Mapping[str, Correlation]
    undefined_pairs: int
    undefined_prompts: int
    prompts_used: int
    rl_prompts_used: int
    shared_prompts: int
    replicates: int
    seed: int
    resampled: str
    quantity: Quantity = "ndr"
    repeats: int = 1
    single_repeats: int = 0

    @property
    def proxies(self) -> int:
        """How many reward models are judged."""
        return int(self.pair_MM.any(axis=0).sum())


@dataclass(frozen=True)
class Replicated:
    """An evaluation with its correlations in every altered study of `rows`: what a paired comparison starts from.

    `pooled` and `within` hold figures `[rows]` by name. `training_share` is how much of the noise of NDR is that of
    training, as far as it is known, and not of RL-test prompts.
    """

    evaluation: Evaluation
    rows: Rows
    pooled: Figures
    within: Figures
    rm_noise: float
    training_share: float = 0.0

    def figures(self, level: str) -> Figures:
        """Those of a level, `pooled` or `within`."""
        return self.within if level == "within" else self.pooled


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
    """Measures on test sets, all in the same altered studies (`stats.resampling`).

    Test sets of the same prompts share their draws too; of other prompts, those with equally many share the places
    that are drawn. If one test set has prompts on both sides, all are cross-fitted: halves are noisier than the whole,
    so that differences would come of that alone. `among` `[M]` restricts to pairs of these reward models
    and of the goldens that are no proxies. Goldens and proxies are those of the cube (`ScoreCube.roles`).
    """
    if cube.reward_models != values.reward_models:
        raise InvalidChoice(f"scores are of {cube.reward_models}, values of {values.reward_models}; they have to agree")
    if len(cube.reward_models) < 2:
        raise InvalidChoice(f"there is {len(cube.reward_models)} reward model; a golden and a proxy take two")
    roles = cube.roles if among is None else cube.roles.among(among)
    rl_chosen = prompts_in(values, "RL-test", categories=rl_categories)
    plans = _planned(cube, jobs, prepared or [None] * len(jobs))
    rows = rows_for(roles.goldens, roles.proxies, replicates, seed)
    regret = drawn_regret(values, rl_chosen, replicates, seed, unit_of(values, roles))
    rl_names = [values.prompts[q] for q in rl_chosen]
    names: dict[bytes, tuple[str, ...]] = {}  # of the prompts of each distinct test set, which measures share
    for plan in plans:
        if plan.key not in names:
            names[plan.key] = tuple(cube.prompts[p] for p in plan.places)
    shared = {key: shared_prompts(rm_names, rl_names) for key, rm_names in names.items()}
    figures: dict[int, tuple[Figures, Figures]] = {}
    crossed = any(shared.values())
    if not crossed:
        ordered = sorted(range(len(plans)), key=lambda place: len(plans[place].chosen))  # equal draws while cached
        measured = [plans[place].altered(rows, seed, fold=None) for place in ordered]
        figures |= zip(
            ordered,
            correlate(measured, *regret.altered(rows), rows.goldens, rows.proxies, selected=selected),
            strict=True,
        )
    for key, rm_names in names.items() if crossed else ():
        places = [place for place, plan in enumerate(plans) if plan.key == key]
        folds = cross_fitted(rm_names, rl_names, rows.draws, seed)
        parts = []
        for fold in folds.folds:
            prompts = rl_chosen[fold.rl_prompts]
            of_fold = regret_of(values, prompts, fold.rl_counts_BQ, clear=regret.clear_M, unit=regret.unit_M, seed=seed)
            measured = [plans[place].altered(rows, seed, fold) for place in places]
            parts.append(correlate(measured, *of_fold.altered(rows), rows.goldens, rows.proxies, selected=selected))
        figures |= zip(places, _averaged(parts, len(places), rows, selected), strict=True)
    limits, training_share = ceilings(regret, rows, selected), regret.training_share(roles.pairs_MM)
    return [
        _replicated(
            plan,
            figures[place],
            _About(roles, regret, rows, limits, shared[plan.key], crossed, values.repeats_M, training_share),
            replicates,
            seed,
        )
        for place, plan in enumerate(plans)
    ]


@dataclass(frozen=True)
class _About:
    """What the evaluations of one choice share, how many prompts this one has on both sides, and if any has some."""

    roles: Roles
    regret: Regret
    rows: Rows
    limits: Mapping[tuple[str, str], Estimate]
    shared: int
    crossed: bool
    repeats_M: NDArray[np.int64]
    training_share: float


def _replicated(plan: _Plan, figures: tuple[Figures, Figures], about: _About, replicates: int, seed: int) -> Replicated:
    regret, rows = about.regret, about.rows
    measured = plan.sample()
    pair_MM = about.roles.pairs_MM
    defined_MM = measured.defined_BC[0][measured.column_MM] & pair_MM
    repeats_M = about.repeats_M[pair_MM.any(axis=0)]
    rm_noise = 0.5 if about.crossed else 1.0
    pooled, within = (
        {
            name: correlation(rows, name, figure, rm_noise, about.limits[name, level])
            for name, figure in of_level.items()
        }
        for level, of_level in zip(LEVELS, figures, strict=True)
    )
    evaluation = Evaluation(
        measure=plan.values.measure.name,
        pair_MM=pair_MM,
        value_MM=np.where(defined_MM, measured.values_BC[0][measured.column_MM], 0.0),
        value_defined_MM=defined_MM,
        ndr_MM=regret.ndr_MM,
        ndr_low_MM=regret.low_MM,
        ndr_high_MM=regret.high_MM,
        ndr_defined_MM=regret.defined_MM & pair_MM,
        correlations=pooled,
        within=within,
        undefined_pairs=int((pair_MM & ~(defined_MM & regret.defined_MM)).sum()),
        undefined_prompts=plan.values.undefined_cells(plan.chosen, pair_MM),
        prompts_used=len(plan.chosen),
        rl_prompts_used=regret.prompts,
        shared_prompts=about.shared,
        replicates=replicates,
        seed=seed,
        resampled=RESAMPLED,
        quantity=regret.quantity,
        repeats=int(repeats_M.max(initial=1)),
        single_repeats=int((repeats_M == 1).sum()),
    )
    return Replicated(evaluation, rows, *figures, rm_noise, about.training_share)


def _averaged(
    parts: Sequence[Sequence[tuple[Figures, Figures]]], jobs: int, rows: Rows, selected: Selected
) -> list[tuple[Figures, Figures]]:
    """The mean over folds of each job's figures, in the rows in which all folds have one; undefined without folds."""
    averaged = []
    for job in range(jobs):
        levels = []
        for number, level in enumerate(LEVELS):
            figures = {}
            for name in [name for name, at in selected if at == level]:
                of_folds = [part[job][number][name] for part in parts]
                value, defined = np.zeros(rows.count), np.zeros(rows.count, dtype=bool)
                if of_folds:
                    defined = np.all([is_defined for _, is_defined in of_folds], axis=0)
                    value = np.where(defined, np.mean([values for values, _ in of_folds], axis=0), 0.0)
                figures[name] = value, defined
            levels.append(figures)
        averaged.append((levels[0], levels[1]))
    return averaged


@dataclass(frozen=True)
class _Plan:
    """A measure's values and the prompts of them that are chosen."""

    values: PromptValues
    chosen: NDArray[np.int64]
    places: NDArray[np.int64]  # of the chosen prompts in the cube

    @property
    def key(self) -> bytes:
        """Equal for plans of the same prompts."""
        return self.places.tobytes()

    @staticmethod
    def of(cube: ScoreCube, measure: str, test_set: TestSet, prepared: PromptValues) -> _Plan:
        """With values that were prepared, which have to be of this choice."""
        needed = check(cube, test_set).seen()
        if not prepared.serves(cube.roles):
            raise InvalidChoice("the prepared values are of other goldens or proxies; prepare them for the same")
        if prepared.measure != measure_named(measure) or prepared.test_set != needed:
            raise InvalidChoice(
                f"the prepared values are {prepared.measure.name} of {prepared.test_set}, the choice is {measure} of "
                f"{needed}; prepare them for the same"
            )
        if prepared.values_TPC.shape[1] != len(cube.prompts) or len(prepared.column_MM) != len(cube.reward_models):
            raise InvalidChoice("the prepared values are of another score cube; prepare them for this one")
        chosen = chosen_prompts(cube, test_set)
        return _Plan(prepared, chosen, chosen)

    def sample(self, places: NDArray[np.int64] | None = None) -> PairValues:
        """On all chosen prompts, or on those in these places."""
        prompts = self.chosen if places is None else self.chosen[places]
        return PairValues(*self.values.overall(np.ones((1, len(prompts))), prompts), self.values.column_MM)

    def altered(self, rows: Rows, seed: int, fold: Fold | None) -> PairValues:
        """In the altered studies of `rows`, on all chosen prompts or on those of a fold."""
        sample = self.sample(None if fold is None else fold.rm_prompts)
        if fold is None:
            drawn_BC, drawn_defined_BC = self.values.drawn_overall(self.chosen, rows.draws, seed)
        else:
            drawn_BC, drawn_defined_BC = self.values.overall(fold.rm_counts_BP, self.chosen[fold.rm_prompts])
        values_BC = np.repeat(sample.values_BC, rows.count, axis=0).astype(np.float64)
        defined_BC = np.repeat(sample.defined_BC, rows.count, axis=0)
        noisy = np.flatnonzero(rows.rm_scale)
        draw = rows.draw[noisy]
        values_BC[noisy] += rows.rm_scale[noisy, None] * (drawn_BC[draw] - sample.values_BC)
        defined_BC[noisy] &= drawn_defined_BC[draw]
        return PairValues(settled(values_BC), defined_BC, sample.column_MM)


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
            plans[measure, test_set] = _Plan(values, np.arange(len(chosen)), chosen)
    return [
        plans[job] if ready is None else _Plan.of(cube, *job, ready) for job, ready in zip(jobs, prepared, strict=True)
    ]
