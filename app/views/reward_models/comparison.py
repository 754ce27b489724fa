"""The section that compares two reward models: what tells them apart now, and how many prompts would."""

from __future__ import annotations

import polars as pl
import streamlit as st

from app import notebook_code
from app.access import warehouse
from app.access.warehouse import Snapshot
from app.charts import models as charts
from app.charts.style import titled
from app.components import figure, page_state
from app.components.formats import escape
from app.state import ModelsChoice
from app.views.reward_models import data, text
from app.views.reward_models.data import ScoreSummary
from warehouse.study.power import POWER

_TITLE = "How many prompts tell two reward models apart?"
_COLUMNS = {"figure": "Figure", "responses": "Responses per prompt", "difference": "Difference", "prompts": "Prompts"}


def show(snapshot: Snapshot, run_id: str, chosen: ModelsChoice, summary: ScoreSummary) -> None:
    """The shown reward model against another one, which is chosen here."""
    names = summary.cube.reward_models
    if len(names) < 3:
        st.info("Comparing two reward models needs a third one as golden; this run has too few.")
        return
    first = chosen.reward_model or names[0]
    models = warehouse.reward_models(snapshot, run_id)
    second = chosen.against or data.best_other(models, first) or next(name for name in names if name != first)
    with st.container(border=True, key="rows-comparison"):
        st.header(_TITLE, anchor=False)
        st.selectbox(
            f"Compare {escape(first)} with",
            [name for name in names if name != first],
            help="Default: the other reward model with the best validation accuracy.",
            **page_state.bound(chosen, "against", second),
        )
        compared = data.comparison(snapshot, run_id, chosen.category, first, second)
        lines = [text.compared(part.title, part.result, part.prompts, part.repeated) for part in compared.figures]
        st.markdown("\n".join(f"- {line}" for line in [*lines, *map(escape, compared.missing)]))
        if not compared.figures:
            return
        panels, needed = [], []
        for part in compared.figures:
            frame = data.prompts_needed(part)
            needed.append(frame)
            title = f"{part.repeated.capitalize()}s per prompt"
            chart = charts.prompts_needed(frame, part.result.detectable(), part.result.prompts, title)
            panels.append(titled(chart, part.title))
        goldens = len(compared.figures[0].result.goldens)
        figure.show(
            "power",
            panels,
            pl.concat(needed),
            title="Prompts needed",
            note=text.how_to_read(first, second, goldens),
            alt=f"Prompts needed by the difference of {first} and {second} that they show",
            level=3,
            file_name=f"{run_id}-{first}-{second}-prompts-needed",
            columns=_COLUMNS,
            code="" if chosen.category else notebook_code.power(run_id, first, second),
            facts={
                "run_id": run_id,
                "category": ", ".join(chosen.category) or "all",
                "first": first,
                "second": second,
                "power": POWER,
            },
        )
