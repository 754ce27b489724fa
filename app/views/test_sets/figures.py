"""The figures of the Test sets page: a function for each study."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple

import polars as pl
import streamlit as st

from app import notebook_code
from app.access.warehouse import Snapshot
from app.charts.test_sets import along_responses, best_splits, grid
from app.components import cautions, columns, estimates, figure, words
from app.offers import Options
from app.state import Selection
from app.views.test_sets import data, text
from warehouse.study import MEASURES, Evaluation
from warehouse.study.plans import PLAIN, advise


def ranks(snapshot: Snapshot, chosen: Selection, options: Options) -> None:
    """Draw the heat map of rank bins."""
    evaluations = data.rank_map(snapshot, options, chosen)
    table = data.ranks(evaluations, chosen.correlation, chosen.level)
    if not _is_defined(table, evaluations.values(), options):
        return
    name, title, shared = _shared(chosen, options)
    bins = data.map_bins(chosen, options)
    st.markdown(text.ranks(table, chosen))
    figure.show(
        "ranks",
        grid(
            table.with_columns(pl.col("chosen_bin", "rejected_bin").cast(pl.String)),
            down=("chosen_bin", "Chosen from bin", [str(bin_) for bin_ in range(2, bins + 1)]),
            across=("rejected_bin", "Rejected from bin", [str(bin_) for bin_ in range(1, bins)]),
            title=name,
        ),
        table,
        title=f"{title}, by the ranks of chosen and rejected",
        note="Each prompt's responses are ordered by golden score and cut into bins; bin 1 has the lowest scores. A "
        f"cell uses pairs of its two bins only. {_IN_CELLS} {text.ceilings(table)}",
        alt=f"Heat map of rank bins: {title}, with intervals",
        file_name=words.file_name(chosen, options, "rank-map"),
        code=notebook_code.rank_map(chosen, options, bins),
        **shared,
    )


def categories(snapshot: Snapshot, chosen: Selection, options: Options) -> None:
    """Draw the table of categories, measured on down, optimised for across."""
    evaluations = data.category_table(snapshot, options, chosen)
    table = data.categories(evaluations, chosen.correlation, chosen.level)
    if not _is_defined(table, evaluations.values(), options):
        return
    name, title, shared = _shared(chosen, options)
    st.markdown(text.categories(table, chosen))
    figure.show(
        "category-table",
        grid(
            table,
            down=("measured", "Measured on", table["measured"].unique(maintain_order=True).to_list()),
            across=("valued", "Optimised for", table["valued"].unique(maintain_order=True).to_list()),
            title=name,
        ),
        table,
        title=f"{title}, category by category",
        note="Down: the RM-test prompts on which reward models are measured. Across: the RL-test prompts on which "
        f"policies are judged. {_IN_CELLS} {text.ceilings(table, by='valued')}",
        alt=f"Table of categories: {title}, with intervals",
        file_name=words.file_name(chosen, options, "category-table"),
        code=notebook_code.category_table(chosen, options, *(_named(table, side) for side in ("measured", "valued"))),
        **shared,
    )


def responses(snapshot: Snapshot, chosen: Selection, options: Options) -> None:
    """Draw the correlation against the number of responses per prompt."""
    evaluations = data.by_responses(snapshot, options, chosen)
    table = data.responses(evaluations, chosen.correlation, chosen.level)
    if not _is_defined(table, evaluations.values(), options):
        return
    name, title, shared = _shared(chosen, options)
    prompts = next(evaluation.prompts_used for (held, _), evaluation in evaluations.items() if held == "prompts")
    series = text.series(data.fixed_budget(chosen, options), prompts)
    points = table.with_columns(series=pl.col("held").replace_strict(series))
    st.markdown(text.responses(table, chosen))
    figure.show(
        "responses",
        along_responses(points, list(series.values()), f"{name} with NDR"),
        table,
        title=f"{title}, by responses per prompt",
        note="One line uses the same prompts throughout, which costs more annotations; the other the same number of "
        f"annotations, which leaves fewer prompts. {estimates.LINE_KEY}.",
        alt=f"{title} against the number of responses per prompt, with intervals",
        file_name=words.file_name(chosen, options, "responses"),
        code=notebook_code.by_responses(chosen, options, table.filter(held="prompts")["responses"].to_list()),
        **shared,
    )


def budget(snapshot: Snapshot, chosen: Selection, options: Options) -> None:
    """Draw the advice for a budget, the curve behind it, and every measure's best split."""
    plans = data.plans(snapshot, options, chosen)
    advice = advise(plans, chosen.correlation, chosen.level)
    table = data.plan_rows(plans, advice, chosen.correlation, chosen.level)
    if not _is_defined(table, (plan.part.evaluation for plan in plans), options) or advice is None:
        return
    for line in text.advice(plans, advice, chosen, data.plan_budget(chosen, options)):
        st.markdown(line)
    name, _, shared = _shared(chosen, options)
    measures = list(dict.fromkeys((plans[advice.best].measure, PLAIN)))
    titles = [MEASURES[measure].title for measure in measures]
    curves, best = data.curves(table, measures), data.best_splits(table)
    code = partial(notebook_code.plans, chosen, options, data.plan_budget(chosen, options))
    tried = [(plan.measure, plan.responses) for plan in plans if plan.measure in measures]
    with st.container(key="figures"):
        left, right = st.columns(2, gap="large")
        with left:
            figure.show(
                "plan-curve",
                along_responses(curves.rename({"title": "series"}), titles, f"{name} with NDR"),
                curves,
                title="The curve behind it",
                note=f"The same number of annotations, spent on more responses of fewer prompts. {estimates.LINE_KEY}.",
                alt=f"{name} with NDR by responses per prompt at a fixed budget, for {' and '.join(titles)}",
                file_name=words.file_name(chosen, options, "plan-curve"),
                code=code(tried),
                **shared,
            )
        with right:
            figure.show(
                "plans",
                best_splits(best, f"{name} with NDR"),
                table,
                title="Best split by measure",
                note=f"{estimates.KEY}. The table has every split.",
                alt=f"{name} of every measure with NDR at its best split, with intervals",
                file_name=words.file_name(chosen, options, "plans"),
                code=code(list(best.select("measure", "responses").iter_rows())),
                **shared,
            )


_IN_CELLS = "The figure is about this test set, with its 95% interval; the others are in the table."


def _named(table: pl.DataFrame, side: str) -> list[str]:
    """The categories of one side of the table of categories."""
    return [name for name in table[side].unique(maintain_order=True).to_list() if name != data.ALL]


def _is_defined(table: pl.DataFrame, evaluations: Iterable[Evaluation], options: Options) -> bool:
    """Say what to beware of and what is undefined; False, with the reason on the page, if everything is."""
    cautions.show(evaluations, len(options.proxies))
    if table["value"].null_count() == table.height:
        st.info(words.nothing_correlates(options))
        return False
    cautions.explain()
    if left_out := text.undefined(table):
        st.caption(left_out)
    return True


class _Shared(NamedTuple):
    """What the figures of a study share: the correlation's name, the start of a title, arguments of `figure.show`."""

    name: str
    title: str
    arguments: dict[str, Any]


def _shared(chosen: Selection, options: Options) -> _Shared:
    name = words.correlation(chosen.correlation, chosen.level)
    facts = text.plan_facts if chosen.study == "budget" else text.facts
    arguments = {"columns": columns.studies(name), "facts": facts(chosen, options)}
    return _Shared(name, f"{name} of {MEASURES[chosen.measure].title} with NDR", arguments)
