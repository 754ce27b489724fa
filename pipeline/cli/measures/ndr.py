"""`righttree measure`: how well a metric on a test set predicts the regret of an optimiser's policies, as text or JSON.

The names in the JSON are a public interface.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from itertools import permutations
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.cli import check_target
from pipeline.cli.measures import outcome as of_outcome
from pipeline.cli.measures import text as measure_text
from pipeline.errors import InvalidConfig, write_errors
from warehouse import files, reads, store
from warehouse.errors import UnknownName
from warehouse.reads.policies import usual_strength
from warehouse.reads.values import policy_values, policy_values_at_kl
from warehouse.schema import BY_WEIGHTING, category_order
from warehouse.spreadsheets import neutral
from warehouse.study import CORRELATIONS, MEASURES, Estimate, Evaluation, PolicyValues, ScoreCube, TestSet, compare
from warehouse.study.correlation import Correlation
from warehouse.study.evaluate import replicated
from warehouse.terminals import on_one_line

Result = dict[str, Any]

_OTHERS = ("sample", "measure_itself", "ceiling")
"""What a correlation has beside its own value, each with an interval."""

SCHEMA_VERSION = 5
"""Version of the JSON. Version 5 has `repeats` and `single_repeats`; 4 has `goldens` and `quantity`, and a pair's
`gain` in the place of its `ndr` where no policy was optimised against a golden. Version 1 had no `schema_version`, and
called a pair's `value` its `error`; up to 2 the `value` of a correlation was the plain one, now `sample`."""


def report(data: Path, choice: argparse.Namespace) -> str:
    """What to print for the choices of the command line. Raises UnknownName, InvalidChoice and InvalidConfig."""
    if choice.export and choice.export.suffix not in _WRITERS:
        raise InvalidConfig(f"--export {choice.export}: the name has to end in .json, .csv or .parquet")
    check_target("--export", choice.export)
    with store.open_read_only(data) as connection:
        run_id = reads.runs.named_or_default(connection, choice.run)
        sources = [name.strip() for name in choice.source.split(",")]
        cube = reads.scores.score_cube(connection, run_id, sources, choice.paraphrase, choice.seed)
        cube = cube.with_goldens(choice.golden)
        if choice.outcome is not None:
            outcome = reads.outcomes.outcome(connection, run_id, choice.outcome)
            return of_outcome.report(run_id, cube, outcome, test_set_of(choice, cube.categories), choice)
        run = (connection, run_id, choice.optimizer)
        if choice.kl is None:
            strength = choice.strength
            if strength is None:
                strength = usual_strength(*run, choice.kl_coefficient)
            degree, values = {"strength": strength}, policy_values(*run, strength, choice.kl_coefficient)
            kl = reads.policies.known_kl(*run, strength, choice.kl_coefficient)
        else:
            degree, values = {"kl": choice.kl}, policy_values_at_kl(*run, choice.kl, choice.kl_coefficient)
            kl = dict.fromkeys(cube.reward_models, choice.kl)
    about: Result = {
        "schema_version": SCHEMA_VERSION,
        "run": run_id,
        "optimizer": choice.optimizer,
        **degree,
        "level": choice.level,
        **({} if choice.kl_coefficient is None else {"kl_coefficient": choice.kl_coefficient}),
        "goldens": [name for name, golden in zip(cube.reward_models, cube.roles.goldens, strict=True) if golden],
        "source": ",".join(sources),
        "paraphrase": choice.paraphrase,
    }
    if choice.compare:
        result = _compared(about, cube, values, choice, kl)
        text = measure_text.of_comparison(on_one_line(result))
    else:
        names = tuple(MEASURES) if choice.measure == "all" else (choice.measure,)
        test_set = test_set_of(choice, cube.categories)
        parts = replicated(cube, values, [(name, test_set) for name in names], **_draws(choice, values))
        results = [as_json(about, cube.reward_models, part.evaluation, kl) for part in parts]
        result = results[0] if choice.measure != "all" else {**about, "measures": results}
        shown = on_one_line(results)
        text = measure_text.of_one(shown[0]) if choice.measure != "all" else measure_text.of_all(shown)
    if choice.export:
        with write_errors(choice.export, "give another file to --export"), files.replacing(choice.export) as temporary:
            _WRITERS[choice.export.suffix](result, temporary)
    return json.dumps(result) if choice.json else text


def test_set_of(choice: argparse.Namespace, categories: Sequence[str]) -> TestSet:
    """The test set that the options describe, of prompts in these categories. Raises UnknownName for another one."""
    return TestSet(
        categories=_categories(choice.category, categories),
        subsets=tuple(choice.subset) if choice.subset else None,
        seed=choice.seed,
        whole=choice.whole,
        **{field.name: getattr(choice, field.name) for field in fields(TestSet) if field.metadata},
    )


