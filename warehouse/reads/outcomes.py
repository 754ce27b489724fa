"""Outcomes of a run's reward models, measured elsewhere."""

from __future__ import annotations

import numpy as np
import polars as pl

from warehouse.errors import UnknownName
from warehouse.reads.runs import reward_models
from warehouse.store import Connection
from warehouse.study.outcomes import Outcome

MINUS = "-"
"""What the name of an outcome begins with whose values are stored negated, because smaller is better."""


def outcomes(connection: Connection, run_id: str) -> pl.DataFrame:
    """Table `outcome` of a run, by outcome and reward model. Raises UnknownName for an unknown run."""
    reward_models(connection, run_id)
    query = "SELECT * FROM outcome WHERE run_id = ? ORDER BY outcome, reward_model_id"
    return connection.execute(query, [run_id]).pl()


def names(connection: Connection, run_id: str) -> tuple[str, ...]:
    """The outcomes of a run by name; none for one without."""
    return tuple(outcomes(connection, run_id)["outcome"].unique().sort())


def outcome(connection: Connection, run_id: str, name: str) -> Outcome:
    """One outcome of a run; its name may be given without the leading minus. Raises UnknownName for others."""
    frame = outcomes(connection, run_id)
    known = frame["outcome"].unique().sort().to_list()
    chosen = name if name in known else f"{MINUS}{name}"
    if chosen not in known:
        add = f"it has none: add some with `righttree outcomes FILE --run {run_id}`"
        listed = f"it has {', '.join(known)}" if known else add
        raise UnknownName(f"run {run_id!r} has no outcome {name!r}; {listed}")
    rows = frame.filter(outcome=chosen)
    return Outcome(
        chosen,
        tuple(rows["reward_model_id"]),
        rows["value"].to_numpy(),
        rows["standard_error"].fill_null(0.0).to_numpy().astype(np.float64),
    )
