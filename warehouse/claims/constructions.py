"""Does it matter which test set accuracy is measured on? Category, rank, responses, budget, noise and wording."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from warehouse.claims.claim import (
    AT_ONCE,
    Cell,
    Claim,
    Finding,
    Study,
    Table,
    differences_at_once,
    pairs_of,
    predicts_better,
    resolved,
    sizes_of,
    tau,
    why_no_difference,
)
from warehouse.claims.verdict import NEGLIGIBLE, above, apart
from warehouse.errors import InvalidChoice
from warehouse.metrics.test_set import FEWEST_PROMPTS, FEWEST_RESPONSES, TestSet, chosen_prompts
from warehouse.stats.bootstrap import NOTHING
from warehouse.study.comparison import contrast
from warehouse.study.evaluate import Replicated
from warehouse.study.plans import rank_bin_cells, splits, thinned
from warehouse.study.resolution import of_contrast

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
    tested = Counter(study.first.cube.categories)
    valued = [Counter(policies.values.categories) for policies in study.optimised.values()]
    names = sorted(name for name in tested if min(of[name] for of in (tested, *valued)) >= FEWEST_PROMPTS)
    if len(names) < 2:
        return replace(claim, missing=f"it has {len(names)} category with prompts on both sides")
    test_sets = [TestSet(categories=(name,)) for name in names]
    findings, tables = [], []
    for policies in study.optimised.values():
        by_pair = {
            (measured, valued): part
            for valued in names
            for measured, part in zip(names, study.measured(policies, test_sets, rl_categories=(valued,)), strict=True)
        }
        defined = [name for name in names if tau(by_pair[name, name]).value is not None]
        parts = []
        for name in defined:
            others = [by_pair[other, name] for other in names if other != name]
            parts.append((1 / len(defined), by_pair[name, name]))
            parts += [(-1 / len(defined) / len(others), other) for other in others]
        difference = contrast(parts)
        why = "" if difference.value is not None else why_no_difference([by_pair[name, name] for name in names])
        figure = f"τ, own minus other, {len(defined)} of {len(names)} categories"
        finding = Finding(policies.called, figure, difference, above(difference), why)
        findings.append(resolved(finding, of_contrast(parts), policies.sizes))
        rows: list[tuple[Cell, ...]] = [
            (measured, *(tau(by_pair[measured, valued]) for valued in names), tested[measured]) for measured in names
        ]
        undefined = (by_pair[name, name].evaluation.undefined_pairs for name in names)
        header = ("measured on", *(f"NDR on {name}" for name in names), "prompts")
        rows.append(("undefined pairs", *undefined, ""))
        tables.append(Table(f"Kendall τ, {policies.called}", header, tuple(rows)))
    return replace(claim, findings=tuple(findings), tables=tuple(tables))


def rank_matters(study: Study) -> Claim:
    """Pairs of responses that are far apart in golden rank predict otherwise than pairs of neighbouring ranks."""
    claim = Claim(
        "rank",
        "The rank of the compared responses matters",
        "The golden order of each prompt’s responses is cut into bins, 1 the worst. Decided by Kendall τ on pairs of "
        "the best and the worst bin minus the mean of τ on pairs of neighbouring bins: it matters if the interval "
        f"excludes 0, either way; not if it lies within ±{NEGLIGIBLE:g}.",
    )
    responses = study.first.cube.scores_MPR.shape[2]
    bins = min(MOST_BINS, responses // FEWEST_PER_BIN)
    if bins < 3:
        return replace(claim, missing=f"{responses} responses to a prompt are too few for three bins of two")
    cells = rank_bin_cells(bins)
    test_sets = [TestSet(rank_bins=bins, chosen_bin=chosen, rejected_bin=rejected) for chosen, rejected in cells]
    near = [place for place, (chosen, rejected) in enumerate(cells) if chosen - rejected == 1]
    far = cells.index((bins, 1))
    findings, tables = [], []
    for policies in study.optimised.values():
        whole, *parts = study.measured(policies, [TestSet(), *test_sets])
        compared = [(1.0, parts[far]), *((-1 / len(near), parts[place]) for place in near)]
        difference = contrast(compared)
        why = "" if difference.value is not None else why_no_difference([whole, *parts])
        finding = Finding(policies.called, "τ, far minus neighbouring", difference, apart(difference), why)
        findings.append(resolved(finding, of_contrast(compared), sizes_of(whole)))
        rows: list[tuple[Cell, ...]] = [("all pairs", tau(whole), "", "", whole.evaluation.undefined_pairs)]
        at_once = differences_at_once(parts, whole, study.seed)
        for (chosen, rejected), part, difference_and_p in zip(cells, parts, at_once, strict=True):
            label = f"bin {chosen} over bin {rejected}"
            rows.append((label, tau(part), *difference_and_p, part.evaluation.undefined_pairs))
        header = ("pairs of responses", "τ", "minus that of all pairs", "adjusted p", "undefined pairs")
        tables.append(Table(f"By rank, {policies.called}", header, tuple(rows)))
    return replace(
        claim,
        findings=tuple(findings),
        tables=tuple(tables),
        notes=(f"The differences from all pairs: {AT_ONCE}.",),
    )


def more_responses(study: Study) -> Claim:
    """At the same prompts, accuracy on all responses predicts better than on one pair, which costs less."""
    R = study.first.cube.scores_MPR.shape[2]
    claim = Claim(
        "responses",
        "More responses to each prompt predict better than one pair",
        "The prompts are the same. Decided by the paired difference of Kendall τ, accuracy over all pairs of a "
        f"prompt’s responses minus accuracy on its first two: {_BETTER}.",
        notes=(
            f"{R} responses to a prompt cost R(R−1)/2 = {R * (R - 1) // 2} comparisons against 1. The next claim is "
            "the fair form: it holds the number of annotations fixed.",
            f"The differences in the table: {AT_ONCE}.",
        ),
    )
    if R <= FEWEST_RESPONSES:
        return replace(claim, missing="it has one pair of responses to a prompt")
    sizes = thinned(range(FEWEST_RESPONSES, R + 1), MOST_SIZES)
    findings, tables = [], []
    for policies in study.optimised.values():
        parts = study.measured(policies, [TestSet(responses=size) for size in sizes])
        findings.append(predicts_better(policies.called, f"τ, {R} responses minus 2", parts[-1], parts[0]))
        tables.append(_sizes_table(f"By responses, {policies.called}", sizes, parts, study.seed))
    return replace(claim, findings=tuple(findings), tables=tuple(tables))


def budget_on_responses(study: Study) -> Claim:
    """A fixed budget predicts better when spent on more responses to fewer prompts, with and without noise."""
    claim = Claim(
        "budget",
        "A fixed budget is better spent on more responses to fewer prompts",
        "The annotations are as many, two for every prompt. Decided by the paired difference of Kendall τ, the most "
        f"responses on the fewest prompts minus two responses on all prompts: {_BETTER}. With noise, the annotator "
        f"flips {NOISES[-1]:.0%} of the golden pairs.",
    )
    R = study.first.cube.scores_MPR.shape[2]
    P = len(chosen_prompts(study.first.cube, TestSet()))
    budget = PAIR_BUDGET * P
    sizes = thinned(splits(budget, P, R), MOST_SIZES)
    if len(sizes) < 2:
        return replace(claim, missing=f"{P} prompts with {R} responses leave one way to spend a budget")
    findings, tables = [], []
    for policies in study.optimised.values():
        for noise in NOISES:
            test_sets = [TestSet(responses=r, budget=budget, noise=noise or None, seed=study.seed) for r in sizes]
            about = f"{policies.called}, {f'{noise:.0%} of pairs flipped' if noise else 'without noise'}"
            figure = f"τ, {sizes[-1]} responses minus {sizes[0]}"
            try:
                parts = study.measured(policies, test_sets)
            except InvalidChoice as error:  # very few prompts, on which no annotator flips that share
                findings.append(Finding(about, figure, NOTHING, "undefined", str(error)))
                continue
            findings.append(predicts_better(about, figure, parts[-1], parts[0]))
            tables.append(_sizes_table(f"{budget} annotations, {about}", sizes, parts, study.seed))
    return replace(
        claim,
        findings=tuple(findings),
        tables=tuple(tables),
        notes=(
            "Which prompts a split takes, and what the annotator errs on, is drawn once, by the seed.",
            f"The differences in the tables: {AT_ONCE}.",
        ),
    )


def paraphrases(study: Study) -> Claim:
    """Accuracy on paraphrased prompts predicts worse than on the prompts that policies are optimised for."""
    claim = Claim(
        "paraphrases",
        "Accuracy on paraphrased prompts predicts worse",
        "Decided by the paired difference of Kendall τ, the prompts in their own words minus all of them paraphrased, "
        f"each with as many of the initial policy’s responses to it: {_BETTER}.",
    )
    findings, rows = [], []
    for policies in study.optimised.values():
        if policies.paraphrased is None:
            continue
        sides = policies.cube, policies.paraphrased
        R = min(cube.scores_MPR.shape[2] for cube in sides)
        (plain,), (reworded,) = (study.measured(replace(policies, cube=cube.first_responses(R))) for cube in sides)
        findings.append(predicts_better(policies.called, "τ, own words minus paraphrased", plain, reworded))
        for words, part in (("their own", plain), ("paraphrased", reworded)):
            rows.append((policies.called, words, tau(part), part.evaluation.prompts_used, *pairs_of(part.evaluation)))
    if not findings:
        return replace(claim, missing="not all its RM-test prompts have paraphrases that were answered")
    table = Table("By wording", ("policies", "words", "τ", "prompts", "pairs", "undefined"), tuple(rows))
    return replace(claim, findings=tuple(findings), tables=(table,))


def _sizes_table(title: str, sizes: Sequence[int], parts: Sequence[Replicated], seed: int) -> Table:
    rows = []
    at_once: list[tuple[Cell, Cell]] = [("", ""), *differences_at_once(parts[1:], parts[0], seed)]
    for size, part, difference_and_p in zip(sizes, parts, at_once, strict=True):
        rows.append((size, part.evaluation.prompts_used, tau(part), *difference_and_p, *pairs_of(part.evaluation)))
    header = ("responses", "prompts", "τ", f"minus that of {sizes[0]} responses", "adjusted p", "pairs", "undefined")
    return Table(title, header, tuple(rows))
