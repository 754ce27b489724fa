"""Does accuracy predict the policy, how well, and for which optimiser and reward models?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from warehouse.claims.claim import KENDALL, Cell, Claim, Ruling, Table
from warehouse.claims.study import Optimised, Study, pairs_of, why_undefined
from warehouse.claims.verdict import NEGLIGIBLE, above, below
from warehouse.metrics.catalogue import CORRELATION_WORDS
from warehouse.metrics.test_set import TestSet
from warehouse.paper import ACCURACY_AGAINST_NDR, SETTING
from warehouse.stats.across_pairs import CORRELATIONS
from warehouse.stats.bootstrap import Estimate
from warehouse.study.alike import regret_of_alike
from warehouse.study.comparison import paired
from warehouse.study.evaluate import Evaluation, Replicated, evaluate, replicated
from warehouse.study.strength_curves import ndr_curve

WEAK = 0.8
"""A Kendall τ below which a prediction is weak: more than one comparison in ten comes out the wrong way round."""

ALIKE = 0.02
"""Accuracies that differ by no more are alike."""

MUCH = 0.1
"""NDR that differ by more differ much: a tenth of what there is to gain."""


def accuracy_predicts(study: Study) -> Claim:
    """Kendall τ of accuracy with NDR is above 0, and yet far from 1."""
    rulings, rows = [], []
    for name, one in study.optimised.items():
        found = evaluate(one.cube, one.values, replicates=study.replicates, seed=study.seed)
        tau = found.correlations["kendall"]
        why = why_undefined(found) if tau.value is None else ""
        rulings += [
            Ruling(f"{one.called}: predicts", "Kendall τ", tau, above(tau), why),
            Ruling(f"{one.called}: only weakly", "Kendall τ", tau, below(tau, WEAK), why),
        ]
        pairs, undefined = pairs_of(found)
        for correlation in CORRELATIONS:
            paper = ACCURACY_AGAINST_NDR.get((name, correlation))
            pooled, within = found.correlations[correlation], found.within[correlation]
            rows.append((one.called, CORRELATION_WORDS[correlation].title, pooled, within, paper, pairs, undefined))
    header = ("policies", "correlation", "over all pairs", "within each golden", "the paper’s", "pairs", "undefined")
    return Claim(
        "accuracy-predicts",
        "Accuracy predicts the policy, weakly",
        "Decided by Kendall τ of accuracy with NDR over all golden–proxy pairs: it predicts if the interval is above "
        f"0, and does not if the interval ends below {NEGLIGIBLE:g}; it predicts weakly if the interval is below "
        f"{WEAK:g} (above that, fewer than one comparison in ten of two pairs comes out the wrong way round).",
        tuple(rulings),
        (Table("Accuracy against NDR", header, tuple(rows)),),
        notes=(
            "The noise of few prompts pulls a correlation towards 0, that of replicates more so: a weak one may be "
            "due to the prompts.",
            SETTING,
        ),
    )


def alike_but_different(study: Study) -> Claim:
    """Reward models of like accuracy give policies of different regret."""
    rulings, rows = [], []
    for one in study.optimised.values():
        found = evaluate(one.cube, one.values, replicates=study.replicates, seed=study.seed)
        alike = regret_of_alike(found, one.values, ALIKE, replicates=study.replicates, seed=study.seed)
        why = "" if alike.pairs else f"no two defined proxies of one golden have accuracies within {ALIKE:g}"
        size = alike.difference
        rulings.append(Ruling(one.called, "typical difference in NDR", size, above(size, MUCH), why))
        clear = f"{alike.clear} of {alike.pairs}" if alike.pairs else "none"
        rows.append((one.called, size, alike.expected, clear, *pairs_of(found)))
    header = ("policies", "typical difference in NDR", "a straight line gives", "clearly apart", "pairs", "undefined")
    return Claim(
        "alike-but-different",
        "Similar accuracy, different regret",
        f"Two proxies of one golden are alike if their accuracies differ by no more than {ALIKE:g}. Decided by the "
        "root mean square of their differences in NDR (in units of the golden’s gain in the sample), freed of what "
        f"the sampling of RL-test prompts adds: different if its interval is above {MUCH:g}, not if it is below.",
        tuple(rulings),
        (Table("Proxies of like accuracy under the same golden", header, tuple(rows)),),
        notes=(
            "“A straight line gives”: the same figure if NDR followed accuracy in a straight line. “Clearly apart”: "
            "pairs of proxies whose difference has a 95 % interval without 0; chance alone gives one in twenty.",
        ),
    )


def better_for_best_of_n(study: Study) -> Claim:
    """Accuracy predicts best-of-n better than PPO."""
    claim = Claim(
        "best-of-n-against-ppo",
        "Accuracy predicts best-of-n better than PPO",
        "Decided by the paired difference of the two Kendall τ, best-of-n minus PPO, on the same draws of the same "
        f"reward models and prompts: it holds above 0, not if the interval ends below {NEGLIGIBLE:g}.",
        notes=(
            "Best-of-n is valued by the exact expectation over its samples, PPO by a few responses of each checkpoint: "
            "that noise alone makes PPO harder to predict.",
        ),
    )
    if not {"bon", "ppo"} <= set(study.optimised):
        return replace(claim, missing="the run does not have both optimisers")
    bon, ppo = study.optimised["bon"], study.optimised["ppo"]
    names = [name for name in bon.curves.reward_models if name in ppo.curves.reward_models]
    cube = bon.cube.of_reward_models(names)
    first, second = (
        replicated(
            cube,
            one.values.of_reward_models(names),
            [("accuracy", TestSet())],
            None,
            study.replicates,
            study.seed,
            wanted=KENDALL,
        )[0]
        for one in (bon, ppo)
    )
    difference = paired(first, second).correlations["kendall"]
    why = next((why_undefined(e) for e in (first.evaluation, second.evaluation) if _kendall(e).value is None), "")
    about = f"{bon.called} against {ppo.called}"
    ruling = Ruling(about, "difference of τ", difference, above(difference), why)
    rows = tuple(
        (one.called, _kendall(side.evaluation), *pairs_of(side.evaluation))
        for one, side in ((bon, first), (ppo, second))
    )
    table = Table(f"Of {len(names)} reward models", ("policies", "τ", "pairs", "undefined"), rows)
    return replace(claim, rulings=(ruling,), tables=(table,))


def other_kinds(study: Study) -> Claim:
    """Among reward models that differ in label noise alone, accuracy predicts better than among those of all kinds."""
    claim = Claim(
        "kinds",
        "Reward models that differ in kind are harder to predict than those that differ in label noise alone",
        "Decided by the paired difference of Kendall τ of accuracy with NDR, flip-rate reward models minus all, drawn "
        f"together: it holds above 0, not if the interval ends below {NEGLIGIBLE:g}.",
        beyond_paper=True,
    )
    if set(study.kinds.values()) <= {"flip"} or "flip" not in study.kinds.values():
        return replace(claim, missing="all its reward models are of one kind")
    rulings, rows = [], []
    for one in study.optimised.values():
        whole, flips = _of_kinds(study, one)
        difference = paired(flips, whole).correlations["kendall"]
        undefined = [side for side in (flips, whole) if _kendall(side.evaluation).value is None]
        models = sum(study.kinds[name] == "flip" for name in one.curves.reward_models)
        why = "too few defined pairs of flip-rate reward models, or none that differ" if undefined else ""
        rulings.append(Ruling(one.called, "difference of τ", difference, above(difference), why))
        rows += [
            (
                one.called,
                f"{said} reward models",
                _kendall(side.evaluation),
                M * (M - 1),
                side.evaluation.undefined_pairs,
            )
            for said, M, side in (("flip-rate", models, flips), ("all", len(one.curves.reward_models), whole))
        ]
    table = Table("By reward models", ("policies", "reward models", "τ", "pairs", "undefined"), tuple(rows))
    return replace(claim, rulings=tuple(rulings), tables=(table, _proxies(study)))


def _of_kinds(study: Study, one: Optimised) -> tuple[Replicated, Replicated]:
    """Accuracy against NDR among all reward models and among those of flip rates, on the same draws."""
    flip_M = np.array([study.kinds[name] == "flip" for name in one.curves.reward_models])
    jobs = [("accuracy", TestSet())]
    whole, flips = (
        replicated(one.cube, one.values, jobs, None, study.replicates, study.seed, wanted=KENDALL, among=among)[0]
        for among in (None, flip_M)
    )
    return whole, flips


def _proxies(study: Study) -> Table:
    """Every reward model as a proxy: its accuracy and its policies' NDR, averaged over goldens."""
    rows: dict[str, list[Cell]] = {name: [kind] for name, kind in sorted(study.kinds.items())}
    header = ["reward model", "kind"]
    for one in study.optimised.values():
        header += [f"accuracy ({one.called})", f"NDR ({one.called})"]
        found = evaluate(one.cube, one.values, replicates=1, seed=study.seed)
        last = replace(one.curves, strengths=one.curves.strengths[-1:], values=one.curves.values[-1:])
        for name, row in rows.items():
            if name not in one.curves.reward_models:
                row += [None, None]
                continue
            m = one.curves.reward_models.index(name)
            there = found.value_defined_MM[:, m]
            accuracy = float(found.value_MM[there, m].mean()) if there.any() else None
            curve = ndr_curve(last, proxy=name, replicates=study.replicates, seed=study.seed)
            row += [accuracy, curve.ndr[0]]
    return Table(
        "Every reward model as a proxy, averaged over goldens",
        tuple(header),
        tuple((name, *row) for name, row in rows.items()),
    )


def _kendall(evaluation: Evaluation) -> Estimate:
    return evaluation.correlations["kendall"]
