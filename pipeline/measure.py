"""`righttree measure`: the value, interval and correlations of a measure × test set × optimizer, without a browser.

The names in the JSON are a public interface.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from warehouse import reads, store
from warehouse.errors import InvalidChoice, UnknownName
from warehouse.measures import CORRELATIONS, MEASURES, Estimate, Evaluation, TestSet, evaluate
from warehouse.schema import CATEGORIES


def report(data: Path, choice: argparse.Namespace) -> str:
    """What to print for the choices of the command line. Raises UnknownName and InvalidChoice."""
    if choice.measure not in MEASURES:
        raise UnknownName(f"no measure {choice.measure!r}; there are {', '.join(MEASURES)}")
    with store.open_read_only(data) as connection:
        run_id = choice.run or reads.newest_run(connection)
        if run_id is None:
            raise UnknownName("the warehouse has no run yet; start one with `righttree run --profile quick`")
        cube = reads.score_cube(connection, run_id)
        strength = choice.strength or _largest(reads.strengths(connection, run_id), choice.optimizer)
        values = reads.policy_values(connection, run_id, choice.optimizer, strength)
    test_set = TestSet(
        categories=_categories(choice.category),
        subsets=tuple(choice.subset) if choice.subset else None,
        responses=choice.responses,
    )
    evaluation = evaluate(
        cube,
        values,
        measure=choice.measure,
        test_set=test_set,
        rl_categories=_categories(choice.rl_category),
        replicates=choice.replicates,
        seed=choice.seed,
    )
    found = as_json(run_id, choice.optimizer, strength, cube.reward_models, evaluation)
    return json.dumps(found) if choice.json else _as_text(found)


def as_json(
    run_id: str, optimizer: str, strength: float, names: tuple[str, ...], evaluation: Evaluation
) -> dict[str, Any]:
    """The public form of an evaluation: plain lists and numbers, null where a figure is undefined."""
    pairs = []
    for g, golden in enumerate(names):
        for m, proxy in enumerate(names):
            if g != m:
                error_defined, ndr_defined = evaluation.error_defined_MM[g, m], evaluation.ndr_defined_MM[g, m]
                error = float(evaluation.error_MM[g, m]) if error_defined else None
                ndr = float(evaluation.ndr_MM[g, m]) if ndr_defined else None
                pairs.append({"golden": golden, "proxy": proxy, "error": error, "ndr": ndr})
    return {
        "run": run_id,
        "measure": evaluation.measure,
        "optimizer": optimizer,
        "strength": strength,
        **{name: _estimate(evaluation.correlations[name]) for name in CORRELATIONS},
        "within_golden": {name: _estimate(estimate) for name, estimate in evaluation.within.items()},
        "undefined_pairs": evaluation.undefined_pairs,
        "undefined_prompts": evaluation.undefined_prompts,
        "rm_test_prompts": evaluation.prompts_used,
        "rl_test_prompts": evaluation.rl_prompts_used,
        "replicates": evaluation.replicates,
        "seed": evaluation.seed,
        "resampled": evaluation.resampled,
        "pairs": pairs,
    }


def _estimate(estimate: Estimate) -> dict[str, float | None]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}


def _as_text(found: dict[str, Any]) -> str:
    lines = [
        f"{found['measure']} against NDR of {found['optimizer']} at {found['strength']:g}, run {found['run']}",
        f"{found['rm_test_prompts']} RM-test, {found['rl_test_prompts']} RL-test prompts, {len(found['pairs'])} pairs, "
        f"{found['undefined_pairs']} undefined",
        f"95 % intervals from {found['replicates']} replicates, resampled: {found['resampled']}",
        "",
    ]
    for name in CORRELATIONS:
        value, low, high = (found[name][key] for key in ("value", "low", "high"))
        lines.append(f"  {name:<9} {_number(value)}   [{_number(low)}, {_number(high)}]")
    width = max(len(pair["golden"]) for pair in found["pairs"])
    lines += ["", f"  {'golden':<{width}}  {'proxy':<{width}}  {found['measure']:>10}  {'NDR':>8}"]
    for pair in found["pairs"]:
        figures = f"{_number(pair['error']):>10}  {_number(pair['ndr']):>8}"
        lines.append(f"  {pair['golden']:<{width}}  {pair['proxy']:<{width}}  {figures}")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def _largest(strengths: Any, optimizer: str) -> float:
    there = strengths.filter(optimizer=optimizer)["strength"].to_list()
    if not there:
        known = sorted(set(strengths["optimizer"].to_list()))
        raise InvalidChoice(f"the run has no policies of optimizer {optimizer!r}; it has {known}")
    return float(max(there))


def _categories(name: str) -> tuple[str, ...] | None:
    if name.lower() == "all":
        return None
    known = {category.lower().replace(" ", "-"): category for category in CATEGORIES}
    category = known.get(name.lower().replace(" ", "-").replace("_", "-"))
    if category is None:
        raise UnknownName(f"no category {name!r}; there are {', '.join(CATEGORIES)} and all")
    return (category,)
