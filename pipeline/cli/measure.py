"""`righttree measure`: how well a metric on a test set predicts the regret of an optimiser's policies, as text or JSON.

The names in the JSON are a public interface.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from itertools import permutations
from math import inf
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.errors import InvalidConfig, write_errors
from warehouse import files, reads, store
from warehouse.errors import InvalidChoice, UnknownName
from warehouse.reads.policies import strengths
from warehouse.reads.values import policy_values, policy_values_at_kl
from warehouse.schema import CATEGORIES
from warehouse.study import CORRELATIONS, MEASURES, Estimate, Evaluation, PolicyValues, ScoreCube, TestSet, compare
from warehouse.study.evaluate import replicated

Result = dict[str, Any]

SCHEMA_VERSION = 2
"""Version of the JSON. Version 1 had no `schema_version`, and called a pair's `value` its `error`."""


def report(data: Path, choice: argparse.Namespace) -> str:
    """What to print for the choices of the command line. Raises UnknownName, InvalidChoice and InvalidConfig."""
    if choice.export and choice.export.suffix not in _WRITERS:
        raise InvalidConfig(f"--export {choice.export}: the name has to end in .json, .csv or .parquet")
    with store.open_read_only(data) as connection:
        run_id = choice.run or reads.runs.newest_run(connection)
        if run_id is None:
            raise UnknownName("the warehouse has no run yet; start one with `righttree run --profile quick`")
        sources = [name.strip() for name in choice.source.split(",")]
        cube = reads.scores.score_cube(connection, run_id, sources, choice.paraphrase, choice.seed)
        run = (connection, run_id, choice.optimizer)
        if choice.kl is None:
            strength = choice.strength
            if strength is None:
                strength = _largest(strengths(connection, run_id, choice.kl_coefficient), choice.optimizer)
            degree, values = {"strength": strength}, policy_values(*run, strength, choice.kl_coefficient)
        else:
            degree, values = {"kl": choice.kl}, policy_values_at_kl(*run, choice.kl, choice.kl_coefficient)
    about: Result = {
        "schema_version": SCHEMA_VERSION,
        "run": run_id,
        "optimizer": choice.optimizer,
        **degree,
        "level": choice.level,
        **({} if choice.kl_coefficient is None else {"kl_coefficient": choice.kl_coefficient}),
        "source": ",".join(sources),
        "paraphrase": choice.paraphrase,
    }
    if choice.compare:
        result = _compared(about, cube, values, choice)
        text = _comparison_text(result)
    else:
        names = tuple(MEASURES) if choice.measure == "all" else (choice.measure,)
        parts = replicated(cube, values, [(name, test_set_of(choice)) for name in names], **_draws(choice))
        results = [as_json(about, cube.reward_models, part.evaluation) for part in parts]
        result = results[0] if choice.measure != "all" else {**about, "measures": results}
        text = _text(result) if choice.measure != "all" else _table_text(results)
    if choice.export:
        with write_errors(choice.export, "give another file to --export"), files.replacing(choice.export) as temporary:
            _WRITERS[choice.export.suffix](result, temporary)
    return json.dumps(result) if choice.json else text


def test_set_of(choice: argparse.Namespace) -> TestSet:
    """The test set that the options describe. Raises UnknownName for a category."""
    return TestSet(
        categories=_categories(choice.category),
        subsets=tuple(choice.subset) if choice.subset else None,
        seed=choice.seed,
        **{field.name: getattr(choice, field.name) for field in fields(TestSet) if field.metadata},
    )


def as_json(about: Result, names: tuple[str, ...], evaluation: Evaluation) -> Result:
    """The public form of an evaluation: plain lists and numbers, null where a figure is undefined."""
    pairs = [
        {
            "golden": golden,
            "proxy": proxy,
            "value": float(evaluation.value_MM[g, m]) if evaluation.value_defined_MM[g, m] else None,
            "ndr": float(evaluation.ndr_MM[g, m]) if evaluation.ndr_defined_MM[g, m] else None,
        }
        for (g, golden), (m, proxy) in permutations(enumerate(names), 2)
    ]
    estimates = evaluation.within if about["level"] == "within" else evaluation.correlations
    return {
        "measure": evaluation.measure,
        **about,
        **{name: _estimate(estimates[name]) for name in CORRELATIONS},
        "undefined_pairs": evaluation.undefined_pairs,
        "undefined_prompts": evaluation.undefined_prompts,
        "rm_test_prompts": evaluation.prompts_used,
        "rl_test_prompts": evaluation.rl_prompts_used,
        "replicates": evaluation.replicates,
        "seed": evaluation.seed,
        "resampled": evaluation.resampled,
        "pairs": pairs,
    }


def _compared(about: Result, cube: ScoreCube, values: PolicyValues, choice: argparse.Namespace) -> Result:
    names = [name.strip() for name in choice.compare.split(",")]
    if len(names) != 2:
        raise InvalidConfig(f"--compare {choice.compare!r}: give two measures, as in --compare accuracy,spearman")
    compared = compare(cube, values, *names, test_set=test_set_of(choice), **_draws(choice))
    differences = compared.within if about["level"] == "within" else compared.correlations
    return {
        **about,
        "first": as_json(about, cube.reward_models, compared.first),
        "second": as_json(about, cube.reward_models, compared.second),
        "difference": {name: _estimate(differences[name]) for name in CORRELATIONS},
    }


