"""What OpenRLHF leaves on the disk: `global_step{N}_hf` for every checkpoint, `final`, and states to go on from.

What OpenRLHF is given of a run: a reward model as a Hugging Face folder, and the prompts of all steps as a file.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from safetensors import SafetensorError, safe_open

from pipeline.config import PPOSettings
from pipeline.context import Context
from pipeline.errors import InvalidConfig
from pipeline.scoring.scorer import Scorer
from pipeline.scoring.texts import of_pairs
from pipeline.stages.checkpoints import rollout_prompts

FINAL = "final"


def drop_broken_states(checkpoints: Path) -> None:
    """Remove states to go on from if the newest is not there, as after a kill in the first: OpenRLHF would fail on it.

    DeepSpeed writes the name of a state into `latest` once it is whole.
    """
    actor = checkpoints / "_actor"
    try:
        whole = (actor / (actor / "latest").read_text(encoding="utf-8").strip()).is_dir()
    except OSError:
        whole = False
    if not whole:
        for name in ("_actor", "_critic"):
            shutil.rmtree(checkpoints / name, ignore_errors=True)


def checkpoint_folder(checkpoints: Path, step: int, last_step: int) -> Path | None:
    """The whole Hugging Face folder of a step, or None; of the last step `final` serves too."""
    there = [checkpoints / f"global_step{step}_hf"]
    if step == last_step:
        there.append(checkpoints / FINAL)
    return next((folder for folder in there if is_whole(folder)), None)


def is_whole(folder: Path) -> bool:
    """Whether a model's folder was written to its end: a config, and safetensors as long as their headers say.

    OpenRLHF writes folders in place, so one that it was killed in is there too.
    """
    index = folder / "model.safetensors.index.json"
    try:
        json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if index.exists():
            names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        else:
            names = {"model.safetensors"}
        for name in names:
            with safe_open(folder / name, framework="numpy"):
                """Opening it checks that the file is as long as its header says."""
        return True
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError):
        return False


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
