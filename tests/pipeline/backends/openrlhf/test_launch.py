"""The arguments for OpenRLHF, read by the argument parser of OpenRLHF's own wheel, which is taken out of its source."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.backends.openrlhf.launch import CLIP_RANGE, MODULE, Places, train_ppo_arguments
from pipeline.config import Algorithm, Config, PPOSettings
from pipeline.errors import InvalidConfig
from tests.pipeline.backends.openrlhf.site import main_block, up_to

HERE = Path("/data")
PPO: dict[str, Any] = {
    "steps": 30,
    "checkpoints": (10, 20, 30),
    "kl_coefficient": 0.03,
    "trainable_layers": -1,
    "batch_responses": 96,
    "samples_per_prompt": 6,
    "epochs": 3,
    "minibatches": 4,
    "actor_learning_rate": 3e-6,
    "critic_learning_rate": 2e-5,
    "gae_lambda": 0.95,
    "clip_range": 0.15,
    "value_clip_range": 0.25,
    "clip_norm": 0.7,
    "truncation_score": -1e-5,
    "openrlhf": {"gpus": 2, "max_prompt_tokens": 500},
}
EXPECTED: dict[str, Any] = {
    "actor.model_name_or_path": "/models/policy",
    "data.prompt_dataset": "/data/prompts.jsonl",
    "data.input_key": "prompt",
    "data.apply_chat_template": True,
    "data.max_samples": 480,
    "data.max_len": 700,
    "rollout.max_new_tokens": 200,
    "rollout.temperature": 0.8,
    "rollout.batch_size": 16,
    "rollout.n_samples_per_prompt": 6,
    "train.num_episodes": 1,
    "train.batch_size": 24,
    "train.max_epochs": 3,
    "train.seed": 7,
    "train.colocate_all": True,
    "actor.adam.lr": 3e-6,
    "actor.adam.betas": [0.9, 0.999],
    "actor.adam.eps": 1e-5,
    "actor.lr_scheduler": "constant",
    "actor.lr_warmup_ratio": 0.0,
    "actor.max_norm": 0.7,
    "actor.eps_clip": 0.15,
    "actor.num_gpus_per_node": 2,
    "critic.num_gpus_per_node": 2,
    "reward.num_gpus_per_node": 2,
    "ref.num_gpus_per_node": 2,
    "vllm.num_engines": 2,
    "vllm.enable_sleep": True,
    "vllm.gpu_memory_utilization": 0.5,
    "ds.enable_sleep": True,
    "algo.kl.init_coef": 0.03,
    "reward.stop_properly_penalty_coef": -1e-5,
    "ckpt.path": "/data/checkpoints",
    "ckpt.output_dir": "/data/checkpoints/final",
    "ckpt.save_steps": 10,
    "ckpt.save_hf": True,
    "ckpt.max_num": 2,
    "ckpt.load_enable": True,
}
DISCOUNTS = {"ppo": 0.97, "reinforce++": 0.98, "rloo": 1.0, "grpo": 1.0}
CRITIC = {
    "critic.model_name_or_path": "/models/critic",
    "critic.adam.lr": 2e-5,
    "critic.adam.betas": [0.9, 0.999],
    "critic.adam.eps": 1e-5,
    "critic.lr_scheduler": "constant",
    "critic.lr_warmup_ratio": 0.0,
    "critic.max_norm": 0.7,
    "critic.value_clip": 0.25,
    "algo.advantage.lambd": 0.95,
}


@pytest.fixture(scope="module")
def parser(wheel: Path) -> argparse.ArgumentParser:
    """OpenRLHF's parser: what its module does as a program up to `parse_args`, with the standard library alone."""
    made: dict[str, Any] = {"argparse": argparse, "datetime": datetime}
    exec(compile(up_to(main_block(wheel), "args = parser.parse_args()"), MODULE, "exec"), made)
    found = made["parser"]
    assert isinstance(found, argparse.ArgumentParser)
    found.allow_abbrev = False  # so that no flag of ours is only the beginning of one
    return found


def profile(**changed: Any) -> Config:
    policy = {"temperature": 0.8, "max_new_tokens": 200}
    return Config.model_validate({"profile": "large", "seed": 7, "policy": policy, "ppo": {**PPO, **changed}})


def places(algorithm: str = "ppo", reward: str = "/models/reward", prompts: Path = HERE / "prompts.jsonl") -> Places:
    critic = "/models/critic" if algorithm == "ppo" else None
    return Places("/models/policy", reward, prompts, HERE / "checkpoints", critic)


def arguments(algorithm: Algorithm, reward: str = "/models/reward") -> list[str]:
    return train_ppo_arguments(profile(discount=DISCOUNTS[algorithm]), places(algorithm, reward), algorithm=algorithm)


