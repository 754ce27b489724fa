"""The stage of the optimisers by weighting, on a run whose samples and scores are numbers; prompts are ragged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline import runs
from pipeline.config import Config, load_profile
from pipeline.context import Context
from pipeline.runs import RunDirectory
from pipeline.stages import best_of_n
from pipeline.stages.responses import endings
from tests.helpers.study import filled
from warehouse.metrics.policies.best_of_n import best_of_n_expected, best_of_n_kl_bound, best_of_n_values
from warehouse.metrics.policies.tilted import LEAST_EFFECTIVE, effective_samples, tilted_kl, tilted_weights
from warehouse.schema import TABLES

MODELS = ("flip-0.00", "flip-0.10", "flip-0.40")
COUNTS = {"a/0": 32, "a/1": 32, "a/2": 9, "b/0": 32, "b/1": 32}
RNG = np.random.default_rng(0)
SCORES = {
    prompt: (RNG.standard_normal((3, count)) + RNG.standard_normal(count)).astype(np.float32)
    for prompt, count in COUNTS.items()
}
TOKENS = {prompt: RNG.integers(5, 40, count) for prompt, count in COUNTS.items()}
FINISHED = {prompt: TOKENS[prompt] < 30 for prompt in COUNTS}


class Quiet:
    """Progress that nobody reads."""

    def plan(self, total: int, unit: str, done: int = 0) -> None:
        self.planned = total

    def advance(self, count: int = 1) -> None:
        self.planned -= count

    def drop(self, count: int) -> None:
        raise AssertionError(count)

    def say(self, message: str) -> None:
        raise AssertionError(message)


def run_of_numbers(home: Path) -> RunDirectory:
    settings = load_profile("smoke").model_dump(mode="json")
    settings["test"]["rl_test_samples"] = 32
    run = runs.create(home, Config.model_validate(settings), "numbers")
    prompts = [{"prompt_id": prompt, "split": "rl_test", "category": "Chat"} for prompt in COUNTS]
    prompts += [{"prompt_id": "c/0", "split": "rm_test", "category": "Chat"}]
    responses = [
        {"response_id": f"initial|{prompt}|{r}", "prompt_id": prompt, "policy_id": "initial", "sample": r}
        | {"tokens": int(TOKENS[prompt][r]), "finished": bool(FINISHED[prompt][r])}
        for prompt, count in COUNTS.items()
        for r in range(count)
    ]
    elsewhere = {"response_id": "initial|c/0|0", "prompt_id": "c/0", "policy_id": "initial", "sample": 0}
    elsewhere |= {"tokens": 99, "finished": False}
    scores = [
        {"reward_model_id": name, "response_id": f"initial|{prompt}|{r}", "score": float(SCORES[prompt][m, r])}
        for prompt, count in COUNTS.items()
        for m, name in enumerate(MODELS)
        for r in range(count)
    ]
    scores += [{"reward_model_id": name, "response_id": "initial|c/0|0", "score": 0.0} for name in MODELS]
    rows = {"prompt": prompts, "response": [*responses, elsewhere], "score": scores}
    for name, stage in (("prompt", "prompts"), ("response", "test_responses"), ("score", "scores")):
        frame = filled(TABLES[name], "numbers", pl.DataFrame(rows[name]).sample(fraction=1.0, shuffle=True, seed=1))
        run.write_part(name, stage, 0, frame.drop("run_id"))
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    run = run_of_numbers(tmp_path_factory.mktemp("stage"))
    progress = Quiet()
    result = best_of_n.run(Context(run, progress))
    assert result.units == run.read("policy").height
    assert progress.planned == 0
    return run


def value(run: RunDirectory, policy: str, golden: str) -> dict[str, float]:
    rows = run.read("policy_value").filter(policy_id=policy, golden_id=golden)
    return dict(rows.select("prompt_id", "value").iter_rows())


def deviation(m: int) -> float:
    return float(np.sqrt(np.mean([SCORES[prompt][m].astype(float).var(ddof=1) for prompt in COUNTS])))


def test_the_initial_policys_values_are_the_means_of_each_prompts_own_samples(run: RunDirectory) -> None:
    for m, name in enumerate(MODELS):
        means = {prompt: SCORES[prompt][m].astype(float).mean() for prompt in COUNTS}
        assert value(run, "initial", name) == pytest.approx(means)


@pytest.mark.parametrize("n", [8, 16])
def test_best_of_n_is_on_the_prompts_that_have_n_samples(run: RunDirectory, n: int) -> None:
    enough = [prompt for prompt, count in COUNTS.items() if count >= n]
    values = {prompt: best_of_n_values(SCORES[prompt][:, None], [n])[0, 0, 1, 0] for prompt in enough}
    assert value(run, f"bon-{n}/{MODELS[1]}", MODELS[0]) == pytest.approx(values)
    policy = run.read("policy").filter(policy_id=f"bon-{n}/{MODELS[1]}").row(0, named=True)
    tokens, ended = (
        [best_of_n_expected(of[prompt][None, None], SCORES[prompt][1:2, None], [n]).item() for prompt in enough]
        for of in (TOKENS, FINISHED)
    )
    assert (policy["kl"], policy["kl_estimator"]) == (pytest.approx(best_of_n_kl_bound(n)), "bound")
    assert policy["mean_tokens"] == pytest.approx(np.mean(tokens), rel=1e-6)
    assert policy["finished_share"] == pytest.approx(np.mean(ended), rel=1e-6)


def test_tilted_is_on_the_prompts_whose_effective_samples_are_enough_for_every_reward_model(run: RunDirectory) -> None:
    tilted = run.read("policy").filter(optimizer="tilted")
    strengths = tilted["strength"].unique().sort().to_list()
    assert strengths[:2] == [0.25, 0.5]
    assert tilted.height == len(strengths) * len(MODELS)
    for strength in strengths:
        weights = {
            prompt: [tilted_weights(SCORES[prompt][m][None].astype(float), deviation(m), [strength]) for m in range(3)]
            for prompt in COUNTS
        }
        enough = [
            prompt
            for prompt in COUNTS
            if min(float(effective_samples(each)[0, 0]) for each in weights[prompt]) >= LEAST_EFFECTIVE
        ]
        assert 2 * len(enough) >= len(COUNTS)
        policy = tilted.filter(policy_id=f"tilted-{strength:g}/{MODELS[2]}").row(0, named=True)
        own = {prompt: weights[prompt][2][0, :, 0] for prompt in enough}
        expected = {prompt: float(own[prompt] @ SCORES[prompt][0].astype(float)) for prompt in enough}
        assert value(run, policy["policy_id"], MODELS[0]) == pytest.approx(expected, rel=1e-5)
        kl = np.mean([tilted_kl(weights[prompt][2])[0, 0] for prompt in enough])
        assert (policy["kl"], policy["kl_estimator"]) == (pytest.approx(kl, rel=1e-6), "weights")
        ended = np.mean([own[prompt] @ FINISHED[prompt] for prompt in enough])
        assert policy["finished_share"] == pytest.approx(ended, rel=1e-5)
        assert policy["mean_tokens"] == pytest.approx(np.mean([own[p] @ TOKENS[p] for p in enough]), rel=1e-5)


def test_too_many_values_are_not_stored_but_shares_and_lengths_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: RunDirectory
) -> None:
    monkeypatch.setattr(best_of_n, "MOST_VALUES", 100)
    other = run_of_numbers(tmp_path)
    best_of_n.run(Context(other, Quiet()))
    assert set(other.read("policy_value")["policy_id"]) == {"initial"}
    columns = ("policy_id", "kl", "finished_share", "mean_tokens")
    assert other.read("policy").select(columns).equals(run.read("policy").select(columns))


def test_every_prompt_counts_the_same_in_the_share_that_ends() -> None:
    responses = pl.DataFrame({"prompt_id": list("aaab"), "finished": [True, True, True, False], "tokens": [1, 2, 3, 8]})
    assert endings(responses) == {"finished_share": 0.5, "mean_tokens": 5.0}
