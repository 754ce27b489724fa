"""A run's settings: profiles (TOML) validated once and frozen. `profiles.py` has `Config` and reads profiles,
`sections.py` and `reward_models.py` have its sections, `changes.py` the few settings that pages and commands change."""

from pipeline.config.profiles import Config, load_profile, profile_names, valid, validated
from pipeline.config.reward_models import AddedRewardModel, OtherRewardModel, RewardModelPlan, RewardModelSettings
from pipeline.config.sections import (
    ALL_LAYERS,
    EMBEDDED_MODEL,
    Algorithm,
    PPOSettings,
    PreferenceSettings,
    PromptSettings,
    Share,
    TestSettings,
)

__all__ = [
    "ALL_LAYERS",
    "EMBEDDED_MODEL",
    "AddedRewardModel",
    "Algorithm",
    "Config",
    "OtherRewardModel",
    "PPOSettings",
    "PreferenceSettings",
    "PromptSettings",
    "RewardModelPlan",
    "RewardModelSettings",
    "Share",
    "TestSettings",
    "load_profile",
    "profile_names",
    "valid",
    "validated",
]
