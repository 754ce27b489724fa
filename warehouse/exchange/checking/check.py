"""What is read from the files → one study: every key once, every response scored by all, at least two to a prompt.

What has to be left out for that is counted and listed; a contradiction is an error. Prompts may have different numbers
of responses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import polars as pl

from warehouse.exchange.categories import CATEGORY_OF_SUBSET, DEFAULT_CATEGORY, DEFAULT_SUBSET
from warehouse.exchange.checking.incomplete import FEWEST, INCOMPLETE, whole_scores
from warehouse.exchange.checking.precision import check_precision
from warehouse.exchange.checking.repeats import KEY, without_repeats
from warehouse.exchange.checking.roles import labels, scorers
from warehouse.exchange.matching import line_about, matched
from warehouse.exchange.outcomes import outcome_rows, outcomes_line, smaller_is_better
from warehouse.exchange.scored_rows import Pieces
from warehouse.exchange.sheet import Sheet, at_row, gathered, invalid, shown, wrong_row
from warehouse.formats import count
from warehouse.schema import LABEL, OTHER

SPLITS = ("rm_test", "rl_test")
_RESPONSE = ("prompt_id", "response_id")
_PROMPT = ("category", "subset", "prompt", "split")


@dataclass(frozen=True)
class Choices:
    """How to import: what to do with incomplete scores, one of `INCOMPLETE`, and which scorers are the truth.

    `smaller_is_better` names outcomes, measured elsewhere, of which less is better.
    """

    incomplete: str = INCOMPLETE[0]
    golden: tuple[str, ...] = ()
    smaller_is_better: tuple[str, ...] = ()


@dataclass(frozen=True)
class Study:
    """What was scored, in the order of the files.

    `scores`: prompt_id, response_id, reward_model, score (32 bits). `responses`: prompt_id, response_id, sample, text.
    `prompts`: prompt_id, category, subset, text, split (null throughout: the same responses serve both).
    `scorers`: reward_model_id, kind, role. `pieces`: preferences, policy values and outcomes, without those of prompts
    that were left out. `left_out`: prompt_id, response_id, reward_model, reason, and in `left_out_line` what to say
    about it; `notes`: other lines to say.
    """

    scores: pl.DataFrame
    responses: pl.DataFrame
    prompts: pl.DataFrame
    scorers: pl.DataFrame
    pieces: Pieces
    has_categories: bool
    left_out: pl.DataFrame
    left_out_line: str
    notes: tuple[str, ...]


def study_of(sheets: Sequence[Sheet], pieces: Pieces, choices: Choices = Choices()) -> Study:
    """The study in these rows. Raises InvalidRows, naming file, row and column, for the first thing that is wrong.

    Raises UnknownName for a golden that is no scorer, InvalidChoice for an unknown way with incomplete scores.
    """
    pieces = replace(pieces, outcomes=smaller_is_better(pieces.outcomes, choices.smaller_is_better))
    rows = pieces.long
    if rows.is_empty():
        raise invalid(f"{sheets[0].name}: no scores in any file; give one with {[*KEY, 'score']}")
    if rows["reward_model"].null_count() == rows.height:
        raise invalid(
            f"{sheets[0].name}, column score: got prompts and responses without scores, nothing to measure yet; score "
            f"them and give, beside this file, one with {[*KEY, 'score']}, where response_id is "
            f"{rows['response_id'][0]!r} and so on"
        )
    once = without_repeats(rows, pieces.pairs)
    if once.long["reward_model"].null_count() == once.long.height:
        raise _all_repeated(sheets, rows)
    labelled = labels(sheets, once.long, once.pairs)
    long = pl.concat([once.long, labelled.rows]) if labelled.rows.height else once.long
    roles = scorers(sheets, long, choices.golden)
    responses = _described(sheets, long, _RESPONSE, ("response",))
    prompts = _described(sheets, long, ("prompt_id",), _PROMPT)
    _check_splits(sheets, long, prompts)
    whole = whole_scores(sheets, long, responses, choices.incomplete)
    known = responses if whole.scores.height == long.height else _of(responses, whole.scores)
    known, single = _with_enough_responses(known)
    prompts = prompts if known["prompt_id"].n_unique() == prompts.height else _of(prompts, known, ("prompt_id",))
    _check_counts(sheets, prompts)
    scores = whole.scores if single.is_empty() else _of(whole.scores, known)
    roles = roles.filter(pl.col("reward_model_id").is_in(scores["reward_model"].unique().implode()))
    _check_roles(sheets, roles, choices)
    rounded = check_precision(sheets, long, scores)
    given = pl.concat([responses["prompt_id"], once.left_out["prompt_id"]]).unique()
    said = [f"{count(single.height, 'prompt')} with only one response"] if single.height else []
    golden = roles.filter(pl.col("role") == "golden", pl.col("reward_model_id") != LABEL)
    truths = ", ".join(f"{name} ({kind})" for name, kind in golden.select("reward_model_id", "kind").iter_rows())
    return Study(
        scores=scores.with_columns(pl.col("score").cast(pl.Float32())),
        responses=known.select(
            *_RESPONSE, sample=pl.int_range(pl.len()).over("prompt_id"), text=pl.col("response").fill_null("")
        ),
        prompts=_with_categories(prompts).select(
            "prompt_id", "category", "subset", "split", text=pl.col("prompt").fill_null("")
        ),
        scorers=roles,
        pieces=_without_left_out(pieces, once.pairs, given.filter(~given.is_in(prompts["prompt_id"].implode())), known),
        has_categories=prompts["category"].null_count() + prompts["subset"].null_count() < 2 * prompts.height,
        left_out=pl.concat([once.left_out, whole.left_out, single]),
        left_out_line="; ".join(_not_empty((whole.line, *said))),
        notes=_not_empty(
            (
                *gathered([note for sheet in sheets for note in sheet.notes]),
                *pieces.notes,
                once.line,
                labelled.line,
                line_about(matched(pieces.preferences, _texts(prompts, "prompt"), _texts(known, "response"))),
                rounded,
                f"golden: {truths}; all others are proxies only" if truths else "",
                outcomes_line(outcome_rows(sheets, pieces.outcomes, roles["reward_model_id"].to_list())),
            )
        ),
    )


def _texts(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    return rows.with_columns(text=pl.col(column))


def _all_repeated(sheets: Sequence[Sheet], long: pl.DataFrame) -> Exception:
    """The error for files of which every response has several scores of a reward model."""
    again = long.filter(~pl.struct(KEY).is_first_distinct()).head(1)
    first = long.join(again, on=KEY, how="semi", nulls_equal=True, maintain_order="left")
    key = {name: again[name][0] for name in KEY if again[name][0] is not None}
    return invalid(
        f"{at_row(sheets, again)}, column response_id: got {key}, which {at_row(sheets, first)} has already, as for "
        "all responses; leave one file or row out, or give the reward model another name"
    )


def _not_empty(lines: Iterable[str]) -> tuple[str, ...]:
    return tuple(line for line in lines if line)


def _of(rows: pl.DataFrame, others: pl.DataFrame, key: tuple[str, ...] = _RESPONSE) -> pl.DataFrame:
    """Those rows whose key the others have."""
    return rows.join(others.select(key).unique(), on=key, how="semi", maintain_order="left")


def _without_left_out(pieces: Pieces, pairs: pl.DataFrame, gone: pl.Series, responses: pl.DataFrame) -> Pieces:
    """Pairs, preferences and policy values without those of `gone` prompts and of other than these responses.

    A preference stays as one between texts.
    """
    is_gone = pl.col("prompt_id").is_in(gone.implode()).fill_null(False)
    for side in ("chosen", "rejected"):
        of_side = responses.select("prompt_id", pl.col("response_id").alias(f"{side}_id"))
        pairs = pairs.join(of_side, on=of_side.columns, how="semi", maintain_order="left")
    return Pieces(
        pairs=pairs,
        preferences=pieces.preferences.with_columns(prompt_id=pl.when(~is_gone).then("prompt_id")),
        values=pieces.values.filter(~is_gone),
        outcomes=pieces.outcomes,
    )


def _described(
    sheets: Sequence[Sheet], long: pl.DataFrame, key: tuple[str, ...], columns: tuple[str, ...]
) -> pl.DataFrame:
    """A row for each key with its value in each column. Raises InvalidRows if a key has two values."""
    known = [name for name in columns if long[name].null_count() < long.height]
    given = [pl.col(name).drop_nulls() for name in known]
    described = long.select(*key, *known)
    distinct = described.filter(described.hash_rows().is_first_distinct())  # the same for most scorers
    values = distinct.group_by(key, maintain_order=True).agg(
        *(value.first() for value in given), *(value.n_unique().name.suffix(" values") for value in given)
    )
    for name in known:
        wrong = values.filter(pl.col(f"{name} values") > 1)
        if wrong.height:
            entry = wrong.row(0, named=True)
            same = long.filter(*(pl.col(column) == entry[column] for column in key))
            other, first = same.filter(pl.col(name) != entry[name]), same.filter(pl.col(name) == entry[name])
            named = ", ".join(f"{column} {shown(entry[column])}" for column in key)
            raise invalid(
                f"{at_row(sheets, other)}, column {name}: got {shown(other[name][0])} for {named}, which had "
                f"{shown(entry[name])} before, in {at_row(sheets, first)}; give it the same {name} everywhere"
            )
    absent = [pl.lit(None, dtype=pl.String()).alias(name) for name in columns if name not in known]
    return values.with_columns(absent).select(*key, *columns)


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


def _with_categories(prompts: pl.DataFrame) -> pl.DataFrame:
    """RewardBench's category for its subsets; prompts without a category go under one of their own."""
    plain = [pl.col(name).str.strip_chars().replace("", None) for name in ("category", "subset")]
    prompts = prompts.with_columns(plain)
    if prompts["category"].null_count() == prompts["subset"].null_count() == prompts.height:
        return prompts.with_columns(category=pl.lit(DEFAULT_CATEGORY), subset=pl.lit(DEFAULT_SUBSET))
    mapped = pl.col("subset").replace_strict(dict(CATEGORY_OF_SUBSET), default=None, return_dtype=pl.String())
    return prompts.with_columns(
        category=pl.coalesce("category", mapped, pl.lit(OTHER)),
        subset=pl.coalesce("subset", "category", pl.lit(DEFAULT_SUBSET)),
    )


