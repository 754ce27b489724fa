"""Reward models by OpenRLHF: the command, read by its own parser, and what it cannot follow."""

from __future__ import annotations

import argparse
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.backends.openrlhf.reward_models import MODULE, train_rm_arguments
from pipeline.config import Config, RewardModelSettings
from pipeline.errors import InvalidConfig
from tests.pipeline.backends.openrlhf.site import main_block, up_to
from tests.pipeline.backends.openrlhf.wheel import source_of

SETTINGS: dict[str, Any] = {"engine": "openrlhf", "trainable_layers": -1, "regularisation": 0.0, "learning_rate": 5e-6}
SPLIT: dict[str, Any] = {"batch_pairs": 64, "gradient_accumulation": 4, "processes": 2}


def arguments(pairs: int = 90, **changed: Any) -> list[str]:
    settings = RewardModelSettings.model_validate({**SETTINGS, **SPLIT, **changed})
    return train_rm_arguments(settings, Path("/run/base"), Path("/run/x"), pairs=pairs, longest_tokens=300, seed=7)


def test_every_setting_arrives(wheel: Path) -> None:
    names: dict[str, Any] = {"argparse": argparse, "datetime": datetime}
    exec(compile(up_to(main_block(wheel, MODULE), "args = parser.parse_args()"), MODULE, "exec"), names)
    names["parser"].allow_abbrev = False
    parsed = vars(names["parser"].parse_args(arguments(epochs=2, gradient_checkpointing=True, weight_decay=0.1)))
    expected = {
        "model.model_name_or_path": "/run/base",
        "model.gradient_checkpointing_enable": True,
        "model.loss_type": "sigmoid",
        "data.dataset": "/run/x/train.jsonl",
        "eval.dataset": "/run/x/validation.jsonl",
        "data.chosen_key": "chosen",
        "data.rejected_key": "rejected",
        "data.apply_chat_template": True,
        "data.max_samples": 90,
        "data.max_len": 300,
        "train.batch_size": 64,
        "train.micro_batch_size": 8,
        "train.max_epochs": 2,
        "train.seed": 7,
        "adam.lr": 5e-6,
        "adam.betas": [0.9, 0.999],
        "adam.weight_decay": 0.1,
        "lr_scheduler": "cosine",
        "lr_warmup_ratio": 0.1,
        "max_norm": 1.0,
        "ds.value_head_prefix": "score",
        "ckpt.output_dir": "/run/x/model",
    }
    assert {name: parsed[name] for name in expected} == expected


def test_without_pairs_to_evaluate_on_it_would_take_a_hundredth_of_them(wheel: Path) -> None:
    assert "int(len(train_data) * 0.01)" in source_of(wheel, MODULE)  # 0 of 99, which it cannot map
    assert any(argument.startswith("--eval.dataset=") for argument in arguments())


def test_what_it_cannot_follow_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a multiple of processes × gradient_accumulation, 2 × 5"):
        RewardModelSettings.model_validate({**SETTINGS, **SPLIT, "gradient_accumulation": 5})
    with pytest.raises(InvalidConfig, match="of 63 training pairs nothing is learnt; lower batch_pairs"):
        arguments(pairs=63)
    with pytest.raises(ValueError, match=r"engine 'openrlhf' trains whole models, and trainable_layers are \[2\]"):
        RewardModelSettings.model_validate({**SETTINGS, "trainable_layers": 2})
    with pytest.raises(ValueError, match=r"regularisation is 0\.01, and engine 'openrlhf' has none in its loss"):
        RewardModelSettings.model_validate({**SETTINGS, "regularisation": 0.01})
    with pytest.raises(ValueError, match=r"set ppo\.engine to 'openrlhf' too, or leave ppo out"):
        Config.model_validate({"profile": "x", "reward_models": SETTINGS, "ppo": {"algorithms": ["ppo"]}})
