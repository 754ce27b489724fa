"""The figures of the Overoptimisation page, each with one panel per optimiser."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl
import streamlit as st

from app import access, access_curves, curve_frames, curve_wording, wording
from app.access import Snapshot
from app.charts import along
from app.charts.export import Chart
from app.charts.gains import gains
from app.charts.goodhart import goodhart
from app.charts.layers import titled
from app.charts.square import square
from app.charts.training import training
from app.formats import escape
from app.state import OveroptimisationChoice
from app.widgets import figure, page_state
from app.widgets.model_figures import MOST_IN_SQUARE
from warehouse.errors import WarehouseError

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
            curves = curve_frames.labelled(found, averaged)
            points = curve_frames.gains(curves, found.strengths)
            fits.append(self._titled(optimizer, curve_frames.fits(curves)))
            degrees.append(curve_wording.degree(optimizer, found))
            x_title = curve_wording.distance(access_curves.value_curves(*arguments).kl_estimator)
            chart = gains(points, curve_frames.fitted_lines(curves), x_title)
            notes = curve_wording.resampled(optimizer, found), curve_wording.below_zero(optimizer, found)
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
            frame, words = curve_frames.ndr(found), wording.optimizer(optimizer)
            note = "; ".join(
                filter(
                    None,
                    [curve_wording.resampled(optimizer, found), curve_wording.undefined_ndr(optimizer, found)],
                )
            )
            return along.ndr(frame, words.strength, optimizer == "bon"), frame, note

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
            pairs = curve_frames.slopes(found, names)
            drawn = curve_frames.among(pairs, names[:MOST_IN_SQUARE])
            chart = goodhart(drawn, curve_frames.slope_bins(found), curve_frames.slope_line(pairs))
            return (
                chart,
                pairs,
                curve_wording.goodhart(optimizer, found) + curve_wording.cut(MOST_IN_SQUARE, len(names)),
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
            frame = curve_frames.degrees(found, names)
            shown = names[:MOST_IN_SQUARE]
            chart = square(
                curve_frames.among(frame, shown),
                shown,
                down=("golden", "Golden"),
                across=("proxy", "Proxy"),
                title="Degree γ",
            )
            notes = curve_wording.below_zero(optimizer, found), curve_wording.cut(MOST_IN_SQUARE, len(names)).strip()
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
            frame = curve_frames.lengths(found, curves.strengths, curves.reward_models)
            strength = wording.optimizer(optimizer).strength
            return along.lengths(frame, strength, optimizer == "bon", curve_frames.ALL), frame, ""

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
        frame = curve_frames.ppo_training(curves, access.reward_models(self._snapshot, self._run_id), metric)
        title = curve_wording.metric(metric)
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
            format_func=curve_wording.metric,
            help="What was recorded at each step.",
            **page_state.bound(self._chosen, "metric", metric),
        )

    def _figure(self, key: str, panel: Callable[..., Panel | None], *, title: str, note: str, alt: str) -> None:
        charts, rows, notes = [], [], [note]
        for optimizer, arguments in self._each():
            try:
                made = panel(optimizer, arguments)
            except WarehouseError as error:
                st.info(f"{title} — {wording.optimizer(optimizer).title}: {escape(str(error))}")
                continue
            if made is not None:
                chart, frame, said = made
                charts.append(titled(chart, wording.optimizer(optimizer).title))
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
        return frame.select(pl.lit(wording.optimizer(optimizer).title).alias("optimizer"), pl.all())


def _fits(fits: pl.DataFrame) -> None:
    if fits.is_empty():
        return
    shown = fits.with_columns(
        peak_said=pl.Series([curve_wording.peak(row) for row in fits.to_dicts()], dtype=pl.String)
    ).drop("peak", "peak_low", "peak_high", "farthest", "bends")
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
