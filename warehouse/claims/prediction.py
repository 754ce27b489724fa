"""Does accuracy predict the policy, for which optimiser and reward models, and does another measure predict better?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf

import numpy as np

from warehouse.claims.claim import (
    Cell,
    Claim,
    Finding,
    Optimised,
    Study,
    Table,
    pairs_of,
    resolved,
    sizes_of,
    tau,
    tau_difference,
    why_undefined,
)
from warehouse.claims.verdict import CANNOT_BE_TOLD, NEGLIGIBLE, SIGNIFICANT, Verdict, above, below, predicting
from warehouse.metrics.catalogue import CORRELATION_WORDS, MEASURES
from warehouse.paper import ACCURACY_AGAINST_NDR, SETTING
from warehouse.schema import LABEL_NOISE
from warehouse.stats.across_pairs import CORRELATIONS, EVERY
from warehouse.stats.bootstrap import NOTHING, Estimate
from warehouse.study.correlation import Correlation
from warehouse.study.curves.strength_curves import ndr_curve
from warehouse.study.evaluate import Replicated, evaluate
from warehouse.study.resolution import of_contrast, of_correlation
from warehouse.study.together import groups, simultaneous
from warehouse.study.training_noise import seeds

PLAIN = "accuracy"

WEAK = 0.8
"""A Kendall τ below which a prediction is weak: more than one comparison in ten comes out the wrong way round."""


def accuracy_predicts(study: Study) -> Claim:
    """Kendall τ of accuracy with NDR is above 0, and yet far from 1."""
    findings, rows, trained = [], [], []
    for name, policies in study.optimised.items():
        (part,) = study.measured(policies, selected=EVERY)
        evaluation, kendall, parts, sizes = part.evaluation, tau(part), of_correlation(part), sizes_of(part)
        why = why_undefined(evaluation) if kendall.value is None else ""
        predicts, weakly = predicting(kendall, kendall.p_value), below(kendall, WEAK)
        open_bound = WEAK if weakly == CANNOT_BE_TOLD else 0.0
        if predicts == CANNOT_BE_TOLD and weakly == "holds":  # it may not predict at all
            weakly = CANNOT_BE_TOLD
        predicting_at_all = Finding(f"{policies.called}: predicts", "Kendall τ", kendall, predicts, why)
        only_weakly = Finding(f"{policies.called}: only weakly", "Kendall τ", kendall, weakly, why)
        findings += [resolved(predicting_at_all, parts, sizes), resolved(only_weakly, parts, sizes, open_bound)]
        said = seeds(evaluation.repeats, evaluation.single_repeats, name)
        trained += [f"{policies.called}: {said}."] if said else []
        pairs, undefined = pairs_of(evaluation)
        for correlation in CORRELATIONS:
            paper = ACCURACY_AGAINST_NDR.get((name, correlation))
            pooled = evaluation.correlations[correlation]
            answers = pooled, pooled.measure_itself, pooled.sample, pooled.ceiling, _of_ceiling(pooled), pooled.p_value
            rows.append(
                (
                    *(policies.called, CORRELATION_WORDS[correlation].title),
                    *(*answers, evaluation.within[correlation], paper, pairs, undefined),
                )
            )
    header = (
        *("policies", "correlation", "this test set", "the measure itself", "the sample’s", "ceiling"),
        *("the sample’s over the ceiling", "p", "this test set, within each golden"),
        *("the paper’s", "pairs", "undefined"),
    )
    return Claim(
        "accuracy-predicts",
        "Accuracy predicts the policy, weakly",
        "Decided by Kendall τ of accuracy with NDR over all golden–proxy pairs, on this test set. It predicts if τ is "
        f"above 0 and the permutation test rejects that nothing predicts (p below {SIGNIFICANT:g}), and does not if "
        f"the interval ends below {NEGLIGIBLE:g}; it predicts only weakly if the interval is below {WEAK:g} "
        "(above that, fewer than one comparison in ten of two pairs comes out the wrong way round) and it is not open "
        "whether it predicts.",
        tuple(findings),
        (Table("Accuracy against NDR", header, tuple(rows)),),
        notes=(
            "This test set: how well accuracy on as many RM-test prompts predicts what policies are really worth; the "
            "noise of their values is taken off. The measure itself: the same with unlimited prompts. The sample’s: "
            "the plain correlation, which the noise of both sides pulls towards 0. Ceiling: the greatest plain "
            "correlation that any measure could have here, as policies are valued on few prompts.",
            *trained,
            SETTING,
        ),
    )


def _of_ceiling(correlation: Correlation) -> float | None:
    """The sample's correlation over the greatest that is possible."""
    sample, ceiling = correlation.sample.value, correlation.ceiling.value
    return sample / ceiling if sample is not None and ceiling else None


