"""The figures of a report card, from the JSON of the written file, against plain loops over the same run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from app.report import page
from app.report.card import SCHEMA_VERSION
from tests.app.report.plain import Plain, about_policies, about_scores, numbers, t_interval
from tests.helpers import benchmark_study, planted_reactions
from tests.helpers.benchmark_study import Benchmark
from tests.helpers.study import Study, publish
from warehouse import ingest, reads, store
from warehouse.errors import InvalidChoice, UnknownName
from warehouse.metrics.benchmarks.of_run import benchmark_scores
from warehouse.metrics.policies.best_of_n import best_of_n_values
from warehouse.reads.predicted import predictions
from warehouse.schema import PROBES
from warehouse.stats.bootstrap import wilson_interval
from warehouse.store import Connection

Card = dict[str, Any]
CLOSE = {"rel": 1e-5, "abs": 1e-6}


def card_in(html: str) -> Card:
    """The JSON block of a file."""
    found = re.search(r'<script type="application/json" id="righttree-report">(.*?)</script>', html, re.DOTALL)
    assert found
    card: Card = json.loads(found[1])
    return card


def written(connection: Connection, run_id: str, name: str, *goldens: str) -> Card:
    return card_in(page.write(connection, run_id, name, goldens))


@pytest.fixture(scope="module")
def labelled_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five reward models and labels on ragged prompts, the same on both sides."""
    size = Benchmark(reward_models=5, prompts=120, most=6)
    return benchmark_study.publish(tmp_path_factory.mktemp("report-labelled"), size)


