"""`righttree power`: how many prompts and responses tell two reward models apart, as text or JSON.

The names in the JSON are a public interface.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from warehouse import reads, store
from warehouse.metrics.catalogue import measure_named, optimizer_words
from warehouse.reads.two_models import compared_strength, policy_draws
from warehouse.study import ScoreCube
from warehouse.study.power import DIFFERENCES, FEWEST_PROMPTS, Resolution, resolution
from warehouse.study.two_models import best_two, measure_draws
from warehouse.terminals import on_one_line

Result = dict[str, Any]

SCHEMA_VERSION = 1

_OBSERVED = "observed"
_CAUTION = (
    "Prompts for the observed difference are as uncertain as that difference itself (its power only repeats the\n"
    "p-value): plan with a difference that matters to you. Fewer than {} prompts are never proposed."
)


def report(data: Path, choice: argparse.Namespace) -> str:
    """What to print for the choices of the command line. Raises UnknownName and InvalidChoice."""
    with store.open_read_only(data) as connection:
        run_id = reads.runs.named_or_default(connection, choice.run)
        cube = reads.scores.score_cube(connection, run_id)
        first, second = _pair(cube, choice.first, choice.second)
        in_measure = measure_draws(cube, first, second, measure=choice.measure, golden=choice.golden)
        strength = choice.strength
        if strength is None:
            strength = compared_strength(connection, run_id, choice.optimizer)
        policies = {"optimizer": choice.optimizer, "strength": strength}
        in_policies = policy_draws(connection, run_id, first, second, **policies, golden=choice.golden)
    named = {"difference": choice.difference or [*DIFFERENCES], "power": choice.power}
    result: Result = {
        "schema_version": SCHEMA_VERSION,
        "run": run_id,
        "first": first,
        "second": second,
        "golden": choice.golden,
        "measure": choice.measure,
        **policies,
        "power": choice.power,
        "seed": choice.seed,
        "in_measure": as_json(resolution(in_measure, choice.seed), **named),
        "in_policies": as_json(resolution(in_policies, choice.seed), **named),
    }
    return json.dumps(result) if choice.json else _text(on_one_line(result))


def as_json(comparison: Resolution, *, difference: Sequence[float], power: float) -> Result:
    """The public form of a comparison: plain lists and numbers, null where a figure is undefined or unknown."""
    observed = comparison.difference.value
    return {
        "value": observed,
        "low": comparison.difference.low,
        "high": comparison.difference.high,
        "standard_error": comparison.standard_error,
        "detectable": comparison.detectable(power),
        "prompts": comparison.prompts,
        "responses": comparison.responses,
        "goldens": list(comparison.goldens),
        "undefined_goldens": list(comparison.undefined_goldens),
        "undefined_prompts": comparison.undefined,
        "needed": [need._asdict() for need in comparison.needed(difference, power)],
        "needed_for_observed": [need._asdict() for need in comparison.needed([observed] if observed else [], power)],
    }


def _pair(cube: ScoreCube, first: str | None, second: str | None) -> tuple[str, str]:
    """The two that are named; instead of one that is not, the best other one."""
    if first is not None and second is not None:
        return first, second
    best = best_two(cube)
    if first is None and second is None:
        return best
    (other,) = [name for name in best if name not in (first, second)][:1]
    return first or other, second or other


# Text ----------------------------------------------------------------------------------------------------------------


def _text(result: Result) -> str:
    goldens = result["in_measure"]["goldens"]
    truth = f"golden {goldens[0]}" if len(goldens) == 1 else f"averaged over {len(goldens)} goldens"
    at = optimizer_words(result["optimizer"]).at.format(f"{result['strength']:g}")
    lines = [
        f"{result['first']} minus {result['second']}, run {result['run']}, {truth}",
        f"95 % t intervals over prompts, power {result['power']:.0%}",
        "",
        *_part_text(measure_named(result["measure"]).title, "RM-test", result["in_measure"], result["power"]),
        "",
        *_part_text(f"NDR of {at}", "RL-test", result["in_policies"], result["power"]),
        "",
        _CAUTION.format(FEWEST_PROMPTS),
    ]
    return "\n".join(lines)


def _part_text(title: str, kind: str, part: Mapping[str, Any], power: float) -> list[str]:
    least = part["detectable"]
    detectable = "none: the two are equal on every prompt" if least is None else f"{least:.4f} with {power:.0%} power"
    lines = [
        f"{title}: {part['value']:+.4f}  [{part['low']:+.4f}, {part['high']:+.4f}], "
        f"{part['prompts']} {kind} prompts × {part['responses']} responses",
        f"  smallest detectable difference now: {detectable}",
    ]
    if part["undefined_goldens"]:
        lines.append(f"  {len(part['undefined_goldens'])} goldens left out: they do not clearly gain by optimising")
    if part["undefined_prompts"]:
        lines.append(f"  {part['undefined_prompts']} (golden, prompt) values are undefined and ignored")
    needs = part["needed"]
    differences = list(dict.fromkeys(need["difference"] for need in needs))
    numbers = list(dict.fromkeys(need["responses"] for need in needs))
    cells = {(need["responses"], need["difference"]): need["prompts"] for need in needs}
    cells |= {(need["responses"], _OBSERVED): need["prompts"] for need in part["needed_for_observed"]}
    columns = [*differences, *([_OBSERVED] if part["needed_for_observed"] else [])]
    lines.append("  prompts needed, by responses per prompt, for a difference of")
    lines.append(f"  {'responses':>9}" + "".join(f"{_heading(column):>12}" for column in columns))
    for responses in numbers:
        figures = (_prompts(cells[responses, column]) for column in columns)
        lines.append(f"  {responses:>9}" + "".join(f"{figure:>12}" for figure in figures))
    return lines


def _heading(column: float | str) -> str:
    return column if isinstance(column, str) else f"{column:g}"


def _prompts(prompts: int | None) -> str:
    return f"{prompts:,}" if prompts is not None else "unknown"
