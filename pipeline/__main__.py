"""The command line: `righttree`, also `python -m pipeline`.

Bad input ends with one line on standard error and exit code 2; what fails for another reason, with exit code 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from pipeline.cli import data, run, serve, study
from pipeline.errors import PipelineError
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

    for module in (run, data, study, serve):
        module.add(command)
    return parser


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
