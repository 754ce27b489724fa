"""Data whose prompts both measure reward models and value policies: noise does not predict, a true signal does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from tests.conftest import righttree
from tests.warehouse.exchange.files import described, long_frame, write
from tests.warehouse.study.simulate import cube_of, normal_scores, values_of
from warehouse.claims.verdict import above
from warehouse.study import Evaluation, evaluate

CASE = Path(__file__).parents[3].parent / "shared" / "cases" / "38-noise-same-responses"
NOISE = sorted(CASE.glob("noise-*.jsonl"))
needs_case = pytest.mark.skipif(not NOISE, reason="the files are not in ../shared/cases/38-noise-same-responses")


def on_the_same_responses(scores_MPR: NDArray[np.float64], seed: int) -> Evaluation:
    """Accuracy against best-of-R, both on these responses."""
    cube, values = cube_of(scores_MPR), values_of(scores_MPR.astype(np.float32), scores_MPR.shape[2])
    return evaluate(cube, replace(values, prompts=cube.prompts), replicates=160, seed=seed)


def test_noise_on_the_same_responses_does_not_predict() -> None:
    plain, covered = [], 0
    for seed in range(16):
        scores_MPR = np.random.default_rng(seed).standard_normal((8, 60, 2))
        together = on_the_same_responses(scores_MPR, seed)
        assert together.shared_prompts == 60
        figure = together.correlations["kendall"]
        assert figure.low is not None
        assert figure.high is not None
        covered += figure.low <= 0 <= figure.high
        accuracy, ndr = (values[~np.eye(8, dtype=bool)] for values in (together.value_MM, together.ndr_MM))
        plain.append(np.corrcoef(accuracy, ndr)[0, 1])
    assert covered >= 15
    assert min(plain) > 0.5  # which is what shared noise makes of nothing


def test_a_true_signal_on_the_same_responses_is_found() -> None:
    for seed in range(4):
        scores_MPR = normal_scores(np.random.default_rng(seed), np.linspace(0.3, 2.5, 12), 120, 4)
        figure = on_the_same_responses(scores_MPR, seed).correlations["kendall"]
        assert above(figure) == "holds"
        assert figure.p_value is not None
        assert figure.p_value < 0.05


def test_an_import_says_how_many_prompts_are_on_both_sides_and_what_to_do(tmp_path: Path) -> None:
    together = write(long_frame(prompts=8), tmp_path / "together.csv")
    done = righttree("import", str(together), "--run-id", "together", home=tmp_path / "home")
    first, second = done.stdout.splitlines()
    assert first.startswith("together: 3 reward models")
    assert second.startswith("8 prompts both measure reward models and value policies: figures will be cross-fitted")
    assert "give every prompt a split, rm_test or rl_test" in second
    exported, again = tmp_path / "exported", ("import", str(tmp_path / "exported"), "--run-id", "again")
    assert righttree("export", "--run", "together", str(exported), home=tmp_path / "home").returncode == 0
    assert righttree(*again, home=tmp_path / "home").stdout.splitlines()[1] == second
    apart = write(described(long_frame(), split=True), tmp_path / "apart.csv")
    assert len(righttree("import", str(apart), home=tmp_path / "home").stdout.splitlines()) == 1


@needs_case
def test_the_case_of_noise_has_an_interval_around_0_and_no_verdict(tmp_path: Path) -> None:
    done = righttree("import", *map(str, NOISE), "--run-id", "noise", home=tmp_path)
    assert "200 prompts both measure reward models and value policies" in done.stdout
    measured = json.loads(righttree("measure", "--run", "noise", "--json", home=tmp_path).stdout)
    assert measured["kendall"]["low"] < 0 < measured["kendall"]["high"]
    assert abs(measured["kendall"]["value"]) < 0.5
    page = righttree("findings", "--run", "noise", "--replicates", "200", home=tmp_path)
    assert page.returncode == 0, page.stderr
    rows = [line for line in page.stdout.splitlines() if line.startswith("| [")]
    first = [row for row in rows if row.startswith("| [1. ")]
    assert len(first) == 2
    assert all(row.endswith("| **cannot be told at this size** |") for row in first)
    assert [row for row in rows if row.endswith(("**holds** |", "**refuted** |"))] == []
    assert "\n- The same 200 prompts on both sides: correlations are cross-fitted" in page.stdout
    apart = righttree("import", str(CASE / "apart.csv"), "--run-id", "apart", home=tmp_path)
    assert len(apart.stdout.splitlines()) == 1
    separate = json.loads(righttree("measure", "--run", "apart", "--json", home=tmp_path).stdout)
    assert separate["kendall"]["low"] < 0 < separate["kendall"]["high"]


def test_ids_that_say_they_are_the_same_prompt_count_as_one(tmp_path: Path) -> None:
    frame = described(long_frame(), split=True)
    number = pl.col("prompt_id").str.slice(1).cast(pl.Int64())
    mark = pl.when(pl.col("split") == "rm_test").then(pl.lit("#rm")).otherwise(pl.lit("#rl"))
    path = write(frame.with_columns(prompt_id=pl.format("p{}{}", number % 2, mark)), tmp_path / "marked.csv")
    assert "2 prompts both measure" in righttree("import", str(path), home=tmp_path / "home").stdout
