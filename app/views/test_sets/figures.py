"""The figures of the Test sets page, a function a study."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import streamlit as st

from app.access.warehouse import Snapshot
from app.charts import test_sets
from app.charts.test_sets import grid
from app.components import columns, figure, words
from app.offers import Options
from app.state import Selection
from app.views.test_sets import data, text
from warehouse.study import MEASURES, Plan, advise
from warehouse.study.plans import PLAIN


def ranks(snapshot: Snapshot, chosen: Selection, options: Options) -> None:
    """Draw the heat map of rank bins."""
    frame = data.ranks(data.rank_map(snapshot, options, chosen), chosen.correlation, chosen.level)
    if not _begun(frame, options):
        return
    name, measure = _names(chosen)
    bins = data.map_bins(chosen, options)
    st.markdown(text.ranks(frame, chosen))
    figure.show(
        "ranks",
        grid(
            frame.with_columns(pl.col("chosen_bin", "rejected_bin").cast(pl.String)),
            down=("chosen_bin", "Chosen from bin", [str(bin_) for bin_ in range(2, bins + 1)]),
            across=("rejected_bin", "Rejected from bin", [str(bin_) for bin_ in range(1, bins)]),
            title=name,
        ),
        frame,
        title=f"{name} of {measure} with NDR, by the ranks of chosen and rejected",
        note="Bin 1 holds the golden's worst responses; only pairs of the cell's two bins count.",
        alt=f"Heat map of rank bins: {name} of {measure} with NDR, with intervals",
        file_name=words.file_name(chosen, options, "rank-map"),
        columns=columns.studies(name),
        facts=text.facts(chosen, options),
    )


def categories(snapshot: Snapshot, chosen: Selection, options: Options) -> None:
    """Draw the table of categories, measured on down, optimised for across."""
    found = data.category_table(snapshot, options, chosen)
    frame = data.categories(found, chosen.correlation, chosen.level)
    if not _begun(frame, options):
        return
    name, measure = _names(chosen)
    st.markdown(text.categories(frame, chosen))
    figure.show(
        "category-table",
        grid(
            frame,
            down=("measured", "Measured on", frame["measured"].unique(maintain_order=True).to_list()),
            across=("valued", "Optimised for", frame["valued"].unique(maintain_order=True).to_list()),
            title=name,
        ),
        frame,
        title=f"{name} of {measure} with NDR, category by category",
        note="Down: the RM-test prompts that are measured on. Across: the RL-test prompts that policies are valued on.",
        alt=f"Table of categories: {name} of {measure} with NDR, with intervals",
        file_name=words.file_name(chosen, options, "category-table"),
        columns=columns.studies(name),
        facts=text.facts(chosen, options),
    )


def responses(snapshot: Snapshot, chosen: Selection, options: Options) -> None:
    """Draw the correlation along responses per prompt."""
    found = data.by_responses(snapshot, options, chosen)
    frame = data.responses(found, chosen.correlation, chosen.level)
    if not _begun(frame, options):
        return
    name, measure = _names(chosen)
    there = next(evaluation.prompts_used for (held, _), evaluation in found.items() if held == "prompts")
    series = text.series(data.fixed_budget(chosen, options), there)
    st.markdown(text.responses(frame, chosen))
    figure.show(
        "responses",
        test_sets.along_responses(
            frame.with_columns(series=pl.col("held").replace_strict(series)), list(series.values()), f"{name} with NDR"
        ),
        frame,
        title=f"{name} of {measure} with NDR, along responses per prompt",
        note="Once on the same prompts, which costs more annotations, and once for the same annotations, which leaves "
        "fewer prompts. The band is the 95% interval.",
        alt=f"{name} of {measure} with NDR along responses per prompt, with intervals",
        file_name=words.file_name(chosen, options, "responses"),
        columns=columns.studies(name),
        facts=text.facts(chosen, options),
    )


def budget(snapshot: Snapshot, chosen: Selection, options: Options) -> None:
    """Draw the advice for a budget, the curve behind it, and every measure's best split."""
    plans = data.plans(snapshot, options, chosen)
    found = advise(plans, chosen.correlation, chosen.level)
    frame = data.plan_rows(plans, found, chosen.correlation, chosen.level)
    if not _begun(frame, options) or found is None:
        return
    for line in text.advice(plans, found, chosen, data.plan_budget(chosen, options)):
        st.markdown(line)
    with st.container(key="figures"):
        left, right = st.columns(2, gap="large")
        with left:
            _curve(frame, plans[found.best], chosen, options)
        with right:
            _best_splits(frame, chosen, options)


def _curve(frame: pl.DataFrame, best: Plan, chosen: Selection, options: Options) -> None:
    name, _ = _names(chosen)
    shown = list(dict.fromkeys((best.measure, PLAIN)))
    titles = [MEASURES[measure].title for measure in shown]
    curves = data.curves(frame, shown)
    figure.show(
        "plan-curve",
        test_sets.along_responses(curves.rename({"title": "series"}), titles, f"{name} with NDR"),
        curves,
        title="The curve behind it",
        note="The same annotations on ever more responses of ever fewer prompts. The band is the 95% interval.",
        alt=f"{name} with NDR along responses per prompt at a fixed budget, for {' and '.join(titles)}, with intervals",
        file_name=words.file_name(chosen, options, "plan-curve"),
        columns=columns.studies(name),
        facts=_plan_facts(chosen, options),
    )


def _best_splits(frame: pl.DataFrame, chosen: Selection, options: Options) -> None:
    name, _ = _names(chosen)
    figure.show(
        "plans",
        test_sets.best_splits(data.best_splits(frame), f"{name} with NDR"),
        frame,
        title="Best split by measure",
        note="A dot a measure with its 95% interval; the table has every split.",
        alt=f"{name} of every measure with NDR at its best split, with intervals",
        file_name=words.file_name(chosen, options, "plans"),
        columns=columns.studies(name),
        facts=_plan_facts(chosen, options),
    )


def _begun(frame: pl.DataFrame, options: Options) -> bool:
    """Say what is undefined; False, with the reason, where all is."""
    if frame["value"].null_count() == frame.height:
        st.info(words.nothing_correlates(options))
        return False
    if left_out := text.undefined(frame):
        st.caption(left_out)
    return True


def _names(chosen: Selection) -> Sequence[str]:
    """The correlation and the measure, for titles."""
    return words.correlation(chosen.correlation, chosen.level), MEASURES[chosen.measure].title


def _plan_facts(chosen: Selection, options: Options) -> dict[str, object]:
    """What says of a plan what it is, in every row of a download."""
    kept = ("run_id", "optimizer", "strength", "categories", "subsets", "rl_categories")
    facts = {name: value for name, value in words.facts(chosen, options).items() if name in kept}
    return facts | {
        "budget": data.plan_budget(chosen, options),
        "annotator_noise": chosen.plan_noise,
        "seed": chosen.seed,
    }
