"""What can be chosen on the pages Reward models, Responses, Overoptimisation and Overview."""

from __future__ import annotations

from dataclasses import dataclass

from app.page_choice import PageChoice


@dataclass(frozen=True)
class ModelsChoice(PageChoice):
    """Reward models: categories of the RM-test prompts (none: all), the reward model looked at, and its golden."""

    category: tuple[str, ...] = ()
    reward_model: str | None = None
    golden: str | None = None
