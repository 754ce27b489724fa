"""`python -m app.report NAME`: writes the report card of a reward model. `righttree report` starts it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from app.report import page
from warehouse import files, store
from warehouse.errors import WarehouseError
from warehouse.terminals import escaping, on_one_line


def main(argv: list[str] | None = None) -> int:
    """Write the file and print its name; bad input ends with one line on standard error and exit code 2."""
    parser = argparse.ArgumentParser(prog="righttree report")
    parser.add_argument("name")
    parser.add_argument("--run")
    parser.add_argument("--golden", action="append", default=[])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    with escaping():
        return _write(parser.parse_args(argv))


def _write(choice: argparse.Namespace) -> int:
    output = choice.output or Path(page.file_name(choice.name))
    try:
        with store.open_read_only(store.home()) as connection:
            written = page.write(connection, choice.run, choice.name, tuple(choice.golden), choice.seed)
        files.write_text(output, written)
    except (WarehouseError, store.Damaged) as error:
        return _refused(store.damage(store.home(), error) if isinstance(error, store.Damaged) else str(error))
    except OSError as error:
        return _refused(f"{output} cannot be written ({error.strerror}); give another file to --output")
    print(f"wrote the report card of {choice.name} to {output}")
    return 0


def _refused(why: str) -> int:
    print(f"righttree: {on_one_line(why)}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
