"""Does it matter which test set accuracy is measured on? Category, rank, responses, budget, noise and wording."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from warehouse.claims.claim import KENDALL, Cell, Claim, Ruling, Table
from warehouse.claims.study import Optimised, Study, pairs_of, why_undefined
from warehouse.claims.verdict import NEGLIGIBLE, above, apart
from warehouse.metrics.test_set import FEWEST_PROMPTS, FEWEST_RESPONSES, TestSet
from warehouse.stats.bootstrap import Estimate
from warehouse.study.comparison import contrast, paired
from warehouse.study.evaluate import Replicated, replicated
from warehouse.study.plans import rank_bin_cells, splits, thinned

MOST_BINS = 4
FEWEST_PER_BIN = 2
MOST_SIZES = 8
NOISES = (0.0, 0.2)
"""Shares of the golden pairs that an annotator flips: none, and one in five."""

PAIR_BUDGET = 2
"""Annotations per prompt of the fixed budget: what two responses to every prompt cost."""

_BETTER = f"it holds above 0, not if the interval ends below {NEGLIGIBLE:g}"


def category_matters(study: Study) -> Claim:
    """Accuracy on the prompts of a category predicts the policy's regret on it better than accuracy on another does."""
    claim = Claim(
        "category",
        "The category of the test set matters",
        "Decided by Kendall τ of accuracy on a category with NDR on the same, minus the mean of τ of the other "
        f"categories with NDR on it, averaged over categories: {_BETTER}.",
    )
    first = next(iter(study.optimised.values()))
    tested, optimised = Counter(first.cube.categories), Counter(first.values.categories)
    names = sorted(name for name in tested if min(tested[name], optimised[name]) >= FEWEST_PROMPTS)
    if len(names) < 2:
        return replace(claim, missing=f"it has {len(names)} category with prompts on both sides")
    rulings, tables = [], []
    for one in study.optimised.values():
        found = {
            (measured, valued): part
            for valued in names
            for measured, part in zip(names, _by_category(study, one, names, valued), strict=True)
        }
        defined = [name for name in names if _tau(found[name, name]).value is not None]
        parts = []
        for name in defined:
            others = [found[other, name] for other in names if other != name]
            parts.append((1 / len(defined), found[name, name]))
            parts += [(-1 / len(defined) / len(others), other) for other in others]
        difference = contrast(parts)
        why = "" if difference.value is not None else _why([found[name, name] for name in names])
        label = f"τ, own minus other, {len(defined)} of {len(names)} categories"
        rulings.append(Ruling(one.called, label, difference, above(difference), why))
        rows: list[tuple[Cell, ...]] = [
            (measured, *(_tau(found[measured, valued]) for valued in names), tested[measured]) for measured in names
        ]
        undefined = (found[name, name].evaluation.undefined_pairs for name in names)
        header = ("measured on", *(f"NDR on {name}" for name in names), "prompts")
        rows.append(("undefined pairs", *undefined, ""))
        tables.append(Table(f"Kendall τ, {one.called}", header, tuple(rows)))
    return replace(claim, rulings=tuple(rulings), tables=tuple(tables))


