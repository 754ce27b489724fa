"""Ensembles made from stored scores: a new run whose scorer has scores of all responses and values of all policies."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.__main__ import main
from pipeline.errors import InvalidConfig
from pipeline.runs.ensembles import ensemble
from tests.helpers.study import Study, publish, rows
from warehouse import ingest, reads, store
from warehouse.errors import InvalidChoice, UnknownName
from warehouse.metrics.policies.best_of_n import best_of_n_values
from warehouse.reads.values import policy_values
from warehouse.schema import TABLES
from warehouse.store import Connection
from warehouse.study import evaluate

STUDY = Study(reward_models=4, prompts=6, ppo_steps=(5, 10))
MEMBERS = ("rm-00", "rm-02", "rm-03")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return publish(tmp_path, STUDY)


@contextmanager
def opened(home: Path) -> Iterator[Connection]:
    with store.open_read_only(home) as connection:
        yield connection


def table(home: Path, name: str, run_id: str) -> pl.DataFrame:
    with opened(home) as connection:
        return connection.execute(f'SELECT * FROM "{name}" WHERE run_id = ? ORDER BY ALL', [run_id]).pl()


def expected_scores(home: Path, how: str, weight: float) -> dict[str, float]:
    """By a loop over responses."""
    scores = table(home, "score", "simulated")
    responses = table(home, "response", "simulated").join(table(home, "prompt", "simulated"), on="prompt_id")
    reference = set(responses.filter(policy_id="initial", split="rm_test")["response_id"])
    by_member: dict[str, dict[str, float]] = {name: {} for name in MEMBERS}
    for name, response, score in scores.select("reward_model_id", "response_id", "score").iter_rows():
        if name in by_member:
            by_member[name][response] = score
    expected = {}
    for response in by_member[MEMBERS[0]]:
        standard = []
        for own in by_member.values():
            known = np.array([score for name, score in own.items() if name in reference])
            standard.append((own[response] - known.mean()) / known.std())
        expected[response] = float(
            {
                "mean": np.mean(standard),
                "worst": np.min(standard),
                "uncertainty": np.mean(standard) - weight * np.std(standard),
            }[how]
        )
    return expected


@pytest.mark.parametrize(("how", "weight"), [("mean", 1.0), ("worst", 1.0), ("uncertainty", 0.5)])
def test_every_response_has_the_score_of_a_loop_over_members(home: Path, how: str, weight: float) -> None:
    joined = ensemble(home, "simulated", MEMBERS, how, weight=weight)
    assert joined.run_id == "simulated-ensemble"
    scores = table(home, "score", joined.run_id).filter(reward_model_id=f"ensemble-{how}")
    expected = expected_scores(home, how, weight)
    assert scores.height == len(expected) == joined.responses
    for response, score in scores.select("response_id", "score").iter_rows():
        assert score == pytest.approx(expected[response], abs=1e-5)


def test_all_else_is_as_in_the_old_run_which_does_not_change(home: Path) -> None:
    before = {name: table(home, name, "simulated") for name in TABLES}
    joined = ensemble(home, "simulated", MEMBERS, name="three", role="golden")
    for name, old in before.items():
        assert table(home, name, "simulated").equals(old)
        new = table(home, name, joined.run_id).drop("run_id")
        if name in ("prompt", "response", "preference", "label", "ppo_run", "training_curve", "outcome"):
            assert new.equals(old.drop("run_id"))
    models = table(home, "reward_model", joined.run_id)
    (row,) = models.filter(reward_model_id="three").to_dicts()
    assert (row["kind"], row["role"], row["base_model"]) == ("ensemble", "golden", "mean of rm-00, rm-02, rm-03")
    config = json.loads(table(home, "run", joined.run_id)["config"][0])
    assert config["derived"]["run_id"] == "simulated"
    assert config["derived"]["members"] == list(MEMBERS)
    assert set(config["derived"]["standardised_by"]) == set(MEMBERS)


def test_best_of_n_against_it_and_valued_by_it_is_that_of_its_scores(home: Path) -> None:
    joined = ensemble(home, "simulated", MEMBERS, "worst")
    with opened(home) as connection:
        values = policy_values(connection, joined.run_id, "bon", 4.0)
        samples = reads.scores.initial_scores(connection, joined.run_id, "rl_test")
        before = policy_values(connection, "simulated", "bon", 4.0)
    np.testing.assert_allclose(values.optimised_MMQ, best_of_n_values(samples.scores_MPR, [4])[0])
    old = [values.reward_models.index(name) for name in before.reward_models]
    np.testing.assert_allclose(values.optimised_MMQ[np.ix_(old, old)], before.optimised_MMQ)
    place = values.reward_models.index("ensemble-worst")
    np.testing.assert_allclose(values.initial_MQ[place], samples.scores_MPR[place].mean(axis=1), atol=1e-6)


def test_ppo_policies_are_valued_by_the_scores_of_their_responses(home: Path) -> None:
    joined = ensemble(home, "simulated", MEMBERS, "worst")
    assert joined.left_out == ()
    scores = table(home, "score", joined.run_id).filter(reward_model_id="ensemble-worst")
    means = (
        scores.join(table(home, "response", joined.run_id), on="response_id")
        .filter(policy_id="ppo-10/rm-01")
        .group_by("prompt_id")
        .agg(pl.col("score").cast(pl.Float64).mean())
        .sort("prompt_id")
    )
    values = table(home, "policy_value", joined.run_id).filter(policy_id="ppo-10/rm-01", golden_id="ensemble-worst")
    assert values.height == means.height > 0
    np.testing.assert_allclose(values.sort("prompt_id")["value"], means["score"])


def without_ppo_responses(home: Path, run_id: str) -> None:
    """Publish the study as a run that stored values of PPO's policies and none of their responses."""
    tables = rows(STUDY)
    silent = pl.col("policy_id").str.starts_with("ppo")
    gone = tables["response"].filter(silent)["response_id"].implode()
    tables["response"] = tables["response"].filter(~silent)
    tables["score"] = tables["score"].filter(~pl.col("response_id").is_in(gone))
    ingest.publish(home, {name: frame.with_columns(run_id=pl.lit(run_id)) for name, frame in tables.items()}, "test")


