"""Overview: the question, this run's answer to it, the figures behind the answer, and the paper's beside them."""

from __future__ import annotations

import streamlit as st

from app.access import curves as access_curves
from app.access import warehouse
from app.components import cautions, glossary, links, page_state, trouble
from app.state import PageChoice
from app.views.overview import data, figures, text


def show() -> None:
    """The page."""
    with trouble.shown():
        page = page_state.begin(
            PageChoice,
            title="Does accuracy predict the policy?",
            fit=lambda snapshot, _, run_id: access_curves.optimizers(snapshot, run_id),
        )
        snapshot, run_id, optimizers = page.snapshot, page.run_id, page.offered
        st.markdown(text.QUESTION)
        missing = text.nothing_to_say(len(warehouse.may_be_proxy(snapshot, run_id)), optimizers)
        if missing:
            st.info(missing)
            return
        curves = {name: access_curves.value_curves(access_curves.Series(snapshot, run_id, name)) for name in optimizers}
        evaluations = {name: data.evaluation(snapshot, run_id, name) for name in optimizers}
        models = max(evaluation.proxies for evaluation in evaluations.values())
        first = optimizers[0]
        figures.first_visit(snapshot, run_id, page.chosen.run, evaluations[first], curves[first])
        st.caption(glossary.explain(*text.terms(optimizers)))
        cautions.explain()
        figures.findings(["predicts"], snapshot, run_id, page.chosen.run, curves)
        links.to("choose", "Which reward model should I take? See Choose", run=page.chosen.run)
        cautions.show(evaluations.values(), models)
        cautions.show_endings(warehouse.endings(snapshot, run_id))
        st.caption(text.what_is_shown(run_id, evaluations, curves))
        figures.scatters(snapshot, run_id, evaluations, curves)
        st.header("What else this run says", anchor=False)
        others = ("responses", "measure", "harder", "length")
        figures.findings(others, snapshot, run_id, page.chosen.run, curves)
        figures.paper(run_id, evaluations)
