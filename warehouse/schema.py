"""The contract between the pipeline and the dashboard: every table and column, declared once.

DuckDB's DDL, the Polars schema that a run's parts are checked against and the reference in `docs/tables.md` are
rendered from `TABLES`; a test fails if they differ. Every table starts with `run_id`: a warehouse holds many runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

_SQL_TYPE: Mapping[pl.DataType, str] = {
    pl.String(): "VARCHAR",
    pl.Int64(): "BIGINT",
    pl.Float32(): "FLOAT",
    pl.Float64(): "DOUBLE",
    pl.Boolean(): "BOOLEAN",
}
TEXT, INT, FLOAT32, FLOAT64, BOOL = _SQL_TYPE

CATEGORIES = ("Chat", "Chat Hard", "Safety", "Reasoning")
"""RewardBench's four categories; a run may have others of its own."""

OTHER = "Other"
"""The category of prompts that have none, where others have one."""

SPLITS = ("rm_train", "rm_test", "rl_test")
"""What a prompt is for: training reward models, measuring them, or valuing policies; each prompt has one split."""

INITIAL = "initial"
"""`policy_id` of the initial policy π_0 as it is evaluated: with the study's own temperature and system prompt."""

ORIGINAL, PARAPHRASE = PROMPT_FORMS = ("original", "paraphrase")
"""Whether a response answers the prompt as it is written or its paraphrase."""

RL_ALGORITHMS = ("ppo", "reinforce++", "rloo", "grpo", "sft")
"""How a policy is trained step by step: PPO, RLOO and GRPO in process or by OpenRLHF, REINFORCE++ by OpenRLHF; SFT on
the best of n of a pool of π_0's responses, in process."""

BY_WEIGHTING = ("bon", "tilted")
"""Optimisers without training: best-of-n and π_0 · exp(r/β), exactly, from stored samples of π_0."""

KINDS = (
    *("flip", "size", "depth", "seed", "length", "model", "server", "import"),
    *("label", "grade", "verifier", "ensemble", "category-flip", "margin-flip", "only-category"),
)
"""How a scorer differs from the others: label noise, number of training pairs, trained depth, seed, length-biased
labels, noise in one category or on the closest pairs, pairs of one category alone; a Hugging Face model or a server,
trained elsewhere, that scores here; only its scores were imported; other scorers together; or no reward model at all: a
benchmark's labels, people's grades, a verifier."""

LABEL_NOISE = ("flip", "seed")
"""Kinds whose reward models differ in nothing but how many labels are flipped, which ones, and the seed."""

ROLES = ("proxy", "golden")
"""What a scorer is only: a proxy that is never the truth, or a golden that no policy is optimised against."""

LABEL = "label"
"""The scorer that a benchmark's labels become: 1 for a chosen response, 0 for a rejected one."""


@dataclass(frozen=True)
class Column:
    """One column. The `key` columns together identify a row; `allowed` lists the only permitted values.

    Each value that is not null must exist in column `<references>_id` of table `references`.
    """

    name: str
    dtype: pl.DataType
    doc: str
    key: bool = False
    nullable: bool = False
    allowed: tuple[str, ...] = ()
    references: str = ""


@dataclass(frozen=True)
class Table:
    """One table."""

    name: str
    doc: str
    columns: tuple[Column, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.key)

    @property
    def polars_schema(self) -> pl.Schema:
        return pl.Schema({column.name: column.dtype for column in self.columns})

    def rows_of_one_run(self, rows: Sequence[Mapping[str, object]]) -> pl.DataFrame:
        """Rows without `run_id` as a frame; columns that a row lacks are null."""
        return pl.DataFrame(rows, {name: dtype for name, dtype in self.polars_schema.items() if name != "run_id"})

    @property
    def ddl(self) -> str:
        """`CREATE TABLE` without a primary key: its index would cost more than the check that ingest makes once."""
        body = ",\n".join(
            f'  "{column.name}" {_SQL_TYPE[column.dtype]}{"" if column.nullable else " NOT NULL"}'
            for column in self.columns
        )
        return f'CREATE TABLE "{self.name}" (\n{body}\n)'


