"""Import and export: results computed elsewhere become a run, and a run becomes a folder that can be imported again.

An imported run has profile `import`; of it only the results are stored (`pipeline.runs.results`). Uploads
from a browser are imported like files, in a process of their own (`pipeline.uploads`).
"""

from __future__ import annotations

import re
import secrets
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

import warehouse
from pipeline import runs
from pipeline.errors import InvalidConfig, NotWritten, PipelineError, write_errors
from pipeline.provenance import code_version, host, package_versions
from pipeline.runs import results
from warehouse import exchange, ingest, reads, store
from warehouse.errors import InvalidRows, UnknownName, WarehouseError
from warehouse.files import replacing
from warehouse.formats import count
from warehouse.schema import SAME_PROMPT
from warehouse.spreadsheets import neutral
from warehouse.study.folds import shared_prompts

RECORDED = Path(warehouse.__file__).parent / "recorded"
"""A run that comes with the package, to explore before running anything: an export of profile `recorded`, unedited."""


@dataclass(frozen=True)
class Imported:
    """An imported run: its id, its rows per table, what it has in words, and how many prompts are on both sides.

    `notes` are further lines on what was read and what was left out.
    """

    run_id: str
    rows: Mapping[str, int]
    counts: str
    shared_prompts: int = 0
    notes: tuple[str, ...] = ()

    @property
    def warning(self) -> str:
        """What the same prompts on both sides mean; empty if there are none."""
        if not self.shared_prompts:
            return ""
        return (
            f"{self.shared_prompts} prompts both measure reward models and value policies: figures will be "
            "cross-fitted over halves of these prompts; to avoid that, give every prompt a split, rm_test or rl_test "
            "(docs/import.md)"
        )

    @property
    def line(self) -> str:
        """What the command line prints about it first."""
        return f"{self.run_id}: {self.counts}; explore it with `righttree app`"


def import_files(
    data: Path,
    files: Sequence[Path],
    run_id: str | None,
    layout: str,
    choices: exchange.Choices | None = None,
    *,
    columns: exchange.ColumnMap | None = None,
    limits: exchange.Limits = exchange.COMMAND_LINE,
    stored: bool = True,
) -> Imported:
    """Publish and store scores computed elsewhere, or a folder of `export_run`, as a run.

    `columns` says what columns are where their names do not; a run that is not `stored` is in the warehouse only. What
    is left out of incomplete scores is listed in `left_out_file`. Raises InvalidRows for the first thing that is wrong,
    before anything is written, and InvalidConfig for a run id that exists or is not a valid name.
    """
    if run_id is not None:
        _check_id(data, run_id)
    as_it_is: Path | None = None
    folders = [path for path in files if path.is_dir()]
    if folders and len(files) > 1:
        raise InvalidRows(f"{folders[0]}: an exported run is imported alone; give its folder and nothing else")
    if folders:
        as_it_is = folders[0] if run_id is None else None
        run_id, rows = exchange.read_folder(folders[0], run_id, limits)
        _check_id(data, run_id)
        if columns or choices not in (None, exchange.Choices()):
            raise InvalidConfig(f"{folders[0]}: an exported run has its roles and is whole; leave the options out")
        study = None
    else:
        run_id = run_id or f"import-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        rows, study = _rows_of_files(
            data, files, run_id, layout=layout, choices=choices or exchange.Choices(), columns=columns, limits=limits
        )
    with results.storing(data, run_id, as_it_is) if stored else nullcontext(_nothing) as then:
        written = ingest.publish(data, rows, ", ".join(path.name for path in files), then=then)
    names = {split: rows["prompt"].filter(split=split)["prompt_id"].to_list() for split in SAME_PROMPT}
    shared = shared_prompts(names["rm_test"], names["rl_test"])
    if study is None:
        return Imported(run_id, written, _counts(rows), shared)
    subsets = rows["prompt"]["subset"].unique().to_list()
    note = " (no categories given: all are under Chat)" if subsets == [exchange.DEFAULT_SUBSET] else ""
    return Imported(run_id, written, _counts(rows) + note, shared, (*study.notes, *_list_left_out(data, run_id, study)))


def _nothing(_: store.Connection) -> None:
    """For a run that is stored elsewhere: the package has the recorded one."""


