"""Training failed policies again: what they left is removed, so that the run is unfinished and `flow` completes it.

Their ids are written to `retry.json` first, in one step, and removed last. So a run that is killed in between still
retries them, whoever resumes it. The checkpoints of the earlier attempt are removed too: OpenRLHF starts at the first
step again, and a policy's rows are those of one training. Its log is kept.

Policies that diverged are not retried: with the same seed they would diverge again.
"""

from __future__ import annotations

from pipeline.backends.openrlhf.checkpoints import TRAINING
from pipeline.backends.openrlhf.launch import require_engine
from pipeline.runs import RunDirectory, now, records
from pipeline.runs.records import RunProgress, StageProgress
from pipeline.stages.checkpoints import STAGE, Job, jobs

_REQUEST = "retry.json"
_CHECKPOINT_TABLES = ("policy", "policy_value", "score", "response")


def request(run: RunDirectory) -> list[str]:
    """Note the failed policies for whoever works on the run next; returns their ids, empty if none failed.

    Raises ModelUnavailable if OpenRLHF is still missing, RunBusy for a run that is running, DamagedRun.
    """
    policies = sorted({*_requested(run), *failed(run)})
    if policies:
        require_engine(run.config)
        with run.held():
            run.write_json(run.path / _REQUEST, policies)
    return policies


def is_requested(run: RunDirectory) -> bool:
    """Whether policies are to be trained again and their training has not started yet."""
    return (run.path / _REQUEST).exists()


def why_nothing(run: RunDirectory) -> str:
    """Why there is nothing to retry, in a line."""
    diverged = _with_state(run, "diverged")
    note = f"; {', '.join(diverged)} diverged and would diverge again with the same seed" if diverged else ""
    return f"nothing to retry in {run.run_id}: none of its policies failed{note}"


def remove_failed(run: RunDirectory) -> list[str]:
    """Remove what the policies to be retried left, if there are any; returns their ids. The caller holds the run.

    The seconds that their stage took so far remain part of its time.
    """
    policies = _requested(run)
    if not policies:
        return []
    with run.write_errors(run.path):
        facts = run.stage_facts(STAGE)
        if facts:
            earlier = StageProgress(STAGE, "running", wall_s=facts["wall_s"])
            run.write_progress(RunProgress(started_at=now(), updated_at=now(), stages=(earlier,)))
        run.discard("stages/publish.json", "manifest.json", f"stages/{STAGE}.json")
        for job in jobs(run.config.ppo, run.config.reward_models.trained_ids) if run.config.ppo else []:
            if job.ppo_id in policies:
                run.discard(*_files_of(run, job))
        run.discard(_REQUEST)
    return policies


def failed(run: RunDirectory) -> list[str]:
    """Ids of the policies that could not be trained. Raises DamagedRun."""
    by_openrlhf = run.config.ppo is not None and run.config.ppo.engine == "openrlhf"
    return _with_state(run, "failed") if by_openrlhf else []


def _files_of(run: RunDirectory, job: Job) -> list[str]:
    """Patterns of a policy's files; those of added reward models' scores have more after the checkpoint's name."""
    assert run.config.ppo is not None
    checkpoints = [job.unit_at(step) for step in run.config.ppo.of(job.algorithm).checkpoints]
    parts = [f"{table}/{STAGE}-{unit}" for table in _CHECKPOINT_TABLES for unit in checkpoints]
    return [
        *(f"{part}{more}.parquet" for part in parts for more in ("", "[-+]*")),
        f"training_curve/{STAGE}-{job.unit}.parquet",
        f"ppo_run/{STAGE}-{job.unit}.parquet",
        f"work/curves/{job.unit}.jsonl",
        f"work/{STAGE}/{TRAINING}/{job.unit}",
    ]


def _requested(run: RunDirectory) -> list[str]:
    remedy = f"remove it and run `righttree resume --retry {run.run_id}` again"
    return records.read(run.path / _REQUEST, list[str], remedy) or []


def _with_state(run: RunDirectory, state: str) -> list[str]:
    return run.read("ppo_run").filter(state=state)["ppo_id"].sort().to_list()
