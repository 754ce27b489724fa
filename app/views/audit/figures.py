"""The figures of the Audit page: subsets as dots with intervals, items as a table, and one item with its texts."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from app.access.warehouse import Snapshot
from app.charts import audit as charts
from app.charts import export
from app.components import columns, figure, page_state
from app.components.formats import UNDEFINED
from app.state import AuditChoice
from app.views.audit import data, text
from warehouse.study.audit.audit import Audit

_SUBSETS: dict[str, Any] = {
    "name": "Subset",
    "category": None,
    "subset": None,
    "used": st.column_config.NumberColumn("Items used", help="Items on which the goldens order a pair"),
    **columns.with_interval("Accuracy", "accuracy", "accuracy_low", "accuracy_high"),
    **columns.with_interval("Reliability", "reliability", "reliability_low", "reliability_high"),
    "reliability_100": columns.number("Reliability of 100 items"),
    "items_needed": st.column_config.NumberColumn("Items for 0.9", help="Such items for a reliability of 0.9"),
    "pairs_apart": "Pairs told apart",
    "informative": columns.number("Informative items", ".0%", "Share of items on which reward models differ"),
    "rank_correlation_with_rest": columns.number("ρ with the rest"),
    **columns.with_interval("τ", "tau", "tau_low", "tau_high"),
    "p_predicts": columns.number("p, predicts nothing"),
    **columns.with_interval("τ minus that of all", "tau_difference", "tau_difference_low", "tau_difference_high"),
    "p_difference": columns.number("p, as all items"),
    "apart": None,
    "predicts": None,
}
_ITEMS: dict[str, Any] = {
    "prompt_id": "Item",
    "because": st.column_config.TextColumn("Because", width="large"),
    "accuracy": columns.number("Accuracy", help_text="Mean over reward models"),
    "item_rest": columns.number("ρ with the rest", help_text="Over reward models, with their accuracy on other items"),
    "q_contrary": columns.number("q, contrary", help_text="False discovery rate at which it is called contrary"),
    "against": st.column_config.NumberColumn("Against", help="Reward models that order it against the golden"),
    "judges": st.column_config.NumberColumn("Of", help="Reward models that are better than chance elsewhere"),
    "p_suspect": columns.number("p, suspect", help_text="How likely so many votes against it are by coin tosses"),
    "q_suspect": columns.number("q, suspect", help_text="False discovery rate at which its label is suspect"),
    "ties": columns.number("Tied", ".0%", "Share of pairs that reward models tie"),
    "golden_ties": columns.number("Golden ties", ".0%", "Share of all pairs that the golden ties"),
    "repeats": "Repeats",
    "same": None,
    "reasons": "Reasons",
}


def subsets(audit: Audit, frame: pl.DataFrame, run_id: str, predicted: str) -> None:
    """Draw what subsets predict, how they rank reward models, and how hard they are."""
    drawn = data.drawn(frame)
    order = drawn["name"].to_list()
    notes = text.figure_notes(next((part.quantity for part in audit.predictions if part is not None), None))
    shared: dict[str, Any] = {
        "columns": _SUBSETS,
        "facts": {"run_id": run_id, "goldens": ", ".join(audit.right.golden_names)},
    }
    accuracy = data.accuracies(audit, drawn)
    with st.container(key="figures"):
        left, right = st.columns(2, gap="large")
        with left:
            if frame["tau"].null_count() < frame.height:
                figure.show(
                    "audit-predictions",
                    charts.predictions(drawn, order, f"Kendall τ with {predicted}"),
                    frame,
                    title="Which subsets predict the policy?",
                    note=notes["predict"],
                    alt=f"Kendall τ of accuracy on each subset with {predicted}, with intervals",
                    file_name=f"{run_id}-audit-predictions",
                    **shared,
                )
            else:
                st.header("Which subsets predict the policy?", anchor=False)
                st.info("No subset has a correlation: the run has no policies, or they do not clearly gain anything.")
        with right:
            figure.show(
                "audit-reliability",
                charts.reliabilities(drawn, order),
                frame,
                title="Which subsets tell reward models apart?",
                note=notes["reliability"],
                alt="Reliability of each subset's ranking of reward models, with intervals",
                file_name=f"{run_id}-audit-reliability",
                **shared,
            )
    figure.show(
        "audit-accuracy",
        charts.accuracies(accuracy, order),
        accuracy,
        title="How hard is each subset?",
        note=notes["accuracy"],
        alt="Accuracy of every reward model on each subset",
        file_name=f"{run_id}-audit-accuracy",
        columns={"name": "Subset", "mean": columns.number("Mean of the subset")},
        facts=shared["facts"],
    )


class ItemFigures:
    """Draws the table of items and the one that is chosen."""

    def __init__(self, snapshot: Snapshot, run_id: str, chosen: AuditChoice, audit: Audit) -> None:
        self._snapshot, self._run_id, self._chosen, self._audit = snapshot, run_id, chosen, audit
        self._items = data.items(audit)

    def show(self) -> None:
        """The items that are listed, by reason and category, and the chosen one with its texts."""
        chosen, counts = self._chosen, data.reasons(self._audit)
        st.header("Which items are faulty?", anchor=False)
        if not counts:
            st.info("No item is tied, repeated, undefined, without information, contrary or suspect.")
        else:
            with st.expander("What the reasons mean"):
                st.markdown(text.reasons(counts))
            self._filters(counts)
            self._table(data.listed(self._items, chosen.reason, chosen.category))

    def _filters(self, counts: dict[str, int]) -> None:
        st.pills(
            "Reasons",
            list(counts),
            selection_mode="multi",
            format_func=lambda name: text.reason(name, counts),
            help="Items with any of these. None chosen: every fault, without items that all get right.",
            **page_state.bound(self._chosen, "reason", list(self._chosen.reason), resets=("item",)),
        )
        page_state.several(
            "Categories",
            self._chosen,
            "category",
            sorted(set(self._audit.categories)),
            help_text="Categories of the items. None chosen: all.",
            resets=("item",),
        )

    def _table(self, listed: pl.DataFrame) -> None:
        if listed.is_empty():
            st.info("No item matches.")
            return
        names = listed["prompt_id"].to_list()

        def took() -> None:
            rows = st.session_state["audit-items"]["selection"]["rows"]
            page_state.change(AuditChoice, item=names[rows[0]] if rows and rows[0] < len(names) else None)

        st.dataframe(
            listed.select("prompt_id", "reasons", "because", pl.exclude("prompt_id", "reasons", "because")),
            hide_index=True,
            column_config={**columns.defaults(listed), **_ITEMS},
            placeholder=UNDEFINED,
            key="audit-items",
            on_select=took,
            selection_mode="single-row",
            alt="Items with the reasons why they are listed",
        )
        with st.container(horizontal=True, vertical_alignment="bottom", key="audit-item-choice"):
            st.selectbox(
                f"Item of {len(names):,}",
                names,
                index=None,
                format_func={row["prompt_id"]: text.item_option(row) for row in listed.to_dicts()}.__getitem__,
                placeholder="Choose one, or click on the left of a row, to read it",
                **page_state.bound(self._chosen, "item", self._chosen.item if self._chosen.item in names else None),
            )
            facts = {"run_id": self._run_id, "goldens": ", ".join(self._audit.right.golden_names)}
            st.download_button(
                "CSV of all items",
                lambda: export.csv(self._items, facts),
                file_name=f"{self._run_id}-audit-items.csv",
                mime="text/csv",
                on_click="ignore",
                key="audit-csv",
            )
        if self._chosen.item in names:
            self._item(listed.row(names.index(self._chosen.item), named=True))

    def _item(self, row: dict[str, Any]) -> None:
        """One item: what is wrong with it, its prompt, and its responses. Texts are never read as markup."""
        with st.container(border=True, key="audit-item"):
            st.caption(text.item_line(row))
            if why := text.item_reasons(row):
                st.markdown(why)
            st.text(str(data.prompt(self._snapshot, self._run_id, row["prompt_id"])["text"]))
        responses = data.responses(self._snapshot, self._run_id, row["prompt_id"], self._audit).to_dicts()
        models = len(self._audit.right.reward_models)
        with st.container(key="rows-audit"):
            for start in range(0, len(responses), 2):
                for column, response in zip(st.columns(2, gap="medium"), responses[start : start + 2], strict=False):
                    with column, st.container(border=True):
                        st.caption(text.response_line(response, models))
                        st.text(response["text"] or text.EMPTY)
