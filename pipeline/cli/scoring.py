"""Commands in which a reward model trained elsewhere scores responses: score, of files, and add-rm, of a run."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from pipeline import runs
from pipeline.backends.ray.options import EngineOptions
from pipeline.cli import AddCommand, add_option, check_target
from pipeline.cli.starting import add_start_options, start
from pipeline.config import AddedRewardModel
from pipeline.cost import estimate
from pipeline.errors import InvalidConfig, InvalidSetting
from pipeline.models.installed import require_pipeline
from pipeline.runs import extend, published_runs
from pipeline.scoring import added
from warehouse import store


def add(command: AddCommand) -> None:
    """`score` and `add-rm`."""
    score = command(
        "score",
        "score the responses of files, or of an imported run, with a reward model; resumes where it was stopped",
        "righttree score scores.parquet --model FOLDER --to mine.parquet",
        _score,
    )
    files = "files with prompts and responses, in any form that `import` reads, or with columns prompt and response"
    score.add_argument("files", nargs="*", type=Path, metavar="FILE", help=files)
    add_option(score, "--run", "RUN", "instead of files: a run; a new run is published, with the reward model added")
    _add_reward_model_options(score)
    tokenizer = "tokenizer (folder or hub id) whose chat template renders what a server gets (default: plain text)"
    add_option(score, "--tokenizer", "NAME", tokenizer)
    targets = "file to write, .parquet, .csv or .jsonl (default: FILE's name with that of the reward model, .parquet)"
    add_option(score, "--to", "FILE", targets, Path)
    add_option(score, "--run-id", "ID", "name of the new run (default: RUN's with that of the reward model)")
    score.add_argument("--estimate", action="store_true", help="score some texts to estimate the time; write nothing")
    score.add_argument("--json", action="store_true", help="print one JSON object")

    joined = command(
        "add-rm",
        "create a new run from an existing one with a reward model trained elsewhere: a folder, a hub id or a server",
        "righttree add-rm --run RUN --model FOLDER",
        _add_rm,
    )
    add_option(joined, "--run", "RUN", "id of the run that the reward model joins; it is not changed", required=True)
    _add_reward_model_options(joined)
    add_start_options(joined, "score some of the run's texts to estimate time and memory; start nothing")


def _add_reward_model_options(parser: argparse.ArgumentParser) -> None:
    """The options that name a reward model trained elsewhere and say how it scores."""
    place = parser.add_mutually_exclusive_group(required=True)
    model = (
        "folder or hub id of a reward model with safetensors and a chat template, as transformers, TRL, OpenRLHF, "
        "LLaMA-Factory or PEFT (LoRA) save it"
    )
    add_option(place, "--model", "NAME", model)
    add_option(place, "--url", "URL", "http(s) address of a reward server that speaks OpenRLHF's protocol")
    add_option(parser, "--name", "NAME", "its id among the reward models (default: the name of the model or host)")
    output = parser.add_mutually_exclusive_group()
    add_option(output, "--attribute", "NAME", "the output that is the score, if the model has several: name or number")
    add_option(output, "--weights", "K=W,…", "a weighted sum of its outputs is the score, as in 0=0.5,1=0.5")
    add_option(parser, "--dtype", "TYPE", "type of the model's weights: bfloat16 or float32 (default: bfloat16)")
    add_option(parser, "--batch-texts", "N", "texts scored at once (default: 16)", int)
    add_option(parser, "--timeout", "S", "seconds that a server has to answer (default: 180)", float, dest="timeout_s")
    add_option(parser, "--tries", "N", "attempts per request to a server (default: 5)", int)


def _reward_model(arguments: argparse.Namespace) -> AddedRewardModel:
    """The settings of the reward model that the options name. Raises InvalidSetting or ModelUnavailable."""
    if arguments.model is not None:
        require_pipeline()
    names = ("model", "url", "name", "dtype", "batch_texts", "timeout_s", "tries")
    attributes = added.attributes_of(arguments.attribute, arguments.weights)
    options: dict[str, Any] = {name: vars(arguments)[name] for name in names}
    return added.settings_of(**options, attributes=attributes or None)


def _score(arguments: argparse.Namespace) -> int:
    if bool(arguments.files) == (arguments.run is not None):
        raise InvalidConfig("give files, or a run with --run, and not both")
    data = store.home()
    if arguments.run is not None:
        if arguments.to is not None:
            raise InvalidConfig("--to: a scored run is published, not written to a file; leave --to out")
        if _has_folder(data, arguments.run):
            raise InvalidConfig(
                f"run {arguments.run} has a run folder, in which it is continued: use `righttree add-rm`"
            )
        return _score_run(data, arguments)
    from pipeline.scoring.files import default_target, score_files
    from pipeline.scoring.responses import of_files

    settings, responses = _reward_model(arguments), of_files(arguments.files)
    target = arguments.to or default_target(arguments.files[0], settings.name)
    check_target("--to", target)
    if settings.name in responses.scorers:
        raise InvalidSetting(f"the files have scores of {settings.name} already; give another --name", "name")
    print(*responses.notes, sep="\n", end="\n" * bool(responses.notes), file=sys.stderr)
    print(f"{settings.name} scores {responses.counted}", file=sys.stderr)
    if arguments.estimate:
        print(estimate.of_scoring(settings, responses.texts, " and ".join(path.name for path in arguments.files)))
        return 0
    score_files(responses, settings, target, _opened(settings, arguments.tokenizer))
    names = " ".join(map(str, [*arguments.files, target]))
    result = {"reward_model": settings.name, "scores": responses.rows.height, "file": str(target)}
    line = (
        f"wrote {responses.rows.height:,} scores of {settings.name} to {target}; `righttree import {names}` reads both"
    )
    print(json.dumps(result) if arguments.json else line)
    return 0


def _add_rm(arguments: argparse.Namespace) -> int:
    data = store.home()
    if not _has_folder(data, arguments.run) and arguments.run in published_runs(data):
        return _score_run(data, arguments)
    runs.open_run(data, arguments.run)  # raises at once for a wrong name, before a hub is asked for the model
    require_pipeline()
    engine = EngineOptions.of(arguments)
    settings = _reward_model(arguments)
    additions = {"added": [settings.model_dump()]}
    config = extend.extended(data, arguments.run, additions)
    if arguments.estimate:
        print(estimate.of_added(data, arguments.run, settings))
        return 0
    added.try_out(settings)
    if config.ppo is not None:
        without = len(config.reward_models.added)
        print(
            f"{settings.name} scores the responses of trained policies, but none is trained against it: "
            f"{without} of {len(config.reward_models.ids)} reward models have no policies",
            file=sys.stderr,
        )
    run = extend.create(data, arguments.run, additions, arguments.run_id)
    return start(run, engine, detach=arguments.detach)


def _score_run(data: Path, arguments: argparse.Namespace) -> int:
    """Publish a run of the warehouse again, with a scorer more: what has no folder cannot be continued in one."""
    from pipeline.scoring.published import Published

    options = {name: vars(arguments).get(name) for name in ("tokenizer", "detach", "json")}
    if options["detach"]:
        raise InvalidConfig(f"--detach: run {arguments.run} is only in the warehouse and is scored here; leave it out")
    settings = _reward_model(arguments)
    run = Published(data, arguments.run, settings, arguments.run_id)
    print(*run.notes, sep="\n", end="\n" * bool(run.notes), file=sys.stderr)
    print(f"{settings.name} scores {run.counted}", file=sys.stderr)
    if arguments.estimate:
        print(estimate.of_scoring(settings, run.texts, arguments.run))
        return 0
    joined = run.score(_opened(settings, options["tokenizer"]))
    if joined.left_out:
        print(joined.line, file=sys.stderr)
    result = {"run": run.new_id, "reward_model": settings.name, "scores": run.responses.height}
    line = f"{run.new_id}: {arguments.run} with {settings.name} is published; explore it with `righttree app`"
    print(json.dumps(result) if options["json"] else line)
    return 0


def _opened(settings: AddedRewardModel, tokenizer: str | None) -> added.Scoring:
    """The reward model, ready to score; says what it is, on standard error."""
    if tokenizer is None:
        scoring = added.opened(settings)
    elif settings.url is None:
        raise InvalidConfig("--tokenizer: a model has its own; give it with --url only")
    else:
        require_pipeline()
        from pipeline.models.classifier import chat_renderer

        scoring = added.opened(settings, render=chat_renderer(tokenizer))
    print(f"{settings.name}: {scoring.description}", file=sys.stderr)
    return scoring


def _has_folder(data: Path, run_id: str) -> bool:
    return run_id in runs.run_ids(data)
