"""Choose: which reward model to take, how sure that is, where each fails, and what would make it surer."""

from __future__ import annotations

import streamlit as st

from app.access.warehouse import Snapshot
from app.components import glossary, page_state, trouble
from app.components.formats import escape
from app.components.page_state import Page
from app.offers import Fitting
from app.state import ChooseChoice
from app.views.choose import data, predicted, text
from app.views.choose import outcome as by_outcome
from app.views.choose.data import Offered
from app.views.choose.figures import SHOWN, ChoiceFigures
from warehouse.errors import WarehouseError
from warehouse.metrics.catalogue import optimizer_words
from warehouse.study import MEASURES
from warehouse.study.choice.answer import BEST_OF_N, Question


def show() -> None:
    """The page."""
    with trouble.shown():
        page = page_state.begin(ChooseChoice, title="Which reward model should I take?", fit=fit, controls=choose)
        chosen, offered = page.chosen, page.offered
        if BEST_OF_N not in offered.by:
            st.caption(text.NO_SAMPLES.format(escape(text.by(_by(chosen, offered)))))
        try:
            outcome = data.outcome_of(_by(chosen, offered))
            if outcome is not None:
                by_outcome.show(page.snapshot, page.run_id, question(chosen, offered), outcome)
                return
            answer = data.answered(page.snapshot, page.run_id, question(chosen, offered))
        except WarehouseError as error:
            st.info(escape(str(error)))
            return
        st.caption(
            glossary.explain(
                "golden", "proxy", "gain", "NDR", "KL", "best-of-n", *glossary.of_optimizers([answer.question.by])
            )
        )
        with st.container(border=True, key="answer"):
            st.markdown(text.headline(answer))
            st.markdown("\n".join(f"- {sentence}" for sentence in text.beside(answer)))
        st.caption(text.what_is_shown(page.run_id, answer))
        figures = ChoiceFigures(page.snapshot, page.run_id, chosen, answer)
        figures.ranking()
        figures.chances()
        figures.failures()
        if text.at_n(answer) is not None:
            figures.worst()
        predicted.show(page.snapshot, page.run_id, chosen)


def question(chosen: ChooseChoice, offered: Offered) -> Question:
    """What the page asks."""
    by = _by(chosen, offered)
    without_policies = by in MEASURES or data.outcome_of(by) is not None
    return Question(
        goldens=chosen.golden,
        by=by,
        strength=None if without_policies else chosen.strength,
        kl=None if without_policies else chosen.kl,
        categories=chosen.category,
        subsets=chosen.subset,
    )


def fit(snapshot: Snapshot, fitting: Fitting[ChooseChoice], run_id: str) -> Offered:
    """Drop what the run does not have from the choice."""
    offered = data.offered(snapshot, run_id)
    fitting.allow_each("golden", offered.scorers, "no such scorer")
    fitting.allow("by", offered.by, "no such optimiser, outcome or measure in this run")
    by = _by(fitting.chosen, offered)
    fitting.allow("strength", offered.strengths.get(by, ()), f"{by} has no such strength in this run")
    if fitting.chosen.kl is not None:
        farthest = offered.kl.get(by)
        if farthest is None or not 0 < fitting.chosen.kl <= farthest:
            fitting.drop("kl", f"the KL of {by} is unknown" if farthest is None else f"above 0, at most {farthest:.3g}")
        elif fitting.chosen.strength is not None:
            fitting.drop("strength", "set either a strength or a KL, not both")
    fitting.allow_each("category", offered.categories, "not among the prompts")
    fitting.allow_each("subset", offered.subsets_of(fitting.chosen.category), "not in the chosen categories")
    fitting.allow("reward_model", offered.scorers, "no such reward model")
    fitting.allow("predicted", offered.scorers, "no such reward model")
    fitting.allow("shown", SHOWN, f"use one of {', '.join(map(str, SHOWN))}")
    return offered


def choose(page: Page[ChooseChoice, Offered]) -> None:
    """The controls of the page, below the run."""
    chosen, offered = page.chosen, page.offered
    by = _by(chosen, offered)
    st.multiselect(
        "Golden",
        offered.scorers,
        placeholder="Labels and the like, else all others",
        help="Scorers that count as the truth. None chosen: those that are golden only, such as labels; if there are "
        "none, each reward model is judged by all others.",
        **page_state.bound(chosen, "golden", list(chosen.golden)),
    )
    st.selectbox(
        "Rank by",
        offered.by,
        format_func=text.by,
        help="What a policy that was optimised against the reward model is worth, an outcome of it that was measured "
        "elsewhere, or a measure of the reward model.",
        **page_state.bound(chosen, "by", by, resets=("strength", "kl")),
    )
    _strength(chosen, offered, by)
    help_text = "Categories of the prompts. None chosen: all."
    page_state.several("Categories", chosen, "category", offered.categories, help_text=help_text, resets=("subset",))
    st.multiselect(
        "Subsets",
        offered.subsets_of(chosen.category),
        placeholder="All subsets",
        help="Subsets of the categories. None chosen: all.",
        **page_state.bound(chosen, "subset", list(chosen.subset)),
    )


def _strength(chosen: ChooseChoice, offered: Offered, by: str) -> None:
    strengths = offered.strengths.get(by, ())
    if len(strengths) > 1:
        st.selectbox(
            optimizer_words(by).strength,
            strengths,
            index=None,
            placeholder="Half of the samples" if by == BEST_OF_N else "The greatest",
            format_func=lambda value: f"{value:g}",
            disabled=chosen.kl is not None,
            help=f"How hard the policies were optimised. None chosen: the default.\n\n{glossary.explain('strength')}",
            **page_state.bound(chosen, "strength", chosen.strength),
        )
    if by in offered.kl:
        st.number_input(
            "Or at a KL, nats",
            0.01,
            offered.kl[by],
            placeholder="At a strength",
            disabled=chosen.strength is not None,
            help=f"Compare policies at the same distance from the initial one.\n\n{glossary.explain('KL')}",
            **page_state.bound(chosen, "kl", chosen.kl),
        )


def _by(chosen: ChooseChoice, offered: Offered) -> str:
    """What is ranked by: the default where the choice, which is a default itself, is not offered."""
    return chosen.by if chosen.by in offered.by else offered.by[0]
