"""Where a run's time went."""

from __future__ import annotations

import altair as alt
import polars as pl

from app.charts.ink import INK
from app.charts.layers import layered


def timings(stages: pl.DataFrame) -> alt.LayerChart:
    """Seconds per stage, in the order of the run. `stages`: columns `title, wall_s, label`."""
    order = stages["title"].to_list()
    base = alt.Chart(stages).encode(
        y=alt.Y("title:N", sort=order, title=None, axis=alt.Axis(labelLimit=200, labelPadding=6)),
        x=alt.X("wall_s:Q", title=None, axis=None),
        tooltip=[alt.Tooltip("title:N", title="Stage"), alt.Tooltip("label:N", title="Took")],
    )
    bars = base.mark_bar(height=12, cornerRadius=2, opacity=0.85)
    text = base.mark_text(align="left", dx=6, fontSize=12).encode(text=alt.Text("label:N"), color=alt.ColorValue(INK))
    return layered([bars, text], height=26 * max(1, len(order)), padding={"bottom": 2, "right": 70})