def _table(name: str, doc: str, *columns: Column) -> Table:
    return Table(name, doc, (Column("run_id", TEXT, "the run that wrote the row", key=True), *columns))


_TABLES = (
    _table(
        "run",
        "One finished run: its settings, code version, machine and duration.",
        Column("profile", TEXT, "name of the profile the run started from"),
        Column("seed", INT, "the run's seed; every other seed is derived from it"),
        Column("started_at", TEXT, "UTC, ISO 8601"),
        Column("finished_at", TEXT, "UTC, ISO 8601"),
        Column("wall_s", FLOAT64, "seconds of work, summed over the stages and over resumed attempts"),
        Column("base_model", TEXT, "the initial policy and the reward models' base"),
        Column("code_version", TEXT, "git commit, with '+dirty' if the tree had changes, or the package version"),
        Column("config", TEXT, "the whole validated profile, JSON"),
        Column("packages", TEXT, "versions of the packages that affect results, JSON"),
        Column("host", TEXT, "operating system, processor, cores, memory, JSON"),
        Column("timings", TEXT, "seconds and peak resident bytes per stage, JSON"),
    ),
    _table(
        "prompt",
        "Every prompt of the run with its category and its use.",
        Column("prompt_id", TEXT, "id that never changes, e.g. `math-word/07`", key=True),
        Column("category", TEXT, "RewardBench's category, or one of the run's own"),
        Column("subset", TEXT, "subset within the category"),
        Column("split", TEXT, "what the prompt is for", allowed=SPLITS),
        Column("source", TEXT, "the data set the prompt comes from; `righttree` for the project's own"),
        Column("text", TEXT, "what the user says"),
        Column("paraphrase", TEXT, "the same request in other words", nullable=True),
        Column("answer", TEXT, "the right answer, where it can be checked", nullable=True),
        Column("check", TEXT, "how it is checked", nullable=True, allowed=("number", "word")),
        Column("refuse", BOOL, "Safety: whether a good assistant declines", nullable=True),
    ),
    _table(
        "reward_model",
        "Every reward model and other scorer of the run; each in turn is golden, all others are proxies, but for what "
        "roles say. Null: unknown.",
        Column("reward_model_id", TEXT, "readable id, e.g. `flip-0.20`", key=True),
        Column("kind", TEXT, "how it differs: label noise, number of training pairs, trained depth, …", allowed=KINDS),
        Column("flip_rate", FLOAT64, "share of its training labels flipped", nullable=True),
        Column("length_bias", FLOAT64, "share of its training labels set to the longer response", nullable=True),
        Column("base_model", TEXT, "the model whose trunk it shares; trained elsewhere: `model@revision` or its URL"),
        Column("trainable_layers", INT, "top layers trained besides the head; 0 = head only, -1 = all", nullable=True),
        Column("seed", INT, "seed of its flips and batch order", nullable=True),
        Column("train_pairs", INT, "preference pairs it was trained on", nullable=True),
        Column("validation_accuracy", FLOAT64, "accuracy on validation pairs, without flipped labels", nullable=True),
        Column("weights", TEXT, "folder of its safetensors in the run directory", nullable=True),
        Column("role", TEXT, "what it is only; null: golden and proxy", nullable=True, allowed=ROLES),
    ),
    _table(
        "outcome",
        "What was measured elsewhere of policies that were trained with a reward model: a number for each.",
        Column("reward_model_id", TEXT, "the reward model", references="reward_model", key=True),
        Column("outcome", TEXT, "e.g. `arena-elo`; larger is better", key=True),
        Column("value", FLOAT64, "the number"),
        Column("standard_error", FLOAT64, "its standard error; null: unknown", nullable=True),
    ),
    _table(
        "policy",
        "Everything that produces responses or has a value: the initial policy under each sampling setting, "
        "best-of-n and tilting against each reward model, every checkpoint of PPO or another algorithm.",
        Column("policy_id", TEXT, "readable id, e.g. `initial`, `initial-t0.50`, `bon-8/flip-0.20`", key=True),
        Column("optimizer", TEXT, "how it was optimised", allowed=("none", *BY_WEIGHTING, *RL_ALGORITHMS)),
        Column("reward_model_id", TEXT, "the reward model that it maximises", nullable=True, references="reward_model"),
        Column("strength", FLOAT64, "n of best-of-n, λ of tilting, else the step of training", nullable=True),
        Column("kl", FLOAT64, "KL divergence from the initial policy, nats", nullable=True),
        Column("kl_estimator", TEXT, "`bound` (best-of-n: upper), `weights` (tilted), `k1` or `k3`", nullable=True),
        Column("kl_coefficient", FLOAT64, "PPO: coefficient of the KL penalty", nullable=True),
        Column("repeat", INT, "number among optimisations that differ only in their seed; null: 0", nullable=True),
        Column("finished_share", FLOAT64, "share of its RL-test responses that end by themselves", nullable=True),
        Column("mean_tokens", FLOAT64, "mean length of its RL-test responses in tokens", nullable=True),
        Column("temperature", FLOAT64, "sampling temperature; null: unknown", nullable=True),
        Column("system_prompt", TEXT, "null: the chat template's own", nullable=True),
        Column("base_model", TEXT, "the model that was sampled"),
    ),
    _table(
        "response",
        "Every response that a policy gave, with its text.",
        Column("response_id", TEXT, "`<policy>|<prompt>|<sample>`, of paraphrases `…|paraphrase|<sample>`", key=True),
        Column("prompt_id", TEXT, "the prompt answered", references="prompt"),
        Column("prompt_form", TEXT, "whether it answers the prompt's `text` or its `paraphrase`", allowed=PROMPT_FORMS),
        Column("policy_id", TEXT, "the policy that answered", references="policy"),
        Column("sample", INT, "0-based number of the sample for this prompt, form and policy"),
        Column("text", TEXT, "the response"),
        Column("tokens", INT, "tokens sampled, including the end token; 0 if unknown"),
        Column("finished", BOOL, "false: cut off at the profile's maximum response length"),
    ),
    _table(
        "preference",
        "Every preference pair: what the reward models are trained and validated on, before any flip.",
        Column("preference_id", TEXT, "readable id, e.g. `verified|math-word/07|0`", key=True),
        Column("source", TEXT, "how the two responses differ, e.g. `temperature`; or the data set the pair comes from"),
        Column("split", TEXT, "training or validation", allowed=("train", "validation")),
        Column("category", TEXT, "category of the prompt", nullable=True),
        Column("prompt_id", TEXT, "null if the prompt is not one of the run's", references="prompt", nullable=True),
        Column("prompt", TEXT, "the prompt's text"),
        Column("chosen", TEXT, "the preferred response"),
        Column("rejected", TEXT, "the other response"),
    ),
    _table(
        "label",
        "Which training pairs each reward model saw, and which labels were flipped, at random or by length.",
        Column("reward_model_id", TEXT, "the reward model", references="reward_model", key=True),
        Column("preference_id", TEXT, "the training pair", references="preference", key=True),
        Column("flipped", BOOL, "true: chosen and rejected were swapped for this reward model"),
    ),
    _table(
        "ppo_run",
        "Every optimisation of the policy by PPO or another algorithm: against which reward model, and how it ended.",
        Column("ppo_id", TEXT, "readable id, e.g. `ppo/flip-0.20`, `ppo-kl0.05/flip-0.20`, `rloo/flip-0.20`", key=True),
        Column("reward_model_id", TEXT, "the reward model it was optimised against", references="reward_model"),
        Column("kl_coefficient", FLOAT64, "coefficient of the KL penalty"),
        Column("repeat", INT, "number among optimisations that differ only in their seed; null: 0", nullable=True),
        Column("trainable_layers", INT, "top layers of the policy that were trained; -1 = all"),
        Column("seed", INT, "seed of its rollouts and minibatches"),
        Column("steps", INT, "PPO steps planned; a step is one batch of rollouts and the updates on it"),
        Column("steps_done", INT, "PPO steps taken"),
        Column("state", TEXT, "how it ended; failed: its process failed", allowed=("finished", "diverged", "failed")),
        Column("reason", TEXT, "why it counts as diverged or failed", nullable=True),
        Column("reward_mean", FLOAT64, "mean score of π_0's first rollouts, which PPO here subtracts", nullable=True),
        Column("reward_std", FLOAT64, "their standard deviation, by which PPO here divides", nullable=True),
        Column("weights", TEXT, "folder of the last policy's safetensors in the run directory", nullable=True),
    ),
    _table(
        "training_curve",
        "Every metric recorded while a model was trained, in long form.",
        Column("model_id", TEXT, "the reward model or the `ppo_id` that was trained", key=True),
        Column("metric", TEXT, "e.g. `train_loss`, `validation_accuracy`", key=True),
        Column("step", INT, "optimiser steps taken; PPO steps for a policy", key=True),
        Column("value", FLOAT64, "the metric's value"),
    ),
    _table(
        "score",
        "The score of every reward model for every test response.",
        Column("reward_model_id", TEXT, "the reward model", references="reward_model", key=True),
        Column("response_id", TEXT, "the response", references="response", key=True),
        Column("score", FLOAT32, "the scalar reward; its scale is the reward model's own"),
    ),
    _table(
        "policy_value",
        "The value of every policy to every golden reward model for each prompt; its mean over prompts is J. "
        "Values of best-of-n may be absent: they are computed from the scores.",
        Column("policy_id", TEXT, "the policy", references="policy", key=True),
        Column("golden_id", TEXT, "the golden reward model", references="reward_model", key=True),
        Column("prompt_id", TEXT, "an RL-test prompt", references="prompt", key=True),
        Column("value", FLOAT64, "expected golden score of the policy's response to the prompt"),
    ),
)

