"""How each reward model reacts to edited responses; nothing where none were scored."""

from __future__ import annotations

import polars as pl
import streamlit as st

from app.access import frames, warehouse
from app.access.warehouse import Snapshot
from app.charts import models as charts
from app.components import figure
from app.components.formats import escape
from app.state import ModelsChoice
from app.views.reward_models.data import ScoreSummary
from warehouse import reads
from warehouse.formats import count
from warehouse.schema import EDITS
from warehouse.study.reactions import Reactions

_read = warehouse.cached(reads.probes.reactions, entries=8)
_COLUMNS = {
    "reward_model": "Reward model",
    "kind": "Kind",
    "flip_rate": "Labels flipped",
    "edit": "Edit",
    "value": "Change of the score (sd)",
    "low": "from",
    "high": "to",
}


def show(snapshot: Snapshot, run_id: str, chosen: ModelsChoice, summary: ScoreSummary) -> None:
    """A row of dots for each edit, a dot a reward model, on the edited responses to the chosen prompts."""
    whole = _read(snapshot, run_id)
    if whole is None:
        return
    edited = whole.of_prompts(frozenset(summary.cube.prompts))
    if not edited.prompts:
        st.info("No response to prompts of these categories was edited.")
        return
    changes = table(edited, warehouse.reward_models(snapshot, run_id))
    shown = chosen.reward_model or summary.cube.reward_models[0]
    figure.show(
        "reactions",
        charts.reactions(changes, list(EDITS), shown),
        changes,
        title="What besides content do they react to?",
        note=note(edited),
        alt=f"Change of the score by each of five edits of a response, a dot a reward model, {shown} ringed",
        file_name=f"{run_id}-reactions",
        columns=_COLUMNS,
        facts={"run_id": run_id, "category": ", ".join(chosen.category) or "all"},
    )


def table(edited: Reactions, reward_models: pl.DataFrame) -> pl.DataFrame:
    """One row per reward model and edit: `reward_model, kind, flip_rate, edit, value, low, high`.

    `reward_models` are the rows of the run's table.
    """
    rows = [
        {"reward_model": name, "edit": edit, **frames.figures_of("value", estimate)}
        for edit, estimates in edited.means().items()
        for name, estimate in zip(edited.reward_models, estimates, strict=True)
    ]
    texts = dict.fromkeys(("reward_model", "edit"), pl.String)
    kinds = reward_models.select("kind", "flip_rate", reward_model="reward_model_id")
    return (
        pl.DataFrame(rows, schema={**texts, **frames.floats("value", "low", "high")})
        .join(kinds, on="reward_model", maintain_order="left")
        .select("reward_model", "kind", "flip_rate", "edit", "value", "low", "high")
    )


def note(edited: Reactions) -> str:
    """What is edited and what a cell says, and which reward models have none."""
    text = (
        f"One response of the initial policy to each of {count(len(edited.prompts), 'prompt')} is edited in five fixed "
        "ways: a sentence that says nothing is added (padding), a polite opening and closing (polite), its sentences "
        "become a bulleted list (list), the last one is said again (repeated), or it breaks off after two thirds of "
        "its words (unfinished). A dot is the mean change of a reward model's score, in its standard deviations within "
        "prompts; intervals are over prompts, that of the chosen one is drawn. A reward model that likes an edit may "
        "teach its policy the same: `righttree findings` says whether it does in this run."
    )
    if edited.left_out:
        text += f" Without figures: {escape(', '.join(edited.left_out))}."
    return text
