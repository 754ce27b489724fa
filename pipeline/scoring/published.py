"""A scorer joins a run that is only in the warehouse, such as an imported one: the result is a new published run.

All rows of the run are kept. The scorer scores every response; its accuracy on the validation pairs and its values of
policies follow from its scores, and best-of-n against it is computed from them as for all others. Policies whose
responses are not stored cannot be valued by it, so they are left out of the new run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from pipeline import runs
from pipeline.config import AddedRewardModel
from pipeline.errors import InvalidConfig, InvalidDataSet, InvalidSetting
from pipeline.runs.exchange import published_runs
from pipeline.scoring import texts
from pipeline.scoring.added import Scoring
from pipeline.scoring.parts import Parts
from pipeline.scoring.responses import counted, named
from pipeline.scoring.texts import Text
from warehouse import exchange, ingest
from warehouse.schema import INITIAL, ORIGINAL, PARAPHRASE

_SIDES = ("chosen", "rejected")
_LONGEST_ID = 100


class Joined(NamedTuple):
    """A new published run with a scorer more: its rows per table, and a line about what was left out of it, if any."""

    rows: Mapping[str, int]
    notes: list[str]


class Published:
    """A run of the warehouse, and the texts in it that a new scorer has to score."""

    def __init__(self, data: Path, run_id: str, settings: AddedRewardModel, new_id: str | None) -> None:
        """Raises UnknownName, InvalidSetting for a scorer that the run has, InvalidConfig for an id that is taken,
        InvalidDataSet for a run without texts.
        """
        self._data, self._settings = data, settings
        self.new_id = new_id or f"{run_id}-{settings.name}"[:_LONGEST_ID]
        runs.check_id(self.new_id)
        if (runs.runs_folder(data) / self.new_id).exists() or self.new_id in published_runs(data):
            raise InvalidConfig(f"run {self.new_id!r} exists already; name another with --run-id")
        self._tables = exchange.run_rows(data, run_id)
        if settings.name in self._tables["reward_model"]["reward_model_id"]:
            raise InvalidSetting(f"run {run_id} has the reward model {settings.name} already; give --name", "added")
        text = pl.when(prompt_form=PARAPHRASE).then("paraphrase").otherwise("original")
        prompts = self._tables["prompt"].select("prompt_id", "split", "paraphrase", original="text")
        self.responses = self._tables["response"].join(prompts, on="prompt_id").with_columns(prompt=text)
        without = self.responses.filter(pl.col("prompt").fill_null("").str.strip_chars() == "")
        if without.height:
            raise InvalidDataSet(
                f"run {run_id}: {named(without)} no text of the prompt, and a scorer has to score all; import the run "
                "again with the columns prompt and response"
            )

    @property
    def texts(self) -> list[Text]:
        """The distinct texts: all responses, and the validation pairs."""
        pairs = [text for text in texts.of_pairs(self._validation) if all(part.strip() for part in text)]
        return list(dict.fromkeys([*self.responses.select("prompt", "text").iter_rows(), *pairs]))

    @property
    def notes(self) -> list[str]:
        """Which responses are empty."""
        empty = self.responses.filter(pl.col("text").str.strip_chars() == "")
        return [f"{named(empty)} an empty text: scored as it is"] if empty.height else []

    @property
    def counted(self) -> str:
        """How much there is to score."""
        return counted(self.responses, self.texts)

    def score(self, scoring: Scoring) -> Joined:
        """Score all texts and publish the new run; what was stopped is resumed from a folder in the data folder.

        Raises NoScore for a text that the reward model does not score, NotWritten if the disk refuses.
        """
        parts = Parts(self._data / f".scoring-{self.new_id}", self._settings)
        joined = self._publish(parts.score(self.texts, scoring))
        parts.finish()
        return joined

    def _publish(self, scores: pl.DataFrame) -> Joined:
        name, old = self._settings.name, self._tables
        scored = self.responses.join(scores, on=["prompt", "text"], how="left", maintain_order="left")
        values, best_of_n = self._values(scored), self._best_of_n(scored)
        valued = pl.col("policy_id").is_in(values["policy_id"].implode())
        # values of best-of-n are computed from the scores where none are stored
        is_bon, is_known = pl.col("optimizer") == "bon", pl.col("strength").is_in(best_of_n["strength"].implode())
        stored = old["policy"].join(old["policy_value"].select("policy_id").unique(), on="policy_id", how="semi")
        left_out = pl.concat([old["policy"].filter(is_bon & ~is_known), stored.filter(~is_bon & ~valued)])
        silent = left_out.join(old["response"], on="policy_id", how="anti")["policy_id"]
        policies = old["policy"].filter(~pl.col("policy_id").is_in(silent.implode()))
        tables = {
            **old,
            "run": self._run_row(),
            "reward_model": self._with("reward_model", pl.DataFrame([self._scorer(scores)])),
            "policy": pl.concat([policies, best_of_n]),
            "score": self._with("score", scored.select("response_id", "score", reward_model_id=pl.lit(name))),
            "policy_value": pl.concat([old["policy_value"].filter(valued), values]),
        }
        rows = {table: frame.with_columns(run_id=pl.lit(self.new_id)) for table, frame in tables.items()}
        written = ingest.publish(self._data, rows, self.new_id)
        optimizers = ", ".join(left_out["optimizer"].unique().sort())
        note = (
            f"{left_out.height} policies ({optimizers}) are left out: their responses are not stored, so {name} cannot "
            "value them"
        )
        return Joined(written, [note] if left_out.height else [])

    @property
    def _validation(self) -> pl.DataFrame:
        return self._tables["preference"].filter(split="validation")

    def _with(self, table: str, more: pl.DataFrame) -> pl.DataFrame:
        """A table with rows added; columns that they lack are null."""
        schema = self._tables[table].schema
        return pl.concat(
            [self._tables[table], more.select(pl.col(name).cast(schema[name]) for name in more.columns)], how="diagonal"
        )

    def _run_row(self) -> pl.DataFrame:
        row = self._tables["run"].row(0, named=True)
        config: dict[str, Any] = json.loads(row["config"])
        joined = [*config.get("joined", []), {"name": self._settings.name, "origin": self._settings.origin}]
        row |= {"config": json.dumps(config | {"joined": joined}, ensure_ascii=False), "finished_at": runs.now()}
        return pl.DataFrame([row], schema=self._tables["run"].schema)

    def _scorer(self, scores: pl.DataFrame) -> dict[str, Any]:
        """The row of table `reward_model`, with the share of the validation pairs that it orders right; ties half."""
        pairs = self._validation
        for side in _SIDES:
            named_side = scores.rename({"text": side, "score": f"{side}_score"})
            pairs = pairs.join(named_side, on=["prompt", side])
        chosen, rejected = pl.col("chosen_score"), pl.col("rejected_score")
        right = pairs.select(((chosen > rejected) + 0.5 * (chosen == rejected)).mean()).item()
        return {
            "reward_model_id": self._settings.name,
            "kind": self._settings.kind,
            "base_model": self._settings.origin,
            "validation_accuracy": right,
        }

    def _values(self, scored: pl.DataFrame) -> pl.DataFrame:
        """The values to the scorer of the policies with stored values whose responses are stored, without best-of-n."""
        old = self._tables["policy_value"]
        means = (
            scored.filter(prompt_form=ORIGINAL)
            .group_by("policy_id", "prompt_id")
            .agg(value=pl.col("score").cast(pl.Float64()).mean())
        )
        places = old.select("run_id", "policy_id", "prompt_id").unique().sort("policy_id", "prompt_id")
        valued = places.join(means, on=["policy_id", "prompt_id"], how="left", maintain_order="left")
        whole = valued.filter(pl.col("value").is_not_null().all().over("policy_id"))
        return whole.with_columns(golden_id=pl.lit(self._settings.name)).select(old.columns)

    def _best_of_n(self, scored: pl.DataFrame) -> pl.DataFrame:
        """Policies of best-of-n against the scorer, for every n of the others that the samples allow."""
        initial = scored.filter(policy_id=INITIAL, prompt_form=ORIGINAL, split="rl_test")
        samples = initial.group_by("prompt_id").len()["len"].max() or 0
        others = self._tables["policy"].filter((pl.col("optimizer") == "bon") & (pl.col("strength") <= samples))
        name = pl.lit(self._settings.name)
        return others.unique("strength", keep="first", maintain_order=True).with_columns(
            reward_model_id=name, policy_id=pl.format("bon-{}/{}", pl.col("strength").cast(pl.Int64()), name)
        )
