"""The sidebar: the choices that pages share, each with a line of help.

A page names the parts it uses; the others are not shown and stay as they were.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import floor
from typing import Literal

import streamlit as st

from app.access import warehouse
from app.access.warehouse import Snapshot
from app.components import glossary, words
from app.components.formats import escape, listed, percent
from app.components.page_state import Page, bound, change, several
from app.offers import LEVELS, MOST_NOISE, MOST_SEED, Fitting, Options, fit_options, fit_sources
from app.state import Selection
from warehouse.errors import InvalidChoice
from warehouse.study import CORRELATIONS, MEASURES

Part = Literal["measure", "test set", "policies", "correlation"]
ALL: tuple[Part, ...] = ("measure", "test set", "policies", "correlation")

_BY_KL = "choose.by_kl"
_BIN_PAIR = "choose.bin_pair"
_NO_BINS = 0
_ABOUT_KL = {
    "bon": " Best-of-n's KL is an upper bound.",
    "tilted": " Of tilted policies it is estimated by the weights, on the prompts where the greatest λ is defined.",
}
"""What kind of KL an optimiser by weighting has."""
_ANY = 0


def fit(snapshot: Snapshot, fitting: Fitting[Selection], run_id: str) -> Options:
    """Hold the choice against the run."""
    fit_sources(fitting, warehouse.sources(snapshot, run_id))
    fitting.allow_each("goldens", warehouse.may_be_golden(snapshot, run_id), "no such scorer, or a proxy only")
    fitting.allow("outcome", warehouse.outcome_names(snapshot, run_id), "no such outcome in this run")
    source = fitting.chosen.source()
    try:
        options = warehouse.options(snapshot, run_id, source)
    except InvalidChoice as error:
        if source == warehouse.PLAIN:
            raise
        fitting.notes.append(f"goldens, sources and paraphrases ({error})")
        fitting.change(goldens=(), sources=(), paraphrase=0.0)
        options = warehouse.options(snapshot, run_id, warehouse.PLAIN)
    fit_options(fitting, options)
    return options


def show(page: Page[Selection, Options], parts: Sequence[Part] = ALL, *, ignored: Collection[str] = ()) -> None:
    """Draw the parts of the sidebar, below the run; controls of the fields that the page ignores are disabled."""
    draw = {"measure": _measure, "test set": _test_set, "policies": _policies, "correlation": _correlation}
    for part in parts:
        draw[part](page.chosen, page.offered, ignored)


def _measure(chosen: Selection, options: Options, ignored: Collection[str]) -> None:
    st.selectbox(
        "Measure",
        options.measures,
        format_func=lambda name: MEASURES[name].title,
        disabled="measure" in ignored,
        help="How each proxy is judged against the golden reward model. Larger is always better.",
        **bound(chosen, "measure", chosen.measure),
    )
    st.caption(escape(MEASURES[chosen.measure].help))
    st.multiselect(
        "Goldens",
        options.may_be_golden,
        placeholder="Every reward model in turn" if options.goldens == options.proxies else listed(options.goldens),
        help="The scorers that count as the truth: reward models, or labels, people's grades and verifiers, which no "
        "policy is optimised against. None chosen: every reward model in turn.",
        **bound(chosen, "goldens", list(chosen.goldens)),
    )


def _test_set(chosen: Selection, options: Options, ignored: Collection[str]) -> None:
    st.markdown("**Test set**")
    help_text = "Categories of RewardBench. None chosen: all."
    several("Categories", chosen, "categories", tuple(options.subsets), help_text=help_text)
    st.multiselect(
        "Subsets",
        options.subsets_of(chosen.categories),
        placeholder="All subsets",
        help="Subsets of the categories. None chosen: all.",
        **bound(chosen, "subsets", list(chosen.subsets)),
    )
    if len(options.sources) > 1:
        st.multiselect(
            "Response sources",
            options.sources,
            format_func=words.source,
            placeholder=words.source(options.sources[0]),
            help="Whose responses to the RM-test prompts are measured. With several sources, the responses alternate.",
            **bound(chosen, "sources", list(chosen.sources)),
        )
    if options.responses > 2:
        st.slider(
            "Responses per prompt",
            2,
            options.responses,
            disabled="responses" in ignored,
            help="How many responses to each RM-test prompt are measured, from the first on.",
            **bound(chosen, "responses", chosen.responses or options.responses, unset=options.responses),
        )
    plain = Selection()
    fields = ("prompts", "budget", "rank_bins", "noise", "paraphrase")
    is_set = any(getattr(chosen, field) != getattr(plain, field) for field in fields)
    with st.expander("Size, ranks, noise, paraphrase", expanded=is_set):
        _size(chosen, options, ignored)
        _ranks(chosen, options, disabled="rank_bins" in ignored)
        noise_slider("Annotation noise", chosen, "noise", disabled="noise" in ignored)
        if options.paraphrases:
            st.select_slider(
                "Paraphrased prompts",
                sorted({step / 10 for step in range(11)} | {chosen.paraphrase}),
                format_func=percent,
                help="Share of the RM-test prompts that are replaced by a paraphrase and the responses to it.",
                **bound(chosen, "paraphrase", chosen.paraphrase),
            )
        if words.is_drawn(chosen):
            st.number_input(
                "Seed",
                0,
                MOST_SEED,
                help="Seed for choosing prompts, choosing paraphrases and simulating annotator noise.",
                **bound(chosen, "seed", chosen.seed),
            )


def _size(chosen: Selection, options: Options, ignored: Collection[str]) -> None:
    most = options.prompts_of(chosen.categories, chosen.subsets)
    responses = chosen.responses or options.responses
    if most > 2:
        drawn = chosen.budget // responses if chosen.budget else chosen.prompts or most
        st.slider(
            "Prompts",
            2,
            most,
            disabled=chosen.budget is not None or "prompts" in ignored,
            help="How many of the chosen prompts to use, drawn at random; a smaller draw is part of a larger one.",
            **bound(chosen, "prompts", drawn, unset=most),
        )
    st.number_input(
        "Annotation budget",
        2 * responses,
        max(2 * responses, most * responses),
        placeholder="All prompts",
        help="Number of responses to annotate: prompts × responses per prompt. It sets the number of prompts.",
        disabled=chosen.prompts is not None or "budget" in ignored,
        **bound(chosen, "budget", chosen.budget),
    )


def _ranks(chosen: Selection, options: Options, *, disabled: bool) -> None:
    most = chosen.responses or options.responses
    st.selectbox(
        "Rank bins",
        (_NO_BINS, *range(2, most + 1)),
        format_func=lambda bins: str(bins) if bins else "No bins: all pairs",
        disabled=disabled,
        help="Cut each prompt's responses, ordered by golden score, into bins; only pairs from different bins count.",
        **bound(chosen, "rank_bins", chosen.rank_bins or _NO_BINS, unset=_NO_BINS),
    )
    if chosen.rank_bins is None:
        return
    cells = [(_ANY, _ANY), *((i, j) for i in range(2, chosen.rank_bins + 1) for j in range(1, i))]
    st.session_state[_BIN_PAIR] = (chosen.chosen_bin or _ANY, chosen.rejected_bin or _ANY)
    st.selectbox(
        "Chosen and rejected bin",
        cells,
        format_func=lambda cell: f"{cell[0]} over {cell[1]}" if cell[0] else "Any two bins",
        disabled=disabled,
        help="The bins that the chosen and the rejected response come from; bin 1 has the lowest golden scores.",
        key=_BIN_PAIR,
        on_change=_change_bins,
    )


def _change_bins() -> None:
    chosen_bin, rejected_bin = st.session_state[_BIN_PAIR]
    change(Selection, chosen_bin=chosen_bin or None, rejected_bin=rejected_bin or None)


def noise_slider(
    label: str,
    chosen: Selection,
    field: str,
    width: int | Literal["stretch"] = "stretch",
    *,
    disabled: bool = False,
) -> None:
    """A share of noise in steps of 0.05, and whatever other share a link asked for."""
    share = getattr(chosen, field)
    st.select_slider(
        label,
        sorted({step / 20 for step in range(round(MOST_NOISE * 20) + 1)} | {share}),
        format_func=percent,
        help="Share of pairs that an annotator orders differently from the golden.",
        width=width,
        disabled=disabled,
        **bound(chosen, field, share),
    )


def _policies(chosen: Selection, options: Options, _: Collection[str]) -> None:
    st.markdown("**Policies**")
    if len(options.strengths) > 1:
        st.segmented_control(
            "Optimiser",
            tuple(options.strengths),
            required=True,
            format_func=lambda name: words.optimizer(name).title,
            help=f"How the policies were optimised.\n\n{glossary.explain('best-of-n', 'tilted', 'PPO')}",
            **bound(chosen, "optimizer", chosen.optimizer),
        )
    optimizer, strengths = words.optimizer(chosen.optimizer), options.strengths.get(chosen.optimizer, ())
    reach = options.kl.get(chosen.optimizer)
    if reach is not None:
        st.session_state[_BY_KL] = chosen.kl is not None
        st.toggle(
            "At the same KL",
            help="Compare policies at the same KL instead of the same strength. A policy that never gets that far is "
            f"undefined.\n\n{glossary.explain('KL')}",
            key=_BY_KL,
            on_change=_change_by_kl,
            args=(floor(100 * reach[0]) / 100 or reach[0],),
        )
    if chosen.kl is not None and reach is not None:
        st.number_input(
            "KL from the initial policy, nats",
            min(0.01, reach[0]),
            reach[1],
            help=f"All policies reach {reach[0]:.3g}, the farthest {reach[1]:.3g}. Between two strengths, values are "
            "interpolated linearly in √KL." + _ABOUT_KL.get(chosen.optimizer, ""),
            **bound(chosen, "kl", chosen.kl),
        )
    elif len(strengths) > 1:
        st.select_slider(
            f"{optimizer.title}: {optimizer.strength}",
            strengths,
            format_func=lambda strength: f"{strength:g}",
            help=f"How hard the policies were optimised.\n\n{glossary.explain('strength')}",
            **bound(chosen, "strength", words.strength_of(chosen, options)),
        )
    help_text = "Prompts on which the policies are judged. None chosen: all."
    several("RL-test categories", chosen, "rl_categories", options.rl_categories, help_text=help_text)


def _change_by_kl(nats: float) -> None:
    change(Selection, kl=nats if st.session_state[_BY_KL] else None, strength=None)


def _correlation(chosen: Selection, _: Options, __: Collection[str]) -> None:
    st.markdown("**Correlation with NDR**")
    st.selectbox(
        "Correlation",
        CORRELATIONS,
        format_func=lambda name: words.CORRELATIONS[name].title,
        help="The figure that says how well a measure agrees with NDR over the golden–proxy pairs.",
        **bound(chosen, "correlation", chosen.correlation),
    )
    st.segmented_control(
        "Level",
        LEVELS,
        required=True,
        format_func=lambda level: "All pairs" if level == "pooled" else "Within goldens",
        help="Over all golden–proxy pairs at once, or within each golden and then averaged.",
        **bound(chosen, "level", chosen.level),
    )
