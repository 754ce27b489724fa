"""What comes after the single file, tried out: partitioned Parquet, and DuckLake with PostgreSQL as its catalogue.

    python -m tests.benchmarks.lake [--home FOLDER] [--folder FOLDER] [--print]

The rows of a simulated run (of `--home`, a folder that `tests.benchmarks.scale --keep` left, or one made here) are
written as Parquet partitioned by run and reward model, and into DuckLake by two processes at once, each a run, a
transaction a part, while a third one reads. The same reads are timed on all three. `make install-dev` brings the
extensions of DuckDB and a PostgreSQL; one that the system has is used first.
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

from pipeline import runs
from tests.benchmarks.apart import Measured, apart
from tests.benchmarks.document import SCALE, insert
from tests.benchmarks.machine import Others, described
from tests.benchmarks.postgres import server
from tests.benchmarks.scale import FURTHER, publish
from tests.benchmarks.scale_study import Scale, write
from warehouse import reads, store
from warehouse.schema import TABLES

EXTENSIONS = ("ducklake", "postgres_scanner")
_TABLES = ("run", "prompt", "reward_model", "policy", "response", "score", "policy_value")
_LARGE = {"score": "run_id, reward_model_id"}


def extension(name: str) -> Path:
    """The file of an extension that pip installed. Ends with SystemExit if there is none for this DuckDB."""
    spec = find_spec(f"duckdb_extension_{name}")
    folder = Path(spec.origin).parent if spec and spec.origin else Path()
    path = folder / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
    if not path.exists():
        package = f"duckdb-extension-{name.replace('_', '-')}=={duckdb.__version__}"
        raise SystemExit(f"DuckDB's extension {name} is not installed: `pip install {package}`")
    return path


def partition(home: Path, target: Path) -> None:
    """Every table of the published build as Parquet, a folder per run, and of scores per reward model."""
    target.mkdir()
    with duckdb.connect(str(home / str(store.build_id(home))), read_only=True) as connection:
        for name in _TABLES:
            by = _LARGE.get(name, "run_id")
            connection.execute(
                f"COPY \"{name}\" TO '{target / name}' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY ({by}), APPEND)"
            )


@contextmanager
def file(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published file, as the dashboard opens it."""
    with store.open_read_only(home) as connection:
        yield connection


