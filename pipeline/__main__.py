"""The command line: `righttree`, also `python -m pipeline`.

Bad input ends with one line on standard error and exit code 2; what fails for another reason, with exit code 1.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipeline import added, estimate, extend, flow, jobs, runs
from pipeline.cluster.options import EngineOptions, add_options, opened
from pipeline.config import load_profile, profile_names
from pipeline.errors import PipelineError
from pipeline.models.installed import require_sampler
from pipeline.openrlhf_launch import require_engine
from pipeline.plan import command as plan_command
from warehouse import store
from warehouse.errors import WarehouseError

_EPILOG = """\
The data folder is ./data, or RIGHTTREE_HOME; the warehouse is warehouse.duckdb in it, runs are in runs/.
The embedded model is kept in ~/.cache/righttree, or RIGHTTREE_CACHE.

examples:
  righttree run --profile quick              train, optimise, score and publish; a few minutes on two cores
  righttree resume                           go on with the newest stopped run
  righttree extend RUN --flip-rate 0.15      add a reward model; all else is taken over from RUN
  righttree add-rm --run RUN --model FOLDER  add a reward model made elsewhere; docs/import.md
  righttree cancel                           stop the run that is at work
  righttree measure --measure accuracy --optimizer bon --n 8 --category Chat
  righttree findings --output findings.md    which claims about reward models hold in the newest run
  righttree import scores.parquet            explore scores made elsewhere; docs/import.md shows every accepted form
  righttree app                              explore what is published, in a browser
  righttree doctor                           what is here, what is missing, what to do about it
