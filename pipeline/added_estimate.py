"""How long a reward model made elsewhere will take to score a run: by its own time on some of the run's texts."""

from __future__ import annotations

import time
from pathlib import Path

import polars as pl

from pipeline import added, runs, texts
from pipeline.config import AddedRewardModel
from pipeline.estimate import duration
from pipeline.memory import peak_resident_bytes
from pipeline.runs import RunDirectory

_TRIED = 32


def text(data: Path, run_id: str, settings: AddedRewardModel) -> str:
    """What it takes, in two lines. Raises UnknownRun, DamagedRun, and what the reward model does where it cannot score.

    The run's texts are tried by their length, evenly; a rate is of this machine and at this hour.
    """
    wanted = sorted(texts_of(runs.open_run(data, run_id)), key=lambda one: (len(one[0]) + len(one[1]), one))
    tried = wanted[:: -(-len(wanted) // _TRIED)]
    begun = time.perf_counter()
    scoring = added.opened_without_policy(settings)
    scoring.score(tried[:1])
    loaded = time.perf_counter()
    scoring.score(tried)
    each_s = (time.perf_counter() - loaded) / len(tried)
    return "\n".join(
        [
            f"about {duration(loaded - begun + each_s * len(wanted))}, up to {peak_resident_bytes() / 1e9:.1f} GB of "
            f"memory here; {settings.name} scores {len(wanted):,} texts of {run_id}",
            f"  {each_s:.3f} s a text, measured on {len(tried)} of them; {loaded - begun:.1f} s until the first",
        ]
    )


def texts_of(run: RunDirectory) -> set[texts.Text]:
    """All that a reward model which joins the run scores: validation pairs, test responses, PPO's checkpoints."""
    answers = (texts.answered(run, stage).select("prompt", "text") for stage in ("test_responses", "ppo"))
    return {*pl.concat(answers).iter_rows(), *texts.of_pairs(run.read("preference").filter(split="validation"))}
