"""A run's settings: a profile (TOML), validated once and frozen. Units are in the names.

`smoke` runs every stage in a minute; `quick` is the default for two cores. A profile is data: copy one, change it, and
pass its path to `righttree run --profile`. One module for each section of a profile; `study.py` puts them together,
`profiles.py` reads them, and `changes.py` changes the few settings that pages and commands offer.
"""

from pipeline.config.data import PreferenceSettings, PromptSettings
from pipeline.config.fields import ALL_LAYERS, Share
from pipeline.config.optimization import Algorithm, PPOSettings
from pipeline.config.policy import EMBEDDED_MODEL
from pipeline.config.profiles import load_profile, profile_names, valid, validated
from pipeline.config.reward_models import AddedRewardModel, OtherRewardModel, RewardModelPlan, RewardModelSettings
from pipeline.config.study import Config

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
    "load_profile",
    "profile_names",
    "valid",
    "validated",
]
