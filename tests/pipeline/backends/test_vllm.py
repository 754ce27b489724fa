"""vLLM's engine draws from the same policy as our own sampler does: its real engine, on the real model."""

from __future__ import annotations

import copy
import multiprocessing
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal
from scipy.stats import chisquare

from pipeline import runs
from pipeline.backends.openrlhf.checkpoints import ROUNDING_NATS, checkpoint_of
from pipeline.config import load_profile
from pipeline.context import Context
from pipeline.errors import ModelUnavailable
from pipeline.models.divergence import divergence
from pipeline.models.language_model import LanguageModel, load_fine_tuned
from pipeline.models.reward_model import RewardModel
from pipeline.models.sampler import Request
from pipeline.runs import RunDirectory
from pipeline.runs.progress import Progress
from pipeline.scoring.scorer import Scorer
from pipeline.stages import prompts, test_responses
from pipeline.stages.checkpoints import STAGE, Job, planned_responses

pytest.importorskip(
    "vllm", reason="vLLM is not installed; `make test-vllm` runs these tests in an environment of its own"
)

from pipeline.backends.vllm import VllmSampler

QUESTIONS = ["What is the capital of France?", "Name a fruit that is yellow and long.", "Say hello."]
GREEDY = 1e-4


@pytest.fixture(scope="module")
def engine(language_model: LanguageModel) -> Iterator[VllmSampler]:
    started = VllmSampler(language_model, batch_responses=64, max_new_tokens=16)
    yield started
    started.close()


def test_first_tokens_follow_the_policy_s_whole_softmax_at_each_request_s_temperature(
    engine: VllmSampler, language_model: LanguageModel
) -> None:
    prompt, temperatures, draws = "Say any word.", (0.7, 1.0), 300
    requests = [Request(prompt, temperature) for _ in range(draws) for temperature in temperatures]
    made = [one.ids for one in engine.sample(requests, 1, seed=0)]
    with torch.no_grad():
        logits = language_model.model(torch.tensor([language_model.prompt_ids(prompt)])).logits[0, -1].double()
    order = logits.argsort(descending=True)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order))
    # the likeliest tokens each, then ranks that truncation to the top 50 or to 0.95 of the mass would leave empty
    edges = np.array([*range(11), 20, 50, 200, 1000, len(order)])
    for index, temperature in enumerate(temperatures):
        drawn = [int(rank[ids[0]]) for ids in made[index :: len(temperatures)]]
        probabilities = torch.softmax(logits / temperature, 0)[order].numpy()
        expected = draws * np.add.reduceat(probabilities, edges[:-1])
        observed = np.histogram(drawn, edges)[0]
        assert chisquare(observed, expected * draws / expected.sum()).pvalue > 1e-4, temperature


def test_nearly_no_temperature_gives_the_likeliest_token_of_the_transformers_model_to_rounding(
    engine: VllmSampler, language_model: LanguageModel
) -> None:
    requests = [Request(question, GREEDY) for question in QUESTIONS]
    requests += [Request(QUESTIONS[0], GREEDY, "Answer with one word.")]
    likeliest = []
    for request, made in zip(requests, engine.sample(requests, 16, seed=0), strict=True):
        ids = list(made.ids)
        prompt = language_model.prompt_ids(request.prompt, request.system_prompt)
        with torch.no_grad():
            logits = language_model.model(torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1].float()
        behind = logits.max(dim=1).values - logits[torch.arange(len(ids)), torch.tensor(ids)]
        assert behind.max() <= 0.5  # logits are about 16 here, which bfloat16 rounds to 0.125
        likeliest += (behind == 0).tolist()
    assert np.mean(likeliest) > 0.9


def test_a_response_ends_with_its_stop_token_which_counts_but_is_not_shown(
    engine: VllmSampler, language_model: LanguageModel
) -> None:
    requests = [Request(QUESTIONS[0], 0.7)] * 24
    responses = engine.sample(requests, 12, seed=3)
    for response in responses:
        stops = [token in language_model.stop_ids for token in response.ids]
        assert (response.finished, sum(stops)) == (stops[-1], int(response.finished))
        assert response.finished or len(response.ids) == 12
        assert response.tokens == len(response.ids)
        assert "<|im_end|>" not in response.text
    assert {response.finished for response in responses} == {True, False}


def test_the_same_seed_gives_the_same_responses_and_another_does_not(engine: VllmSampler) -> None:
    requests = [Request(question, 1.0) for question in QUESTIONS for _ in range(4)]
    first = engine.sample(requests, 16, seed=1)
    assert engine.sample(requests, 16, seed=2) != first
    assert engine.sample(requests, 16, seed=1) == first
    assert len({response.text for response in first[:4]}) > 1


@pytest.mark.parametrize("temperature", [0.6, 1.3])
def test_log_probabilities_are_those_of_what_was_sampled_from(
    engine: VllmSampler, language_model: LanguageModel, temperature: float
) -> None:
    requests = [Request(question, temperature) for question in QUESTIONS for _ in range(4)]
    made = engine.sample(requests, 16, seed=4, with_log_p=True)
    assert [replace(one, log_p=None) for one in made] == engine.sample(requests, 16, seed=4)
    errors = []
    for request, one in zip(requests, made, strict=True):
        prompt = language_model.prompt_ids(request.prompt)
        with torch.no_grad():
            logits = language_model.model(torch.tensor([prompt + list(one.ids)])).logits[0, len(prompt) - 1 : -1]
        for at in (temperature, 1.0):
            read = (logits.float() / at).log_softmax(-1)[range(one.tokens), list(one.ids)]
            assert one.log_p is not None
            errors.append((at, (read - torch.tensor(one.log_p)).numpy()))
    right, wrong = (np.concatenate([error for at, error in errors if at == one]) for one in (temperature, 1.0))
    assert np.sqrt(np.mean(right**2)) < 0.15  # bfloat16's rounding of logits
    assert np.sqrt(np.mean(wrong**2)) > 3 * np.sqrt(np.mean(right**2))


