"""`righttree choose --outcome NAME`: reward models ranked by an outcome, and by measures beside it, as text or JSON.

The names in the JSON, whose `schema` is `outcome`, are a public interface.
"""

from __future__ import annotations

from math import isnan

from pipeline.cli.choices import Result, figure
from warehouse.claims import choosing
from warehouse.claims import choosing_by_outcome as claims
from warehouse.formats import count, number
from warehouse.stats.bootstrap import Floats
from warehouse.study.choice.by_outcome import FIRST_MEASURE, OutcomeAnswer

SCHEMA, SCHEMA_VERSION = "outcome", 1


def as_text(run_id: str, answer: OutcomeAnswer) -> str:
    """The answer, the table of reward models, and what each measure would take."""
    known = answer.outcome.known_errors
    intervals = "95% intervals that hold for all reward models at once; a letter in common: cannot be told apart"
    lines = [
        claims.headline(answer),
        claims.predicts(answer),
        "",
        f"{answer.outcome.name}, run {run_id}, {count(len(answer.order.names), 'reward model')}",
        intervals if known else "no standard errors, so no intervals and no groups",
        "",
        *_table(answer),
    ]
    if answer.left_out:
        lines += ["", claims.left_out(answer)]
    if answer.predictions:
        lines += [
            "",
            "What each measure would take, and Kendall τ of its ranking with the true outcome",
            *_measures(answer),
        ]
    return "\n".join(lines)


def as_json(run_id: str, answer: OutcomeAnswer, seed: int) -> Result:
    """The public form of the answer: plain lists and numbers, null where a figure is undefined or unknown."""
    order, outcome, names = answer.order, answer.outcome, answer.order.names
    first = answer.predictions.get(FIRST_MEASURE)
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "run": run_id,
        "answer": claims.headline(answer),
        "take": names[0],
        "may_be_best": list(order.may_be_best),
        "behind": _known(order.behind),
        "outcome": outcome.name,
        "known_errors": outcome.known_errors,
        "left_out": list(answer.left_out),
        "goldens": list(answer.goldens),
        "rm_test_prompts": first and first.prompts_used,
        "unmeasured": answer.unmeasured or None,
        "seed": seed,
        "reward_models": [
            {
                "rank": place + 1,
                "reward_model": name,
                **figure(order.estimates[place]),
                "standard_error": float(outcome.error_K[place]) or None,
                "together": figure(order.together[place]),
                "groups": list(order.groups[place]),
                "beats": _by_name(names, order.beats_MM[place]),
                "p": _by_name(names, order.p_MM[place]),
            }
            for place, name in enumerate(names)
        ],
        "measures": [
            {
                "measure": measure,
                "kendall": figure(prediction.correlations["kendall"]),
                "values": dict(zip(names, answer.values(measure), strict=True)),
                "ranks": dict(zip(names, answer.ranks(measure), strict=True)),
            }
            for measure, prediction in answer.predictions.items()
        ],
    }


def _by_name(names: tuple[str, ...], row_M: Floats) -> dict[str, float | None]:
    return {name: _known(value) for name, value in zip(names, row_M.tolist(), strict=True)}


def _known(value: float) -> float | None:
    return None if isnan(value) else value


def _table(answer: OutcomeAnswer) -> list[str]:
    order, digits = answer.order, claims.digits(answer)
    width = max(len("reward model"), *map(len, order.names))
    letters = [choosing.letters(groups) for groups in order.groups]
    wide = max(len("groups"), *map(len, letters))
    beside = f"  {FIRST_MEASURE:>9}  rank by it" if answer.predictions else ""
    header = f"{'':>4}  {'reward model':<{width}}  {'groups':<{wide}}  {'value':>9}  {'95% from':>9}  {'to':>9}"
    lines = [f"{header}  {'first beats it':>14}{beside}"]
    ranks, values = (
        (read(FIRST_MEASURE) if answer.predictions else (None,) * len(order.names))
        for read in (answer.ranks, answer.values)
    )
    for place, name in enumerate(order.names):
        estimate = order.together[place]
        ends = (estimate.value, estimate.low, estimate.high)
        figures = "  ".join(f"{'–' if end is None else number(end, digits):>9}" for end in ends)
        chance = order.beats_MM[0, place]
        beaten = "" if not place else "–" if isnan(chance) else choosing.chance(chance)
        line = f"{place + 1:>4}  {name:<{width}}  {letters[place]:<{wide}}  {figures}  {beaten:>14}"
        if answer.predictions:
            value = values[place]
            line += f"  {'–' if value is None else number(value):>9}  {ranks[place] or '–':>10}"
        lines.append(line.rstrip())
    return lines


def _measures(answer: OutcomeAnswer) -> list[str]:
    lines = []
    for measure in answer.best_predictors:
        tau = answer.predictions[measure].correlations["kendall"]
        shown = "–" if tau.value is None else f"{number(tau.value)} [{number(tau.low)}, {number(tau.high)}]"
        lines.append(f"  {measure:<15}  {shown:>24}  {choosing.listed(claims.takes(answer, measure)) or '–'}")
    return lines