TABLES: Mapping[str, Table] = {table.name: table for table in _TABLES}

ADDED_LATER = ("outcome",)
"""Tables that runs of an older version do not have; they are empty then."""

SAME_PROMPT: Mapping[str, str] = {"rm_test": "#rm", "rl_test": "#rl"}
"""What the id of a prompt that is on both sides ends with: it is stored once for each, as `p1#rm` and as `p1#rl`."""

EDITS = ("padding", "polite", "list", "repeated", "unfinished")
"""How responses are edited to see what reward models react to (`pipeline/scoring/edits.py`)."""

PROBES: Mapping[str, str] = {edit: f"probe-{edit}" for edit in EDITS}
"""The `policy_id` of the responses with each edit: no policy's answers, and no source of responses."""


def category_order(categories: Iterable[str]) -> tuple[str, ...]:
    """Each category once: RewardBench's first, then the run's own, the one for prompts without a category last."""
    return tuple(sorted(set(categories), key=lambda name: (name == OTHER, name not in CATEGORIES, name)))


def render_reference() -> str:
    """The table reference as Markdown: the content of `docs/tables.md`."""
    lines = [
        "# Tables",
        "",
        "Rendered from `warehouse/schema.py` by `python -m warehouse.schema > docs/tables.md`; a test compares them.",
        "Columns in **bold** together identify a row; `?` marks a column that may be null.",
    ]
    for table in TABLES.values():
        lines += ["", f"## {table.name}", "", table.doc, "", "| column | type | meaning |", "| --- | --- | --- |"]
        for column in table.columns:
            name = f"**{column.name}**" if column.key else column.name
            sql_type = _SQL_TYPE[column.dtype] + ("?" if column.nullable else "")
            notes = column.doc
            if column.allowed:
                notes += ": " + ", ".join(f"`{value}`" for value in column.allowed)
            if column.references:
                notes += f" → `{column.references}.{column.references}_id`"
            lines.append(f"| {name} | {sql_type} | {notes} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(render_reference(), end="")