def test_the_mean_values_policies_whose_responses_were_not_stored_as_its_members_do(home: Path) -> None:
    without_ppo_responses(home, "silent")
    whole = ensemble(home, "simulated", MEMBERS, "mean", new_id="whole")
    joined = ensemble(home, "silent", MEMBERS, "mean")
    assert joined.left_out == ()
    both = []
    for run_id in (whole.run_id, joined.run_id):
        values = table(home, "policy_value", run_id).filter(golden_id="ensemble-mean")
        both.append(values.sort("policy_id", "prompt_id").drop("run_id"))
    assert both[0].drop("value").equals(both[1].drop("value"))
    np.testing.assert_allclose(both[0]["value"], both[1]["value"], atol=1e-5)  # scores are stored in 32 bits


def test_the_worst_cannot_value_them_so_they_are_left_out_and_said(home: Path) -> None:
    without_ppo_responses(home, "silent")
    joined = ensemble(home, "silent", MEMBERS, "worst")
    assert joined.left_out == tuple(sorted(f"ppo-{step}/{name}" for step in (5, 10) for name in STUDY.names))
    assert "left out are 8 policies whose responses were not stored" in joined.line
    with opened(home) as connection:
        assert reads.policies.strengths(connection, joined.run_id)["optimizer"].unique().to_list() == ["bon"]
        assert policy_values(connection, joined.run_id, "bon", 8.0).optimised_MMQ.shape == (5, 5, 24)


def test_it_can_be_a_member_of_another(home: Path) -> None:
    first = ensemble(home, "simulated", MEMBERS)
    second = ensemble(home, first.run_id, ("ensemble-mean", "rm-01"), "worst")
    assert second.run_id == "simulated-ensemble-ensemble"
    assert table(home, "reward_model", second.run_id).height == 6
    assert ensemble(home, "simulated", MEMBERS).run_id == "simulated-ensemble-2"