def test_a_prompt_beyond_the_context_is_refused_in_one_line(engine: VllmSampler) -> None:
    with pytest.raises(ModelUnavailable, match="tokens that vLLM reserves") as caught:
        engine.sample([Request("word " * (engine.context_tokens + 1), 1.0)], 4, seed=0)
    assert "\n" not in str(caught.value)


def test_samples_of_other_weights_are_told_from_a_checkpoint_s_own(
    engine: VllmSampler, language_model: LanguageModel, fine_tuned: Path
) -> None:
    requests = [Request(question, 1.0) for question in QUESTIONS for _ in range(4)]
    made = engine.sample(requests, 16, seed=5, with_log_p=True)  # π_0's
    asked, tokens = [request.prompt for request in requests], np.mean([one.tokens for one in made])
    for policy, differs in ((load_fine_tuned(fine_tuned, language_model), True), (language_model, False)):
        off_N = divergence(policy, language_model, asked, made, 1.0).sampler_N
        assert off_N is not None
        assert (off_N.mean() > ROUNDING_NATS * tokens) == differs


def begun(home: Path, stage: str) -> tuple[RunDirectory, Context]:
    """A run that samples by vLLM, with its prompts, at the beginning of a stage."""
    run = runs.create(home, load_profile("smoke", sampler="vllm"), "vllm")
    progress = Progress(run, ["prompts", stage], (home / "log").open("w"))
    context = Context(run, progress)
    progress.begin("prompts")
    prompts.run(context)
    progress.end()
    progress.begin(stage)
    return run, context


def test_a_stage_samples_with_it_and_makes_a_lost_part_again(tmp_path: Path) -> None:
    run, context = begun(tmp_path, "test_responses")
    done = test_responses.run(context)
    made = run.read("response", test_responses.STAGE)
    assert made.height == done.units
    assert made.filter(pl.col("text") != "").height > 0.9 * made.height
    assert made["tokens"].is_between(1, run.config.policy.max_new_tokens).all()
    worker = multiprocessing.active_children()
    context.close()
    assert worker
    assert not any(process.is_alive() for process in set(worker) - set(multiprocessing.active_children()))

    lost = sorted((run.path / "response").glob("*.parquet"))[1]
    lost.unlink()
    again = Context(run, context.progress)
    test_responses.run(again)
    again.close()
    assert_frame_equal(run.read("response", test_responses.STAGE), made)


@pytest.fixture(scope="module")
def fine_tuned(language_model: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint as OpenRLHF saves one, whose policy is far from π_0: its last block's MLP is moved."""
    folder = tmp_path_factory.mktemp("global_step4_hf")
    moved = copy.deepcopy(language_model.model)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in moved.model.layers[-1].mlp.parameters():
            weight += 0.3 * weight.std() * torch.randn(weight.shape, generator=generator).to(weight.dtype)
    moved.save_pretrained(folder)
    language_model.tokenizer.save_pretrained(folder)
    return folder


def write_reward_model(run: RunDirectory, language_model: LanguageModel, name: str) -> None:
    """A head as it is before any training."""

    def write(draft: Path) -> None:
        draft.mkdir()
        RewardModel(language_model, 0).save(draft)

    folder = run.work_path("reward_models", name)
    run.write_summed(folder, write)
    card = {"reward_model_id": name, "kind": "flip", "flip_rate": 0.0, "length_bias": 0.0, "trainable_layers": 0}
    card |= {"base_model": language_model.name, "seed": 0, "train_pairs": 0, "validation_accuracy": 0.5}
    row = pl.DataFrame([card | {"weights": str(folder.relative_to(run.path))}])
    run.write_part("reward_model", "reward_models", name, row)


def test_a_checkpoint_of_ppo_is_sampled_by_the_engine_with_its_own_weights(fine_tuned: Path, tmp_path: Path) -> None:
    run, context = begun(tmp_path, STAGE)
    assert run.config.ppo is not None
    job, step = Job("flip-0.00", 0.0, ""), run.config.ppo.steps
    write_reward_model(run, context.base_model, job.reward_model_id)
    context.sample(context.base_model, [Request(QUESTIONS[0], 1.0)], seed=0)  # π_0's engine makes room
    seen = checkpoint_of(context, job, step, fine_tuned, Scorer(context))
    context.close()
    assert seen["test_kl_k3"] > 1
    assert seen["test_sampler_kl_k3"] < 0.01 * seen["test_response_tokens"]
    assert "may be of other weights" not in (run.path / "log.txt").read_text()
    made = run.read("response", STAGE)
    assert made.height == len(planned_responses(context, run.config.ppo.of(job.algorithm), job, step))
    assert set(made["policy_id"]) == {job.policy_id(step)}
    assert run.read("score", STAGE).height == made.height
