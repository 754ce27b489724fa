"""Whether the pieces make a whole study: no key twice, every response scored by all, as many responses everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from warehouse.exchange.categories import CATEGORY_OF_SUBSET, DEFAULT_CATEGORY, DEFAULT_SUBSET, HOW_TO_GIVE
from warehouse.exchange.sheet import Sheet, at_row, invalid, shown, wrong_row
from warehouse.ingest import repeated
from warehouse.schema import CATEGORIES

SPLITS = ("rm_test", "rl_test")
_KEY = ("prompt_id", "response_id", "reward_model")
_PROMPT = ("category", "subset", "prompt", "split")


@dataclass(frozen=True)
class Study:
    """What was scored, in the order of the files.

    `scores`: prompt_id, response_id, reward_model, score. `responses`: prompt_id, response_id, sample, text.
    `prompts`: prompt_id, category, subset, text, split (null throughout: the same responses serve both).
    """

    scores: pl.DataFrame
    responses: pl.DataFrame
    prompts: pl.DataFrame
    has_categories: bool


def check(sheets: Sequence[Sheet], long: pl.DataFrame) -> Study:
    """The study in these rows. Raises InvalidRows, naming file, row and column, for the first thing that is wrong."""
    if long.is_empty():
        raise invalid(f"{sheets[0].name}: no scores in any file; give one with {[*_KEY, 'score']}")
    if long["score"].null_count() == long.height:
        raise invalid(
            f"{sheets[0].name}, column score: got prompts and responses without scores, nothing to measure yet; score "
            f"them and give, beside this file, one with {[*_KEY, 'score']}, where response_id is "
            f"{long['response_id'][0]!r} and so on"
        )
    _check_keys(sheets, long)
    responses = _described(sheets, long, ("prompt_id", "response_id"), ("response",))
    prompts = _described(sheets, long, ("prompt_id",), _PROMPT)
    _check_splits(sheets, long, prompts)
    described = _with_categories(sheets, long, prompts)
    scores = long.filter(pl.col("score").is_finite()).select(*_KEY, pl.col("score").cast(pl.Float32()))
    _check_whole(sheets, long, scores, responses)
    _check_counts(sheets, long, responses, prompts)
    return Study(
        scores,
        responses.select(
            "prompt_id",
            "response_id",
            sample=pl.int_range(pl.len()).over("prompt_id"),
            text=pl.col("response").fill_null(""),
        ),
        described.select("prompt_id", "category", "subset", "split", text=pl.col("prompt").fill_null("")),
        has_categories=prompts["category"].null_count() + prompts["subset"].null_count() < 2 * prompts.height,
    )


def _check_keys(sheets: Sequence[Sheet], long: pl.DataFrame) -> None:
    rows = repeated(long, _KEY)
    if rows.height:
        again = rows.filter(~pl.struct(_KEY).is_first_distinct())
        first = rows.join(again.head(1), on=_KEY, how="semi", nulls_equal=True, maintain_order="left")
        key = {name: again[name][0] for name in _KEY if again[name][0] is not None}
        known = f"got {key}, which {at_row(sheets, first)} has already"
        raise invalid(f"{at_row(sheets, again)}, column response_id: {known}; leave one out")


def _described(
    sheets: Sequence[Sheet], long: pl.DataFrame, key: tuple[str, ...], columns: tuple[str, ...]
) -> pl.DataFrame:
    """A row for each key with its value in each column. Raises InvalidRows if a key has two values."""
    given = [pl.col(name).drop_nulls() for name in columns]
    values = long.group_by(key, maintain_order=True).agg(
        *(value.first() for value in given), *(value.n_unique().name.suffix(" values") for value in given)
    )
    for name in columns:
        wrong = values.filter(pl.col(f"{name} values") > 1)
        if wrong.height:
            entry = wrong.row(0, named=True)
            other = long.filter(*(pl.col(column) == entry[column] for column in key), pl.col(name) != entry[name])
            named = ", ".join(f"{column} {shown(entry[column])}" for column in key)
            raise invalid(
                f"{at_row(sheets, other)}, column {name}: got {shown(other[name][0])} for "
                f"{named}, which had {shown(entry[name])} before; give it the same {name} everywhere"
            )
    return values.select(*key, *columns)


def _check_splits(sheets: Sequence[Sheet], long: pl.DataFrame, prompts: pl.DataFrame) -> None:
    if prompts["split"].null_count() == prompts.height:
        return
    wrong = long.filter(~pl.col("split").is_in(SPLITS))
    if wrong.height:
        raise wrong_row(sheets, wrong, "split", wrong["split"][0], f"wanted one of {list(SPLITS)}")
    without = prompts.filter(pl.col("split").is_null())
    if without.height:
        rows = long.filter(prompt_id=without["prompt_id"][0])
        raise wrong_row(sheets, rows, "split", got=None, remedy="give every prompt a split, or none of them")


def _with_categories(sheets: Sequence[Sheet], long: pl.DataFrame, prompts: pl.DataFrame) -> pl.DataFrame:
    if prompts["category"].null_count() == prompts["subset"].null_count() == prompts.height:
        return prompts.with_columns(category=pl.lit(DEFAULT_CATEGORY), subset=pl.lit(DEFAULT_SUBSET))
    mapped = pl.col("subset").replace_strict(dict(CATEGORY_OF_SUBSET), default=None, return_dtype=pl.String())
    described = prompts.with_columns(category=pl.coalesce("category", mapped), subset=pl.coalesce("subset", "category"))
    wrong = described.filter(~pl.col("category").is_in(CATEGORIES).fill_null(False))
    if wrong.height:
        entry = wrong.row(0, named=True)
        column = "subset" if entry["category"] is None and entry["subset"] is not None else "category"
        rows = long.filter(prompt_id=entry["prompt_id"])
        raise wrong_row(sheets, rows, column, entry[column], HOW_TO_GIVE)
    return described


def _check_whole(sheets: Sequence[Sheet], long: pl.DataFrame, scores: pl.DataFrame, responses: pl.DataFrame) -> None:
    models = scores["reward_model"].unique().sort()
    if len(models) < 2:
        raise invalid(
            f"{sheets[0].name}, column reward_model: got only {models.to_list()}; each reward model is judged by the "
            "others: give two or more, also in several files"
        )
    if scores.height == responses.height * len(models):
        return
    every = responses.select("prompt_id", "response_id").join(models.to_frame(), how="cross")
    missing = every.join(scores, on=_KEY, how="anti", maintain_order="left")
    entry = missing.row(0, named=True)
    rows = long.filter(prompt_id=entry["prompt_id"], response_id=entry["response_id"])
    raise invalid(
        f"{at_row(sheets, rows)}, column score: response {shown(entry['response_id'])} of prompt "
        f"{shown(entry['prompt_id'])} has no score of reward model {shown(entry['reward_model'])}, {missing.height} "
        "are missing in all; score it or leave the response out, and if the file is cut off, get it again"
    )


def _check_counts(sheets: Sequence[Sheet], long: pl.DataFrame, responses: pl.DataFrame, prompts: pl.DataFrame) -> None:
    counts = responses.group_by("prompt_id", maintain_order=True).len("responses")
    counts = counts.join(prompts.select("prompt_id", "split"), on="prompt_id", how="left", maintain_order="left")
    for name in (None,) if prompts["split"].null_count() else SPLITS:
        part = counts.filter(pl.col("split").eq_missing(pl.lit(name)))
        where = f" of split {name}" if name else ""
        if part.height < 2:
            raise invalid(
                f"{sheets[0].name}, column {'split' if name else 'prompt_id'}: got {part.height} prompts{where}; give "
                "two or more" + (f" in each of {list(SPLITS)}, or leave the column out" if name else "")
            )
        usual = part["responses"].mode(maintain_order=True).sort()[-1]
        odd = part.filter(pl.col("responses") != usual)
        if odd.height:
            prompt_id, count, _ = odd.row(0)
            rows = long.filter(prompt_id=prompt_id)
            raise invalid(
                f"{at_row(sheets, rows)}, column response_id: prompt {shown(prompt_id)} has "
                f"{count} responses, other prompts{where} have {usual}; give each prompt the same number"
            )
        if usual < 2:
            raise invalid(
                f"{sheets[0].name}, column response_id: got 1 response for each prompt{where}; give two or more"
            )