def other_kinds(study: Study) -> Claim:
    """Among reward models that differ in label noise alone, accuracy predicts better than among those of all kinds."""
    claim = Claim(
        "kinds",
        "Reward models that differ in kind are harder to predict than those that differ in label noise alone",
        "Decided by the paired difference of Kendall τ of accuracy with NDR, those that differ in label noise alone "
        "(flip rates, with one or several seeds) minus all, on "
        f"the same altered studies: it holds above 0, not if the interval ends below {NEGLIGIBLE:g}.",
        beyond_paper=True,
    )
    kinds = set(study.kinds.values())
    if kinds <= set(LABEL_NOISE) or "flip" not in kinds:
        return replace(claim, missing="all its reward models differ in label noise alone")
    findings, rows = [], []
    for policies in study.optimised.values():
        flip_M = np.array([study.kinds[name] in LABEL_NOISE for name in policies.curves.reward_models])
        (whole,), (flips,) = (study.measured(policies, among=among) for among in (None, flip_M))
        difference = tau_difference(flips, whole)
        defined = tau(flips).value is not None and tau(whole).value is not None
        why = "" if defined else "too few defined pairs of flip-rate reward models, or none that differ"
        finding = Finding(policies.called, "difference of τ", difference, above(difference), why)
        findings.append(resolved(finding, of_contrast([(1.0, flips), (-1.0, whole)]), sizes_of(flips, whole)))
        for label, side in (("flip-rate", flips), ("all", whole)):
            rows.append((policies.called, f"{label} reward models", tau(side), *pairs_of(side.evaluation)))
    table = Table("By reward models", ("policies", "reward models", "τ", "pairs", "undefined"), tuple(rows))
    return replace(claim, findings=tuple(findings), tables=(table, _proxies(study)))


def _proxies(study: Study) -> Table:
    """Every reward model as a proxy: its accuracy and its policies' NDR, averaged over goldens."""
    rows: dict[str, list[Cell]] = {name: [kind] for name, kind in sorted(study.kinds.items())}
    header = ["reward model", "kind"]
    for policies in study.optimised.values():
        header += [f"accuracy ({policies.called})", f"NDR ({policies.called})"]
        evaluation = evaluate(policies.cube, policies.values, replicates=1, seed=study.seed)
        last = replace(policies.curves, strengths=policies.curves.strengths[-1:], values=policies.curves.values[-1:])
        for name, row in rows.items():
            if name not in policies.curves.reward_models:
                row += [None, None]
                continue
            m = policies.curves.reward_models.index(name)
            defined_M = evaluation.value_defined_MM[:, m]
            accuracy = float(evaluation.value_MM[defined_M, m].mean()) if defined_M.any() else None
            curve = ndr_curve(last, proxy=name, replicates=study.replicates, seed=study.seed)
            row += [accuracy, curve.ndr[0]]
    return Table(
        "Every reward model as a proxy, averaged over goldens",
        tuple(header),
        tuple((name, *row) for name, row in rows.items()),
    )