def rank_matters(study: Study) -> Claim:
    """Pairs of responses that are far apart in golden rank predict otherwise than pairs of neighbouring ranks."""
    claim = Claim(
        "rank",
        "The rank of the compared responses matters",
        "The golden order of each prompt’s responses is cut into bins, 1 the worst. Decided by Kendall τ on pairs of "
        "the best and the worst bin minus the mean of τ on pairs of neighbouring bins: it matters if the interval "
        f"excludes 0, either way; not if it lies within ±{NEGLIGIBLE:g}.",
    )
    responses = next(iter(study.optimised.values())).cube.scores_MPR.shape[2]
    bins = min(MOST_BINS, responses // FEWEST_PER_BIN)
    if bins < 3:
        return replace(claim, missing=f"{responses} responses to a prompt are too few for three bins of two")
    cells = rank_bin_cells(bins)
    test_sets = [TestSet(rank_bins=bins, chosen_bin=chosen, rejected_bin=rejected) for chosen, rejected in cells]
    near = [place for place, (chosen, rejected) in enumerate(cells) if chosen - rejected == 1]
    far = cells.index((bins, 1))
    rulings, tables = [], []
    for one in study.optimised.values():
        whole, *found = _on(study, one, [TestSet(), *test_sets])
        difference = contrast([(1.0, found[far]), *((-1 / len(near), found[place]) for place in near)])
        why = "" if difference.value is not None else _why([whole])
        rulings.append(Ruling(one.called, "τ, far minus neighbouring", difference, apart(difference), why))
        rows: list[tuple[Cell, ...]] = [("all pairs", _tau(whole), "", whole.evaluation.undefined_pairs)]
        for (chosen, rejected), part in zip(cells, found, strict=True):
            said = f"bin {chosen} over bin {rejected}"
            rows.append((said, _tau(part), _difference(part, whole), part.evaluation.undefined_pairs))
        header = ("pairs of responses", "τ", "minus that of all pairs", "undefined pairs")
        tables.append(Table(f"By rank, {one.called}", header, tuple(rows)))
    return replace(
        claim,
        rulings=tuple(rulings),
        tables=tuple(tables),
        notes=("The greatest of the differences from all pairs is picked among several: read it with that in mind.",),
    )


def more_responses(study: Study) -> Claim:
    """At the same prompts, accuracy on all responses predicts better than on one pair."""
    claim = Claim(
        "responses",
        "More responses to each prompt predict better than one pair",
        "The prompts are the same. Decided by the paired difference of Kendall τ, accuracy over all pairs of a "
        f"prompt’s responses minus accuracy on its first two: {_BETTER}.",
    )
    R = next(iter(study.optimised.values())).cube.scores_MPR.shape[2]
    if R <= FEWEST_RESPONSES:
        return replace(claim, missing="it has one pair of responses to a prompt")
    sizes = thinned(range(FEWEST_RESPONSES, R + 1), MOST_SIZES)
    rulings, tables = [], []
    for one in study.optimised.values():
        found = _on(study, one, [TestSet(responses=size) for size in sizes])
        rulings.append(_better(one, f"τ, {R} responses minus 2", found[-1], found[0]))
        tables.append(_sizes_table(f"By responses, {one.called}", sizes, found))
    return replace(claim, rulings=tuple(rulings), tables=tuple(tables))


def budget_on_responses(study: Study) -> Claim:
    """A fixed budget predicts better when spent on more responses to fewer prompts, with and without noise."""
    claim = Claim(
        "budget",
        "A fixed budget is better spent on more responses to fewer prompts",
        "The annotations are as many, two for every prompt. Decided by the paired difference of Kendall τ, the most "
        f"responses on the fewest prompts minus two responses on all prompts: {_BETTER}. With noise, the annotator "
        f"flips {NOISES[-1]:.0%} of the golden pairs.",
    )
    first = next(iter(study.optimised.values()))
    _, P, R = first.cube.scores_MPR.shape
    budget = PAIR_BUDGET * P
    sizes = thinned(splits(budget, P, R), MOST_SIZES)
    if len(sizes) < 2:
        return replace(claim, missing=f"{P} prompts with {R} responses leave one way to spend a budget")
    rulings, tables = [], []
    for one in study.optimised.values():
        for noise in NOISES:
            test_sets = [TestSet(responses=r, budget=budget, noise=noise or None, seed=study.seed) for r in sizes]
            found = _on(study, one, test_sets)
            said = f"{noise:.0%} of pairs flipped" if noise else "without noise"
            label = f"τ, {sizes[-1]} responses minus {sizes[0]}"
            rulings.append(replace(_better(one, label, found[-1], found[0]), about=f"{one.called}, {said}"))
            tables.append(_sizes_table(f"{budget} annotations, {one.called}, {said}", sizes, found))
    return replace(
        claim,
        rulings=tuple(rulings),
        tables=tuple(tables),
        notes=("Which prompts a split takes, and what the annotator errs on, is drawn once, by the seed.",),
    )


def paraphrases(study: Study) -> Claim:
    """Accuracy on paraphrased prompts predicts worse than on the prompts that policies are optimised for."""
    claim = Claim(
        "paraphrases",
        "Accuracy on paraphrased prompts predicts worse",
        "Decided by the paired difference of Kendall τ, the prompts in their own words minus all of them paraphrased, "
        f"each with the initial policy’s responses to it: {_BETTER}.",
    )
    rulings, rows = [], []
    for one in study.optimised.values():
        if one.paraphrased is None:
            continue
        (plain,) = _on(study, one, [TestSet()])
        (reworded,) = _on(study, replace(one, cube=one.paraphrased), [TestSet()])
        rulings.append(_better(one, "τ, own words minus paraphrased", plain, reworded))
        for words, part in (("their own", plain), ("paraphrased", reworded)):
            rows.append((one.called, words, _tau(part), part.evaluation.prompts_used, *pairs_of(part.evaluation)))
    if not rulings:
        return replace(claim, missing="not all its RM-test prompts have paraphrases that were answered")
    table = Table("By wording", ("policies", "words", "τ", "prompts", "pairs", "undefined"), tuple(rows))
    return replace(claim, rulings=tuple(rulings), tables=(table,))


def _on(study: Study, one: Optimised, test_sets: Sequence[TestSet]) -> list[Replicated]:
    """Accuracy on these test sets, on the same draws of reward models."""
    jobs = [("accuracy", test_set) for test_set in test_sets]
    return replicated(one.cube, one.values, jobs, None, study.replicates, study.seed, wanted=KENDALL)


def _by_category(study: Study, one: Optimised, names: Sequence[str], valued: str) -> list[Replicated]:
    jobs = [("accuracy", TestSet(categories=(name,))) for name in names]
    return replicated(one.cube, one.values, jobs, (valued,), study.replicates, study.seed, wanted=KENDALL)


def _better(one: Optimised, figure: str, first: Replicated, second: Replicated) -> Ruling:
    """Does the first way of measuring predict better than the second?"""
    difference = _difference(first, second)
    why = "" if difference.value is not None else _why([first, second])
    return Ruling(one.called, figure, difference, above(difference), why)


def _sizes_table(title: str, sizes: Sequence[int], found: Sequence[Replicated]) -> Table:
    rows = tuple(
        (
            size,
            part.evaluation.prompts_used,
            _tau(part),
            _difference(part, found[0]) if part is not found[0] else "",
            *pairs_of(part.evaluation),
        )
        for size, part in zip(sizes, found, strict=True)
    )
    header = ("responses", "prompts", "τ", f"minus that of {sizes[0]} responses", "pairs", "undefined")
    return Table(title, header, rows)


def _tau(part: Replicated) -> Estimate:
    return part.evaluation.correlations["kendall"]


def _difference(first: Replicated, second: Replicated) -> Estimate:
    return paired(first, second).correlations["kendall"]


def _why(parts: Sequence[Replicated]) -> str:
    """Why the first of these that has no correlation has none."""
    return next((why_undefined(part.evaluation) for part in parts if _tau(part).value is None), "no shared replicate")
