"""The whole run in order: read this first.

The stages and their order are `STAGES`, in `pipeline/stages`. Each is a module with one function
`run(context) -> StageResult`, which reads the tables of earlier stages, calls models, and writes its own tables as
parts. A stage that has its marker is skipped; a stopped one resumes at its first missing part. So `execute` serves new
and stopped runs alike, and both end with the same rows.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Sequence
from typing import TextIO

from pipeline.context import Context, Engine, StageResult, make_here
from pipeline.errors import PipelineError
from pipeline.machine import peak_resident_bytes, sleep_while_waiting
from pipeline.provenance import code_version
from pipeline.runs import RunDirectory, retry
from pipeline.runs.progress import Progress
from pipeline.stages import STAGES
from warehouse.errors import WarehouseError


def execute(
    run: RunDirectory, out: TextIO = sys.stderr, engine: Engine = make_here, *, stages: Sequence[str] = STAGES
) -> None:
    """Complete a run, whatever state it is in; returns at once for a finished one.

    `engine` makes the parts of the heavy stages: this process, or another engine of `pipeline/backends`. `stages`: the
    first of all stages, where only these are wanted. Only one run executes per data folder: while another one does,
    this waits and says so.

    Raises RunBusy if another process works on the run, and whatever stopped it, which is also noted in its `error.txt`.
    """
    if all(run.is_done(stage) for stage in stages) and not retry.is_requested(run):
        return

    def on_wait(other: str) -> None:
        print(f"[{run.run_id}] waiting: {other} is running in this data folder", file=out, flush=True)

    with run.working(on_wait):
        run.write_error(None)
        retried = retry.remove_failed(run)
        sleep_while_waiting()
        progress = Progress(run, list(STAGES), out)
        context = Context(run, progress, engine)
        if retried:
            progress.say(f"retrying {', '.join(retried)}")
        try:
            for stage in stages:
                _complete(stage, context, progress)
        except (PipelineError, WarehouseError) as error:
            run.write_error(str(error))
            progress.say(f"stopped: {error}")
            raise
        except KeyboardInterrupt:
            progress.say(f"stopped by the user; `righttree resume {run.run_id}` continues it")
            raise
        except Exception as error:
            run.write_error(f"{type(error).__name__}: {error}")
            progress.say(traceback.format_exc())
            raise
        finally:
            context.close()
            progress.close()


def _complete(stage: str, context: Context, progress: Progress) -> None:
    run = context.run
    if run.is_done(stage):
        progress.already_done(stage, run.stage_facts(stage))
        return
    progress.begin(stage)
    result: StageResult = importlib.import_module(f"pipeline.stages.{stage}").run(context)
    attempt = progress.end()
    facts = {
        "wall_s": round(attempt.earlier_s + attempt.wall_s, 3),
        "earlier_s": round(attempt.earlier_s, 3),
        "work_s": round(attempt.work_s, 3),
        "units": result.units,
        "made": attempt.made,
        "unit": result.unit,
        "engine": result.engine,
        "peak_resident_bytes": peak_resident_bytes(),
        "code_version": code_version(),
    }
    run.mark_done(stage, facts)
