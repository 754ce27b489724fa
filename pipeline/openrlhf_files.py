"""What OpenRLHF leaves on the disk: `global_step{N}_hf` for every checkpoint, `final`, and states to go on from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from safetensors import SafetensorError, safe_open

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
