"""PPO: what it shares with the sampler is right, it learns, it stays near when told to.

What would be so of any policy is shown on one of two layers (`tiny`), the rest on the real small model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from pipeline.config import PPOSettings
from pipeline.models.language_model import LanguageModel
from pipeline.models.optimizers.ppo import PPO
from pipeline.models.optimizers.trained_policy import Diverged, load_tensors, minibatches
from pipeline.models.performance.prompt_states import PromptStates
from pipeline.models.reward_model import Judge
from pipeline.models.rollout import Rollout
from pipeline.models.trunk import shared_layers
from pipeline.prompts import load_prompts
from tests.conftest import skip_without_avx512
from tests.pipeline.models.tiny import random_reward_model, score_texts

PROMPTS = load_prompts().filter(split="rm_train")["text"].to_list()[::14]
SMALL = PPOSettings(
    steps=2, checkpoints=(2,), batch_responses=8, minibatches=2, trainable_layers=1, actor_learning_rate=1e-4
)


def made(
    language_model: LanguageModel,
    settings: PPOSettings = SMALL,
    layers: int = 0,
    kl_coefficient: float = 0.0,
    max_new_tokens: int = 10,
    score: Callable[[Rollout], Tensor] | None = None,
    deeper: tuple[int, ...] = (),
) -> PPO:
    shared = shared_layers(language_model, settings.trainable_layers, layers)
    return PPO(
        language_model,
        random_reward_model(language_model, layers, seed=1),
        settings,
        kl_coefficient=kl_coefficient,
        temperature=1.0,
        max_new_tokens=max_new_tokens,
        seed=3,
        score=score,
        states=PromptStates(language_model, shared, deeper),
    )


def share_of_e(rollout: Rollout) -> Tensor:
    return torch.tensor([text.lower().count("e") / max(1, len(text)) for text in rollout.texts])


def test_what_the_sampler_read_on_the_way_is_what_a_plain_forward_pass_gives(language_model: LanguageModel) -> None:
    ppo = made(language_model)
    rollout = ppo.sample(PROMPTS[:6], seed=0)
    assert (rollout.finished_B | (rollout.lengths_B == 10)).all()
    for row in range(len(rollout)):
        ids = language_model.prompt_ids(PROMPTS[row]) + rollout.tokens(torch.tensor([row])).tolist()
        assert int(rollout.starts_B[row]) == len(language_model.prompt_ids(PROMPTS[row]))
        with torch.no_grad():
            logits = language_model.model(torch.tensor([ids])).logits[0].float()
        length = int(rollout.lengths_B[row])
        plain = torch.log_softmax(logits[-length - 1 : -1], 1).gather(1, torch.tensor(ids[-length:])[:, None])[:, 0]
        reading = rollout.reading(language_model, torch.tensor([row]))
        output = reading.through(ppo.policy.top)[reading.predicting_N]
        ours = ppo.policy.log_probabilities(output, rollout.tokens(torch.tensor([row])), 1.0)
        torch.testing.assert_close(ours, plain, atol=0.25, rtol=0.02)  # bfloat16 logits of up to 30


def test_rows_read_together_share_their_prompt_and_give_what_each_gives_alone(language_model: LanguageModel) -> None:
    ppo = made(language_model)
    rollout = ppo.sample([PROMPTS[0], PROMPTS[1], PROMPTS[0], PROMPTS[2]], seed=0)
    rows = torch.tensor([3, 2, 0])
    together = rollout.reading(language_model, rows)
    distinct = int(rollout.starts_B[[3, 0]].sum()) + int((rollout.features.lengths - rollout.starts_B)[rows].sum())
    assert together.hidden.shape[:2] == (1, distinct)
    outputs = together.through(ppo.policy.top)
    assert len(together.predicting_N) == int(rollout.lengths_B[rows].sum())
    alone = [rollout.reading(language_model, row[None]) for row in rows]
    for places in ("predicting_N", "last_B"):
        expected = torch.cat([one.through(ppo.policy.top)[getattr(one, places)] for one in alone])
        torch.testing.assert_close(outputs[getattr(together, places)], expected, atol=0.3, rtol=0.05)  # bfloat16


def test_minibatches_hold_every_row_once_and_prompts_together(language_model: LanguageModel) -> None:
    rollout = made(language_model).sample([prompt for prompt in PROMPTS[:5] for _ in range(3)], seed=0)
    parts = list(minibatches(rollout, 3, np.random.default_rng(0)))
    assert sorted(torch.cat(parts).tolist()) == list(range(15))
    prompts = [set(rollout.prompts_B[part].tolist()) for part in parts]
    assert sum(map(len, prompts)) == 5
    few = list(minibatches(rollout, 8, np.random.default_rng(0)))
    assert len(few) == 8
    assert sorted(torch.cat(few).tolist()) == list(range(15))


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_the_judge_gives_the_reward_model_s_own_scores(language_model: LanguageModel, layers: int) -> None:
    """Also of cut-off responses, and of reward models that train fewer blocks than the policy, as many, and more."""
    ppo = made(language_model, layers=layers)
    reward_model = random_reward_model(language_model, layers, seed=1)
    rollout = ppo.sample(PROMPTS[:8], seed=0)
    rows = torch.arange(8)
    reading = rollout.reading(language_model, rows)
    scores = ppo.judge.scores(reading, reading.through(ppo.reference.top))
    again = score_texts(language_model, reward_model, list(zip(PROMPTS[:8], rollout.texts, strict=True)))
    same_tokens = [
        language_model.response_ids(text)[:-1] == [t for t in tokens[:length] if t != language_model.end_id]
        for text, tokens, length in zip(rollout.texts, rollout.tokens_BT.tolist(), rollout.lengths_B, strict=True)
    ]
    assert sum(same_tokens) >= 4
    gap = np.abs(scores.numpy() - again)[same_tokens]  # bfloat16, another batch
    assert gap.max() < 0.1
    assert gap.mean() < 0.05
    assert np.std(again) > 0.1


@pytest.mark.parametrize("layers", [0, 1])
def test_judges_of_several_depths_score_a_rollout_as_its_text_is_scored(
    language_model: LanguageModel, layers: int
) -> None:
    """Where the text has the tokens that were sampled; one of the reward models begins below the policy's trunk."""
    reward_models = {f"depth-{own}": random_reward_model(language_model, own, seed=1) for own in (0, 1, 3)}
    ppo = made(language_model, layers=layers, deeper=(3,))
    rollout = ppo.sample(PROMPTS[:8], seed=0, deeper=True)
    judges = {
        name: Judge(language_model, model, shared_layers(language_model, ppo.layers, model.trainable_layers))
        for name, model in reward_models.items()
    }
    assert [judge.layers for judge in judges.values()] == [1, 1, 3]
    of_text = rollout.is_of_text(language_model)
    assert sum(of_text) >= 4
    for name, scores in ppo.scores(rollout, judges).items():
        again = score_texts(language_model, reward_models[name], list(zip(PROMPTS[:8], rollout.texts, strict=True)))
        gap = np.abs(scores - again)[of_text]  # bfloat16, another batch
        assert gap.max() < 0.1, name
        assert gap.mean() < 0.05, name
        assert np.std(again) > 0.1, name


