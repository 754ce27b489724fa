"""Responses that not every scorer has scored, and prompts with too few responses: left out, counted and listed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from warehouse.errors import InvalidChoice
from warehouse.exchange.checking.repeats import KEY, LARGEST
from warehouse.exchange.sheet import Sheet, at_row, invalid, shown
from warehouse.formats import count

INCOMPLETE = ("drop-response", "drop-prompt", "drop-model", "refuse")
"""What to do with a response that not every scorer has scored: leave out the response, its prompt, or the scorers that
lack scores; or refuse the files."""

FEWEST = 2
"""Fewest scorers, prompts of a split, and responses of a prompt."""

_RESPONSE = ("prompt_id", "response_id")
_EMPTY, _INFINITE, _NO_ROW = "empty or not a number", "infinite or beyond 32 bits", "no score in the files"


class Whole(NamedTuple):
    """Scores that are whole: `prompt_id, response_id, reward_model, score` (64 bits), and what was left out for it.

    `left_out` has `prompt_id, response_id, reward_model, reason`; `line` is empty if nothing was left out.
    """

    scores: pl.DataFrame
    left_out: pl.DataFrame
    line: str


def whole_scores(sheets: Sequence[Sheet], long: pl.DataFrame, responses: pl.DataFrame, how: str) -> Whole:
    """Every response with a score of every scorer. Raises InvalidRows if nothing to compare would be left.

    `responses` names all of them by `prompt_id, response_id`; `how` is one of `INCOMPLETE`.
    """
    if how not in INCOMPLETE:
        raise InvalidChoice(f"incomplete is {how!r}; choose one of {list(INCOMPLETE)}")
    rows = long.filter(pl.col("reward_model").is_not_null())
    scores = rows.filter((pl.col("score").abs() <= LARGEST).fill_null(False)).select(*KEY, "score")
    models = rows["reward_model"].unique().sort()
    if len(models) < FEWEST:
        raise invalid(
            f"{sheets[0].name}, column reward_model: got only {models.to_list()}; each reward model is judged by the "
            "others: give two or more, also in several files, or labels"
        )
    if scores.height == responses.height * len(models):
        return Whole(scores, _listed(scores.clear(), ""), "")
    every = responses.select(_RESPONSE).join(models.to_frame(), how="cross")
    reasons = rows.select(
        *KEY, reason=pl.when(pl.col("score").is_null()).then(pl.lit(_EMPTY)).otherwise(pl.lit(_INFINITE))
    )
    missing = (
        every.join(scores, on=KEY, how="anti", maintain_order="left")
        .join(reasons, on=KEY, how="left", maintain_order="left")
        .with_columns(pl.col("reason").fill_null(_NO_ROW))
    )
    way = None if how == "refuse" else _without(how, scores, missing)
    if way is None or not _is_enough(way.scores):
        raise _refusal(sheets, long, scores, missing, how)
    sums = missing.group_by("reason").len().sort("len", "reason", descending=[True, False]).iter_rows()
    reasons_said = ", ".join(f"{rows_count} {reason}" for reason, rows_count in sums)
    return Whole(way.scores, missing.select(*KEY, "reason"), f"{way.what} ({reasons_said}; {_worst(missing)})")


class _Way(NamedTuple):
    """A way to leave out: the scores that stay, and how to say what goes."""

    scores: pl.DataFrame
    what: str


def _without(how: str, scores: pl.DataFrame, missing: pl.DataFrame) -> _Way:
    if how in ("drop-response", "drop-prompt"):
        key = _RESPONSE if how == "drop-response" else _RESPONSE[:1]
        rows = missing.select(key).unique()
        stay = scores.join(rows, on=key, how="anti", maintain_order="left")
        return _Way(stay, f"{count(rows.height, key[-1].removesuffix('_id'))} without all scores")
    # of responses that few have scored, those few are not to blame
    usual = scores.filter(2 * pl.len().over(_RESPONSE) >= scores["reward_model"].n_unique()).select(_RESPONSE)
    names = missing.join(usual, on=_RESPONSE, how="semi")["reward_model"].unique().sort()
    stay = scores.filter(~pl.col("reward_model").is_in(names.implode()))
    stay = stay.filter(pl.len().over(_RESPONSE) == stay["reward_model"].n_unique())
    return _Way(stay, f"reward models {', '.join(names)}, which lack scores")


def _is_enough(scores: pl.DataFrame) -> bool:
    responses = scores.select(_RESPONSE).unique().group_by("prompt_id").len()["len"]
    return scores["reward_model"].n_unique() >= FEWEST and (responses >= FEWEST).sum() >= FEWEST


def _worst(missing: pl.DataFrame) -> str:
    counts = missing.group_by("reward_model").len().sort("len", "reward_model", descending=[True, False])
    name, most = counts.row(0)
    return f"most of {name}: {most}" if counts.height > 1 else f"all of {name}"


def _refusal(
    sheets: Sequence[Sheet], long: pl.DataFrame, scores: pl.DataFrame, missing: pl.DataFrame, how: str
) -> Exception:
    entry = missing.row(0, named=True)
    rows = long.filter(prompt_id=entry["prompt_id"], response_id=entry["response_id"])
    ways = {name: _without(name, scores, missing) for name in INCOMPLETE[:-1]}
    remedies = [f"--incomplete {name} (leaves out {way.what})" for name, way in ways.items() if _is_enough(way.scores)]
    few = "" if how == "refuse" else f", and {how} would leave fewer than two prompts with two responses"
    remedy = f", or import with {' or '.join(remedies)}" if remedies else ""
    return invalid(
        f"{at_row(sheets, rows)}, column score: response {shown(entry['response_id'])} of prompt "
        f"{shown(entry['prompt_id'])} has no score of reward model {shown(entry['reward_model'])} ({entry['reason']}), "
        f"{count(missing.height, 'score')} missing in all{few}; score them all{remedy}; if the file is cut off, get it "
        "again"
    )


def _listed(rows: pl.DataFrame, reason: str) -> pl.DataFrame:
    return rows.select(*KEY, reason=pl.lit(reason))
