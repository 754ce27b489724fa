"""Reads of a run whose policies were optimised several times with different seeds, published through the ingest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.helpers.study import Study, publish, rows
from warehouse import ingest, reads, store
from warehouse.metrics.cube import PolicyValues
from warehouse.metrics.policies.repeats import Repeats
from warehouse.reads.two_models import policy_draws
from warehouse.store import Connection
from warehouse.study import evaluate
from warehouse.study.curves.strength_curves import ndr_curve

RUN = "simulated"
STEPS = (5, 10, 20)
ONCE = 3


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """Four reward models, PPO twice against each but the last."""
    study = Study(ppo_steps=STEPS, repeats=2, once=(f"rm-{ONCE:02}",), penalties=(0.1,), swept=2)
    with store.open_read_only(publish(tmp_path_factory.mktemp("repeats"), study)) as opened:
        yield opened


def stored(connection: Connection, policy: str) -> np.ndarray:
    """Values `[M, Q]` of one policy as they are stored."""
    rows = connection.execute(
        "SELECT value FROM policy_value WHERE policy_id = ? ORDER BY golden_id, prompt_id", [policy]
    ).fetchall()
    return np.array(rows).reshape(4, -1)


def repeats_of(values: PolicyValues) -> Repeats:
    assert values.repeats is not None
    return values.repeats


def optimised(values: PolicyValues) -> list[bool]:
    assert values.optimised_M is not None
    return values.optimised_M.tolist()


def test_a_policys_value_is_the_mean_of_its_repeats_which_differ_from_it_as_they_were_stored(
    connection: Connection,
) -> None:
    values = reads.values.policy_values(connection, RUN, "ppo", 10)
    assert repeats_of(values).count_M.tolist() == [2, 2, 2, 1]
    for m, name in enumerate(values.reward_models):
        parts = [stored(connection, f"ppo-10/{name}")]
        parts += [stored(connection, f"ppo-10-r1/{name}")] if m != ONCE else []
        assert values.optimised_MMQ[:, m] == pytest.approx(np.mean(parts, axis=0))
        for repeat, part in enumerate(parts):
            of_repeat = values.of_repeat(repeat)
            assert of_repeat.optimised_MMQ[:, m] == pytest.approx(part)
    assert optimised(values.of_repeat(1)) == [True, True, True, False]


def test_curves_have_the_mean_kl_of_repeats_and_the_same_values_as_each_strength(connection: Connection) -> None:
    curves = reads.values.value_curves(connection, RUN, "ppo")
    assert curves.strengths == STEPS
    assert curves.kl_SM[:, 0] == pytest.approx(np.array(STEPS) / 10 * 1.25)  # the second seed gets half as far again
    assert curves.kl_SM[:, ONCE] == pytest.approx(np.array(STEPS) / 10)
    assert reads.policies.known_kl(connection, RUN, "ppo", 20)["rm-00"] == pytest.approx(2.5)
    assert reads.policies.kl_reach(connection, RUN, "ppo") == pytest.approx((2.0, 2.5))
    for strength, at in zip(curves.strengths, curves.values, strict=True):
        alone = reads.values.policy_values(connection, RUN, "ppo", strength)
        assert np.array_equal(at.optimised_MMQ, alone.optimised_MMQ)
        assert np.array_equal(repeats_of(at).deviations_TMMQ, repeats_of(alone).deviations_TMMQ)


def test_at_one_kl_each_repeat_is_read_where_it_gets_that_far(connection: Connection) -> None:
    """Repeat 0 is at 1 nat at step 10, repeat 1 at 0.75 nats at step 5 and at 1.5 at step 10."""
    values = reads.values.policy_values_at_kl(connection, RUN, "ppo", 1.0)
    before, after = stored(connection, "ppo-5-r1/rm-01"), stored(connection, "ppo-10-r1/rm-01")
    share = (1.0 - np.sqrt(0.75)) / (np.sqrt(1.5) - np.sqrt(0.75))
    second = (1 - share) * before + share * after
    assert values.optimised_MMQ[:, 1] == pytest.approx((stored(connection, "ppo-10/rm-01") + second) / 2)
    assert repeats_of(values).count_M.tolist() == [2, 2, 2, 1]
    far = reads.values.policy_values_at_kl(connection, RUN, "ppo", 2.5)  # only the second seed gets there
    assert optimised(far) == [True, True, True, False]
    with pytest.raises(ValueError, match="the farthest is at 3"):
        reads.values.policy_values_at_kl(connection, RUN, "ppo", 3.5)


def test_a_sweep_of_kl_penalties_has_its_repeats_too(connection: Connection) -> None:
    values = reads.values.policy_values(connection, RUN, "ppo", 20, 0.1)
    both = stored(connection, "ppo-kl0.1-20/rm-01") + stored(connection, "ppo-kl0.1-20-r1/rm-01")
    assert values.optimised_MMQ[:, 1] == pytest.approx(both / 2)
    assert repeats_of(values).count_M.tolist() == [2, 2, 0, 0]


def test_training_curves_are_those_of_every_repeat_and_penalty(connection: Connection) -> None:
    names = set(reads.policies.ppo_curves(connection, RUN)["model_id"])
    assert {"ppo/rm-00", "ppo-r1/rm-00", "ppo-kl0.1/rm-00", "ppo-kl0.1-r1/rm-00"} <= names
    assert "ppo-r1/rm-03" not in names


def test_lengths_and_responses_are_those_of_all_repeats(connection: Connection) -> None:
    tokens = reads.responses.mean_tokens(connection, RUN, "ppo")
    (expected,) = connection.execute(
        "SELECT avg(tokens) FROM response WHERE policy_id IN ('ppo-20/rm-02', 'ppo-20-r1/rm-02') "
        "AND prompt_id = 'chat-rl/01'"
    ).fetchone() or (None,)
    row = tokens.filter(reward_model="rm-02", strength=20.0, prompt_id="chat-rl/01")
    assert row["tokens"].to_list() == pytest.approx([expected])
    assert reads.policies.responses_to_a_prompt(connection, RUN, "ppo", 20) == 2  # the policy of one repeat has two
    samples = reads.scores.initial_scores(connection, RUN, "rl_test")
    curves = reads.values.value_curves(connection, RUN, "ppo")
    assert reads.responses.lengths_of_curves(connection, RUN, curves, samples) is not None


def test_two_policies_are_compared_by_the_responses_of_all_their_repeats(connection: Connection) -> None:
    draws = policy_draws(connection, RUN, "rm-00", "rm-01", optimizer="ppo", strength=20)
    assert draws.responses == 4
    values = reads.values.policy_values(connection, RUN, "ppo", 20)
    golden = values.reward_models.index(draws.goldens[0])
    gap = values.optimised_MMQ[golden, 0] - values.optimised_MMQ[golden, 1]
    assert draws.terms(np.arange(4)).numerator_GP[0] == pytest.approx(gap, abs=1e-5)


def test_a_golden_without_a_policy_leaves_gains_with_the_noise_of_their_training(tmp_path: Path) -> None:
    """Gains in standard deviations stand in NDR's place; the golden's row has the deviations of all proxies."""
    study = rows(Study(ppo_steps=STEPS, repeats=2, prompts=12))
    golden = pl.col("reward_model_id") == "rm-03"
    role = pl.when(golden).then(pl.lit("golden"))
    study["reward_model"] = study["reward_model"].with_columns(role=role)
    dropped = study["policy"].filter(golden & pl.col("policy_id").str.starts_with("ppo"))["policy_id"]
    for name in ("policy", "policy_value", "response"):
        study[name] = study[name].filter(~pl.col("policy_id").is_in(dropped.implode()))
    study["score"] = study["score"].filter(pl.col("response_id").is_in(study["response"]["response_id"].implode()))
    study["ppo_run"] = study["ppo_run"].filter(~golden)
    ingest.publish(tmp_path, study, RUN)
    with store.open_read_only(tmp_path) as opened:
        cube = reads.scores.score_cube(opened, RUN).with_goldens(["rm-03"])
        values = reads.values.policy_values(opened, RUN, "ppo", 20)
    assert repeats_of(values).count_M.tolist() == [2, 2, 2, 0]
    found, alone = (evaluate(cube, each, replicates=400) for each in (values, replace(values, repeats=None)))
    assert found.quantity == "gain"
    assert (found.repeats, found.single_repeats) == (2, 0)
    widths = [(each.ndr_high_MM - each.ndr_low_MM)[3, :3].mean() for each in (found, alone)]
    assert widths[0] > 1.1 * widths[1]


def test_choosing_reward_models_and_prompts_carries_the_repeats_along(connection: Connection) -> None:
    values = reads.values.policy_values(connection, RUN, "ppo", 20)
    part = values.of_reward_models(["rm-03", "rm-01"]).of_prompts(np.array([4, 2]))
    assert repeats_of(part).count_M.tolist() == [1, 2]
    expected = repeats_of(values).deviations_TMMQ[:, [3, 1]][:, :, [3, 1]][..., [4, 2]]
    assert np.array_equal(repeats_of(part).deviations_TMMQ, expected)


def test_an_evaluation_and_a_curve_of_repeated_policies_have_wider_intervals(connection: Connection) -> None:
    cube, values = reads.scores.score_cube(connection, RUN), reads.values.policy_values(connection, RUN, "ppo", 20)
    found, alone = (evaluate(cube, each, replicates=400) for each in (values, replace(values, repeats=None)))
    defined = found.ndr_defined_MM & alone.ndr_defined_MM
    assert np.array_equal(found.ndr_MM[defined], alone.ndr_MM[defined])
    widths = [(each.ndr_high_MM - each.ndr_low_MM)[defined].mean() for each in (found, alone)]
    assert widths[0] > 1.1 * widths[1]
    curves = reads.values.value_curves(connection, RUN, "ppo")
    curve = ndr_curve(curves, golden="rm-00", proxy="rm-01", replicates=400)
    at = curve.ndr[-1]
    assert at.low == pytest.approx(found.ndr_low_MM[0, 1], abs=0.1)
