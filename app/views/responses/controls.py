"""The controls of the Responses page: filters in the sidebar, and the choice of one prompt among those that match."""

from __future__ import annotations

import polars as pl
import streamlit as st

from app.access.warehouse import Snapshot
from app.components import page_state
from app.components.page_state import Page
from app.offers import Fitting
from app.state import ResponsesChoice
from app.views.responses import data, text

SHOWN = (4, 16, 64)
"""How many responses can be shown."""

_LONGEST_SEARCH = 200


def fit(snapshot: Snapshot, fitting: Fitting[ResponsesChoice], run_id: str) -> pl.DataFrame:
    """Drop what the run does not have from the choice; gives the prompts that match it."""
    fitting.allow("split", tuple(text.SPLITS), "use rl_test or rm_test")
    every = _all_prompts(snapshot, run_id, fitting.chosen)
    fitting.allow_each("category", every["category"].unique().to_list(), "not among these prompts")
    fitting.allow_each("subset", _subsets(every, fitting.chosen.category), "not in the chosen categories")
    fitting.allow("order", tuple(data.ORDERS), f"use one of {', '.join(data.ORDERS)}")
    fitting.allow("shown", SHOWN, f"use one of {', '.join(map(str, SHOWN))}")
    chosen = fitting.chosen
    prompts = data.search_prompts(
        snapshot,
        run_id,
        chosen.split,
        categories=chosen.category,
        subsets=chosen.subset,
        text=chosen.search[:_LONGEST_SEARCH],
    )
    fitting.allow("prompt", prompts["prompt_id"].to_list(), "not among the prompts that match")
    if not prompts.is_empty():
        answered = data.answered_by(snapshot, run_id, chosen_prompt(fitting.chosen, prompts))
        fitting.allow("policy", answered["policy_id"].to_list(), "did not answer this prompt")
        algorithms = data.trained_by(answered)
        fitting.allow("optimizer", algorithms, "none of its policies answered this prompt")
        by = fitting.chosen.optimizer or next(iter(algorithms), None)
        fitting.allow("reward_model", data.optimised_against(answered, by), "no checkpoint against it answered this")
        most = data.most_samples(answered)
        fitting.allow("sample", range(1, most + 1), f"checkpoints have samples 1 to {most}")
    return prompts


def chosen_prompt(chosen: ResponsesChoice, prompts: pl.DataFrame) -> str:
    """Id of the prompt that is shown: the chosen one, or the first that matches."""
    return chosen.prompt or str(prompts["prompt_id"][0])


def filters(page: Page[ResponsesChoice, pl.DataFrame]) -> None:
    """The filters, below the run. Changing one resets the choices that depend on it."""
    chosen = page.chosen
    every = _all_prompts(page.snapshot, page.run_id, chosen)
    st.segmented_control(
        "Prompts",
        tuple(text.SPLITS),
        required=True,
        format_func=text.SPLITS.__getitem__,
        help="RL-test prompts evaluate policies; RM-test prompts measure reward models.",
        **page_state.bound(chosen, "split", chosen.split, resets=("category", "subset", "prompt", "policy")),
    )
    st.text_input(
        "Search",
        max_chars=_LONGEST_SEARCH,
        placeholder="in prompts and responses",
        help="Shows prompts that contain this text, or have a response that does. Case is ignored.",
        **page_state.bound(chosen, "search", chosen.search, resets=("prompt", "policy")),
    )
    page_state.several(
        "Categories",
        chosen,
        "category",
        every["category"].unique().sort().to_list(),
        help_text="Categories of the prompts. None chosen: all.",
        resets=("subset", "prompt", "policy"),
    )
    st.multiselect(
        "Subsets",
        _subsets(every, chosen.category),
        placeholder="All subsets",
        help="Subsets of the categories. None chosen: all.",
        **page_state.bound(chosen, "subset", list(chosen.subset), resets=("prompt", "policy")),
    )


def choose_prompt(chosen: ResponsesChoice, prompts: pl.DataFrame) -> str:
    """Choose one of the prompts by name or step through them; gives its id."""
    rows = {row["prompt_id"]: row for row in prompts.to_dicts()}
    names = [None, *rows, None]
    current = chosen_prompt(chosen, prompts)
    place = names.index(current)
    with st.container(horizontal=True, vertical_alignment="bottom", key="prompt-choice"):
        st.selectbox(
            f"Prompt {place} of {len(rows)}",
            list(rows),
            format_func=lambda name: text.prompt_option(rows[name], searched=bool(chosen.search)),
            help="Type a part of its name or of its first words to find it.",
            **page_state.bound(chosen, "prompt", current, resets=("policy",)),
        )
        _step("Previous", ":material/arrow_back:", names[place - 1])
        _step("Next", ":material/arrow_forward:", names[place + 1])
    return current


def _step(label: str, icon: str, target: str | None) -> None:
    def go() -> None:
        page_state.change(ResponsesChoice, prompt=target, policy=None)

    st.button(label, icon=icon, disabled=target is None, on_click=go, key=f"go-{label}")


def _all_prompts(snapshot: Snapshot, run_id: str, chosen: ResponsesChoice) -> pl.DataFrame:
    return data.search_prompts(snapshot, run_id, chosen.split)


def _subsets(prompts: pl.DataFrame, categories: tuple[str, ...]) -> list[str]:
    within = prompts.filter(pl.col("category").is_in(categories)) if categories else prompts
    subsets: list[str] = within["subset"].unique().sort().to_list()
    return subsets
