"""Ragged prompts and goldens that are no reward models: what best-of-n is worth at each n, on which prompts."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest

from pipeline.runs.exchange import import_files
from warehouse import reads, store
from warehouse.errors import InvalidChoice
from warehouse.reads.study import study as read_study
from warehouse.study import evaluate
from warehouse.study.curves.strength_curves import ndr_curve

MODELS = ("big", "mid", "tiny")
COUNTS = {"rm_test": (4, 2, 3, 5, 3, 4), "rl_test": (2, 5, 3, 4, 6, 3, 4, 4)}


def frame(seed: int = 0) -> pl.DataFrame:
    """Scores of three reward models and right answers, of prompts with two to six responses."""
    rng = np.random.default_rng(seed)
    rows = []
    for split, counts in COUNTS.items():
        for p, count in enumerate(counts):
            truth = rng.standard_normal(count)
            right = (truth == truth.max()).astype(float)
            scores = {name: truth + (1 + k) * 0.4 * rng.standard_normal(count) for k, name in enumerate(MODELS)}
            for r in range(count):
                of_response = {"prompt_id": f"{split}-{p}", "response_id": f"r{r}", "split": split}
                rows += [
                    {**of_response, "reward_model": name, "score": float(scores[name][r]), "label": right[r]}
                    for name in MODELS
                ]
    return pl.DataFrame(rows)


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> store.Connection:
    folder = tmp_path_factory.mktemp("ragged")
    frame().write_parquet(folder / "scores.parquet")
    import_files(folder / "home", [folder / "scores.parquet"], "ragged", "auto")
    return store.open_read_only(folder / "home")


def of_prompt(split: str, p: int, name: str) -> np.ndarray:
    rows = frame().filter(pl.col("prompt_id") == f"{split}-{p}", pl.col("reward_model") == "big")
    if name == "label":
        return rows["label"].to_numpy()
    return frame().filter(pl.col("prompt_id") == f"{split}-{p}", pl.col("reward_model") == name)["score"].to_numpy()


def test_scores_are_read_with_the_number_of_responses_of_each_prompt(connection: store.Connection) -> None:
    cube = reads.scores.score_cube(connection, "ragged")
    assert cube.reward_models == ("big", "label", "mid", "tiny")
    assert cube.only == (None, "golden", None, None)
    assert cube.counts_P.tolist() == list(COUNTS["rm_test"])
    for m, name in enumerate(cube.reward_models):
        for p, count in enumerate(COUNTS["rm_test"]):
            np.testing.assert_allclose(cube.scores_MPR[m, p, :count], of_prompt("rm_test", p, name), rtol=1e-6)
            assert not cube.scores_MPR[m, p, count:].any()


@pytest.mark.parametrize("n", [2, 4])
def test_best_of_n_is_the_mean_over_all_draws_on_the_prompts_that_have_n(connection: store.Connection, n: int) -> None:
    values = reads.values.policy_values(connection, "ragged", "bon", n)
    enough = [p for p, count in enumerate(COUNTS["rl_test"]) if count >= n]
    assert values.prompts == tuple(f"rl_test-{p}" for p in enough)
    for q, p in enumerate(enough):
        for m, proxy in enumerate(values.reward_models):
            scores = of_prompt("rl_test", p, proxy).astype(np.float32)
            for g, golden in enumerate(values.reward_models):
                truth = of_prompt("rl_test", p, golden)
                picks = []
                for draw in itertools.combinations(range(len(truth)), n):
                    best = max(scores[list(draw)])
                    picks.append(np.mean([truth[r] for r in draw if scores[r] == best]))
                assert values.optimised_MMQ[g, m, q] == pytest.approx(np.mean(picks), abs=1e-5)
        assert values.initial_MQ[0, q] == pytest.approx(of_prompt("rl_test", p, "big").mean(), abs=1e-5)


def test_the_usual_n_is_one_that_half_of_the_prompts_reach_and_curves_share_their_prompts(
    connection: store.Connection,
) -> None:
    assert reads.policies.usual_strength(connection, "ragged", "bon") == 4
    with pytest.raises(InvalidChoice, match="no policies of optimiser 'ppo'; it has"):
        reads.policies.usual_strength(connection, "ragged", "ppo")
    curves = reads.values.value_curves(connection, "ragged", "bon")
    assert curves.strengths[-1] == 4
    assert {at.prompts for at in curves.values} == {curves.values[-1].prompts}
    assert "label" in curves.reward_models
    assert ndr_curve(curves, replicates=20).pairs == 6
    assert ndr_curve(curves, golden="label", replicates=20).pairs == 3


def test_labels_are_golden_when_they_are_chosen(connection: store.Connection) -> None:
    cube = reads.scores.score_cube(connection, "ragged").with_goldens(["label"])
    values = reads.values.policy_values(connection, "ragged", "bon", 2)
    result = evaluate(cube, values, replicates=40)
    assert result.pair_MM.sum() == 3
    assert result.quantity == "ndr"
    plain = evaluate(reads.scores.score_cube(connection, "ragged"), values, replicates=40)
    assert plain.pair_MM.sum() == 6


def test_the_claims_are_examined_against_labels(connection: store.Connection) -> None:
    study = read_study(connection, "ragged", goldens=["label"], replicates=30)
    assert study.first.cube.roles.golden_only_M.sum() == 1
    (part,) = study.measured(study.first)
    assert part.evaluation.proxies == 3
    plain = read_study(connection, "ragged", replicates=30)
    assert plain.first.cube.reward_models == MODELS
