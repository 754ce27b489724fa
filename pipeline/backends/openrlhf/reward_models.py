"""Reward models trained by OpenRLHF's `train_rm`, all layers, in processes of its own environment.

Its loss is −log σ(r_chosen − r_rejected). It departs from `pipeline/models/training.py` in that

- it has no regulariser, so nothing fixes the offset of the scores, nor their scale where pairs can be told apart;
- the token embedding is trained too. So what it leaves is a whole model: it scores like one that was trained elsewhere,
  read in float32, and the policies trained against it are OpenRLHF's;
- weights are saved in bfloat16;
- of an epoch, the pairs that do not fill a last batch are left out.

torch's launcher starts one process, or several, a GPU each. A training that was stopped starts again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pipeline.backends.openrlhf.launch import launch, written
from pipeline.backends.openrlhf.log import LastWords
from pipeline.backends.openrlhf.trainer import Hung, train
from pipeline.config import RewardModelSettings
from pipeline.errors import InvalidConfig, TrainingFailed
from pipeline.scoring.texts import Text

MODULE = "openrlhf.cli.train_rm"
Pair = tuple[Text, Text]
"""The chosen text, the rejected one."""
_SILENCE_LIMIT_S = 3600.0


def train_rm_arguments(
    settings: RewardModelSettings, base: Path, folder: Path, *, pairs: int, longest_tokens: int, seed: int
) -> list[str]:
    """Arguments for MODULE, which trains on `train.jsonl` of `folder` and writes the model into `model` there.

    Without a data set to evaluate on, OpenRLHF takes a hundredth of the pairs, and fails if that is none.
    Raises InvalidConfig for settings that it cannot follow.
    """
    parts = settings.processes * settings.gradient_accumulation
    if pairs < settings.batch_pairs:
        raise InvalidConfig(
            f"reward_models.batch_pairs is {settings.batch_pairs}, and OpenRLHF leaves out a batch that is not full: "
            f"of {pairs} training pairs nothing is learnt; lower batch_pairs"
        )
    return written(
        {
            "model.model_name_or_path": base.absolute(),
            "model.gradient_checkpointing_enable": settings.gradient_checkpointing,
            "data.dataset": (folder / "train.jsonl").absolute(),
            "eval.dataset": (folder / "validation.jsonl").absolute(),
            "data.apply_chat_template": True,
            "data.max_samples": pairs,
            "data.max_len": longest_tokens,
            "train.batch_size": settings.batch_pairs,
            "train.micro_batch_size": settings.batch_pairs // parts,
            "train.max_epochs": settings.epochs,
            "train.seed": seed,
            "adam.lr": settings.learning_rate,
            "adam.betas": (0.9, 0.999),
            "adam.eps": 1e-8,
            "adam.weight_decay": settings.weight_decay,
            "lr_scheduler": "cosine",
            "lr_warmup_ratio": settings.warmup_share,
            "max_norm": 1.0,
            "ds.value_head_prefix": "score",
            "ckpt.output_dir": (folder / "model").absolute(),
            "ckpt.path": (folder / "states").absolute(),
        }
    )


def train_reward_model(
    settings: RewardModelSettings,
    base: Path,
    folder: Path,
    log: Path,
    *,
    pairs: Sequence[Pair],
    validation_pairs: Sequence[Pair],
    longest_tokens: int,
    seed: int,
) -> Path:
    """Train a reward model in an existing folder, from a base with a head; returns the folder of the whole model.

    What OpenRLHF prints is appended to `log`.

    Raises TrainingFailed, which says why, ModelUnavailable without OpenRLHF.
    """
    openrlhf = launch()
    for name, rows in (("train", pairs), ("validation", validation_pairs)):
        lines = (json.dumps({"chosen": _turns(chosen), "rejected": _turns(rejected)}) for chosen, rejected in rows)
        (folder / f"{name}.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    arguments = train_rm_arguments(
        settings, base, folder, pairs=len(pairs), longest_tokens=longest_tokens, seed=seed % 2**31
    )
    processes = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={settings.processes}"]
    command = [openrlhf.python, *processes, "-m", MODULE, *arguments]
    heard = LastWords()
    try:
        code = train(command, log, _SILENCE_LIMIT_S, heard.line, environment=openrlhf.environment)
    except Hung as hung:
        raise TrainingFailed(f"OpenRLHF hung and was ended: {hung}; its last output is in {log}") from hung
    if code:
        raise TrainingFailed(f"OpenRLHF ended with exit code {code}: {heard.text}; its output is in {log}")
    return folder / "model"


def _turns(text: Text) -> list[dict[str, str]]:
    return [{"role": role, "content": part} for role, part in zip(("user", "assistant"), text, strict=True)]