def _counts(rows: Mapping[str, pl.DataFrame]) -> str:
    """`3 reward models and 1 golden-only scorer (label), 12 prompts, 48 responses, 192 scores, 7 policies imported`.

    Prompts that are stored once for each side count once, as their responses and scores do.
    """
    marks = {split: f"{re.escape(mark)}$" for split, mark in SAME_PROMPT.items()}
    named = {
        split: rows["prompt"].filter(split=split)["prompt_id"].str.replace(mark, "") for split, mark in marks.items()
    }
    again = rows["prompt"].filter(
        pl.col("split") == "rl_test",
        pl.col("prompt_id").str.replace(marks["rl_test"], "").is_in(named["rm_test"].implode()),
    )
    responses = rows["response"].join(again, on="prompt_id", how="anti")
    scorers = rows["reward_model"]
    is_golden = scorers["role"] == "golden" if "role" in scorers.columns else pl.Series([False] * scorers.height)
    golden = scorers.filter(is_golden)["reward_model_id"].sort().to_list()
    models = count(scorers.height - len(golden), "reward model")
    if golden:
        models += f" and {count(len(golden), 'golden-only scorer')} ({', '.join(golden)})"
    numbers = {
        "prompt": rows["prompt"].height - again.height,
        "response": responses.height,
        "score": rows["score"].join(responses, on="response_id", how="semi").height,
        "policy": rows["policy"].height,
    }
    return ", ".join([models, *(count(number, name) for name, number in numbers.items())]) + " imported"


def left_out_file(data: Path, run_id: str) -> Path:
    """Where an import lists what it left out, if anything; deleted with the run."""
    return data / f"{run_id}-left-out.csv"


def _list_left_out(data: Path, run_id: str, study: exchange.Study) -> tuple[str, ...]:
    """Write the file of what was left out; returns the line about it, if there is one."""
    if study.left_out.is_empty():
        return ()
    path, line = left_out_file(data, run_id), f"left out: {study.left_out_line or 'repeated ids'}"
    try:
        with write_errors(path), replacing(path) as draft:
            neutral(study.left_out).write_csv(draft)
    except NotWritten as error:  # the run is published all the same
        return (f"{line}; not listed in a file: {error}",)
    return (f"{line}; listed in {path}",)


def export_run(data: Path, run_id: str | None, target: Path, *, in_fewer_digits: bool = False) -> str:
    """Write a run (None: the default one) as Parquet into the new folder `target`; returns the line to print."""
    run_id, rows = exchange.export_run(data, run_id, target, in_fewer_digits=in_fewer_digits)
    return f"{run_id}: {sum(rows.values())} rows of {len(rows)} tables in {target}; `righttree import` imports it again"


def _rows_of_files(
    data: Path,
    files: Sequence[Path],
    run_id: str,
    *,
    layout: str,
    choices: exchange.Choices,
    columns: exchange.ColumnMap | None,
    limits: exchange.Limits,
) -> tuple[dict[str, pl.DataFrame], exchange.Study]:
    started_at, start = runs.now(), time.monotonic()
    sheets, pieces = exchange.read_files(files, layout, columns, limits)
    facts = exchange.Facts(
        run_id=run_id,
        layout=layout,
        started_at=started_at,
        finished_at=runs.moment(data),
        wall_s=round(time.monotonic() - start, 3),
        code_version=code_version(),
        packages=package_versions(),
        host=host(),
    )
    study = exchange.study_of(sheets, pieces, choices)
    return exchange.build(sheets, study, facts), study


def _check_id(data: Path, run_id: str) -> None:
    runs.check_id(run_id)
    if (runs.runs_folder(data) / run_id).exists() or run_id in runs.published_runs(data):
        raise InvalidConfig(f"run {run_id!r} exists already; name another with --run-id")


# The recorded run ---------------------------------------------------------------------------------------------------


def publish_recorded(data: Path, folder: Path | None = None) -> Imported | None:
    """Publish the recorded run, or the one in `folder`, if nothing is published yet and the package has it.

    Raises WarehouseError and InvalidRows as an import does.
    """
    folder = folder or RECORDED
    if store.build_id(data) is not None or not (folder / exchange.MANIFEST).exists():
        return None
    return import_files(data, [folder], run_id=None, layout="auto", stored=False)


def restore_recorded(data: Path) -> Imported | None:
    """Publish the recorded run again after it was deleted, beside the others; None if it is there.

    Raises UnknownName if the package lacks it, and what an import raises.
    """
    if not (RECORDED / exchange.MANIFEST).exists():
        raise UnknownName(f"the recorded run is not in {RECORDED}; install righttree again")
    if reads.runs.RECORDED in {*runs.published_runs(data), *runs.run_ids(data)}:
        return None
    return import_files(data, [RECORDED], run_id=None, layout="auto", stored=False)


def provide_recorded(data: Path, *, required: bool = True) -> None:
    """Publish the recorded run in an empty data folder and say so on standard error.

    If the folder cannot be written it raises PipelineError, or only says so if the run is not `required`.
    """
    try:
        published = publish_recorded(data)
    except (WarehouseError, PipelineError) as error:
        if store.build_id(data) is not None:  # another process has just published it
            return
        message = f"the recorded run cannot be published: {error}"
        if required:
            raise PipelineError(message) from error
        print(f"righttree: {message}", file=sys.stderr)
    else:
        if published is not None:
            print(f"published {published.run_id}, the recorded run: {published.counts}", file=sys.stderr)