@pytest.fixture(scope="module")
def ppo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four reward models that were trained here, best-of-n and PPO."""
    study = Study(prompts=6, ppo_steps=(5, 10), samples=8)
    return publish(tmp_path_factory.mktemp("report-ppo"), study)


@pytest.mark.parametrize("golden_is", ["labels", "a reward model"])
def test_every_number_is_what_plain_loops_give(golden_is: str, labelled_home: Path, ppo_home: Path) -> None:
    labels = golden_is == "labels"
    home, run_id, name, golden = (
        (labelled_home, "benchmark", "rm-03", "label") if labels else (ppo_home, "simulated", "rm-02", "rm-00")
    )
    with store.open_read_only(home) as connection:
        card = written(connection, run_id, name, *(() if labels else (golden,)))
        cube, samples = (reads.scores.initial_scores(connection, run_id, side) for side in ("rm_test", "rl_test"))
        candidates = [other for other in cube.reward_models if other != golden]
        run = Plain(connection, run_id, name, golden, labels, cube, samples, candidates)
        n, strengths = (5, [1, 2, 4, 5]) if labels else (4, [1, 2, 4, 8])
        expected: Card = {**about_scores(run), **about_policies(run, n, strengths)}
    worst = card["failures"].pop("worst")
    losses = expected["failures"].pop("worst")
    assert [row["loss"] for row in worst] == pytest.approx(losses)
    assert [row["golden_of_best"] - row["golden_of_pick"] for row in worst] == pytest.approx(losses)
    got = numbers({name: card[name] for name in expected})
    plain = numbers(expected)
    got.pop("/best_of_n/answer", None)
    plain.pop("/best_of_n/answer", None)
    assert set(got) == set(plain)
    nulls = {path for path, number in plain.items() if number is None}
    assert {path for path, number in got.items() if number is None} == nulls
    defined = set(plain) - nulls
    off = {path: (got[path], plain[path]) for path in defined if got[path] != pytest.approx(plain[path], **CLOSE)}
    assert off == {}
    about = {"schema_version", "reward_model", "judged_by", "optimizers", "shared_prompts", "undefined", "provenance"}
    assert set(card) == set(expected) | about | {"predicted", "edits"}
    assert card["edits"] is None
    assert card["schema_version"] == SCHEMA_VERSION
    assert card["judged_by"] == {
        "goldens": [golden],
        "truth": "golden only" if labels else "named",
        "candidates": len(candidates),
    }
    assert card["shared_prompts"] == (120 if labels else 0)


def test_who_cannot_be_told_from_it_shares_a_group(labelled_home: Path) -> None:
    with store.open_read_only(labelled_home) as connection:
        best = written(connection, "benchmark", "rm-03")["best_of_n"]
    groups = {row["reward_model"]: set(row["groups"]) for row in best["ranking"]}
    alike = [name for name, own in groups.items() if name != "rm-03" and own & groups["rm-03"]]
    assert best["cannot_be_told_from"] == alike
    assert 0 < len(alike) < 4


def test_other_optimizers_have_the_gain_of_their_stored_values(ppo_home: Path) -> None:
    with store.open_read_only(ppo_home) as connection:
        card = written(connection, "simulated", "rm-02", "rm-00")
        scores = reads.scores.initial_scores(connection, "simulated", "rl_test").scores_MPR.astype(float)
        values = reads.values.policy_values(connection, "simulated", "ppo", 10.0)
        strengths = reads.policies.of_optimizer(connection, "simulated", "ppo")
    (row,) = card["optimizers"]
    spread = np.sqrt(scores[0].var(axis=1, ddof=1).mean())
    gains = [(values.optimised_MMQ[0, m] - values.initial_MQ[0]) / spread for m in range(4)]
    assert {end: row[end] for end in ("value", "low", "high")} == pytest.approx(t_interval(gains[2]))
    assert row["ndr"]["value"] == pytest.approx(gains[2].mean() / gains[0].mean())
    assert (row["optimizer"], row["strength"], row["prompts"], row["of"]) == ("ppo", 10.0, 24, 3)
    (kl,) = strengths.filter(strength=10.0, reward_model_id="rm-02")["kl"]
    assert row["kl"] == pytest.approx(kl)
    assert row["gain_per_nat"] == pytest.approx({end: row[end] / kl for end in ("value", "low", "high")})
    assert row["rank"] == 1 + sum(gains[m].mean() > gains[2].mean() for m in (1, 3))


def test_what_its_policies_keep_is_predicted_without_them_where_there_are_enough_reward_models(
    tmp_path: Path, ppo_home: Path
) -> None:
    home = publish(tmp_path, Study(reward_models=14, prompts=12, ppo_steps=(5,), stops=(("rm-05", 0),)))
    with store.open_read_only(home) as connection:
        html = page.write(connection, "simulated", "rm-05")
        by_optimizer = {each.optimizer: each.result for each in predictions(connection, "simulated")}
    card = card_in(html)
    best, ppo = card["predicted"]
    assert (best["optimizer"], best["learnt_from"], ppo["optimizer"], ppo["measured"]) == ("bon", 13, "ppo", None)
    for row in (best, ppo):
        result = by_optimizer[row["optimizer"]]
        assert result is not None
        assert [row[part] for part in ("value", "low", "high", "measured")] == list(result.guess("rm-05")[:4])
        assert row["held"]["reward_model"]["covered"] == result.record("features").covered
    assert "Predicted from RM-test scores, without its own policies (90% intervals): best-of-8 NDR" in html
    assert f"(jackknife+). Measured: best-of-8 {best['measured']:.3f}." in html
    with store.open_read_only(ppo_home) as connection:
        few = written(connection, "simulated", "rm-02")
    assert few["predicted"] == []
    whys = {row["what"]: row["why"] for row in few["undefined"]}
    assert "it takes 12" in whys["predicted regret of PPO at step 10"]


def test_what_it_is_is_what_the_run_recorded(ppo_home: Path, labelled_home: Path) -> None:
    with store.open_read_only(ppo_home) as connection:
        identity = written(connection, "simulated", "rm-02")["reward_model"]
        stored = reads.runs.reward_models(connection, "simulated").row(2, named=True)
        pairs = reads.runs.validation_pairs(connection, "simulated")
    validation = identity.pop("validation_accuracy")
    assert identity.pop("name") == "rm-02"
    assert identity == {name: stored[name] for name in identity}
    assert validation["value"] == stored["validation_accuracy"]
    assert validation["pairs"] == (pairs or None)
    if pairs:
        ends = wilson_interval(round(validation["value"] * pairs), pairs)
        assert (validation["low"], validation["high"]) == ends
    with store.open_read_only(labelled_home) as connection:
        card = written(connection, "benchmark", "rm-01")
    assert card["reward_model"]["train_pairs"] is None
    assert "validation accuracy" in " ".join(row["what"] for row in card["undefined"])


def test_without_a_truth_it_is_judged_by_the_others_with_their_differences_taken_out(ppo_home: Path) -> None:
    with store.open_read_only(ppo_home) as connection:
        card = written(connection, "simulated", "rm-02")
        samples = reads.scores.initial_scores(connection, "simulated", "rl_test").scores_MPR.astype(np.float64)
    assert card["judged_by"] == {"goldens": ["rm-00", "rm-01", "rm-03"], "truth": "the others", "candidates": 4}
    spread_M = np.sqrt(samples.var(axis=2, ddof=1).mean(axis=1))
    values_MM = best_of_n_values(samples, [4])[0].mean(axis=2)
    gain_MM = (values_MM - samples.mean(axis=(1, 2))[:, None]) / spread_M[:, None]
    rows = [(g, m) for g in range(4) for m in range(4) if g != m]
    design = np.array([[float(k == g) for k in range(4)] + [float(k == m) for k in range(4)] for g, m in rows])
    fit = np.linalg.lstsq(design, np.array([gain_MM[pair] for pair in rows]), rcond=None)[0]
    assert card["best_of_n"]["value"] == pytest.approx(fit[:4].mean() + fit[6], rel=1e-6)


def test_undefined_prompts_and_parts_are_counted_with_the_reason(labelled_home: Path) -> None:
    with store.open_read_only(labelled_home) as connection:
        card = written(connection, "benchmark", "rm-03")
        counts_P = reads.scores.initial_scores(connection, "benchmark", "rl_test").counts_P
    counted = {row["what"]: row for row in card["undefined"]}
    fewer = counted["best-of-5 on prompts"]
    assert (fewer["count"], fewer["of"]) == (int((counts_P < 5).sum()), 120)
    assert fewer["why"] == "they have fewer than 5 samples"
    assert "no thirds" in counted["accuracy by thirds"]["why"]
    ties = counted["calibration on pairs"]
    assert ties["count"] == card["calibration"]["golden_ties"]
    assert ties["of"] == card["calibration"]["pairs"] + ties["count"]


def test_parts_without_a_figure_are_counted_together(tmp_path: Path) -> None:
    rows = benchmark_study.rows(Benchmark(reward_models=3, prompts=20, most=4))
    alone = pl.when(pl.col("prompt_id").str.starts_with("ticket/00")).then(pl.lit("together")).otherwise("prompt_id")
    ingest.publish(tmp_path, {**rows, "prompt": rows["prompt"].with_columns(subset=alone)}, "benchmark")
    with store.open_read_only(tmp_path) as connection:
        card = written(connection, "benchmark", "rm-02")
    assert [row["part"] for row in card["accuracy"]["subsets"] if row["value"] is not None] == ["together"]
    (row,) = [row for row in card["undefined"] if row["what"] == "accuracy by subset"]
    assert (row["count"], row["of"]) == (10, 11)


def test_two_reward_models_without_a_truth_take_one_by_name(tmp_path: Path) -> None:
    home = publish(tmp_path, Study(reward_models=2, prompts=4))
    with store.open_read_only(home) as connection:
        with pytest.raises(InvalidChoice, match="name the scorer that is the truth with --golden"):
            page.write(connection, None, "rm-01")
        assert written(connection, "simulated", "rm-01", "rm-00")["accuracy"]["value"] > 0.5


def test_a_reward_model_that_is_alone_has_figures_but_no_rank(tmp_path: Path) -> None:
    home = benchmark_study.publish(tmp_path, Benchmark(reward_models=1, prompts=20, most=4, texts=False))
    with store.open_read_only(home) as connection:
        html = page.write(connection, "benchmark", "rm-01")
    card = card_in(html)
    assert card["accuracy"]["value"] > 0.6
    assert card["best_of_n"]["value"] > 0.6
    assert (card["accuracy"]["of"], card["best_of_n"]["of"], card["best_of_n"]["ranking"]) == (1, 1, [])
    assert card["length"] is None
    assert {"rank among reward models", "length correlation"} <= {row["what"] for row in card["undefined"]}
    assert "No other reward model of this run" in html


def test_the_scores_of_a_benchmark_are_its_own(tmp_path: Path) -> None:
    rows = benchmark_study.rows(Benchmark(reward_models=3, prompts=30))
    domains = pl.when(pl.col("prompt_id").str.contains("[02468]#")).then(pl.lit("Math")).otherwise(pl.lit("Safety"))
    ingest.publish(tmp_path, {**rows, "prompt": rows["prompt"].with_columns(subset=domains)}, "benchmark")
    with store.open_read_only(tmp_path) as connection:
        (scores,) = benchmark_scores(reads.scores.initial_scores(connection, "benchmark", "rm_test"))
        (row,) = written(connection, "benchmark", "rm-02")["benchmarks"]
    place = scores.reward_models.index("rm-02")
    assert row["benchmark"] == scores.benchmark
    assert {part["part"]: part["score"] for part in row["parts"]} == pytest.approx(
        {part: score for part, score in zip(scores.parts, scores.scores_MS[place], strict=True) if np.isfinite(score)}
        | {part: None for part, score in zip(scores.parts, scores.scores_MS[place], strict=True) if np.isnan(score)}
    )
    assert row["rank"] == 1 + int((scores.scores_MS[:, -1] > scores.scores_MS[place, -1]).sum())
    assert [part["prompts"] for part in row["parts"]] == scores.prompts_S.tolist()


def test_what_cannot_be_judged_is_refused(labelled_home: Path) -> None:
    with store.open_read_only(labelled_home) as connection:
        with pytest.raises(InvalidChoice, match=r"'label' counts as the truth here.*rm-01, rm-02"):
            page.write(connection, None, "label")
        with pytest.raises(UnknownName, match=r"no reward model 'rm-99'.*rm-01"):
            page.write(connection, None, "rm-99")
        with pytest.raises(UnknownName, match="no scorer 'nobody' to be golden"):
            page.write(connection, None, "rm-01", ("nobody",))


def test_reactions_to_edits_are_the_mean_changes_of_the_stored_scores(tmp_path: Path) -> None:
    ingest.publish(
        tmp_path, planted_reactions.rows_with(planted_reactions.likes(1), planted_reactions.likes(1)), "test"
    )
    with store.open_read_only(tmp_path) as connection:
        html = page.write(connection, planted_reactions.STUDY.run_id, "rm-03", ())
        scores = connection.execute(
            """
            SELECT policy_id, avg(score) FROM score JOIN response USING (run_id, response_id)
            JOIN prompt USING (run_id, prompt_id)
            WHERE reward_model_id = 'rm-03' AND split = 'rm_test' AND sample = 1
              AND (policy_id = 'initial' OR policy_id LIKE 'probe-%') GROUP BY policy_id
            """
        ).fetchall()
        samples = reads.scores.initial_scores(connection, planted_reactions.STUDY.run_id, "rm_test").scores_MPR
    means = dict(scores)
    spread = np.sqrt(samples[3].astype(float).var(axis=1, ddof=1).mean())
    edits = card_in(html)["edits"]
    assert [row["edit"] for row in edits] == list(PROBES)
    for row in edits:
        change = (means[PROBES[row["edit"]]] - means["initial"]) / spread
        assert row["value"] == pytest.approx(change, abs=1e-4)
        assert row["low"] < row["value"] < row["high"]
        assert row["prompts"] == 4 * planted_reactions.STUDY.prompts
    assert "Its score changes when a response is edited, content aside, by padding " in html
