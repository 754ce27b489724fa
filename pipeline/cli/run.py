"""Commands on runs: start, resume, extend, cancel, list, publish and delete them."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from pipeline import runs
from pipeline.backends.openrlhf.launch import require_engine
from pipeline.backends.ray.options import EngineOptions, add_options
from pipeline.cli import AddCommand, add_option
from pipeline.cli.starting import add_start_options, execute, start
from pipeline.config import load_profile, profile_names
from pipeline.cost import command as plan_command
from pipeline.cost import estimate
from pipeline.errors import PipelineError
from pipeline.models.installed import require_pipeline, require_sampler
from pipeline.runs import exchange, extend, jobs, published_runs, results, retry
from warehouse import labels, reads, store
from warehouse.errors import InvalidRows, WarehouseError

_WATCH_S = 2.0


def add(command: AddCommand) -> None:
    """`run`, `resume`, `extend`, `cancel`, `runs`, `label`, `publish`, `delete` and `restore`."""
    run = command(
        "run",
        "train, optimise, score and publish; resumes a stopped run with the same settings",
        "righttree run --profile quick",
        _run,
    )
    profiles = f"one of {', '.join(profile_names())}, or the path of a .toml file"
    add_option(run, "--profile", "NAME", profiles, default="quick")
    add_option(run, "--seed", "S", "replace the profile's seed", int)
    add_option(run, "--sampler", "NAME", "replace the profile's sampler: transformers or vllm")
    run.add_argument("--new", action="store_true", help="start a fresh run even if a stopped one has the same settings")
    add_start_options(run)
    plan_command.add_options(run)

    resume = command("resume", "resume a stopped run", "righttree resume", _resume)
    resume.add_argument("run", nargs="?", metavar="RUN", help="id of the run (default: the newest stopped one)")
    resume.add_argument(
        "--retry",
        action="store_true",
        help="retrain the policies that failed in OpenRLHF, also in a finished run; policies that diverged are left as "
        "they are",
    )
    add_options(resume)

    extension = command(
        "extend",
        "create a new run from an existing one with more reward models, samples or PPO; everything already computed is "
        "reused",
        "righttree extend RUN --flip-rate 0.15",
        _extend,
    )
    extension.add_argument("run", metavar="RUN", help="id of the run to extend, finished or stopped; it is not changed")
    rates = "add a reward model with this share of its training labels flipped; may be repeated"
    add_option(extension, "--flip-rate", "X", rates, float, dest="flip_rates", action="append")
    kinds = (
        "add a reward model of another kind: size=0.25, depth=2, seed=1, length=0.5, margin-flip=0.2, "
        "only-category=Safety, category-flip=Safety,flip_rate=0.4 or ensemble=flip-0.00+seed-1, optionally followed by "
        "its own flip_rate, learning_rate or epochs (depth=2,learning_rate=1e-4); may be repeated"
    )
    add_option(extension, "--reward-model", "KIND=VALUE", kinds, dest="others", action="append")
    add_option(extension, "--rl-test-samples", "N", "samples per RL-test prompt, more than the run has", int)
    add_option(
        extension, "--ppo-steps", "S", "train policies by PPO with this many steps, in a run that trains none", int
    )
    add_start_options(extension)

    cancel = command("cancel", "stop a running or waiting run; `resume` continues it", "righttree cancel", _cancel)
    cancel.add_argument("run", nargs="?", metavar="RUN", help="id of the run (default: the one that is running)")

    listed = command("runs", "list all runs with their state, the newest first", "righttree runs --watch", _runs)
    listed.add_argument("--watch", action="store_true", help="list them again every two seconds, until Ctrl-C")

    publish = command("publish", "write finished runs into the warehouse again", "righttree publish", _publish)
    publish.add_argument("runs", nargs="*", metavar="RUN", help="ids of the runs (default: all finished ones)")

    delete = command(
        "delete", "delete a run permanently, from the data folder and the warehouse", "righttree delete RUN", _delete
    )
    delete.add_argument("run", metavar="RUN", help="id of the run; cancel it first if it is running")
    delete.add_argument("--yes", action="store_true", help="do not ask for confirmation")

    command("restore", "publish the recorded run again after it was deleted", "righttree restore", _restore)

    label = command(
        "label",
        "give a run a name and a note, or pin it: commands and pages take the pinned run if none is named",
        'righttree label RUN --name "less noise" --pin',
        _label,
    )
    label.add_argument("run", metavar="RUN", help="id of the run; its id does not change")
    add_option(label, "--name", "TEXT", "name that lists show before the id; an empty one removes it")
    add_option(label, "--note", "TEXT", "note that `runs` and the Runs page show; an empty one removes it")
    pinned = label.add_mutually_exclusive_group()
    pinned.add_argument("--pin", action="store_true", help="make it the default run, instead of the recorded one")
    pinned.add_argument("--unpin", action="store_true", help="no run is pinned; the recorded one is the default again")


def _run(arguments: argparse.Namespace) -> int:
    data, config = store.home(), load_profile(arguments.profile, arguments.seed, arguments.sampler)
    if arguments.estimate or arguments.plan:
        plan = "" if arguments.estimate else plan_command.text(data, plan_command.planned(config, arguments), arguments)
        print(plan or estimate.text(estimate.estimate(data, config)))
        return 0
    engine = EngineOptions.of(arguments)
    require_pipeline()
    require_sampler(config.policy.sampler)
    require_engine(config)
    stopped = None if arguments.new or arguments.run_id else jobs.stopped(data, config)
    if stopped:
        print(f"resuming {stopped}, which was stopped; --new starts a fresh run", file=sys.stderr)
    run = runs.open_run(data, stopped) if stopped else runs.create(data, config, arguments.run_id)
    return start(run, engine, detach=arguments.detach)


def _extend(arguments: argparse.Namespace) -> int:
    data = store.home()
    additions = {name: vars(arguments).get(name) for name in extend.ADDITIONS}
    if arguments.estimate:
        config = extend.extended(data, arguments.run, additions)
        print(estimate.text(estimate.of_extension(data, arguments.run, config)))
        return 0
    runs.open_run(data, arguments.run)  # raises at once for a run that has results only
    require_pipeline()
    engine = EngineOptions.of(arguments)
    run = extend.create(data, arguments.run, additions, arguments.run_id)
    return start(run, engine, detach=arguments.detach)


def _resume(arguments: argparse.Namespace) -> int:
    data, engine = store.home(), EngineOptions.of(arguments)
    if arguments.run:
        runs.open_run(data, arguments.run)  # raises at once for a run that has results only
    require_pipeline()

    def is_candidate(run: jobs.RunStatus) -> bool:
        if arguments.retry:
            return run.state != "unreadable" and bool(jobs.failed_policies(data, run.run_id))
        return run.state in ("interrupted", "failed")

    run_id = arguments.run or next((run.run_id for run in jobs.list_runs(data) if is_candidate(run)), None)
    if run_id is None:
        retry_reason = "nothing to retry: no run has a policy that could not be trained"
        print(retry_reason if arguments.retry else "nothing to resume: no run is stopped")
        return 0
    run = runs.open_run(data, run_id)
    if arguments.retry and not retry.request(run):
        print(retry.why_nothing(run))
        return 0
    return execute(run, engine)


def _cancel(arguments: argparse.Namespace) -> int:
    data = store.home()
    run_id = arguments.run or jobs.executing(data)
    if run_id is None:
        print("nothing to cancel: no run is running")
        return 0
    jobs.cancel(data, run_id)
    print(f"{run_id} is stopped; `righttree resume {run_id}` continues it")
    return 0


def _runs(arguments: argparse.Namespace) -> int:
    exchange.provide_recorded(store.home(), required=False)
    _list_runs()
    while arguments.watch:
        time.sleep(_WATCH_S)
        if sys.stdout.isatty() and sys.__stdout__ is not None:
            sys.__stdout__.write("\033[H\033[2J")  # printed, the codes would be shown instead of obeyed
        print(flush=True)
        _list_runs()
    return 0


def _list_runs() -> None:
    data = store.home()
    jobs.refresh(data)
    listed = jobs.list_runs(data)
    published = published_runs(data)
    named, default = labels.read(data), reads.runs.RECORDED
    others = list(dict.fromkeys([*published, *results.run_ids(data)]))
    if not listed and set(others) <= {default}:
        print(f"no runs of your own in {data}; start one with `righttree run --profile quick`")
    for run in listed:
        done = sum(stage.state == "done" for stage in run.stages)
        current = next((_progress(stage) for stage in run.stages if stage.state == "running"), "")
        waits = f"waits for {run.waits_for or f'Ray at {run.submitted_to}'}" if run.state == "waiting" else ""
        publish = f"not published; `righttree publish {run.run_id}`"
        state = jobs.shown_state(run, published)
        detail = run.error if run.state in ("failed", "unreadable") else waits or current
        stages = f"{done}/{len(run.stages)} stages"
        words = [f"{stages}  {run.wall_s:6.0f} s", detail or (publish if state == "finished" else "")]
        _print_run(run.run_id, state, "  ".join(words), named)
    for run_id in others:
        if run_id not in {run.run_id for run in listed}:
            recorded = "comes with righttree, " if run_id == default else ""
            state = jobs.PUBLISHED if run_id in published else "unpublished"
            _print_run(run_id, state, f"{recorded}results only", named)
    if default not in {*others, *(run.run_id for run in listed)}:
        _print_run(default, "absent", "comes with righttree; `righttree restore` publishes it", named)


def _print_run(run_id: str, state: str, detail: str, named: labels.Labels) -> None:
    """A line, and a second one with the name and the note, if it has them."""
    pinned = "  pinned" if run_id == named.pinned else ""
    print(f"{run_id}  {state:<11}  {detail.rstrip()}{pinned}".rstrip(), flush=True)
    label = named.of(run_id)
    if label != labels.Label():
        print("    " + " · ".join(text for text in (label.name, " ".join(label.note.split())) if text), flush=True)


def _progress(stage: jobs.StageProgress) -> str:
    rate = f", {stage.rate_per_s:.1f} per s" if stage.rate_per_s else ""
    left = f", {stage.eta_s:.0f} s left" if stage.eta_s is not None else ""
    return f"{stage.name} {stage.done}/{stage.total} {stage.unit}{rate}{left}"


def _publish(arguments: argparse.Namespace) -> int:
    from pipeline.stages.publish import publish_run

    data = store.home()
    whole = _rescued(data)
    run_ids = list(arguments.runs)
    for listed in [] if run_ids else jobs.list_runs(data):
        if listed.state == "unreadable":
            print(f"righttree: not published: {listed.error}", file=sys.stderr)
        elif runs.open_run(data, listed.run_id).is_finished:
            run_ids.append(listed.run_id)
    stored = results.run_ids(data)
    run_ids += [] if arguments.runs else stored
    if not run_ids:
        raise PipelineError(f"no finished run in {data}; start one with `righttree run --profile quick`")
    opened = {run_id: runs.open_run(data, run_id) for run_id in run_ids if run_id not in stored}
    for run_id in run_ids:
        try:
            if run_id in opened:
                with opened[run_id].held():  # so that nobody deletes it meanwhile
                    rows = publish_run(opened[run_id])
            else:
                rows = results.publish(data, run_id)
        except InvalidRows as error:
            if arguments.runs:
                raise
            print(f"righttree: not published: {error}", file=sys.stderr)
        else:
            print(f"{run_id}: {sum(rows.values())} rows")
    if not whole:  # a build of an older version can be read now
        _rescued(data)
    return 0


def _rescued(data: Path) -> bool:
    """Store the runs that are only in the warehouse, before another build takes its place; whether it could be read."""
    try:
        for run_id in results.rescue(data):
            print(f"{run_id}: was in the warehouse only, now stored in {runs.runs_folder(data) / run_id}")
    except WarehouseError as error:
        print(f"righttree: what is only in the warehouse is not stored: {error}", file=sys.stderr)
        return False
    return True


def _delete(arguments: argparse.Namespace) -> int:
    data, run_id = store.home(), arguments.run
    if not arguments.yes:
        if not sys.stdin.isatty():
            raise PipelineError(f"{run_id} is not deleted: confirmation needs a terminal; add --yes")
        answer = input(f"Delete {run_id} and its rows in the warehouse permanently? [y/N] ")
        if answer.strip().lower() not in ("y", "yes"):
            print(f"{run_id} is not deleted")
            return 0
    jobs.delete(data, run_id)
    print(f"{run_id} is deleted")
    return 0


def _restore(_: argparse.Namespace) -> int:
    restored = jobs.restore(store.home())
    print(f"{reads.runs.RECORDED} is published already" if restored is None else restored.line)
    return 0


def _label(arguments: argparse.Namespace) -> int:
    data, run_id = store.home(), arguments.run
    if arguments.name is None and arguments.note is None and not arguments.pin and not arguments.unpin:
        raise PipelineError("nothing to change: give --name, --note, --pin or --unpin")
    label = jobs.label(data, run_id, name=arguments.name, note=arguments.note)
    if arguments.pin or (arguments.unpin and labels.read(data).pinned == run_id):
        jobs.pin(data, run_id if arguments.pin else None)
    pinned = " (pinned)" if labels.read(data).pinned == run_id else ""
    print(f"{run_id}{pinned}: {label.name or 'no name'}; {label.note or 'no note'}")
    return 0
