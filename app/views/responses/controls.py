"""Finding a prompt: its use, category and subset, a text to search for, and one of those found."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from app.access.warehouse import Snapshot
from app.components import page_state
from app.components.page_state import Page
from app.offers import Fitting
from app.state import ResponsesChoice
from app.views.responses import data, text

SHOWN = (4, 16, 64)
_LONGEST_SEARCH = 200


def fit(snapshot: Snapshot, fitting: Fitting[ResponsesChoice], run_id: str) -> pl.DataFrame:
    """Hold the choice against the run; gives the prompts that it finds."""
    fitting.allow("split", tuple(text.SPLITS), "browsed are rl_test and rm_test")
    every = data.search_prompts(snapshot, run_id, fitting.chosen.split, (), (), "")
    fitting.allow_each("category", every["category"].unique().to_list(), "not among these prompts")
    fitting.allow_each("subset", _subsets(every, fitting.chosen.category), "not in the chosen categories")
    fitting.allow("order", tuple(data.ORDERS), f"orders are {', '.join(data.ORDERS)}")
    fitting.allow("shown", SHOWN, f"offered are {', '.join(map(str, SHOWN))}")
    chosen = fitting.chosen
    found = data.search_prompts(
        snapshot, run_id, chosen.split, chosen.category, chosen.subset, chosen.search[:_LONGEST_SEARCH]
    )
    fitting.allow("prompt", found["prompt_id"].to_list(), "not among the prompts found")
    if not found.is_empty():
        answered = data.answered_by(snapshot, run_id, prompt_of(fitting.chosen, found))
        models = data.ppo_reward_models(answered)
        fitting.allow("policy", answered["policy_id"].to_list(), "did not answer this prompt")
        fitting.allow("reward_model", models, "no PPO checkpoint against it answered this prompt")
        most = data.most_samples(answered)
        fitting.allow("sample", range(1, most + 1), f"checkpoints have samples 1 to {most}")
    return found


def prompt_of(chosen: ResponsesChoice, found: pl.DataFrame) -> str:
    """The prompt looked at."""
    return chosen.prompt or str(found["prompt_id"][0])


def controls(page: Page[ResponsesChoice, pl.DataFrame]) -> None:
    """The controls that find prompts, below the run. What depends on the prompt is set back when they change."""
    chosen = page.chosen
    every = data.search_prompts(page.snapshot, page.run_id, chosen.split, (), (), "")
    categories = every["category"].unique().sort().to_list()
    st.segmented_control(
        "Prompts",
        tuple(text.SPLITS),
        required=True,
        format_func=text.SPLITS.__getitem__,
        help="RL-test prompts value policies, RM-test prompts measure reward models.",
        **page_state.bound(chosen, "split", chosen.split, resets=("category", "subset", "prompt", "policy")),
    )
    st.text_input(
        "Search",
        max_chars=_LONGEST_SEARCH,
        placeholder="in prompts and responses",
        help="Shows the prompts that hold this text, or have a response that does. Capitals do not matter.",
        **page_state.bound(chosen, "search", chosen.search, resets=("prompt", "policy")),
    )
    page_state.several(
        "Categories",
        chosen,
        "category",
        categories,
        help_text="RewardBench's. None chosen: all.",
        resets=("subset", "prompt", "policy"),
    )
    st.multiselect(
        "Subsets",
        _subsets(every, chosen.category),
        placeholder="All subsets",
        help="Within the categories. None chosen: all.",
        **page_state.bound(chosen, "subset", list(chosen.subset), resets=("prompt", "policy")),
    )


def show(chosen: ResponsesChoice, found: pl.DataFrame) -> str:
    """Choose one of the prompts found, by name or one after the other; gives its id."""
    rows = {row["prompt_id"]: row for row in found.to_dicts()}
    names = list(rows)
    current = prompt_of(chosen, found)
    place = names.index(current)
    with st.container(horizontal=True, vertical_alignment="bottom", key="prompt-choice"):
        st.selectbox(
            f"Prompt {place + 1} of {len(names)}",
            names,
            format_func=lambda name: text.prompt_option(rows[name], bool(chosen.search)),
            help="Type to find one by its name or its beginning.",
            **page_state.bound(chosen, "prompt", current, resets=("policy",)),
        )
        _step("Previous", ":material/arrow_back:", names[place - 1] if place else None)
        _step("Next", ":material/arrow_forward:", names[place + 1] if place + 1 < len(names) else None)
    return current


def describe(row: dict[str, Any]) -> None:
    """The prompt itself, letter by letter."""
    with st.container(border=True, key="prompt"):
        st.caption(text.prompt_line(row))
        st.text(row["text"])


def _step(label: str, icon: str, target: str | None) -> None:
    def go() -> None:
        page_state.change(ResponsesChoice, prompt=target, policy=None)

    st.button(label, icon=icon, disabled=target is None, on_click=go, key=f"go-{label}")


def _subsets(every: pl.DataFrame, categories: tuple[str, ...]) -> list[str]:
    within = every.filter(pl.col("category").is_in(list(categories))) if categories else every
    subsets: list[str] = within["subset"].unique().sort().to_list()
    return subsets