"""

_WATCH_S = 2.0


def build_parser() -> argparse.ArgumentParser:
    """The whole command line, as `--help` shows it."""
    parser = argparse.ArgumentParser(
        prog="righttree",
        description="Does a reward model's accuracy predict the policy it yields? Train, optimise, measure, explore.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, does: str, handler: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        parsed = commands.add_parser(name, help=does, description=does[0].upper() + does[1:] + ".", allow_abbrev=False)
        parsed.set_defaults(handler=handler)
        return parsed

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

    deleted = command("delete", "delete a run for good, from the data folder and from the warehouse", _delete)
    deleted.add_argument("run", metavar="RUN", help="id of the run; one that is at work has to be cancelled first")
    deleted.add_argument("--yes", action="store_true", help="do not ask")

    listed = command("runs", "list the runs with their state, the newest first", _runs)
    listed.add_argument("--watch", action="store_true", help="list them anew every two seconds, until Ctrl-C")

    publish = command("publish", "put finished runs into the warehouse again", _publish)
    publish.add_argument("runs", nargs="*", metavar="RUN", help="ids of the runs (default: all finished ones)")

    measure = command("measure", "print how well a measure predicts the regret of the optimised policy", _measure)
    _add_measure_options(measure)

    found = command(
        "findings", "write what a run says of each claim: figures, intervals and computed verdicts", _findings
    )
    found.add_argument("--run", metavar="RUN", help="id of the run (default: the newest finished one)")
    found.add_argument("--output", type=Path, metavar="FILE", help="Markdown file to write (default: print the page)")
    found.add_argument("--replicates", type=int, default=1000, metavar="B", help="bootstrap replicates (default: 1000)")
    found.add_argument(
        "--seed", type=int, default=0, metavar="S", help="seed of bootstrap, drawn prompts and noise (default: 0)"
    )

    taken = command("import", "take scores made elsewhere, or an exported run, into the warehouse as a run", _import)
    taken.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="Parquet, CSV, JSONL or JSON: scores, and beside them preferences and policy values; or one folder that "
        "`righttree export` wrote",
    )
    taken.add_argument("--run-id", metavar="ID", help="name of the run (default: made from the time, or the exported)")
    taken.add_argument(
        "--layout",
        default="auto",
        metavar="NAME",
        help="form of the scores: long, wide, rewardbench or rm-bench (default: auto, told by the columns)",
    )

    data = command("data", "read preference data sets, say what is kept of them, and write it into one file", _data)
    _add_data_options(data)

    export = command("export", "write a whole run as Parquet into a new folder, which `import` takes back", _export)
    export.add_argument("folder", type=Path, metavar="FOLDER", help="folder to make; it must not exist yet")
    export.add_argument("--run", metavar="RUN", help="id of the run (default: the newest finished one)")

    handed = command(
        "export-rm",
        "write a trained reward model as a Hugging Face folder for sequence classification, with its base",
        _export_rm,
    )
    handed.add_argument("folder", type=Path, metavar="FOLDER", help="folder to make; it must not exist yet")
    handed.add_argument("--run", required=True, metavar="RUN", help="id of the run that trained it")
    handed.add_argument("--reward-model", required=True, metavar="NAME", help="its id in the run, e.g. flip-0.00")
    handed.add_argument(
        "--dtype",
        default="float32",
        metavar="TYPE",
        help="of the weights: float32 (default), or bfloat16, half as large",
    )

    app = command("app", "open the dashboard", _app)
    app.add_argument("--port", type=int, default=8501, help="port to serve on (default: 8501)")
    app.add_argument(
        "--address", default="127.0.0.1", help="address to bind to (default: 127.0.0.1, this machine only)"
    )
    app.add_argument(
        "--run", metavar="PROFILE", help="also work on a run of this profile in the background, unless one is finished"
    )

    command("doctor", "say what is installed, what is missing, and what to do about it", _doctor)
    return parser


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
    parser.add_argument("--detach", action="store_true", help="work in the background and return at once")
    add_options(parser)


def _add_data_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="Parquet, JSONL, JSON or CSV (the last three may be gzipped), a folder of them, or an hf:// path",
    )
    parser.add_argument("--as", dest="name", metavar="NAME", help="what the files are (default: told by the columns)")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="S", help="draws pairs and the validation share (default: 0)"
    )
    parser.add_argument(
        "--validation-share",
        type=float,
        default=0.06,
        metavar="X",
        help="share of the prompts whose pairs are for validation (default: 0.06, the paper's)",
    )
    parser.add_argument(
        "--ranked-pairs",
        type=int,
        default=4,
        metavar="K",
        help="most pairs drawn of one prompt's ranked responses (default: 4)",
    )
    parser.add_argument(
        "--max-characters",
        type=int,
        default=8192,
        metavar="N",
        help="longest prompt and response together (default: 8192, about 2048 tokens)",
    )
    parser.add_argument(
        "--pairs-per-source", type=int, metavar="N", help="most pairs drawn of one source (default: all)"
    )
    parser.add_argument(
        "--to", type=Path, metavar="FILE", help="write the pairs into this Parquet file; `import` reads it"
    )


def _add_measure_options(parser: argparse.ArgumentParser) -> None:
    def option(*names: str, help: str, **settings: Any) -> None:  # noqa: A002
        parser.add_argument(*names, help=help, **settings)

    option("--run", metavar="RUN", help="id of the run (default: the newest finished one)")
    option("--measure", default="accuracy", metavar="NAME", help="RM-error measure, or all (default: accuracy)")
    option("--compare", metavar="A,B", help="two measures: the paired bootstrap of their difference")
    option("--optimizer", default="bon", metavar="NAME", help="bon (default) or ppo")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--n",
        "--strength",
        dest="strength",
        type=float,
        metavar="N",
        help="n of best-of-n or PPO step (default: the largest)",
    )
    where.add_argument(
        "--kl", type=float, metavar="NATS", help="policies that are this far from the initial one, between strengths"
    )
    option("--kl-coefficient", type=float, metavar="C", help="KL penalty of PPO (default: that of most policies)")
    option("--level", choices=("pooled", "within"), default="pooled", help="all pairs (default) or within each golden")
    option("--category", default="all", metavar="NAME", help="category of the RM-test prompts, or all (default)")
    option("--subset", action="append", metavar="NAME", help="subset of the RM-test prompts; may be repeated")
    option("--rl-category", default="all", metavar="NAME", help="category of the RL-test prompts, or all (default)")
    option("--source", default="initial", metavar="A[,B…]", help="whose responses: a policy, or ppo (default: initial)")
    option("--paraphrase", type=float, default=0.0, metavar="SHARE", help="share of RM-test prompts to paraphrase")
    option("--responses", type=int, metavar="R", help="responses per RM-test prompt (default: all there are)")
    option("--prompts", type=int, metavar="P", help="so many RM-test prompts, drawn by the seed (default: all)")
    option("--budget", type=int, metavar="A", help="annotations to spend on R responses each of A // R prompts")
    option("--rank-bins", type=int, metavar="K", help="golden order cut into K bins; only pairs across bins count")
    option("--noise", type=float, metavar="Q", help="share of the golden pairs that the annotator flips")
    option("--replicates", type=int, default=1000, metavar="B", help="bootstrap replicates (default: 1000)")
    option("--seed", type=int, default=0, metavar="S", help="seed of bootstrap, prompts and noise (default: 0)")
    option("--json", action="store_true", help="print one JSON object")
    option("--export", type=Path, metavar="FILE", help="also write a .json, .csv or .parquet file")


def _run(arguments: argparse.Namespace) -> int:
    data, config = store.home(), load_profile(arguments.profile, arguments.seed, arguments.sampler)
    engine = EngineOptions.of(arguments)
    if arguments.estimate:
        return _say(estimate.estimate(data, config))
    if arguments.plan:
        print(plan_command.text(data, plan_command.planned(config, arguments), arguments))
        return 0
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
    engine = EngineOptions.of(arguments)
    run = extend.create(data, arguments.run, additions, arguments.run_id)
    return _start(run, arguments.detach, engine)


def _add_rm(arguments: argparse.Namespace) -> int:
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
    data, engine = store.home(), EngineOptions.of(arguments)
    run_id = arguments.run
    if run_id is None:
        stopped = [found.run_id for found in jobs.list_runs(data) if found.state in ("interrupted", "failed")]
        if not stopped:
            print("nothing to resume: no run is stopped")
            return 0
        run_id = stopped[0]
    return _work_on(runs.open_run(data, run_id), engine)


def _cancel(arguments: argparse.Namespace) -> int:
    data = store.home()
    run_id = arguments.run or jobs.at_work(data)
    if run_id is None:
        print("nothing to cancel: no run is at work")
        return 0
    jobs.cancel(data, run_id)
    print(f"{run_id} is stopped; `righttree resume {run_id}` goes on with it")
    return 0


def _delete(arguments: argparse.Namespace) -> int:
    data, run_id = store.home(), arguments.run
    if not arguments.yes:
        if not sys.stdin.isatty():
            raise PipelineError(f"{run_id} is not deleted: nobody can be asked here; add --yes")
        if input(f"delete {run_id} and its rows in the warehouse for good? [y/N] ").strip().lower() not in ("y", "yes"):
            print(f"{run_id} is not deleted")
            return 0
    jobs.delete(data, run_id)
    print(f"{run_id} is deleted")
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


def _runs(arguments: argparse.Namespace) -> int:
    _list_runs()
    while arguments.watch:
        time.sleep(_WATCH_S)
        print("\033[H\033[2J" if sys.stdout.isatty() else "", flush=True)
        _list_runs()
    return 0


def _list_runs() -> None:
    found = jobs.list_runs(store.home())
    if not found:
        print(f"no runs in {store.home()}; start one with `righttree run --profile quick`")
    for run in found:
        done = sum(stage.state == "done" for stage in run.stages)
        doing = next((_doing(stage) for stage in run.stages if stage.state == "running"), "")
        waits = f"waits for {run.waits_for}" if run.waits_for else ""
        detail = run.error if run.state == "failed" else waits or doing
        stages = f"{done}/{len(run.stages)} stages"
        print(f"{run.run_id}  {run.state:<11}  {stages}  {run.wall_s:6.0f} s  {detail or ''}".rstrip(), flush=True)


def _doing(stage: jobs.StageProgress) -> str:
    rate = f", {stage.rate_per_s:.1f} per s" if stage.rate_per_s else ""
    left = f", {stage.eta_s:.0f} s left" if stage.eta_s is not None else ""
    return f"{stage.name} {stage.done}/{stage.total} {stage.unit}{rate}{left}"


def _publish(arguments: argparse.Namespace) -> int:
    from pipeline.stages.publish import publish_run

    data = store.home()
    named = arguments.runs or [run_id for run_id in runs.run_ids(data) if runs.open_run(data, run_id).is_finished]
    if not named:
        raise PipelineError(f"no finished run in {data}; start one with `righttree run --profile quick`")
    for run in [runs.open_run(data, run_id) for run_id in named]:
        print(f"{run.run_id}: {sum(publish_run(run).values())} rows")
    return 0


def _measure(arguments: argparse.Namespace) -> int:
    from pipeline.measure import report

    print(report(store.home(), arguments))
    return 0


def _findings(arguments: argparse.Namespace) -> int:
    from pipeline.findings import findings

    print(findings(store.home(), arguments.run, arguments.output, arguments.replicates, arguments.seed))
    return 0


def _import(arguments: argparse.Namespace) -> int:
    from pipeline.outside import import_files

    print(import_files(store.home(), arguments.files, arguments.run_id, arguments.layout).line)
    return 0


def _data(arguments: argparse.Namespace) -> int:
    from pipeline.data_sets.gather import Rules, gather
    from pipeline.data_sets.report import report, write

    rules = Rules(
        arguments.seed,
        arguments.validation_share,
        arguments.ranked_pairs,
        arguments.max_characters,
        arguments.pairs_per_source,
    )
    pairs, counts = gather(arguments.files, rules, arguments.name)
    print(report(counts))
    if arguments.to is not None:
        write(pairs, arguments.to)
        print(f"{pairs.height} pairs are in {arguments.to}")
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from pipeline.outside import export_run

    print(export_run(store.home(), arguments.run, arguments.folder))
    return 0


def _export_rm(arguments: argparse.Namespace) -> int:
    from pipeline.export_rm import export_rm

    print(export_rm(store.home(), arguments.run, arguments.reward_model, arguments.folder, arguments.dtype))
    return 0


def _app(arguments: argparse.Namespace) -> int:
    from pipeline import recorded

    data = store.home()
    try:
        published = recorded.publish_if_empty(data)
    except WarehouseError as error:  # a folder that is only read: the dashboard says what is missing
        print(f"righttree: the recorded run cannot be published: {error}", file=sys.stderr)
    else:
        if published:
            print(f"{published.run_id}, the recorded run, is published: {published.counts}")
    if arguments.run:
        print(jobs.ensure(data, load_profile(arguments.run)))
    # -P: a file of the user's folder must not stand in for a module of the same name
    command = [sys.executable, "-P", "-m", "app"]
    options = {
        "server.address": arguments.address,
        "server.port": arguments.port,
        "server.headless": "true",
        "browser.gatherUsageStats": "false",
    }
    command += [f"--{name}={value}" for name, value in options.items()]
    print(
        f"dashboard on http://{'localhost' if arguments.address == '127.0.0.1' else arguments.address}:{arguments.port}"
    )
    sys.stdout.flush()
    os.execve(sys.executable, command, {**os.environ, "RIGHTTREE_HOME": str(data)})


def _doctor(_: argparse.Namespace) -> int:
    from pipeline.doctor import examine

    findings = examine(store.home())
    for finding in findings:
        print(f"{'ok     ' if finding.ok else 'MISSING'} {finding.what}: {finding.found}")
        if not finding.ok:
            print(f"        → {finding.remedy}")
    return 0 if all(finding.ok for finding in findings) else 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = build_parser().parse_args(argv)
    try:
        return int(arguments.handler(arguments))
    except (PipelineError, WarehouseError) as error:
        print(f"righttree: {error}", file=sys.stderr)
        return 2
    except store.Damaged as error:
        print(f"righttree: {store.damage(store.home(), error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("righttree: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0
    except OSError as error:  # a disk that is full or fails, under something that is not the run's own
        print(f"righttree: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
