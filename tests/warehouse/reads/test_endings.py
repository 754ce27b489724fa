"""How many of the policies' responses end, and what is said where too few do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.runs.exchange import import_files
from tests.helpers.study import Study, publish, rows
from warehouse import ingest, reads, store
from warehouse.claims.policies.endings import cut_off
from warehouse.claims.policies.length_share import length_explains_little
from warehouse.reads.study import study as whole_study
from warehouse.schema import INITIAL
from warehouse.study.curves.length_features import PolicyFeatures
from warehouse.study.curves.value_curves import ValueCurves

STUDY = Study(reward_models=3, prompts=3, samples=24, ppo_steps=(5, 10), penalties=(0.5,), tilted=True)


def ending(home: Path, run_id: str = STUDY.run_id) -> pl.DataFrame:
    with store.open_read_only(home) as connection:
        return reads.endings.endings(connection, run_id)


def test_shares_are_those_stored_or_those_of_a_policys_own_responses_to_rl_test_prompts(tmp_path: Path) -> None:
    frame = ending(publish(tmp_path, STUDY))
    (initial,) = frame.filter(policy_id=INITIAL).to_dicts()
    responses = rows(STUDY)["response"].join(rows(STUDY)["prompt"], on="prompt_id")
    own = responses.filter(policy_id=INITIAL, split="rl_test")
    assert initial["finished_share"] == pytest.approx(own["finished"].mean()) == pytest.approx(23 / 24)
    assert initial["mean_tokens"] == pytest.approx(own["tokens"].mean())
    tilted = frame.filter(policy_id="tilted-0.25/rm-01").row(0, named=True)
    assert (tilted["finished_share"], tilted["mean_tokens"]) == (pytest.approx(0.8), 31.0)
    assert frame.filter(policy_id="bon-4/rm-01")["finished_share"].to_list() == [None]
    assert frame.filter(policy_id="ppo-5/rm-00")["finished_share"].to_list() == [1.0]


def test_every_prompt_counts_the_same_however_many_responses_it_has(tmp_path: Path) -> None:
    tables = rows(STUDY)
    (first, *_) = STUDY.prompt_ids("rl_test")
    unfinished = pl.col("policy_id").eq("ppo-10/rm-00") & pl.col("prompt_id").eq(first)
    tables["response"] = tables["response"].with_columns(finished=pl.col("finished") & ~unfinished)
    dropped = unfinished & (pl.col("sample") == 1)
    gone = tables["response"].filter(dropped)["response_id"].implode()
    tables["response"] = tables["response"].filter(~dropped)
    tables["score"] = tables["score"].filter(~pl.col("response_id").is_in(gone))
    ingest.publish(tmp_path, tables, STUDY.run_id)
    share = ending(tmp_path).filter(policy_id="ppo-10/rm-00")["finished_share"].item()
    assert share == pytest.approx(11 / 12)


def test_the_usual_policies_are_the_initial_one_and_each_optimisers_at_its_usual_strength(tmp_path: Path) -> None:
    usual = ending(publish(tmp_path, STUDY)).filter("usual")
    assert usual.filter(policy_id=INITIAL).height == 1
    assert usual.filter(optimizer="ppo")["policy_id"].to_list() == [f"ppo-10/rm-0{m}" for m in range(3)]
    assert usual.filter(optimizer="bon")["strength"].unique().to_list() == [16.0]
    assert usual.filter(optimizer="tilted").height == 3


def test_of_an_imported_run_nothing_is_known(tmp_path: Path) -> None:
    scores = [
        {"prompt_id": f"{split}{p}", "response_id": f"r{r}", "split": split, "reward_model": name, "score": p * r + m}
        for split in ("rm_test", "rl_test")
        for p in range(3)
        for r in range(3)
        for m, name in enumerate(("a", "b"))
    ]
    pl.DataFrame(scores).cast({"score": pl.Float64}).write_csv(tmp_path / "scores.csv")
    import_files(tmp_path / "home", [tmp_path / "scores.csv"], "theirs", "auto")
    frame = ending(tmp_path / "home", "theirs")
    assert frame["finished_share"].null_count() == frame["mean_tokens"].null_count() == frame.height > 0
    assert cut_off(frame) == []


def test_a_warning_names_the_initial_policy_and_the_worst_of_each_optimiser() -> None:
    frame = pl.DataFrame(
        [
            {"policy_id": INITIAL, "optimizer": "none", "finished_share": 0.18},
            {"policy_id": "bon-8/a", "optimizer": "bon", "reward_model_id": "a", "strength": 8, "finished_share": 0.8},
            {"policy_id": "bon-8/b", "optimizer": "bon", "reward_model_id": "b", "strength": 8, "finished_share": None},
            {"policy_id": "ppo-4/a", "optimizer": "ppo", "reward_model_id": "a", "strength": 4, "finished_share": 0.7},
            {"policy_id": "ppo-4/b", "optimizer": "ppo", "reward_model_id": "b", "strength": 4, "finished_share": 0.04},
            {"policy_id": "ppo-4/c", "optimizer": "ppo", "reward_model_id": "c", "strength": 4, "finished_share": 0.85},
            {"policy_id": "ppo-2/c", "optimizer": "ppo", "reward_model_id": "c", "strength": 2, "finished_share": 0.1},
        ]
    ).with_columns(usual=pl.col("policy_id") != "ppo-2/c")
    assert cut_off(frame, lambda name: f"<{name}>") == [
        "82 % of the initial policy’s responses are cut off at the length limit: what optimising gains may be little "
        "more than responses that end.",
        "PPO at step 4: 96 % of the responses are cut off at the length limit where it optimises <b>, and more than "
        "20 % for 2 of 3 policies.",
    ]
    assert cut_off(frame.filter(pl.col("finished_share") >= 0.8)) == []


def curves_and_features(home: Path, optimizer: str, run_id: str = STUDY.run_id) -> tuple[ValueCurves, PolicyFeatures]:
    with store.open_read_only(home) as connection:
        curves = reads.values.value_curves(connection, run_id, optimizer)
        samples = reads.scores.initial_scores(connection, run_id, "rl_test")
        found = reads.endings.features_of_curves(connection, run_id, curves, samples, matched=True)
    assert found is not None
    return curves, found


def test_features_of_trained_policies_are_means_over_their_own_responses_and_their_repeats(tmp_path: Path) -> None:
    study = replace(STUDY, repeats=2, once=("rm-02",), tilted=False)
    curves, found = curves_and_features(publish(tmp_path, study), "ppo")
    responses = rows(study)["response"].join(rows(study)["prompt"], on="prompt_id").filter(split="rl_test")
    q, s = 5, curves.strengths.index(10.0)
    own = responses.filter(pl.col("policy_id").is_in(["ppo-10/rm-01", "ppo-10-r1/rm-01"]))
    own = own.filter(prompt_id=curves.values[0].prompts[q])
    assert own.height == 4
    assert found.policies_SKMQ[s, :, 1, q] == pytest.approx(
        [own["finished"].mean(), own["tokens"].log().mean(), (own["tokens"].log() ** 2).mean()]
    )
    initial = responses.filter(policy_id=INITIAL, prompt_id=curves.values[0].prompts[q])
    assert found.initial_KQ[1, q] == pytest.approx(initial["tokens"].log().mean())
    assert (found.unit, found.policies_SKMQ.shape) == ("tokens", (2, 3, 3, 12))


def test_matched_responses_of_trained_policies_are_scored_by_every_golden(tmp_path: Path) -> None:
    curves, found = curves_and_features(publish(tmp_path, replace(STUDY, tilted=False)), "ppo")
    tables = rows(replace(STUDY, tilted=False))
    prompt = curves.values[0].prompts[3]
    scored = tables["response"].filter(prompt_id=prompt).join(tables["score"], on="response_id")
    scored = scored.filter(reward_model_id="rm-02")
    initial, own = (scored.filter(policy_id=policy) for policy in (INITIAL, "ppo-10/rm-00"))
    above = []
    for tokens, finished, score in own.select("tokens", "finished", "score").iter_rows():
        near = (pl.col("tokens") - tokens).abs() <= max(2.0, 0.1 * tokens)
        matches = initial.filter(near & (pl.col("finished") == finished))["score"]
        above.append(0.0 if matches.is_empty() else score - matches.mean())
    assert found.matched is not None
    assert found.matched.difference_MMQ[2, 0, 3] == pytest.approx(sum(above) / len(above), abs=1e-5)
    assert found.matched.share_MQ.min() >= 0.0
    assert 0.5 < found.matched.share_MQ.mean() < 1.0


@pytest.mark.parametrize("optimizer", ["bon", "tilted"])
def test_policies_by_weighting_have_the_expected_features_of_their_picks(tmp_path: Path, optimizer: str) -> None:
    curves, found = curves_and_features(publish(tmp_path, STUDY), optimizer)
    S, K, M, Q = found.policies_SKMQ.shape
    assert len(curves.strengths) == S
    assert len(curves.values[0].prompts) == Q
    assert (K, M) == (3, 3)
    assert found.policies_SKMQ[-1, 1].mean() > found.initial_KQ[1].mean()  # every reward model likes length a little
    assert found.matched is not None
    if optimizer == "bon":
        assert found.policies_SKMQ[0] == pytest.approx(np.repeat(found.initial_KQ[:, None], M, axis=1))


def test_features_are_unknown_where_a_policys_tokens_were_not_counted(tmp_path: Path) -> None:
    tables = rows(STUDY)
    uncounted = pl.col("policy_id").eq("ppo-10/rm-01")
    tables["response"] = tables["response"].with_columns(tokens=pl.when(uncounted).then(0).otherwise("tokens"))
    ingest.publish(tmp_path, tables, STUDY.run_id)
    with store.open_read_only(tmp_path) as connection:
        found = {name: of.features for name, of in whole_study(connection, STUDY.run_id).optimised.items()}
    assert found["ppo"] is None
    assert found["bon"] is not None
    assert found["tilted"] is not None


def test_without_tokens_lengths_are_in_characters_and_nothing_is_known_of_endings(tmp_path: Path) -> None:
    tables = rows(STUDY)
    tables["response"] = tables["response"].with_columns(tokens=pl.lit(0))
    ingest.publish(tmp_path, tables, STUDY.run_id)
    curves, found = curves_and_features(tmp_path, "bon")
    assert found.unit == "characters"
    assert found.initial_KQR[0].min() == 1.0
    first = tables["response"].filter(policy_id=INITIAL, prompt_id=curves.values[0].prompts[0], sample=7)
    assert found.initial_KQR[1, 0, 7] == pytest.approx(np.log(len(first["text"].item())))


def test_without_texts_there_are_no_features(tmp_path: Path) -> None:
    tables = rows(STUDY)
    tables["response"] = tables["response"].with_columns(tokens=pl.lit(0), text=pl.lit(""))
    ingest.publish(tmp_path, tables, STUDY.run_id)
    with store.open_read_only(tmp_path) as connection:
        assert reads.endings.answers(connection, STUDY.run_id) is None
        studied = whole_study(connection, STUDY.run_id)
    assert {of.features for of in studied.optimised.values()} == {None}
    assert "not recorded" in length_explains_little(studied).missing
