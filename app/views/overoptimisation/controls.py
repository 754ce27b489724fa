"""The controls of the Overoptimisation page, and what a run offers them."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from app.access import curves, warehouse
from app.access.warehouse import Snapshot
from app.components import page_state
from app.components.page_state import Page
from app.offers import Fitting
from app.state import OveroptimisationChoice

SHOWN = (3, 10, 30)


@dataclass(frozen=True)
class Offered:
    """What can be chosen in a run."""

    optimizers: tuple[str, ...]
    reward_models: tuple[str, ...]
    rl_categories: tuple[str, ...]
    penalties: tuple[float, ...]


def fit(snapshot: Snapshot, fitting: Fitting[OveroptimisationChoice], run_id: str) -> Offered:
    """Hold the choice against the run."""
    names = tuple(warehouse.reward_models(snapshot, run_id)["reward_model_id"])
    categories = tuple(sorted(set(warehouse.rl_scores(snapshot, run_id).categories)))
    optimizers = curves.optimizers(snapshot, run_id)
    each = [curves.kl_coefficients(snapshot, run_id, optimizer) for optimizer in optimizers]
    penalties = tuple(dict.fromkeys(penalty for of_one in each for penalty in of_one))
    fitting.one("golden", names, "no such reward model")
    fitting.one(
        "proxy", tuple(n for n in names if n != fitting.chosen.golden), "no such reward model beside the golden"
    )
    fitting.many("rl_category", categories, "not among the RL-test prompts")
    fitting.one("penalty", penalties, "no policy was trained with it")
    metrics = curves.ppo_curves(snapshot, run_id)["metric"].unique().to_list()
    fitting.one("metric", metrics, "not recorded of this run's PPO")
    fitting.one("shown", SHOWN, f"offered are {', '.join(map(str, SHOWN))}")
    return Offered(optimizers, names, categories, penalties)


def show(page: Page[OveroptimisationChoice, Offered]) -> None:
    """Draw the controls, below the run."""
    chosen, offered = page.chosen, page.offered
    for field, label, other, help_text in (
        ("golden", "Golden", chosen.proxy, "Whose scores count as the truth. None chosen: averaged over all."),
        ("proxy", "Proxy", chosen.golden, "What is optimised instead. None chosen: averaged over all."),
    ):
        st.selectbox(
            label,
            [name for name in offered.reward_models if name != other],
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
        help_text="The prompts that the policies are valued on. None chosen: all.",
    )
    if len(offered.penalties) > 1:
        current = offered.penalties[0] if chosen.penalty is None else chosen.penalty
        st.segmented_control(
            "KL penalty",
            offered.penalties,
            required=True,
            format_func=lambda value: f"{value:g}",
            help="Coefficient of the KL penalty that policies are trained with; the paper's is 0.",
            **page_state.bound(chosen, "penalty", current),
        )
