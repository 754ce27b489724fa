"""One of several processes that train a reward model together: `python -m pipeline.models.training_process FOLDER`.

`pipeline.training_processes` starts them, says in the folder what to train, and takes what the first of them leaves in
it: weights and curve. Each ends when its standard input does, so that none outlives the process that started it.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import asdict
from pathlib import Path

import polars as pl
import torch

from pipeline.config import ALL_LAYERS, RewardModelSettings
from pipeline.errors import PipelineError
from pipeline.memory import peak_resident_bytes
from pipeline.models.accelerated import Accelerated
from pipeline.models.language_model import load
from pipeline.models.reward_model import RewardModel
from pipeline.models.tokens import Tokens
from pipeline.models.training import train


def work(folder: Path) -> None:
    """Train, together with the others, what the folder says."""
    job = json.loads((folder / "job.json").read_text())
    settings = RewardModelSettings.model_validate(job["settings"])
    texts = list(pl.read_parquet(folder / "texts.parquet").iter_rows())
    pairs = {name: pl.read_parquet(folder / f"{name}.parquet").to_numpy() for name in ("train", "validation")}
    team = Accelerated(settings.processes)
    language_model = load(job["model"], job["threads"], getattr(torch, job["dtype"]), team.device)
    reward_model = RewardModel(language_model, ALL_LAYERS, job["seed"])
    language_model.base.layers = torch.nn.ModuleList()  # the reward model has its own; these are in the way
    tokens = Tokens(language_model, ALL_LAYERS, texts, settings.texts_at_once)
    curve = train(reward_model, tokens, pairs["train"], pairs["validation"], settings, job["seed"], team)
    weights = team.weights(reward_model)
    if team.rank == 0:
        reward_model.save(folder / "weights", weights)
        (folder / "curve.json").write_text(json.dumps([asdict(point) for point in curve]))
    (folder / f"peak-{team.rank}").write_text(str(peak_resident_bytes()))
    team.end()


def _end_with_the_one_that_started_it() -> None:
    os.read(sys.stdin.fileno(), 1)  # nothing is ever written to it
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_one_that_started_it, daemon=True).start()
    try:
        work(Path(sys.argv[1]))
    except PipelineError as error:
        sys.exit(str(error))