@contextmanager
def parquet(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The tables as views over the partitions."""
    with duckdb.connect() as connection:
        for name in _TABLES:
            options = "hive_partitioning = true, hive_types_autocast = false"
            files = f"read_parquet('{folder / name}/**/*.parquet', {options})"
            connection.execute(f'CREATE VIEW "{name}" AS FROM {files}')
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
    """The tables in a new lake."""
    with lake(catalogue, folder) as connection:
        for name in _TABLES:
            connection.execute(TABLES[name].ddl)
            connection.execute(f'ALTER TABLE "{name}" SET PARTITIONED BY ({_LARGE.get(name, "run_id")})')


def write_run(catalogue: str, folder: Path, parts: Path, run_id: str) -> tuple[int, int, float]:
    """Put the parts of a run directory into the lake as this run's; parts written, parts refused, seconds."""
    written, refused, begun = 0, 0, time.perf_counter()
    with lake(catalogue, folder) as connection:
        for name in _TABLES:
            for part in sorted((parts / name).glob("*.parquet")):
                try:
                    connection.execute(
                        f"INSERT INTO \"{name}\" SELECT * REPLACE ('{run_id}' AS run_id) FROM read_parquet('{part}')"
                    )
                    written += 1
                except duckdb.Error:
                    refused += 1
    return written, refused, time.perf_counter() - begun


def watch(catalogue: str, folder: Path, part_rows: int, stop: Event) -> tuple[int, int]:
    """Count the scores again and again: how often, and how often a part was seen that was not whole."""
    counts, broken = 0, 0
    with lake(catalogue, folder) as connection:
        while not stop.is_set():
            (rows,) = connection.execute("SELECT count(*) FROM score").fetchall()[0]
            counts += 1
            broken += rows % part_rows != 0
    return counts, broken


def two_writers(catalogue: str, folder: Path, parts: Path, part_rows: int) -> tuple[list[Any], tuple[int, int]]:
    """Two processes write a run each while a third reads; what each gave."""
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, context.Pool(3) as pool:
        stop = manager.Event()
        watching = pool.apply_async(watch, (catalogue, folder, part_rows, stop))
        writing = [pool.apply_async(write_run, (catalogue, folder, parts, name)) for name in ("first", "second")]
        written = [one.get() for one in writing]
        stop.set()
        return written, watching.get()


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


def further(home: Path, folder: Path) -> None:
    """A small run beside the other as further partitions: nothing that is there is touched."""
    parts = home / "runs" / FURTHER.run_id
    with duckdb.connect() as connection:
        for name in _TABLES:
            if files := list((parts / name).glob("*.parquet")):
                connection.execute(
                    f"COPY (FROM read_parquet('{files[0].parent}/*.parquet')) TO '{folder / name}' "
                    f"(FORMAT parquet, COMPRESSION zstd, PARTITION_BY ({_LARGE.get(name, 'run_id')}), APPEND)"
                )


def section(home: Path, folder: Path, scale: Scale) -> str:
    """All of it, as it stands in the document."""
    others = Others()
    rows: list[tuple[str, str, Measured]] = []
    with server() as catalogue:
        hive, data = folder / "hive", folder / "lake"
        data.mkdir()
        partitioned = apart(partition, home, hive)
        apart(create, catalogue, data)
        part_rows = scale.prompts * scale.samples
        parts = without_rm_test(home / "runs" / scale.run_id, folder / "parts")
        begun = time.perf_counter()
        written, (counts, broken) = two_writers(catalogue, data, parts, part_rows)
        lake_s = time.perf_counter() - begun
        for name, opened, where, run_id in (
            ("one DuckDB file", file, (home,), scale.run_id),
            ("partitioned Parquet", parquet, (hive,), scale.run_id),
            ("DuckLake, PostgreSQL as catalogue", lake, (catalogue, data), "first"),
        ):
            rows.append((name, "all RL-test scores", apart(scores, opened, where, run_id)))
            rows.append((name, "one reward model's scores", apart(one_reward_model, opened, where, run_id)))
        if FURTHER.run_id not in runs.run_ids(home):
            write(home, FURTHER)
        beside = {
            "one DuckDB file": apart(publish, home, FURTHER.run_id),
            "partitioned Parquet": apart(further, home, hive),
            "DuckLake, PostgreSQL as catalogue": apart(
                write_run, catalogue, data, home / "runs" / FURTHER.run_id, FURTHER.run_id
            ),
        }
    sizes = {name: _size(path) for name, path in (("hive", hive), ("lake", data))}
    lines = [
        f"{scale.reward_models} reward models × {scale.prompts:,} prompts × {scale.samples} samples. {described()}.",
        f"Other work, PostgreSQL's server among it, took {others.share():.0%} of the cores meanwhile.",
        "",
        "| | asked | seconds | peak memory, GiB |",
        "| --- | --- | ---: | ---: |",
        *(f"| {name} | {what} | {one.seconds:.2f} | {one.peak_bytes / 2**30:.2f} |" for name, what, one in rows),
        *(
            f"| {name} | a further, small run written beside it | {one.seconds:.2f} | {one.peak_bytes / 2**30:.2f} |"
            for name, one in beside.items()
        ),
        "",
        f"- Partitioned Parquet: written from the file in {partitioned.seconds:.1f} s, {sizes['hive'] / 1e6:,.0f} MB.",
        f"- DuckLake: two processes wrote a run each in {lake_s:.1f} s together, {sizes['lake'] / 1e6:,.0f} MB: "
        + "; ".join(f"{done} parts committed, {refused} refused" for done, refused, _ in written)
        + f". A third counted the scores {counts} times meanwhile and saw {broken or 'no'} part that was not whole.",
    ]
    return "\n".join(lines)


def without_rm_test(run: Path, target: Path) -> Path:
    """The run's parts by links, of scores those of the RL-test samples alone, which have one size."""
    for name in _TABLES:
        (target / name).mkdir(parents=True)
        for part in (run / name).glob("*.parquet"):
            if not part.name.startswith("scores-rm_test"):
                (target / name / part.name).symlink_to(part.resolve())
    return target


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.parquet"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, help="a data folder that `tests.benchmarks.scale --keep` left")
    parser.add_argument("--folder", type=Path, help="where there is room (default: the temporary folder)")
    parser.add_argument("--print", action="store_true", help="print the section instead of writing it")
    arguments = parser.parse_args()
    for name in EXTENSIONS:
        extension(name)
    folder = Path(tempfile.mkdtemp(prefix="righttree-lake-", dir=arguments.folder))
    try:
        scale, home = Scale(), arguments.home
        if home is None:
            scale, home = Scale(pairs=0, validation_pairs=0), folder / "home"
            apart(write, home, scale)
            apart(publish, home, scale.run_id)
        text = section(home, folder, scale)
    finally:
        shutil.rmtree(folder)
    print(text)
    if not arguments.print:
        insert("lake", text, SCALE)


if __name__ == "__main__":
    main()
