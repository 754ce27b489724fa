"""`cli/resolving.py`: what would decide a finding, in words that name sizes, costs and commands."""

from __future__ import annotations

from pathlib import Path

from pipeline.cli.resolving import how_many, sentence
from pipeline.cost.growth import Growth
from tests.conftest import SMOKE_RUN
from warehouse import store
from warehouse.study.resolution import Resolution, Sizes

SIZES = Sizes(3, 8, 8)
OPEN = Resolution(0.2, 0.4, SIZES, reward_models=5, rm_prompts=None, rl_prompts=96, all=Sizes(4, 12, 12))


def test_without_costs_it_names_sizes_and_what_alone_never_suffices() -> None:
    assert sentence(OPEN, None) == (
        "This run detects an effect of 0.40 or more with 80 % power. One of 0.20 would take 5 reward models instead of "
        "3; or 96 RL-test prompts instead of 8; or all together, 4 reward models, 12 RM-test and 12 RL-test prompts. "
        "No number of RM-test prompts alone suffices."
    )


def test_with_costs_it_has_the_command_and_the_settings_of_a_new_run(smoke_home: Path) -> None:
    with store.open_read_only(smoke_home) as connection:
        run = connection.execute("SELECT * FROM run WHERE run_id = ?", [SMOKE_RUN]).pl().row(0, named=True)
    text = sentence(OPEN, Growth.of(run))
    assert f"`righttree extend {SMOKE_RUN} --flip-rate 0." in text
    assert " more: `righttree" in text
    assert "a new run with `rl_test_per_category = " in text
    assert "None" not in text


def test_what_is_out_of_reach_and_what_is_likely_anyway() -> None:
    never = Resolution(0.05, 0.4, SIZES, reward_models=None, rm_prompts=None, rl_prompts=None, all=None)
    assert sentence(never, None).endswith("No size that can be reached would tell one of 0.05.")
    likely = Resolution(0.5, 0.4, SIZES, reward_models=3, rm_prompts=8, rl_prompts=8, all=SIZES)
    assert "likely to be told in another run like it" in sentence(likely, None)
    unsplit = Resolution(
        0.2, 0.4, SIZES, reward_models=None, rm_prompts=None, rl_prompts=None, all=Sizes(12, 32, 32), split=False
    )
    assert sentence(unsplit, None).endswith(
        "would take all together, 12 reward models, 32 RM-test and 32 RL-test prompts."
    )


def test_how_many_more_of_each_size_would_tell() -> None:
    likely = Resolution(0.5, 0.4, SIZES, reward_models=3, rm_prompts=8, rl_prompts=8, all=SIZES)
    prompts = Resolution(0.2, 0.4, SIZES, reward_models=7, rm_prompts=16, rl_prompts=17, all=Sizes(6, 16, 17))
    never = Resolution(0.05, 0.4, SIZES, reward_models=None, rm_prompts=None, rl_prompts=None, all=None)
    assert how_many([OPEN, likely, prompts, never, None]) == (
        "What would tell the 5 open ones, each by itself, with 80 % power at the effect that it names: another run of "
        "this size 1, twice the reward models 2, twice the RM-test prompts 2, twice the RL-test prompts 1, twice of "
        "all three 2, four times of all three 3. Of 1 no such size is known."
    )
