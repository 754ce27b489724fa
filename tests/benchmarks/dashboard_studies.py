"""What the dashboard's response times are measured on: runs of two sizes, and the changes of a control on each page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.helpers.study import Study

_PPO: dict[str, Any] = {"ppo_steps": (6, 12, 24), "penalties": (0.02, 0.05, 0.1), "swept": 3, "offset": 1.0}

_TEST_SETS: dict[str, Any] = {"sources": ("initial-t1.50",), "paraphrases": True}

RECORDED = Study(
    run_id="recorded", reward_models=14, prompts=36, rl_prompts=54, responses=8, samples=32, **_PPO, **_TEST_SETS
)
PAPER = Study(
    run_id="paper", reward_models=10, prompts=684, rl_prompts=684, responses=8, samples=64, **_PPO, **_TEST_SETS
)

VIEWS = {
    "overview": "Overview",
    "explore": "Explore",
    "measures": "Measures",
    "test_sets": "Test sets",
    "overoptimisation": "Overoptimisation",
    "reward_models": "Reward models",
    "responses": "Responses",
}
"""The pages that read a run, by their modules."""


@dataclass(frozen=True)
class Change:
    """One control of a page set to a value, on the page that the parameters of `query` open."""

    view: str
    control: str
    kind: str
    key: str
    value: Any
    query: Mapping[str, str] = field(default_factory=dict)


def changes(study: Study) -> list[Change]:
    """A change of every main control."""
    return [
        Change("overview", "figure as a table", "segmented_control", "view-overview", "Table"),
        *_explore(study),
        *_measures(study),
        *_test_sets(study),
        *_overoptimisation(study),
        *_reward_models(study),
        *_responses(study),
    ]


def _test_set(view: str, study: Study) -> list[Change]:
    """The controls of the test set and the policies, which several pages share."""
    two = list(study.categories[:2])
    return [
        Change(view, "categories", "pills", "choose.categories", two),
        Change(view, "sources", "multiselect", "choose.sources", ["initial-t1.50"]),
        Change(view, "paraphrase", "select_slider", "choose.paraphrase", 0.5),
        Change(view, "responses per prompt", "slider", "choose.responses", study.responses - 2),
        Change(view, "prompts", "slider", "choose.prompts", 2 * study.prompts),
        Change(view, "rank bins", "selectbox", "choose.rank_bins", 4),
        Change(view, "annotation noise", "select_slider", "choose.noise", 0.1),
        Change(view, "seed of the noise", "number_input", "choose.seed", 7, {"noise": "0.1"}),
        Change(view, "optimiser", "segmented_control", "choose.optimizer", "ppo"),
        Change(view, "strength: n", "select_slider", "choose.strength", 8.0),
        Change(view, "at the same KL", "toggle", "choose.by_kl", True),
        Change(view, "RL-test categories", "pills", "choose.rl_categories", two),
        Change(view, "correlation", "selectbox", "choose.correlation", "spearman"),
        Change(view, "level", "segmented_control", "choose.level", "within"),
    ]


def _explore(study: Study) -> list[Change]:
    first, second = study.names[:2]
    return [
        Change("explore", "measure", "selectbox", "choose.measure", "spearman"),
        *_test_set("explore", study),
        Change("explore", "a pair laid open", "selectbox", "choose.proxy", second, {"golden": first}),
    ]


def _measures(study: Study) -> list[Change]:
    return _test_set("measures", study)


def _test_sets(study: Study) -> list[Change]:
    spent = 4 * study.prompts * len(study.categories)
    return [
        *(
            Change("test_sets", f"study: {name}", "segmented_control", "choose.study", study_name)
            for name, study_name in (("category × category", "categories"), ("responses", "responses"))
        ),
        Change("test_sets", "study: budget planner", "segmented_control", "choose.study", "budget"),
        Change("test_sets", "ranks: measure", "selectbox", "choose.measure", "spearman"),
        Change("test_sets", "ranks: bins", "slider", "choose.map_bins", 6),
        Change("test_sets", "ranks: annotation noise", "select_slider", "choose.noise", 0.1),
        Change("test_sets", "categories: measure", "selectbox", "choose.measure", "spearman", {"study": "categories"}),
        Change("test_sets", "responses: measure", "selectbox", "choose.measure", "spearman", {"study": "responses"}),
        Change("test_sets", "budget: annotations", "number_input", "choose.plan_budget", spent, {"study": "budget"}),
        Change("test_sets", "budget: noise", "select_slider", "choose.plan_noise", 0.1, {"study": "budget"}),
        Change("test_sets", "budget: seed", "number_input", "choose.seed.plan", 7, {"study": "budget"}),
        Change("test_sets", "budget: optimiser", "segmented_control", "choose.optimizer", "ppo", {"study": "budget"}),
    ]


def _overoptimisation(study: Study) -> list[Change]:
    key, view = "OveroptimisationChoice.{}", "overoptimisation"
    first, second = study.names[:2]
    return [
        Change(view, "golden", "selectbox", key.format("golden"), first),
        Change(view, "proxy", "selectbox", key.format("proxy"), second),
        Change(view, "golden and proxy", "selectbox", key.format("proxy"), second, {"golden": first}),
        Change(view, "RL-test categories", "pills", key.format("rl_category"), list(study.categories[:2])),
        Change(view, "KL penalty", "segmented_control", key.format("penalty"), study.penalties[0]),
        Change(view, "metric of PPO's training", "selectbox", key.format("metric"), "kl_k3"),
    ]


def _reward_models(study: Study) -> list[Change]:
    key, view = "ModelsChoice.{}", "reward_models"
    return [
        Change(view, "reward model", "selectbox", key.format("reward_model"), study.names[2]),
        Change(view, "golden", "selectbox", key.format("golden"), study.names[3]),
        Change(view, "categories", "pills", key.format("category"), list(study.categories[:2])),
    ]


def _responses(study: Study) -> list[Change]:
    key, view = "ResponsesChoice.{}", "responses"
    prompt = study.prompt_ids("rl_test")[-1]
    return [
        Change(view, "RM-test prompts", "segmented_control", key.format("split"), "rm_test"),
        Change(view, "search", "text_input", key.format("search"), "answer 7 of"),
        Change(view, "categories", "pills", key.format("category"), list(study.categories[:2])),
        Change(view, "prompt", "selectbox", key.format("prompt"), prompt),
        Change(view, "policy", "selectbox", key.format("policy"), f"ppo-24/{study.names[0]}"),
        Change(view, "order", "segmented_control", key.format("order"), "best"),
        Change(view, "texts shown", "segmented_control", key.format("shown"), 16),
    ]