def test_what_makes_no_ensemble_is_refused_and_nothing_is_published(home: Path) -> None:
    before = store.build_id(home)
    cases: tuple[tuple[dict[str, Any], type[Exception], str], ...] = (
        ({"members": ("rm-00", "rm-09")}, UnknownName, "no reward model 'rm-09' in run 'simulated'; there are rm-00"),
        ({"members": ("rm-00",)}, InvalidChoice, "1 member; an ensemble takes two or more"),
        ({"members": ("rm-00", "rm-00")}, InvalidChoice, "member 'rm-00' is named twice"),
        ({"members": MEMBERS, "name": "rm-01"}, InvalidChoice, "has a scorer 'rm-01' already"),
        ({"members": MEMBERS, "new_id": "simulated"}, InvalidConfig, "run 'simulated' exists already"),
        ({"members": MEMBERS, "role": "both"}, InvalidConfig, "role is 'both'"),
    )
    for arguments, error, message in cases:
        with pytest.raises(error, match=message):
            ensemble(home, "simulated", **arguments)
    with pytest.raises(UnknownName, match="run 'other' is not in the warehouse"):
        ensemble(home, "other", MEMBERS)
    assert store.build_id(home) == before


def test_the_command_prints_a_line_or_json(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(home))
    assert main(["ensemble", "--run", "simulated", "--members", "rm-00, rm-01", "--run-id", "two"]) == 0
    assert capsys.readouterr().out.startswith("two: ensemble-mean has scores of ")
    options = ["--how", "uncertainty", "--weight", "0.5", "--name", "careful", "--role", "proxy", "--json"]
    assert main(["ensemble", "--run", "simulated", "--members", "rm-00,rm-01", *options]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["run"], printed["scorer"], printed["left_out"]) == ("simulated-ensemble", "careful", [])
    assert main(["ensemble", "--run", "simulated", "--members", "rm-00"]) == 2
    assert "1 member; an ensemble takes two or more" in capsys.readouterr().err


@pytest.fixture(scope="module")
def of_recorded(recorded_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("recorded") / "home"
    shutil.copytree(recorded_home, home, symlinks=True)
    ensemble(home, "recorded", ("flip-0.00", "flip-0.10", "seed-1"), "worst", role="golden", new_id="three")
    return home


@pytest.mark.deep  # docs/outcomes.md makes and measures one too
@pytest.mark.parametrize(("optimizer", "strength", "quantity"), [("bon", 16.0, "ndr"), ("ppo", 16.0, "gain")])
def test_an_ensemble_of_the_recorded_run_is_a_golden_of_its_own(
    of_recorded: Path, optimizer: str, strength: float, quantity: str
) -> None:
    """NDR for best-of-n; for PPO, where no policy was optimised against it, what policies gain on it."""
    with opened(of_recorded) as connection:
        cube = reads.scores.score_cube(connection, "three").with_goldens(["ensemble-worst"])
        values = policy_values(connection, "three", optimizer, strength)
    if values.optimised_M is not None:  # not every reward model has such a policy
        trained = [name for name, is_in in zip(values.reward_models, values.optimised_M, strict=True) if is_in]
        names = [*trained, "ensemble-worst"]
        cube, values = cube.of_reward_models(names), values.of_reward_models(names)
    evaluation = evaluate(cube, values, replicates=200)
    assert evaluation.quantity == quantity
    assert evaluation.undefined_pairs == 0
    golden = cube.reward_models.index("ensemble-worst")
    best, worst = (cube.reward_models.index(name) for name in ("flip-0.00", "flip-0.45"))
    assert evaluation.value_MM[golden, best] > evaluation.value_MM[golden, worst]
    kendall = evaluation.correlations["kendall"]
    assert kendall.value is not None
    if optimizer == "bon":  # weak policies of few reward models leave it open
        assert kendall.value > 0.5
        assert (kendall.p_value or 1.0) < 0.05
