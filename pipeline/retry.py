"""Policies that a trainer outside failed to make, made again: their run takes up its stage `ppo` and is published anew.

Which ones is noted in the run's work folder before anything is removed, and the stage removes what they left before it
trains them: wherever a process is killed on the way, `resume` goes on. Those that diverged would diverge again, by the
same seed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from pipeline.checkpoints import STAGE, Job
from pipeline.errors import PipelineError
from pipeline.runs import RunDirectory

_ASKED = "retry.json"
_OF_CHECKPOINTS = ("policy", "policy_value", "score", "response")
_OF_POLICIES = ("training_curve", "ppo_run")


def failed(run: RunDirectory) -> list[str]:
    """Ids of the policies that could not be trained, in table `ppo_run`; not of those that diverged."""
    if run.config.ppo is None or run.config.ppo.engine != "openrlhf":
        return []
    rows = run.read("ppo_run", STAGE).filter(pl.col("state") == "failed")
    return sorted(rows["ppo_id"].to_list())


def ask(run: RunDirectory) -> list[str]:
    """Have the policies that failed made again when the run is worked on next; returns their ids.

    Raises PipelineError if none has failed, RunBusy if the run is at work.
    """
    with run.held():
        asked = failed(run)
        if not asked:
            raise PipelineError(f"run {run.run_id} has no policy that could not be trained: there is nothing to retry")
        note = json.dumps(asked)
        run.write_atomically(run.work(STAGE, _ASKED), lambda path: path.write_text(note))
        run.reopen(STAGE)
    return asked


def forget(run: RunDirectory, jobs: Iterable[Job], checkpoints: Iterable[int]) -> None:
    """Remove what the policies left that are asked for, so that they are missing."""
    note = run.work(STAGE, _ASKED)
    if not note.exists():
        return
    asked = set(json.loads(note.read_text()))
    for job in jobs:
        if job.ppo_id in asked:
            for unit in (job.unit_at(step) for step in checkpoints):
                _remove(run.parts(table, STAGE, unit) for table in _OF_CHECKPOINTS)
            _remove(run.parts(table, STAGE, job.unit, further=False) for table in _OF_POLICIES)
    note.unlink()


def _remove(parts: Iterable[list[Path]]) -> None:
    for part in (part for found in parts for part in found):
        part.unlink(missing_ok=True)
