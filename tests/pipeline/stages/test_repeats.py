"""A real run whose policies are trained twice, with other seeds, as it is read and measured."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np

from tests.conftest import righttree, righttree_process
from warehouse import reads, store


def test_policies_trained_twice_are_read_as_means_and_measured_as_two_seeds(tiny_profile: Path, tmp_path: Path) -> None:
    text = tiny_profile.read_text().replace("[ppo]\n", "[ppo]\nrepeats = 2\n")
    profile = tmp_path / "twice.toml"
    profile.write_text(text)
    done = righttree_process("run", "--profile", str(profile), "--run-id", "twice", home=tmp_path / "home")
    assert done.returncode == 0, done.stderr
    with store.open_read_only(tmp_path / "home") as connection:
        values = reads.values.policy_values(connection, "twice", "ppo", 2.0)
        curves = reads.policies.ppo_curves(connection, "twice")
        seeds = connection.execute("SELECT seed FROM ppo_run").pl()["seed"]
        stored = connection.execute(
            "SELECT avg(value) FROM policy_value WHERE policy_id IN ($first, $second) AND golden_id = $golden",
            {
                "first": f"ppo-2/{values.reward_models[0]}",
                "second": f"ppo-2-r1/{values.reward_models[0]}",
                "golden": values.reward_models[1],
            },
        ).fetchone()
    assert values.repeats is not None
    assert set(values.repeats.count_M.tolist()) == {2}
    assert np.abs(values.repeats.deviations_TMMQ).max() > 0
    assert stored is not None
    assert abs(values.optimised_MMQ[1, 0].mean() - stored[0]) < 1e-9
    per_kind = Counter(name.split("/")[0] for name in curves["model_id"].unique())
    assert per_kind == {"ppo": len(values.reward_models), "ppo-r1": len(values.reward_models)}
    assert seeds.n_unique() == 2 * len(values.reward_models)
    shown = righttree(
        "measure", "--run", "twice", "--optimizer", "ppo", "--replicates", "50", "--json", home=tmp_path / "home"
    )
    assert (json.loads(shown.stdout)["repeats"], json.loads(shown.stdout)["single_repeats"]) == (2, 0)
