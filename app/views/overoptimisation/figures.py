"""The figures of the Overoptimisation page, each with one panel per optimiser.

Reward hacking made visible: prompts on which the proxy's favourite sample is the golden's worst, with the texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl
import streamlit as st

from app.access import curves as access_curves
from app.access import warehouse
from app.access.warehouse import Snapshot
from app.charts import curves as charts_curves
from app.charts.curves import gains, goodhart
from app.charts.export import Chart
from app.charts.models import square, training
from app.charts.style import titled
from app.components import figure, page_state
from app.components import words as components_words
from app.components.formats import escape
from app.state import OveroptimisationChoice
from app.views.overoptimisation import data, text
from app.views.overoptimisation.controls import SHOWN
from app.views.responses import data as responses_data
from app.views.reward_models.figures import MOST_IN_SQUARE
from warehouse.errors import WarehouseError
from warehouse.metrics.worst_picks import share_hacked
from warehouse.schema import INITIAL

Arguments = tuple[Snapshot, str, str, float | None]
"""What the reads of an optimiser's curves take first: snapshot, run, optimiser, KL penalty."""

Panel = tuple[Chart, pl.DataFrame, str]
"""A chart, its frame, and a note on it, which may be empty."""


class CurveFigures:
    """Draws the figures of one choice; `optimizers` are those that have something to show."""

    def __init__(
        self, snapshot: Snapshot, run_id: str, chosen: OveroptimisationChoice, optimizers: tuple[str, ...]
    ) -> None:
        self._snapshot, self._run_id, self._chosen = snapshot, run_id, chosen
        self._optimizers = optimizers

    def gains(self) -> None:
        """Golden and proxy reward against √KL, the fits below."""
        averaged = self._chosen.golden is None and self._chosen.proxy is None
        fits, degrees = [], []

        def panel(optimizer: str, arguments: Arguments) -> Panel:
            found = access_curves.gains(*arguments, self._chosen.golden, self._chosen.proxy, self._chosen.rl_category)
            curves = data.labelled(found, averaged)
            points = data.gains(curves, found.strengths)
            fits.append(self._titled(optimizer, data.fits(curves)))
            degrees.append(text.degree(optimizer, found))
            x_title = text.distance(access_curves.value_curves(*arguments).kl_estimator)
            chart = gains(points, data.fitted_lines(curves), x_title)
            notes = text.resampled(optimizer, found), text.below_zero(optimizer, found)
            return chart, points, " · ".join(filter(None, notes))

        self._figure(
            "gains",
            panel,
            title="Golden and proxy reward against distance",
            note="Dashed: least-squares fits of Gao et al., d(α − β d) for best-of-n, d(α − β log d) for PPO, d = √KL.",
            alt="Golden and proxy gain against the square root of KL, one panel an optimiser, with fits",
        )
        for sentence in degrees:
            st.markdown(sentence)
        if fits:
            _fits(pl.concat(fits))

    def ndr(self) -> None:
        """NDR along the strengths."""

        def panel(optimizer: str, arguments: Arguments) -> Panel:
            found = access_curves.ndr(*arguments, self._chosen.golden, self._chosen.proxy, self._chosen.rl_category)
            frame, words = data.ndr(found), components_words.optimizer(optimizer)
            note = "; ".join(
                filter(
                    None,
                    [text.resampled(optimizer, found), text.undefined_ndr(optimizer, found)],
                )
            )
            return charts_curves.ndr(frame, words.strength, optimizer == "bon"), frame, note

        self._figure(
            "ndr",
            panel,
            title="What is kept of the gain, the harder it is optimised",
            note="Mean NDR over the pairs where it is defined: 1 = nothing lost, 0 = no gain.",
            alt="NDR against strength, one panel an optimiser",
        )

    def goodhart(self) -> None:
        """Slopes against accuracy with the curve of the regressional model."""

        def panel(optimizer: str, arguments: Arguments) -> Panel:
            found = access_curves.goodhart(*arguments, self._chosen.rl_category)
            names = access_curves.value_curves(*arguments).reward_models
            pairs = data.slopes(found, names)
            drawn = data.among(pairs, names[:MOST_IN_SQUARE])
            chart = goodhart(drawn, data.slope_bins(found), data.slope_line(pairs))
            return (
                chart,
                pairs,
                text.goodhart(optimizer, found) + text.cut(MOST_IN_SQUARE, len(names)),
            )

        self._figure(
            "goodhart",
            panel,
            title="Goodhart check: what accuracy accounts for, and what it misses",
            note="A point is a golden–proxy pair, all of them. Dashed: sin(π(accuracy − ½)), were a proxy golden plus "
            "normal noise. Diamonds: pairs of like accuracy, resampling reward models × prompts; the test resamples "
            "prompts.",
            alt="Slope of golden on proxy gain against accuracy, with what accuracy predicts",
        )

    def degrees(self) -> None:
        """γ of all pairs."""

        def panel(optimizer: str, arguments: Arguments) -> Panel:
            names = list(access_curves.value_curves(*arguments).reward_models)
            found = access_curves.degrees(*arguments, self._chosen.rl_category)
            frame = data.degrees(found, names)
            shown = names[:MOST_IN_SQUARE]
            chart = square(
                data.among(frame, shown),
                shown,
                down=("golden", "Golden"),
                across=("proxy", "Proxy"),
                title="Degree γ",
            )
            notes = text.below_zero(optimizer, found), text.cut(MOST_IN_SQUARE, len(names)).strip()
            return chart, frame, " · ".join(filter(None, notes))

        self._figure(
            "degrees",
            panel,
            title="Degree of overoptimisation γ, pair by pair",
            note="Area between the golden's curves under its own and the proxy's optimisation, as a share of the first "
            "(Kim et al., arXiv 2505.12763). Intervals, resampling prompts, in the table and on hovering.",
            alt="Degree of overoptimisation of all golden–proxy pairs",
        )

    def lengths(self) -> None:
        """Mean length of responses along the strengths."""

        def panel(optimizer: str, arguments: Arguments) -> Panel | None:
            found = access_curves.lengths(*arguments, self._chosen.rl_category)
            if found is None:
                return None
            curves = access_curves.value_curves(*arguments)
            frame = data.lengths(found, curves.strengths, curves.reward_models)
            strength = components_words.optimizer(optimizer).strength
            return charts_curves.lengths(frame, strength, optimizer == "bon", data.ALL), frame, ""

        self._figure(
            "lengths",
            panel,
            title="Do optimised policies grow longer?",
            note="Bold: mean over all reward models, resampling them and prompts; thin: each. For best-of-n the "
            "expected length of its pick.",
            alt="Mean tokens of the optimised policies against strength",
        )

    def training(self) -> None:
        """One recorded metric of the policies' training, a line a policy; nothing where none was recorded."""
        curves = access_curves.ppo_curves(self._snapshot, self._run_id)
        metrics = curves["metric"].unique().sort().to_list()
        if not metrics:
            return
        metric = self._chosen.metric if self._chosen.metric in metrics else metrics[0]
        frame = data.ppo_training(curves, warehouse.reward_models(self._snapshot, self._run_id), metric)
        title = text.metric(metric)
        figure.show(
            "ppo-training",
            training(frame, title, x_title="Steps"),
            frame,
            title="How the policies were trained",
            note="One line a policy, as recorded on its own rollouts while it was trained.",
            alt=f"{title} against steps of training, one line a policy",
            file_name=f"{self._run_id}-ppo-{metric}",
            facts={"run_id": self._run_id, "metric": metric},
        )
        st.selectbox(
            "Figure of the training",
            metrics,
            format_func=text.metric,
            help="What was recorded at each step.",
            **page_state.bound(self._chosen, "metric", metric),
        )

    def _figure(self, key: str, panel: Callable[..., Panel | None], *, title: str, note: str, alt: str) -> None:
        charts, rows, notes = [], [], [note]
        for optimizer, arguments in self._each():
            try:
                made = panel(optimizer, arguments)
            except WarehouseError as error:
                st.info(f"{title} — {components_words.optimizer(optimizer).title}: {escape(str(error))}")
                continue
            if made is not None:
                chart, frame, said = made
                charts.append(titled(chart, components_words.optimizer(optimizer).title))
                rows.append(self._titled(optimizer, frame))
                notes += [said] if said else []
        if charts:
            figure.show(
                key,
                charts,
                pl.concat(rows, how="diagonal"),
                title=title,
                note=" · ".join(notes),
                alt=alt,
                file_name=f"{self._run_id}-{key}",
                facts={"run_id": self._run_id, "rl_categories": ", ".join(self._chosen.rl_category) or "all"},
            )

    def _each(self) -> Iterator[tuple[str, Arguments]]:
        for optimizer in self._optimizers:
            there = access_curves.kl_coefficients(self._snapshot, self._run_id, optimizer)
            penalty = self._chosen.penalty if self._chosen.penalty in there else None
            yield optimizer, (self._snapshot, self._run_id, optimizer, penalty)

    @staticmethod
    def _titled(optimizer: str, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.select(pl.lit(components_words.optimizer(optimizer).title).alias("optimizer"), pl.all())


def _fits(fits: pl.DataFrame) -> None:
    if fits.is_empty():
        return
    shown = fits.with_columns(peak_said=pl.Series([text.peak(row) for row in fits.to_dicts()], dtype=pl.String)).drop(
        "peak", "peak_low", "peak_high", "farthest", "bends"
    )
    figures = {
        name: st.column_config.NumberColumn(label, format="%.3f")
        for name, label in (
            ("alpha", "α"),
            ("alpha_low", "α, 95% from"),
            ("alpha_high", "to"),
            ("beta", "β"),
            ("beta_low", "β, 95% from"),
            ("beta_high", "to "),
        )
    }
    st.dataframe(
        shown,
        hide_index=True,
        column_config={"optimizer": "Optimiser", "curve": "Curve", "peak_said": "Peak at √KL (95%)", **figures},
        key="fits",
        alt="Coefficients and peaks of the fits with their intervals",
    )


def hacking(snapshot: Snapshot, run_id: str, chosen: OveroptimisationChoice) -> None:
    """Draw the examples of the chosen pair, or of the one that has most."""
    st.subheader("Where the proxy likes best what the golden likes least", anchor=False)
    found, samples = access_curves.hacked(snapshot, run_id, chosen.rl_category)
    names = samples.reward_models
    golden, proxy = data.most_hacked(found, names, chosen.golden, chosen.proxy)
    g, m = names.index(golden), names.index(proxy)
    share = share_hacked(found, g, m)
    if chosen.golden is None or chosen.proxy is None:
        st.caption("Of the pair with most such prompts; choose golden and proxy for another.")
    counted, prompts = int(found.count_MM[g, m]), int(found.prompts_MM[g, m])
    st.markdown(text.hacked(golden, proxy, share, found.chance, counted, prompts))
    places = found.hacked_MMP[g, m].nonzero()[0].tolist()
    if not places:
        return
    st.segmented_control(
        "Examples shown",
        SHOWN,
        required=True,
        help="At most so many.",
        **page_state.bound(chosen, "shown", chosen.shown),
    )
    for place in places[: chosen.shown]:
        _example(snapshot, run_id, samples.prompts[place], int(found.picks_MP[g, place]), int(found.picks_MP[m, place]))


def _example(snapshot: Snapshot, run_id: str, prompt_id: str, golden_pick: int, proxy_pick: int) -> None:
    prompt = responses_data.prompt(snapshot, run_id, prompt_id)
    texts = responses_data.responses_to(snapshot, run_id, prompt_id, INITIAL)
    with st.container(border=True, key=f"rows-hacked-{prompt_id}"):
        st.caption(f"{escape(prompt['category'])} · {escape(prompt['subset'])} · {escape(prompt_id)}")
        st.text(prompt["text"])
        for column, label, sample in zip(
            st.columns(2, gap="medium"),
            ("Proxy's favourite, the golden's worst", "Golden's favourite"),
            (proxy_pick, golden_pick),
            strict=True,
        ):
            with column:
                st.markdown(f"**{label}**")
                st.text(texts.filter(pl.col("sample") == sample)["text"][0] or text.EMPTY)
