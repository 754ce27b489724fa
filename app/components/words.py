"""The words that pages share about a choice and its results. Pure functions; foreign names are escaped for Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from app.components import estimates, formats
from app.components.formats import count, escape
from app.offers import Options
from app.state import Policies, Selection
from warehouse.metrics.catalogue import CORRELATION_WORDS as CORRELATIONS
from warehouse.metrics.catalogue import optimizer_words as optimizer
from warehouse.schema import BY_WEIGHTING, RL_ALGORITHMS
from warehouse.study import Evaluation
from warehouse.study.correlation import Correlation
from warehouse.study.training_noise import seeds


def correlation(name: str, level: str) -> str:
    """A correlation at a level, for titles: `Kendall τ`, `Kendall τ within goldens`."""
    inside = level == "within" and name != "mrr"
    return CORRELATIONS[name].title + (" within goldens" if inside else "")


def correlations(evaluation: Evaluation, level: str) -> Mapping[str, Correlation]:
    """All correlations of an evaluation at a level."""
    return evaluation.within if level == "within" else evaluation.correlations


def strength_of(chosen: Selection, options: Options) -> float:
    """The strength in force: the chosen one, or the usual one of the run."""
    return options.usual_strength(chosen.optimizer) if chosen.strength is None else chosen.strength


def policies(chosen: Selection, options: Options) -> str:
    """The policies on the page: `best-of-16`, `PPO at a KL of 2 nats`."""
    return called(Policies(chosen.optimizer, strength_of(chosen, options), chosen.kl))


def called(policies: Policies) -> str:
    """What policies are called."""
    words = optimizer(policies.optimizer)
    return words.at.format(f"{policies.strength:g}") if policies.kl is None else words.at_kl.format(f"{policies.kl:g}")


def run_and_pairs(options: Options) -> list[str]:
    """The run, and how many reward models and pairs it has: the first parts of the line below a page's title."""
    models = count(len(options.proxies or options.reward_models), "reward model")
    if options.goldens != options.proxies:
        models += f" against {formats.listed(options.goldens)}"
    return [f"Run **{escape(options.run)}**", f"{models}, {count(options.pairs, 'golden–proxy pair')}"]


def what_is_shown(chosen: Selection, options: Options, evaluation: Evaluation) -> str:
    """One line: run, number of reward models, prompts, responses, policies, seeds, and where intervals come from."""
    most = chosen.responses or options.responses
    sources = [] if chosen.sources == ("initial",) else [source(name) for name in chosen.sources]
    trained = seeds(evaluation.repeats, evaluation.single_repeats, chosen.optimizer)
    return " · ".join(
        [
            *run_and_pairs(options),
            f"measured on {count(evaluation.prompts_used, 'RM-test prompt')}"
            f"{_bracketed(formats.listed(chosen.subsets or chosen.categories))} "
            f"× {formats.counts(min(options.fewest_responses or most, most), most, 'response')}"
            f"{f' of {formats.listed(sources)}' if sources else ''}{_bracketed(constructed(chosen))}",
            f"{policies(chosen, options)} valued on {_rl_prompts(chosen, options, evaluation.rl_prompts_used)}"
            f"{_bracketed(formats.listed(chosen.rl_categories))}",
            *([trained] if trained else []),
            estimates.intervals(evaluation.replicates),
        ]
    )


def _rl_prompts(chosen: Selection, options: Options, used: int) -> str:
    """On how many prompts policies are valued, and of how many, if some have too few samples for them."""
    prompts = count(used, "RL-test prompt")
    few = chosen.optimizer in BY_WEIGHTING and not chosen.rl_categories and used < options.rl_prompts
    return f"{prompts} of {options.rl_prompts:,}, as the others have too few samples" if few else prompts


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
    """Whether the test set depends on the seed."""
    return bool(chosen.noise or chosen.paraphrase or chosen.budget is not None or chosen.prompts is not None)


def source(name: str) -> str:
    """Who wrote the responses: a policy's id in words."""
    heated = name.removeprefix("initial-t")
    if name == "initial":
        return "Initial policy"
    if heated != name:
        return f"Initial policy at temperature {heated}"
    return f"{optimizer(name).title}, last step, all reward models" if name in RL_ALGORITHMS else name


def nothing_correlates(options: Options) -> str:
    """Why no measure has a correlation, and what to change."""
    if len(options.proxies) < 3:
        return (
            f"This run has {count(len(options.proxies), 'reward model')}: a correlation over golden–proxy pairs "
            "takes three or more. Train more of them, or explore another run."
        )
    return (
        "No correlation is defined here: the golden's own gain cannot be distinguished from zero on these prompts, or "
        "all values are the same. Choose more categories or a greater strength."
    )


def file_name(chosen: Selection, options: Options, figure: str) -> str:
    """Name of a download of one figure, without extension."""
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
    """Which data folder the dashboard shows."""
    return f"Data folder {escape(str(home))}"


def _bracketed(text: str) -> str:
    return f" ({text})" if text else ""
