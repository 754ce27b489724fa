"""Policies that were trained elsewhere from π_0, and the memory that has to be free while they are."""

from __future__ import annotations

import gc
from pathlib import Path

import torch

from pipeline.models.language_model import LanguageModel, load


def load_fine_tuned(folder: Path, base: LanguageModel, threads: int = 0) -> LanguageModel:
    """The weights in a Hugging Face folder with the base's tokenizer and stop tokens, so that it sees what π_0 sees.

    Raises ModelUnavailable if they cannot be loaded.
    """
    model = load(str(folder), threads).model
    model.generation_config = base.model.generation_config
    return LanguageModel(str(folder), model, base.tokenizer)


def free_memory() -> None:
    """Give back what nothing refers to any more, on a GPU too."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
