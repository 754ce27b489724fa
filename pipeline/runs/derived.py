"""A new run from a published one: all its rows, and one scorer more whose scores are ready.

The new scorer becomes a golden like all others: it needs the value of every policy to it. As everywhere, that is the
mean score of a policy's responses to each RL-test prompt. So

- best-of-n is not stored: it is computed from the scores when it is read, also of the policies against the new scorer;
- tilted policies too, and each λ is offered again or not, as the new scorer has to be defined there as well;
- a policy whose responses were stored gets its values from their scores;
- any other gets the values that come with the scorer, if they do; without them its values are left out of the new run.

The old run is not changed. Of the new one only the results are stored, as of an imported one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipeline import runs
from pipeline.errors import InvalidConfig
from pipeline.provenance import code_version, host, package_versions
from pipeline.runs import published_runs, results
from warehouse import ingest, reads, store
from warehouse.errors import InvalidChoice
from warehouse.exchange.policies import tilted_rows
from warehouse.formats import count
from warehouse.metrics.cube import ScoreCube, by_prompt
from warehouse.metrics.policies.best_of_n import best_of_n_kl_bound
from warehouse.reads import derived as read
from warehouse.schema import INITIAL, TABLES

_VALUES = ("policy_id", "prompt_id", "value")


@dataclass(frozen=True)
class NewScorer:
    """A scorer that joins a run.

    `about` is its row of table `reward_model` without `run_id`; `scores` has `response_id, score`. `values` has
    `policy_id, prompt_id, value`: what policies are worth to it whose responses were not stored, as far as it is known.
    `settings` say how it came about; they go into the run's settings.
    """

    about: Mapping[str, Any]
    scores: pl.DataFrame
    values: pl.DataFrame = field(default_factory=lambda: NewScorer.no_values())
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.about["reward_model_id"])

    @staticmethod
    def no_values() -> pl.DataFrame:
        """Values where none are known."""
        return pl.DataFrame(schema={name: TABLES["policy_value"].polars_schema[name] for name in _VALUES})


@dataclass(frozen=True)
class Derived:
    """A derived run: its id, the scorer, how many responses it scored, and the policies without a value to it."""

    run_id: str
    scorer: str
    responses: int
    left_out: tuple[str, ...]

    @property
    def line(self) -> str:
        """What the command line prints about it."""
        line = f"{self.run_id}: {self.scorer} has scores of {count(self.responses, 'response')}"
        if self.left_out:
            shown = ", ".join(self.left_out[:3]) + ("" if len(self.left_out) <= 3 else ", …")
            line += (
                f"; left out are {count(len(self.left_out), 'policy')} whose responses were not stored, so that what "
                f"they are worth to it is unknown: {shown}"
            )
        return line


def derive(data: Path, run_id: str, scorer: NewScorer, new_id: str | None = None, *, suffix: str) -> Derived:
    """Publish a run with everything that the old one has and the new scorer; `new_id` is by default old id and suffix.

    Raises UnknownName for a run that is not published, InvalidConfig for a run id that exists, InvalidChoice for a
    scorer whose name exists or that did not score the responses of the initial policy.
    """
    started_at, start = runs.now(), time.monotonic()
    new_id = _new_id(data, run_id, new_id, suffix)
    with store.open_read_only(data) as connection:
        models = reads.runs.reward_models(connection, run_id)["reward_model_id"].to_list()
        if scorer.name in models:
            raise InvalidChoice(f"run {run_id!r} has a scorer {scorer.name!r} already; give another with --name")
        responses = read.responses(connection, run_id).join(scorer.scores, on="response_id")
        policies = read.policies(connection, run_id)
        places = read.valued_prompts(connection, run_id)
        (run,) = reads.runs.all_runs(connection).filter(run_id=run_id).to_dicts()
        samples = _samples(connection, run_id)
    config = json.loads(run["config"])
    given_n = run["profile"] == "import"  # values of best-of-n that were given are not computed from the scores
    of_n = policies.filter(optimizer="bon")
    recomputed = of_n.clear() if given_n else of_n.filter("valued")
    tilted = policies.filter(optimizer="tilted")
    tilted = tilted.clear() if given_n and tilted["valued"].any() else tilted
    answers = responses.filter(pl.col("split") == "rl_test")
    means = answers.group_by("policy_id", "prompt_id").agg(value=pl.col("score").cast(pl.Float64()).mean())
    if INITIAL not in means["policy_id"]:
        raise InvalidChoice(f"{scorer.name!r} has no scores of the initial policy's RL-test responses; score them too")
    places = places.join(pl.concat([recomputed, tilted]), on="policy_id", how="anti")
    values = _whole(places, means.select(_VALUES))
    values = pl.concat([values, _whole(places.join(values, on="policy_id", how="anti"), scorer.values)])
    left_out = places.join(values, on="policy_id", how="anti")["policy_id"].unique().sort().to_list()
    settings = {**config, "derived": {"run_id": run_id, "scorer": scorer.name, **scorer.settings}}
    row = {
        **run,
        "run_id": new_id,
        "started_at": started_at,
        "finished_at": runs.moment(data),
        "wall_s": round(time.monotonic() - start, 3),
        "code_version": code_version(),
        "config": json.dumps(settings, ensure_ascii=False),
        "packages": json.dumps(package_versions()),
        "host": json.dumps(host()),
        "timings": "{}",
    }
    more = {
        "reward_model": TABLES["reward_model"].rows_of_one_run([scorer.about]),
        "policy": pl.concat(
            [
                _best_of_n(of_n.filter(~pl.col("valued")) if given_n else of_n, scorer.name),
                _tilted(samples, answers.filter(policy_id=INITIAL), tilted, scorer.name),
            ]
        ),
        "score": scorer.scores.with_columns(reward_model_id=pl.lit(scorer.name)),
        "policy_value": values.with_columns(golden_id=pl.lit(scorer.name)),
    }
    with results.storing(data, new_id) as then:
        ingest.derive(
            data,
            run_id,
            pl.DataFrame([row]),
            {name: frame.with_columns(run_id=pl.lit(new_id)) for name, frame in more.items()},
            without_values=[*recomputed["policy_id"], *tilted["policy_id"], *left_out],
            without_policies=[*tilted["policy_id"], *left_out],
            then=then,
        )
    return Derived(new_id, scorer.name, scorer.scores.height, tuple(left_out))


def _whole(places: pl.DataFrame, values: pl.DataFrame) -> pl.DataFrame:
    """The values of those policies that have one on all their prompts."""
    joined = places.join(values.select(_VALUES), on=["policy_id", "prompt_id"], how="left", maintain_order="left")
    return joined.filter(pl.col("value").is_not_null().all().over("policy_id")).select(_VALUES)


def _best_of_n(computed: pl.DataFrame, name: str) -> pl.DataFrame:
    """The new scorer's policies of best-of-n, at each n of those whose values are computed from the scores."""
    rows = [
        {
            "policy_id": f"bon-{n:g}/{name}",
            "optimizer": "bon",
            "reward_model_id": name,
            "strength": n,
            "kl": best_of_n_kl_bound(int(n)),
            "kl_estimator": "bound",
            "base_model": computed["base_model"][0],
        }
        for n in computed["strength"].unique().sort()
    ]
    return TABLES["policy"].rows_of_one_run(rows)


