"""What the Reward models page shows: how each model was trained and what its scores say, and the tables of both.

Results are cached by the build they are read from, as in `access`. Undefined figures are null in every table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl
import streamlit as st
from numpy.typing import NDArray

from app.access import frames, warehouse
from app.access.pool import heavy
from app.access.warehouse import Snapshot
from app.report import page as report
from warehouse import reads
from warehouse.errors import InvalidChoice
from warehouse.metrics.calibration import Reliability, reliability
from warehouse.metrics.catalogue import optimizer_words
from warehouse.metrics.cube import ScoreCube
from warehouse.metrics.model_scores import (
    Agreement,
    ModelEstimates,
    agreement,
    length_correlations,
    reward_variances,
    score_shares,
)
from warehouse.metrics.test_set import prompts_in
from warehouse.reads.two_models import compared_strength, policy_draws
from warehouse.stats.bootstrap import NOTHING, Estimate, wilson_interval
from warehouse.study import PromptValues, prepare
from warehouse.study.choice.worth import sides_of
from warehouse.study.power import Draws, Resolution, resolution
from warehouse.study.two_models import measure_draws

ADDED = ("model", "server")
"""Kinds of those that were trained elsewhere and scored here."""

_LEAST_SHOWN, _GREATEST_SHOWN = 0.005, 0.2
"""Differences for which prompts are drawn."""

_TRAINED = ("kind", "flip_rate", "length_bias", "train_pairs", "trainable_layers", "seed", "validation_accuracy")


@dataclass(frozen=True)
class ScoreSummary:
    """What the scores of all reward models on some RM-test prompts say; the order is the run's.

    `lengths`: the correlation with length in `length_unit`; None if the responses' lengths are unknown.
    `shares_MB`: share of each reward model's responses by bin of standardised score; `edges`: the `[B + 1]` bin edges.
    """

    cube: ScoreCube
    variances: ModelEstimates
    lengths: ModelEstimates | None
    length_unit: str
    agreement: Agreement
    shares_MB: NDArray[np.float64]
    edges: NDArray[np.float64]


training_curves = warehouse.cached(reads.runs.training_curves)
flipped_pairs = warehouse.cached(reads.runs.flipped_pairs)
validation_pairs = warehouse.cached(reads.runs.validation_pairs)
_response_lengths = warehouse.cached(reads.responses.response_lengths, entries=4)


@heavy(16, "Measuring the reward models …")
def score_summary(snapshot: Snapshot, run_id: str, categories: tuple[str, ...]) -> ScoreSummary:
    """Summary of the scores on the RM-test prompts of these categories (none: all)."""
    whole = warehouse.score_cube(snapshot, run_id)
    chosen = prompts_in(whole, "RM-test", categories=categories or None)
    cube = whole.of_prompts(chosen)
    shares_MB, edges = score_shares(cube)
    lengths = _response_lengths(snapshot, run_id, "rm_test")
    return ScoreSummary(
        cube=cube,
        variances=reward_variances(cube),
        lengths=None if lengths is None else length_correlations(cube, lengths.values[chosen]),
        length_unit="" if lengths is None else lengths.unit,
        agreement=agreement(_accuracy(snapshot, run_id), chosen),
        shares_MB=shares_MB,
        edges=edges,
    )


@st.cache_resource(max_entries=64, show_spinner=False)
def reliability_of(
    snapshot: Snapshot, run_id: str, categories: tuple[str, ...], golden: str, proxy: str
) -> Reliability:
    """The proxy's confidence against how often it agrees with the golden's order."""
    return reliability(score_summary(snapshot, run_id, categories).cube, golden, proxy)


@dataclass(frozen=True)
class Compared:
    """Two reward models in one figure: its title, on which prompts, what each has several of, and the result."""

    title: str
    prompts: str
    repeated: str
    result: Resolution


@dataclass(frozen=True)
class Comparison:
    """The figures in which two reward models are compared, and why others are missing."""

    figures: tuple[Compared, ...]
    missing: tuple[str, ...]


@heavy(64, "Comparing the two reward models …")
def comparison(snapshot: Snapshot, run_id: str, categories: tuple[str, ...], first: str, second: str) -> Comparison:
    """Their accuracy on the RM-test prompts of these categories, and the NDR of each optimiser on all RL-test prompts.

    Averaged over all other reward models as golden; what cannot be compared is named in `missing`.
    """
    cube = score_summary(snapshot, run_id, categories).cube
    samples = partial(warehouse.rl_scores, snapshot, run_id)
    figures: list[Compared] = []
    missing: list[str] = []

    def add(title: str, prompts: str, repeated: str, draws: Callable[[], Draws]) -> None:
        try:
            figures.append(Compared(title, prompts, repeated, resolution(draws())))
        except InvalidChoice as error:
            missing.append(f"{title}: {error}")

    add("Accuracy", "RM-test", "response", partial(measure_draws, cube, first, second))
    with warehouse.cursor(snapshot) as connection:
        for optimizer in reads.policies.strengths(connection, run_id)["optimizer"].unique().sort():
            strength = compared_strength(connection, run_id, optimizer)
            read = partial(policy_draws, connection, run_id, first, second, optimizer=optimizer, strength=strength)
            title = f"NDR, {optimizer_words(optimizer).at.format(f'{strength:g}')}"
            add(title, "RL-test", "sample" if optimizer == "bon" else "response", partial(read, samples=samples))
    return Comparison(tuple(figures), tuple(missing))


def prompts_needed(compared: Compared) -> pl.DataFrame:
    """Prompts by difference and by responses per prompt: `figure, responses, difference, prompts`."""
    least = compared.result.detectable() or 0.0
    differences = np.geomspace(_LEAST_SHOWN, max(_GREATEST_SHOWN, 1.5 * least), 24).tolist()
    rows = [{"figure": compared.title, **need._asdict()} for need in compared.result.needed(differences)]
    schema = {"figure": pl.String, "responses": pl.Int64, "difference": pl.Float64, "prompts": pl.Int64}
    return pl.DataFrame(rows, schema=schema)


@st.cache_resource(max_entries=4, show_spinner=False)
def _accuracy(snapshot: Snapshot, run_id: str) -> PromptValues:
    return prepare(warehouse.score_cube(snapshot, run_id), "accuracy")


def trained(snapshot: Snapshot, run_id: str) -> pl.DataFrame:
    """One row per reward model: how it was trained, and its validation accuracy with Wilson's interval.

    `flipped_pairs` is null where the labels were not stored, the interval where the validation pairs were not; for a
    reward model of an imported run, everything but name and kind.
    """
    models = warehouse.reward_models(snapshot, run_id)
    flipped = flipped_pairs(snapshot, run_id)
    pairs = validation_pairs(snapshot, run_id)
    intervals = [
        (None, None) if share is None or not pairs else wilson_interval(round(share * pairs), pairs)
        for share in models["validation_accuracy"]
    ]
    return (
        models.select("reward_model_id", *(name for name in _TRAINED if name in models.columns))
        .with_columns(
            pl.Series("validation_low", [low for low, _ in intervals], dtype=pl.Float64),
            pl.Series("validation_high", [high for _, high in intervals], dtype=pl.Float64),
        )
        .join(flipped.select("reward_model_id", flipped_pairs="flipped"), on="reward_model_id", how="left")
        .rename({"reward_model_id": "reward_model"})
    )


def matching(reward_models: pl.DataFrame, search: str, kinds: Sequence[str]) -> list[str]:
    """Ids of those whose name or kind has the text, in any case, of these kinds (none: of all)."""
    text = pl.concat_str("reward_model_id", pl.lit(" "), "kind").str.to_lowercase()
    of_kind = pl.col("kind").is_in(kinds) if kinds else pl.lit(value=True)
    return reward_models.filter(text.str.contains(search.lower(), literal=True), of_kind)["reward_model_id"].to_list()


def of_each(names: Sequence[str], result: ModelEstimates, reward_models: pl.DataFrame) -> pl.DataFrame:
    """A figure of each reward model: `reward_model, kind, flip_rate, value, low, high, undefined_prompts`."""
    return (
        estimates(names, result.estimates)
        .with_columns(pl.Series("undefined_prompts", result.undefined, dtype=pl.Int64))
        .join(_kinds(reward_models), on="reward_model", maintain_order="left")
    )


def estimates(names: Sequence[str], values: Sequence[Estimate]) -> pl.DataFrame:
    """`reward_model, value, low, high` of estimates in the order of the names."""
    rows = [
        {"reward_model": name, **frames.figures_of("value", value)} for name, value in zip(names, values, strict=True)
    ]
    return pl.DataFrame(rows, schema={"reward_model": pl.String, **frames.floats("value", "low", "high")})


def overview(trained: pl.DataFrame, summary: ScoreSummary) -> pl.DataFrame:
    """The table of everything: how each was trained, then what its scores say. Empty columns are left out."""
    names = summary.cube.reward_models
    mean_agreement = agreements(names, summary.agreement).group_by("reward_model").agg(mean_agreement=pl.mean("value"))
    frame = trained
    for prefix, result in (("variance", summary.variances), ("length", summary.lengths)):
        values = (NOTHING,) * len(names) if result is None else result.estimates
        figures = estimates(names, values)
        frame = frame.join(
            figures.rename({"value": prefix, "low": f"{prefix}_low", "high": f"{prefix}_high"}),
            on="reward_model",
            maintain_order="left",
        )
    frame = frame.rename({"variance": "reward_variance", "length": "length_correlation"})
    frame = frame.join(mean_agreement, on="reward_model", how="left", maintain_order="left")
    return frame.select(column for column in frame if column.null_count() < len(column))


def endings(snapshot: Snapshot, run_id: str) -> pl.DataFrame:
    """How the responses of each reward model's policies end, of each optimiser at its usual strength.

    Columns `reward_model, policies`, which names the strength, `finished_share, mean_tokens`, means over the seeds of a
    policy; policies of which that is unknown are left out.
    """
    usual = warehouse.endings(snapshot, run_id).filter(pl.col("usual"), pl.col("reward_model_id").is_not_null())
    by = "reward_model_id", "optimizer", "strength"
    known = usual.drop_nulls("finished_share").group_by(by).agg(pl.col("finished_share", "mean_tokens").mean()).sort(by)
    at = [optimizer_words(name).at.format(f"{n:g}") for name, n in known.select("optimizer", "strength").iter_rows()]
    return known.select(
        pl.Series("policies", at, dtype=pl.String), "finished_share", "mean_tokens", reward_model="reward_model_id"
    ).select("reward_model", pl.exclude("reward_model"))


def curves(snapshot: Snapshot, run_id: str, *metrics: str) -> pl.DataFrame:
    """Training curves of these metrics: `reward_model, kind, flip_rate, metric, step, value`."""
    recorded = training_curves(snapshot, run_id).rename({"model_id": "reward_model"})
    kinds = _kinds(warehouse.reward_models(snapshot, run_id))
    return recorded.filter(pl.col("metric").is_in(metrics)).join(kinds, on="reward_model", maintain_order="left")


def losses(snapshot: Snapshot, run_id: str, name: str) -> pl.DataFrame:
    """The losses of one reward model: `step, pairs, value`, `pairs` being training or validation."""
    own = curves(snapshot, run_id, "train_loss", "validation_loss").filter(reward_model=name)
    pairs = pl.col("metric").str.replace("_loss$", "").replace("train", "training")
    return own.select("step", pairs.alias("pairs"), "value")


def distribution(summary: ScoreSummary) -> pl.DataFrame:
    """The share of each reward model's responses in each bin: `reward_model, least, greatest, share`."""
    M, bins = summary.shares_MB.shape
    return pl.DataFrame(
        {
            "reward_model": [name for name in summary.cube.reward_models for _ in range(bins)],
            "least": np.tile(summary.edges[:-1], M),
            "greatest": np.tile(summary.edges[1:], M),
            "share": summary.shares_MB.ravel(),
        }
    )


