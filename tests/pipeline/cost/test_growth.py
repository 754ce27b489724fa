"""`cost/growth.py` on the row of a real run: what more of it takes, and the command that adds it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.__main__ import main
from pipeline.cost import estimate
from pipeline.cost.growth import MOST_ADDED, Growth
from pipeline.runs import extend
from tests.conftest import SMOKE_RUN
from warehouse import store


def row(home: Path) -> dict[str, Any]:
    with store.open_read_only(home) as connection:
        frame = connection.execute("SELECT * FROM run WHERE run_id = ?", [SMOKE_RUN]).pl()
    return frame.row(0, named=True)


@pytest.fixture
def growth(smoke_home: Path) -> Growth:
    known = Growth.of(row(smoke_home))
    assert known is not None
    return known


def test_adding_reward_models_takes_what_the_estimate_of_the_same_command_says(
    growth: Growth, smoke_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = growth.command(2)
    assert command is not None
    program, *arguments = command.split()
    assert (program, arguments[:2]) == ("righttree", ["extend", SMOKE_RUN])
    rates = [float(rate) for rate in arguments[3::2]]
    config = extend.extended(smoke_home, SMOKE_RUN, {"flip_rates": rates})
    told = estimate.of_extension(smoke_home, SMOKE_RUN, config)
    assert growth.seconds_of_models(2) == pytest.approx(told.wall_s)
    monkeypatch.setenv("RIGHTTREE_HOME", str(smoke_home))
    assert main([*arguments, "--estimate"]) == 0
    assert "estimated from" in capsys.readouterr().out


def test_flip_rates_are_new_within_the_bound_and_no_more_than_a_command_should_have(growth: Growth) -> None:
    used = growth.old.config.reward_models.flip_rates
    for amount in (1, 3, MOST_ADDED):
        command = growth.command(amount)
        assert command is not None
        rates = [float(rate) for rate in command.split()[4::2]]
        assert len(set(rates)) == amount
        assert not {f"{rate:.2f}" for rate in rates} & {f"{rate:.2f}" for rate in used}
        assert max(rates) <= max(used)
    within = growth.command(3, most_flipped=0.1)
    assert within is not None
    assert max(float(rate) for rate in within.split()[4::2]) < 0.1
    assert growth.command(MOST_ADDED + 1) is None
    assert growth.seconds_of_models(MOST_ADDED + 1) is None


def test_a_new_run_of_the_same_size_takes_as_long_and_more_prompts_take_longer_even_more_than_there_are(
    growth: Growth, smoke_home: Path
) -> None:
    same = estimate.estimate(smoke_home, growth.old.config).wall_s
    assert growth.seconds_of_new(1.0, 1.0) == pytest.approx(same)
    twice, thrice = growth.seconds_of_new(2.0, 1.0), growth.seconds_of_new(3.0, 1.0)
    assert same is not None
    assert twice is not None
    assert thrice is not None
    assert same < twice < thrice
    assert thrice - twice == pytest.approx(twice - same)
    assert growth.has_prompts(1.0, 1.0)
    assert not growth.has_prompts(1000.0, 1.0)
    assert growth.seconds_of_new(1000.0, 1.0) is not None
    assert growth.per_category(1.5, 2.0)["rl_test_per_category"] == 2 * growth.old.config.prompts.rl_test_per_category


def test_nothing_is_known_of_a_run_whose_settings_are_no_profile(smoke_home: Path) -> None:
    run = row(smoke_home)
    assert Growth.of({**run, "config": "{}"}) is None
    assert Growth.of({**run, "config": "no JSON"}) is None
    assert Growth.of({**run, "timings": "{}"}) is None
