"""`righttree measure`: the value, interval and correlations of a measure × test set × optimiser, without a browser.

The names in the JSON are a public interface.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from math import inf
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.errors import InvalidConfig
from warehouse import files, reads, store
from warehouse.errors import InvalidChoice, UnknownName
from warehouse.reads.policies import strengths
from warehouse.reads.values import policy_values, policy_values_at_kl
from warehouse.schema import CATEGORIES
from warehouse.study import (
    CORRELATIONS,
    MEASURES,
    Comparison,
    Estimate,
    Evaluation,
    PolicyValues,
    ScoreCube,
    TestSet,
    compare,
)
from warehouse.study.evaluate import replicated

Found = dict[str, Any]

SCHEMA_VERSION = 2
"""Of the JSON. 1 had no `schema_version`, and called a pair's `value` its `error`."""


def report(data: Path, choice: argparse.Namespace) -> str:
    """What to print for the choices of the command line. Raises UnknownName, InvalidChoice and InvalidConfig."""
    write = _writer(choice.export) if choice.export else None
    with store.open_read_only(data) as connection:
        run_id = choice.run or reads.runs.newest_run(connection)
        if run_id is None:
            raise UnknownName("the warehouse has no run yet; start one with `righttree run --profile quick`")
        sources = [name.strip() for name in choice.source.split(",")]
        cube = reads.scores.score_cube(connection, run_id, sources, choice.paraphrase, choice.seed)
        of_policies = (connection, run_id, choice.optimizer)
        if choice.kl is None:
            strength = choice.strength
            if strength is None:
                strength = _largest(strengths(connection, run_id, choice.kl_coefficient), choice.optimizer)
            where, values = {"strength": strength}, policy_values(*of_policies, strength, choice.kl_coefficient)
        else:
            where, values = {"kl": choice.kl}, policy_values_at_kl(*of_policies, choice.kl, choice.kl_coefficient)
    about: Found = {
        "schema_version": SCHEMA_VERSION,
        "run": run_id,
        "optimizer": choice.optimizer,
        **where,
        "level": choice.level,
    }
    about |= {"kl_coefficient": choice.kl_coefficient} if choice.kl_coefficient is not None else {}
    about |= {"source": ",".join(sources), "paraphrase": choice.paraphrase}
    if choice.compare:
        found = _compared(about, cube, values, choice)
        text = _comparison_text(found)
    else:
        names = tuple(MEASURES) if choice.measure == "all" else (choice.measure,)
        parts = replicated(cube, values, [(name, test_set_of(choice)) for name in names], **_draws(choice))
        all_found = [as_json(about, cube.reward_models, part.evaluation) for part in parts]
        found = all_found[0] if choice.measure != "all" else {**about, "measures": all_found}
        text = _text(found) if choice.measure != "all" else _table_text(all_found)
    if write:
        write(found)
    return json.dumps(found) if choice.json else text


def test_set_of(choice: argparse.Namespace) -> TestSet:
    """The test set that the options describe. Raises UnknownName for a category."""
    return TestSet(
        categories=_categories(choice.category),
        subsets=tuple(choice.subset) if choice.subset else None,
        seed=choice.seed,
        **{field.name: getattr(choice, field.name) for field in fields(TestSet) if field.metadata},
    )


def as_json(about: Found, names: tuple[str, ...], evaluation: Evaluation) -> Found:
    """The public form of an evaluation: plain lists and numbers, null where a figure is undefined."""
    pairs = []
    for g, golden in enumerate(names):
        for m, proxy in enumerate(names):
            if g != m:
                value = float(evaluation.value_MM[g, m]) if evaluation.value_defined_MM[g, m] else None
                ndr = float(evaluation.ndr_MM[g, m]) if evaluation.ndr_defined_MM[g, m] else None
                pairs.append({"golden": golden, "proxy": proxy, "value": value, "ndr": ndr})
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


def _compared(about: Found, cube: ScoreCube, values: PolicyValues, choice: argparse.Namespace) -> Found:
    names = [name.strip() for name in choice.compare.split(",")]
    if len(names) != 2:
        raise InvalidConfig(f"--compare {choice.compare!r}: give two measures, as in --compare accuracy,spearman")
    compared: Comparison = compare(cube, values, *names, test_set=test_set_of(choice), **_draws(choice))
    differences = compared.within if about["level"] == "within" else compared.correlations
    sides = (compared.first, compared.second)
    first, second = (as_json(about, cube.reward_models, evaluation) for evaluation in sides)
    return {
        **about,
        "first": first,
        "second": second,
        "difference": {name: _estimate(differences[name]) for name in CORRELATIONS},
    }


def _draws(choice: argparse.Namespace) -> dict[str, Any]:
    return {
        "rl_categories": _categories(choice.rl_category),
        "replicates": choice.replicates,
        "seed": choice.seed,
    }


def _estimate(estimate: Estimate) -> dict[str, float | None]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}


# Text ----------------------------------------------------------------------------------------------------------------