def as_json(
    about: Result, names: tuple[str, ...], evaluation: Evaluation, kl: Mapping[str, float] | None = None
) -> Result:
    """The public form of an evaluation: plain lists and numbers, null where a figure is undefined.

    `kl` are the known KLs of the policies in nats, by proxy; gains have a `gain_per_nat` beside them.
    """
    pairs: list[Result] = [
        {
            "golden": golden,
            "proxy": proxy,
            "value": float(evaluation.value_MM[g, m]) if evaluation.value_defined_MM[g, m] else None,
            evaluation.quantity: float(evaluation.ndr_MM[g, m]) if evaluation.ndr_defined_MM[g, m] else None,
        }
        for (g, golden), (m, proxy) in permutations(enumerate(names), 2)
        if evaluation.pair_MM[g, m]
    ]
    per_nat: Result = {}
    if evaluation.quantity == "gain":
        kl = kl or {}
        for pair in pairs:
            pair["gain_per_nat"] = _per_nat(pair["gain"], kl.get(pair["proxy"]))
        per_nat = {"without_kl": sum(kl.get(name, 0.0) <= 0.0 for name in {pair["proxy"] for pair in pairs})}
    estimates = evaluation.within if about["level"] == "within" else evaluation.correlations
    return {
        "measure": evaluation.measure,
        **about,
        "estimand": measure_text.THIS_TEST_SET,
        "quantity": evaluation.quantity,
        **{name: _correlation(estimates[name]) for name in CORRELATIONS},
        "undefined_pairs": evaluation.undefined_pairs,
        "undefined_prompts": evaluation.undefined_prompts,
        **per_nat,
        "repeats": None if about["optimizer"] in BY_WEIGHTING else evaluation.repeats,
        "single_repeats": None if about["optimizer"] in BY_WEIGHTING else evaluation.single_repeats,
        "rm_test_prompts": evaluation.prompts_used,
        "rl_test_prompts": evaluation.rl_prompts_used,
        "shared_prompts": evaluation.shared_prompts,
        "replicates": evaluation.replicates,
        "seed": evaluation.seed,
        "resampled": evaluation.resampled,
        "pairs": pairs,
    }


def _per_nat(gain: float | None, kl: float | None) -> float | None:
    return None if gain is None or kl is None or kl <= 0.0 else gain / kl


def _compared(
    about: Result, cube: ScoreCube, values: PolicyValues, choice: argparse.Namespace, kl: Mapping[str, float]
) -> Result:
    names = [name.strip() for name in choice.compare.split(",")]
    if len(names) != 2:
        raise InvalidConfig(f"--compare {choice.compare!r}: give two measures, as in --compare accuracy,spearman")
    compared = compare(cube, values, *names, test_set=test_set_of(choice, cube.categories), **_draws(choice, values))
    differences = compared.within if about["level"] == "within" else compared.correlations
    return {
        **about,
        "first": as_json(about, cube.reward_models, compared.first, kl),
        "second": as_json(about, cube.reward_models, compared.second, kl),
        "difference": {name: _estimate(differences[name]) for name in CORRELATIONS},
    }


def _draws(choice: argparse.Namespace, values: PolicyValues) -> dict[str, Any]:
    rl_categories = _categories(choice.rl_category, values.categories)
    return {"rl_categories": rl_categories, "replicates": choice.replicates, "seed": choice.seed}


def _correlation(correlation: Correlation) -> Result:
    others = {name: _estimate(getattr(correlation, name)) for name in _OTHERS}
    return {**_estimate(correlation), **others, "p_value": correlation.p_value}


def _estimate(estimate: Estimate) -> dict[str, float | None]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}


# Choices and files ---------------------------------------------------------------------------------------------------


def _rows(result: Result) -> pl.DataFrame:
    """One row for each pair, with the choices and the correlations."""
    rows = []
    results = [result["first"], result["second"]] if "first" in result else result.get("measures", [result])
    for single in results:
        figures = {f"{name}_{key}": value for name in CORRELATIONS for key, value in _flat(single[name]).items()}
        about = {key: value for key, value in single.items() if key not in CORRELATIONS and key != "pairs"}
        about["goldens"] = ",".join(about["goldens"])
        rows += [{**about, **pair, **figures} for pair in single["pairs"]]
    return pl.DataFrame(rows, infer_schema_length=None)


def _flat(correlation: Result) -> dict[str, float | None]:
    """`value, low, high`, then `sample_value`, `sample_low` and so on."""
    plain = {key: value for key, value in correlation.items() if key not in _OTHERS}
    return plain | {f"{name}_{key}": value for name in _OTHERS for key, value in correlation[name].items()}


_WRITERS: dict[str, Callable[[Result, Path], object]] = {
    ".json": lambda result, path: path.write_text(json.dumps(result, indent=2) + "\n"),
    ".csv": lambda result, path: neutral(_rows(result)).write_csv(path),
    ".parquet": lambda result, path: _rows(result).write_parquet(path),
}


def _categories(name: str, of_run: Sequence[str]) -> tuple[str, ...] | None:
    """The category that is named in whatever case, with spaces, hyphens or underscores; None for all."""
    if name.lower() == "all":
        return None
    known = {_plain(category): category for category in category_order(of_run)}
    category = name if name in of_run else known.get(_plain(name))
    if category is None:
        raise UnknownName(f"no category {name!r}; there are {', '.join(known.values())} and all")
    return (category,)


def _plain(category: str) -> str:
    return category.lower().replace(" ", "-").replace("_", "-")
