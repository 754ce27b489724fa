"""Profiles validate, and what does not is named in one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.config import Config, load_profile, profile_names
from pipeline.errors import InvalidConfig


@pytest.mark.parametrize("name", profile_names())
def test_profiles_that_come_along_load_under_their_own_name(name: str) -> None:
    assert load_profile(name).profile == name


def test_quick_is_what_the_method_asks_for() -> None:
    quick = load_profile("quick")
    assert len(quick.reward_models.flip_rates) == 5
    assert quick.reward_models.flip_rates[0] == 0.0
    assert quick.reward_models.flip_rates[-1] == 0.4
    assert quick.best_of_n[0] == 1
    assert quick.best_of_n[-1] == quick.test.rl_test_samples


def test_strengths_double_up_to_the_number_of_samples() -> None:
    config = Config.model_validate({"profile": "x", "test": {"rl_test_samples": 12}})
    assert config.best_of_n == (1, 2, 4, 8, 12)


OTHERS = """
[reward_models]
flip_rates = [0.0, 0.25]
learning_rate = 1e-3
[[reward_models.others]]
kind = "size"
train_share = 0.25
[[reward_models.others]]
kind = "depth"
trainable_layers = 2
learning_rate = 1e-4
epochs = 2
[[reward_models.others]]
kind = "depth"
trainable_layers = -1
[[reward_models.others]]
kind = "seed"
number = 1
[[reward_models.others]]
kind = "length"
length_bias = 0.5
[[reward_models.others]]
kind = "length"
length_bias = 0.5
flip_rate = 0.1
"""


def test_reward_models_of_every_kind_have_readable_ids_and_differ_in_what_they_say(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(OTHERS)
    settings = load_profile(str(path)).reward_models
    names = ["flip-0.00", "flip-0.25", "size-0.25", "depth-2", "depth-all", "seed-1", "length-0.50"]
    assert [plan.reward_model_id for plan in settings.plans] == [*names, "length-0.50-flip-0.10"]
    assert settings.ids == tuple(sorted([*names, "length-0.50-flip-0.10"]))
    assert settings.depths == (-1, 0, 2)
    plans = {plan.reward_model_id: plan for plan in settings.plans}
    clean = replace(plans["flip-0.00"], reward_model_id="", kind="")
    changes = {
        "flip-0.25": {"flip_rate": 0.25},
        "size-0.25": {"train_share": 0.25},
        "depth-2": {"trainable_layers": 2, "learning_rate": 1e-4, "epochs": 2},
        "depth-all": {"trainable_layers": -1},
        "seed-1": {},
        "length-0.50": {"length_bias": 0.5},
        "length-0.50-flip-0.10": {"length_bias": 0.5, "flip_rate": 0.1},
    }
    for name, changed in changes.items():
        assert plans[name] == replace(clean, reward_model_id=name, kind=name.split("-")[0], **changed)


def test_without_others_the_reward_models_are_the_flip_rates() -> None:
    assert load_profile("quick").reward_models.ids == ("flip-0.00", "flip-0.10", "flip-0.20", "flip-0.30", "flip-0.40")


def other(*settings: str) -> str:
    return "\n".join(["[[reward_models.others]]", *settings])


def family(*settings: str) -> str:
    return "\n".join(["[reward_models]", *settings])


def test_a_seed_given_replaces_the_profile_s(tmp_path: Path) -> None:
    assert load_profile("smoke", seed=7).seed == 7


def test_all_layers_can_be_trained_in_parts_and_by_several_processes(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    settings = ("trainable_layers = -1", "batch_pairs = 64", "gradient_accumulation = 8", "processes = 8")
    path.write_text(family(*settings, "gradient_checkpointing = true"))
    read = load_profile(str(path)).reward_models
    assert (read.gradient_accumulation, read.processes, read.gradient_checkpointing) == (8, 8, True)
    path.write_text(family("processes = 2") + "\n" + other("kind = 'depth'", "trainable_layers = -1"))
    assert load_profile(str(path)).reward_models.depths == (-1, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed = 'one'", "seed: .*got 'one'"),
        ("[policy]\ntemperature = 0", "policy.temperature"),
        ("[policy]\ntemprature = 1.0", "policy.temprature"),
        (
            "[reward_models]\nflip_rates = [0.1, 0.1]",
            "reward_models.flip_rates: two values differ by less than 0.01",
        ),
        ("[reward_models]\nflip_rates = [0.1]", "reward_models.flip_rates: give at least 2"),
        ("[reward_models]\nflip_rates = [0.1, 1.5]", "flip_rates"),
        ("[prompts]\ncategories = ['Chitchat']", "prompts.categories.0: 'Chitchat' is no category; use some of"),
        ("seed = ", "not TOML"),
        ("[test]\nrm_test_responses = 1", "rm_test_responses"),
        (
            "[test]\nsource_temperatures = [0.5, 0.5]",
            "test.source_temperatures: two values differ by less than 0.01",
        ),
        ("[policy]\ntemperature = nan", "policy.temperature"),
        ("[ppo]\ntrainable_layers = 0", "ppo: trainable_layers has to be 1 or more, or -1 for all"),
        ("[ppo]\nsteps = 4", "ppo: checkpoints has to be ascending steps that end with 4"),
        ("[ppo]\nbatch_responses = 6", "ppo: batch_responses has to be a multiple of samples_per_prompt, 4"),
        ("[ppo]\nbatch_responses = 8\nminibatches = 9", "ppo: minibatches has to be at most batch_responses, 8"),
        ("[ppo]\nsweep = [0.1, 0.1]", "ppo.sweep: the same value occurs twice"),
        ("[ppo]\nsweep = [0.0]", "ppo: sweep has to hold KL coefficients other than kl_coefficient, 0"),
        ("[ppo]\nalgorithms = []", "ppo.algorithms: give at least 1"),
        ("[prompts]\ncategories = []", "prompts.categories: give at least 1"),
        ("[prompts]\ncategories = ['Chat', 'Chat']", "prompts.categories: the same value occurs twice"),
        ("[ppo]\nsweep_reward_models = ['flip-9']", "ppo.sweep_reward_models has 'flip-9'"),
        (other("kind = 'colour'"), r"reward_models.others.0.kind: .*'size', 'depth', 'seed' or 'length'"),
        (other("kind = 'size'"), "kind 'size' needs train_share, and no other of"),
        (other("kind = 'size'", "train_share = 1.0"), "reward_models.others.0.train_share: .*less than 1"),
        (other("kind = 'seed'", "number = 1", "length_bias = 0.5"), "kind 'seed' needs number, and no other of"),
        (other("kind = 'length'", "length_bias = 0"), "reward_models.others.0.length_bias: .*greater than 0"),
        (other("kind = 'depth'", "trainable_layers = 0"), "others has a depth of 0, which is the family's"),
        (2 * (other("kind = 'seed'", "number = 1") + "\n"), "others has seed-1 more than once"),
        (family("processes = 2", "trainable_layers = 2"), "reward_models: processes is 2, and only reward models with"),
        (family("gradient_checkpointing = true"), "reward_models: gradient_checkpointing saves memory where layers"),
        (family("gradient_accumulation = 33"), "gradient_accumulation × processes is 33: a step of 32 batch_pairs has"),
        (family("trainable_layers = -1", "gradient_accumulation = 8", "processes = 8"), "processes is 64: a step of"),
        (family("gradient_accumulation = 0"), "reward_models.gradient_accumulation: .*greater than or equal to 1"),
    ],
)
def test_a_bad_setting_is_named_with_what_was_got(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InvalidConfig, match=message) as caught:
        load_profile(str(path))
    assert "\n" not in str(caught.value)


def test_a_profile_that_is_not_there_lists_those_that_are() -> None:
    with pytest.raises(InvalidConfig, match="quick"):
        load_profile("qwick")
    with pytest.raises(InvalidConfig, match="cannot be read"):
        load_profile("/nowhere/mine.toml")