def _text(found: Found) -> str:
    lines = [*_heading(found, found["measure"]), ""]
    for name in CORRELATIONS:
        lines.append(f"  {name:<9} {_interval(found[name])}")
    width = max(len(pair["golden"]) for pair in found["pairs"])
    lines += ["", f"  {'golden':<{width}}  {'proxy':<{width}}  {found['measure']:>15}  {'NDR':>9}"]
    for pair in found["pairs"]:
        figures = f"{_number(pair['value'], MEASURES[found['measure']].digits):>15}  {_number(pair['ndr']):>9}"
        lines.append(f"  {pair['golden']:<{width}}  {pair['proxy']:<{width}}  {figures}")
    return "\n".join(lines)


def _table_text(all_found: list[Found]) -> str:
    ordered = sorted(all_found, key=_tau, reverse=True)
    lines = [*_heading(ordered[0], "all measures"), "", f"  {'':<15}  {'kendall':<26}  spearman"]
    lines += [
        f"  {found['measure']:<15}  {_interval(found['kendall']):<26}  {_interval(found['spearman'])}"
        for found in ordered
    ]
    return "\n".join(lines)


def _tau(found: Found) -> float:
    """What measures are sorted by; those without a τ come last."""
    tau = found["kendall"]["value"]
    return -inf if tau is None else float(tau)


def _comparison_text(found: Found) -> str:
    first, second = found["first"], found["second"]
    lines = [*_heading(first, f"{first['measure']} minus {second['measure']}"), ""]
    for name in CORRELATIONS:
        one, other = _number(first[name]["value"]), _number(second[name]["value"])
        lines.append(f"  {name:<9} {one} − {other} = {_interval(found['difference'][name])}")
    return "\n".join(lines)


def _heading(found: Found, what: str) -> list[str]:
    level = "within each golden" if found["level"] == "within" else "over all pairs"
    paraphrased = f", {found['paraphrase']:.0%} of the prompts paraphrased" if found["paraphrase"] else ""
    at = f"{found['strength']:g}" if "strength" in found else f"a KL of {found['kl']:g} nats"
    return [
        f"{what} against NDR of {found['optimizer']} at {at}, {level}, run {found['run']}",
        f"{found['rm_test_prompts']} RM-test, {found['rl_test_prompts']} RL-test prompts, {len(found['pairs'])} pairs, "
        f"{found['undefined_pairs']} undefined",
        f"responses of {found['source']}{paraphrased}",
        f"95 % intervals from {found['replicates']} replicates, resampled: {found['resampled']}",
    ]


def _interval(estimate: Mapping[str, float | None]) -> str:
    if estimate["value"] is None:
        return "undefined"
    return f"{_number(estimate['value'])}  [{_number(estimate['low'])}, {_number(estimate['high'])}]"


def _number(value: float | None, digits: int = 3) -> str:
    return "undefined" if value is None else f"{value:.{digits}f}"


# Choices and files ---------------------------------------------------------------------------------------------------


def _writer(path: Path) -> Callable[[Found], None]:
    """How to write what was found to this file, by its ending. Raises InvalidConfig for another, before any work."""
    if path.suffix == ".json":
        return lambda found: _replace(path, lambda target: target.write_text(json.dumps(found, indent=2) + "\n"))
    if path.suffix == ".csv":
        return lambda found: _replace(path, _rows(found).write_csv)
    if path.suffix == ".parquet":
        return lambda found: _replace(path, _rows(found).write_parquet)
    raise InvalidConfig(f"--export {path}: the name has to end in .json, .csv or .parquet")


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    try:
        with files.replacing(path) as draft:
            write(draft)
    except OSError as error:
        raise InvalidConfig(f"--export {path}: cannot be written ({error.strerror or error})") from error


def _rows(found: Found) -> pl.DataFrame:
    """One row a pair, with the choice and the correlations beside it."""
    if "first" in found:
        found = {"measures": [found["first"], found["second"]]}
    rows = []
    for one in found.get("measures", [found]):
        figures = {f"{name}_{key}": one[name][key] for name in CORRELATIONS for key in ("value", "low", "high")}
        plain = {key: value for key, value in one.items() if key not in CORRELATIONS and key != "pairs"}
        rows += [{**plain, **pair, **figures} for pair in one["pairs"]]
    return pl.DataFrame(rows, infer_schema_length=None)


def _largest(strengths: pl.DataFrame, optimizer: str) -> float:
    there = strengths.filter(optimizer=optimizer)["strength"].to_list()
    if not there:
        known = sorted(set(strengths["optimizer"].to_list()))
        raise InvalidChoice(f"the run has no policies of optimiser {optimizer!r}; it has {known}")
    return float(max(there))


def _categories(name: str) -> tuple[str, ...] | None:
    if name.lower() == "all":
        return None
    known = {category.lower().replace(" ", "-"): category for category in CATEGORIES}
    category = known.get(name.lower().replace(" ", "-").replace("_", "-"))
    if category is None:
        raise UnknownName(f"no category {name!r}; there are {', '.join(CATEGORIES)} and all")
    return (category,)
