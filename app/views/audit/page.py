"""Audit: which subsets of a test set predict, which tell reward models apart, and which items are faulty."""

from __future__ import annotations

import streamlit as st

from app.access import warehouse
from app.access.warehouse import Snapshot
from app.components import cautions, glossary, page_state, trouble, words
from app.components.page_state import Page
from app.offers import Fitting
from app.state import AuditChoice, Policies
from app.views.audit import data, figures, text
from warehouse.study.audit.items import REASONS

Offered = dict[str, Policies]
"""Each optimiser with its policies of the greatest strength."""


def show() -> None:
    """The page."""
    with trouble.shown():
        page = page_state.begin(AuditChoice, title="Is the test set any good?", fit=fit, controls=choose)
        snapshot, run_id, chosen = page.snapshot, page.run_id, page.chosen
        policies = page.offered.get(chosen.optimizer) or next(iter(page.offered.values()), None)
        goldens = data.goldens(snapshot, run_id, chosen.goldens)
        audit = data.audit(snapshot, run_id, goldens, policies, chosen.outcome)
        subsets = data.subsets(audit)
        predicted = chosen.outcome or text.quantity(audit, "" if policies is None else words.called(policies))

        st.caption(glossary.explain("golden", "proxy", "NDR", "accuracy", *glossary.of_optimizers([chosen.optimizer])))
        st.caption(text.what_is_shown(run_id, audit))
        if few := text.few_models(audit):
            st.caption(f":material/info: {few}")
        cautions.show(audit.evaluations, len(audit.right.reward_models))
        for line in [*text.summary(audit, subsets), text.predicting(subsets, predicted)]:
            st.markdown(line)
        figures.subsets(audit, subsets, run_id, predicted)
        if left_out := text.left_out(audit, subsets):
            st.caption(left_out)
        figures.ItemFigures(snapshot, run_id, chosen, audit).show()


def fit(snapshot: Snapshot, fitting: Fitting[AuditChoice], run_id: str) -> Offered:
    """Drop what the run does not have from the choice."""
    cube = warehouse.score_cube(snapshot, run_id)
    offered = data.policies(snapshot, run_id)
    fitting.allow_each("goldens", cube.reward_models, "no such scorer")
    fitting.allow("outcome", data.outcomes(snapshot, run_id), "the run has no such outcome")
    fitting.allow("optimizer", tuple(offered), "the run has no such policies")
    fitting.allow_each("reason", tuple(REASONS), "no such reason")
    fitting.allow_each("category", cube.categories, "not among the RM-test prompts")
    fitting.allow("item", cube.prompts, "not among the RM-test prompts")
    return offered


def choose(page: Page[AuditChoice, Offered]) -> None:
    """The controls of the page, below the run."""
    chosen = page.chosen
    st.multiselect(
        "Golden",
        warehouse.score_cube(page.snapshot, page.run_id).reward_models,
        placeholder="Labels, or each in turn",
        help="Scorers that count as the truth. None chosen: labels, grades and verifiers if the run has any, else "
        "every reward model in turn.",
        **page_state.bound(chosen, "goldens", list(chosen.goldens), resets=("item",)),
    )
    if outcomes := data.outcomes(page.snapshot, page.run_id):
        st.selectbox(
            "Outcome",
            outcomes,
            index=None,
            placeholder="None: what policies lose",
            help="What subsets are to predict: a number that was measured elsewhere of each reward model's policy.",
            **page_state.bound(chosen, "outcome", chosen.outcome),
        )
    if len(page.offered) > 1 and chosen.outcome is None:
        st.segmented_control(
            "Optimiser",
            list(page.offered),
            required=True,
            format_func=lambda name: words.optimizer(name).title,
            help="Whose policies subsets are to predict, at the greatest strength of the run.",
            **page_state.bound(chosen, "optimizer", chosen.optimizer),
        )