def _with_enough_responses(responses: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Responses of prompts that have two or more, and those of other prompts as rows to list."""
    few = pl.len().over("prompt_id") < FEWEST
    single = responses.filter(few).select(
        *_RESPONSE, reward_model=pl.lit(None, dtype=pl.String()), reason=pl.lit("the only response to its prompt")
    )
    return responses if single.is_empty() else responses.filter(~few), single


def _check_roles(sheets: Sequence[Sheet], roles: pl.DataFrame, choices: Choices) -> None:
    for role, other in (("golden", "proxy"), ("proxy", "golden")):
        if set(roles["role"]) == {other}:
            raise invalid(
                f"{sheets[0].name}, column reward_model: got only {roles['reward_model_id'].to_list()} and no {role}; "
                f"change --golden {','.join(choices.golden)} or --incomplete {choices.incomplete}"
            )


def _check_counts(sheets: Sequence[Sheet], prompts: pl.DataFrame) -> None:
    for name in (None,) if prompts.is_empty() or prompts["split"].null_count() else SPLITS:
        part = prompts.filter(pl.col("split").eq_missing(pl.lit(name)))
        where = f" of split {name}" if name else ""
        if part.height < FEWEST:
            raise invalid(
                f"{sheets[0].name}, column {'split' if name else 'prompt_id'}: got {count(part.height, 'prompt')} "
                f"with two responses or more{where}; give two or more of them"
                + (f" in each of {list(SPLITS)}, or leave the column out" if name else "")
            )
