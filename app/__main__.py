"""The dashboard's server: `python -m app` with Streamlit's own options. `righttree app` starts it.

Streamlit imports a script when the first visitor arrives. This module imports the pages, and what their first tables,
charts and queries need, before the server answers, so that nobody has to wait for it.
"""

from __future__ import annotations

import importlib
import logging
import sys
from pathlib import Path

import altair as alt
import polars as pl
from streamlit.web import cli

from app.access import pool
from app.views import PAGES
from warehouse.errors import InvalidChoice

_LATER = ("pandas", "pyarrow")  # imported by DuckDB's first query and Streamlit's first table


def main() -> None:
    """Import the pages and serve them; ends the process with the server."""
    try:
        pool.processes()
    except InvalidChoice as error:
        sys.exit(f"righttree: {error}")
    alt.Chart(pl.DataFrame({"x": [0.0]})).mark_point().to_dict()  # imports what reads a frame
    for name in (*(f"app.views.{page.name}.page" for page in PAGES), *_LATER):
        importlib.import_module(name)
    # The web server would say again, in other words, where it listens; warnings and errors stay.
    logging.getLogger("uvicorn.error").addFilter(lambda record: record.levelno > logging.INFO)
    cli.main(["run", str(Path(__file__).with_name("served.py")), *sys.argv[1:]], prog_name="streamlit")


if __name__ == "__main__":
    main()
