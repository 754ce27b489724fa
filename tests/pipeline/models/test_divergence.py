"""How far a policy that was trained elsewhere is from π_0, against transformers alone."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.models.divergence import divergence
from pipeline.models.fine_tuned import load_fine_tuned
from pipeline.models.language_model import LanguageModel
from pipeline.models.sampler import Request, sample
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


def sampled(policy: LanguageModel, temperature: float) -> list[tuple[int, ...]]:
    return [made.ids for made in sample(policy, [Request(prompt, temperature) for prompt in PROMPTS], 12, seed=3)]


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_it_is_that_of_transformers_token_by_token(
    initial: LanguageModel, policy: LanguageModel, temperature: float
) -> None:
    responses = sampled(policy, temperature)
    k1_N, k3_N = divergence(policy, initial, PROMPTS, responses, temperature)
    for number, (prompt, ids) in enumerate(zip(PROMPTS, responses, strict=True)):
        shown = initial.prompt_ids(prompt)
        log_p = []
        for model in (policy.model, initial.model):
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([[*shown, *ids]])).logits[0, len(shown) - 1 : -1]
            log_p.append((logits / temperature).log_softmax(-1)[range(len(ids)), ids].double().numpy())
        ratio = log_p[0] - log_p[1]
        np.testing.assert_allclose(k1_N[number], ratio.sum(), atol=1e-3)
        np.testing.assert_allclose(k3_N[number], (np.expm1(-ratio) + ratio).sum(), atol=1e-3)
    assert k3_N.mean() > 0.01


def test_equal_policies_are_at_0(initial: LanguageModel) -> None:
    k1_N, k3_N = divergence(initial, initial, PROMPTS, sampled(initial, 1.0), 1.0)
    assert not k1_N.any()
    assert not k3_N.any()


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
