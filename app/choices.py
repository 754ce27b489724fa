"""What can be chosen on the pages Reward models, Responses, Overoptimisation, Overview and Runs."""

from __future__ import annotations

from dataclasses import dataclass

from app.page_choice import PageChoice


@dataclass(frozen=True)
class ModelsChoice(PageChoice):
    """Reward models: categories of the RM-test prompts (none: all), the reward model looked at, and its golden."""

    category: tuple[str, ...] = ()
    reward_model: str | None = None
    golden: str | None = None


@dataclass(frozen=True)
class ResponsesChoice(PageChoice):
    """Responses: which prompts are browsed (`split`, categories, subsets, text searched for) and what is looked at.

    `prompt` None is the first found, `policy` None the initial one, `reward_model` None the first with PPO checkpoints.
    `sample` is 1-based.
    """

    split: str = "rl_test"
    category: tuple[str, ...] = ()
    subset: tuple[str, ...] = ()
    search: str = ""
    prompt: str | None = None
    policy: str | None = None
    order: str = "sample"
    shown: int = 4
    reward_model: str | None = None
    sample: int = 1


@dataclass(frozen=True)
class OverviewChoice(PageChoice):
    """Overview: the run alone."""


@dataclass(frozen=True)
class OveroptimisationChoice(PageChoice):
    """Overoptimisation: golden and proxy (None: averaged over all), RL-test categories (none: all), PPO's KL penalty.

    `shown` is how many examples of reward hacking are laid open, `metric` the figure of PPO's training that is drawn.
    """

    golden: str | None = None
    proxy: str | None = None
    rl_category: tuple[str, ...] = ()
    penalty: float | None = None
    shown: int = 3
    metric: str = "reward"


@dataclass(frozen=True)
class RunsChoice(PageChoice):
    """Runs: the two that are compared (None: the chosen or newest, and the newest other); `run` goes along alone."""

    first: str | None = None
    second: str | None = None
