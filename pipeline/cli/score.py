"""How a command names a reward model that was trained elsewhere."""

from __future__ import annotations

import argparse

from pipeline.cli import add_option
from pipeline.config import AddedRewardModel
from pipeline.scoring import added


def add_reward_model_options(parser: argparse.ArgumentParser) -> None:
    """The options that name a reward model trained elsewhere and say how it scores."""
    place = parser.add_mutually_exclusive_group(required=True)
    model = (
        "folder or hub id of a reward model with safetensors and a chat template, as transformers, TRL, OpenRLHF, "
        "LLaMA-Factory or PEFT (LoRA) save it"
    )
    add_option(place, "--model", "NAME", model)
    add_option(place, "--url", "URL", "http(s) address of a reward server that speaks OpenRLHF's protocol")
    add_option(parser, "--name", "NAME", "its id in the run (default: the name of the model or host)")
    output = parser.add_mutually_exclusive_group()
    add_option(output, "--attribute", "NAME", "the output that is the score, if the model has several: name or number")
    add_option(output, "--weights", "K=W,…", "a weighted sum of its outputs is the score, as in 0=0.5,1=0.5")
    add_option(parser, "--dtype", "TYPE", "type of the model's weights: bfloat16 or float32 (default: bfloat16)")
    add_option(parser, "--batch-texts", "N", "texts scored at once (default: 16)", int)
    add_option(parser, "--timeout", "S", "seconds that a server has to answer (default: 180)", float, dest="timeout_s")
    add_option(parser, "--tries", "N", "attempts per request to a server (default: 5)", int)


def reward_model(arguments: argparse.Namespace) -> AddedRewardModel:
    """The settings of the reward model that these options name. Raises InvalidSetting or ModelUnavailable."""
    names = ("model", "url", "name", "dtype", "batch_texts", "timeout_s", "tries")
    attributes = added.attributes_of(arguments.attribute, arguments.weights)
    return added.settings_of(**{name: vars(arguments)[name] for name in names}, attributes=attributes or None)
