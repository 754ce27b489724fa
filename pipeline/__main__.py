"""The command line: `righttree`, also `python -m pipeline`.

Bad input ends with one line on standard error and exit code 2, any other failure with exit code 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import metadata

from pipeline.cli import added, audit, benchmark, data, in_options, run, scoring, serve, study
from pipeline.errors import PipelineError
from warehouse import store
from warehouse.errors import WarehouseError
from warehouse.terminals import escaping

_EPILOG = """\
The data folder is ./data, or RIGHTTREE_HOME; it holds the runs, in runs/, and warehouse.duckdb.
The embedded model is stored in ~/.cache/righttree, or RIGHTTREE_CACHE.
Only one run executes per data folder; others queue.

examples:
"""


def build_parser() -> argparse.ArgumentParser:
    """The whole command line, as `--help` shows it."""
    parser = argparse.ArgumentParser(
        prog="righttree",
        description="Does a reward model's accuracy predict the policy it yields? Train, optimise, measure, explore.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    version = f"righttree {_version()}"
    parser.add_argument("--version", action="version", version=version, help="print the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(
        name: str, does: str, example: str, handler: Callable[[argparse.Namespace], int]
    ) -> argparse.ArgumentParser:
        about, usage = does[0].upper() + does[1:] + ".", f"example: {example}"
        added = commands.add_parser(name, help=does, description=about, epilog=usage, allow_abbrev=False)
        added.set_defaults(handler=handler, parser=added)
        parser.epilog = f"{parser.epilog}  {example}\n"
        return added

    for module in (run, scoring, data, added, study, audit, benchmark, serve):
        module.add(command)
    return parser


def _version() -> str:
    try:
        return metadata.version("righttree")
    except metadata.PackageNotFoundError:  # run from a folder of its source
        return "of no version: it is not installed"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code. Codes that would steer a terminal are printed escaped."""
    words = sys.argv[1:] if argv is None else argv
    with escaping():
        return _run(build_parser().parse_args(words), words)


def _run(arguments: argparse.Namespace, words: Sequence[str]) -> int:
    try:
        return int(arguments.handler(arguments))
    except (PipelineError, WarehouseError, store.Damaged) as error:
        damage = store.damage(store.home(), error) if isinstance(error, store.Damaged) else error
        print(f"righttree: {in_options(damage, arguments.parser, words)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("righttree: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0
    except OSError as error:  # a disk that is full or broken, in a write outside a run's folder
        print(f"righttree: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
