"""How long a reward model trained elsewhere needs to score a run: measured on some of the run's texts."""

from __future__ import annotations

import time
from pathlib import Path

import polars as pl

from pipeline import added, runs, texts
from pipeline.config import AddedRewardModel
from pipeline.memory import peak_resident_bytes
from pipeline.runs import RunDirectory
from warehouse import formats

_TRIED = 32


def text(data: Path, run_id: str, settings: AddedRewardModel) -> str:
    """Time and memory, in two lines; every k-th of the run's texts, ordered by length, is scored to measure them.

    Raises UnknownRun, DamagedRun, and what a reward model raises that cannot score.
    """
    all_texts = sorted(texts_of(runs.open_run(data, run_id)), key=lambda one: (len(one[0]) + len(one[1]), one))
    tried = all_texts[:: -(-len(all_texts) // _TRIED)]
    begun = time.perf_counter()
    scoring = added.opened_without_policy(settings)
    scoring.score(tried[:1])
    loaded = time.perf_counter()
    scoring.score(tried)
    each_s = (time.perf_counter() - loaded) / len(tried)
    return "\n".join(
        [
            f"about {formats.roughly(loaded - begun + each_s * len(all_texts))}; up to "
            f"{formats.size(peak_resident_bytes())} of memory; {settings.name} scores {len(all_texts):,} texts of "
            f"{run_id}",
            f"  {each_s:.3f} s a text, measured on {len(tried)} of them; {loaded - begun:.1f} s until the first",
        ]
    )


def texts_of(run: RunDirectory) -> set[texts.Text]:
    """All that a reward model that joins the run scores: validation pairs, test responses, PPO's checkpoints."""
    answers = (texts.answered(run, stage).select("prompt", "text") for stage in ("test_responses", "ppo"))
    return {*pl.concat(answers).iter_rows(), *texts.of_pairs(run.read("preference").filter(split="validation"))}
