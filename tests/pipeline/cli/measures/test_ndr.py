"""`righttree measure` on simulated runs: figures of zero are figures."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.__main__ import build_parser, main
from pipeline.cli.measures import ndr as measure
from pipeline.cli.measures import text as measure_text
from tests.conftest import righttree
from tests.helpers.study import Study, publish, rows
from tests.warehouse.exchange.files import long_frame, write
from tests.warehouse.study.simulate import study
from warehouse import ingest
from warehouse.study import TestSet, evaluate


def found(name: str, tau: float | None) -> dict[str, Any]:
    cube, values = study(M=3, P=8, Q=8)
    about = {
        "run": "r",
        "optimizer": "bon",
        "strength": 16.0,
        "level": "pooled",
        "source": "initial",
        "paraphrase": 0.0,
        "goldens": list(cube.reward_models),
    }
    shown = measure.as_json(about, cube.reward_models, evaluate(cube, values, replicates=2))
    return shown | {"measure": name, "kendall": shown["kendall"] | {"value": tau, "low": tau, "high": tau}}


def test_measures_are_sorted_by_tau_and_those_without_one_come_last() -> None:
    taus = {"negative": -0.9, "undefined": None, "zero": 0.0, "positive": 0.4}
    lines = measure_text.of_all([found(name, tau) for name, tau in taus.items()]).splitlines()
    assert [line.split()[0] for line in lines[-4:]] == ["positive", "zero", "negative", "undefined"]


def test_a_strength_of_zero_can_be_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(publish(tmp_path, Study(ppo_steps=(0, 5)))))
    for strength in (0.0, 5.0):
        options = ["--optimizer", "ppo", "--strength", str(strength), "--replicates", "5", "--json"]
        assert main(["measure", *options]) == 0
        assert json.loads(capsys.readouterr().out)["strength"] == strength


def test_every_construction_of_a_test_set_is_an_option() -> None:
    given = {"responses": 4, "budget": 40, "rank_bins": 3, "chosen_bin": 3, "rejected_bin": 1, "noise": 0.25}
    options = [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    choice = build_parser().parse_args(["measure", *options, "--category", "Chat", "--subset", "a", "--seed", "7"])
    test_set = measure.test_set_of(choice, ["Chat", "Safety"])
    assert test_set == TestSet(categories=("Chat",), subsets=("a",), seed=7, **given)


def test_the_text_names_both_answers_and_shows_the_ceiling_and_the_plain_share_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(publish(tmp_path, Study(reward_models=10))))
    assert main(["measure", "--replicates", "200", "--json"]) == 0
    kendall = json.loads(capsys.readouterr().out)["kendall"]
    assert main(["measure", "--replicates", "200"]) == 0
    text = capsys.readouterr().out
    (header,) = [line for line in text.splitlines() if "this test set  " in line]
    assert re.split(r"\s{2,}", header.strip()) == ["this test set", "the measure itself", "plain", "ceiling"]
    (row,) = [line for line in text.splitlines() if line.startswith("  kendall")]
    figures = (kendall, kendall["measure_itself"], kendall["sample"], kendall["ceiling"])
    shown = [float(number) for number in re.findall(r"-?\d\.\d{3}", row)]
    assert shown == [round(figure[end], 3) for figure in figures for end in ("value", "low", "high")]
    share = kendall["sample"]["value"] / kendall["ceiling"]["value"]
    assert f"is {share:.0%} of its ceiling {kendall['ceiling']['value']:.3f}" in text
    assert f"p = {kendall['p_value']:.3f} (permutation test)" in text
    assert "rough" not in text
    assert "on both sides" not in text


def test_few_reward_models_and_the_same_prompts_on_both_sides_are_said(tmp_path: Path) -> None:
    home = publish(tmp_path, Study(reward_models=9))
    for options in ((), ("--measure", "all"), ("--compare", "spearman,accuracy")):
        text = righttree("measure", "--replicates", "20", *options, home=home).stdout
        assert "intervals are rough: 9 reward models, fewer than 10" in text
    together = write(long_frame(prompts=12), tmp_path / "together.csv")
    assert righttree("import", str(together), "--run-id", "together", home=home).returncode == 0
    for options in ((), ("--measure", "all"), ("--compare", "spearman,accuracy")):
        text = righttree("measure", "--run", "together", "--replicates", "20", *options, home=home).stdout
        assert "the same 12 prompts on both sides: correlations are cross-fitted over halves of the prompts" in text


def test_how_many_seeds_the_policies_are_of_is_said_as_text_and_as_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    repeated = Study(ppo_steps=(10,), repeats=2, once=("rm-03",))
    monkeypatch.setenv("RIGHTTREE_HOME", str(publish(tmp_path, repeated)))
    options = ("measure", "--optimizer", "ppo", "--replicates", "50")
    assert main([*options, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["repeats"], result["single_repeats"]) == (2, 1)
    assert main([*options]) == 0
    assert "policies are means of up to 2 seeds" in capsys.readouterr().out
    assert main(["measure", "--replicates", "50", "--export", str(tmp_path / "bon.csv")]) == 0
    assert "seed" not in capsys.readouterr().out
    assert pl.read_csv(tmp_path / "bon.csv")["repeats"].null_count() == 12


def test_a_comparison_says_what_its_interval_is_and_is_the_difference_of_the_plain_figures(tmp_path: Path) -> None:
    home = publish(tmp_path, Study(reward_models=6))
    options = ("measure", "--compare", "pearson,accuracy_pair", "--replicates", "40")
    text, found = (righttree(*options, *more, home=home).stdout for more in ((), ("--json",)))
    assert "differences of the plain correlations, paired" in text
    compared = json.loads(found)
    first, second, difference = (compared[side]["kendall"] for side in ("first", "second", "difference"))
    assert difference["value"] == pytest.approx(first["sample"]["value"] - second["sample"]["value"])
    assert set(difference) == {"value", "low", "high"}
    assert f"{first['sample']['value']:.3f} − {second['sample']['value']:.3f} = " in text


def test_too_few_prompts_to_be_cross_fitted_are_said_and_leave_correlations_undefined(tmp_path: Path) -> None:
    together = write(long_frame(prompts=3), tmp_path / "together.csv")
    assert righttree("import", str(together), home=tmp_path / "home").returncode == 0
    text = righttree("measure", "--replicates", "20", home=tmp_path / "home").stdout
    assert "the same 3 prompts on both sides: correlations are cross-fitted over halves" in text
    assert "which takes 4 or more on either side" in text
    (row,) = [line for line in text.splitlines() if line.startswith("  kendall")]
    assert row.split()[1] == "undefined"


def test_where_a_golden_has_no_policy_of_its_own_pairs_have_the_gain_per_nat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(tmp_path))
    tables = rows(Study(reward_models=5, ppo_steps=(5,)))
    name, of_ppo = pl.col("reward_model_id"), pl.col("optimizer") == "ppo"
    own = tables["policy"].filter(of_ppo, name == "rm-00")["policy_id"].to_list()
    unknown, zero = of_ppo & (name == "rm-01"), of_ppo & (name == "rm-02")
    kl = pl.when(unknown).then(pl.lit(None, pl.Float64)).when(zero).then(0.0).otherwise(pl.col("kl"))
    for table in ("policy", "policy_value", "response"):
        tables[table] = tables[table].filter(~pl.col("policy_id").is_in(own))
    tables["score"] = tables["score"].filter(~pl.col("response_id").str.starts_with(f"{own[0]}|"))
    tables["policy"] = tables["policy"].with_columns(kl=kl.alias("kl"))
    golden = pl.when(name == "rm-00").then(pl.lit("golden"))
    tables["reward_model"] = tables["reward_model"].with_columns(role=golden)
    ingest.publish(tmp_path, tables, "simulated")
    options = ["--optimizer", "ppo", "--replicates", "20", "--json"]
    assert main(["measure", "--golden", "rm-00", *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["quantity"] == "gain"
    assert found["without_kl"] == 2
    per_nat = {pair["proxy"]: pair["gain_per_nat"] for pair in found["pairs"]}
    assert per_nat["rm-01"] is None
    assert per_nat["rm-02"] is None
    gain = {pair["proxy"]: pair["gain"] for pair in found["pairs"]}
    assert per_nat["rm-03"] == pytest.approx(gain["rm-03"] / 0.5)