def test_a_rollout_knows_which_of_its_texts_have_other_tokens(language_model: LanguageModel) -> None:
    rollout = made(language_model).sample(PROMPTS[:3], seed=0)
    texts = ("Blue is a colour.", "Blue is a colour.", "Blue is a colour.")
    own = language_model.response_ids(texts[0])
    split = [*language_model.response_ids("Bl")[:-1], *language_model.response_ids("ue is a colour.")]
    tokens = torch.zeros(3, len(split), dtype=torch.long)
    tokens[0, : len(own)], tokens[1, : len(split)] = torch.tensor(own), torch.tensor(split)
    tokens[2, : len(own) - 1] = torch.tensor(own[:-1])
    cases = replace(
        rollout,
        texts=texts,
        tokens_BT=tokens,
        lengths_B=torch.tensor([len(own), len(split), len(own) - 1]),
        finished_B=torch.tensor([True, True, False]),
    )
    assert split != own
    assert cases.is_of_text(language_model) == [True, False, True]


def test_the_first_step_begins_at_ratio_one_and_no_divergence(language_model: LanguageModel) -> None:
    ppo = made(language_model)
    rollout = ppo.sample(PROMPTS[:8], seed=0)
    judged, seen = ppo._judged(rollout)
    assert seen["kl_k1"] == 0.0
    assert seen["kl_k3"] == 0.0
    assert seen["standardised_reward"] == pytest.approx(0.0, abs=1e-5)
    figures = ppo.loss(ppo.batch(judged), ppo._current(rollout, torch.arange(8))).figures
    assert figures["clip_share"].item() <= 0.05  # the rounding of bfloat16 in batches of another shape
    assert figures["update_kl"].item() < 2e-3
    one_layer = [name for name, value in ppo.policy.named_parameters() if value.requires_grad]
    assert {name.split(".")[2] for name in one_layer if "layers" in name} == {"0"}


