"""vLLM's engine draws from the same policy as our own sampler does: its real engine, on the real model."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal
from scipy.stats import chisquare

from pipeline import runs
from pipeline.config import load_profile
from pipeline.context import Context
from pipeline.errors import ModelUnavailable
from pipeline.models.language_model import LanguageModel
from pipeline.models.sampler import Request
from pipeline.progress import Progress
from pipeline.stages import prompts, test_responses

pytest.importorskip(
    "vllm", reason="vLLM is not installed; `make test-vllm` runs these tests in an environment of its own"
)

from pipeline.models.vllm_sampler import VllmSampler

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
    made = engine.tokens(requests, 1, seed=0)
    with torch.no_grad():
        logits = language_model.model(torch.tensor([language_model.prompt_ids(prompt)])).logits[0, -1].double()
    order = logits.argsort(descending=True)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order))
    # the likeliest tokens each, then ranks that truncation to the top 50 or to 0.95 of the mass would leave empty
    edges = np.array([*range(11), 20, 50, 200, 1000, len(order)])
    for index, temperature in enumerate(temperatures):
        drawn = [int(rank[ids[0]]) for ids, _ in made[index :: len(temperatures)]]
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
    for request, (ids, _) in zip(requests, engine.tokens(requests, 16, seed=0), strict=True):
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
    tokens = engine.tokens(requests, 12, seed=3)
    for (ids, finished), response in zip(tokens, engine.sample(requests, 12, seed=3), strict=True):
        stops = [token in language_model.stop_ids for token in ids]
        assert (finished, sum(stops)) == (stops[-1], int(finished))
        assert finished or len(ids) == 12
        assert (response.tokens, response.finished) == (len(ids), finished)
        assert "<|im_end|>" not in response.text
    assert {finished for _, finished in tokens} == {True, False}


def test_the_same_seed_gives_the_same_responses_and_another_does_not(engine: VllmSampler) -> None:
    requests = [Request(question, 1.0) for question in QUESTIONS for _ in range(4)]
    first = engine.sample(requests, 16, seed=1)
    assert engine.sample(requests, 16, seed=2) != first
    assert engine.sample(requests, 16, seed=1) == first
    assert len({response.text for response in first[:4]}) > 1


def test_a_prompt_beyond_the_context_is_refused_in_one_line(engine: VllmSampler) -> None:
    with pytest.raises(ModelUnavailable, match="tokens that vLLM keeps") as caught:
        engine.sample([Request("word " * (engine.context_tokens + 1), 1.0)], 4, seed=0)
    assert "\n" not in str(caught.value)


def test_a_stage_samples_with_it_and_makes_a_lost_part_again(tmp_path: Path) -> None:
    run = runs.create(tmp_path, load_profile("smoke", sampler="vllm"), "vllm")
    context = Context(run, Progress(run, ["prompts", "test_responses"], (tmp_path / "log").open("w")))
    context.progress.begin("prompts")
    prompts.run(context)
    context.progress.end()
    context.progress.begin("test_responses")
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
