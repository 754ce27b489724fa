"""Profiles validate, and what does not is named in one line."""

from __future__ import annotations

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


def test_a_seed_given_replaces_the_profile_s(tmp_path: Path) -> None:
    assert load_profile("smoke", seed=7).seed == 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed = 'one'", "seed: .*got 'one'"),
        ("[policy]\ntemperature = 0", "policy.temperature"),
        ("[policy]\ntemprature = 1.0", "policy.temprature"),
        ("[reward_models]\nflip_rates = [0.1, 0.1]", "reward_models: flip_rates has to hold two or more"),
        ("[reward_models]\nflip_rates = [0.1, 1.5]", "flip_rates"),
        ("[prompts]\ncategories = ['Chitchat']", "categories has to be some of"),
        ("seed = ", "not TOML"),
        ("[test]\nrm_test_responses = 1", "rm_test_responses"),
        ("[policy]\ntemperature = nan", "policy.temperature"),
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