def agreements(names: Sequence[str], result: Agreement) -> pl.DataFrame:
    """One row per ordered pair: `reward_model, other, value, low, high`, `other` being the golden one."""
    figures = {"value": result.share_MM, "low": result.low_MM, "high": result.high_MM}
    frame = frames.pair_rows(names, result.defined_MM, figures, ("other", "reward_model"))
    return frame.select("reward_model", pl.exclude("reward_model")).sort("reward_model", maintain_order=True)


def reliability_bins(result: Reliability) -> pl.DataFrame:
    """One row per bin of confidence: `least, greatest, confidence, right, low, high, pairs`."""
    rows = [
        {"least": b.least, "greatest": b.greatest, "confidence": b.confidence}
        | frames.figures_of("right", b.right)
        | {"pairs": b.pairs}
        for b in result.bins
    ]
    figures = frames.floats("least", "greatest", "confidence", "right", "low", "high")
    return pl.DataFrame(rows, schema={**figures, "pairs": pl.Int64})


def is_judged(reward_models: pl.DataFrame, name: str, goldens: Sequence[str]) -> bool:
    """Whether these goldens (none: the run's default ones) judge a scorer: then there is a report card of it."""
    names, roles = (reward_models[column].to_list() for column in ("reward_model_id", "role"))
    try:
        sides = sides_of(names, goldens, roles, least=1)
    except InvalidChoice:
        return False
    place = names.index(name)
    return place in sides.candidates and set(sides.goldens) != {place}


def report_card(snapshot: Snapshot, run_id: str, name: str, goldens: tuple[str, ...]) -> bytes:
    """The report card of a reward model as an HTML file."""
    with warehouse.cursor(snapshot) as connection:
        return report.write(connection, run_id, name, goldens).encode()


def best_other(reward_models: pl.DataFrame, name: str) -> str | None:
    """The other reward model with the greatest validation accuracy; None where there is no other."""
    others = reward_models.filter(pl.col("reward_model_id") != name).sort(
        "validation_accuracy", descending=True, nulls_last=True, maintain_order=True
    )
    return None if others.is_empty() else str(others["reward_model_id"][0])


def _kinds(reward_models: pl.DataFrame) -> pl.DataFrame:
    return reward_models.select("kind", "flip_rate", reward_model="reward_model_id")
