"""The figures of the Choose page: the ranking, who beats whom, and where each fails."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import streamlit as st

from app.access import frames
from app.access.warehouse import Snapshot
from app.charts import choice as charts
from app.charts.export import Chart
from app.charts.style import titled
from app.components import figure, links, page_state
from app.components.formats import SHARE, SHORT, escape
from app.state import ChooseChoice
from app.views.choose import data, text
from warehouse.claims import choosing
from warehouse.study import MEASURES
from warehouse.study.choice.answer import Answer, Question
from warehouse.study.choice.failures import THIRDS

SHOWN = (3, 10)
"""How many of the worst picks can be shown."""

_LENGTHS = dict(zip(THIRDS, ("shortest third", "middle third", "longest third"), strict=True))
_RANKS = dict(zip(THIRDS, ("worst third", "middle third", "best third"), strict=True))


class ChoiceFigures:
    """Draws the figures of one answer."""

    def __init__(self, snapshot: Snapshot, run_id: str, chosen: ChooseChoice, answer: Answer) -> None:
        self._snapshot, self._run_id, self._chosen, self._answer = snapshot, run_id, chosen, answer
        self._title = choosing.unit_title(answer)
        self._names = list(answer.ranking.names[: frames.MOST_DRAWN])

    @property
    def _format(self) -> str:
        return SHARE if self._answer.worth.unit == "share" else SHORT

    def ranking(self) -> None:
        """Who is worth what."""
        answer, frame = self._answer, data.ranking(self._answer)
        lines = []
        if answer.baseline is not None:
            for label, estimate in (
                (f"always the longest of {answer.strength:g}", answer.baseline.longest),
                (f"always the shortest of {answer.strength:g}", answer.baseline.shortest),
            ):
                lines += [] if estimate.value is None else [(label, estimate.value)]
        self._show(
            "ranking",
            charts.ranked(frame.head(frames.MOST_DRAWN), self._title, lines, format_=self._format),
            frame,
            title="What each reward model is worth",
            note=f"{text.how_to_read(answer)} {self._not_drawn()}".strip(),
            alt=f"{self._title} of each reward model with its interval, the best first",
        )

    def chances(self) -> None:
        """How sure it is that one beats another."""
        frame = data.chances(self._answer)
        drawn = frames.drawn(frame, self._names, ("reward_model", "other"))
        by_measure = self._answer.question.by in MEASURES
        what = "has more of the measure" if by_measure else "is worth more"
        self._show(
            "chances",
            charts.chances(drawn, self._names),
            frame,
            title="How probable is it that A beats B?",
            note=f"The probability that A's policy {what} on new prompts of this kind: the posterior of the mean "
            "difference under a flat prior. Hover, or open the table, for the share of these prompts on which A's pick "
            f"is better, and for the p-value, all pairs at once. {self._not_drawn()}".replace(
                "A's policy has", "A has"
            ).strip(),
            alt="Probability that the row's reward model beats the column's",
        )

    def failures(self) -> None:
        """Where each fails: on which prompts, at which lengths, at which ranks of the golden."""
        self._by_part()
        n = text.at_n(self._answer)
        if n is None:
            return
        thirds = data.thirds(self._snapshot, self._run_id, self._answer.question, n)
        panels, tables = [], []
        for frame, words, title in (
            (thirds.length, _LENGTHS, f"By length ({thirds.unit})"),
            (thirds.golden, _RANKS, "By the golden's order"),
        ):
            if not frame.is_empty():
                named = frame.with_columns(part=frame["part"].replace(words))
                drawn = named.filter(named["reward_model"].is_in(self._names))
                panels.append(titled(charts.thirds(drawn, self._names, list(words.values())), title))
                tables.append(
                    named.select("reward_model", pl.lit(title).alias("order"), "part", "value", "low", "high", "gain")
                )
        if not panels:
            st.info("Where picks are cannot be said: the golden says right or wrong alone, and texts were not stored.")
            return
        self._show(
            "thirds",
            panels,
            pl.concat(tables),
            title="Which responses does it pick?",
            note=f"Shares of the picks of best-of-{n} by thirds of a prompt's responses; equal ones share their rank. "
            f"Hover for what these picks gain. {self._not_drawn()}".strip(),
            alt="Share of each reward model's picks by third of the responses",
        )

    def _by_part(self) -> None:
        question: Question = self._answer.question
        frame = data.by_part(self._answer, question)
        columns = frame["part"].unique().sort().to_list()
        if not columns:
            return
        what = "subset" if question.categories or len(set(self._answer.worth.categories)) < 2 else "category"
        drawn = frame.filter(frame["reward_model"].is_in(self._names))
        self._show(
            "parts",
            charts.parts(drawn, self._names, columns, title=self._title, format_=self._format),
            frame,
            title=f"Where does it fail, by {what}?",
            note=f"{self._title}, on the prompts of each {what}. Intervals (hover, or the table) hold for each figure "
            f"alone: they say where to look. {self._not_drawn()}".strip(),
            alt=f"{self._title} of each reward model by {what}",
        )

    def worst(self) -> None:
        """The prompts with the worst picks of one reward model."""
        names = list(self._answer.ranking.names)
        name = self._chosen.reward_model if self._chosen.reward_model in names else names[0]
        st.header("Its worst picks", anchor=False)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.selectbox(
                "Reward model",
                names,
                help="Whose favourites are shown where the golden gives up most. Default: the first.",
                width=320,
                **page_state.bound(self._chosen, "reward_model", name),
            )
            st.segmented_control(
                "Examples shown",
                SHOWN,
                required=True,
                help="The largest number of prompts to show.",
                **page_state.bound(self._chosen, "shown", self._chosen.shown),
            )
        worst = data.worst(self._snapshot, self._run_id, self._answer.question, name, max(SHOWN))
        says_right = self._answer.worth.unit == "share"
        sentence = text.worst_picks(name, worst.share, worst.chance, says_right=says_right)
        if sentence:
            st.markdown(sentence)
        if not worst.picks:
            st.info("Its favourite is the golden's favourite on every prompt.")
            return
        if not any(picks.pick or picks.best for picks in worst.picks):
            st.info(text.NO_TEXTS)
        for picks in worst.picks[: self._chosen.shown]:
            self._example(name, picks)
        links.to("responses", "To all responses", run=self._chosen.run)

    def _example(self, name: str, picks: data.Picks) -> None:
        with st.container(border=True, key=f"rows-worst-{picks.prompt_id}"):
            about = " · ".join(map(escape, picks.about))
            st.caption(f"{about} · {text.lost(self._answer, picks.loss)}")
            st.text(picks.text)
            favourites = (
                (f"Favourite of {escape(name)}", picks.pick, picks.truth_of_pick),
                ("The golden's favourite", picks.best, picks.truth_of_best),
            )
            for column, (title, response, truth) in zip(st.columns(2), favourites, strict=True):
                with column:
                    st.markdown(f"**{title}** ({text.given(self._answer, truth)})")
                    st.text(response or "–")

    def _not_drawn(self) -> str:
        count = len(self._answer.ranking.names)
        if count <= frames.MOST_DRAWN:
            return ""
        return f"The chart shows the first {frames.MOST_DRAWN} of {count} reward models."

    def _show(
        self, key: str, chart: Chart | Sequence[Chart], frame: pl.DataFrame, *, title: str, note: str, alt: str
    ) -> None:
        question = self._answer.question
        figure.show(
            key,
            chart,
            frame,
            title=title,
            note=note,
            alt=alt,
            file_name=f"{self._run_id}-choose-{question.by}-{key}",
            facts={
                "run_id": self._run_id,
                "by": self._answer.at,
                "goldens": ", ".join(question.goldens) or self._answer.truth,
                "categories": ", ".join(question.categories) or "all",
                "subsets": ", ".join(question.subsets) or "all",
            },
        )
