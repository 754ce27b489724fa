"""Tables and sentences of the Audit page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from app.access import warehouse
from app.views.audit import data, text
from tests.helpers import benchmark_study
from tests.helpers.benchmark_study import Benchmark
from tests.helpers.faulty import FaultySet, faulty_set
from warehouse.study.audit.audit import Audit, audited


@pytest.fixture(scope="module")
def faulty() -> FaultySet:
    return faulty_set(12, each=40)


@pytest.fixture(scope="module")
def audit(faulty: FaultySet) -> Audit:
    return audited(faulty.cube(), None, faulty.texts, replicates=50)


def test_every_subset_has_a_name_and_too_small_ones_are_left_out_and_counted(faulty: FaultySet) -> None:
    cube = faulty.cube()
    cube = replace(cube, subsets=(*(["tiny"] * 5), *cube.subsets[5:]))
    audit = audited(cube, replicates=50)
    names = data.subsets(audit)["name"].to_list()
    assert names[0] == data.ALL_ITEMS
    assert "Skills / tiny" not in names
    assert "Skills / plain" in names
    assert text.left_out(audit, data.subsets(audit)) == "1 subset of fewer than 10 usable items not shown."


def test_of_many_subsets_the_largest_are_drawn() -> None:
    frame = pl.DataFrame({"name": [f"s{n}" for n in range(100)], "used": list(range(100))})
    assert data.drawn(frame)["name"].to_list() == [f"s{n}" for n in range(40, 100)]
    assert data.drawn(frame.head(5)).height == 5


def test_accuracies_are_those_of_each_reward_model_on_each_subset(audit: Audit) -> None:
    subsets = data.subsets(audit)
    frame = data.accuracies(audit, subsets)
    assert frame.height == subsets.height * 12
    of_one = frame.filter(name="Skills / plain")
    assert of_one["mean"][0] == pytest.approx(of_one["accuracy"].mean())
    assert of_one["mean"][0] == pytest.approx(subsets.filter(name="Skills / plain")["accuracy"][0])


def test_items_are_listed_by_reason_and_category(audit: Audit, faulty: FaultySet) -> None:
    items = data.items(audit)
    assert items.height == len(faulty.prompts)
    repeated = data.listed(items, ("redundant",), ())
    assert set(repeated["prompt_id"]) == {f"item-{p:03d}" for p in faulty.faults["redundant"]}
    assert data.listed(items, ("redundant",), ("Oddities",)).is_empty()
    faults = data.listed(items, (), ())
    assert 0 < faults.height < items.height
    assert not (faults["reasons"] == "all right").any()
    assert data.listed(items, ("all right",), ()).height == data.reasons(audit)["all right"]


def test_the_summary_counts_faults_and_names_bad_subsets(audit: Audit) -> None:
    lines = text.summary(audit, data.subsets(audit))
    assert "20 redundant, 10 same responses" in lines[0]
    assert any("**Oddities / easy** is saturated" in line for line in lines)
    clean = audited(faulty_set(12, each=40, flipped=0.0).cube(labelled=False), replicates=50)
    assert text.few_models(clean) == ""
    assert "fewer than 6" in text.few_models(audited(faulty_set(4, each=20).cube(), replicates=50))


def test_foreign_names_are_escaped_in_sentences(audit: Audit) -> None:
    subsets = data.subsets(audit).with_columns(
        name=pl.lit("*x* [y](z)"),
        tau=pl.lit(0.5),
        tau_low=pl.lit(0.1),
        tau_high=pl.lit(0.9),
        predicts=pl.lit(value=False),
    )
    sentence = text.predicting(subsets, "NDR")
    assert "\\*x\\* \\[y\\]\\(z\\)" in sentence
    assert "*x*" not in sentence.replace("\\*x\\*", "")


def test_policies_are_of_an_n_that_half_of_the_prompts_have_samples_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few_have_eight = Benchmark(reward_models=5, prompts=60, most=9)
    monkeypatch.setenv("RIGHTTREE_HOME", str(benchmark_study.publish(tmp_path, few_have_eight)))
    snapshot = warehouse.snapshot()
    assert snapshot is not None
    assert data.policies(snapshot, "benchmark")["bon"].strength == 4.0
