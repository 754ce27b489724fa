"""The controls of how a test set is made from the chosen prompts (METHOD, "Test-set constructions")."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from app.components import words
from app.components.formats import percent
from app.components.page_state import bound, change
from app.offers import MOST_NOISE, MOST_SEED, Options
from app.state import Selection

_NO_BINS = 0
_ANY = 0


def show(chosen: Selection, options: Options) -> None:
    """Draw them: responses at once, the rest in an expander that opens by itself while one of them is set."""
    if len(options.sources) > 1:
        st.multiselect(
            "Response sources",
            options.sources,
            format_func=words.source,
            placeholder=words.source(options.sources[0]),
            help="Whose responses to the RM-test prompts are measured. Of several, the responses alternate.",
            **bound(chosen, "sources", list(chosen.sources)),
        )
    if options.responses > 2:
        st.slider(
            "Responses per prompt",
            2,
            options.responses,
            help="The first so many responses to each RM-test prompt.",
            **bound(chosen, "responses", chosen.responses or options.responses, unset=options.responses),
        )
    plain = Selection()
    fields = ("prompts", "budget", "rank_bins", "noise", "paraphrase")
    is_set = any(getattr(chosen, field) != getattr(plain, field) for field in fields)
    with st.expander("Size, ranks, noise, paraphrase", expanded=is_set):
        _size(chosen, options)
        _ranks(chosen, options)
        noise_slider("Annotation noise", chosen, "noise")
        if options.paraphrases:
            st.select_slider(
                "Paraphrased prompts",
                sorted({step / 10 for step in range(11)} | {chosen.paraphrase}),
                format_func=percent,
                help="Share of the RM-test prompts that give way to their paraphrases, with the responses to those.",
                **bound(chosen, "paraphrase", chosen.paraphrase),
            )
        _seed(chosen)


def _size(chosen: Selection, options: Options) -> None:
    there = options.prompts_of(chosen.categories, chosen.subsets)
    responses = chosen.responses or options.responses
    if there > 2:
        drawn = chosen.budget // responses if chosen.budget else chosen.prompts or there
        st.slider(
            "Prompts",
            2,
            there,
            disabled=chosen.budget is not None,
            help="So many of the chosen prompts, drawn at random; a smaller draw is part of a greater one.",
            **bound(chosen, "prompts", drawn, unset=there),
        )
    st.number_input(
        "Annotation budget",
        2 * responses,
        max(2 * responses, there * responses),
        placeholder="All prompts",
        help="Responses to annotate in all, prompts × responses per prompt; decides the number of prompts.",
        disabled=chosen.prompts is not None,
        **bound(chosen, "budget", chosen.budget),
    )


def _ranks(chosen: Selection, options: Options) -> None:
    most = chosen.responses or options.responses
    st.selectbox(
        "Rank bins",
        (_NO_BINS, *range(2, most + 1)),
        format_func=lambda bins: str(bins) if bins else "No bins: all pairs",
        help="Cut the golden order of each prompt's responses into bins; only pairs from different bins count.",
        **bound(chosen, "rank_bins", chosen.rank_bins or _NO_BINS, unset=_NO_BINS),
    )
    if chosen.rank_bins is None:
        return
    cells = [(_ANY, _ANY), *((i, j) for i in range(2, chosen.rank_bins + 1) for j in range(1, i))]
    key = "choose.bin_pair"
    st.session_state[key] = (chosen.chosen_bin or _ANY, chosen.rejected_bin or _ANY)
    st.selectbox(
        "Chosen and rejected bin",
        cells,
        format_func=lambda cell: f"{cell[0]} over {cell[1]}" if cell[0] else "Any two bins",
        help="Where the chosen and the rejected response come from; bin 1 is the golden's worst.",
        key=key,
        on_change=_took_bins,
        args=(key,),
    )


def _took_bins(key: str) -> None:
    chosen_bin, rejected_bin = st.session_state[key]
    change(Selection, chosen_bin=chosen_bin or None, rejected_bin=rejected_bin or None)


def noise_slider(label: str, chosen: Selection, field: str, width: int | Literal["stretch"] = "stretch") -> None:
    """A share of noise in steps of 0.05, and whatever other share a link asked for."""
    share = getattr(chosen, field)
    st.select_slider(
        label,
        sorted({step / 20 for step in range(round(MOST_NOISE * 20) + 1)} | {share}),
        format_func=percent,
        help="Share of the golden-ordered pairs that an annotator orders the other way.",
        width=width,
        **bound(chosen, field, share),
    )


def _seed(chosen: Selection) -> None:
    if words.is_drawn(chosen):
        st.number_input(
            "Seed",
            0,
            MOST_SEED,
            help="Of the drawn prompts, the paraphrased ones and the annotator's noise: another seed, another draw.",
            **bound(chosen, "seed", chosen.seed),
        )
