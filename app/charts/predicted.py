"""The chart of predicted regret: what policies keep by the main measure, and the reward model that is predicted."""

from __future__ import annotations

import altair as alt
import polars as pl

from app.charts.remembered import remembered
from app.charts.style import INK, SOFT, axis, layered, reference_line, tooltips
from app.components.formats import FIGURE, SHORT

_HEIGHT = 300
_FAINT = 0.45


@remembered
def scatter(models: pl.DataFrame, name: str, titles: tuple[str, str], level: float) -> alt.LayerChart:
    """A point for each reward model whose policy is known: a measure (across) and NDR (up).

    The prediction for `name` is a diamond with its interval of this level; without a prediction a dashed line shows
    where its measure is. `models`: `reward_model, kind, feature, measured, value, low, high`; `titles` are those of the
    measure and of NDR.
    """
    x_title, y_title = titles
    known, own = models.drop_nulls(["feature", "measured"]), models.filter(reward_model=name).drop_nulls("feature")
    x = alt.X("feature:Q", title=x_title, scale=alt.Scale(zero=False, padding=14), axis=axis(5, SHORT))
    y_scale = alt.Scale(zero=False, padding=14)
    y = alt.Y("measured:Q", title=y_title, scale=y_scale, axis=axis(5, SHORT))
    ends = (("low", f"{level:.0%} from", FIGURE), ("high", "to", FIGURE))
    shown = tooltips(
        ("reward_model", "Reward model"),
        ("kind", "Kind"),
        ("feature", x_title, FIGURE),
        ("measured", f"{y_title}, measured", FIGURE),
        ("value", "Predicted without it", FIGURE),
        *ends,
    )
    opacity = alt.OpacityValue(_FAINT, condition={"test": "datum.chosen", "value": 1})
    marked = alt.Chart(known.with_columns(chosen=pl.col("reward_model") == pl.lit(name)))
    layers = [marked.mark_circle(size=80).encode(x=x, y=y, opacity=opacity, tooltip=shown)]
    predicted = own.drop_nulls("value")
    if predicted.is_empty():
        return layered([reference_line("x", *own["feature"].to_list()), *layers], height=_HEIGHT)
    base = alt.Chart(predicted).encode(x=x, tooltip=shown, color=alt.ColorValue(INK))
    bar = base.mark_rule(strokeWidth=2, opacity=SOFT + 0.2).encode(y=alt.Y("low:Q", scale=y_scale), y2=alt.Y2("high:Q"))
    diamond = base.mark_point(shape="diamond", size=150, filled=True, opacity=1).encode(y=alt.Y("value:Q"))
    return layered([*layers, bar, diamond], height=_HEIGHT)
