"""A warehouse of 100 reward models × 2,733 prompts × 64 samples and of ten times that; into `docs/scale.md`.

    python -m tests.benchmarks.scale [--times 1|10] [--rounds N] [--folder FOLDER] [--keep] [--most-gib G] [--print]

A simulated run is written part by part, published by the pipeline's own publishing, held against a plain `COPY` of the
same Parquet files into DuckDB and the disk's write rate, and explored as the dashboard does. Ten times is ten times
the prompts: ten times the reward models would be a hundred times the pairs. Every step is a process of its own and
may hold `--most-gib` GiB of data; what needs more is refused, and said so. Takes 2 GB of disk, 20 GB for ten times.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipeline import runs
from pipeline.stages.publish import publish_run
from tests.benchmarks.apart import Measured, apart
from tests.benchmarks.baselines import json_line
from tests.benchmarks.document import SCALE, insert
from tests.benchmarks.machine import Others, described, write_rate
from tests.benchmarks.scale import paper
from tests.benchmarks.scale.actions import Timed, explored
from tests.benchmarks.scale.study import Scale, write
from warehouse import store
from warehouse.schema import TABLES

FURTHER = Scale(reward_models=4, prompts=40, samples=8, pairs=90, validation_pairs=10, run_id="further")
_DISK_BYTES = 2 * 10**9


@dataclass(frozen=True)
class Figures:
    """What was measured of one simulated run; `tables` are rows and bytes in the published file by table."""

    scale: Scale
    written: Measured
    published: Measured
    copied: Measured
    further: Measured
    file_bytes: int
    parquet_bytes: int
    tables: dict[str, tuple[int, int]]
    disk_rate: float
    actions: list[Timed]

    @property
    def rows(self) -> int:
        return sum(rows for rows, _ in self.tables.values())


def publish(home: Path, run_id: str) -> dict[str, int]:
    """Publish a run directory as the pipeline does."""
    return publish_run(runs.open_run(home, run_id))


def copy(home: Path, run_id: str) -> int:
    """The peer: the same Parquet files into a fresh DuckDB file by `COPY`, nothing checked; bytes of the file."""
    path = home / "copied.duckdb"
    with duckdb.connect(str(path), config={"storage_compatibility_version": "v1.5.0"}) as connection:
        for table in TABLES.values():
            connection.execute(table.ddl)
            if parts := list((home / "runs" / run_id / table.name).glob("*.parquet")):
                connection.execute(f"COPY \"{table.name}\" FROM '{parts[0].parent}/*.parquet' (FORMAT parquet)")
        connection.execute("CHECKPOINT")
    size = path.stat().st_size
    path.unlink()
    return size


def table_sizes(home: Path) -> dict[str, tuple[int, int]]:
    """Rows, and bytes of the blocks that hold them, of every table of the published build."""
    found = {}
    with store.open_read_only(home) as connection:
        (block_bytes,) = connection.execute("SELECT block_size FROM pragma_database_size() LIMIT 1").fetchall()[0]
        for name in TABLES:
            (rows,) = connection.execute(f'SELECT count(*) FROM "{name}"').fetchall()[0]
            (blocks,) = connection.execute(
                f"""
                SELECT count(DISTINCT block) FROM (
                    SELECT block_id AS block FROM pragma_storage_info('{name}') WHERE persistent
                    UNION ALL SELECT unnest(additional_block_ids) FROM pragma_storage_info('{name}') WHERE persistent
                ) WHERE block >= 0
                """
            ).fetchall()[0]
            found[name] = (rows, blocks * block_bytes)
    return found


def measure(home: Path, scale: Scale, rounds: int, most_bytes: int | None) -> Figures:
    """Write, publish, copy, explore, and publish a small run beside it."""

    def step(name: str, *work: object) -> Measured:
        measured = apart(*work, most_bytes=most_bytes)  # type: ignore[arg-type]
        print(f"{name}: {measured.seconds:.1f} s, {measured.peak_bytes / 2**30:.2f} GiB", file=sys.stderr)
        return measured

    written = step("written", write, home, scale)
    published = step("published", publish, home, scale.run_id)
    file_bytes = (home / str(store.build_id(home))).stat().st_size
    tables = table_sizes(home)
    copied = step("copied", copy, home, scale.run_id)
    explorer = step("explored", explored, home, scale.run_id, rounds)
    write(home, FURTHER)
    further = step("further run", publish, home, FURTHER.run_id)
    parquet_bytes = sum(part.stat().st_size for part in (home / "runs" / scale.run_id).rglob("*.parquet"))
    return Figures(
        scale,
        written,
        published,
        copied,
        further,
        file_bytes,
        parquet_bytes,
        tables,
        write_rate(home),
        explorer.found,
    )


def section(found: Figures, others: Others, most_gib: float) -> str:
    """The figures as they stand in the document."""
    scale = found.scale
    scores = found.tables["score"][0]
    lines = [
        f"{scale.reward_models} reward models, {scale.prompts:,} RM-test prompts × {scale.responses} responses and "
        f"{scale.prompts:,} RL-test prompts × {scale.samples} samples of {scale.words} words, {scale.pairs:,} pairs: "
        f"{scores:,} scores, {found.rows:,} rows.",
        f"{described()}.",
        f"Disk {found.disk_rate / 1e6:,.0f} MB/s. {others.line()} A step may hold {most_gib:g} GiB.",
        "",
        "| | seconds | rows/s | peak memory, GiB | bytes |",
        "| --- | ---: | ---: | ---: | ---: |",
        _line("run directory written, Parquet", found.written, found.rows, found.parquet_bytes),
        _line("**published**", found.published, found.rows, found.file_bytes),
        _line("peer: `COPY` of the same Parquet, nothing checked", found.copied, found.rows, found.copied.found),
        f"| floor: the file's bytes at the disk's rate | {found.file_bytes / found.disk_rate:.1f} | | | |",
        _line("a further, small run published beside it", found.further, None, None),
        "",
        "| table | rows | MB in the file | bytes a row |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, (rows, size_bytes) in found.tables.items():
        if rows > 1000:
            lines.append(f"| {name} | {rows:,} | {size_bytes / 1e6:,.1f} | {size_bytes / rows:.1f} |")
    return "\n".join([*lines, "", *_actions(found.actions)])


def _line(name: str, measured: Measured, rows: int | None, size_bytes: int | None) -> str:
    rate = "" if rows is None else f"{rows / measured.seconds:,.0f}"
    size = "" if size_bytes is None else f"{size_bytes:,}"
    return f"| {name} | {measured.seconds:.1f} | {rate} | {measured.peak_bytes / 2**30:.2f} | {size} |"


def _actions(actions: Sequence[Timed]) -> list[str]:
    lines = ["| asked by the dashboard | median, s | worst, s | peak memory, GiB |", "| --- | ---: | ---: | ---: |"]
    for one in actions:
        if one.refused:
            lines.append(f"| {one.name} | refused: {one.refused} | | |")
        else:
            figures = f"{one.median_s:.2f} | {max(one.seconds):.2f} | {one.peak_bytes / 2**30:.2f}"
            lines.append(f"| {one.name} | {figures} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, choices=(1, 10), default=1, help="so many times the prompts (default: 1)")
    parser.add_argument("--rounds", type=int, default=3, help="changes of each control (default: 3)")
    parser.add_argument("--folder", type=Path, default=None, help="where there is room (default: the temporary folder)")
    parser.add_argument("--keep", action="store_true", help="leave the data folder there and print its name")
    parser.add_argument("--most-gib", type=float, default=10, metavar="G", help="memory of a step (default: 10)")
    parser.add_argument("--print", action="store_true", help="print the sections instead of writing them")
    arguments = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="righttree-scale-", dir=arguments.folder))
    try:
        wanted, free = _DISK_BYTES * arguments.times, shutil.disk_usage(home).free
        if free < wanted:
            raise SystemExit(f"{home} has {free / 1e9:.0f} GB free, wanted {wanted / 1e9:.0f}: give another --folder")
        others = Others()
        scale = Scale(prompts=Scale.prompts * arguments.times)
        found = measure(home, scale, arguments.rounds, round(arguments.most_gib * 2**30))
        sections = {f"scale {arguments.times}": section(found, others, arguments.most_gib)}
        if arguments.times == 1:
            sections["on paper"] = paper.section(found.tables)
        for name, text in sections.items():
            print(text, end="\n\n")
            if not arguments.print:
                insert(name, text, SCALE)
        steps = {name: getattr(found, name).seconds for name in ("written", "published", "copied", "further")}
        asked = {one.name: one.median_s for one in found.actions if not one.refused}
    finally:
        if arguments.keep:
            print(f"the data folder is {home}")
        else:
            shutil.rmtree(home)
    print(json_line(f"scale {arguments.times}", {**steps, **asked}))


if __name__ == "__main__":
    main()
