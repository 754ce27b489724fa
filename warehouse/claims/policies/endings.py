"""What is said where policies' responses are cut off: then an optimiser learns to finish, and little else."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from warehouse.formats import count
from warehouse.metrics.catalogue import optimizer_words
from warehouse.schema import INITIAL

LEAST_FINISHED = 0.8
"""The share of responses that end by themselves below which there is a warning."""


def cut_off(endings: pl.DataFrame, escape: Callable[[str], str] = str) -> list[str]:
    """A warning for the initial policy, and one for each optimiser at its usual strength, where too few responses end.

    `endings` are the rows of `reads.endings`. Names come out escaped.
    """
    few = endings.filter(pl.col("usual") & (pl.col("finished_share") < LEAST_FINISHED))
    lines = [
        f"{_share(row['finished_share'])} of the initial policy’s responses are cut off at the length limit: what "
        "optimising gains may be little more than responses that end."
        for row in few.filter(policy_id=INITIAL).to_dicts()
    ]
    for (optimizer, strength), rows in (
        few.filter(pl.col("policy_id") != INITIAL)
        .sort("optimizer", "finished_share", "policy_id")
        .group_by("optimizer", "strength", maintain_order=True)
    ):
        worst, of_all = rows.row(0, named=True), endings.filter(pl.col("usual"), optimizer=optimizer).height
        at = optimizer_words(str(optimizer)).at.format(f"{strength:g}")
        lines.append(
            f"{at[:1].upper()}{at[1:]}: {_share(worst['finished_share'])} of the responses are cut off at the length "
            f"limit where it optimises {escape(worst['reward_model_id'])}, and more than {_share(LEAST_FINISHED)} for "
            f"{rows.height} of {count(of_all, 'policy')}."
        )
    return lines


def _share(finished: float) -> str:
    return f"{1 - finished:.0%}".replace("%", " %")
