"""Commands that bring data in and hand results on: import, data, export and export-rm."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from pipeline import runs
from pipeline.cli import AddCommand, add_option, check_target, import_check
from pipeline.runs import exchange
from warehouse import store
from warehouse.errors import InvalidRows
from warehouse.exchange import INCOMPLETE, LAYOUTS, Choices, ColumnMap, read_files, study_of
from warehouse.exchange.reading.mapping import parsed
from warehouse.formats import count, names_in
from warehouse.terminals import on_one_line


def add(command: AddCommand) -> None:
    """`import`, `data`, `export` and `export-rm`."""
    imported = command(
        "import",
        "import scores computed elsewhere, or an exported run, as a run; docs/formats.md shows every accepted form",
        "righttree import scores.parquet",
        _import,
    )
    imported.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="files with scores and, optionally, preferences, policy values and outcomes: Parquet, Arrow, CSV, JSON or "
        "JSON Lines, also as .gz or .zst; or one folder that `righttree export` wrote",
    )
    add_option(imported, "--run-id", "ID", "name of the run (default: the exported run's, or made from the time)")
    layouts = f"form of the scores: {', '.join(LAYOUTS[1:])} (default: auto, detected from the columns)"
    add_option(imported, "--layout", "NAME", layouts, default="auto")
    incomplete = "scores that not every scorer has: drop-response, drop-prompt, drop-model or refuse"
    add_option(imported, "--incomplete", "HOW", incomplete, default=INCOMPLETE[0], choices=INCOMPLETE)
    golden = "scorers that are the truth and never proxies; all others are proxies only, e.g. human,verifier"
    add_option(imported, "--golden", "NAME,…", golden)
    _add_map(imported)
    add_option(imported, "--scorers", "NAME,…", "columns of numbers that are scorers, and no others")
    smaller = "outcome, measured elsewhere, of which smaller is better; may be repeated"
    add_option(imported, "--smaller-is-better", "NAME", smaller, action="append")
    check = "dry run: print what the files would be read as and what would be left out; write nothing"
    imported.add_argument("--check", action="store_true", help=check)
    imported.add_argument("--json", action="store_true", help="print one JSON object")

    data = command(
        "data",
        "read preference data sets, report what is kept and dropped, and optionally write the pairs to one file",
        "righttree data hh-rlhf/ --to pairs.parquet",
        _data,
    )
    data.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="Parquet, Arrow, CSV, JSON or JSON Lines, also as .gz or .zst, a folder of them, or an hf:// path",
    )
    _add_map(data)
    add_option(data, "--as", "NAME", "kind of data set (default: detected from the columns)", dest="name")
    add_option(data, "--seed", "S", "seed for drawing pairs and the validation share", int, default=0)
    shares = "share of the prompts whose pairs are for validation (default: 0.06, the paper's)"
    add_option(data, "--validation-share", "X", shares, float, default=0.06)
    add_option(data, "--ranked-pairs", "K", "most pairs drawn from one prompt's ranked responses", int, default=4)
    longest = "most characters of prompt and response together (default: 8192, about 2048 tokens)"
    add_option(data, "--max-characters", "N", longest, int, default=8192)
    add_option(data, "--pairs-per-source", "N", "most pairs drawn from one source (default: all)", int)
    add_option(data, "--to", "FILE", "write the pairs to this Parquet file, which `import` reads", Path)

    export = command(
        "export",
        "write a whole run as Parquet to a new folder, which `import` reads",
        "righttree export exported",
        _export,
    )
    export.add_argument("folder", type=Path, metavar="FOLDER", help="folder to create; it must not exist yet")
    add_option(export, "--run", "RUN", "id of the run (default: the pinned one, else the recorded one)")
    export.add_argument(
        "--rounded",
        action="store_true",
        help="round scores by a thousandth of their standard deviation at most, and leave out what they determine",
    )

    export_rm = command(
        "export-rm",
        "write a trained reward model as a Hugging Face folder for sequence classification, with its base model",
        "righttree export-rm --run RUN --reward-model flip-0.00 flip-0.00-hf",
        _export_rm,
    )
    export_rm.add_argument("folder", type=Path, metavar="FOLDER", help="folder to create; it must not exist yet")
    add_option(export_rm, "--run", "RUN", "id of the run that trained it", required=True)
    add_option(export_rm, "--reward-model", "NAME", "its id in the run, e.g. flip-0.00", required=True)
    dtypes = "type of the weights: float32, or bfloat16 for half the size"
    add_option(export_rm, "--dtype", "TYPE", dtypes, default="float32")


def _add_map(parser: argparse.ArgumentParser) -> None:
    columns = "what columns are, e.g. prompt_id=question_id,response=choices.0.text; NAME=NAME: a column is a scorer"
    add_option(parser, "--map", "NAME=COLUMN,…", columns)


def _import(arguments: argparse.Namespace) -> int:
    from pipeline.runs.exchange import import_files

    golden = names_in(arguments.golden)
    choices = Choices(arguments.incomplete, golden, tuple(arguments.smaller_is_better or ()))
    columns = parsed(arguments.map, arguments.scorers)
    if arguments.check:
        return _check(arguments, choices, columns)
    imported = import_files(store.home(), arguments.files, arguments.run_id, arguments.layout, choices, columns=columns)
    lines = [line for line in (imported.line, *imported.notes, imported.warning) if line]
    facts = {"run": imported.run_id, "rows": imported.rows, "shared_prompts": imported.shared_prompts, "lines": lines}
    print(json.dumps(facts, ensure_ascii=False) if arguments.json else "\n".join(on_one_line(lines)))
    return 0


def _check(arguments: argparse.Namespace, choices: Choices, columns: ColumnMap) -> int:
    """Print the files' forms even if they make no study, which is then said as an import says it."""
    folders = [path for path in arguments.files if path.is_dir()]
    if folders:
        raise InvalidRows(f"{folders[0]}: --check is for files of scores; an exported run is checked as it is imported")
    sheets, pieces = read_files(arguments.files, arguments.layout, columns)
    described = import_check.of_files(sheets, pieces)
    try:
        described |= import_check.of_study(study_of(sheets, pieces, choices))
    finally:
        print(
            json.dumps(described, ensure_ascii=False) if arguments.json else import_check.text(on_one_line(described))
        )
    return 0


def _data(arguments: argparse.Namespace) -> int:
    from pipeline.data_sets.gather import Rules, check_new, gather, write
    from pipeline.data_sets.report import report

    names = ("seed", "validation_share", "ranked_pairs", "max_characters", "pairs_per_source")
    rules = Rules(**{name: vars(arguments)[name] for name in names})
    check_target("--to", arguments.to)
    if arguments.to is not None:
        check_new(arguments.to)  # before large files are read
    pairs, counts, remarks = gather(arguments.files, rules, arguments.name, parsed(arguments.map))
    print(report(counts, remarks))
    if arguments.to is not None:
        write(pairs, arguments.to)
        print(f"wrote {count(pairs.height, 'pair')} to {arguments.to}")
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from pipeline.runs.exchange import export_run

    exchange.provide_recorded(store.home())
    print(export_run(store.home(), arguments.run, arguments.folder, in_fewer_digits=arguments.rounded))
    return 0


def _export_rm(arguments: argparse.Namespace) -> int:
    runs.open_run(store.home(), arguments.run)  # raises at once for a run that has results only
    from pipeline.scoring.export import export_rm

    print(export_rm(store.home(), arguments.run, arguments.reward_model, arguments.folder, arguments.dtype))
    return 0
