"""What OpenRLHF is given of a run: a reward model as a Hugging Face folder, and the prompts of all steps as a file."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.config import PPOSettings
from pipeline.context import Context
from pipeline.errors import InvalidConfig
from pipeline.rollout_prompts import rollout_prompts
from pipeline.scoring import Scorer
from pipeline.texts import of_pairs

_TRIED_PAIRS = 50


def reward_folder(context: Context, reward_model_id: str, folder: Path) -> Path:
    """The reward model as a sequence classifier with a head `score`, in bfloat16; written once, whole or not at all."""
    if folder.exists():
        return folder
    from pipeline.models.sequence_classification import save

    texts = of_pairs(context.run.read("preference").head(_TRIED_PAIRS))
    reward_model = Scorer(context).reward_model(reward_model_id)

    def write(draft: Path) -> None:
        draft.mkdir()
        save(context.base_model, reward_model, draft, "bfloat16", texts)

    context.run.write_atomically(folder, write)
    return folder


def prompts_file(context: Context, settings: PPOSettings, path: Path) -> Path:
    """JSONL with a prompt of a step a line, step after step; those that OpenRLHF would cut are left out.

    Raises InvalidConfig if none is short enough.
    """
    texts = context.run.read("prompt").filter(split="rm_train").sort("prompt_id")["text"].to_list()
    longest = settings.openrlhf.max_prompt_tokens
    short = [text for text in texts if len(context.base_model.prompt_ids(text)) <= longest]
    if not short:
        raise InvalidConfig(f"ppo.openrlhf.max_prompt_tokens is {longest}; every training prompt is longer: raise it")
    if len(short) < len(texts):
        context.progress.say(f"{len(texts) - len(short)} training prompts of more than {longest} tokens are left out")
    lines = [
        json.dumps({"prompt": text})
        for step in range(settings.steps)
        for text in rollout_prompts(context, short, settings, step)
    ]
    context.run.write_atomically(path, lambda file: file.write_text("\n".join(lines) + "\n", encoding="utf-8"))
    return path