def test_a_step_made_again_from_a_kept_state_is_the_same(tiny: LanguageModel) -> None:
    first = made(tiny)
    first.step(PROMPTS[:8])
    state = first.state()
    expected = first.step(PROMPTS[8:16])
    again = made(tiny)
    again.restore(state)
    assert again.steps_done == 1
    assert again.step(PROMPTS[8:16]) == expected
    for name, value in first.state().items():
        assert torch.equal(again.state()[name], value), name
    former = made(tiny)
    former.restore({name.replace("optimizer.", "optimiser."): value for name, value in state.items()})
    for name, value in state.items():
        assert torch.equal(former.state()[name], value), name


def test_what_is_no_number_stops_the_policy_with_a_reason(tiny: LanguageModel) -> None:
    ppo = made(tiny, score=lambda rollout: torch.full((len(rollout),), torch.nan))
    with pytest.raises(Diverged, match="in step 1"):
        ppo.step(PROMPTS[:8])
    near = made(tiny, SMALL.model_copy(update={"kl_limit": 1e-9, "actor_learning_rate": 1e-3}))
    near.step(PROMPTS[:8])
    with pytest.raises(Diverged, match=r"KL from π_0 is .* nats, above kl_limit 1e-09 in step 2"):
        near.step(PROMPTS[8:16])


@pytest.mark.nightly
def test_the_reward_rises_well_beyond_noise_and_a_large_penalty_keeps_the_policy_near(
    language_model: LanguageModel,
) -> None:
    """A transparent reward, the share of the letter e, on the real model."""
    skip_without_avx512("ten minutes")
    settings = PPOSettings(steps=8, checkpoints=(8,), batch_responses=64, actor_learning_rate=5e-4)
    prompts = [prompt for prompt in PROMPTS[:16] for _ in range(4)]
    free = made(language_model, settings, max_new_tokens=16, score=share_of_e)
    before = share_of_e(free.sample(prompts, seed=100))
    for _ in range(settings.steps):
        free.step(prompts)
    after_rollout = free.sample(prompts, seed=100)
    after = share_of_e(after_rollout)
    error = float(torch.sqrt((before.var() + after.var()) / len(prompts)))
    assert float(after.mean() - before.mean()) > 4 * error
    kl = float(free.divergence(after_rollout)[1].mean())
    assert kl > 0.5

    held = made(language_model, settings, kl_coefficient=20.0, max_new_tokens=16, score=share_of_e)
    for _ in range(3):
        held.step(prompts)
    assert float(held.divergence(held.sample(prompts, seed=100))[1].mean()) < 0.25 * kl


def test_a_file_that_is_gone_or_cut_off_holds_nothing(tmp_path: Path) -> None:
    path, state = tmp_path / "state.safetensors", {"a": torch.arange(600.0), "b": torch.ones(2, 3)}
    assert load_tensors(path) is None
    save_file(state, path)
    loaded = load_tensors(path)
    assert loaded is not None
    assert all(torch.equal(loaded[name], tensor) for name, tensor in state.items())
    whole = path.read_bytes()
    for length in (0, 4, 60, 1000, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert load_tensors(path) is None
