"""The sentences a page says about results. Pure functions; foreign names come out escaped for Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from app.components import formats
from app.components.formats import count, escape, number
from app.offers import Options
from app.state import Policies, Selection
from warehouse.metrics.catalogue import CORRELATION_WORDS as CORRELATIONS
from warehouse.metrics.catalogue import optimizer_words as optimizer
from warehouse.study import MEASURES, Estimate, Evaluation

_LEVELS = {"pooled": "over all defined golden–proxy pairs", "within": "within each golden, then averaged"}


def correlation_help(name: str, level: str) -> str:
    """What a correlation at a level is, in a sentence."""
    words = CORRELATIONS[name]
    return words.help if name == "mrr" else f"{words.help} {_LEVELS[level]}."


def correlation(name: str, level: str) -> str:
    """A correlation at a level, for titles: `Kendall τ`, `Kendall τ within goldens`."""
    inside = level == "within" and name != "mrr"
    return CORRELATIONS[name].title + (" within goldens" if inside else "")


def correlations(evaluation: Evaluation, level: str) -> Mapping[str, Estimate]:
    """All correlations of an evaluation at a level."""
    return evaluation.within if level == "within" else evaluation.correlations


def strength_of(chosen: Selection, options: Options) -> float:
    """The strength in force: the chosen one, or the greatest of the run."""
    return max(options.strengths[chosen.optimizer]) if chosen.strength is None else chosen.strength


def samples_of(chosen: Selection, options: Options) -> float | None:
    """The n of best-of-n to look at picks for: the chosen one, else the greatest of the run; None without any."""
    if chosen.optimizer == "bon" and chosen.kl is None:
        return strength_of(chosen, options)
    return max(options.strengths.get("bon", ()), default=None)


def policies(chosen: Selection, options: Options) -> str:
    """The policies looked at: `best-of-16`, `PPO at a KL of 2 nats`."""
    return called(Policies(chosen.optimizer, strength_of(chosen, options), chosen.kl))


def called(policies: Policies) -> str:
    """What policies are called."""
    words = optimizer(policies.optimizer)
    return words.at.format(f"{policies.strength:g}") if policies.kl is None else words.at_kl.format(f"{policies.kl:g}")


def question(chosen: Selection) -> str:
    """The page's title for a choice of measure."""
    return f"{MEASURES[chosen.measure].title}: does it predict the policy?"


def what_is_shown(chosen: Selection, options: Options, evaluation: Evaluation) -> str:
    """One line: run, number of RMs, prompts, responses, policies, and where the intervals come from."""
    reward_models = len(options.reward_models)
    pairs = reward_models * (reward_models - 1)
    return " · ".join(
        [
            f"Run **{escape(options.run)}**",
            f"{count(reward_models, 'reward model')}, {count(pairs, 'golden–proxy pair')}",
            f"measured on {count(evaluation.prompts_used, 'RM-test prompt')}{_where(chosen)} "
            f"× {count(chosen.responses or options.responses, 'response')}{_of(chosen)}"
            f"{_bracketed(constructed(chosen))}",
            f"{policies(chosen, options)} valued on {count(evaluation.rl_prompts_used, 'RL-test prompt')}"
            f"{_list(chosen.rl_categories)}",
            f"95% bootstrap intervals, B = {evaluation.replicates:,}, resampling {escape(str(evaluation.resampled))}",
        ]
    )


def constructed(chosen: Selection) -> str:
    """What was done to the test set beyond choosing prompts and responses; empty if nothing."""
    parts = []
    if chosen.paraphrase:
        parts.append(f"{formats.percent(chosen.paraphrase)} of prompts paraphrased")
    if chosen.budget is not None:
        parts.append(f"a budget of {count(chosen.budget, 'annotation')}")
    elif chosen.prompts is not None:
        parts.append("prompts drawn at random")
    if chosen.rank_bins is not None:
        bins = f"{chosen.rank_bins} rank bins"
        parts.append(bins if chosen.chosen_bin is None else f"{bins}, {chosen.chosen_bin} over {chosen.rejected_bin}")
    if chosen.noise:
        parts.append(f"annotators flip {formats.percent(chosen.noise)} of pairs")
    if is_drawn(chosen):
        parts.append(f"seed {chosen.seed}")
    return ", ".join(parts)


def is_drawn(chosen: Selection) -> bool:
    """Whether the seed decides anything about the test set."""
    return bool(chosen.noise or chosen.paraphrase or chosen.budget is not None or chosen.prompts is not None)


def source(name: str) -> str:
    """Whose responses: a policy's id in words."""
    heated = name.removeprefix("initial-t")
    if name == "initial":
        return "Initial policy"
    if heated != name:
        return f"Initial policy at temperature {heated}"
    return "PPO, last step, all reward models" if name == "ppo" else name


def undefined(evaluation: Evaluation) -> str:
    """What was left out of the correlations, or why there are none; empty if all is there."""
    parts = []
    if any(estimate.value is None for estimate in evaluation.correlations.values()):
        parts.append("a correlation needs defined pairs of three reward models or more, and figures that differ")
    if evaluation.undefined_pairs:
        parts.append(f"{count(evaluation.undefined_pairs, 'pair')} undefined and left out")
    if evaluation.undefined_prompts:
        parts.append(f"{count(evaluation.undefined_prompts, 'value')} of a pair on a prompt undefined, of weight 0")
    text = "; ".join(parts)
    return text[:1].upper() + text[1:]


