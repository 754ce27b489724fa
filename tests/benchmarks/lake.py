"""What comes after the single file, tried out: partitioned Parquet, and DuckLake with PostgreSQL as its catalogue.

    python -m tests.benchmarks.lake [--folder FOLDER] [--print]

A simulated run is published into the file, from there written as Parquet, a folder per run and of scores per reward
model, and from that into DuckLake by two processes at once, each a run, a transaction a part, while a third one reads.
The same reads are timed on all three, each in fresh processes, opening included; then a further, small run is added to
each. `make install-dev` brings the extensions of DuckDB and a PostgreSQL; one that the system has is used first. Takes
2 GB of disk.
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import duckdb

from tests.benchmarks.apart import Measured, apart
from tests.benchmarks.document import SCALE, insert
from tests.benchmarks.machine import Others, described
from tests.benchmarks.postgres import server
from tests.benchmarks.scale import FURTHER, publish
from tests.benchmarks.scale_study import Scale, write
from warehouse import reads, store
from warehouse.schema import TABLES

EXTENSIONS = ("ducklake", "postgres_scanner")
_ROUNDS = 3


def extension(name: str) -> Path:
    """The file of an extension that pip installed. Ends with SystemExit if there is none for this DuckDB."""
    spec = find_spec(f"duckdb_extension_{name}")
    folder = Path(spec.origin).parent if spec and spec.origin else Path()
    path = folder / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
    if not path.exists():
        package = f"duckdb-extension-{name.replace('_', '-')}=={duckdb.__version__}"
        raise SystemExit(f"DuckDB's extension {name} is not installed: `pip install {package}`")
    return path


def partition(home: Path, hive: Path, run_id: str) -> None:
    """A run of the published file as a folder of Parquet, of scores a folder per reward model; there whole or not."""
    draft = hive / f".{run_id}.draft"
    draft.mkdir()
    with duckdb.connect(str(home / str(store.build_id(home))), read_only=True) as connection:
        for name in TABLES:
            target, options = draft / f"{name}.parquet", "FORMAT parquet, COMPRESSION zstd"
            if name == "score":
                target, options = draft / name, f"{options}, PARTITION_BY (reward_model_id)"
            rows = f"SELECT * EXCLUDE (run_id) FROM \"{name}\" WHERE run_id = '{run_id}'"
            connection.execute(f"COPY ({rows}) TO '{target}' ({options})")
    draft.rename(hive / f"run_id={run_id}")


def _parts(name: str) -> str:
    """Where in a run's folder the parts of a table are."""
    return "score/*" if name == "score" else f"{name}.parquet"


def _parquet(part: Path) -> str:
    """The rows of a part, or of many, with what their folders' names say."""
    files = part if part.suffix == ".parquet" else part / "*.parquet"
    return f"read_parquet('{files}', hive_partitioning = true, hive_types_autocast = false)"


