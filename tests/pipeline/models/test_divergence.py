"""How far a policy that was trained elsewhere is from π_0, against transformers alone."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pipeline.models.divergence import divergence
from pipeline.models.language_model import LanguageModel, load_fine_tuned
from pipeline.models.sampler import Request, Sample, sample
from tests.pipeline.models.tiny import tiny_model

PROMPTS = [prompt for prompt in ("Name a colour.", "What is the capital of France, and why?", "Hm") for _ in range(8)]


@pytest.fixture(scope="module")
def initial(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return tiny_model(tmp_path_factory.mktemp("initial"))


@pytest.fixture(scope="module")
def policy(initial: LanguageModel) -> LanguageModel:
    """The initial policy with its weights moved a little."""
    moved = copy.deepcopy(initial.model)
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in moved.parameters():
            weight += 0.01 * torch.randn_like(weight)
    return LanguageModel("moved", moved, initial.tokenizer)


def sampled(policy: LanguageModel, temperature: float) -> list[Sample]:
    return sample(policy, [Request(prompt, temperature) for prompt in PROMPTS], 12, seed=3)


def log_p(model: LanguageModel, prompt: str, ids: Sequence[int], temperature: float) -> NDArray[np.float64]:
    """Of a response's tokens, by transformers alone."""
    shown = model.prompt_ids(prompt)
    with torch.no_grad():
        logits = model.model(input_ids=torch.tensor([[*shown, *ids]])).logits[0, len(shown) - 1 : -1]
    return (logits / temperature).log_softmax(-1)[range(len(ids)), list(ids)].double().numpy()


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_it_is_that_of_transformers_token_by_token(
    initial: LanguageModel, policy: LanguageModel, temperature: float
) -> None:
    samples = sampled(policy, temperature)
    far = divergence(policy, initial, PROMPTS, samples, temperature)
    for number, (prompt, made) in enumerate(zip(PROMPTS, samples, strict=True)):
        own, other = (log_p(model, prompt, made.ids, temperature) for model in (policy, initial))
        ratio = own - other
        np.testing.assert_allclose(far.k1_N[number], ratio.sum(), atol=1e-3)
        np.testing.assert_allclose(far.k3_N[number], (np.expm1(-ratio) + ratio).sum(), atol=1e-3)
    assert far.k3_N.mean() > 0.01
    assert far.sampler_N is None


def test_equal_policies_are_at_0(initial: LanguageModel) -> None:
    far = divergence(initial, initial, PROMPTS, sampled(initial, 1.0), 1.0)
    assert not far.k1_N.any()
    assert not far.k3_N.any()


def test_a_sampler_that_ran_other_weights_is_as_far_as_these(initial: LanguageModel, policy: LanguageModel) -> None:
    samples = sampled(initial, 1.0)
    told = [
        replace(made, log_p=tuple(log_p(initial, prompt, made.ids, 1.0)))
        for prompt, made in zip(PROMPTS, samples, strict=True)
    ]
    right, wrong = (divergence(model, initial, PROMPTS, told, 1.0).sampler_N for model in (initial, policy))
    assert right is not None
    assert wrong is not None
    np.testing.assert_allclose(right, 0, atol=1e-6)
    # what the wrong weights are from the sampler's, which are π_0's, is what π_0 is from them
    np.testing.assert_allclose(wrong, divergence(initial, policy, PROMPTS, samples, 1.0).k3_N, atol=1e-4)
    assert wrong.mean() > 0.01


def test_a_sample_s_tokens_are_its_text(initial: LanguageModel) -> None:
    for made in sample(initial, [Request(prompt, 1.0) for prompt in PROMPTS], 12, seed=3):
        assert len(made.ids) == made.tokens
        assert initial.decode(made.ids) == made.text


def test_what_was_trained_elsewhere_is_read_with_the_tokenizer_of_the_initial_policy(
    initial: LanguageModel, policy: LanguageModel, tmp_path: Path
) -> None:
    policy.model.save_pretrained(tmp_path)
    policy.tokenizer.save_pretrained(tmp_path)
    loaded = load_fine_tuned(tmp_path, initial)
    assert loaded.tokenizer is initial.tokenizer
    assert loaded.stop_ids == initial.stop_ids
    after = loaded.model.state_dict()
    for name, weight in policy.model.state_dict().items():
        torch.testing.assert_close(after[name], weight.to(after[name].dtype))
