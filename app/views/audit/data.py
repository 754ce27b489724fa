"""What the Audit page shows: the audit of a run's test set, cached by build, and its tables."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from app.access import warehouse
from app.access.frames import floats
from app.access.pool import heavy
from app.access.warehouse import Snapshot
from app.state import Policies
from warehouse import reads
from warehouse.schema import INITIAL
from warehouse.study.audit.audit import Audit, audited, default_goldens
from warehouse.study.audit.items import FAULTS, RATE
from warehouse.study.audit.subsets import FEWEST_ITEMS
from warehouse.study.audit.table import item_rows, subset_rows

ALL_ITEMS = "All items"

MOST_DRAWN = 60
"""Subsets beyond which charts show the largest ones only."""

_SCHEMA: dict[str, type[pl.DataType]] = {
    "category": pl.String,
    "subset": pl.String,
    "items_needed": pl.Int64,
    "reliability_100": pl.Float64,
    "rank_correlation_with_rest": pl.Float64,
    **{
        f"{name}{end}": pl.Float64
        for name in ("accuracy", "reliability", "tau", "tau_difference")
        for end in ("", "_low", "_high")
    },
    **floats("p_predicts", "p_difference"),
}

prompt = warehouse.cached(reads.responses.prompt, entries=64)
_responses_to = warehouse.cached(reads.responses.responses_to, entries=64)
_scores_of = warehouse.cached(reads.responses.scores_of, entries=64)
outcomes = warehouse.cached(reads.outcomes.names, entries=8)
_strengths = warehouse.cached(reads.policies.strengths, entries=8)
_usual_strength = warehouse.cached(reads.policies.usual_strength, entries=8)
_texts = warehouse.cached(reads.responses.texts, entries=8, spinner="Reading the texts …")


def policies(snapshot: Snapshot, run_id: str) -> dict[str, Policies]:
    """Each optimiser's policies at their usual strength, best-of-n first; empty for a run without policies."""
    names = _strengths(snapshot, run_id)["optimizer"].unique().to_list()
    return {
        name: Policies(name, _usual_strength(snapshot, run_id, name))
        for name in sorted(names, key=lambda name: (name != "bon", name))
    }


def goldens(snapshot: Snapshot, run_id: str, chosen: tuple[str, ...]) -> tuple[str, ...]:
    """The chosen goldens, or those that an audit takes by itself."""
    return chosen or default_goldens(warehouse.score_cube(snapshot, run_id))


@heavy(16, "Auditing the test set …")
def audit(
    snapshot: Snapshot, run_id: str, goldens: tuple[str, ...], policies: Policies | None, outcome: str | None
) -> Audit:
    """The audit of the RM-test prompts with these goldens; subsets predict an outcome, or what these policies lose."""
    cube = warehouse.score_cube(snapshot, run_id).with_goldens(goldens)
    texts = _texts(snapshot, run_id, cube.prompts)
    if outcome is not None:
        with warehouse.cursor(snapshot) as connection:
            return audited(cube, texts=texts, outcome=reads.outcomes.outcome(connection, run_id, outcome))
    return audited(cube, None if policies is None else warehouse.policy_values(snapshot, run_id, policies), texts)


def subsets(audit: Audit) -> pl.DataFrame:
    """`table.subset_rows` of groups with enough items, with a `name` for each, `apart` and `predicts`."""
    frame = pl.DataFrame(subset_rows(audit), schema_overrides=_SCHEMA, infer_schema_length=None)
    shown = frame.filter((pl.col("used") >= FEWEST_ITEMS) | pl.col("category").is_null())
    return shown.select(
        pl.coalesce(
            pl.when(pl.col("subset").is_not_null()).then(pl.format("{} / {}", "category", "subset")),
            pl.col("category"),
            pl.lit(ALL_ITEMS),
        ).alias("name"),
        pl.all(),
        apart=pl.format("{} of {}", "pairs_apart", "pairs"),
        predicts=((pl.col("p_predicts") < RATE) & (pl.col("tau") > 0)).fill_null(value=False),
    )


def drawn(subsets: pl.DataFrame) -> pl.DataFrame:
    """The subsets that charts have room for: the largest, in the order of the table."""
    return (
        subsets
        if subsets.height <= MOST_DRAWN
        else subsets[subsets["used"].arg_sort(descending=True)[:MOST_DRAWN].sort()]
    )


def accuracies(audit: Audit, subsets: pl.DataFrame) -> pl.DataFrame:
    """`name, reward_model, accuracy, mean` of each reward model on each of these subsets."""
    rows = []
    known = {(row["category"], row["subset"]): row["name"] for row in subsets.iter_rows(named=True)}
    for of in audit.subsets:
        name = known.get((of.group.category, of.group.subset))
        if name is not None and of.used:
            mean = float(of.accuracy_M.mean())
            rows += [
                {"name": name, "reward_model": model, "accuracy": float(value), "mean": mean}
                for model, value in zip(audit.right.reward_models, of.accuracy_M, strict=True)
            ]
    schema = {"name": pl.String, "reward_model": pl.String, "accuracy": pl.Float64, "mean": pl.Float64}
    return pl.DataFrame(rows, schema=schema)


def items(audit: Audit) -> pl.DataFrame:
    """`table.item_rows`: the worst first."""
    numbers = floats("accuracy", "item_rest", "q_contrary", "p_suspect", "q_suspect", "ties")
    names = {"repeats": pl.String, "same": pl.String, "against": pl.Int64, "judges": pl.Int64}
    return pl.DataFrame(item_rows(audit), schema_overrides={**numbers, **names}, infer_schema_length=None)


def reasons(audit: Audit) -> dict[str, int]:
    """How many items each reason names, the most urgent first; those that name none are left out."""
    return {name: count for name, flagged in audit.flags.items() if (count := int(flagged.sum()))}


def listed(items: pl.DataFrame, reasons: Sequence[str], categories: Sequence[str]) -> pl.DataFrame:
    """The items with any of these reasons (none: any fault), of these categories (none: all)."""
    has_one = pl.col("reasons").str.split(", ").list.set_intersection(list(reasons or FAULTS)).list.len() > 0
    return items.filter(has_one, pl.lit(not categories) | pl.col("category").is_in(list(categories)))


def responses(snapshot: Snapshot, run_id: str, prompt_id: str, audit: Audit) -> pl.DataFrame:
    """The responses to an item: `sample, text, golden, best_of`.

    `golden` is the mean score of the goldens where these are fixed, else null; `best_of` how many of the reward models
    that are judged like it best, ties with all that they tie.
    """
    texts = _responses_to(snapshot, run_id, prompt_id, INITIAL).select("sample", "text")
    scores = _scores_of(snapshot, run_id, prompt_id, INITIAL)
    judged = pl.col("reward_model_id").is_in(list(audit.right.reward_models))
    best = (
        scores.filter(judged)
        .filter(pl.col("score") == pl.col("score").max().over("reward_model_id"))
        .group_by("sample")
        .agg(best_of=pl.len())
    )
    named = audit.right.golden_names if audit.right.fixed else ()
    golden = (
        scores.filter(pl.col("reward_model_id").is_in(list(named)))
        .group_by("sample")
        .agg(golden=pl.col("score").mean())
    )
    return (
        texts.join(golden, on="sample", how="left", maintain_order="left")
        .join(best, on="sample", how="left", maintain_order="left")
        .with_columns(pl.col("best_of").fill_null(0))
    )
