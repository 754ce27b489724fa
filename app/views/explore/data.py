"""What the Explore page reads and computes, cached as in `access.warehouse`, and its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import streamlit as st
from numpy.typing import NDArray

from app.access import frames, warehouse
from app.access.warehouse import Snapshot
from app.offers import Options
from app.state import Policies, Selection
from warehouse import reads
from warehouse.metrics.test_set import chosen_prompts
from warehouse.reads.trained_picks import TrainedPicks, trained_picks
from warehouse.schema import BY_WEIGHTING
from warehouse.study import Evaluation, ScoreCube


def evaluation(snapshot: Snapshot, run_id: str, chosen: Selection) -> Evaluation:
    """Measure, NDR and all correlations of a choice. Raises InvalidChoice where the run cannot satisfy it."""
    question = warehouse.question(snapshot, run_id, chosen, every_correlation=True)
    return warehouse.evaluations(question, chosen.measure, (chosen.test_set(),))[0]


def by_category(snapshot: Snapshot, run_id: str, chosen: Selection) -> dict[str, Evaluation]:
    """The chosen measure on each of the chosen categories (none chosen: on all) that has at least two prompts."""
    names = warehouse.categories(snapshot, run_id, chosen)
    test_sets = tuple(chosen.test_set_of(name) for name in names)
    question = warehouse.question(snapshot, run_id, chosen)
    return dict(zip(names, warehouse.evaluations(question, chosen.measure, test_sets), strict=True))


def pairs_by_category(evaluations: Mapping[str, Evaluation], reward_models: pl.DataFrame) -> pl.DataFrame:
    """The defined pairs of each category's test set: the columns of `frames.pairs` after `category`."""
    return pl.concat(
        frames.defined(frames.pairs(evaluation, reward_models)).select(pl.lit(name).alias("category"), pl.all())
        for name, evaluation in evaluations.items()
    )


def row_of(table: pl.DataFrame, **values: str) -> dict[str, Any]:
    """The one row with these values: of a pair by `golden` and `proxy`, of a reward model by `reward_model_id`."""
    return table.filter(**values).row(0, named=True)


def test_responses(snapshot: Snapshot, run_id: str, chosen: Selection) -> tuple[ScoreCube, NDArray[np.int64]]:
    """The scores of the chosen test set, cut to its R responses per prompt, and the indices `[P]` of its prompts."""
    cube = warehouse.score_cube(snapshot, run_id, chosen.source())
    responses = cube if chosen.responses is None else cube.first_responses(chosen.responses)
    return responses, chosen_prompts(cube, chosen.test_set())


def pair_scores(cube: ScoreCube, prompts_P: NDArray[np.int64], golden: str, proxy: str) -> pl.DataFrame:
    """Scores of two reward models for every response to the prompts with these indices.

    Columns `prompt, category, response` (its number), `golden_score, proxy_score` in standard deviations from the mean
    over these responses (0 where a reward model gives all the same score).
    """
    is_response_PR = cube.is_response_PR[prompts_P]
    prompt_K, response_K = np.nonzero(is_response_PR)
    places = np.array([cube.reward_models.index(name) for name in (golden, proxy)])
    scores = cube.scores_MPR[np.ix_(places, prompts_P)][:, is_response_PR].astype(np.float64)
    spread = scores.std(axis=1, keepdims=True)
    scaled = np.divide(scores - scores.mean(axis=1, keepdims=True), spread, out=np.zeros_like(scores), where=spread > 0)
    return pl.DataFrame(
        {
            "prompt": np.array(cube.prompts, dtype=object)[prompts_P][prompt_K].tolist(),
            "category": np.array(cube.categories, dtype=object)[prompts_P][prompt_K].tolist(),
            "response": response_K,
            "golden_score": scaled[0],
            "proxy_score": scaled[1],
        }
    )


class Answers(NamedTuple):
    """What policies of a pair answer: the columns of `reads.responses.picks`, the greatest loss first.

    `policies` are best-of-n, whose picks they are, or the trained ones that gave them; `by_golden` is whether the
    golden's side is a policy optimised against it, and not the initial one.
    """

    rows: pl.DataFrame
    policies: Policies
    by_golden: bool = True


def answers(snapshot: Snapshot, options: Options, chosen: Selection, golden: str, proxy: str) -> Answers | None:
    """Answers of the chosen optimiser's policies; best-of-n's picks for one without stored answers; None without both.

    Of policies at a KL, which lie between two strengths, those of the usual strength are shown.
    """
    strength = options.usual_strength(chosen.optimizer) if chosen.strength is None else chosen.strength
    if chosen.optimizer not in BY_WEIGHTING:
        policies = Policies(chosen.optimizer, strength)
        trained = _trained(snapshot, options.run, golden, proxy, policies)
        if trained is not None:
            return Answers(trained.rows, policies, trained.golden_has_policy)
    if "bon" not in options.strengths:
        return None
    n = strength if chosen.optimizer == "bon" and chosen.kl is None else options.usual_strength("bon")
    return Answers(_picks(snapshot, options.run, golden, proxy, int(n)), Policies("bon", n))


@st.cache_resource(max_entries=64, show_spinner="Reading the responses …")
def _trained(snapshot: Snapshot, run_id: str, golden: str, proxy: str, policies: Policies) -> TrainedPicks | None:
    assert policies.strength is not None
    samples = warehouse.rl_scores(snapshot, run_id)
    with warehouse.cursor(snapshot) as connection:
        return trained_picks(
            connection,
            run_id,
            golden,
            proxy,
            optimizer=policies.optimizer,
            strength=policies.strength,
            samples=samples,
        )


@st.cache_resource(max_entries=64, show_spinner="Reading the responses …")
def _picks(snapshot: Snapshot, run_id: str, golden: str, proxy: str, n: int) -> pl.DataFrame:
    """What best-of-n picks under both reward models on every RL-test prompt, the greatest loss first."""
    samples = warehouse.rl_scores(snapshot, run_id)
    with warehouse.cursor(snapshot) as connection:
        return reads.responses.picks(connection, run_id, golden, proxy, n, limit=1_000_000, samples=samples)


def picks_within(picks: pl.DataFrame, categories: Sequence[str]) -> pl.DataFrame:
    """The picks on the RL-test prompts of these categories (none: all)."""
    return picks.filter(pl.col("category").is_in(categories)) if categories else picks


def picks_summary(picks: pl.DataFrame) -> dict[str, float]:
    """How often the two reward models pick the same response: `prompts`, `same`, `mean_loss`."""
    same = picks.filter(pl.col("golden_pick") == pl.col("proxy_pick")).height
    return {"prompts": picks.height, "same": same, "mean_loss": float(picks["loss"].mean() or 0.0)}  # type: ignore[arg-type]
