"""Commands for what is kept: list, delete and publish runs, take data in and hand results on."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from pipeline import runs
from pipeline.cli import Command
from pipeline.errors import PipelineError
from pipeline.runs import jobs, recorded
from warehouse import store

_WATCH_S = 2.0


def add(command: Command) -> None:
    """`runs`, `delete`, `publish`, `import`, `data`, `export` and `export-rm`."""
    listed = command("runs", "list the runs with their state, the newest first", _runs)
    listed.add_argument("--watch", action="store_true", help="list them anew every two seconds, until Ctrl-C")

    publish = command("publish", "put finished runs into the warehouse again", _publish)
    publish.add_argument("runs", nargs="*", metavar="RUN", help="ids of the runs (default: all finished ones)")

    deleted = command("delete", "delete a run for good, from the data folder and from the warehouse", _delete)
    deleted.add_argument("run", metavar="RUN", help="id of the run; one that is at work has to be cancelled first")
    deleted.add_argument("--yes", action="store_true", help="do not ask")

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


def _runs(arguments: argparse.Namespace) -> int:
    recorded.provide(store.home(), required=False)
    _list_runs()
    while arguments.watch:
        time.sleep(_WATCH_S)
        print("\033[H\033[2J" if sys.stdout.isatty() else "", flush=True)
        _list_runs()
    return 0


def _list_runs() -> None:
    data = store.home()
    jobs.refresh(data)
    listed = jobs.list_runs(data)
    if not listed:
        print(f"no runs in {data}; start one with `righttree run --profile quick`")
    for run in listed:
        done = sum(stage.state == "done" for stage in run.stages)
        doing = next((_doing(stage) for stage in run.stages if stage.state == "running"), "")
        waits = f"waits for {run.waits_for or f'Ray at {run.submitted_to}'}" if run.state == "waiting" else ""
        detail = run.error if run.state in ("failed", "unreadable") else waits or doing
        stages = f"{done}/{len(run.stages)} stages"
        print(f"{run.run_id}  {run.state:<11}  {stages}  {run.wall_s:6.0f} s  {detail or ''}".rstrip(), flush=True)
    for run_id in recorded.published_runs(data):
        if run_id not in {run.run_id for run in listed}:
            print(f"{run_id}  published    imported, without a run directory", flush=True)


def _doing(stage: jobs.StageProgress) -> str:
    rate = f", {stage.rate_per_s:.1f} per s" if stage.rate_per_s else ""
    left = f", {stage.eta_s:.0f} s left" if stage.eta_s is not None else ""
    return f"{stage.name} {stage.done}/{stage.total} {stage.unit}{rate}{left}"


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


def _publish(arguments: argparse.Namespace) -> int:
    from pipeline.stages.publish import publish_run

    data = store.home()
    readable = [run.run_id for run in jobs.list_runs(data) if run.state != "unreadable"]
    named = arguments.runs or [run_id for run_id in readable if runs.open_run(data, run_id).is_finished]
    if not named:
        raise PipelineError(f"no finished run in {data}; start one with `righttree run --profile quick`")
    for run in [runs.open_run(data, run_id) for run_id in named]:
        with run.held():  # so that nobody deletes it meanwhile
            print(f"{run.run_id}: {sum(publish_run(run).values())} rows")
    return 0


def _import(arguments: argparse.Namespace) -> int:
    from pipeline.runs.exchange import import_files

    print(import_files(store.home(), arguments.files, arguments.run_id, arguments.layout).line)
    return 0


def _data(arguments: argparse.Namespace) -> int:
    from pipeline.data_sets.gather import Rules, gather, report, write

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
    from pipeline.runs.exchange import export_run

    recorded.provide(store.home())
    print(export_run(store.home(), arguments.run, arguments.folder))
    return 0


def _export_rm(arguments: argparse.Namespace) -> int:
    from pipeline.scoring.export import export_rm

    print(export_rm(store.home(), arguments.run, arguments.reward_model, arguments.folder, arguments.dtype))
    return 0