def _samples(connection: store.Connection, run_id: str) -> ScoreCube | None:
    """The old scorers' scores of the initial policy's RL-test responses; None if they were not stored."""
    try:
        return reads.scores.initial_scores(connection, run_id, "rl_test")
    except InvalidChoice:
        return None


def _tilted(samples: ScoreCube | None, answers: pl.DataFrame, replaced: pl.DataFrame, name: str) -> pl.DataFrame:
    """All scorers' tilted policies in the place of those of the old run; `answers` have the new scorer's scores."""
    rows = []
    if samples is not None and replaced.height and answers.height == samples.counts_P.sum():
        scores_1K = answers.sort("prompt_id")["score"].cast(pl.Float32()).to_numpy()[None]
        scores_MPR = np.concatenate([samples.scores_MPR, by_prompt(scores_1K, samples.counts_P)])
        cube = replace(samples, scores_MPR=scores_MPR, reward_models=(*samples.reward_models, name), only=None)
        rows = [{**row, "base_model": replaced["base_model"][0]} for row in tilted_rows(cube)]
    return TABLES["policy"].rows_of_one_run(rows)


def _new_id(data: Path, run_id: str, new_id: str | None, suffix: str) -> str:
    known = {*published_runs(data), *runs.run_ids(data), *results.run_ids(data)}
    if new_id is None:
        plain = f"{run_id}-{suffix}"
        numbered = (f"{plain}-{number}" for number in range(2, len(known) + 3))
        return next(name for name in (plain, *numbered) if name not in known)
    runs.check_id(new_id)
    if new_id in known:
        raise InvalidConfig(f"run {new_id!r} exists already; name another with --run-id")
    return new_id
