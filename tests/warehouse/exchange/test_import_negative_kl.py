"""An imported KL may be below 0, as k1 estimates often are: curves, degrees and findings take it for no distance."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.__main__ import main
from tests.warehouse.exchange import files
from tests.warehouse.exchange.conftest import Import
from warehouse import reads, store
from warehouse.errors import InvalidChoice
from warehouse.metrics.cube import spread_within_prompts
from warehouse.study.curves.gain_curves import degree_map, gain_curves
from warehouse.study.curves.strength_curves import ndr_curve

STEPS = {10: -0.02, 20: 0.3, 40: 1.1, 80: 2.4}
"""The KL at each step, below 0 at the first."""

MODELS = ("a", "b", "c", "d")
PROMPTS = 12


def scores() -> pl.DataFrame:
    rng = np.random.default_rng(2)
    quality = rng.standard_normal((PROMPTS, 6))
    return pl.DataFrame(
        {"prompt_id": f"p{p:02}", "response_id": f"r{r}", "reward_model": model}
        | {"score": float(quality[p, r] + 0.3 * (m + 1) * rng.standard_normal())}
        for p in range(PROMPTS)
        for r in range(6)
        for m, model in enumerate(MODELS)
    )


def values(steps: dict[int, float], still: str | None = None) -> pl.DataFrame:
    """PPO whose golden gain rises and falls again; the policy of `still` is estimated below 0 all along."""
    rng = np.random.default_rng(3)
    rows = []
    for step, kl in steps.items():
        distance = np.sqrt(max(kl, 0.0))
        for m, model in enumerate(MODELS):
            for golden in MODELS:
                gain = distance * (1.5 - (0.2 + 0.1 * m * (model != golden)) * distance)
                rows += [
                    {"optimizer": "ppo", "strength": step, "reward_model": model, "golden": golden}
                    | {"prompt_id": f"p{p:02}", "value": float(gain + 0.05 * rng.standard_normal())}
                    | {"kl": -0.01 if model == still else kl}
                    for p in range(PROMPTS)
                ]
    return pl.DataFrame(rows)


def test_a_negative_kl_goes_through_every_figure(tmp_path: Path, data: Path, imported: Import) -> None:
    imported(files.write(scores(), tmp_path / "scores.csv"), files.write(values(STEPS), tmp_path / "ppo.csv"))
    with store.open_read_only(data) as connection:
        curves = reads.values.value_curves(connection, "theirs", "ppo")
        spread = spread_within_prompts(reads.scores.initial_scores(connection, "theirs", "rl_test").scores_MPR)
        at_kl = reads.values.policy_values_at_kl(connection, "theirs", "ppo", 0.2)
        assert reads.policies.kl_reach(connection, "theirs", "ppo") == (2.4, 2.4)
        with pytest.raises(InvalidChoice, match="nats above 0"):
            reads.values.policy_values_at_kl(connection, "theirs", "ppo", -0.02)
    assert curves.kl_SM[0].tolist() == [-0.02] * 4  # stored as it was estimated
    assert curves.below_zero == 4
    gained = gain_curves(curves, spread, replicates=50)
    assert gained.below_zero == 4
    for curve in gained.curves.values():
        assert curve.distances[0] == 0.0
        assert all(before < after for before, after in pairwise(curve.distances))
        assert curve.fit is not None
        assert np.isfinite(curve.fit).all()
    assert gained.degree.value is not None
    assert np.isfinite(at_kl.optimised_MMQ).all()
    assert ndr_curve(curves, replicates=50).ndr[-1].value is not None
    found = degree_map(curves, replicates=50)
    assert found.defined_MM.sum() == 12
    assert np.isfinite([found.degree_MM, found.low_MM, found.high_MM]).all()


def test_a_policy_that_is_below_zero_all_along_costs_its_own_degrees_alone(
    tmp_path: Path, data: Path, imported: Import
) -> None:
    imported(files.write(scores(), tmp_path / "scores.csv"), files.write(values(STEPS, "b"), tmp_path / "ppo.csv"))
    with store.open_read_only(data) as connection:
        curves = reads.values.value_curves(connection, "theirs", "ppo")
        reached = reads.values.policy_values_at_kl(connection, "theirs", "ppo", 1.0).optimised_M
    assert reached is not None
    assert reached.tolist() == [True, False, True, True]
    found = degree_map(curves, replicates=50)
    assert found.defined_MM.sum() == 6
    assert not found.defined_MM[1].any()
    assert not found.defined_MM[:, 1].any()
    assert gain_curves(curves, np.ones(4), golden="a", proxy="b", replicates=50).degree.value is None


def test_findings_say_how_many_policies_have_a_negative_kl(
    tmp_path: Path, data: Path, imported: Import, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(data))
    imported(files.write(scores(), tmp_path / "scores.csv"), files.write(values(STEPS), tmp_path / "ppo.csv"))
    assert main(["findings", "--replicates", "30"]) == 0
    text = capsys.readouterr().out
    assert "PPO at step 80: 4 policies with a KL estimated below 0, taken to be at distance 0." in text
    assert not re.search(r"\bnan\b|\binf\b", text)
