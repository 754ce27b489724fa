"""Which measure of a reward model predicts its policy best, and whether any clearly beats accuracy."""

from __future__ import annotations

from dataclasses import replace
from math import inf

from warehouse.claims.claim import KENDALL, Claim, Ruling, Table
from warehouse.claims.study import Optimised, Study, pairs_of, why_undefined
from warehouse.claims.verdict import CANNOT_BE_TOLD, NEGLIGIBLE, Verdict, above
from warehouse.metrics.catalogue import MEASURES
from warehouse.metrics.test_set import TestSet
from warehouse.stats.bootstrap import Estimate
from warehouse.study.comparison import paired, simultaneous
from warehouse.study.evaluate import Replicated, replicated

PLAIN = "accuracy"


def another_measure_predicts_better(study: Study) -> Claim:
    """Some measure predicts better than accuracy, all of them looked at together."""
    claim = Claim(
        "measures",
        "Another measure predicts better than accuracy",
        f"Decided by the differences of Kendall τ from accuracy’s, of the {len(MEASURES) - 1} other measures on the "
        "same responses and draws: it holds if one is above 0 with intervals that hold for all of them at once, not if "
        f"every one’s own interval ends below {NEGLIGIBLE:g}. The figure is the greatest difference; a measure that "
        "never differs from accuracy, as Kendall τ-b without ties, is left out.",
        beyond_paper=True,
    )
    rulings, tables, notes = [], [], []
    for one in study.optimised.values():
        jobs = [(name, TestSet()) for name in MEASURES]
        found = dict(
            zip(
                MEASURES,
                replicated(one.cube, one.values, jobs, None, study.replicates, study.seed, wanted=KENDALL),
                strict=True,
            )
        )
        others = [name for name in MEASURES if name != PLAIN]
        together = dict(zip(others, simultaneous([found[name] for name in others], found[PLAIN]), strict=True))
        alone = {name: paired(found[name], found[PLAIN]).correlations["kendall"] for name in others}
        rulings.append(_ruling(one, found[PLAIN], alone, together))
        tables.append(_table(one, found, alone, together))
        notes.append(_best(one, found, alone))
    return replace(claim, rulings=tuple(rulings), tables=tuple(tables), notes=tuple(notes))


def _ruling(one: Optimised, plain: Replicated, alone: dict[str, Estimate], together: dict[str, Estimate]) -> Ruling:
    """Of differences each with its own interval, and the same with intervals that hold at once."""
    told = {name: one for name, one in together.items() if one.low is not None and one.low != one.high}
    if not told or plain.evaluation.correlations["kendall"].value is None:
        nothing = Estimate(None, None, None, 0)
        return Ruling(one.called, "difference of τ", nothing, "undefined", why_undefined(plain.evaluation))
    holding = [name for name, estimate in told.items() if above(estimate) == "holds"]
    first = max(holding or told, key=lambda name: _or_least(told[name].value))
    verdict: Verdict = "holds" if holding else CANNOT_BE_TOLD
    if not holding and all(above(difference) == "does not hold" for difference in alone.values()):
        verdict = "does not hold"
    return Ruling(one.called, f"difference of τ, {MEASURES[first].title}", told[first], verdict)


def _table(
    one: Optimised, found: dict[str, Replicated], alone: dict[str, Estimate], together: dict[str, Estimate]
) -> Table:
    rows = []
    for name, part in found.items():
        apart, silent = (alone.get(name, ""), together.get(name, "")), part.evaluation.undefined_prompts
        rows.append((MEASURES[name].title, _tau(part), *apart, silent, *pairs_of(part.evaluation)))
    rows.sort(key=lambda row: _or_least(row[1].value), reverse=True)
    header = ("measure", "τ", "minus accuracy’s", "the same, all at once", "undefined prompt values")
    return Table(f"All measures, {one.called}", (*header, "pairs", "undefined"), tuple(rows))


def _best(one: Optimised, found: dict[str, Replicated], alone: dict[str, Estimate]) -> str:
    """The best of so many, and how many clearly beat accuracy, each by its own interval."""
    defined = {name: tau for name, part in found.items() if (tau := _tau(part).value) is not None}
    if not defined:
        return f"{one.called}: no measure has a correlation."
    best = max(defined, key=defined.__getitem__)
    verdicts = [above(estimate) for estimate in alone.values()]
    return (
        f"{one.called}: {MEASURES[best].title} has the greatest τ of {len(defined)} measures; taken one by one, "
        f"{verdicts.count('holds')} of {len(verdicts)} clearly beat accuracy."
    )


def _or_least(value: float | None) -> float:
    return -inf if value is None else value


def _tau(part: Replicated) -> Estimate:
    return part.evaluation.correlations["kendall"]
