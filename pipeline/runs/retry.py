"""Trying failed policies again: what is left of them is removed, and the run is an unfinished one, which `flow` ends.

Which they are is written down first, in one step, and forgotten last. So a run that is killed on the way is one that
was asked to try them again, whoever resumes it. The checkpoints of the earlier attempt go too: OpenRLHF begins at the
first step again, and the rows of a policy are those of one training. Its log is kept.

A policy that diverged is not tried again: with the same seed it would go the same way.
"""

from __future__ import annotations

from pydantic import TypeAdapter, ValidationError

from pipeline.backends.openrlhf.launch import require_engine
from pipeline.backends.openrlhf.run import TRAINING
from pipeline.errors import DamagedRun
from pipeline.runs import RunDirectory, now
from pipeline.runs.records import StageRecord
from pipeline.stages.checkpoints import STAGE, Job
from pipeline.stages.ppo import jobs

_ASKED = "retry.json"
_AT_CHECKPOINTS = ("policy", "policy_value", "score", "response")


def ask(run: RunDirectory) -> list[str]:
    """Have the policies that failed made again by whoever works on the run next; returns their ids, empty if none did.

    Raises ModelUnavailable where OpenRLHF is not here still, RunBusy for a run that is at work, DamagedRun.
    """
    wanted = sorted({*_asked(run), *failed(run)})
    if wanted:
        require_engine(run.config)
        with run.held():
            run.write_json(run.path / _ASKED, wanted)
    return wanted


def is_asked(run: RunDirectory) -> bool:
    """Whether policies are to be made again, and are not begun yet."""
    return (run.path / _ASKED).exists()


def nothing(run: RunDirectory) -> str:
    """Why there is nothing to try again, in a line."""
    diverged = _ended(run, "diverged")
    kept = f"; {', '.join(diverged)} diverged, which the same seed would do again" if diverged else ""
    return f"nothing to retry in {run.run_id}: no policy of it has failed{kept}"


def begin(run: RunDirectory) -> list[str]:
    """Remove what is left of the policies that are to be made again, if any are; returns their ids.

    For who holds the run. The seconds that the stage took before stay part of what it took.
    """
    wanted = _asked(run)
    if not wanted:
        return []
    with run.write_errors(run.path):
        facts = run.stage_facts(STAGE)
        if facts:
            earlier = StageRecord(name=STAGE, state="running", wall_s=facts["wall_s"])
            run.write_progress({"updated_at": now(), "stages": [earlier]})
        run.discard("stages/publish.json", "manifest.json", f"stages/{STAGE}.json")
        for job in _jobs(run):
            if job.ppo_id in wanted:
                run.discard(*_left_of(run, job))
        run.discard(_ASKED)
    return wanted


def _left_of(run: RunDirectory, job: Job) -> list[str]:
    """Patterns of a policy's files: of scores by others too, parts with more behind the name."""
    assert run.config.ppo is not None
    units = [job.unit_at(step) for step in run.config.ppo.checkpoints]
    return [
        *(
            f"{table}/{STAGE}-{unit}{more}.parquet"
            for table in _AT_CHECKPOINTS
            for unit in units
            for more in ("", "[-+]*")
        ),
        f"training_curve/{STAGE}-{job.unit}.parquet",
        f"ppo_run/{STAGE}-{job.unit}.parquet",
        f"work/curves/{job.unit}.jsonl",
        f"work/{STAGE}/{TRAINING}/{job.unit}",
    ]


def _asked(run: RunDirectory) -> list[str]:
    path = run.path / _ASKED
    try:
        return TypeAdapter(list[str]).validate_json(path.read_bytes()) if is_asked(run) else []
    except (OSError, ValidationError) as error:
        raise DamagedRun(
            f"run {run.run_id}: {path} cannot be read: remove it, and ask for `righttree resume --retry` again"
        ) from error


def failed(run: RunDirectory) -> list[str]:
    """Ids of the policies that could not be trained. Raises DamagedRun."""
    by_openrlhf = run.config.ppo is not None and run.config.ppo.engine == "openrlhf"
    return _ended(run, "failed") if by_openrlhf else []


def _ended(run: RunDirectory, state: str) -> list[str]:
    rows = run.read("ppo_run")
    return rows.filter(state=state)["ppo_id"].sort().to_list()


def _jobs(run: RunDirectory) -> list[Job]:
    config = run.config
    return jobs(config.ppo, config.reward_models.trained_ids) if config.ppo else []
