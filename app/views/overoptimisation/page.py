"""Overoptimisation: what more optimising gains on the golden reward, what it loses, and what accuracy says about it."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from app.access import curves, warehouse
from app.access.warehouse import Snapshot
from app.components import cautions, glossary, page_state, trouble
from app.components.page_state import Page
from app.offers import Fitting
from app.state import OveroptimisationChoice
from app.views.overoptimisation import text
from app.views.overoptimisation.figures import SHOWN, CurveFigures
from app.views.overview import text as overview_text
from warehouse.schema import BY_WEIGHTING, category_order


@dataclass(frozen=True)
class Offered:
    """What can be chosen in a run."""

    optimizers: tuple[str, ...]
    goldens: tuple[str, ...]
    proxies: tuple[str, ...]
    rl_categories: tuple[str, ...]
    penalties: tuple[float, ...]


def show() -> None:
    """The page."""
    with trouble.shown():
        page = page_state.begin(
            OveroptimisationChoice,
            title="Overoptimisation: what more optimising gains, and what it loses",
            fit=fit,
            controls=choose,
        )
        snapshot, run_id, chosen, offered = page.snapshot, page.run_id, page.chosen, page.offered
        st.caption(glossary.explain("golden", "proxy", "NDR", "π₀", "KL", *glossary.of_optimizers(offered.optimizers)))
        st.caption(text.what_is_shown(run_id, chosen.golden, chosen.proxy))
        missing = overview_text.nothing_to_say(len(offered.proxies), offered.optimizers)
        if missing:
            st.info(missing)
            return
        if set(offered.optimizers) <= set(BY_WEIGHTING):
            st.caption(text.NO_PPO)
        cautions.show_endings(warehouse.endings(snapshot, run_id))
        stopped = text.stopped(curves.stopped_ppo(snapshot, run_id))
        if stopped:
            st.warning(stopped, icon=":material/report:")
        figures = CurveFigures(snapshot, run_id, chosen, offered.optimizers)
        figures.gains()
        figures.ndr()
        figures.goodhart()
        figures.degrees()
        figures.lengths()
        figures.finished()
        figures.training()
        figures.hacking()


def fit(snapshot: Snapshot, fitting: Fitting[OveroptimisationChoice], run_id: str) -> Offered:
    """Drop what the run does not have from the choice."""
    goldens, proxies = warehouse.may_be_golden(snapshot, run_id), warehouse.may_be_proxy(snapshot, run_id)
    categories = category_order(warehouse.rl_scores(snapshot, run_id).categories)
    optimizers = curves.optimizers(snapshot, run_id)
    penalties = tuple(
        dict.fromkeys(
            penalty for optimizer in optimizers for penalty in curves.kl_coefficients(snapshot, run_id, optimizer)
        )
    )
    fitting.allow("golden", goldens, "no such reward model, or a proxy only")
    others = [name for name in proxies if name != fitting.chosen.golden]
    fitting.allow("proxy", others, "no such reward model other than the golden")
    fitting.allow_each("rl_category", categories, "not among the RL-test prompts")
    fitting.allow("penalty", penalties, "no policy was trained with it")
    metrics = curves.ppo_curves(snapshot, run_id)["metric"].unique().to_list()
    fitting.allow("metric", metrics, "not recorded in this run")
    fitting.allow("shown", SHOWN, f"use one of {', '.join(map(str, SHOWN))}")
    return Offered(optimizers, goldens, proxies, categories, penalties)


def choose(page: Page[OveroptimisationChoice, Offered]) -> None:
    """The controls of the page, below the run."""
    chosen, offered = page.chosen, page.offered
    goldens = [name for name in offered.goldens if name != chosen.proxy]
    proxies = [name for name in offered.proxies if name != chosen.golden]
    for field, label, names, help_text in (
        ("golden", "Golden", goldens, "The scorer that counts as the truth. None chosen: the average."),
        ("proxy", "Proxy", proxies, "The reward model that is optimised. None chosen: the average."),
    ):
        st.selectbox(
            label,
            names,
            index=None,
            placeholder="All, averaged",
            help=help_text,
            **page_state.bound(chosen, field, getattr(chosen, field)),
        )
    page_state.several(
        "RL-test categories",
        chosen,
        "rl_category",
        offered.rl_categories,
        help_text="Categories of the prompts that policies are evaluated on. None chosen: all.",
    )
    if len(offered.penalties) > 1:
        st.segmented_control(
            "KL penalty",
            offered.penalties,
            required=True,
            format_func=lambda value: f"{value:g}",
            help="Coefficient of the KL penalty during training; the paper uses 0.",
            **page_state.bound(chosen, "penalty", offered.penalties[0] if chosen.penalty is None else chosen.penalty),
        )
