"""A scorer joins a run that is only in the warehouse, such as an imported one: the result is a new published run.

All rows of the run are kept (`pipeline.runs.derived`). The scorer scores every response; its accuracy on the validation
pairs and its values of policies follow from its scores.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from pipeline import runs
from pipeline.config import AddedRewardModel
from pipeline.errors import InvalidConfig, InvalidDataSet, InvalidSetting
from pipeline.runs import published_runs
from pipeline.runs.derived import Derived, NewScorer, derive
from pipeline.scoring import texts
from pipeline.scoring.added import Scoring
from pipeline.scoring.parts import Parts
from pipeline.scoring.responses import counted, named
from pipeline.scoring.texts import Text
from warehouse import exchange
from warehouse.schema import PARAPHRASE

_SIDES = ("chosen", "rejected")
_LONGEST_ID = 100


class Published:
    """A run of the warehouse, and the texts in it that a new scorer has to score."""

    def __init__(self, data: Path, run_id: str, settings: AddedRewardModel, new_id: str | None) -> None:
        """Raises UnknownName, InvalidSetting for a scorer that the run has, InvalidConfig for an id that is taken,
        InvalidDataSet for a run without texts.
        """
        self._data, self._run_id, self._settings = data, run_id, settings
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

    def score(self, scoring: Scoring) -> Derived:
        """Score all texts and publish the new run; what was stopped is resumed from a folder in the data folder.

        Raises NoScore for a text that the reward model does not score, NotWritten if the disk refuses.
        """
        parts = Parts(self._data / f".scoring-{self.new_id}", self._settings)
        joined = self._publish(parts.score(self.texts, scoring))
        parts.finish()
        return joined

    def _publish(self, scores: pl.DataFrame) -> Derived:
        scored = self.responses.join(scores, on=["prompt", "text"], how="left", maintain_order="left")
        origin = {"origin": self._settings.origin}
        scorer = NewScorer(self._scorer(scores), scored.select("response_id", "score"), settings=origin)
        return derive(self._data, self._run_id, scorer, self.new_id, suffix=self._settings.name)

    @property
    def _validation(self) -> pl.DataFrame:
        return self._tables["preference"].filter(split="validation")

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
