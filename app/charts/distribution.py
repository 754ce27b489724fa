"""How scores spread: for each reward model the share of its responses by standardised score, as a strip of shades."""

from __future__ import annotations

import altair as alt
import polars as pl

from app.charts.models import height, rows


def distribution(shares: pl.DataFrame, names: list[str]) -> alt.Chart:
    """`shares`: columns `reward_model, least, greatest, share`; one strip per name, from low scores to high."""
    return (
        alt.Chart(shares, height=height(names), padding={"bottom": 4})
        .mark_rect()
        .encode(
            x=alt.X(
                "least:Q",
                bin=alt.Bin(binned=True),
                title="Score, standardised by reward model (sd from its mean)",
                axis=alt.Axis(values=[-3, -2, -1, 0, 1, 2, 3], format="~f", grid=False),
            ),
            x2=alt.X2("greatest:Q"),
            y=rows(names),
            color=alt.Color(
                "share:Q",
                scale=alt.Scale(range="heatmap", domainMin=0),
                legend=alt.Legend(
                    title="Share of responses", orient="top", format=".0%", gradientLength=160, gradientThickness=10
                ),
            ),
            tooltip=[
                alt.Tooltip("reward_model:N", title="Reward model"),
                alt.Tooltip("least:Q", title="Standardised score from", format=".2f"),
                alt.Tooltip("greatest:Q", title="to", format=".2f"),
                alt.Tooltip("share:Q", title="Share of responses", format=".1%"),
            ],
        )
    )