@contextmanager
def file(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published file, as the dashboard opens it."""
    with store.open_read_only(home) as connection:
        yield connection


@contextmanager
def parquet(hive: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The tables as views over the folders of all runs."""
    with duckdb.connect() as connection:
        for name in TABLES:
            connection.execute(f'CREATE VIEW "{name}" AS FROM {_parquet(hive / "run_id=*" / _parts(name))}')
        yield connection


@contextmanager
def lake(catalogue: str, folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The tables of the lake."""
    with duckdb.connect() as connection:
        for name in EXTENSIONS:
            connection.execute(f"LOAD '{extension(name)}'")
        connection.execute(f"ATTACH 'ducklake:postgres:{catalogue}' AS lake (DATA_PATH '{folder}/')")
        connection.execute("USE lake")
        yield connection


def create(catalogue: str, folder: Path) -> None:
    """The tables in a new lake, parted and packed as the folders of Parquet are."""
    with lake(catalogue, folder) as connection:
        connection.execute("CALL lake.set_option('parquet_compression', 'zstd')")
        for name, table in TABLES.items():
            connection.execute(table.ddl)
            by = "run_id, reward_model_id" if name == "score" else "run_id"
            connection.execute(f'ALTER TABLE "{name}" SET PARTITIONED BY ({by})')


def write_run(catalogue: str, folder: Path, source: Path, run_id: str) -> tuple[int, int]:
    """Put a run of Parquet into the lake under this id, a transaction a part; parts written, parts refused."""
    written, refused = 0, 0
    with lake(catalogue, folder) as connection:
        for name in TABLES:
            for part in sorted(source.glob(_parts(name))):
                rows = f"SELECT * REPLACE ('{run_id}' AS run_id) FROM {_parquet(part)}"
                try:
                    connection.execute(f'INSERT INTO "{name}" BY NAME {rows}')
                    written += 1
                except duckdb.TransactionException:
                    refused += 1
    return written, refused


def watch(catalogue: str, folder: Path, part_rows: int, stop: Event) -> tuple[int, int]:
    """Count the scores again and again: how often, and how often a part was seen that was not whole."""
    counts, broken = 0, 0
    with lake(catalogue, folder) as connection:
        while not stop.is_set():
            (rows,) = connection.execute("SELECT count(*) FROM score").fetchall()[0]
            counts += 1
            broken += rows % part_rows != 0
    return counts, broken


def two_writers(catalogue: str, folder: Path, source: Path, part_rows: int) -> tuple[list[Any], tuple[int, int], float]:
    """Two processes write a run each while a third reads; what each gave, and the seconds of the writers."""
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, context.Pool(3) as pool:
        stop = manager.Event()
        begun = time.perf_counter()
        watching = pool.apply_async(watch, (catalogue, folder, part_rows, stop))
        writing = [pool.apply_async(write_run, (catalogue, folder, source, name)) for name in ("first", "second")]
        try:
            written = [one.get() for one in writing]
        finally:
            stop.set()
        return written, watching.get(), time.perf_counter() - begun


def scores(opened: Callable[..., Any], where: tuple[Any, ...], run_id: str) -> tuple[int, ...]:
    """The read that a page waits for longest: all scores of the RL-test samples; their shape."""
    with opened(*where) as connection:
        return reads.initial_scores(connection, run_id, "rl_test")[0].shape


def one_reward_model(opened: Callable[..., Any], where: tuple[Any, ...], run_id: str) -> int:
    """The scores of one reward model alone: what partitions are for; how many."""
    with opened(*where) as connection:
        query = "SELECT count(score) FROM score WHERE run_id = ? AND reward_model_id = ?"
        (rows,) = connection.execute(query, [run_id, Scale().names[0]]).fetchall()[0]
        return int(rows)


def section(folder: Path, scale: Scale) -> str:
    """All of it in an empty folder, as it stands in the document."""
    others = Others()
    home, hive, data = (folder / name for name in ("home", "hive", "lake"))
    hive.mkdir()
    data.mkdir()
    apart(write, home, scale)
    apart(publish, home, scale.run_id)
    with server() as catalogue:
        partitioned = apart(partition, home, hive, scale.run_id)
        apart(create, catalogue, data)
        part_rows = scale.prompts * (scale.responses + scale.samples)
        source = hive / f"run_id={scale.run_id}"
        written, (counts, broken), lake_s = two_writers(catalogue, data, source, part_rows)
        sizes = {path: sum(part.stat().st_size for part in path.rglob("*.parquet")) for path in (hive, data)}
        timed: list[tuple[str, str, Measured]] = []
        for name, opened, where, run_id in (
            ("one DuckDB file", file, (home,), scale.run_id),
            ("partitioned Parquet", parquet, (hive,), scale.run_id),
            ("DuckLake, PostgreSQL as catalogue", lake, (catalogue, data), "first"),
        ):
            for what, read in (("all RL-test scores", scores), ("one reward model's scores", one_reward_model)):
                tried = [apart(read, opened, where, run_id) for _ in range(_ROUNDS)]
                timed.append((name, what, sorted(tried, key=lambda one: one.seconds)[_ROUNDS // 2]))
        apart(write, home, FURTHER)
        added = "a further, small run"
        further = hive / f"run_id={FURTHER.run_id}"
        timed += [
            ("one DuckDB file", added, apart(publish, home, FURTHER.run_id)),
            ("partitioned Parquet", added, apart(partition, home, hive, FURTHER.run_id)),
            ("DuckLake, PostgreSQL as catalogue", added, apart(write_run, catalogue, data, further, FURTHER.run_id)),
        ]
    size = f"{scale.reward_models} reward models × {scale.prompts:,} prompts × {scale.samples} samples"
    committed = "; ".join(f"{done} parts committed, {refused} refused" for done, refused in written)
    lines = [
        f"{size}. {described()}.",
        others.line(),
        f"Reads: the median of {_ROUNDS} fresh processes, opening included. A further run is checked on its way into",
        "the file; the other two take it from there.",
        "",
        "| | asked | seconds | peak memory, GiB |",
        "| --- | --- | ---: | ---: |",
        *(f"| {name} | {what} | {one.seconds:.2f} | {one.peak_bytes / 2**30:.2f} |" for name, what, one in timed),
        "",
        f"- Partitioned Parquet: written from the file in {partitioned.seconds:.1f} s, {sizes[hive] / 1e6:,.0f} MB.",
        f"- DuckLake: two processes wrote a run each in {lake_s:.1f} s, {sizes[data] / 1e6:,.0f} MB: {committed}.",
        f"  A third counted the scores {counts} times meanwhile and saw {broken or 'no'} part that was not whole.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where there is room (default: the temporary folder)")
    parser.add_argument("--print", action="store_true", help="print the section instead of writing it")
    arguments = parser.parse_args()
    for name in EXTENSIONS:
        extension(name)
    folder = Path(tempfile.mkdtemp(prefix="righttree-lake-", dir=arguments.folder))
    try:
        text = section(folder, Scale(pairs=0, validation_pairs=0))
    finally:
        shutil.rmtree(folder)
    print(text)
    if not arguments.print:
        insert("lake", text, SCALE)


if __name__ == "__main__":
    main()