def _draws(choice: argparse.Namespace) -> dict[str, Any]:
    rl_categories = _categories(choice.rl_category)
    return {"rl_categories": rl_categories, "replicates": choice.replicates, "seed": choice.seed}


def _estimate(estimate: Estimate) -> dict[str, float | None]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}


# Text ----------------------------------------------------------------------------------------------------------------


def _text(result: Result) -> str:
    lines = [*_heading(result, result["measure"]), ""]
    for name in CORRELATIONS:
        lines.append(f"  {name:<9} {_interval(result[name])}")
    width = max(len(pair["golden"]) for pair in result["pairs"])
    lines += ["", f"  {'golden':<{width}}  {'proxy':<{width}}  {result['measure']:>15}  {'NDR':>9}"]
    for pair in result["pairs"]:
        figures = f"{_number(pair['value'], MEASURES[result['measure']].digits):>15}  {_number(pair['ndr']):>9}"
        lines.append(f"  {pair['golden']:<{width}}  {pair['proxy']:<{width}}  {figures}")
    return "\n".join(lines)


def _table_text(results: list[Result]) -> str:
    taus = {result["measure"]: result["kendall"]["value"] for result in results}
    last_if_undefined = {name: -inf if tau is None else tau for name, tau in taus.items()}
    ordered = sorted(results, key=lambda result: last_if_undefined[result["measure"]], reverse=True)
    lines = [*_heading(ordered[0], "all measures"), "", f"  {'':<15}  {'kendall':<26}  spearman"]
    lines += [
        f"  {result['measure']:<15}  {_interval(result['kendall']):<26}  {_interval(result['spearman'])}"
        for result in ordered
    ]
    return "\n".join(lines)


def _comparison_text(result: Result) -> str:
    first, second = result["first"], result["second"]
    lines = [*_heading(first, f"{first['measure']} minus {second['measure']}"), ""]
    for name in CORRELATIONS:
        minuend, subtrahend = _number(first[name]["value"]), _number(second[name]["value"])
        lines.append(f"  {name:<9} {minuend} − {subtrahend} = {_interval(result['difference'][name])}")
    return "\n".join(lines)


def _heading(result: Result, what: str) -> list[str]:
    level = "within each golden" if result["level"] == "within" else "over all pairs"
    paraphrased = f", {result['paraphrase']:.0%} of the prompts paraphrased" if result["paraphrase"] else ""
    at = f"{result['strength']:g}" if "strength" in result else f"a KL of {result['kl']:g} nats"
    return [
        f"{what} against NDR of {result['optimizer']} at {at}, {level}, run {result['run']}",
        f"{result['rm_test_prompts']} RM-test, {result['rl_test_prompts']} RL-test prompts, "
        f"{len(result['pairs'])} pairs, {result['undefined_pairs']} undefined",
        f"responses of {result['source']}{paraphrased}",
        f"95 % intervals from {result['replicates']} replicates, resampled: {result['resampled']}",
    ]


def _interval(estimate: Mapping[str, float | None]) -> str:
    if estimate["value"] is None:
        return "undefined"
    return f"{_number(estimate['value'])}  [{_number(estimate['low'])}, {_number(estimate['high'])}]"


def _number(value: float | None, digits: int = 3) -> str:
    return "undefined" if value is None else f"{value:.{digits}f}"


# Choices and files ---------------------------------------------------------------------------------------------------


def _rows(result: Result) -> pl.DataFrame:
    """One row for each pair, with the choices and the correlations."""
    rows = []
    results = [result["first"], result["second"]] if "first" in result else result.get("measures", [result])
    for single in results:
        figures = {f"{name}_{key}": single[name][key] for name in CORRELATIONS for key in ("value", "low", "high")}
        about = {key: value for key, value in single.items() if key not in CORRELATIONS and key != "pairs"}
        rows += [{**about, **pair, **figures} for pair in single["pairs"]]
    return pl.DataFrame(rows, infer_schema_length=None)


_WRITERS: dict[str, Callable[[Result, Path], object]] = {
    ".json": lambda result, path: path.write_text(json.dumps(result, indent=2) + "\n"),
    ".csv": lambda result, path: _rows(result).write_csv(path),
    ".parquet": lambda result, path: _rows(result).write_parquet(path),
}


def _largest(strengths: pl.DataFrame, optimizer: str) -> float:
    own = strengths.filter(optimizer=optimizer)["strength"].to_list()
    if not own:
        known = sorted(set(strengths["optimizer"].to_list()))
        raise InvalidChoice(f"the run has no policies of optimiser {optimizer!r}; it has {known}")
    return float(max(own))


def _categories(name: str) -> tuple[str, ...] | None:
    if name.lower() == "all":
        return None
    known = {category.lower().replace(" ", "-"): category for category in CATEGORIES}
    category = known.get(name.lower().replace(" ", "-").replace("_", "-"))
    if category is None:
        raise UnknownName(f"no category {name!r}; there are {', '.join(CATEGORIES)} and all")
    return (category,)
