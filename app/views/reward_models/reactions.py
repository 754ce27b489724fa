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
    "edit": "Edit",
    "value": "Change of the score (sd)",
    "low": "from",
    "high": "to",
}


def show(snapshot: Snapshot, run_id: str, chosen: ModelsChoice, summary: ScoreSummary) -> None:
    """A heat map of reward models and edits, on the edited responses to the chosen prompts."""
    whole = _read(snapshot, run_id)
    if whole is None:
        return
    edited = whole.of_prompts(frozenset(summary.cube.prompts))
    if not edited.prompts:
        st.info("No response to prompts of these categories was edited.")
        return
    changes = table(edited)
    figure.show(
        "reactions",
        charts.reactions(changes, list(edited.reward_models), list(EDITS)),
        changes,
        title="What besides content do they react to?",
        note=note(edited),
        alt="Change of the score by each of five edits of a response, one row a reward model",
        file_name=f"{run_id}-reactions",
        columns=_COLUMNS,
        facts={"run_id": run_id, "category": ", ".join(chosen.category) or "all"},
    )


def table(edited: Reactions) -> pl.DataFrame:
    """One row per reward model and edit: `reward_model, edit, value, low, high`."""
    rows = [
        {"reward_model": name, "edit": edit, **frames.figures_of("value", estimate)}
        for edit, estimates in edited.means().items()
        for name, estimate in zip(edited.reward_models, estimates, strict=True)
    ]
    texts = dict.fromkeys(("reward_model", "edit"), pl.String)
    return pl.DataFrame(rows, schema={**texts, **frames.floats("value", "low", "high")})


def note(edited: Reactions) -> str:
    """What is edited and what a cell says, and which reward models have none."""
    text = (
        f"One response of the initial policy to each of {count(len(edited.prompts), 'prompt')} is edited in five fixed "
        "ways: a sentence that says nothing is added (padding), a polite opening and closing (polite), its sentences "
        "become a bulleted list (list), the last one is said again (repeated), or it breaks off after two thirds of "
        "its words (unfinished). A cell is the mean change of the score, in the reward model's standard deviations "
        "within prompts; intervals are over prompts. A reward model that likes an edit may teach its policy the same: "
        "`righttree findings` says whether it does in this run."
    )
    if edited.left_out:
        text += f" Without figures: {escape(', '.join(edited.left_out))}."
    return text