@pytest.mark.parametrize(
    ("algorithm", "estimator", "kl"),
    [
        ("ppo", "gae", ("k1", False)),
        ("reinforce++", "reinforce", ("k1", False)),
        ("rloo", "rloo", ("k1", False)),
        ("grpo", "group_norm", ("k3", True)),
    ],
)
def test_every_setting_arrives(
    parser: argparse.ArgumentParser, algorithm: Algorithm, estimator: str, kl: tuple[str, bool]
) -> None:
    parsed = vars(parser.parse_args(arguments(algorithm)))
    expected = {**EXPECTED, **(CRITIC if algorithm == "ppo" else {"critic.model_name_or_path": None})}
    assert {name: parsed[name] for name in expected} == expected
    assert (parsed["algo.advantage.estimator"], parsed["algo.advantage.gamma"]) == (estimator, DISCOUNTS[algorithm])
    assert (parsed["algo.kl.estimator"], parsed["algo.kl.use_loss"]) == kl
    assert (parsed["reward.model_name_or_path"], parsed["reward.remote_url"]) == ("/models/reward", None)
    assert parsed["reward.clip_range"] == [*CLIP_RANGE]


def test_a_reward_server_takes_the_place_of_a_model(parser: argparse.ArgumentParser) -> None:
    parsed = vars(parser.parse_args(arguments("ppo", "http://scores:5000/get_reward")))
    assert parsed["reward.remote_url"] == "http://scores:5000/get_reward"
    assert parsed["reward.model_name_or_path"] is None


def test_what_openrlhf_does_unless_told(parser: argparse.ArgumentParser) -> None:
    assert parser.get_default("reward.clip_range") == (-10, 10)
    assert parser.get_default("actor.lr_scheduler") != "constant"
    assert CLIP_RANGE[0] < -10 < 10 < CLIP_RANGE[1]


@pytest.mark.parametrize(
    "old", ["--pretrain", "--reward_pretrain", "--remote_rm_url", "--prompt_data", "--init_kl_coef", "--save_steps"]
)
def test_flags_without_dots_are_refused(
    parser: argparse.ArgumentParser, old: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parser.parse_args([*arguments("ppo"), old, "1"])
    assert f"unrecognized arguments: {old}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changed", "algorithm", "named"),
    [
        ({"trainable_layers": 2}, "ppo", "trainable_layers has to be -1, all, got 2"),
        ({"truncation_score": 0.5}, "ppo", "truncation_score has to be below 0 or left out, got 0.5"),
        ({"discount": 0.9}, "rloo", "rloo needs a discount of 1 and samples_per_prompt of 2 or more, got 0.9 and 6"),
        (
            {"samples_per_prompt": 1},
            "grpo",
            "grpo needs a discount of 1 and samples_per_prompt of 2 or more, got 1.0 and 1",
        ),
        ({"minibatches": 5}, "ppo", "multiple of minibatches × GPUs, got 96, 5 and 2"),
        ({}, "dpo", "algorithm has to be one of"),
    ],
)
def test_what_openrlhf_cannot_follow_is_refused(changed: dict[str, Any], algorithm: Any, named: str) -> None:
    with pytest.raises(InvalidConfig, match=r"OpenRLHF 0\.11\.2: ") as refused:
        train_ppo_arguments(profile(**changed), places(algorithm), algorithm=algorithm)
    assert named in str(refused.value)


def test_an_algorithm_s_own_settings_and_a_repeat_s_seed_are_passed_on(parser: argparse.ArgumentParser) -> None:
    own = {"rloo": {"epochs": 5, "batch_responses": 48, "steps": 10, "checkpoints": [5, 10], "repeats": 2}}
    config = profile(engine="openrlhf", algorithms=["ppo", "rloo"], each=own)
    first, second = (
        vars(parser.parse_args(train_ppo_arguments(config, places("rloo"), algorithm="rloo", seed=seed)))
        for seed in (1, 2)
    )
    of_ppo = vars(parser.parse_args(train_ppo_arguments(config, places("ppo"), algorithm="ppo")))
    assert (first["train.max_epochs"], of_ppo["train.max_epochs"]) == (5, 3)
    assert (first["rollout.batch_size"], of_ppo["rollout.batch_size"]) == (8, 16)
    assert (first["data.max_samples"], of_ppo["data.max_samples"]) == (80, 480)
    assert (first["ckpt.save_steps"], of_ppo["ckpt.save_steps"]) == (5, 10)
    assert {name for name in first if first[name] != second[name]} == {"train.seed"}


def test_places_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InvalidConfig, match="needs a critic, got None"):
        train_ppo_arguments(profile(), places("rloo"))
    with pytest.raises(InvalidConfig, match="no comma"):
        train_ppo_arguments(profile(), places(reward="http://one,http://two"))
    with pytest.raises(InvalidConfig, match="nor @ in prompts"):
        train_ppo_arguments(profile(), places(prompts=HERE / "a@b.jsonl"))
    with pytest.raises(InvalidConfig, match="ppo is missing, from which"):
        train_ppo_arguments(Config(profile="none"), places())


def test_every_setting_of_ppo_is_passed_on_or_explained() -> None:
    """A setting that is added to the profile has to be mapped, or to be named as left out."""
    text = Path(sys.modules[train_ppo_arguments.__module__].__file__ or "").read_text(encoding="utf-8")
    assert [
        name for name in PPOSettings.model_fields if f"settings.{name}" not in text and f"`{name}`" not in text
    ] == []
