"""Sampling draws from the model's own distribution, whatever is shared, dropped or batched on the way."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import chisquare

from pipeline.models.language_model import LanguageModel
from pipeline.models.sampler import Request, draw_, sample

QUESTIONS = ["What is the capital of France?", "Name a fruit that is yellow and long.", "Say hello."]


@pytest.mark.parametrize("vocabulary", [7, 256, 1000])
def test_draws_follow_the_softmax(vocabulary: int) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 2.0 * torch.randn(1, vocabulary, generator=generator)
    uniform = torch.rand(40_000, generator=generator)
    tokens = draw_(logits.expand(len(uniform), -1).clone(), uniform)
    expected = torch.softmax(logits[0].double(), 0) * len(uniform)
    common = expected >= 5
    observed = torch.bincount(tokens, minlength=vocabulary).double()
    counts = torch.cat([observed[common], observed[~common].sum()[None]]).numpy()
    wanted = torch.cat([expected[common], expected[~common].sum()[None]]).numpy()
    if wanted[-1] == 0:
        counts, wanted = counts[:-1], wanted[:-1]
    assert chisquare(counts, wanted).pvalue > 1e-4


def test_the_ends_of_the_distribution_are_never_overrun() -> None:
    logits = torch.tensor([[0.0, -1e9, 0.0, -1e9]]).repeat(3, 1)
    assert draw_(logits, torch.tensor([0.0, 0.4999, 1.0 - 2**-24])).tolist() == [0, 0, 2]


def test_nearly_no_temperature_is_the_model_s_greedy_answer(language_model: LanguageModel) -> None:
    made = sample(language_model, [Request(question, 1e-4) for question in QUESTIONS], 12, seed=0)
    for question, response in zip(QUESTIONS, made, strict=True):
        prompt, tokens = language_model.prompt_ids(question), language_model.response_ids(response.text)
        tokens = tokens[: response.tokens]
        with torch.no_grad():
            logits = language_model.model(torch.tensor([[*prompt, *tokens]])).logits[0, len(prompt) - 1 : -1].float()
        behind = logits.amax(1) - logits.gather(1, torch.tensor(tokens)[:, None])[:, 0]
        assert behind.max() < 0.5  # bfloat16 moves a logit of 20 by an eighth, and may turn what is nearly a tie
        assert (behind == 0).float().mean() >= 0.8


def test_the_same_seed_gives_the_same_responses_and_another_does_not(language_model: LanguageModel) -> None:
    requests = [Request(question, 1.0) for question in QUESTIONS for _ in range(4)]
    first = sample(language_model, requests, 16, seed=1)
    assert sample(language_model, requests, 16, seed=1) == first
    assert sample(language_model, requests, 16, seed=2) != first
    assert len({response.text for response in first[:4]}) > 1


def test_finished_responses_end_by_themselves_and_the_rest_are_cut_off(language_model: LanguageModel) -> None:
    made = sample(language_model, [Request(QUESTIONS[0], 0.3)] * 16, 10, seed=0)
    assert any(response.finished for response in made)
    for response in made:
        assert response.finished or response.tokens == 10
        assert 1 <= response.tokens <= 10
        assert "<|im_end|>" not in response.text


def test_a_system_prompt_changes_what_is_seen(language_model: LanguageModel) -> None:
    plain = language_model.prompt_ids("Hello")
    told = language_model.prompt_ids("Hello", "You speak like a pirate.")
    assert plain != told
    assert "pirate" in language_model.tokenizer.decode(told)
