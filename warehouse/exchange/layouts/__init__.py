"""The forms of score files that other people have: what each is recognised by, and how its rows become long rows.

`table` lists the forms in the order in which they are tried; each module reads some of them; `identify` tells which
rows of several files are the same prompt and the same response.
"""

from warehouse.exchange.layouts.table import LAYOUTS, RECOGNISERS, read_files

__all__ = ["LAYOUTS", "RECOGNISERS", "read_files"]
