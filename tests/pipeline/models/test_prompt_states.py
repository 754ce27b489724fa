"""States of prompts that the trunk has read once stand for the prompts, whoever asks for them and in which company."""

from __future__ import annotations

import pytest
import torch

from pipeline.models.language_model import LanguageModel
from pipeline.models.performance.kv_cache import run_prefix
from pipeline.models.performance.prompt_states import PromptStates
from pipeline.models.policy import Policy, SamplingDecoder

PROMPTS = ["Name a colour.", "What is the capital of France, and how many people live there?", "Say hello."]


@pytest.mark.parametrize("layers", [1, 3, -1])
@torch.no_grad()
def test_a_prefix_from_states_is_the_prefix_of_the_whole_decoder(language_model: LanguageModel, layers: int) -> None:
    ids = [language_model.prompt_ids(prompt) for prompt in PROMPTS]
    sampling, states = SamplingDecoder(language_model, layers), PromptStates(language_model, layers)
    policy = Policy(language_model, layers, layers)
    for weight in policy.top.parameters():  # a policy that has learnt
        weight.mul_(1.01)
    sampling.update(policy)
    made = states.prefix(sampling, states.of(ids))
    whole = run_prefix(sampling.decoder, ids, language_model.device)
    assert made.width == whole.width
    assert made.lengths_U.tolist() == whole.lengths_U.tolist()
    for row, length in enumerate(made.lengths_U.tolist()):
        ours, theirs = (one.hidden_UTD[row, :length].float() for one in (made, whole))
        assert (ours - theirs).norm() < 0.05 * theirs.norm()
        for mine, its in zip(made.cache.filled(), whole.cache.filled(), strict=True):
            for ours, theirs in zip(mine, its, strict=True):
                ours, theirs = ours[row, :, :length].float(), theirs[row, :, :length].float()
                assert (ours - theirs).norm() < 0.05 * theirs.norm()


@torch.no_grad()
def test_states_do_not_depend_on_what_else_was_read(language_model: LanguageModel) -> None:
    ids = [language_model.prompt_ids(prompt) for prompt in PROMPTS]
    sampling, alone, after = (
        SamplingDecoder(language_model, 1),
        PromptStates(language_model, 1),
        PromptStates(language_model, 1),
    )
    after.of([ids[1]])
    after.of([ids[2], ids[0]])
    ours, theirs = (states.prefix(sampling, states.of(ids)) for states in (alone, after))
    assert torch.equal(ours.hidden_UTD, theirs.hidden_UTD)


@torch.no_grad()
def test_the_oldest_states_make_room(language_model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [language_model.prompt_ids(prompt) for prompt in PROMPTS]
    monkeypatch.setattr("pipeline.models.performance.prompt_states._MOST_TOKENS", len(ids[0]) + len(ids[2]))
    sampling, states = SamplingDecoder(language_model, 1), PromptStates(language_model, 1)
    first = states.prefix(sampling, states.of(ids[:1])).hidden_UTD
    states.of(ids)
    assert sum(map(len, states._known)) <= len(ids[0]) + len(ids[2])
    assert torch.equal(states.prefix(sampling, states.of(ids[:1])).hidden_UTD, first)