def another_measure_predicts_better(study: Study) -> Claim:
    """Some measure predicts better than accuracy, corrected for their number."""
    claim = Claim(
        "measures",
        "Another measure predicts better than accuracy",
        f"Decided by the differences of Kendall τ from accuracy’s, of the {len(MEASURES) - 1} other measures on the "
        "same responses: it holds if one is above 0 and its p, adjusted for looking at all of them (stepdown "
        f"max-t), is below {SIGNIFICANT:g}; not if every one’s own interval ends below {NEGLIGIBLE:g}. The figure is "
        "the greatest such difference, with an interval that holds for all at once; a measure that never differs from "
        "accuracy, as Kendall τ-b without ties, is left out.",
        beyond_paper=True,
    )
    findings, tables, notes = [], [], []
    for policies in study.optimised.values():
        parts = dict(zip(MEASURES, study.measured(policies, measures=tuple(MEASURES)), strict=True))
        others = [name for name in MEASURES if name != PLAIN]
        together = simultaneous([parts[name] for name in others], parts[PLAIN], study.seed)
        at_once = dict(zip(others, zip(together.differences, together.p_values, strict=True), strict=True))
        separate = {name: tau_difference(parts[name], parts[PLAIN]) for name in others}
        beating = [name for name, (difference, p) in at_once.items() if _beats(difference, p)]
        findings.append(
            _greatest(policies, parts, separate, dict(zip(others, together.differences, strict=True)), beating)
        )
        alike = groups(parts[PLAIN].rows, [part.pooled["kendall"] for part in parts.values()], study.seed)
        rows = [
            (
                *(MEASURES[name].title, tau(part), tau(part).sample, " ".join(map(str, group))),
                *(separate.get(name, ""), *at_once.get(name, ("", ""))),
                *(part.evaluation.undefined_prompts, *pairs_of(part.evaluation)),
            )
            for (name, part), group in sorted(
                zip(parts.items(), alike, strict=True), key=lambda row: -_or_least(tau(row[0][1]).sample.value)
            )
        ]
        header = (
            *("measure", "τ, this test set", "the sample’s", "groups", "minus accuracy’s", "the same, all at once"),
            *("adjusted p", "undefined prompt values", "pairs", "undefined"),
        )
        tables.append(Table(f"All measures, {policies.called}", header, tuple(rows)))
        notes.append(_best(policies, parts, len(beating)))
    notes.append("Two measures that share a group do not differ significantly, corrected for all pairs.")
    return replace(claim, findings=tuple(findings), tables=tuple(tables), notes=tuple(notes))


def _beats(difference: Estimate, p_value: float | None) -> bool:
    return p_value is not None and p_value < SIGNIFICANT and _or_least(difference.value) > 0


def _greatest(
    policies: Optimised,
    parts: Mapping[str, Replicated],
    separate: Mapping[str, Estimate],
    together: Mapping[str, Estimate],
    beating: Sequence[str],
) -> Finding:
    """The greatest difference; `separate` has each with its own interval, `together` with simultaneous ones."""
    differing = {name: e for name, e in together.items() if e.low is not None and e.low != e.high}
    plain = parts[PLAIN]
    if not differing or tau(plain).value is None:
        return Finding(policies.called, "difference of τ", NOTHING, "undefined", why_undefined(plain.evaluation))
    first = max(beating or differing, key=lambda name: _or_least(differing[name].value))
    verdict: Verdict = "holds" if beating else CANNOT_BE_TOLD
    if not beating and all(above(difference) in ("refuted", "undefined") for difference in separate.values()):
        verdict = "refuted"
    finding = Finding(policies.called, f"difference of τ, {MEASURES[first].title}", differing[first], verdict)
    variances = of_contrast([(1.0, parts[first]), (-1.0, plain)])
    wider = _width(differing[first]) / _width(separate[first])
    return resolved(finding, variances.of_wider(wider) if variances else None, sizes_of(plain))


def _width(estimate: Estimate) -> float:
    return (estimate.high or 0.0) - (estimate.low or 0.0)


def _best(policies: Optimised, parts: Mapping[str, Replicated], beating: int) -> str:
    """Which measure is the best of how many, and how many beat accuracy, corrected for their number."""
    defined = {name: value for name, part in parts.items() if (value := tau(part).sample.value) is not None}
    if not defined:
        return f"{policies.called}: no measure has a correlation."
    best = max(defined, key=defined.__getitem__)
    return (
        f"{policies.called}: {MEASURES[best].title} has the greatest τ of {len(defined)} measures here; {beating} of "
        f"{len(MEASURES) - 1} others beat accuracy, corrected for their number."
    )


def _or_least(value: float | None) -> float:
    return -inf if value is None else value
