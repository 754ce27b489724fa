"""Tilted policies of a run: values at each λ and KL, on which prompts, stored or computed from the scores."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.runs.ensembles import ensemble
from pipeline.runs.exchange import import_files
from tests.helpers.study import Study, publish, rows
from warehouse import ingest, reads, store
from warehouse.errors import InvalidChoice
from warehouse.metrics.policies.tilted import LEAST_EFFECTIVE
from warehouse.reads.choice import answer as answer_of
from warehouse.reads.study import study as read_study
from warehouse.study.choice.answer import Question

MODELS = ("big", "mid", "tiny")
COUNTS = {"rm_test": (4, 2, 3, 5, 3, 4), "rl_test": (40, 24, 9, 30, 40, 24, 32, 5)}
SIMULATED = Study(reward_models=3, prompts=5, samples=24, ppo_steps=(5, 10), tilted=True)


def frame() -> pl.DataFrame:
    """Scores of three reward models, and grades that are golden only."""
    rng = np.random.default_rng(0)
    by_response = []
    for split, counts in COUNTS.items():
        for p, count in enumerate(counts):
            truth = rng.standard_normal(count) * (1 + p % 3 / 2)
            scores = {name: truth + (1 + k) * 0.4 * rng.standard_normal(count) for k, name in enumerate(MODELS)}
            for r in range(count):
                of_response = {"prompt_id": f"{split}-{p}", "response_id": f"r{r}", "split": split}
                by_response += [
                    {**of_response, "reward_model": name, "score": float(scores[name][r]), "label": float(truth[r] > 0)}
                    for name in MODELS
                ]
    return pl.DataFrame(by_response)


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tilted")
    frame().write_parquet(folder / "scores.parquet")
    import_files(folder / "home", [folder / "scores.parquet"], "ragged", "auto")
    return folder / "home"


@pytest.fixture(scope="module")
def connection(imported: Path) -> store.Connection:
    return store.open_read_only(imported)


def scores_of(name: str) -> list[np.ndarray]:
    column = "label" if name == "label" else "score"
    own = frame().filter(split="rl_test", reward_model="big" if name == "label" else name)
    return [
        own.filter(prompt_id=f"rl_test-{p}")[column].to_numpy().astype(np.float32).astype(float)
        for p in range(len(COUNTS["rl_test"]))
    ]


def weights_of(name: str, strength: float) -> list[np.ndarray]:
    """By plain loops over prompts."""
    scores = scores_of(name)
    spread = math.sqrt(np.mean([own.var(ddof=1) for own in scores]))
    odds = [np.exp(strength * own / spread) for own in scores]
    return [each / each.sum() for each in odds]


def defined_prompts(strength: float, names: tuple[str, ...]) -> list[int]:
    weights = {name: weights_of(name, strength) for name in names}
    return [
        p
        for p in range(len(COUNTS["rl_test"]))
        if min(1 / np.square(weights[name][p]).sum() for name in names) >= LEAST_EFFECTIVE
    ]


def test_values_are_weighted_means_on_the_prompts_where_all_scorers_are_defined(connection: store.Connection) -> None:
    known = reads.policies.strengths(connection, "ragged").filter(optimizer="tilted")["strength"].to_list()
    assert 0.5 in known
    for strength in known:
        values = reads.values.policy_values(connection, "ragged", "tilted", strength)
        enough = defined_prompts(strength, values.reward_models)
        assert values.prompts == tuple(f"rl_test-{p}" for p in enough)
        assert len(enough) >= 4
        for m, proxy in enumerate(values.reward_models):
            weights = weights_of(proxy, strength)
            for g, golden in enumerate(values.reward_models):
                expected = [weights[p] @ scores_of(golden)[p] for p in enough]
                assert values.optimised_MMQ[g, m] == pytest.approx(expected, abs=1e-5)


def test_the_strengths_are_those_that_half_of_the_prompts_allow_and_the_usual_one_is_the_greatest(
    connection: store.Connection,
) -> None:
    known = reads.policies.strengths(connection, "ragged").filter(optimizer="tilted")["strength"].to_list()
    names = (*MODELS, "label")
    assert known == [each for each in (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0) if len(defined_prompts(each, names)) >= 4]
    assert reads.policies.usual_strength(connection, "ragged", "tilted") == max(known)


def test_curves_share_the_prompts_of_the_greatest_strength_and_their_kl_is_of_these(
    connection: store.Connection,
) -> None:
    curves = reads.values.value_curves(connection, "ragged", "tilted")
    assert {at.prompts for at in curves.values} == {curves.values[-1].prompts}
    assert len(curves.values[0].prompts) < len(defined_prompts(curves.strengths[0], curves.reward_models))
    enough = defined_prompts(curves.strengths[-1], curves.reward_models)
    for s, strength in enumerate(curves.strengths):
        for m, name in enumerate(curves.reward_models):
            weights = [weights_of(name, strength)[p] for p in enough]
            kl = np.mean([(own * np.log(len(own) * own)).sum() for own in weights])
            assert curves.kl_SM[s, m] == pytest.approx(kl, rel=1e-4)
    stored = reads.policies.known_kl(connection, "ragged", "tilted", 0.5)["big"]
    everywhere = [weights_of("big", 0.5)[p] for p in defined_prompts(0.5, curves.reward_models)]
    assert stored == pytest.approx(np.mean([(own * np.log(len(own) * own)).sum() for own in everywhere]), rel=1e-4)


def test_at_a_kl_each_policy_is_read_between_its_own_strengths(connection: store.Connection) -> None:
    curves = reads.values.value_curves(connection, "ragged", "tilted")
    nats = float(curves.kl_SM[1, 0])
    at = reads.values.policy_values_at_kl(connection, "ragged", "tilted", nats)
    assert at.optimised_MMQ[:, 0] == pytest.approx(curves.values[1].optimised_MMQ[:, 0])
    of_n = reads.values.policy_values_at_kl(connection, "ragged", "bon", math.log(30) - 29 / 30)
    assert of_n.prompts == tuple(f"rl_test-{p}" for p, count in enumerate(COUNTS["rl_test"]) if count >= 32)


def test_reward_models_are_ranked_by_their_tilted_policies_with_their_efficiency(connection: store.Connection) -> None:
    answer = answer_of(connection, "ragged", Question(goldens=("label",), by="tilted", strength=0.5))
    assert answer.at == "tilted at λ = 0.5"
    assert set(answer.worth.candidates) == set(MODELS)
    assert answer.without_kl == 0


def test_the_claims_are_examined_on_tilted_policies_too(connection: store.Connection) -> None:
    study = read_study(connection, "ragged", goldens=["label"], replicates=30)
    assert list(study.optimised) == ["bon", "tilted"]
    (part,) = study.measured(study.optimised["tilted"])
    assert part.evaluation.proxies == 3


def test_stored_values_are_those_computed_from_the_scores(tmp_path: Path) -> None:
    publish(tmp_path / "stored", SIMULATED)
    tables = rows(SIMULATED)
    tilted = pl.col("policy_id").str.starts_with("tilted-")
    tables["policy_value"] = tables["policy_value"].filter(~tilted)
    ingest.publish(tmp_path / "computed", tables, SIMULATED.run_id)
    with (
        store.open_read_only(tmp_path / "stored") as stored,
        store.open_read_only(tmp_path / "computed") as computed,
    ):
        first, second = (reads.values.value_curves(each, SIMULATED.run_id, "tilted") for each in (stored, computed))
        usual = reads.policies.usual_strength(stored, SIMULATED.run_id, "tilted")
        assert usual == first.strengths[-1] == second.strengths[-1]
        assert first.kl_SM == pytest.approx(second.kl_SM)
        assert len(first.values[-1].prompts) < 20
        for one, other in zip(first.values, second.values, strict=True):
            assert one.prompts == other.prompts
            assert one.optimised_MMQ == pytest.approx(other.optimised_MMQ)
        least = reads.values.policy_values(stored, SIMULATED.run_id, "tilted", first.strengths[0])
        assert len(least.prompts) == 20


def test_a_scorer_that_joins_a_run_gets_tilted_policies_where_it_is_defined_too(tmp_path: Path) -> None:
    home = publish(tmp_path, SIMULATED)
    ensemble(home, "simulated", ["rm-00", "rm-01"], "mean", new_id="both", name="two")
    with store.open_read_only(home) as connection:
        values = reads.values.policy_values(connection, "both", "tilted", 0.5)
        assert values.reward_models == ("rm-00", "rm-01", "rm-02", "two")
        kl = reads.policies.known_kl(connection, "both", "tilted", 0.5)
        assert set(kl) == set(values.reward_models)
        before = reads.values.policy_values(connection, "simulated", "tilted", 0.5)
        assert values.prompts == before.prompts
        assert values.optimised_MMQ[:3, :3] == pytest.approx(before.optimised_MMQ)


def test_values_that_were_given_for_tilted_policies_are_the_ones_that_are_read(tmp_path: Path) -> None:
    scores = frame().drop("label")
    scores.write_parquet(tmp_path / "scores.parquet")
    goldens = scores.filter(split="rl_test").select(golden="reward_model").unique()
    prompts = scores.filter(split="rl_test").select("prompt_id").unique()
    proxies = goldens.select(reward_model="golden")
    given = proxies.join(goldens, how="cross").join(prompts, how="cross")
    given = given.with_columns(optimizer=pl.lit("tilted"), strength=pl.lit(7.0), value=pl.lit(1.5), kl=pl.lit(2.0))
    given.write_parquet(tmp_path / "values.parquet")
    import_files(tmp_path / "home", [tmp_path / "scores.parquet", tmp_path / "values.parquet"], "given", "auto")
    with store.open_read_only(tmp_path / "home") as connection:
        assert reads.policies.strengths(connection, "given").filter(optimizer="tilted")["strength"].to_list() == [7.0]
        assert (reads.values.policy_values(connection, "given", "tilted", 7.0).optimised_MMQ == 1.5).all()
        with pytest.raises(InvalidChoice, match="no policies of 'tilted' at 1"):
            reads.values.policy_values(connection, "given", "tilted", 1.0)