def panel_captions(evaluations: Mapping[str, Evaluation], name: str, level: str) -> dict[str, str]:
    """What stands under each category's name: its correlation with the interval, and its number of prompts."""
    captions = {}
    for category, evaluation in evaluations.items():
        estimate = correlations(evaluation, level)[name]
        figure = f"{CORRELATIONS[name].symbol} {number(estimate.value)}"
        if estimate.low is not None:
            figure += f" ({formats.interval(estimate.low, estimate.high)})"
        captions[category] = f"{figure}, {count(evaluation.prompts_used, 'prompt')}"
    return captions


def nothing_defined(chosen: Selection, options: Options) -> str:
    """Why no pair is defined, and what to change."""
    if chosen.optimizer == "bon" and strength_of(chosen, options) <= 1:
        return "Best-of-1 is the initial policy itself: nothing is gained, so nothing can be lost. Choose a larger n."
    return (
        f"No golden–proxy pair is defined here. The golden's own gain under {policies(chosen, options)} cannot be told "
        "from zero on these prompts: choose more categories or a greater strength."
    )


def nothing_correlates(options: Options) -> str:
    """Why no measure has a correlation."""
    if len(options.reward_models) < 3:
        return (
            f"This run has {count(len(options.reward_models), 'reward model')}: a correlation over golden–proxy pairs "
            "takes three or more. Train more of them, or explore another run."
        )
    return (
        "No correlation is defined here: the golden's own gain cannot be told from zero on these prompts, or the "
        "figures do not differ. Choose more categories or a greater strength."
    )


def reward_model_line(row: Mapping[str, Any]) -> str:
    """One reward model in a line: flip rate, validation accuracy, training pairs, as far as they are known."""
    flips, accuracy, pairs = row["flip_rate"], row["validation_accuracy"], row["train_pairs"]
    known = [
        None if flips is None else f"{formats.percent(flips)} of labels flipped",
        None if accuracy is None else f"validation accuracy {number(accuracy)}",
        None if pairs is None else count(pairs, "training pair"),
    ]
    return " · ".join(part for part in known if part) or "Trained elsewhere"


def picks_line(summary: Mapping[str, float], n: float) -> str:
    """How far the picks of a pair differ."""
    prompts, same = summary["prompts"], summary["same"]
    return (
        f"Among the first {n:g} samples, golden and proxy pick the same response on {same:,.0f} of "
        f"{count(prompts, 'RL-test prompt')}. Following the proxy gives up {number(summary['mean_loss'])} standard "
        "deviations of golden score on average. The greatest losses come first."
    )


def interval(estimate: Estimate) -> str:
    """The interval of a correlation: `95% interval 0.31 to 0.89`."""
    if estimate.low is None or estimate.high is None:
        return "no interval"
    return f"95% interval {formats.interval(estimate.low, estimate.high)}"


def loss(row: Mapping[str, Any]) -> str:
    """What following the proxy costs on one prompt."""
    if row["golden_pick"] == row["proxy_pick"]:
        return "nothing lost"
    return f"loses {number(row['loss'])} sd of golden score"


def left_out(notes: Sequence[str]) -> str:
    """One line on what a link asked for in vain."""
    return f"Ignored: {'; '.join(escape(note) for note in notes)}."


def file_name(chosen: Selection, options: Options, figure: str) -> str:
    """Name of a download of one figure, without ending."""
    at = f"{strength_of(chosen, options):g}" if chosen.kl is None else f"kl{chosen.kl:g}"
    return f"{options.run}-{figure}-{chosen.measure}-{chosen.optimizer}-{at}"


def facts(chosen: Selection, options: Options) -> dict[str, object]:
    """The columns that say, in every row of a download, what it is."""
    return {
        "run_id": options.run,
        "measure": chosen.measure,
        "optimizer": chosen.optimizer,
        "strength": strength_of(chosen, options) if chosen.kl is None else None,
        "kl": chosen.kl,
        "sources": ", ".join(chosen.sources) or "initial",
        "categories": ", ".join(chosen.categories) or "all",
        "subsets": ", ".join(chosen.subsets) or "all",
        "responses": chosen.responses or options.responses,
        "construction": constructed(chosen) or "plain",
        "rl_categories": ", ".join(chosen.rl_categories) or "all",
    }


def data_folder(home: Path) -> str:
    """Which data folder the dashboard looks at."""
    return f"Data folder {escape(str(home))}"


def nothing_published(home: Path) -> str:
    """Which data folder is empty."""
    return f"No run has been published in the data folder **{escape(str(home))}**."


def newest(runs: pl.DataFrame) -> str:
    """Id of the newest run of a table that has one."""
    return str(runs["run_id"][0])


def _bracketed(text: str) -> str:
    return f" ({text})" if text else ""


def _of(chosen: Selection) -> str:
    """Whose responses, where they are not the initial policy's."""
    if chosen.sources in ((), ("initial",)):
        return ""
    return f" of {_listed([source(name) for name in chosen.sources])}"


def _where(chosen: Selection) -> str:
    return _list(chosen.subsets or chosen.categories)


def _list(names: Sequence[str]) -> str:
    if not names:
        return ""
    return f" ({_listed(names)})"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(escape(name) for name in names[:3])
    return f"{shown}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"
