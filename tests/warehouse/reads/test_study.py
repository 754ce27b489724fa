"""`warehouse/reads/study.py` on simulated runs: what is there is read as the pages read it, what is not is None."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.study import Study, publish
from warehouse import reads, store
from warehouse.errors import InvalidChoice, UnknownName
from warehouse.reads.study import study

RUN = "simulated"
WHOLE = Study(ppo_steps=(5, 10, 20), penalties=(0.1, 0.5), paraphrases=True)


def test_a_run_with_everything_is_read_whole(tmp_path: Path) -> None:
    with store.open_read_only(publish(tmp_path, WHOLE)) as connection:
        found = study(connection, RUN, replicates=50, seed=3)
        cube = reads.scores.score_cube(connection, RUN)
        ppo = reads.values.value_curves(connection, RUN, "ppo")
        weak = reads.values.policy_values(connection, RUN, "ppo", 20, 0.5)
        at_kl = reads.values.policy_values_at_kl(connection, RUN, "ppo", found.optimised["ppo"].matched_kl or 0, 0.5)
    assert (list(found.optimised), found.replicates, found.seed) == (["bon", "ppo"], 50, 3)
    assert found.kinds == dict.fromkeys(WHOLE.names, "flip")
    one = found.optimised["ppo"]
    assert np.array_equal(one.cube.scores_MPR, cube.scores_MPR)
    assert np.array_equal(one.values.optimised_MMQ, ppo.values[-1].optimised_MMQ)
    assert (one.called, one.title, found.optimised["bon"].called) == ("PPO at step 20", "PPO", "best-of-8")
    assert one.paraphrased is not None
    assert not np.array_equal(one.paraphrased.scores_MPR, cube.scores_MPR)
    assert one.tokens_SMQ is not None
    assert one.tokens_SMQ.shape == (3, 4, 16)
    assert one.initial_tokens_Q is not None
    assert one.penalised is not None
    assert one.penalised.strengths == (0.0, 0.1, 0.5)
    assert one.penalised.reward_models == ("rm-00", "rm-01", "rm-02")
    assert np.array_equal(one.penalised.values[2].optimised_MMQ, weak.optimised_MMQ[:3, :3])
    assert one.penalised.kl_SM[:, 0].tolist() == pytest.approx([2.0, 2.0 / 3, 2.0 / 11])
    assert one.matched_kl == pytest.approx(2.0 / 11)
    assert one.at_kl is not None
    assert np.array_equal(one.at_kl.values[2].optimised_MMQ, at_kl.optimised_MMQ[:3, :3])
    assert found.optimised["bon"].penalised is None


def test_what_a_run_has_not_is_left_out(tmp_path: Path) -> None:
    with store.open_read_only(publish(tmp_path, Study())) as connection:
        (one,) = study(connection, RUN).optimised.values()
    assert (one.paraphrased, one.penalised, one.at_kl, one.matched_kl) == (None, None, None, None)


def test_a_reward_model_whose_ppo_stopped_is_left_out_there_alone(tmp_path: Path) -> None:
    home = publish(tmp_path, replace(WHOLE, penalties=(), stops=(("rm-01", 5),)))
    with store.open_read_only(home) as connection:
        found = study(connection, RUN)
    assert found.optimised["ppo"].cube.reward_models == ("rm-00", "rm-02", "rm-03")
    assert found.optimised["bon"].cube.reward_models == tuple(WHOLE.names)


def test_a_run_that_says_nothing_is_refused(tmp_path: Path) -> None:
    with store.open_read_only(publish(tmp_path, Study(reward_models=1))) as connection:
        with pytest.raises(InvalidChoice, match="has 1 reward models"):
            study(connection, RUN)
        with pytest.raises(UnknownName, match="'other' is not in the warehouse"):
            study(connection, "other")
