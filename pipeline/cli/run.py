"""Commands that work on runs: start one, go on with it, make one of another, stop it."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from pipeline import flow, runs
from pipeline.backends.openrlhf.launch import require_engine
from pipeline.backends.ray.engine import opened
from pipeline.backends.ray.options import EngineOptions, add_options
from pipeline.cli import Command
from pipeline.config import load_profile, profile_names
from pipeline.cost import command as plan_command
from pipeline.cost import estimate
from pipeline.models.installed import require_pipeline, require_sampler
from pipeline.runs import extend, jobs, retry
from pipeline.scoring import added
from warehouse import store


def add(command: Command) -> None:
    """`run`, `resume`, `extend`, `add-rm` and `cancel`."""
    run = command(
        "run", "start a run of the pipeline, or take up a stopped one of the same settings, and publish it", _run
    )
    run.add_argument(
        "--profile",
        default="quick",
        metavar="NAME",
        help=f"one of {', '.join(profile_names())}, or the path of a .toml file (default: quick)",
    )
    run.add_argument("--seed", type=int, metavar="S", help="replaces the profile's seed")
    run.add_argument("--sampler", metavar="NAME", help="transformers or vllm: replaces the profile's sampler")
    run.add_argument("--run-id", metavar="ID", help="name of the run (default: made from profile and time)")
    run.add_argument("--new", action="store_true", help="start anew even if a stopped run has the same settings")
    run.add_argument("--estimate", action="store_true", help="say what it will take, and start nothing")
    run.add_argument("--detach", action="store_true", help="work in the background and return at once")
    plan_command.add_options(run)
    add_options(run)

    resume = command("resume", "go on with a stopped run", _resume)
    resume.add_argument(
        "run", nargs="?", metavar="RUN", help="id of the run (default: the newest that is not finished)"
    )
    resume.add_argument(
        "--retry",
        action="store_true",
        help="make those policies again, of a finished run too, that OpenRLHF could not train; what diverged stays",
    )
    add_options(resume)

    extended = command(
        "extend",
        "make a new run of a run, with reward models, samples or PPO added; only what is missing is computed",
        _extend,
    )
    _add_extend_options(extended)

    joined = command(
        "add-rm",
        "make a new run of a run, with a reward model made elsewhere: a Hugging Face model, or a server",
        _add_rm,
    )
    _add_rm_options(joined)

    cancel = command("cancel", "stop a run that is at work or waits; `resume` goes on with it", _cancel)
    cancel.add_argument("run", nargs="?", metavar="RUN", help="id of the run (default: the one at work)")


def _add_extend_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="id of the run to extend, finished or stopped; it stays as it is")
    parser.add_argument(
        "--flip-rate",
        dest="flip_rates",
        action="append",
        type=float,
        metavar="X",
        help="a reward model more, with this share of its training labels flipped; may be repeated",
    )
    parser.add_argument(
        "--reward-model",
        dest="others",
        action="append",
        metavar="KIND=VALUE",
        help="a reward model more of another kind: size=0.25, depth=2, seed=1 or length=0.5, and after commas "
        "flip_rate, learning_rate or epochs of its own (depth=2,learning_rate=1e-4); may be repeated",
    )
    parser.add_argument(
        "--rl-test-samples", type=int, metavar="N", help="samples per RL-test prompt, more than the run has"
    )
    parser.add_argument("--ppo-steps", type=int, metavar="S", help="PPO of so many steps, where the run has none")
    parser.add_argument("--run-id", metavar="ID", help="name of the new run (default: made from profile and time)")
    parser.add_argument("--estimate", action="store_true", help="say what it will take, and start nothing")
    parser.add_argument("--detach", action="store_true", help="work in the background and return at once")
    add_options(parser)


def _add_rm_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--run", required=True, metavar="RUN", help="id of the run that the reward model joins; it stays as it is"
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--model",
        metavar="NAME",
        help="folder or hub id of a sequence-classification model with one label, safetensors and a chat template",
    )
    where.add_argument(
        "--url", metavar="URL", help="http(s) address of a reward server that speaks OpenRLHF's protocol"
    )
    parser.add_argument("--name", metavar="NAME", help="its id in the run (default: the model's or host's name)")
    parser.add_argument(
        "--dtype", metavar="TYPE", help="of the model's weights: bfloat16 or float32 (default: bfloat16)"
    )
    parser.add_argument("--batch-texts", type=int, metavar="N", help="texts scored at once (default: 16)")
    parser.add_argument("--timeout", type=float, metavar="S", help="seconds that a server has to answer (default: 180)")
    parser.add_argument("--tries", type=int, metavar="N", help="tries of a request to a server (default: 5)")
    parser.add_argument("--run-id", metavar="ID", help="name of the new run (default: made from profile and time)")
    parser.add_argument(
        "--estimate", action="store_true", help="score some of the run's texts, say how long all will take, and stop"
    )
    parser.add_argument("--detach", action="store_true", help="work in the background and return at once")
    add_options(parser)


def _run(arguments: argparse.Namespace) -> int:
    data, config = store.home(), load_profile(arguments.profile, arguments.seed, arguments.sampler)
    if arguments.estimate:
        return _say(estimate.estimate(data, config))
    if arguments.plan:
        print(plan_command.text(data, plan_command.planned(config, arguments), arguments))
        return 0
    engine = EngineOptions.of(arguments)
    require_pipeline()
    require_sampler(config.policy.sampler)
    require_engine(config)
    stopped = None if arguments.new or arguments.run_id else jobs.stopped(data, config)
    if stopped:
        print(f"going on with {stopped}, which was stopped; --new starts another", file=sys.stderr)
    run = runs.open_run(data, stopped) if stopped else runs.create(data, config, arguments.run_id)
    return _start(run, arguments.detach, engine)


def _extend(arguments: argparse.Namespace) -> int:
    data = store.home()
    additions = {name: vars(arguments).get(name) for name in extend.ADDITIONS}
    if arguments.estimate:
        config = extend.extended(data, arguments.run, additions)
        return _say(estimate.of_extension(data, arguments.run, config))
    require_pipeline()
    engine = EngineOptions.of(arguments)
    run = extend.create(data, arguments.run, additions, arguments.run_id)
    return _start(run, arguments.detach, engine)


def _add_rm(arguments: argparse.Namespace) -> int:
    require_pipeline()
    data, engine = store.home(), EngineOptions.of(arguments)
    options = {
        "dtype": arguments.dtype,
        "batch_texts": arguments.batch_texts,
        "timeout_s": arguments.timeout,
        "tries": arguments.tries,
    }
    settings = added.described(arguments.model, arguments.url, arguments.name, options)
    additions = {"added": [settings.model_dump()]}
    config = extend.extended(data, arguments.run, additions)
    if arguments.estimate:
        print(estimate.of_added(data, arguments.run, settings))
        return 0
    added.try_out(settings)
    if config.ppo is not None:
        without = len(config.reward_models.added)
        print(
            f"{settings.name} scores what PPO's checkpoints answered; PPO against it is not run: "
            f"{without} of {len(config.reward_models.ids)} reward models are without",
            file=sys.stderr,
        )
    return _start(extend.create(data, arguments.run, additions, arguments.run_id), arguments.detach, engine)


def _resume(arguments: argparse.Namespace) -> int:
    require_pipeline()
    data, engine = store.home(), EngineOptions.of(arguments)
    run_id = arguments.run
    if arguments.retry:
        return _retry(data, run_id, engine)
    if run_id is None:
        stopped = [found.run_id for found in jobs.list_runs(data) if found.state in ("interrupted", "failed")]
        if not stopped:
            print("nothing to resume: no run is stopped")
            return 0
        run_id = stopped[0]
    return _work_on(runs.open_run(data, run_id), engine)


def _retry(data: Path, run_id: str | None, engine: EngineOptions) -> int:
    if run_id is None:
        readable = [run.run_id for run in jobs.list_runs(data) if run.state != "unreadable"]
        some = [run_id for run_id in readable if jobs.failed_policies(data, run_id)]
        if not some:
            print("nothing to retry: no run has a policy that could not be trained")
            return 0
        run_id = some[0]
    run = runs.open_run(data, run_id)
    if not retry.ask(run):
        print(retry.nothing(run))
        return 0
    return _work_on(run, engine)


def _cancel(arguments: argparse.Namespace) -> int:
    data = store.home()
    run_id = arguments.run or jobs.at_work(data)
    if run_id is None:
        print("nothing to cancel: no run is at work")
        return 0
    jobs.cancel(data, run_id)
    print(f"{run_id} is stopped; `righttree resume {run_id}` goes on with it")
    return 0


def _say(found: estimate.Estimate) -> int:
    print(estimate.text(found))
    return 0


def _start(run: runs.RunDirectory, detach: bool, engine: EngineOptions) -> int:
    if not detach:
        return _work_on(run, engine)
    jobs.resume(store.home(), run.run_id, engine)
    print(run.run_id)
    return 0


def _work_on(run: runs.RunDirectory, options: EngineOptions) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # to be cancelled is to be stopped by hand
    with opened(options) as engine:
        flow.execute(run, engine=engine)
    print(f"{run.run_id} is published; explore it with `righttree app`")
    return 0
