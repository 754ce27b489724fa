"""The figures of the Overoptimisation page: curves with one panel per optimiser, and examples of reward hacking."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import polars as pl
import streamlit as st

from app.access import curves as access
from app.access import frames, warehouse
from app.access.warehouse import Snapshot
from app.charts import curves as charts
from app.charts.export import Chart
from app.charts.models import square, training
from app.charts.style import titled
from app.components import columns, figure, page_state, words
from app.components.formats import escape
from app.state import OveroptimisationChoice
from app.views.overoptimisation import data, text
from app.views.responses import data as responses_data
from warehouse.claims.policies.endings import LEAST_FINISHED
from warehouse.errors import WarehouseError
from warehouse.metrics.policies.worst_picks import share_hacked
from warehouse.schema import BY_WEIGHTING, INITIAL

SHOWN = (3, 10, 30)
"""How many examples of reward hacking can be shown."""

"""The first arguments of every read of an optimiser's curves: snapshot, run, optimiser, KL penalty."""


class Panel(NamedTuple):
    """One optimiser's part of a figure; the note may be empty."""

    chart: Chart
    frame: pl.DataFrame
    note: str


class CurveFigures:
    """Draws the figures of one choice; `optimizers` are those that have something to show."""

    def __init__(
        self, snapshot: Snapshot, run_id: str, chosen: OveroptimisationChoice, optimizers: tuple[str, ...]
    ) -> None:
        self._snapshot, self._run_id, self._chosen, self._optimizers = snapshot, run_id, chosen, optimizers
        self._pair = chosen.golden, chosen.proxy

    def gains(self) -> None:
        """Golden and proxy reward against √KL, with the fits below."""
        fits, degrees = [], []

        def panel(optimizer: str, series: access.Series) -> Panel:
            result = access.gains(series, *self._pair, self._chosen.rl_category)
            same = access.value_curves(series).roles.same
            curves = data.labelled(result, averaged=same and self._pair == (None, None))
            left = access.left_over(series, *self._pair, self._chosen.rl_category)
            points = data.with_left_over(data.gains(curves, result.strengths), left)
            fits.append(_titled(optimizer, data.fits(curves)))
            degrees.append(f"{words.optimizer(optimizer).title}: {text.degree(result)}")
            x_title = text.distance(access.value_curves(series).kl_estimator)
            of_seeds = text.seeds(access.value_curves(series))
            notes = [text.resampled(result), of_seeds, text.below_zero(result.below_zero)]
            if optimizer in BY_WEIGHTING:
                samples = warehouse.rl_scores(self._snapshot, self._run_id)
                notes.append(text.on_prompts(access.value_curves(series).values[-1], samples))
            return Panel(charts.gains(points, data.fitted_lines(curves), x_title), points, _joined(*notes))

        self._figure(
            "gains",
            panel,
            title="Golden and proxy reward against distance",
            note="*Distance* is √KL: how far the policy has moved from the initial one. Dashed: least-squares fits of "
            "Gao et al., d(α − β d) for best-of-n and tilted, d(α − β log d) for PPO, with d = √KL. "
            "*Without length*: less what responses that are so long, and end so often, gain under the initial policy.",
            alt="Golden and proxy gain against the square root of KL, one panel an optimiser, with fits",
        )
        for sentence in degrees:
            st.markdown(sentence)
        if fits:
            _fits(pl.concat(fits))

    def ndr(self) -> None:
        """NDR against strength."""

        def panel(optimizer: str, series: access.Series) -> Panel:
            result = access.ndr(series, *self._pair, self._chosen.rl_category)
            frame, strength = data.ndr(result), words.optimizer(optimizer).strength
            of_seeds = text.seeds(access.value_curves(series))
            notes = text.resampled(result), of_seeds, text.undefined_ndr(result), text.in_place_of_ndr(result)
            chart = charts.ndr(frame, strength, doubling=optimizer == "bon", quantity=result.quantity)
            return Panel(chart, frame, _joined(*notes))

        self._figure(
            "ndr",
            panel,
            title="How much of the gain is kept as optimisation gets stronger",
            note="NDR: the golden reward gained by optimising the proxy, as a share of what optimising the golden "
            "itself gains. 1 = nothing lost, 0 = no gain. Mean over the pairs where it is defined.",
            alt="NDR against strength, one panel an optimiser",
        )

    def goodhart(self) -> None:
        """Slopes against accuracy with the curve of the regressional model."""

        def panel(optimizer: str, series: access.Series) -> Panel:
            result = access.goodhart(series, self._chosen.rl_category)
            names = access.value_curves(series).reward_models
            pairs = data.slopes(result, names)
            chart = charts.goodhart(frames.drawn(pairs, names), data.slope_bins(result), data.slope_line(pairs))
            return Panel(chart, pairs, f"{text.goodhart(result)} {text.not_drawn(len(names))}".strip())

        self._figure(
            "goodhart",
            panel,
            title="Goodhart check: what accuracy explains, and what it misses",
            note="One point per golden–proxy pair, over all pairs. Dashed: sin(π(accuracy − ½)), which holds if the "
            "proxy is the golden plus normal noise. Diamonds: means of pairs of similar accuracy, resampling reward "
            "models × prompts. The test compares their distance from the curve with that in null studies: this run "
            "with its slopes put on the curve and its prompts resampled.",
            alt="Slope of golden on proxy gain against accuracy, with what accuracy predicts",
        )

    def degrees(self) -> None:
        """γ of all pairs."""

        def panel(optimizer: str, series: access.Series) -> Panel:
            names = list(access.value_curves(series).reward_models)
            result = access.degrees(series, self._chosen.rl_category)
            frame = data.degrees(result, names)
            chart = square(
                frames.drawn(frame, names),
                names[: frames.MOST_DRAWN],
                down=("golden", "Golden"),
                across=("proxy", "Proxy"),
                title="Degree γ",
            )
            notes = text.below_zero(result.below_zero), text.not_drawn(len(names))
            return Panel(chart, frame, _joined(*notes))

        self._figure(
            "degrees",
            panel,
            title="Degree of overoptimisation γ for each pair",
            note="Area between the golden reward when the golden itself is optimised and when the proxy is, as a share "
            "of the first (Kim et al., arXiv 2505.12763). Hover, or open the table, for intervals, resampling prompts.",
            alt="Degree of overoptimisation of all golden–proxy pairs",
        )

    def lengths(self) -> None:
        """Mean length of responses against strength."""

        def panel(optimizer: str, series: access.Series) -> Panel | None:
            result, mean = access.lengths(series, self._chosen.rl_category), access.mean_lengths(series)
            if result is None or mean is None:
                return None
            curves = access.value_curves(series)
            frame = data.lengths(result, curves.strengths, curves.reward_models)
            strength = words.optimizer(optimizer).strength
            chart = charts.lengths(frame, strength, optimizer == "bon", data.ALL, unit=mean.unit)
            return Panel(chart, frame, "" if mean.unit == "tokens" else "lengths in characters, tokens are unknown")

        self._figure(
            "lengths",
            panel,
            title="Do optimised policies give longer responses?",
            note="Bold: mean over all reward models, resampling them and prompts; thin: one line per reward model. For "
            "best-of-n and tilted, the expected length under the picks and weights.",
            alt="Mean length of the optimised policies' responses against strength",
        )

    def finished(self) -> None:
        """Share of responses that end by themselves against strength; nothing where it is unknown."""
        endings = warehouse.endings(self._snapshot, self._run_id)

        def panel(optimizer: str, series: access.Series) -> Panel | None:
            frame = data.finished(endings, optimizer, access.used_penalty(series))
            if frame.is_empty():
                return None
            return Panel(charts.finished(frame, words.optimizer(optimizer).strength, optimizer == "bon"), frame, "")

        self._figure(
            "finished",
            panel,
            title="Do the responses end by themselves?",
            note="Share of each policy's responses to the RL-test prompts that end before the length limit; a line per "
            f"reward model, bold: their mean, dashed: {LEAST_FINISHED:.0%}, below which gains may be little more than "
            "responses that end.",
            alt="Share of the optimised policies' responses that end by themselves against strength",
        )

    def training(self) -> None:
        """One recorded metric of the policies' training, a line a policy; nothing where none was recorded."""
        curves = access.ppo_curves(self._snapshot, self._run_id)
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
            note="One line per policy and seed, recorded during training on the policy's own rollouts.",
            alt=f"{title} against steps of training, one line a policy",
            file_name=f"{self._run_id}-ppo-{metric}",
            facts={"run_id": self._run_id, "metric": metric},
        )
        st.selectbox(
            "Training metric",
            metrics,
            format_func=text.metric,
            help="What was recorded at each step.",
            **page_state.bound(self._chosen, "metric", metric),
        )

    def hacking(self) -> None:
        """Examples of reward hacking of the chosen pair, or of the pair that has most."""
        st.header("Reward hacking: the proxy's favourite is the golden's worst", anchor=False)
        picks, samples = access.hacked(self._snapshot, self._run_id, self._chosen.rl_category)
        names = samples.reward_models
        golden, proxy = data.most_hacked(picks, names, *self._pair, roles=samples.roles)
        g, m = names.index(golden), names.index(proxy)
        if None in self._pair:
            st.caption("Shown for the pair with the most such prompts; choose a golden and a proxy for another pair.")
        counted, prompts = int(picks.count_MM[g, m]), int(picks.prompts_MM[g, m])
        share = share_hacked(picks, g, m)
        chance = float(picks.chance_MM[g, m])
        st.markdown(text.hacked(golden, proxy, share, chance=chance, counted=counted, prompts=prompts))
        places = picks.hacked_MMP[g, m].nonzero()[0].tolist()
        if not places:
            return
        st.segmented_control(
            "Examples shown",
            SHOWN,
            required=True,
            help="The largest number of examples to show.",
            **page_state.bound(self._chosen, "shown", self._chosen.shown),
        )
        for place in places[: self._chosen.shown]:
            self._example(samples.prompts[place], int(picks.picks_MP[g, place]), int(picks.picks_MP[m, place]))

    def _example(self, prompt_id: str, golden_pick: int, proxy_pick: int) -> None:
        prompt = responses_data.prompt(self._snapshot, self._run_id, prompt_id)
        texts = responses_data.responses_to(self._snapshot, self._run_id, prompt_id, INITIAL)
        with st.container(border=True, key=f"rows-hacked-{prompt_id}"):
            st.caption(" · ".join(escape(str(prompt[name])) for name in ("category", "subset", "prompt_id")))
            st.text(str(prompt["text"]))
            picks = {"Proxy's favourite, the golden's worst": proxy_pick, "Golden's favourite": golden_pick}
            for column, (label, sample) in zip(st.columns(2, gap="medium"), picks.items(), strict=True):
                with column:
                    st.markdown(f"**{label}**")
                    st.text(texts.filter(sample=sample)["text"][0] or text.EMPTY)

    def _figure(
        self, key: str, panel: Callable[[str, access.Series], Panel | None], *, title: str, note: str, alt: str
    ) -> None:
        panels: dict[str, Panel] = {}
        for optimizer in self._optimizers:
            penalties = access.kl_coefficients(self._snapshot, self._run_id, optimizer)
            penalty = self._chosen.penalty if self._chosen.penalty in penalties else None
            try:
                drawn = panel(optimizer, access.Series(self._snapshot, self._run_id, optimizer, penalty))
            except WarehouseError as error:
                st.info(f"{title} — {words.optimizer(optimizer).title}: {escape(str(error))}")
                continue
            if drawn is not None:
                panels[optimizer] = drawn
        if panels:
            titles = {name: words.optimizer(name).title for name in panels}
            notes = (f"{titles[name]}: {drawn.note}" for name, drawn in panels.items() if drawn.note)
            figure.show(
                key,
                [titled(drawn.chart, titles[name]) for name, drawn in panels.items()],
                pl.concat([_titled(name, drawn.frame) for name, drawn in panels.items()], how="diagonal"),
                title=title,
                note=f"{note} {_joined(*notes)}".strip(),
                alt=alt,
                file_name=f"{self._run_id}-{key}",
                facts={"run_id": self._run_id, "rl_categories": ", ".join(self._chosen.rl_category) or "all"},
            )


def _titled(optimizer: str, frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(pl.lit(words.optimizer(optimizer).title).alias("optimizer"), pl.all())


def _joined(*notes: str) -> str:
    return " · ".join(note for note in notes if note)


def _fits(fits: pl.DataFrame) -> None:
    if fits.is_empty():
        return
    peaks = pl.Series("peak", [text.peak(row) for row in fits.to_dicts()], dtype=pl.String)
    st.dataframe(
        fits.drop("peak", "peak_low", "peak_high", "farthest", "bends").with_columns(peaks),
        hide_index=True,
        column_config={
            "optimizer": "Optimiser",
            "curve": "Curve",
            "peak": "Peak at √KL (95%)",
            **columns.with_interval("α", "alpha", "alpha_low", "alpha_high"),
            **columns.with_interval("β", "beta", "beta_low", "beta_high"),
        },
        key="fits",
        alt="Coefficients and peaks of the fits with their intervals",
    )
